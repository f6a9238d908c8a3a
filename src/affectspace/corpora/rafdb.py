"""RAF-DB, basic emotions: 15,339 faces from the web, each judged by some forty people; seven classes.

Layout (its release, folder ``basic``): ``EmoLabel/list_patition_label.txt`` with lines such as ``train_00001.jpg 5``,
and ``Image/aligned/train_00001_aligned.jpg`` or ``Image/original/train_00001.jpg``; aligned ones are taken first.
"""

from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import image_files, make_corpus, nearby, read_lines, refuse_no_items
from affectspace.errors import InputError

__all__ = ["NAME", "matches", "read"]

NAME = "rafdb"
_LIST = "list_patition_label.txt"  # spelt so in the release
_EMOTIONS = {
    "1": "surprise",
    "2": "fear",
    "3": "disgust",
    "4": "happiness",
    "5": "sadness",
    "6": "anger",
    "7": "neutral",
}
_CARD = Card(
    name=NAME,
    licence="agreement with the PRIS laboratory of BUPT: non-commercial research only, no redistribution",
    citation="Li, Deng & Du, Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition "
    "in the Wild, CVPR 2017",
    label_map={
        "surprise": "surprised",
        "fear": "fearful",
        "disgust": "disgusted",
        "happiness": "happy",
        "sadness": "sad",
        "anger": "angry",
        "neutral": "neutral",
    },
    note="Published split of train and test without one to validate on. Who is shown is not known, so nothing keeps "
    "people apart. Each label is a majority; the single judgements are not in this part.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds RAF-DB's list of labels, at most two folders below."""
    return bool(nearby(path, _LIST))


def read(path: Path) -> Corpus:
    """RAF-DB below ``path``: those images of the list that are there.

    Raises:
        InputError: no list, a line that is none of its, or no image.
    """
    path = Path(path)
    listed = nearby(path, _LIST).get(_LIST)
    refuse_no_items([listed] if listed else [], path, "RAF-DB", f"EmoLabel/{_LIST}")
    assert listed is not None
    images: dict[str, str] = {}
    for file in sorted(image_files(path), key=lambda f: not f.stem.endswith("_aligned")):
        images.setdefault(file.stem.removesuffix("_aligned"), file.relative_to(path).as_posix())
    rows = []
    for number, line in enumerate(read_lines(listed), start=1):
        if not line.strip():
            continue
        name, _, code = line.strip().rpartition(" ")
        if code not in _EMOTIONS:
            raise InputError(f"{listed} line {number} is {line!r}; it should be like 'train_00001.jpg 5', with 1 to 7")
        item = Path(name.strip()).stem
        rows.append({"id": item, "image": images.get(item), "label": _EMOTIONS[code], "split": item.partition("_")[0]})
    items = pd.DataFrame(rows, columns=["id", "image", "label", "split"]).dropna(subset=["image"])
    refuse_no_items(items, path, "image of RAF-DB that its list names", "Image/aligned/train_00001_aligned.jpg")
    return make_corpus(path, items, _CARD)
