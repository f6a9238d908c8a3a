"""Videos as people have them: other rates and clocks, turned, cut, empty, or no video at all."""

import struct
from fractions import Fraction

import numpy as np
import pytest

from affectspace.errors import InputError, MediaError
from affectspace.media import read_frames, write_audio

av = pytest.importorskip("av")


def film(path, levels, rate=30, times=None, codec="mpeg4", size=(64, 48), options=None, sound=0.0):
    """A video of plain grey pictures, or of the pictures themselves; ``times`` in seconds, for a rate that varies."""
    with av.open(str(path), "w", options=options or {}) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
        if codec == "mpeg4":
            stream.bit_rate, stream.codec_context.gop_size = 4_000_000, 12
        heard = out.add_stream("pcm_s16le", rate=8000) if sound else None
        if heard:
            tone = av.AudioFrame.from_ndarray(np.zeros((1, round(8000 * sound)), np.int16), "s16", "mono")
            tone.sample_rate, tone.pts = 8000, 0
            out.mux(heard.encode(tone))
        for number, level in enumerate(levels):
            pixels = level if isinstance(level, np.ndarray) else np.full((size[1], size[0], 3), level, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = round(times[number] * 1000) if times else number
            frame.time_base = stream.codec_context.time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if heard:
            out.mux(heard.encode(None))
    return path


def numbers(frames):
    """Which pictures these are, of a film whose picture k has the level 4 k."""
    return [round(float(pixels.mean()) / 4) for _, pixels in frames]


LEVELS = [4 * k for k in range(60)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov"])
def test_three_pictures_a_second_from_every_container(tmp_path, name):
    frames = list(read_frames(film(tmp_path / name, LEVELS)))
    assert [seconds for seconds, _ in frames] == pytest.approx([k / 3 for k in range(6)])
    assert numbers(frames) == [0, 10, 20, 30, 40, 50]
    assert {(pixels.shape, str(pixels.dtype)) for _, pixels in frames} == {((48, 64, 3), "uint8")}


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_a_file_is_read_the_same_twice_and_in_rgb(tmp_path, codec):
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0] = 200  # red
    film(tmp_path / "a.mp4", [pixels] * 20, codec=codec)
    once, again = (list(read_frames(tmp_path / "a.mp4")) for _ in range(2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(once, again, strict=True))
    red, green, blue = once[0].pixels.reshape(-1, 3).mean(axis=0)
    assert red > 180 > 30 > max(green, blue)


def test_pixels_of_a_lossless_video_come_back_to_the_bit(tmp_path):
    pictures = list(np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8))
    film(tmp_path / "a.mov", pictures, rate=3, codec="png")
    assert all(np.array_equal(a, b.pixels) for a, b in zip(pictures, read_frames(tmp_path / "a.mov"), strict=True))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_rate_that_varies(tmp_path, name):
    """Each picture is the last one to have begun by then."""
    times = [0.0, 0.1, 0.15, 0.9, 1.0, 1.7, 1.9]
    frames = list(read_frames(film(tmp_path / name, [4 * k for k in range(7)], times=times), per_second=8))
    for seconds, picture in zip([seconds for seconds, _ in frames], numbers(frames)):
        assert picture == max(k for k, began in enumerate(times) if began <= seconds + 0.001)
    assert len(frames) >= 16  # to 1.9 s, and as long as the last one lasts


def test_fewer_pictures_than_asked_for_are_repeated(tmp_path):
    frames = read_frames(film(tmp_path / "a.mp4", [0, 40, 80, 120], rate=2), per_second=4)
    assert numbers(frames) == [0, 0, 10, 10, 20, 20, 30, 30]


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize(("start", "end"), [(0.5, 1.5), (1.0, None), (None, 0.7), (1.27, 1.9), (1.9, 2.05)])
def test_a_part_holds_what_the_whole_holds_there(tmp_path, codec, start, end):
    film(tmp_path / "a.mp4", LEVELS, codec=codec)
    begin, finish = start or 0.0, min(end or 2.0, 2.0)
    frames = list(read_frames(tmp_path / "a.mp4", per_second=10, start=start, end=end))
    times = np.arange(begin, finish - 0.001, 0.1)
    assert [seconds for seconds, _ in frames] == pytest.approx(times.tolist())
    assert numbers(frames) == [int(seconds * 30 + 0.04) for seconds in times]


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "libx264"), ("a.mpg", "mpeg2video")])
@pytest.mark.parametrize(("start", "end"), [(None, None), (0.5, 1.5), (1.3, None)])
def test_streams_without_an_index(tmp_path, name, codec, start, end):
    """Their first picture begins a little after their clock."""
    frames = list(read_frames(film(tmp_path / name, LEVELS, codec=codec), per_second=10, start=start, end=end))
    wanted = [int(seconds * 30 + 0.04) for seconds in np.arange(start or 0, (end or 2.0) - 0.001, 0.1)]
    assert np.abs(np.array(numbers(frames)[: len(wanted)]) - wanted).max() <= 1
    assert len(wanted) <= len(frames) <= len(wanted) + 2


