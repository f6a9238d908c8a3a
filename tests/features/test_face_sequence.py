"""A face through a video as a sequence of vectors."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError, MediaError
from affectspace.features import FaceSequence, FeatureStore, PixelVectors, face_sequence, track_face
from affectspace.features.face import Face
from affectspace.media import pixels_sha256, read_frames

av = pytest.importorskip("av")


class SeesTheBright:
    """A finder that finds a face in frames that are not black."""

    fingerprint = "bright/1"

    def __call__(self, pixels):
        return [Face(8, 8, 30, 30, 1.0)] if pixels.max() > 40 else []


class Levels:
    """The mean grey level of a crop, and its number of channels."""

    fingerprint, dimensions = "levels/1", 2

    def __call__(self, crops):
        assert crops.dtype == np.uint8
        means = crops.reshape(len(crops), -1).mean(axis=1)
        return np.stack([means, np.full(len(crops), crops.shape[3])], 1).astype(np.float32)


@pytest.fixture(autouse=True)
def finder(monkeypatch):
    monkeypatch.setattr(face_sequence, "named_finder", lambda name: SeesTheBright())


def film(path, *levels):
    """Three pictures a second, each of one grey level."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=3)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 48, 48, "yuv420p", 2_000_000
        for level in levels:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 48, 3), level, np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def test_lost_faces_are_carried_over_and_counted(tmp_path):
    path = film(tmp_path / "a.mp4", 0, 100, 0, 200, 0, 0)
    frontend = FaceSequence(Levels())
    made = frontend(path)
    assert made.dtype == np.float32
    assert made[:, 0] == pytest.approx([100, 100, 100, 200, 200, 200], abs=4)
    assert made[:, 1].tolist() == [1] * 6
    assert frontend.track(path).misses == 4
    assert FaceSequence(Levels(), colour="rgb")(path)[:, 1].tolist() == [3] * 6


def test_equal_to_its_steps_one_by_one(tmp_path):
    path = film(tmp_path / "a.mp4", 60, 90, 120, 150, 180, 210)
    track = track_face(list(read_frames(path, 3.0))[:4], SeesTheBright(), 64)
    frontend = FaceSequence(PixelVectors(16), frames=4)
    assert np.array_equal(frontend.read(path), track.crops)
    assert np.array_equal(frontend(path), PixelVectors(16)(track.crops))
    assert frontend(path).shape == (4, frontend.dimensions) == (4, 256)
    assert frontend.sha256(track.crops) == pixels_sha256(track.crops)


def test_a_part_of_a_video(tmp_path):
    path = film(tmp_path / "a.mp4", 60, 90, 120, 150, 180, 210)
    made = FaceSequence(Levels())(path, start=2 / 3, end=5 / 3)
    assert made[:, 0] == pytest.approx([120, 150, 180], abs=4)


def test_of_a_long_video_only_the_beginning_is_looked_at(tmp_path):
    path = film(tmp_path / "a.mp4", *[99] * 9)
    with pytest.raises(MediaError, match="has more than 1800 pictures"):
        next(read_frames(path, 1000))
    assert FaceSequence(Levels(), frames=5, per_second=1000)(path).shape == (5, 2)
    film(tmp_path / "late.mp4", 0, 0, 0, 99)
    with pytest.raises(MediaError, match=r"no face found in any of the 3 frames of .*late\.mp4; leave the item out"):
        FaceSequence(Levels(), frames=3)(tmp_path / "late.mp4")


def test_the_store_keeps_ragged_sequences_and_sets_aside_what_has_none(tmp_path):
    film(tmp_path / "a.mp4", 60, 90)
    film(tmp_path / "b.mp4", 0, 0)
    media = pd.DataFrame({"id": list("abcd"), "path": [str(tmp_path / f"{name}.mp4") for name in "abca"]})
    media = media.assign(start=[None, None, None, 0.0], end=[None, None, None, 0.4])
    features = FeatureStore(tmp_path / "store").extract(media, FaceSequence(Levels()), max_bad_share=0.5)
    assert features.ids.tolist() == ["a", "d"]
    assert features.lengths.tolist() == [2, 2]
    assert features.quarantine["id"].tolist() == ["b", "c"]
    assert "no face found in any of the 2 frames" in features.quarantine["reason"][0]
    assert "there is no file" in features.quarantine["reason"][1]


def test_the_fingerprint_tells_everything():
    told = FaceSequence(PixelVectors(16), per_second=3).fingerprint
    for part in ("frames=18", "per_second=3.0", "side=64", "colour=grey", "finder=[bright/1]", "encoder=[pixels/1"):
        assert part in told
    assert told == FaceSequence(PixelVectors(16)).fingerprint != FaceSequence(PixelVectors(8)).fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "frames is 0; give how many frames are looked at, at least 1"),
        ({"per_second": 0}, "per_second is 0; give pictures a second, above 0"),
        ({"side": 7}, "side is 7; a crop of a face has at least 8 pixels a side"),
        ({"colour": "bgr"}, "colour is 'bgr'; legal: grey, rgb"),
    ],
)
def test_errors_say_value_and_remedy(settings, message):
    with pytest.raises(InputError, match=message):
        FaceSequence(PixelVectors(), **settings)


def test_without_pyav_the_remedy_is_named(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'not installed; pip install "affectspace\[video\]"'):
        FaceSequence(PixelVectors())
