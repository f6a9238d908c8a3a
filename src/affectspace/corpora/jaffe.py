"""JAFFE: 213 posed faces of ten Japanese women, seven expressions, with mean ratings on six of them.

Layout (zenodo.org/records/3451524): ``KA.AN1.39.tiff`` is the woman, the expression with its number, and a serial
number. The readme beside the images has a table of the mean judgement of 60 students on five-point scales, one line
an image: number, HAP, SAD, SUR, ANG, DIS, FEA, ``KM-NE1``. It is read where it is there, as ratings by ``"mean"``.
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.expression_codes import CODES, EXPRESSIONS, LABEL_MAP
from affectspace.corpora.layout import has_image_named, images_from_names, make_corpus, read_lines

__all__ = ["NAME", "matches", "read"]

NAME = "jaffe"
_NAMES = re.compile(rf"(?P<speaker>[A-Z]{{2}})\.(?P<expression>{CODES})(?P<version>\d)\.(?P<serial>\d+)")
_RATED = ("happiness", "sadness", "surprise", "anger", "disgust", "fear")
_LINE = re.compile(r"\s*\d+((?:\s+\d(?:\.\d+)?){6})\s+([A-Z]{2})[-.]([A-Z]{2}\d)\s*")
_CARD = Card(
    name=NAME,
    licence="non-commercial research only; faces may be printed in publications as its terms say",
    citation="Lyons, Akamatsu, Kamachi & Gyoba, Coding Facial Expressions with Gabor Wavelets, FG 1998",
    scales={name: Scale(1, 5) for name in _RATED},
    label_map=LABEL_MAP,
    note="Posed by ten women of one origin. The label is what was asked for; the mean ratings often see something "
    "else, fear least of all.",
)


def matches(path: Path) -> bool:
    """Whether an image below ``path`` is named as JAFFE names them."""
    return has_image_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """JAFFE below ``path``, with the mean ratings where the readme is there."""
    path = Path(path)
    items = images_from_names(path, _NAMES, "JAFFE", "KA.AN1.39.tiff")
    named = items["speaker"] + "-" + items["expression"] + items["version"]
    items["label"] = items.pop("expression").map(EXPRESSIONS)
    items["sex"] = "female"
    return make_corpus(path, items.drop(columns="serial"), _CARD, _ratings(path, dict(zip(named, items["id"]))))


def _ratings(path: Path, ids: dict[str, str]) -> pd.DataFrame:
    judged = []
    for file in sorted(p for p in path.rglob("*") if "readme" in p.name.lower() and p.is_file()):
        for line in read_lines(file):
            if (fit := _LINE.fullmatch(line)) and (item := ids.get(f"{fit[2]}-{fit[3]}")):
                judged += [(item, "mean", name, figure) for name, figure in zip(_RATED, fit[1].split(), strict=True)]
    return pd.DataFrame(judged, columns=list(RATING_COLUMNS)).drop_duplicates(["item", "dimension"])
