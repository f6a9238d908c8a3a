"""Adience: 26,580 faces of 2,284 people from Flickr albums, in eight groups of age and two sexes; five folds.

Layout (Open University of Israel): ``fold_0_data.txt`` to ``fold_4_data.txt`` with tabs between user_id,
original_image, face_id, age, gender and others, and the faces in
``aligned/<user_id>/landmark_aligned_face.<face_id>.<original_image>`` or
``faces/<user_id>/coarse_tilt_aligned_face.<face_id>.<original_image>``; aligned ones are taken first.

The label is the age as the file has it, such as ``(25, 32)``, and the label map leads it to one of eight groups,
``0-2`` to ``60+``. The files hold other values, too: a single age or another span leads to the group that it lies
in, and one that lies in none or in several (35, in the gap before ``38-43``) to nothing, so that each run counts
what it leaves out. An item whose age is ``None`` has no label. ``session`` is the fold; a user is in one fold only.
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import image_files, make_corpus, nearby, read_lines, refuse_no_items, require_columns
from affectspace.tables import parse_csv

__all__ = ["AGES", "NAME", "age_group", "matches", "read"]

NAME = "adience"
AGES = {
    "0-2": (0, 2),
    "4-6": (4, 6),
    "8-13": (8, 13),
    "15-20": (15, 20),
    "25-32": (25, 32),
    "38-43": (38, 43),
    "48-53": (48, 53),
    "60+": (60, 100),
}
"""The groups and their ages in years, both ends included."""

_FOLDS = tuple(f"fold_{fold}_data.txt" for fold in range(5))
_COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
_SPAN = re.compile(r"\((\d+), ?(\d+)\)|(\d+)")
_FACE = re.compile(r"(?:landmark_aligned_face|coarse_tilt_aligned_face)\.(?P<face>\d+)\.(?P<photo>.+)")
_SEXES = {"f": "female", "m": "male"}
_NOTE = (
    "Ages come in groups with gaps between them, and the published files hold other ages too: {others}. "
    "Keep users apart: a user's photos are alike. Figures are means over the five published folds."
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds one of the five folds, at most two folders below."""
    return bool(nearby(path, *_FOLDS))


def read(path: Path) -> Corpus:
    """Adience below ``path``: those folds and faces that are there.

    Raises:
        InputError: no fold, one without the published columns, or no face of any.
    """
    path = Path(path)
    folds = {name.removesuffix("_data.txt"): file for name, file in nearby(path, *_FOLDS).items()}
    refuse_no_items(folds, path, "Adience", "fold_0_data.txt to fold_4_data.txt")
    rows = pd.concat([_fold(file).assign(fold=fold) for fold, file in folds.items()], ignore_index=True)
    images = _faces(path)
    names = list(zip(rows["user_id"], rows["face_id"], rows["original_image"]))
    ages = rows["age"].mask(rows["age"].isin(["None", ""]))
    items = pd.DataFrame(
        {
            "id": ["/".join(name).rsplit(".", 1)[0] for name in names],
            "image": pd.Series([images.get(name) for name in names], dtype="string"),
            "speaker": rows["user_id"],
            "session": rows["fold"],
            "fold": rows["fold"],
            "label": ages,
            "sex": rows["gender"].map(_SEXES),
        }
    )
    items = items.dropna(subset=["image"]).drop_duplicates("id")
    refuse_no_items(items, path, "face of Adience", "aligned/<user_id>/landmark_aligned_face.<face_id>.<image>")
    return make_corpus(path, items, _card(items["label"]))


def age_group(age: str) -> str:
    """The group of an age or a span of ages as Adience's files have it; ``""`` where there is not just one.

    A span belongs to the group that shares years with it.

    Example:
        >>> [age_group(age) for age in ("(25, 32)", "(8, 12)", "(38, 48)", "13", "35", "(8, 23)")]
        ['25-32', '8-13', '', '8-13', '', '']
    """
    fit = _SPAN.fullmatch(age.strip())
    if not fit:
        return ""
    low, high = (int(fit[3]),) * 2 if fit[3] else (int(fit[1]), int(fit[2]))
    found = [name for name, (first, last) in AGES.items() if low <= last and high >= first]
    return found[0] if len(found) == 1 else ""


def _card(labels: pd.Series) -> Card:
    counts = {str(age): int(count) for age, count in labels.value_counts().items()}
    usual = {f"({low}, {high})" for low, high in AGES.values()} | {"(8, 12)"}
    told = [f"{age} ({count}, {age_group(age) or 'left out'})" for age, count in counts.items() if age not in usual]
    return Card(
        name=NAME,
        licence="Creative Commons licences of the Flickr photos; for research",
        citation="Eidinger, Enbar & Hassner, Age and Gender Estimation of Unfiltered Faces, IEEE Trans. Information "
        "Forensics and Security 9(12), 2014",
        label_map={age: age_group(age) for age in [*sorted(usual), *counts]},
        note=_NOTE.format(others=", ".join(told) or "none here"),
    )


def _fold(file: Path) -> pd.DataFrame:
    table = parse_csv("\n".join(read_lines(file)), file, "\t")
    require_columns(table, _COLUMNS, file)
    return table[list(_COLUMNS)]


def _faces(path: Path) -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    for file in sorted(image_files(path), key=lambda f: not f.name.startswith("landmark")):
        if fit := _FACE.fullmatch(file.name):
            found.setdefault((file.parent.name, fit["face"], fit["photo"]), file.relative_to(path).as_posix())
    return found
