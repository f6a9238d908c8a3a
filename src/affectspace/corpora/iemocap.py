r"""IEMOCAP: English, acted in pairs, 10,039 turns of 10 actors in five sessions, judged by several raters each.

Layout (the release's own README and Documentation)::

    Session1/dialog/EmoEvaluation/Ses01F_impro01.txt
    Session1/dialog/transcriptions/Ses01F_impro01.txt      Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
    Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav
    Session1/dialog/avi/DivX/Ses01F_impro01.avi

An evaluation is a block of one turn and every judgement of it::

    [6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
    C-E2:\tNeutral;\t()                             categories by evaluator E2; several are possible
    C-F1:\tNeutral;\t(curious)                      by the actress herself
    A-E3:\tval 3; act 2; dom  2;\t()                attributes by evaluator E3

What is made of it:

- Every category that a rater names is one rating of ``emotion``; attributes are ``valence``,
  ``activation`` and ``dominance``, 1 to 5. Some attributes are empty in the release and left out.
- What actors say of their own turns is kept apart as ``emotion_self``, ``valence_self`` and so on, by the
  rater ``self-F1`` or ``self-M1``, so that it never mixes with what listeners perceived.
- The recordings are cut into turns already: ``start`` and ``end`` stay empty, and the times within the
  dialogue are in ``dialog_start`` and ``dialog_end``.
- ``video`` is the film of the whole dialogue, where it is there, and ``video_start`` and ``video_end`` are those
  times. It shows both actors side by side, in 720 x 480 pixels; ``box`` is the half of the one who speaks. That the
  left half is the actor with the markers is not in the release's readme; it is what all tell who have cut the films.
- The speaker is session and sex, such as ``Ses01F``: the letter in the name of the dialogue says who wore
  the markers, the letter of the turn says who speaks.
- Scripted dialogues are the same in all sessions, so the script is the text, or the dialogue's script where
  there is no transcript. Improvised turns share no script, even if two people happen to say "yeah".
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.layout import make_corpus, read_lines
from affectspace.errors import InputError

__all__ = ["NAME", "matches", "read"]

NAME = "iemocap"
_EVALUATIONS = "Session*/dialog/EmoEvaluation/*.txt"
_TRANSCRIPTS = "Session*/dialog/transcriptions/*.txt"
_TURN = re.compile(
    r"\[(?P<start>\d+(?:\.\d+)?)\s*-\s*(?P<end>\d+(?:\.\d+)?)\]\s+(?P<id>Ses\w+_[FM]\w+)\s+(?P<label>\w+)\s+\[[^\]]*\]"
)
_JUDGEMENT = re.compile(r"(?P<kind>[CA])-(?P<rater>[EFM]\d*)\s*:(?P<values>[^(]*)")
_SPOKEN = re.compile(r"(?P<id>Ses\w+_[FM]\w+)\s+\[[^\]]*\]\s*:\s*(?P<text>.*)")
_ATTRIBUTES = {"val": "valence", "act": "activation", "dom": "dominance"}
_VALUE = re.compile(r"(val|act|dom)\s+(\d+(?:\.\d+)?)")
_SCALES = {name + suffix: Scale(1, 5) for suffix in ("", "_self") for name in _ATTRIBUTES.values()}
_HALVES = {True: "0 0 360 480", False: "360 0 360 480"}  # of the films, by whether the markers are worn
_CARD = Card(
    name=NAME,
    licence="signed release form of USC, research only",
    citation="Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee & Narayanan, IEMOCAP: interactive emotional dyadic "
    "motion capture database, Language Resources and Evaluation 42, 2008",
    language="en",
    scales=_SCALES,
    label_map={
        "ang": "angry",
        "hap": "happy",
        "sad": "sad",
        "neu": "neutral",
        "fru": "frustrated",
        "exc": "excited",
        "fea": "fearful",
        "sur": "surprised",
        "dis": "disgusted",
        "oth": "",
        "xxx": "",
        "Anger": "angry",
        "Happiness": "happy",
        "Sadness": "sad",
        "Neutral": "neutral",
        "Neutral state": "neutral",
        "Frustration": "frustrated",
        "Excited": "excited",
        "Fear": "fearful",
        "Surprise": "surprised",
        "Disgust": "disgusted",
        "Other": "",
    },
    note="Label xxx means that raters did not agree. Scripted dialogues repeat in every session, so that words "
    "leak over sessions. Both actors of a session share a room and a microphone set: keep sessions apart, not only "
    "speakers. A few published means lie outside 1 to 5. Four-class results usually merge excited into happy; say so.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds sessions with evaluations, as IEMOCAP's release does."""
    return any(_visible(path, _EVALUATIONS))


