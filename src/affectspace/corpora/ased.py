"""ASED, Amharic Speech Emotion Dataset, version 1: Amharic, acted, 65 speakers, five emotions.

Layout (github.com/wgwangang/ASED_V1): ``05Angry/a5-01-01-01-01.wav`` is the emotion's letter and folder,
sentence, repetition, sex (01 female, 02 male), speaker.
"""

import re
from pathlib import Path

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import has_audio_named, items_from_names, make_corpus

__all__ = ["NAME", "matches", "read"]

NAME = "ased"
# One published file begins with a capital letter.
_NAMES = re.compile(
    r"(?P<letter>[nfhsa])[1-5]-(?P<sentence>\d\d)-(?P<repetition>\d\d)-(?P<sex_in_name>0[12])-(?P<speaker>\d\d)",
    re.IGNORECASE,
)
_EMOTIONS = {"n": "neutral", "f": "fearful", "h": "happy", "s": "sad", "a": "angry"}
_CARD = Card(
    name=NAME,
    licence="not stated; published to encourage other researchers (README)",
    citation="Retta, Almekhlafi, Sutcliffe, Mhamed, Ali & Feng, A New Amharic Speech Emotion Dataset and "
    "Classification Benchmark, ACM TALLIP 22(1), 2023",
    language="am",
    label_map={emotion: emotion for emotion in _EMOTIONS.values()},
    note="Most sentences belong to one emotion, so that text and emotion are confounded. Four pairs of repetitions are "
    "identical recordings. Five speakers (09, 15, 21, 23, 25) have one file whose name gives the other sex.",
)


def matches(path: Path) -> bool:
    """Whether an audio file below ``path`` is named as ASED names them."""
    return has_audio_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """ASED below ``path``; ``sex`` is what most files of the speaker say, ``sex_in_name`` what this one says."""
    path = Path(path)
    items = items_from_names(path, _NAMES, "ASED", "05Angry/a5-01-01-01-01.wav")
    letter = items.pop("letter").str.lower()
    items["label"] = letter.map(_EMOTIONS)
    items["script"] = letter + items.pop("sentence")
    items["speaker"] = "S" + items["speaker"]
    items["sex_in_name"] = items["sex_in_name"].map({"01": "female", "02": "male"})
    items["sex"] = items.groupby("speaker")["sex_in_name"].transform(lambda said: said.mode().iloc[0])
    return make_corpus(path, items, _CARD)
