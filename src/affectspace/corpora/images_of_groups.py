"""Images of Groups: 28,231 faces in 5,080 photos of families, groups and weddings; seven groups of age and sexes.

Layout (Cornell University): eleven folders, ``Fam2a`` to ``Wed5a``, each with photos and ``PersonData.txt``: a line
with the name of a photo, then one line a face: x and y of the left and of the right eye, age, sex (1 female, 2 male).
Ages are 1, 5, 10, 16, 28, 51 or 75, the middles of the groups 0-2, 3-7, 8-12, 13-19, 20-36, 37-65 and 66+.

Each face is an item. ``image`` is the whole photo and ``box`` the face within it (left, top, width, height in pixels,
also beyond the photo's edge): a square three eye distances wide, the eyes at two fifths of its height. ``session``
is the photo, whose faces must stay together.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import make_corpus, read_lines, refuse_no_items
from affectspace.errors import InputError

__all__ = ["NAME", "matches", "read"]

NAME = "images_of_groups"
_TABLE = "PersonData.txt"
_AGES = {"1": "0-2", "5": "3-7", "10": "8-12", "16": "13-19", "28": "20-36", "51": "37-65", "75": "66+"}
_SEXES = {"1": "female", "2": "male"}
_WIDTH, _EYES = 3.0, 0.4  # of the square, in eye distances; where the eyes are, in heights of the square
_CARD = Card(
    name=NAME,
    licence="photos of Flickr users, for research; copyright stays with them",
    citation="Gallagher & Chen, Understanding Images of Groups of People, CVPR 2009",
    label_map=_AGES,
    note="Ages were guessed by an annotator. The image is the whole photo and box the face in it. The published 3,500 "
    "training and 1,050 test faces of equal classes are in MATLAB files, which are not read: split by photo, and "
    "balance the classes yourself to compare with published figures.",
)


def matches(path: Path) -> bool:
    """Whether ``path``, or a folder in it, holds a table of faces."""
    return path.is_dir() and bool(_tables(path))


def read(path: Path) -> Corpus:
    """Images of Groups in ``path``.

    Raises:
        InputError: no table of faces, or a line that is neither a photo nor a face.
    """
    path = Path(path)
    tables = _tables(path) if path.is_dir() else []
    rows = pd.DataFrame(row for table in tables for row in _faces(table, path))
    refuse_no_items(rows, path, "faces of Images of Groups", f"{_TABLE} in folders such as Fam2a")
    return make_corpus(path, rows, _CARD)


def _tables(path: Path) -> list[Path]:
    return sorted(file for pattern in (_TABLE, f"*/{_TABLE}") for file in path.glob(pattern) if file.is_file())


def _faces(table: Path, path: Path) -> Iterator[dict]:
    photo, number = "", 0
    for place, line in enumerate(read_lines(table), start=1):
        cells = line.split()
        if len(cells) == 1:
            photo, number = (table.parent / cells[0]).relative_to(path).as_posix(), 0
        elif cells:
            number += 1
            if not photo or len(cells) != 6 or cells[4] not in _AGES:
                raise InputError(
                    f"{table} line {place} is {line.strip()!r}; a face is six numbers, x and y of both eyes, age "
                    f"({', '.join(_AGES)}) and sex, below the name of its photo"
                )
            yield {
                "id": f"{photo.rsplit('.', 1)[0]}/{number}",
                "image": photo,
                "session": photo,
                "label": cells[4],
                "sex": _SEXES.get(cells[5]),
                "box": _box(*(float(cell) for cell in cells[:4])),
            }


def _box(left_x: float, left_y: float, right_x: float, right_y: float) -> str:
    side = _WIDTH * max(1.0, math.hypot(right_x - left_x, right_y - left_y))
    left, top = (left_x + right_x - side) / 2, (left_y + right_y) / 2 - _EYES * side
    return " ".join(str(round(edge)) for edge in (left, top, side, side))
