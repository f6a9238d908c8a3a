"""MSP-IMPROV: English, improvised and read in pairs, 8,438 turns of 12 actors in six sessions, judged by a crowd.

Layout (the release's readme; Busso et al. 2017): recordings
``session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav`` (also below a folder ``Audio``) are target sentence and
intended emotion, speaker, scenario (R target sentence read, T target sentence improvised, S other turns of
the improvisation, P between the recordings), who and turn. ``Evalution.txt`` (sic; ``Evaluation.txt`` in some
copies) holds blocks of one turn and its workers::

    UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.600000; V:3.200000; D:3.000000 ; N:3.400000;
    A1B2C3D4; Neutral; Neutral,Frustrated; A:3.000000; V:3.000000; D:3.000000; N:4.000000;

What is made of it: a worker's main category is a rating of ``emotion``, all that apply are ratings of
``emotion_secondary``, the attributes are ``activation``, ``valence``, ``dominance`` and ``naturalness``, 1 to
5. A turn without workers' lines gets the published means, by the rater ``mean``. Turns that say the target
sentence (R and T) share its script; others share none.
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.layout import audio_by_name, make_corpus, read_lines
from affectspace.errors import InputError

__all__ = ["NAME", "matches", "read"]

NAME = "msp_improv"
_FILES = ("Evalution.txt", "Evaluation.txt")
_TURN = re.compile(
    r"(?:UTD|MSP)-IMPROV-(?P<rest>S(?P<sentence>\d\d)(?P<acted>[A-Z])-(?P<speaker>[FM](?P<pair>\d\d))-(?P<scenario>[A-Z])-\w+)"
    r"\.(?:avi|wav)"
)
_ATTRIBUTES = {"A": "activation", "V": "valence", "D": "dominance", "N": "naturalness"}
_VALUE = re.compile(r"([AVDN])\s*:\s*(\d+(?:\.\d+)?)")
_SCENARIOS = {"R": "read", "T": "target", "S": "improvised", "P": "natural"}
_CARD = Card(
    name=NAME,
    licence="signed licence of UT Dallas, research only",
    citation="Busso, Parthasarathy, Burmania, AbdelWahab, Sadoughi & Mower Provost, MSP-IMPROV: An Acted Corpus of "
    "Dyadic Interactions to Study Emotion Perception, IEEE Trans. Affective Computing 8(1), 2017",
    language="en",
    scales={name: Scale(1, 5) for name in _ATTRIBUTES.values()},
    label_map={
        "A": "angry",
        "H": "happy",
        "S": "sad",
        "N": "neutral",
        "O": "",
        "X": "",
        "Angry": "angry",
        "Happy": "happy",
        "Sad": "sad",
        "Neutral": "neutral",
        "Other": "",
        "Surprised": "surprised",
        "Excited": "excited",
        "Fearful": "fearful",
        "Frustrated": "frustrated",
        "Disgusted": "disgusted",
        "Depressed": "depressed",
    },
    note="Label X means that workers did not agree, O another emotion. Both actors of a session play together: keep "
    "sessions apart. The target sentences are the same in every session and emotion.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds the evaluations of MSP-IMPROV under either spelling."""
    return _evaluations(path) is not None


def read(path: Path) -> Corpus:
    """MSP-IMPROV in ``path``, the folder of ``Evalution.txt`` and the sessions.

    Raises:
        InputError: no evaluations, none of a turn, or two recordings of one name.
    """
    path = Path(path)
    evaluations = _evaluations(path)
    if evaluations is None:
        raise InputError(f"{path} holds no evaluations of MSP-IMPROV; looked for {' and '.join(_FILES)}")
    recordings = audio_by_name(path)
    turns, ratings, means = [], [], []
    turn, heard = "", set()
    for number, line in enumerate(read_lines(evaluations), start=1):
        fields = [field.strip() for field in line.split(";")]
        attributes = [(_ATTRIBUTES[letter], value) for letter, value in _VALUE.findall(line)]
        if (fit := _TURN.fullmatch(fields[0])) and len(fields) > 1:
            turn = f"MSP-IMPROV-{fit['rest']}"
            means += [(turn, "mean", dimension, value) for dimension, value in attributes]
            turns.append(
                {
                    "id": turn,
                    "audio": recordings.get(turn),
                    "speaker": fit["speaker"],
                    "session": f"session{int(fit['pair'])}",
                    "script": f"sentence{fit['sentence']}" if fit["scenario"] in "RT" else turn,
                    "label": fields[1],
                    "sex": {"F": "female", "M": "male"}[fit["speaker"][0]],
                    "scenario": _SCENARIOS.get(fit["scenario"], fit["scenario"]),
                    "acted": fit["acted"],
                }
            )
        elif "-IMPROV-" in fields[0]:  # what follows would be taken for judgements of the turn before
            raise InputError(
                f"{evaluations} line {number} names no turn: {line!r}; copy the file again from the release"
            )
        elif turn and len(fields) > 2 and (turn, fields[0]) not in heard:
            worker = fields[0]
            heard.add((turn, worker))  # some workers judged a turn twice; their first judgement counts
            named = [("emotion", fields[1]), *(("emotion_secondary", c.strip()) for c in fields[2].split(","))]
            ratings += [(turn, worker, dimension, value) for dimension, value in [*named, *attributes] if value]
    if not turns:
        raise InputError(
            f"{evaluations} names no turn; expected lines like UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.6; ..."
        )
    items = pd.DataFrame(turns).drop_duplicates("id")
    judged = {turn for turn, _ in heard}
    ratings += [rating for rating in means if rating[0] not in judged]
    return make_corpus(path, items, _CARD, pd.DataFrame(ratings, columns=list(RATING_COLUMNS)))


def _evaluations(path: Path) -> Path | None:
    return next((path / name for name in _FILES if (path / name).is_file()), None)
