"""A face through a video as a sequence of vectors."""

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError, MediaError
from affectspace.features import FaceSequence, FeatureStore, PixelVectors, face_sequence, track_face
from affectspace.features.face import Face
from affectspace.media import crop_box, pixels_sha256, read_frames

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


class SeesAll:
    """A finder to which all of a picture that is not black is the face."""

    fingerprint = "all/1"

    def __call__(self, pixels):
        return [Face(0, 0, pixels.shape[1], pixels.shape[0], 1.0)] if pixels.max() > 40 else []


def two_people(path, *levels):
    """As :func:`film`, of two grey levels side by side."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=3)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 48, "yuv420p", 2_000_000
        for halves in levels:
            row = np.repeat(np.uint8(halves), 48)
            pixels = np.broadcast_to(row[None, :, None], (48, 96, 3))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        out.mux(stream.encode(None))
    return path


def test_of_a_film_of_two_the_box_tells_whose_face_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(face_sequence, "named_finder", lambda name: SeesAll())
    path = two_people(tmp_path / "a.mp4", (60, 200), (60, 0), (90, 220))
    frontend = FaceSequence(Levels())
    left, right = (frontend(path, None, None, f"{edge} 8 32 32") for edge in (8, 56))
    assert left[:, 0] == pytest.approx([60, 60, 90], abs=4)
    assert right[:, 0] == pytest.approx([200, 200, 220], abs=4)
    track = frontend.track(path, box="56 8 32 32")
    assert track.found.tolist() == [True, False, True]  # though the other is seen in all frames
    cut = [(seconds, crop_box(pixels, "56 8 32 32")) for seconds, pixels in read_frames(path, 3.0)]
    assert np.array_equal(track.crops, track_face(cut, SeesAll(), 64).crops)
    assert np.array_equal(frontend.read(path, 1 / 3, 1.0, "0 0 96 48"), frontend.read(path, 1 / 3, 1.0))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("48 0 48", "box is '48 0 48'; give left, top, width and height in pixels"),
        ("96 0 48 48", "box '96 0 48 48' lies outside a picture of 96 x 48 pixels"),
        ("48 0 48 48", r"no face found in any of the 2 frames of box '48 0 48 48' of .*a\.mp4; leave the item out"),
    ],
)
def test_a_box_that_shows_nobody_is_named(tmp_path, box, message):
    path = two_people(tmp_path / "a.mp4", (99, 0), (99, 0))
    with pytest.raises(MediaError, match=message):
        FaceSequence(Levels())(path, box=box)


def test_the_store_tells_the_boxes_of_one_film_apart(tmp_path):
    path = str(two_people(tmp_path / "a.mp4", (60, 200), (60, 200)))
    media = pd.DataFrame({"id": list("abc"), "path": path, "box": ["0 0 48 48", "48 0 48 48", None]})
    store, frontend = FeatureStore(tmp_path / "store"), FaceSequence(Levels())
    features = store.extract(media, frontend)
    assert [round(float(features[item][0, 0]), -1) for item in "ab"] == [60, 200]
    assert np.array_equal(features["c"], frontend(path))
    assert features.audio_sha[0] == features.audio_sha[2] != features.audio_sha[1]  # of the whole it is on the left
    swapped = store.extract(media.assign(box=["48 0 48 48", "0 0 48 48", None]), frontend)
    assert swapped.audio_sha.tolist() == features.audio_sha[[1, 0, 2]].tolist()


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
