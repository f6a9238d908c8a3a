"""What is known of a speech model by its settings, and which models are none."""

import json
import shutil

import pytest

from affectspace.encoders import open_speech_source
from affectspace.errors import InputError


@pytest.fixture
def folder(lay_speech_model, tmp_path):
    """``folder("hubert layer", sampling_rate=8000)``: a model of one's own, its preprocessor_config.json changed."""

    def copied(kind, **settings):
        own = shutil.copytree(lay_speech_model(kind), tmp_path / "own")
        path = own / "preprocessor_config.json"
        told = json.loads(path.read_text()) | settings
        path.write_text(json.dumps({key: value for key, value in told.items() if value is not None}))
        return own

    return copied


@pytest.mark.parametrize(
    ("kind", "masks"),
    [
        ("wav2vec2 group", False), ("wav2vec2 layer", True), ("hubert group", False), ("hubert layer", True),
        ("wavlm group", False), ("wavlm layer", True), ("unispeech-sat layer", True), ("data2vec-audio", False),
    ],
)  # fmt: skip
def test_those_built_as_wav2vec(lay_speech_model, kind, masks):
    source = open_speech_source(lay_speech_model(kind))
    assert (source.family, source.blocks, source.width) == (kind.split()[0], 3, 32)
    assert source.masks == masks
    assert source.window is None
    # frames of convolutions 10/5, 8/8 and 4/4 on one another, counted by hand
    assert source.shortest == 165
    assert [source.frames(samples) for samples in (165, 324, 325, 1000)] == [1, 1, 2, 6]


def test_a_normalisation_over_the_batch_takes_padding_for_sound(lay_speech_model):
    source = open_speech_source(lay_speech_model("hubert layer"))
    source.config.conv_pos_batch_norm = True
    assert not source.masks


def test_convolutions_of_published_models_need_25_ms(lay_speech_model):
    from transformers import Wav2Vec2Config

    source = open_speech_source(lay_speech_model("wav2vec2 group"))
    own = Wav2Vec2Config()  # 10, 3, 3, 3, 3, 2, 2 samples, every 5, 2, 2, 2, 2, 2, 2
    source.config.conv_kernel, source.config.conv_stride = own.conv_kernel, own.conv_stride
    assert (source.shortest, source.frames(16000)) == (400, 49)


def test_whisper_hears_windows(lay_speech_model):
    source = open_speech_source(lay_speech_model("whisper"))
    assert (source.family, source.blocks, source.width, source.window, source.shortest) == (
        "whisper", 3, 32, 16000, 400,
    )  # fmt: skip
    assert [source.frames(samples) for samples in (400, 640, 641, 16000)] == [2, 2, 3, 50]


def test_layers_are_named_once_and_by_numbers_that_there_are(lay_speech_model):
    source = open_speech_source(lay_speech_model("hubert layer"))
    assert source.chosen(None) == (0, 1, 2, 3)
    assert source.chosen([3, 1]) == (3, 1)
    for layers, told in (([4], r"\[4\]"), ([-1], r"\[-1\]"), ([1, 1], r"\[1, 1\]"), ([], "an empty list")):
        with pytest.raises(InputError, match=f"layers is {told}, and .* has the hidden states 0 to 3; name one"):
            source.chosen(layers)


def test_the_hash_is_that_of_what_decides_the_answers(folder, tmp_path):
    own = folder("wavlm layer")
    source = open_speech_source(own)
    before = source.sha256
    assert [file.name for file in source.files] == ["config.json", "model.safetensors", "preprocessor_config.json"]
    (own / "README.md").write_text("for people")
    moved = shutil.move(own, tmp_path / "moved")
    assert open_speech_source(moved).sha256 == before
    settings = moved / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace("true", "false", 1))
    assert open_speech_source(moved).sha256 != before


