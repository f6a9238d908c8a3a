"""MELD: lines of the series Friends, 13,708 utterances in 1,433 dialogues, seven emotions.

Layout (github.com/declare-lab/MELD, archive MELD.Raw): ``train_sent_emo.csv`` (beside the folder ``train`` or
in it), ``dev_sent_emo.csv``, ``test_sent_emo.csv`` with the columns Sr No., Utterance, Speaker, Emotion,
Sentiment, Dialogue_ID, Utterance_ID, Season, Episode, StartTime, EndTime, and one video per utterance,
``train_splits/dia0_utt0.mp4``, ``dev_splits_complete``, ``output_repeated_splits_test``. Sound must be
extracted beside the videos under the same name (``dia0_utt0.wav``); utterances keep those of sound, video and
text that are there.

Dialogue numbers start anew in every split, so ids begin with the split's name. ``StartTime`` and
``EndTime`` are times within the episode and are kept as ``episode_start`` and ``episode_end``.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import audio_files, make_corpus, read_lines, require_columns, video_files
from affectspace.errors import InputError
from affectspace.tables import parse_csv

__all__ = ["NAME", "matches", "read"]

NAME = "meld"
_SPLITS = {"train": "train", "dev": "validate", "test": "test"}
_NAMES = re.compile(r"dia\d+_utt\d+")
_CARD = Card(
    name=NAME,
    licence="GPL-3.0 for the annotations; the recordings belong to the makers of the series",
    citation="Poria, Hazarika, Majumder, Naik, Cambria & Mihalcea, MELD: A Multimodal Multi-Party Dataset for Emotion "
    "Recognition in Conversations, ACL 2019",
    language="en",
    label_map={
        "anger": "angry",
        "joy": "happy",
        "neutral": "neutral",
        "sadness": "sad",
        "fear": "fearful",
        "disgust": "disgusted",
        "surprise": "surprised",
    },
    note="Six speakers say most lines and occur in every split: the published split keeps dialogues apart, not "
    "speakers. Almost half of the lines are neutral. Laughter of the audience is in the sound, and some "
    "clips are cut wrongly; train dia125_utt3 cannot be decoded and dev dia110_utt7 has no clip.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds one of MELD's tables, at its top or one folder below."""
    return bool(_tables(path))


def read(path: Path) -> Corpus:
    """MELD below ``path``: those splits whose tables are there.

    Raises:
        InputError: no table, or one without the published columns.
    """
    path = Path(path)
    tables = _tables(path)
    if not tables:
        raise InputError(f"{path} holds no table of MELD; looked for {', '.join(f'{s}_sent_emo.csv' for s in _SPLITS)}")
    sound, sight = (_clips(path, files) for files in (audio_files(path), video_files(path)))
    rows = pd.concat([_read_split(file, split, sound, sight) for split, file in tables.items()], ignore_index=True)
    return make_corpus(path, rows, _CARD)


def _tables(path: Path) -> dict[str, Path]:
    found = {}
    for split in _SPLITS if path.is_dir() else ():
        name = f"{split}_sent_emo.csv"
        if place := next((p for p in (path / name, *sorted(path.glob(f"*/{name}"))) if p.is_file()), None):
            found[split] = place
    return found


def _clips(path: Path, files: Iterable[Path]) -> dict[tuple[str, str], str]:
    """Split and name of an utterance -> its file, relative to the root."""
    found: dict[tuple[str, str], str] = {}
    for file in files:
        if _NAMES.fullmatch(file.stem):
            found.setdefault((_split(file.relative_to(path)), file.stem), file.relative_to(path).as_posix())
    return found


def _split(file: Path) -> str:
    """The split whose name a folder on the way to the file bears; the nearest folder counts."""
    for folder in reversed(file.parts[:-1]):
        for split in _SPLITS:
            if split in re.split(r"[\W_]+", folder.lower()):
                return split
    return ""


def _read_split(
    file: Path, split: str, sound: dict[tuple[str, str], str], sight: dict[tuple[str, str], str]
) -> pd.DataFrame:
    table = parse_csv("\n".join(read_lines(file)), file)
    require_columns(table, ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"), file)
    clip = "dia" + table["Dialogue_ID"] + "_utt" + table["Utterance_ID"]
    ids = f"{split}_" + clip
    known = {"Season": "season", "Episode": "episode", "StartTime": "episode_start", "EndTime": "episode_end"}
    return pd.DataFrame(
        {
            "id": ids,
            "split": _SPLITS[split],
            "speaker": table["Speaker"],
            "session": f"{split}_dia" + table["Dialogue_ID"],
            "script": ids,
            "text": table["Utterance"],
            "audio": [sound.get((split, name)) for name in clip],
            "video": [sight.get((split, name)) for name in clip],
            "label": table["Emotion"],
            **{ours: table[theirs] for theirs, ours in {"Sentiment": "sentiment", **known}.items() if theirs in table},
        }
    )
