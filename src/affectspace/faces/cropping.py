"""One picture or video to the crops of its faces, as files."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from affectspace.errors import InputError, MediaError
from affectspace.faces.sources import FaceSource
from affectspace.features import Face, FaceFinder, crop_face, follow_faces, named_finder
from affectspace.files import atomic_directory, atomic_path
from affectspace.media import crop_box, pixels_sha256, read_box, read_frames, read_image

__all__ = ["Cropped", "Cropping", "crop_source"]

PER_SECOND = 3.0
MOST_FRAMES = 36_000  # of a video: more than three hours


@dataclass(frozen=True)
class Cropping:
    """How faces are found and cropped.

    Args:
        find: ``"largest"`` or ``"all"`` faces of a picture, or of a frame.
        finder: ``"cascade"``, or the path of a YuNet file; see :func:`~affectspace.features.named_finder`.
        side: of the square crops, in pixels, at least 8.

    Raises:
        InputError: a setting outside its range, or a finder whose package is not installed.
    """

    find: str = "largest"
    finder: str = "cascade"
    side: int = 128

    def __post_init__(self):
        if not 8 <= self.side <= 4096:
            raise InputError(f"side is {self.side}; legal: 8 to 4096 pixels")
        _ = self.found_by

    @cached_property
    def found_by(self) -> FaceFinder:
        """What finds the faces."""
        return named_finder(self.finder, self.find)

    @property
    def told(self) -> dict[str, Any]:
        """What decides on the crops: other values give others."""
        return {"faces": self.find, "finder": self.found_by.fingerprint, "side": self.side, "per_second": PER_SECOND}


class Cropped(NamedTuple):
    """What has become of a source.

    Args:
        rows: one a crop: id, image (its file below the folder), source_time in seconds of a video or None, source_box
            ("left top width height" in pixels of the upright picture or frame) and carried: whether the frame has no
            face of its own and shows another frame's.
        reason: why there is none, else empty.
        lasting: whether it will be the same the next time, unless the file or the settings change.
    """

    rows: list[dict[str, Any]]
    reason: str = ""
    lasting: bool = True


class _Shown(NamedTuple):
    """Faces that belong together: those of a picture, or of a frame."""

    seconds: float | None
    faces: list[Face]
    crops: list[np.ndarray]
    carried: bool


def crop_source(settings: Cropping, folder: Path, source: FaceSource) -> Cropped:
    """Crop the faces of a picture or video and write them below a folder: all its files, or none.

    Args:
        settings: how.
        folder: the largest face of a picture becomes ``ID.png`` there; all faces of one, and those of the frames of a
            video, become ``STEM.faces/NUMBER.png``. Crops of one source that are alike to the bit share a file.
        source: which, and how its files are called.
    """
    try:
        corner = read_box(source.box)[:2] if source.box else (0, 0)
        shown = _frames(settings, source) if source.video else _picture(settings, source)
        if not source.video and settings.find == "largest":
            (only,) = shown
            image = f"{source.file}.png"
            with atomic_path(folder / image) as path:
                _write(path, only.crops[0])
            return Cropped([_row(source.id, image, only, 0, corner)])
        own = folder / source.folder
        shutil.rmtree(own, ignore_errors=True)  # of an earlier state of the file
        with atomic_directory(own) as inner:
            return Cropped(list(_rows(settings, source, shown, inner, corner)))
    except InputError as error:
        return Cropped([], str(error).replace(source.path, source.told), _lasts(error))


def _lasts(error: InputError) -> bool:
    """Whether it is the file that is at fault, and not a package, the rights to it, its disk or the memory."""
    cause = error.__cause__
    passing = isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno is not None)
    return isinstance(error, MediaError) and not passing


def _rows(
    settings: Cropping, source: FaceSource, shown: Iterator[_Shown], inner: Path, corner: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    files: dict[str, str] = {}  # hash of a crop -> its file
    for frame, each in enumerate(shown, start=1):
        for place, crop in enumerate(each.crops):
            numbers = [f"{frame:04}"] * source.video + [str(place + 1)] * (settings.find == "all")
            name = "-".join(numbers)
            key = pixels_sha256(crop)
            if key not in files:
                files[key] = f"{source.folder}/{name}.png"
                _write(inner / f"{name}.png", crop)
            yield _row(f"{source.stem}/{name}", files[key], each, place, corner)


def _picture(settings: Cropping, source: FaceSource) -> Iterator[_Shown]:
    pixels = read_image(source.path)
    if source.box:
        pixels = crop_box(pixels, source.box)
    faces = settings.found_by(pixels)
    if not faces:
        where = f"box {source.box!r} of {source.told}" if source.box else source.told
        raise MediaError(f"no face found in {where}; leave it out, or crop its face yourself")
    yield _Shown(None, faces, [crop_face(pixels, face, settings.side) for face in faces], False)


def _frames(settings: Cropping, source: FaceSource) -> Iterator[_Shown]:
    frames = read_frames(source.path, PER_SECOND, source.start, source.end, MOST_FRAMES)
    if source.box:
        frames = (frame._replace(pixels=crop_box(frame.pixels, source.box)) for frame in frames)
    for seconds, faces, crops, found in follow_faces(frames, settings.found_by, settings.side, source.told):
        yield _Shown(seconds, faces, crops, not found)


def _row(item: str, image: str, shown: _Shown, place: int, corner: tuple[int, int]) -> dict[str, Any]:
    face = shown.faces[place]
    box = (face.left + corner[0], face.top + corner[1], face.width, face.height)
    return {
        "id": item,
        "image": image,
        "source_time": None if shown.seconds is None else round(shown.seconds, 3),
        "source_box": " ".join(str(round(edge)) for edge in box),
        "carried": shown.carried,
    }


def _write(path: Path, crop: np.ndarray) -> None:
    Image.fromarray(crop if crop.shape[2] == 3 else crop[..., 0]).save(path, "PNG")
