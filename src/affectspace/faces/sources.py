"""Where faces are to be found: the pictures and videos of a folder, or those that a corpus names."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pandas.api.types import is_scalar

from affectspace.corpora import ADAPTERS, Card, Corpus, image_folder, open_corpus, table
from affectspace.corpora.columns import told_apart, without_ending
from affectspace.corpora.corpus import RATING_COLUMNS, SECONDS, video_times
from affectspace.corpora.layout import IMAGE_ENDINGS, VIDEO_ENDINGS, files_below
from affectspace.errors import InputError
from affectspace.faces.names import file_folders, file_stems
from affectspace.files import inside

__all__ = ["FaceSource", "Sources", "open_sources"]

PLACES = ("id", "corpus", "audio", "image", "video", *SECONDS, "box")  # which are others for a crop
FACE = re.compile(r"(?P<of>.+)/[\d-]+", re.DOTALL)  # the id of one of several faces


class FaceSource(NamedTuple):
    """A picture or a video.

    Args:
        id: of the item that it is, or of its only face.
        stem: what the names of several faces begin with.
        told: its path as people gave it.
        path: absolute; of a picture also a row of a table.
        video: whether it is one.
        start, end: seconds of the video that are the item; None: all of it.
        box: ``"left top width height"``, the part that is the item; empty: all of it.
        file: of its only face, below the folder of the crops, without the ending.
        folder: of several, likewise.
    """

    id: str
    stem: str
    told: str
    path: str
    video: bool
    start: float | None = None
    end: float | None = None
    box: str = ""
    file: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Sources:
    """Pictures and videos, and what is known of them.

    Args:
        sources: in their order.
        items: what is known of each, by its id.
        ratings: of the items, the columns of ``RATING_COLUMNS``.
        card: of the corpus.
        unusable: name and reason of each that cannot be looked at.
        others: endings of files that are neither pictures nor videos, and how many there are.
    """

    sources: list[FaceSource]
    items: pd.DataFrame
    ratings: pd.DataFrame
    card: Card
    unusable: list[tuple[str, str]] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)


def open_sources(path: str | Path) -> Sources:
    """The pictures and videos of a folder, of a corpus, or a single one.

    A folder with a table of items, or in the layout of a corpus that is known, is that corpus; in any other, the
    folders are classes where at least two of them hold pictures or videos, as in
    :mod:`affectspace.corpora.image_folder`.

    Raises:
        InputError: nothing there, or no picture and no video.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("sad/a.jpg", "happy/b.mp4"):
        ...     (folder / name).parent.mkdir()
        ...     (folder / name).touch()
        >>> found = open_sources(folder)
        >>> [(source.id, source.video) for source in found.sources], found.items["label"].tolist()
        ([('happy/b', True), ('sad/a', False)], ['happy', 'sad'])
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise InputError(f"there is nothing at {path}; give a folder of pictures or videos, or a corpus")
    if path.is_file() and path.name.lower().endswith(IMAGE_ENDINGS + VIDEO_ENDINGS):
        found = _of_files(path.parent, [path], {}, {})
    else:
        corpus = _corpus(path)
        found = _of_folder(path) if corpus is None else _of_corpus(corpus)
    if not found.sources and not found.unusable:
        raise InputError(
            f"{path} holds neither pictures nor videos; give a folder of them, or a corpus that names them"
        )
    return found


def _corpus(path: Path) -> Corpus | None:
    """The corpus that a table or a known layout makes of a path; None for a folder that is none, or shows nothing."""
    by_table = path.is_file() or table.matches(path)
    if by_table:
        corpus = open_corpus(path)
    else:
        layouts = [module for module in ADAPTERS.values() if module is not image_folder and module.matches(path)]
        if not layouts:
            return None
        corpus = layouts[0].read(path)
    if any(name in corpus.items and corpus.items[name].notna().any() for name in ("image", "video")):
        return corpus
    if by_table:
        raise InputError(f"corpus {corpus.name} has neither pictures nor videos; name them in a column image or video")
    return None


