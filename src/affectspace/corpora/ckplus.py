"""CK+, the extended Cohn-Kanade set: posed expressions from neutral to their peak, 327 labelled sequences.

Layouts: the release, ``cohn-kanade-images/S005/001/S005_001_00000011.png`` beside
``Emotion/S005/001/S005_001_00000011_emotion.txt`` (a number from 1 to 7); CK+48, whose folders are the classes
(``CK+48/anger/S010_004_00000017.png``); or Parquet files with image_id, subject, sequence, label and image.

Of a sequence of the release, the last three frames bear its emotion and the first is ``neutral``, as usual;
sequences without an emotion are left out. CK+48 holds such last three frames and no neutral ones.
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import has_image_named, images_from_names, make_corpus, read_lines
from affectspace.corpora.packed_items import parquet_with, read_items
from affectspace.errors import InputError

__all__ = ["NAME", "matches", "read"]

NAME = "ckplus"
_NAMES = re.compile(r"(?P<speaker>S\d{3})_(?P<take>\d{3})_(?P<frame>\d{8})")
_JOINED = ("image_id", "subject", "sequence", "label")
_EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
_PEAK = 3  # frames at the end of a sequence
_CARD = Card(
    name=NAME,
    licence="agreement with the University of Pittsburgh: research only, no redistribution",
    citation="Lucey, Cohn, Kanade, Saragih, Ambadar & Matthews, The Extended Cohn-Kanade Dataset (CK+): A complete "
    "dataset for action unit and emotion-specified expression, CVPR Workshops 2010; Kanade, Cohn & Tian, Comprehensive "
    "database for facial expression analysis, FG 2000",
    label_map={
        "neutral": "neutral",
        "anger": "angry",
        "contempt": "contemptuous",
        "disgust": "disgusted",
        "fear": "fearful",
        "happy": "happy",
        "happiness": "happy",
        "sadness": "sad",
        "surprise": "surprised",
    },
    note="Posed in a laboratory. The frames of a sequence are nearly identical, and a subject has several sequences: "
    "keep subjects apart, never only images.",
)


def matches(path: Path) -> bool:
    """Whether an image below ``path`` is named as CK+ names its frames, or Parquet files hold them."""
    return path.is_dir() and (bool(parquet_with(path, _JOINED)) or has_image_named(path, _NAMES))


def read(path: Path) -> Corpus:
    """CK+ at ``path``, a folder in one of the layouts or a Parquet file.

    Raises:
        InputError: no frames, neither emotions nor folders named by them, or an emotion of another number.
    """
    path = Path(path)
    if files := parquet_with(path, _JOINED):
        root = path if path.is_dir() else path.parent
        rows = pd.concat([read_items(file, root) for file in files], ignore_index=True)
        rows = rows.rename(columns={"image_id": "id", "subject": "speaker", "sequence": "session"})
        return make_corpus(root, rows, _CARD)
    items = images_from_names(path, _NAMES, "CK+", "S010_004_00000017.png")
    items["session"] = items["speaker"] + "_" + items.pop("take")
    items["frame"] = items["frame"].astype(int)
    folders = items["image"].map(lambda image: Path(str(image)).parent.name.lower())
    emotions = _emotions(path)
    if emotions:
        items["label"] = items["session"].map(emotions)
        frames = items.groupby("session")["frame"]
        peak = frames.rank(ascending=False) <= _PEAK
        onset = (frames.rank() == 1) & ~peak
        items.loc[onset, "label"] = items["label"].where(items["label"].isna(), "neutral")
        items = items[(peak | onset) & items["label"].notna()]
    else:
        items["label"] = folders.where(folders.isin(_CARD.label_map.keys()))
        items = items.dropna(subset=["label"])
    if items.empty:
        raise InputError(
            f"{path} holds frames of CK+, but nothing tells their emotions; looked for Emotion/S005/001/*_emotion.txt, "
            "and for folders named anger, contempt and so on"
        )
    return make_corpus(path, items, _CARD)


def _emotions(path: Path) -> dict[str, str]:
    found = {}
    for file in sorted(path.rglob("*_emotion.txt")):
        fit = _NAMES.fullmatch(file.stem.removesuffix("_emotion"))
        text = " ".join(read_lines(file)).split()
        if not fit or not text:
            continue
        try:
            code = float(text[0])
        except ValueError:
            code = -1.0
        if code not in range(len(_EMOTIONS)):
            raise InputError(f"{file} holds {text[0]!r}; an emotion of CK+ is a whole number from 0 to 7")
        found[f"{fit['speaker']}_{fit['take']}"] = _EMOTIONS[int(code)]
    return found
