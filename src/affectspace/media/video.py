"""Video files to pictures: so many a second, upright, with the time at which each is shown."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from affectspace.errors import InputError, MediaError
from affectspace.extras import refuse_missing

__all__ = ["VideoFrame", "VideoInfo", "read_frames", "video_info"]

END_SLACK = 0.1  # seconds that a part may end behind its video, whose sound often runs a frame or two longer
LOST = 0.5  # seconds that may lack of what a header promises before a file counts as truncated
CLOCK = 0.001  # seconds: containers round times to milliseconds, and one video has the same frames in each
GUESSING = {"mpeg", "mpegts", "h264"}  # formats without an index, where FFmpeg guesses lengths and where to seek
LARGEST = 50_000_000  # pixels of a frame that is decoded at all; 8K has 33 million


class VideoFrame(NamedTuple):
    """A picture of a video.

    Args:
        seconds: from the beginning of the file: the time asked for, at which this picture is on the screen.
        pixels: uint8 ``(height, width, 3)``, RGB, as it is to be looked at (turned where the file says so).
    """

    seconds: float
    pixels: np.ndarray


class VideoInfo(NamedTuple):
    """What the header of a video says.

    Args:
        width, height: of the pictures as they are stored, before they are turned.
        seconds: when the last picture ends, from the beginning of the file; None: the header does not say.
    """

    width: int
    height: int
    seconds: float | None


def video_info(path: str | Path) -> VideoInfo:
    """Size and length of a video from its header, without decoding a picture.

    Raises:
        InputError: PyAV is not installed.
        MediaError: no such file, empty, or not video that can be read.

    Example:
        >>> video_info("clip.mp4")                                           # doctest: +SKIP
        VideoInfo(width=720, height=480, seconds=2.5)
    """
    refuse_missing("video", "reading video needs", "av")
    with _open(Path(path)) as (container, stream):
        return VideoInfo(stream.width, stream.height, _promised(container, stream))


def read_frames(
    path: str | Path,
    per_second: float = 3.0,
    start: float | None = None,
    end: float | None = None,
    max_frames: int = 1800,
) -> Iterator[VideoFrame]:
    """The pictures of a video, or of a part of it, at equal steps of time.

    At ``start``, ``start + 1 / per_second``, ... comes the picture that is on the screen then: the last one to have
    begun. So a rate of its own, or one that varies, changes neither the number of pictures nor their times, and a
    part holds what the whole holds there. Frames are decoded one after another, on one thread, and only the
    current one is in memory.

    A file that ends half a second or more before what its header promises is an error, not a shorter video. Streams
    without such a header (MPEG-TS) are read as far as they go.

    Args:
        path: the file, in any format of FFmpeg.
        per_second: pictures a second.
        start: seconds from the beginning; None: 0.
        end: seconds from the beginning, up to 0.1 s behind the end; None: to the end.
        max_frames: most pictures that are given at all.

    Yields:
        Frames in the order of their times.

    Raises:
        InputError: a rate that is not above 0, or PyAV is not installed.
        MediaError: (when the first frame is asked for, or the one that is damaged) no such file, empty, not video,
            truncated or corrupt, no frames, too many, or a part outside the file.

    Example:
        >>> for seconds, pixels in read_frames("clip.mp4", start=1.0, end=2.0):      # doctest: +SKIP
        ...     print(seconds, pixels.shape)
    """
    if not (per_second > 0 and math.isfinite(per_second)):
        raise InputError(f"per_second is {per_second:g}; give pictures a second, above 0")
    refuse_missing("video", "reading video needs", "av")
    return _frames(Path(path), per_second, start, end, max_frames)


def _frames(
    path: Path, per_second: float, start: float | None, end: float | None, max_frames: int
) -> Iterator[VideoFrame]:
    with _open(path) as (container, stream):
        whole = _promised(container, stream)
        begin, finish = _part(path, whole, start, end)
        length = min(finish, math.inf if whole is None else whole) - begin
        if math.isfinite(length) and (length - CLOCK) * per_second > max_frames:
            raise _too_many(path, per_second, max_frames)
        given, until = 0, 0.0
        for until, frame in _shown(path, container, stream, begin):
            while (now := begin + given / per_second) < min(until, finish) - CLOCK:
                if given == max_frames:
                    raise _too_many(path, per_second, max_frames)
                yield VideoFrame(now, _upright(frame))
                given += 1
            if until >= finish:
                break
        if whole is not None and min(finish, whole) - until >= LOST:
            raise MediaError(
                f"{path} is truncated: its header promises pictures to {whole:.3f} s and they end at {until:.3f} s; "
                "copy it anew"
            )
    if not given:
        raise MediaError(f"{path} has no picture from {begin:g} s on; it runs from 0 to {until:g} s")


@contextmanager
def _open(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its stream of pictures, about to be decoded on one thread."""
    import av
    from av.error import FFmpegError
    from av.stream import Disposition

    try:
        # The system's own words; and FFmpeg is given bytes, not a name that it could take for an address.
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise MediaError(f"there is no file {path}; check the path in the table") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be opened: {error.strerror}") from error
    with file:
        if file.seek(0, 2) == 0:
            raise MediaError(f"{path} is an empty file of 0 bytes; copy it anew")
        file.seek(0)
        try:  # a playlist could name other files, which no protocol is there to open
            container = av.open(file, options={"protocol_whitelist": "none"})
        except FFmpegError as error:
            raise MediaError(f"{path} is not video that can be read: {error.strerror}; convert it to MP4") from error
        with container:
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise MediaError(f"{path} holds no video; give a file with moving pictures")
            stream = streams[0]
            if stream.codec_context is None:
                raise MediaError(f"{path} holds video that FFmpeg cannot decode; convert it to MP4")
            if stream.width * stream.height > LARGEST:
                raise MediaError(
                    f"{path} has {stream.width} x {stream.height} pixels and at most {LARGEST} are read; scale it down"
                )
            stream.codec_context.thread_count = 1
            yield container, stream


