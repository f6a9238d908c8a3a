"""Pictures to small video files, the same bytes each time."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from affectspace.extras import refuse_missing

__all__ = ["write_video"]

QUALITY = 4  # quantiser of MPEG-4 part 2, from 2 (best) to 31; 4 shows no blocks


def write_video(path: str | Path, pictures: Iterable[np.ndarray], per_second: int) -> None:
    """Write pictures as MPEG-4 video without sound, in the container that the path's ending names.

    One thread encodes and nothing of the time or the machine is written, so that equal pictures are equal bytes, with
    one version of PyAV.

    Args:
        path: to write; such as ``clip.mp4`` or ``clip.mkv``.
        pictures: each uint8 ``(height, width, 3)``, RGB, all of one size with even sides.
        per_second: pictures a second, at least 1.

    Raises:
        InputError: PyAV is not installed.
        ValueError: no picture, one of another shape or type, an odd side, or a rate below 1.

    Example:
        >>> import tempfile
        >>> from affectspace.media import read_frames
        >>> clip = Path(tempfile.mkdtemp(), "clip.mp4")
        >>> write_video(clip, [np.full((32, 48, 3), level, np.uint8) for level in (40, 200)], per_second=2)
        >>> [(seconds, pixels.shape) for seconds, pixels in read_frames(clip, per_second=2)]
        [(0.0, (32, 48, 3)), (0.5, (32, 48, 3))]
    """
    refuse_missing("video", "writing video needs", "av")
    if per_second < 1:
        raise ValueError(f"per_second is {per_second}; give pictures a second, at least 1")
    import av
    from av.codec.context import Flags

    pictures = iter(pictures)
    first = next(pictures, None)
    if first is None:
        raise ValueError("there is no picture to write; give one at least")
    _checked(first, first)
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("mpeg4", rate=per_second)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, per_second)
        context.thread_count = 1
        context.qmin = context.qmax = QUALITY
        context.flags |= Flags.bitexact
        for number, picture in enumerate((first, *pictures)):
            frame = av.VideoFrame.from_ndarray(_checked(picture, first), format="rgb24")
            frame.pts, frame.time_base = number, context.time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _checked(picture: np.ndarray, first: np.ndarray) -> np.ndarray:
    """A picture, contiguous in memory."""
    fits = picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3 and picture.shape == first.shape
    if not fits or picture.shape[0] % 2 or picture.shape[1] % 2:
        raise ValueError(
            f"a picture is {picture.dtype} {picture.shape}; pictures are uint8 (height, width, 3) with even sides, "
            "all of one size"
        )
    return np.ascontiguousarray(picture)
