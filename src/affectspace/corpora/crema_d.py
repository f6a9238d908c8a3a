"""CREMA-D: English, acted, 7,442 clips of 91 actors, judged by voice, by face and by both.

Layout (github.com/CheyneyComputerScience/CREMA-D, README): ``AudioWAV/1001_DFA_ANG_XX.wav`` is actor,
sentence, intended emotion, intensity; ``finishedResponses.csv`` holds every judgement (``localid`` the
rater, ``queryType`` 1 voice, 2 face, 3 both, ``clipName``, ``respEmo``); ``processedResults/tabulatedVotes.csv``
counts them per clip (row names 100000 x queryType + clip); ``VideoDemographics.csv`` describes the actors.

Ratings have the dimensions ``emotion`` (what was heard: voice only), ``emotion_face`` and
``emotion_audiovisual``. Single judgements are read where they are there, else the counts, whose raters
are unknown. The label is the emotion that the actor intended.
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus
from affectspace.corpora.judgements import counted_votes
from affectspace.corpora.layout import audio_by_name, has_audio_named, make_corpus, require_columns
from affectspace.errors import InputError
from affectspace.tables import read_table

__all__ = ["NAME", "matches", "read"]

NAME = "crema_d"
_NAMES = re.compile(r"(?P<speaker>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<intensity>[A-Z]{1,2})")
_EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
_VOTES = {emotion[0].upper(): emotion for emotion in _EMOTIONS.values()}
_DIMENSIONS = {"1": "emotion", "2": "emotion_face", "3": "emotion_audiovisual"}
_SINGLE = "finishedResponses.csv"
_COUNTS = "processedResults/tabulatedVotes.csv"
_TEXTS = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
_CARD = Card(
    name=NAME,
    licence="Open Database License 1.0 (contents: DbCL 1.0)",
    citation="Cao, Cooper, Keutmann, Gur, Nenkova & Verma, CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, "
    "IEEE Trans. Affective Computing 5(4), 2014",
    language="en",
    label_map={
        "anger": "angry",
        "disgust": "disgusted",
        "fear": "fearful",
        "happy": "happy",
        "neutral": "neutral",
        "sad": "sad",
    },
    note="The label is what the actor intended; listeners often heard neutral instead. 1076_MTI_SAD_XX holds no sound. "
    "The sentence is the same in every emotion.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds one of CREMA-D's tables of judgements, or its recordings."""
    if any((path / name).is_file() for name in (_SINGLE, _COUNTS)):
        return True
    return has_audio_named(_recordings(path), _NAMES)


def read(path: Path) -> Corpus:
    """CREMA-D in ``path``: recordings, judgements, or both.

    Raises:
        InputError: neither ``AudioWAV`` nor a table of judgements is there.
    """
    path = Path(path)
    ratings = _ratings(path)
    audio = audio_by_name(path, _recordings(path))
    names = pd.Series(sorted({*audio, *ratings["item"]}), dtype="string")
    items = names.str.extract(f"^{_NAMES.pattern}$").assign(id=names).dropna()
    if items.empty:
        raise InputError(f"{path} holds no CREMA-D: looked for AudioWAV/1001_DFA_ANG_XX.wav, {_SINGLE} and {_COUNTS}")
    items["audio"] = items["id"].map(audio)
    items["label"] = items.pop("emotion").map(_EMOTIONS)
    items["text"] = items.pop("sentence").map(_TEXTS)
    people = path / "VideoDemographics.csv"
    if people.is_file():
        described = read_table(people).rename(columns=str.lower).rename(columns={"actorid": "speaker"})
        require_columns(described, ("speaker", "sex"), people)
        items = items.merge(described.assign(sex=described["sex"].str.lower()), on="speaker", how="left")
    return make_corpus(path, items, _CARD, ratings[ratings["item"].isin(items["id"])])


def _recordings(path: Path) -> Path:
    """The folder to search: the same clips lie in ``AudioMP3``, too."""
    return path / "AudioWAV" if (path / "AudioWAV").is_dir() else path


def _ratings(path: Path) -> pd.DataFrame:
    """Single judgements where they are, else the counts; a checkout without Git LFS holds mere pointers to them."""
    single, counts = path / _SINGLE, path / _COUNTS
    if single.is_file() and "clipName" in (table := read_table(single)):
        require_columns(table, ("localid", "queryType", "respEmo"), single)
        table = table.drop_duplicates(["localid", "queryType", "clipName"])  # two of the published rows occur twice
        columns = (
            table["clipName"],
            table["localid"],
            table["queryType"].map(_DIMENSIONS),
            table["respEmo"].map(_VOTES),
        )
        return pd.DataFrame(dict(zip(RATING_COLUMNS, columns, strict=True))).dropna()
    if counts.is_file() and "fileName" in (table := read_table(counts)):
        dimension = table.iloc[:, 0].str[0].map(_DIMENSIONS)
        keys = pd.DataFrame({"item": table["fileName"], "rater": pd.NA, "dimension": dimension})
        return counted_votes(keys, table, {emotion: letter for letter, emotion in _VOTES.items()}, str(counts))
    return pd.DataFrame(columns=list(RATING_COLUMNS))
