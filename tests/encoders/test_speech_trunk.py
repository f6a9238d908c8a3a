"""From samples to hidden states: what transformers makes of them, whatever stands beside a clip."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils.rnn import pad_sequence

from affectspace.encoders import SpeechTrunk, open_speech_source, speech_trunk
from affectspace.errors import InputError

KINDS = (
    "wav2vec2 group", "wav2vec2 layer", "hubert group", "hubert layer", "wavlm group", "wavlm layer",
    "unispeech layer", "unispeech-sat group", "data2vec-audio", "whisper",
)  # fmt: skip


@pytest.fixture(scope="module")
def trunk(lay_speech_model):
    """``trunk("wavlm layer")``, in float64, in which nothing but a wrong result differs."""
    made = {}

    def opened(kind):
        if kind not in made:
            made[kind] = SpeechTrunk(open_speech_source(lay_speech_model(kind))).double()
        return made[kind]

    return opened


def noise(*lengths):
    generator = torch.Generator().manual_seed(1)
    return [0.1 * torch.randn(length, generator=generator) + 0.05 for length in lengths]


def states(trunk, clips, padding=0.0):
    """The states of clips that are run together."""
    lengths = torch.tensor([len(clip) for clip in clips])
    with torch.no_grad():
        found, frames = trunk(pad_sequence(clips, batch_first=True, padding_value=padding), lengths)
    assert not found[torch.arange(found.shape[1]) >= frames[:, None]].any()
    return [own[:count] for own, count in zip(found, frames.tolist())]


def heard(folder, clip):
    """Every hidden state, and the last one, as transformers has them."""
    import transformers

    model = transformers.AutoModel.from_pretrained(folder).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    prepared = extractor(clip.numpy(), sampling_rate=16000, return_tensors="pt")
    model = model.encoder if "input_features" in prepared else model
    with torch.no_grad():
        outputs = model(**prepared, output_hidden_states=True)
    return [state[0] for state in outputs.hidden_states], outputs.last_hidden_state[0]


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_those_of_transformers(lay_speech_model, kind):
    folder, (clip,) = lay_speech_model(kind), noise(5000)
    trunk = SpeechTrunk(open_speech_source(folder))
    (found,) = states(trunk, [clip])
    by_hand, last = heard(folder, clip)
    assert found.shape[1:] == (4, 32)
    assert len(found) == (len(last) if trunk.source.window is None else 16)  # of 50 frames those of the clip
    for layer in range(3):
        torch.testing.assert_close(found[:, layer], by_hand[layer][: len(found)], atol=5e-5, rtol=0)
    torch.testing.assert_close(found[:, 3], last[: len(found)], atol=5e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_the_same_alone_and_beside_others(trunk, kind):
    own = trunk(kind)
    clips = noise(own.source.shortest, 777, 5000, 3000, 5000, 9999)
    groups = own.together([len(clip) for clip in clips])
    assert groups == ([[0, 1, 3, 2, 4, 5]] if own.source.window else [[0], [1], [3], [2, 4], [5]])
    for group in [[*range(6)]] if own.source.masks else groups:
        for row, beside in zip(group, states(own, [clips[row] for row in group], padding=7.0)):
            (alone,) = states(own, [clips[row]])
            torch.testing.assert_close(beside, alone, atol=1e-10, rtol=0)


def test_a_first_convolution_that_is_normalised_over_time_would_hear_padding(trunk):
    """Which is why clips of other lengths are kept apart there."""
    own = trunk("wav2vec2 group")
    long, short = noise(5000, 3000)
    beside = states(own, [long, short])[1]
    (alone,) = states(own, [short])
    assert not torch.allclose(beside, alone, atol=1e-3)


def test_clips_are_padded_where_that_changes_nothing_and_pays(lay_speech_model):
    lengths = [5000, 3000, 5000, 777]
    for kind, groups in (("hubert layer", [[3, 1, 0, 2]]), ("hubert group", [[3], [1], [0, 2]])):
        own = SpeechTrunk(open_speech_source(lay_speech_model(kind)))
        assert own.together(lengths) == [[3], [1], [0, 2]]
        assert own.to("meta").together(lengths) == groups  # for any device but a CPU


def test_no_more_than_a_minute_is_run_together(trunk):
    minute = 60 * 16000
    assert trunk("hubert layer").together([minute // 4] * 6) == [[0, 1, 2, 3], [4, 5]]
    assert trunk("hubert layer").together([minute, 400, 2 * minute, 2 * minute]) == [[1], [0], [2], [3]]
    assert trunk("hubert group").together([minute // 2] * 3) == [[0, 1], [2]]
    assert [len(group) for group in trunk("whisper").together([500] * 70)] == [60, 10]  # windows of a second here
    assert trunk("whisper").together([]) == []


def test_whisper_hears_long_clips_in_windows(trunk):
    own = trunk("whisper")
    (clip,) = noise(40000)  # two windows and a half
    (whole,) = states(own, [clip])
    parts = [states(own, [clip[start : start + 16000]])[0] for start in (0, 16000, 32000)]
    assert [len(part) for part in parts] == [50, 50, 25]
    torch.testing.assert_close(whole, torch.cat(parts), atol=1e-10, rtol=0)
    short = noise(700)[0]
    beside = states(own, [clip, short])
    torch.testing.assert_close(beside[1], states(own, [short])[0], atol=1e-10, rtol=0)
    torch.testing.assert_close(beside[0], whole, atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", ["wavlm layer", "whisper"])
def test_blocks_above_the_highest_layer_are_left_out(lay_speech_model, trunk, kind):
    (whole,) = states(trunk(kind), noise(3000))
    for layers, blocks in (([1], 1), ([2, 0], 2), ([0], 1), ([3], 3)):
        own = SpeechTrunk(open_speech_source(lay_speech_model(kind)), layers).double()
        assert len(own.blocks) == blocks
        (found,) = states(own, noise(3000))
        torch.testing.assert_close(found, whole[:, layers], atol=1e-10, rtol=0)


def test_loudness_and_offset_are_taken_away_where_the_model_says_so(lay_speech_model, trunk, tmp_path):
    own, (clip,) = trunk("wavlm layer"), noise(3000)
    torch.testing.assert_close(states(own, [3 * clip + 1])[0], states(own, [clip])[0], atol=1e-5, rtol=0)
    folder = shutil.copytree(lay_speech_model("wavlm layer"), tmp_path / "own")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_normalize": False}))
    own = SpeechTrunk(open_speech_source(folder)).double()
    assert not torch.allclose(states(own, [3 * clip + 1])[0], states(own, [clip])[0], atol=1e-3)


def test_nothing_is_left_to_chance_in_training(lay_speech_model):
    own = SpeechTrunk(open_speech_source(lay_speech_model("hubert group")))
    own.train()
    assert not any(module.training for module in own.modules())
    first, again = (states(own, noise(9000))[0] for _ in range(2))
    assert torch.equal(first, again)


def test_published_weights_of_before_are_read(lay_speech_model, trunk, tmp_path):
    """Their positional convolution has its weights under other names, and half their digits."""
    folder = shutil.copytree(lay_speech_model("wav2vec2 group"), tmp_path / "own")
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    renamed = {}
    for name, value in load_file(folder / "model.safetensors").items():
        for now, then in old.items():
            name = name.replace(now, then)
        renamed[f"wav2vec2.{name}"] = value.half()
    assert any(name.endswith("conv.weight_g") for name in renamed)
    save_file({**renamed, "lm_head.bias": torch.zeros(5)}, folder / "model.safetensors", {"format": "pt"})
    own = SpeechTrunk(open_speech_source(folder))
    assert {value.dtype for value in own.state_dict().values()} == {torch.float32}
    (expected,) = states(trunk("wav2vec2 group"), noise(3000))
    torch.testing.assert_close(states(own, noise(3000))[0].double(), expected, atol=2e-2, rtol=0)


def test_weights_that_are_missing_or_damaged(lay_speech_model, tmp_path):
    folder = shutil.copytree(lay_speech_model("wavlm group"), tmp_path / "own")
    weights = load_file(folder / "model.safetensors")
    fewer = {name: value for name, value in weights.items() if "layers.1.feed_forward" not in name}
    save_file(fewer, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"own lacks 4 of its weights, encoder\.layers\.1\.feed_forward.* for one; gi"):
        SpeechTrunk(open_speech_source(folder))
    (folder / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(InputError, match="own cannot be opened as a model with safetensors: "):
        SpeechTrunk(open_speech_source(folder))


def test_opening_says_nothing(lay_speech_model, capsys):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    SpeechTrunk(open_speech_source(lay_speech_model("wavlm group")))
    assert capsys.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_normalisation_is_that_of_each_clip():
    lengths = torch.tensor([5, 3])
    samples = torch.tensor([[1.0, 2, 3, 4, 9], [1, 2, 6, 0, 0]])
    inside = torch.arange(5) < lengths[:, None]
    made = speech_trunk._normalised(samples, inside, lengths)
    for row, length in enumerate(lengths.tolist()):
        own = samples[row, :length].numpy()
        np.testing.assert_allclose(made[row, :length], (own - own.mean()) / np.sqrt(own.var() + 1e-7), rtol=1e-5)
        assert not made[row, length:].any()