def read(path: Path) -> Corpus:
    """IEMOCAP in ``path``, the folder of ``Session1`` to ``Session5`` (those that are there).

    Raises:
        InputError: no evaluations, or neither recordings nor transcripts nor films.
    """
    path = Path(path)
    turns, ratings = [], []
    for file in _visible(path, _EVALUATIONS):
        _read_evaluation(file, path, turns, ratings)
    if not turns:
        raise InputError(f"{path} holds no evaluations of IEMOCAP; looked for {_EVALUATIONS}")
    items = pd.DataFrame(turns).drop_duplicates("id")
    spoken = [_SPOKEN.match(line.strip()) for file in _visible(path, _TRANSCRIPTS) for line in read_lines(file)]
    items["text"] = items["id"].map({fit["id"]: fit["text"] for fit in spoken if fit}).astype("string")
    if items[["audio", "video", "text"]].isna().all(axis=None):
        raise InputError(
            f"{path} holds evaluations of IEMOCAP, but neither recordings nor transcripts; "
            f"looked for Session*/sentences/wav and {_TRANSCRIPTS}"
        )
    improvised = items["id"].str.contains("_impro")
    items["script"] = items["id"].where(improvised, items["script"].mask(items["text"].notna()))
    judged = pd.DataFrame(ratings, columns=list(RATING_COLUMNS)).drop_duplicates()
    return make_corpus(path, items, _CARD, judged)


def _visible(path: Path, pattern: str) -> list[Path]:
    return [file for file in sorted(path.glob(pattern)) if not file.name.startswith(".")] if path.is_dir() else []


def _read_evaluation(file: Path, root: Path, turns: list[dict], ratings: list[tuple]) -> None:
    recordings = file.parents[2] / "sentences" / "wav"
    below = recordings.relative_to(root).as_posix() if recordings.is_dir() else None
    film = file.parents[1] / "avi" / "DivX" / f"{file.stem}.avi"
    video = film.relative_to(root).as_posix() if film.is_file() else None
    turn = ""
    for number, line in enumerate(read_lines(file), start=1):
        if line.startswith("["):
            fit = _TURN.match(line)
            if not fit:  # what follows would be taken for judgements of the turn before
                raise InputError(f"{file} line {number} begins no turn: {line!r}; copy the file again from the release")
            turn = fit["id"]
            turns.append(_turn(fit, below, video))
        elif turn and (fit := _JUDGEMENT.match(line.strip())):
            ratings += [(turn, *judgement) for judgement in _judgements(fit)]


def _turn(fit: re.Match[str], recordings: str | None, video: str | None) -> dict:
    turn = fit["id"]
    dialogue, _, who = turn.rpartition("_")
    return {
        "id": turn,
        "audio": None if recordings is None else f"{recordings}/{dialogue}/{turn}.wav",
        "video": video,
        "video_start": None if video is None else float(fit["start"]),
        "video_end": None if video is None else float(fit["end"]),
        "speaker": turn[:5] + who[0],
        "session": turn[:5],
        "script": dialogue.partition("_")[2],
        "label": fit["label"],
        "sex": {"F": "female", "M": "male"}[who[0]],
        "box": None if video is None else _HALVES[dialogue[5] == who[0]],
        "dialog": dialogue,
        "dialog_start": float(fit["start"]),
        "dialog_end": float(fit["end"]),
    }


def _judgements(fit: re.Match[str]) -> list[tuple[str, str, str]]:
    """Rater, dimension and value of everything that one line says."""
    own = not fit["rater"].startswith("E")
    rater, suffix = (f"self-{fit['rater']}", "_self") if own else (fit["rater"], "")
    if fit["kind"] == "C":
        named = [category.strip() for category in fit["values"].split(";")]
        return [(rater, f"emotion{suffix}", category) for category in named if category]
    return [(rater, _ATTRIBUTES[letters] + suffix, value) for letters, value in _VALUE.findall(fit["values"])]