def _of_folder(path: Path) -> Sources:
    seen: list[Path] = []
    others: Counter[str] = Counter()
    for file in files_below(path):
        if file.name.lower().endswith(IMAGE_ENDINGS + VIDEO_ENDINGS):
            seen.append(file)
        else:
            others[file.suffix.lower() or "without ending"] += 1
    classes = {folder: image_folder.split_of(folder, path) for folder in image_folder.class_folders(path)}
    held = {folder.name for file in seen if (folder := _home(file, classes))}
    return _of_files(path, seen, classes if len(held) > 1 else {}, dict(others))


def _home(file: Path, classes: Mapping[Path, str | None]) -> Path | None:
    """The folder of the class that a file belongs to."""
    return next((folder for folder in file.parents if folder in classes), None)


def _of_files(root: Path, files: list[Path], classes: Mapping[Path, str | None], others: Mapping[str, int]) -> Sources:
    names = [file.relative_to(root).as_posix() for file in files]
    legible = [_legible(name) for name in names]
    ids = told_apart(without_ending(pd.Series(legible, dtype="string")).tolist(), legible)
    sources, known, unusable = [], {}, []
    for file, name, item in zip(files, names, ids):
        home = _home(file, classes)
        if _legible(name) != name:
            unusable.append((_legible(name), "its name is not UTF-8; rename it"))
        elif classes and home is None:
            unusable.append((name, "it lies beside the folders that are classes; move it into one of them"))
        else:
            try:
                path = str(inside(root, name).absolute())
            except InputError as error:
                unusable.append((name, str(error)))
                continue
            sources.append(FaceSource(item, name, name, path, name.lower().endswith(VIDEO_ENDINGS)))
            known[item] = {} if home is None else {"label": home.name, "split": classes[home]}
    items = pd.DataFrame.from_dict(known, orient="index")
    return Sources(_placed(sources), items, _no_ratings(), Card(root.resolve().name), unusable, dict(others))


def _of_corpus(corpus: Corpus) -> Sources:
    sources, rows, unusable = [], [], []
    first: dict[str, int] = {}
    ids = set(corpus.items["id"].dropna())
    shown = video_times(corpus.items)
    for row, item in enumerate(corpus.items.to_dict("records")):
        cells = {str(name): None if is_scalar(value) and pd.isna(value) else value for name, value in item.items()}
        name = cells["id"]
        media = cells.get("video") or cells["image"]
        try:
            if not name:
                raise InputError("the item has no id; give it one of its own")
            if first.setdefault(name, row) != row:
                raise InputError(f"{name!r} is also the id of row {first[name] + 1}; ids must be unique")
            if (face := FACE.fullmatch(name)) and face["of"] in ids:
                raise InputError(f"its id could be that of a face of item {face['of']!r}; give it another")
            if not isinstance(media, str):
                raise InputError("the item has neither an image nor a video")
            path = str(inside(corpus.root, media).absolute())
        except (InputError, ValueError) as error:  # a path with a zero byte is a ValueError
            unusable.append((name or f"row {row + 1}", str(error)))
            continue
        video = bool(cells.get("video"))
        start, end = shown.iloc[row].tolist() if video else (None, None)
        box = "" if video and cells["image"] else str(cells.get("box") or "").strip()  # else it is of the image
        sources.append(FaceSource(name, name, media, path, video, start, end, box))
        rows.append(row)
    items = corpus.items.iloc[rows].set_index("id", drop=False)
    items = items.drop(columns=[name for name in PLACES if name in items])
    return Sources(_placed(sources), items, corpus.ratings, corpus.card, unusable)


def _placed(sources: list[FaceSource]) -> list[FaceSource]:
    """The same, each with a place for its crops."""
    files, folders = file_stems([each.id for each in sources]), file_folders([each.stem for each in sources])
    return [each._replace(file=file, folder=folder) for each, file, folder in zip(sources, files, folders)]


def _no_ratings() -> pd.DataFrame:
    return pd.DataFrame(columns=list(RATING_COLUMNS), dtype="string")


def _legible(name: str) -> str:
    """A name as text: bytes that are not UTF-8, which Python keeps as surrogates, become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")
