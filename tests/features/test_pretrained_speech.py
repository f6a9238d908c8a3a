"""Hidden states of speech models as features: cached as they are made, of clips of any length."""

import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from affectspace.encoders import SpeechTrunk, open_speech_source
from affectspace.errors import InputError, MediaError
from affectspace.features import FeatureStore, PretrainedSpeech, extract, pretrained_speech
from affectspace.media import write_audio

KINDS = ("wav2vec2 group", "wav2vec2 layer", "hubert layer", "wavlm group", "wavlm layer", "whisper")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Recordings by name, of several lengths; one is silent, one is shorter than any frame."""
    folder, rng = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for name, samples in {"a": 3000, "b": 900, "c": 3000, "d": 20000, "e": 9001, "short": 100}.items():
        write_audio(folder / f"{name}.flac", 0.1 * rng.normal(size=samples), 16000)
    write_audio(folder / "silent.flac", np.zeros(3000), 16000)
    return folder


def media(clips, names):
    return pd.DataFrame({"id": [*names], "path": [clips / f"{name}.flac" for name in names]})


@pytest.mark.parametrize("pool", ["mean", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_store_holds_what_clips_give_alone(lay_speech_model, clips, tmp_path, monkeypatch, kind, pool):
    monkeypatch.setattr(extract, "BLOCK", 7000)  # so that there are several
    frontend = PretrainedSpeech(lay_speech_model(kind), pool=pool)
    features = FeatureStore(tmp_path).extract(media(clips, "abcde"), frontend)
    assert features.dimensions == frontend.dimensions == (32 if pool == "mean" else 128)
    source = open_speech_source(lay_speech_model(kind))
    for name in "abcde":
        alone = frontend(clips / f"{name}.flac")
        assert alone.dtype == np.float32
        np.testing.assert_allclose(features[name], alone, atol=1e-5)
        assert len(alone) == (4 if pool == "mean" else source.frames(len(frontend.read(clips / f"{name}.flac"))))
    again = FeatureStore(tmp_path).extract(media(clips, "abcde"), frontend)
    assert np.array_equal(again.values, features.values)


def test_they_are_the_states_of_the_model(lay_speech_model, clips):
    folder = lay_speech_model("wavlm layer")
    frontend = PretrainedSpeech(folder, layers=(3, 1), pool="none")
    samples = frontend.read(clips / "a.flac")
    with torch.no_grad():
        states, _ = SpeechTrunk(open_speech_source(folder))(torch.from_numpy(samples)[None], torch.tensor([3000]))
    by_hand = states[0].numpy()  # (frames, layers, width)
    np.testing.assert_allclose(frontend.compute(samples), np.hstack([by_hand[:, 3], by_hand[:, 1]]), atol=1e-5)
    means = PretrainedSpeech(folder, layers=(3, 1)).compute(samples)
    np.testing.assert_allclose(means, np.stack([by_hand[:, 3].mean(0), by_hand[:, 1].mean(0)]), atol=1e-5)


def test_a_part_of_a_recording_is_heard_alone(lay_speech_model, clips, tmp_path):
    frontend = PretrainedSpeech(lay_speech_model("hubert group"))
    part = media(clips, "d").assign(start=0.25, end=0.5)
    features = FeatureStore(tmp_path).extract(part, frontend)
    whole = frontend.read(clips / "d.flac")
    np.testing.assert_allclose(features["d"], frontend.compute(whole[4000:8000]), atol=1e-5)


def test_clips_that_no_frame_is_made_of_are_set_aside(lay_speech_model, clips, tmp_path, monkeypatch):
    folder = lay_speech_model("wavlm group")
    frontend = PretrainedSpeech(folder)
    names = ["short", "a", "silent", "b", "nowhere"]
    features = FeatureStore(tmp_path).extract(media(clips, names), frontend, max_bad_share=0.7)
    assert [*features.ids] == ["a", "b"]
    reasons = dict(zip(features.quarantine["id"], features.quarantine["reason"]))
    assert reasons["short"] == "0.0063 s of sound are too short: the model needs 0.0103 s; leave it out"
    assert "is silent" in reasons["silent"]
    assert [*reasons] == ["short", "silent", "nowhere"]
    with pytest.raises(InputError, match=r"none of 2 items can be used: short: 0\.0063 s of sound"):
        FeatureStore(tmp_path).extract(media(clips, ["short", "silent"]), frontend, max_bad_share=1.0)
    with pytest.raises(MediaError, match=r"0\.0063 s of sound are too short"):
        frontend.compute(np.ones(100))
    assert pretrained_speech.LONGEST["wavlm"] == 120
    monkeypatch.setitem(pretrained_speech.LONGEST, "wavlm", 0.5)
    with pytest.raises(
        MediaError,
        match=r"1\.2 s of sound are too long: the model is given 0\.5 s at most; divide it into parts, in a corpus",
    ):
        frontend(clips / "d.flac")


def test_only_whisper_hears_any_length(lay_speech_model, clips, monkeypatch):
    monkeypatch.setattr(pretrained_speech, "LONGEST_ELSEWHERE", 1.0)
    with pytest.raises(MediaError, match=r"1\.2 s of sound are too long: the model is given 1 s at most"):
        PretrainedSpeech(lay_speech_model("hubert group"))(clips / "d.flac")
    assert PretrainedSpeech(lay_speech_model("whisper"))(clips / "d.flac").shape == (4, 32)


def test_hashes_are_those_of_what_is_heard(lay_speech_model, clips, tmp_path):
    shutil.copy(clips / "a.flac", tmp_path / "again.flac")
    both = pd.DataFrame({"id": ["a", "again"], "path": [clips / "a.flac", tmp_path / "again.flac"]})
    features = FeatureStore(tmp_path / "store").extract(both, PretrainedSpeech(lay_speech_model("whisper")))
    assert features.audio_sha[0] == features.audio_sha[1]


def test_the_fingerprint_follows_the_content_and_not_the_place(lay_speech_model, tmp_path):
    folder = lay_speech_model("wav2vec2 layer")
    first = PretrainedSpeech(folder)
    assert str(folder) not in first.fingerprint
    same = PretrainedSpeech(shutil.copytree(folder, tmp_path / "same"))
    assert same.fingerprint == first.fingerprint == PretrainedSpeech(folder, layers=(0, 1, 2, 3)).fingerprint
    others = [
        PretrainedSpeech(folder, layers=(1, 0)), PretrainedSpeech(folder, layers=(0, 1)),
        PretrainedSpeech(folder, pool="none"), PretrainedSpeech(lay_speech_model("hubert layer")),
    ]  # fmt: skip
    assert len({first.fingerprint, *(each.fingerprint for each in others)}) == 5
    sent = pickle.dumps(first)
    assert len(sent) < 1000
    assert pickle.loads(sent).fingerprint == first.fingerprint


def test_a_model_that_is_saved_in_place_of_another_is_opened(lay_speech_model, clips, tmp_path):
    own = shutil.copytree(lay_speech_model("wav2vec2 layer"), tmp_path / "own")
    before = PretrainedSpeech(own)
    told, made = before.fingerprint, before(clips / "a.flac")
    shutil.rmtree(own)
    shutil.copytree(lay_speech_model("hubert layer"), own)
    after = PretrainedSpeech(own)
    assert after.fingerprint != told
    assert not np.allclose(after(clips / "a.flac"), made, atol=1e-3)


def test_settings_that_cannot_be(lay_speech_model):
    with pytest.raises(InputError, match='pool is \'max\'; legal: "mean", "none"'):
        PretrainedSpeech(lay_speech_model("whisper"), pool="max")
    with pytest.raises(InputError, match=r"layers is \[4\], and .*whisper has the hidden states 0 to 3"):
        PretrainedSpeech(lay_speech_model("whisper"), layers=(4,))


def test_a_model_is_opened_only_when_something_is_made(lay_speech_model, clips, tmp_path, monkeypatch):
    frontend = PretrainedSpeech(lay_speech_model("unispeech layer"))
    FeatureStore(tmp_path).extract(media(clips, "ab"), frontend)

    def opened(*_):
        raise AssertionError("everything is in the store")

    monkeypatch.setattr(pretrained_speech, "_opened", opened)
    assert len(FeatureStore(tmp_path).extract(media(clips, "ab"), frontend)) == 2
    assert frontend.compute_many([]) == []
