"""A face that is lost for a while is borrowed, and counted."""

import numpy as np
import pytest

from affectspace.errors import MediaError
from affectspace.features.crops import crop_face, in_colour
from affectspace.features.face import Face
from affectspace.features.face_finder import CascadeFinder
from affectspace.features.face_track import track_face
from affectspace.media import VideoFrame, read_frames

HERE = Face(10, 10, 30, 30, 1.0)


class SeesTheBright:
    """A finder that finds a face in frames that are not black."""

    fingerprint = "bright/1"

    def __call__(self, pixels):
        return [HERE] if pixels.any() else []


def film(*levels):
    return [VideoFrame(k / 3, np.full((60, 60, 3), level, np.uint8)) for k, level in enumerate(levels)]


@pytest.mark.parametrize(
    ("levels", "crops"),
    [
        ((10, 20, 30), (10, 20, 30)),
        ((10, 0, 0, 40), (10, 10, 10, 40)),
        ((0, 0, 30, 0), (30, 30, 30, 30)),
        ((0, 20), (20, 20)),
    ],
)
def test_lost_faces_are_the_last_one_and_before_the_first_the_first(levels, crops):
    track = track_face(film(*levels), SeesTheBright(), side=16)
    assert track.crops.shape == (len(levels), 16, 16, 1)
    assert track.crops[:, 0, 0, 0].tolist() == list(crops)
    assert track.misses == levels.count(0)
    assert track.found.tolist() == [level > 0 for level in levels]
    assert track.seconds == pytest.approx([k / 3 for k in range(len(levels))])


def test_crops_are_those_of_each_frame():
    frames = [VideoFrame(k, np.random.default_rng(k).integers(1, 256, (60, 60, 3), np.uint8)) for k in range(3)]
    track = track_face(iter(frames), SeesTheBright(), side=20, colour="grey")
    for frame, crop in zip(frames, track.crops, strict=True):
        assert np.array_equal(crop, in_colour(crop_face(frame.pixels, HERE, 20), "grey"))
    assert track_face(frames, SeesTheBright(), colour="rgb").crops.shape == (3, 48, 48, 3)


def test_a_face_that_leaves_a_video_and_comes_back(tmp_path):
    av = pytest.importorskip("av")
    data = pytest.importorskip("skimage.data")
    photograph, cup = data.astronaut()[:240, 64:384], data.coffee()[:240, :320]
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=3)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 4_000_000
        for pixels in (cup, photograph, cup, cup, photograph):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        out.mux(stream.encode(None))
    track = track_face(read_frames(tmp_path / "a.mp4"), CascadeFinder(), side=48)
    assert track.found.tolist() == [False, True, False, False, True]
    assert track.misses == 3
    assert all(np.array_equal(track.crops[k], track.crops[1]) for k in (0, 2, 3))
    (face,) = CascadeFinder()(photograph)
    still = in_colour(crop_face(photograph, face, 48), "grey")
    assert np.abs(track.crops[1].astype(int) - still).mean() < 12


def test_no_face_at_all_and_no_frame():
    with pytest.raises(MediaError, match=r"no face found in any of the 2 frames of a\.mp4; leave the item out"):
        track_face(film(0, 0), SeesTheBright(), where="a.mp4")
    with pytest.raises(MediaError, match="the video has no frames"):
        track_face([], SeesTheBright())
