"""UTKFace: some 23,700 faces from the web, aged 1 to 116, aligned and cropped to 200 x 200.

Layout (susanqq.github.io/UTKFace): ``26_1_3_20170117183445012.jpg.chip.jpg`` is age, sex (0 male, 1 female),
ancestry (0 White, 1 Black, 2 Asian, 3 Indian, 4 others) and the moment of collection; or Parquet files with
file_name, age and image.

The label is the age in years; it is a rating of ``age`` too, whose scale runs from 0 to 116, so that an age beyond
it is a fault. Three published names lack the ancestry or more: what they do not tell is missing. Pictures whose name
tells no age are items without a label.
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.layout import has_image_named, image_by_name, images_from_names, make_corpus
from affectspace.corpora.packed_items import parquet_with, read_items

__all__ = ["NAME", "matches", "read"]

NAME = "utkface"
# Age and one more figure at least; the moment has seventeen digits, now and then one or two fewer.
_NAMES = re.compile(r"(?P<label>\d{1,3})_(?:(?P<sex>\d)?_)?(?:(?P<ancestry>\d)?_)?\d{14,17}(?:\.jpg)?(?:\.chip)?")
_JOINED = ("file_name", "age")
_SEXES = {"0": "male", "1": "female"}
_ANCESTRIES = {"0": "White", "1": "Black", "2": "Asian", "3": "Indian", "4": "others"}
_CARD = Card(
    name=NAME,
    licence="non-commercial research only; copyright of the photos stays with their owners",
    citation="Zhang, Song & Qi, Age Progression/Regression by Conditional Adversarial Autoencoder, CVPR 2017",
    scales={"age": Scale(0, 116)},
    note="Ages, sexes and ancestries were estimated by an algorithm and checked by one annotator. Infants and people "
    "around 26 are many. The same person can occur more than once, and nothing tells: nothing keeps people apart.",
)


def matches(path: Path) -> bool:
    """Whether an image below ``path`` is named as UTKFace names them, or Parquet files hold them."""
    return path.is_dir() and (bool(parquet_with(path, _JOINED)) or has_image_named(path, _NAMES))


def read(path: Path) -> Corpus:
    """UTKFace at ``path``, a folder or a Parquet file.

    Raises:
        InputError: no image that is named so.
    """
    path = Path(path)
    root = path
    if files := parquet_with(path, _JOINED):
        root = path if path.is_dir() else path.parent
        rows = pd.concat([read_items(file, root) for file in files], ignore_index=True)
        told = rows["file_name"].astype("string").str.removesuffix(".jpg").str.extract(f"^{_NAMES.pattern}$")
        items = told.assign(id=_short(rows["file_name"]), image=rows["image"], label=rows["age"].astype("string"))
        others = [name for name in rows if name not in {*_JOINED, "image", *items}]
        items = pd.concat([items, rows[others]], axis=1)
    else:
        items = images_from_names(path, _NAMES, "UTKFace", "26_1_3_20170117183445012.jpg.chip.jpg")
        known = set(items["id"])
        others = [(name, image) for name, image in image_by_name(path).items() if name not in known]
        items["id"] = _short(items["id"])
        items = pd.concat([items, pd.DataFrame(others, columns=["id", "image"], dtype="string")], ignore_index=True)
    items["sex"] = items["sex"].map(_SEXES)
    items["ancestry"] = items["ancestry"].map(_ANCESTRIES)
    judged = pd.DataFrame({"item": items["id"], "rater": pd.NA, "dimension": "age", "value": items["label"]})
    return make_corpus(root, items, _CARD, judged.dropna(subset=["value"])[list(RATING_COLUMNS)])


def _short(names: pd.Series) -> pd.Series:
    """``26_1_3_20170117183445012`` of ``26_1_3_20170117183445012.jpg.chip``."""
    return names.astype("string").str.partition(".")[0]
