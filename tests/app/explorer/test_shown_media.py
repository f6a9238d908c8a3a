"""Browsers get what they can play; parts and other formats are cut and converted, and the outline is the sound's."""

import io

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from affectspace.app.explorer import shown_media as module
from affectspace.app.explorer.shown_media import ShownMedia, waveform
from affectspace.errors import MediaError

RATE = 8000


@pytest.fixture
def tone(tmp_path):
    samples = np.linspace(-1, 1, 2 * RATE)
    for name, kind in (("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.aiff", "PCM_16"), ("a.ogg", "VORBIS")):
        soundfile.write(tmp_path / name, samples, RATE, subtype=kind)
    soundfile.write(tmp_path / "law.wav", samples, RATE, subtype="ULAW")
    return tmp_path


def media(paths, **columns):
    table = {"audio": [None if p is None else str(p) for p in paths], "image": [None] * len(paths)}
    return ShownMedia(pd.DataFrame({**table, **columns}))


def test_what_browsers_play_is_given_as_it_lies(tone):
    shown = media([tone / "a.wav", tone / "a.flac", tone / "a.ogg"])
    assert [shown.audio(row) for row in range(3)] == [
        (tone / "a.wav", "audio/wav"), (tone / "a.flac", "audio/flac"), (tone / "a.ogg", "audio/ogg"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a.aiff", "law.wav"])
def test_other_formats_are_converted(tone, name):
    shown = media([tone / name])  # whose files go with it
    path, kind = shown.audio(0)
    samples, rate = soundfile.read(path)
    assert (kind, rate, len(samples)) == ("audio/wav", RATE, 2 * RATE)
    assert np.abs(samples - np.linspace(-1, 1, 2 * RATE)).max() < 0.05


def test_a_part_is_what_is_heard(tone):
    shown = media([tone / "a.wav"], start=[0.5], end=[1.0])
    samples, _ = soundfile.read(shown.audio(0)[0])
    whole, _ = soundfile.read(tone / "a.wav")
    assert samples.tolist() == whole[RATE // 2 : RATE].tolist()
    assert shown.waveform(0)["seconds"] == 0.5
    assert shown.audio(0) == shown.audio(0)


def test_only_the_newest_conversions_are_kept(tone, monkeypatch):
    shown = media([tone / "a.aiff"] * 5)
    monkeypatch.setattr(module, "KEPT", 3 * shown.audio(0)[0].stat().st_size)
    paths = [shown.audio(row)[0] for row in range(5)]
    assert [path.is_file() for path in paths] == [False, False, True, True, True]
    assert shown.audio(0)[0].is_file()


def test_the_outline_holds_every_sample():
    samples = np.random.default_rng(0).uniform(-1, 1, 12_345)
    told = waveform(samples, RATE, bins=77)
    edges = np.linspace(0, len(samples), 78).astype(int)
    for low, high, start, end in zip(told["low"], told["high"], edges[:-1], edges[1:]):
        assert (low, high) == (round(100 * samples[start:end].min()), round(100 * samples[start:end].max()))


def test_a_short_sound_has_a_part_for_each_sample():
    assert waveform(np.array([0.5]), RATE) == {"seconds": 1 / RATE, "low": [50], "high": [50]}


def test_a_picture_is_its_box_and_never_too_large(tmp_path):
    Image.new("RGB", (3000, 1500), "red").save(tmp_path / "large.png")
    shown = ShownMedia(pd.DataFrame({"audio": [None] * 2, "image": [str(tmp_path / "large.png")] * 2,
                                     "box": [None, "10 20 40 30"]}))  # fmt: skip
    assert Image.open(io.BytesIO(shown.image(0))).size == (1024, 512)
    assert max(Image.open(io.BytesIO(shown.image(1))).size) <= 40


def test_an_item_without_media_says_so():
    with pytest.raises(MediaError, match="item 0 has no recording"):
        media([None]).audio(0)
    with pytest.raises(MediaError, match="item 0 has no picture"):
        media([None]).image(0)
