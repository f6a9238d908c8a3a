"""RAVDESS, the speech recordings: English, acted, 1,440 utterances of 24 actors.

Layout (Zenodo 1188976, "File naming convention"): ``Actor_01/03-01-05-01-02-01-01.wav`` is modality
(03 audio only), channel (01 speech), emotion, intensity, statement, repetition, actor. Songs
(channel 02) are another corpus and are left out.
"""

import re
from pathlib import Path

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import has_audio_named, items_from_names, make_corpus

__all__ = ["NAME", "matches", "read"]

NAME = "ravdess"
_NAMES = re.compile(
    r"03-01-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>\d\d)"
)
_EMOTIONS = dict(
    zip(
        ("01", "02", "03", "04", "05", "06", "07", "08"),
        ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
        strict=True,
    )
)
_TEXTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_CARD = Card(
    name=NAME,
    licence="CC BY-NC-SA 4.0",
    citation="Livingstone & Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, "
    "PLoS ONE 13(5), 2018",
    language="en",
    label_map={**{emotion: emotion for emotion in _EMOTIONS.values()}, "disgust": "disgusted"},
    note="Acted, two sentences only. 03-01-03-01-02-01-07 and 03-01-03-01-02-02-07 are the same audio. "
    "Neutral has half as many files as the others and no strong intensity; level differs by emotion.",
)


def matches(path: Path) -> bool:
    """Whether an audio file below ``path`` is named as RAVDESS names speech."""
    return has_audio_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """The speech recordings of RAVDESS below ``path``."""
    path = Path(path)
    items = items_from_names(path, _NAMES, "RAVDESS speech", "Actor_01/03-01-05-01-02-01-01.wav")
    items["label"] = items.pop("emotion").map(_EMOTIONS)
    items["text"] = items.pop("statement").map(_TEXTS)
    items["intensity"] = items["intensity"].map({"01": "normal", "02": "strong"})
    items["sex"] = items["actor"].astype(int).mod(2).map({1: "male", 0: "female"})
    items["speaker"] = "Actor_" + items.pop("actor")
    return make_corpus(path, items, _CARD)
