"""URDU: clips of Urdu talk shows, 400 utterances, four emotions.

Layout (github.com/siddiquelatif/URDU-Dataset, README): ``Angry/SM1_F1_A01.wav`` is the speaker (S, sex,
number), that speaker's file and the number within the emotion; the folder is the emotion.
"""

import re
from pathlib import Path

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import has_audio_named, items_from_names, make_corpus

__all__ = ["NAME", "matches", "read"]

NAME = "urdu"
_NAMES = re.compile(r"(?P<speaker>S[MF]\d+)_F(?P<file>\d+)_(?P<letter>[AHNS])\d+", re.IGNORECASE)
_EMOTIONS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}
_CARD = Card(
    name=NAME,
    licence="research only (README)",
    citation="Latif, Qayyum, Usman & Qadir, Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages, "
    "FIT 2018",
    language="ur",
    label_map={emotion: emotion for emotion in _EMOTIONS.values()},
    note="Speaker and emotion are confounded: all angry clips come from four men and most speakers have one emotion "
    "only, so that a score within the corpus can be a score of speakers. Loudness differs by emotion.",
)


def matches(path: Path) -> bool:
    """Whether an audio file below ``path`` is named as URDU names them."""
    return has_audio_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """URDU below ``path``; the emotion is the letter in the name, which the published folders repeat."""
    path = Path(path)
    items = items_from_names(path, _NAMES, "URDU", "Angry/SM1_F1_A01.wav")
    items["label"] = items.pop("letter").str.upper().map(_EMOTIONS)
    items["speaker"] = items["speaker"].str.upper()
    items["sex"] = items["speaker"].str[1].map({"M": "male", "F": "female"})
    return make_corpus(path, items, _CARD)