def test_time_runs_from_the_beginning_of_the_file_and_not_of_its_pictures(tmp_path):
    """Before the first picture there is none but the first."""
    times = [0.5 + k / 30 for k in range(30)]
    film(tmp_path / "a.mkv", LEVELS[:30], times=times, sound=1.5)
    frames = list(read_frames(tmp_path / "a.mkv", per_second=10, start=0.3, end=1.0))
    assert numbers(frames) == [0, 0, 0, 3, 6, 9, 12]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_telephone_held_sideways(tmp_path, quarters):
    """The matrix of the track says by how much a picture is turned before it is shown."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32] = 255  # the upper left is white
    film(tmp_path / "a.mp4", [pixels] * 10)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]  # clockwise
    one = 1 << 16
    content[at : at + 36] = struct.pack(">9i", cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    (tmp_path / "a.mp4").write_bytes(content)
    shown = next(read_frames(tmp_path / "a.mp4")).pixels
    wanted = np.rot90(pixels, -quarters)
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted).mean() < 8


def test_the_limit_on_pictures(tmp_path):
    film(tmp_path / "a.mp4", LEVELS)
    assert len(list(read_frames(tmp_path / "a.mp4", max_frames=6))) == 6
    with pytest.raises(MediaError, match=r"a\.mp4 has more than 5 pictures at 3 a second; cut it, or give each item"):
        next(read_frames(tmp_path / "a.mp4", max_frames=5))
    assert len(list(read_frames(tmp_path / "a.mp4", start=1.0, max_frames=3))) == 3


@pytest.mark.parametrize(
    ("start", "end"),
    [(-0.1, None), (2.0, None), (0.5, 0.5), (0.6, 0.5), (0.0, 2.2), (float("nan"), 0.5), (0.0, float("inf"))],
)
def test_parts_outside_the_file(tmp_path, start, end):
    film(tmp_path / "a.mp4", LEVELS)
    with pytest.raises(MediaError, match=r"has no part from .* to .* s; it runs from 0 to 2 s"):
        next(read_frames(tmp_path / "a.mp4", start=start, end=end))


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", None), ("a.mp4", {"movflags": "faststart"}), ("a.mkv", None), ("a.avi", None)]
)
def test_half_a_file_is_not_a_shorter_video(tmp_path, name, options):
    noise = list(np.random.default_rng(0).integers(0, 256, (90, 48, 64, 3), dtype=np.uint8))
    path = film(tmp_path / name, noise, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"is truncated|is not video that can be read"):
        list(read_frames(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.mp4 is an empty file of 0 bytes; copy it anew"),
        (b"These are words, not pictures.\n" * 50, "is not video that can be read: .*; convert it to MP4"),
        (b"\x00\x00\x00\x18ftypmp42", "is not video that can be read"),
    ],
)
def test_what_is_no_video(tmp_path, content, message):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(MediaError, match=message):
        next(read_frames(tmp_path / "a.mp4"))


def test_missing_files_folders_and_sound_alone(tmp_path):
    with pytest.raises(MediaError, match=r"there is no file .*b\.mp4; check the path in the table"):
        next(read_frames(tmp_path / "b.mp4"))
    with pytest.raises(MediaError, match="cannot be opened: Is a directory"):
        next(read_frames(tmp_path))
    write_audio(tmp_path / "a.wav", np.zeros(8000), 16000)
    with pytest.raises(MediaError, match=r"a\.wav holds no video; give a file with moving pictures"):
        next(read_frames(tmp_path / "a.wav"))


@pytest.mark.parametrize("name", ["a.m3u8", "a.txt"])
def test_a_list_of_other_files_opens_none_of_them(tmp_path, name):
    film(tmp_path / "secret.mp4", LEVELS[:10])
    (tmp_path / "a.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{tmp_path}/secret.mp4\n#EXT-X-ENDLIST\n"
    )
    (tmp_path / "a.txt").write_text(f"ffconcat version 1.0\nfile {tmp_path}/secret.mp4\n")
    with pytest.raises(MediaError):
        next(read_frames(tmp_path / name))


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_above_0(tmp_path, rate):
    with pytest.raises(InputError, match=r"per_second is .*; give pictures a second, above 0"):
        read_frames(tmp_path / "a.mp4", per_second=rate)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'PyAV, not installed; pip install "affectspace\[video\]"'):
        read_frames(tmp_path / "a.mp4")
