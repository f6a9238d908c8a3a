"""AADB, aesthetics with attributes: 10,000 photos, each with the mean of five people's ratings in 0..1.

Layout (github.com/aimerykong/deepImageAestheticsAnalysis): ``imgListTrainRegression_score.txt``, the same with
``Validation`` and with ``TestNew`` (``Test`` in earlier releases), lines such as ``farm1_255_00_a.jpg 0.55``; the
photos in ``datasetImages_originalSize``, ``datasetImages_warp256`` and, those of the test, ``AADB_newtest``; larger
ones are taken first.

The label is the score as it is written; it is a mean rating of ``aesthetics``, too, by the rater ``"mean"``.
"""

from pathlib import Path

import pandas as pd

from affectspace.corpora.columns import without_ending
from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.layout import image_files, make_corpus, nearby, read_lines, refuse_no_items
from affectspace.errors import InputError

__all__ = ["NAME", "matches", "read"]

NAME = "aadb"
_PARTS = {"Train": "train", "Validation": "validate", "TestNew": "test", "Test": "test"}
_LISTS = {f"imgList{part}Regression_score.txt": split for part, split in _PARTS.items()}
_CARD = Card(
    name=NAME,
    licence="photos of Flickr users under Creative Commons licences; for research",
    citation="Kong, Shen, Lin, Mech & Fowlkes, Photo Aesthetics Ranking Network with Attributes and Content "
    "Adaptation, ECCV 2016",
    scales={"aesthetics": Scale(0, 1)},
    note="Scores are means of about five raters, brought to 0..1; most lie in the middle. Levels are made by cutting "
    "at quantiles of the training scores. Owners and raters are not in these lists.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds one of AADB's lists of scores, at most two folders below."""
    return bool(_lists(path))


def read(path: Path) -> Corpus:
    """AADB below ``path``: those photos of the lists that are there.

    Raises:
        InputError: no list, a line without a score, or no photo.
    """
    path = Path(path)
    lists = _lists(path)
    refuse_no_items(lists, path, "AADB", "imgListTrainRegression_score.txt and its likes")
    images: dict[str, str] = {}
    for file in sorted(image_files(path), key=lambda f: "warp256" in f.as_posix()):
        images.setdefault(file.name, file.relative_to(path).as_posix())
    rows = pd.DataFrame([row for split, file in lists.items() for row in _scores(file, split)])
    items = rows.assign(image=rows["name"].map(images).astype("string"), id=without_ending(rows["name"]))
    items = items.dropna(subset=["image"]).drop_duplicates("id").drop(columns="name")
    refuse_no_items(items, path, "photo of AADB that its lists name", "datasetImages_originalSize/*.jpg")
    judged = pd.DataFrame({"item": items["id"], "rater": "mean", "dimension": "aesthetics", "value": items["label"]})
    return make_corpus(path, items, _CARD, judged[list(RATING_COLUMNS)])


def _lists(path: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, file in nearby(path, *_LISTS).items():
        found.setdefault(_LISTS[name], file)  # of two tests the newer, which is named first
    return found


def _scores(file: Path, split: str) -> list[dict]:
    rows = []
    for number, line in enumerate(read_lines(file), start=1):
        if not line.strip():
            continue
        name, _, score = line.strip().rpartition(" ")
        try:
            float(score)
        except ValueError:
            raise InputError(f"{file} line {number} is {line!r}; it should be a photo and its score") from None
        rows.append({"name": name.strip(), "label": score, "split": split})
    return rows