def _promised(container: Any, stream: Any) -> float | None:
    """When the last picture ends by the header, in seconds from the beginning of the file; None: it says nothing."""
    if container.format.name in GUESSING:
        return None
    first = 0.0 if stream.start_time is None else float(stream.start_time * stream.time_base) - _origin(container)
    if stream.duration:
        return first + float(stream.duration * stream.time_base)
    if said := re.match(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):  # as Matroska has it
        hours, minutes, seconds = map(float, said.groups())
        return 3600 * hours + 60 * minutes + seconds - _origin(container)
    alone = container.duration and len(container.streams) == 1
    return container.duration / 1e6 if alone else None


def _origin(container: Any) -> float:
    """Where the file's own clock begins, in seconds: sound and pictures are measured from there."""
    return 0.0 if container.start_time is None else container.start_time / 1e6


def _part(path: Path, whole: float | None, start: float | None, end: float | None) -> tuple[float, float]:
    """First second and the one after the last; infinite: however long the pictures go on."""
    known = math.inf if whole is None else whole
    begin, finish = 0.0 if start is None else float(start), known if end is None else float(end)
    if not (0 <= begin < finish <= known + END_SLACK and begin < known and (end is None or math.isfinite(finish))):
        runs = "" if whole is None else f"; it runs from 0 to {whole:g} s"
        raise MediaError(f"{path} has no part from {begin:g} to {finish:g} s{runs}")
    return begin, math.inf if end is None else finish


def _shown(path: Path, container: Any, stream: Any, begin: float) -> Iterator[tuple[float, Any]]:
    """Each frame from ``begin`` on, and some before it, with the second at which another takes its place."""
    from av.error import FFmpegError

    origin = _origin(container)
    held, held_at, step = None, 0.0, float(1 / stream.average_rate) if stream.average_rate else 0.0
    try:
        for frame in _from(container, stream, begin):
            if frame.time is None:
                raise MediaError(f"{path} does not say when its pictures are shown; convert it to MP4")
            seconds = frame.time - origin
            if held is not None and seconds > held_at:
                yield seconds, held
                step = seconds - held_at
            if frame.is_corrupt:
                raise MediaError(f"{path} is truncated or corrupt: the picture at {seconds:.3f} s is; copy it anew")
            held, held_at = frame, seconds
    except FFmpegError as error:
        raise MediaError(f"{path} is truncated or corrupt: {error.strerror}; copy it anew") from error
    if held is None:
        raise MediaError(f"{path} holds no pictures; remove it or copy it anew")
    lasts = float(held.duration * held.time_base) if held.duration else step
    yield held_at + lasts, held


def _from(container: Any, stream: Any, begin: float) -> Iterator[Any]:
    """Decoded frames from the key frame before ``begin``, or from the first where seeking leads nowhere or too far."""
    from av.error import FFmpegError

    if begin > 0 and container.format.name not in GUESSING:
        with suppress(FFmpegError):
            container.seek(int((begin + _origin(container)) / stream.time_base), stream=stream)
        frames = container.decode(stream)
        first = next(frames, None)
        if first is not None and first.time is not None and first.time <= begin + _origin(container):
            yield first
            yield from frames
            return
        container.seek(stream.start_time or 0, stream=stream)
    yield from container.decode(stream)


def _upright(frame: Any) -> np.ndarray:
    """RGB pixels, turned by the quarters of a turn that the file asks for."""
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _too_many(path: Path, per_second: float, max_frames: int) -> MediaError:
    return MediaError(
        f"{path} has more than {max_frames} pictures at {per_second:g} a second; cut it, or give each item its start "
        "and end"
    )