def test_models_of_something_else(tmp_path):
    import transformers

    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, image_size=8, patch_size=4
    )
    transformers.ViTModel(config).save_pretrained(tmp_path / "sees")
    legal = "data2vec-audio, hubert, unispeech, unispeech-sat, wav2vec2, wavlm, whisper"
    with pytest.raises(InputError, match=f"sees is a model of the kind 'vit', which hears no speech; legal: {legal}"):
        open_speech_source(tmp_path / "sees")
    (tmp_path / "sees/config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="is a model of the kind 'bert', which hears no speech"):
        open_speech_source(tmp_path / "sees")
    (tmp_path / "sees/config.json").unlink()
    with pytest.raises(InputError, match=r"sees has no config\.json; give a folder that save_pretrained wrote"):
        open_speech_source(tmp_path / "sees")


def test_folders_without_what_is_needed(folder, tmp_path):
    own = folder("wav2vec2 group")
    (own / "preprocessor_config.json").rename(own / "other.json")
    with pytest.raises(InputError, match=r"own has no preprocessor_config\.json; save the model's own feature extra"):
        open_speech_source(own)
    (own / "preprocessor_config.json").write_text("{")
    with pytest.raises(InputError, match=r"preprocessor_config\.json is not JSON: "):
        open_speech_source(own)
    (own / "preprocessor_config.json").write_text("[]")
    with pytest.raises(InputError, match="holds list, not a table of settings"):
        open_speech_source(own)
    (own / "model.safetensors").rename(own / "pytorch_model.bin")
    with pytest.raises(InputError, match="has no safetensors, and other formats of weights may run code"):
        open_speech_source(own)
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; give one with a saved model"):
        open_speech_source(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("wavlm layer", {"sampling_rate": 8000}, "own hears sound at 8000 Hz, and sound is read at 16000 Hz; give a"),
        ("wavlm layer", {"sampling_rate": None}, "own does not say at how many Hz its model hears, and sound is read"),
        ("whisper", {"n_fft": None}, "own has no n_fft, by which sound is prepared for Whisper; save the model's own"),
        ("whisper", {"chunk_length": 30}, "makes 3000 frames of 20 bands, and the model reads 100 of 20; save the"),
        ("whisper", {"feature_size": 80}, "makes 100 frames of 80 bands, and the model reads 100 of 20; save the"),
    ],
)
def test_settings_that_do_not_fit(folder, kind, settings, message):
    with pytest.raises(InputError, match=message):
        open_speech_source(folder(kind, **settings))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache of a hub that is not reached."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def publish(cache, folder, commit):
    shutil.copytree(folder, cache / "models--nobody--hears/snapshots" / commit)
    (cache / "models--nobody--hears/refs").mkdir(exist_ok=True)
    (cache / "models--nobody--hears/refs/main").write_text(commit)


def test_one_on_the_hub_is_opened_at_a_commit(lay_speech_model, cache):
    own = lay_speech_model("hubert layer")
    publish(cache, own, "a" * 40)
    publish(cache, lay_speech_model("hubert group"), "b" * 40)
    newest, first = open_speech_source("nobody/hears"), open_speech_source("nobody/hears", "a" * 40)
    assert (newest.revision, first.revision) == ("b" * 40, "a" * 40)
    assert (newest.masks, first.masks) == (False, True)
    assert first.sha256 == open_speech_source(own).sha256 != newest.sha256
    assert {file.parent.name for file in first.files} == {"a" * 40}


def test_without_a_network_the_remedy_is_a_folder(cache):
    with pytest.raises(InputError) as caught:
        open_speech_source("nobody/hears")
    told = str(caught.value)
    assert told.startswith("nobody/hears is no folder, and as a name on the hub it cannot be opened: We couldn't conn")
    assert told.endswith("; without a network give a folder that save_pretrained wrote")
    assert "\n" not in told


def test_one_on_the_hub_without_safetensors_is_refused(lay_speech_model, cache):
    publish(cache, lay_speech_model("hubert layer"), "a" * 40)
    weights = cache / "models--nobody--hears/snapshots" / ("a" * 40) / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(InputError, match="nobody/hears of the hub has no safetensors, and other formats of weights"):
        open_speech_source("nobody/hears")


def test_without_transformers_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'not installed; pip install "affectspace\[pretrained\]"'):
        open_speech_source(tmp_path)
