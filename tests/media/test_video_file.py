"""Pictures that are written come back, and twice the same pictures are the same bytes."""

import numpy as np
import pytest

from affectspace.media import read_frames, video_info, write_video

pytest.importorskip("av")


def pictures(count=5, size=(48, 64)):
    """A bright square that walks over a dark wall."""
    for number in range(count):
        pixels = np.full((*size, 3), 30, np.uint8)
        pixels[10:26, 6 * number : 6 * number + 16] = (220, 120, 60)
        yield pixels


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_pictures_come_back_in_order_in_colour_and_at_their_time(tmp_path, name):
    write_video(tmp_path / name, pictures(), per_second=6)
    frames = list(read_frames(tmp_path / name, per_second=6))
    assert [seconds for seconds, _ in frames] == pytest.approx([k / 6 for k in range(5)])
    for (_, read), written in zip(frames, pictures(), strict=True):
        assert np.abs(read.astype(int) - written).mean() < 4
    assert video_info(tmp_path / name)[:2] == (64, 48)
    assert video_info(tmp_path / name).seconds == pytest.approx(5 / 6, abs=0.002)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_same_pictures_are_the_same_bytes(tmp_path, ending):
    for name in "ab":
        write_video(tmp_path / f"{name}.{ending}", pictures(), per_second=6)
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("wrong", "rate", "message"),
    [
        ([], 6, "there is no picture"),
        ([np.zeros((48, 63, 3), np.uint8)], 6, r"uint8 \(48, 63, 3\); .* even sides"),
        ([np.zeros((48, 64, 3))], 6, r"float64 \(48, 64, 3\)"),
        ([np.zeros((48, 64), np.uint8)], 6, r"uint8 \(48, 64\)"),
        ([np.zeros((48, 64, 3), np.uint8), np.zeros((64, 48, 3), np.uint8)], 6, "all of one size"),
        ([np.zeros((48, 64, 3), np.uint8)], 0, "per_second is 0"),
    ],
)
def test_what_cannot_be_written(tmp_path, wrong, rate, message):
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "a.mp4", wrong, rate)
