"""AffectNet: faces from the web, one annotator each: eight expressions, valence and arousal.

Layouts: ``training.csv`` and ``validation.csv`` (subDirectory_filePath, face_x, face_y, face_width, face_height,
facial_landmarks, expression, valence, arousal; validation without a header in some releases) with the images in
``Manually_Annotated_Images/103/....jpg``, or beside the tables; or, in later releases, ``train_set`` and ``val_set``,
each with ``images/0.jpg`` and ``annotations/0_exp.npy``, ``0_val.npy``, ``0_aro.npy``.

``box`` is the face within the image: left, top, width and height in pixels. The images of later releases are cut
out already. Nobody publishes the test set, so that the validation set is the test split, as everybody uses it.
Folders named by class, as others pass AffectNet on, are read as any folder of images.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora.columns import without_ending
from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.layout import make_corpus, nearby, read_lines, refuse_no_items, require_columns
from affectspace.errors import InputError
from affectspace.tables import parse_csv

__all__ = ["NAME", "matches", "read"]

NAME = "affectnet"
_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_TABLES = {"training.csv": "train", "validation.csv": "test"}
_SETS = {"train_set": "train", "val_set": "test"}
_FOLDER = "Manually_Annotated_Images"
_EXPRESSIONS = (
    "neutral",
    "happiness",
    "sadness",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
    "none",
    "uncertain",
    "no face",
)
_CARD = Card(
    name=NAME,
    licence="agreement with the University of Denver: research only, no redistribution",
    citation="Mollahosseini, Hasani & Mahoor, AffectNet: A Database for Facial Expression, Valence, and Arousal "
    "Computing in the Wild, IEEE Trans. Affective Computing 10(1), 2019",
    scales={"valence": Scale(-1, 1), "arousal": Scale(-1, 1)},
    label_map={
        "neutral": "neutral",
        "happiness": "happy",
        "sadness": "sad",
        "surprise": "surprised",
        "fear": "fearful",
        "disgust": "disgusted",
        "anger": "angry",
        "contempt": "contemptuous",
        "none": "",
        "uncertain": "",
        "no face": "",
    },
    note="One annotator an image; of images judged twice, six in ten got the same expression. The published validation "
    "set is the test split. Who is shown is not known, so nothing keeps people apart.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds one of AffectNet's tables, or a set with annotations."""
    if any((path / name / "annotations").is_dir() for name in _SETS):
        return True
    return any(map(_is_table, nearby(path, *_TABLES).values()))


def read(path: Path) -> Corpus:
    """AffectNet below ``path``: those parts that are there.

    Raises:
        InputError: neither table nor set, a table without the published columns, or an unknown expression.
    """
    path = Path(path)
    tables = {_TABLES[name]: table for name, table in nearby(path, *_TABLES).items() if _is_table(table)}
    if tables:
        rows = pd.concat([_read_table(table, split, path) for split, table in tables.items()], ignore_index=True)
    else:
        rows = pd.DataFrame(row for name, split in _SETS.items() for row in _read_set(path, name, split))
    refuse_no_items(rows, path, "AffectNet", f"{', '.join(_TABLES)} and {', '.join(_SETS)} with annotations")
    codes = pd.to_numeric(rows.pop("expression"), errors="coerce")
    wrong = ~codes.isin(range(len(_EXPRESSIONS)))
    if wrong.any():
        raise InputError(f"item {rows['id'][wrong].iloc[0]!r} has no expression from 0 to {len(_EXPRESSIONS) - 1}")
    rows["label"] = [_EXPRESSIONS[int(code)] for code in codes]
    parts = []
    for dimension in _CARD.scales:
        values = rows.pop(dimension)
        given = pd.to_numeric(values, errors="coerce") != -2  # stands where there is no face to judge
        parts.append(pd.DataFrame({"item": rows["id"], "rater": pd.NA, "dimension": dimension, "value": values})[given])
    return make_corpus(path, rows, _CARD, pd.concat(parts)[list(RATING_COLUMNS)].dropna(subset=["value"]))


def _is_table(file: Path) -> bool:
    with open(file, encoding="utf-8-sig", errors="replace") as text:
        first = text.readline().strip().split(",")
    return first[0] == _COLUMNS[0] or (len(first) == len(_COLUMNS) and first[0].count("/") == 1)


def _read_table(file: Path, split: str, path: Path) -> pd.DataFrame:
    lines = read_lines(file)
    if not lines[0].startswith(_COLUMNS[0]):
        lines.insert(0, ",".join(_COLUMNS))
    table = parse_csv("\n".join(lines), file)
    require_columns(table, _COLUMNS, file)
    found = [folder for pattern in (_FOLDER, f"*/{_FOLDER}") for folder in sorted(path.glob(pattern))]
    below = (found[0] if found else file.parent).relative_to(path).as_posix()
    sides = [table[name].str.removesuffix(".0") for name in _COLUMNS[1:5]]
    return pd.DataFrame(
        {
            "id": without_ending(table[_COLUMNS[0]]),
            "image": ("" if below == "." else f"{below}/") + table[_COLUMNS[0]],
            "split": split,
            "box": sides[0] + " " + sides[1] + " " + sides[2] + " " + sides[3],
            **{name: table[name] for name in ("expression", "valence", "arousal")},
        }
    )


def _read_set(path: Path, name: str, split: str) -> Iterator[dict]:
    for file in sorted((path / name / "annotations").glob("*_exp.npy")):
        number = file.name.removesuffix("_exp.npy")
        told = {"expression": "exp", "valence": "val", "arousal": "aro"}
        yield {
            "id": f"{name}/{number}",
            "image": f"{name}/images/{number}.jpg",
            "split": split,
            **{column: _number(file.with_name(f"{number}_{short}.npy")) for column, short in told.items()},
        }


def _number(file: Path) -> str:
    try:
        return str(np.load(file, allow_pickle=False).item())  # text in the releases; Python objects would run code
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file} holds no number: {error}; copy it anew") from error
