"""AMI: English meetings of three to five people, about 100 hours with every word and its time, no emotions.

Layout (the manual annotations in NXT format, release 1.6.2 and later; groups.inf.ed.ac.uk/ami/corpus), in the folder
or one below it::

    corpusResources/meetings.xml       <meeting observation="ES2002a"> with a <speaker nxt_agent="A" channel="0"
                                       camera="Closeup1" global_name="MEE006" role="ID"/> for each
    words/ES2002a.A.words.xml          <w starttime="50.42" endtime="50.99">Okay</w>

and the recordings under their names anywhere below the folder: a headset each (``ES2002a.Headset-0.wav``, 0 being the
channel), else all headsets mixed (``ES2002a.Mix-Headset.wav``), and the close-up of each (``ES2002a.Closeup1.avi``).
All run on one clock.

What is made of it: meetings are not cut, so items are segments of 7.2 s, centred on the middle one of three consecutive
words, side by side; see :func:`affectspace.corpora.segments.word_segments`. Segments end by the last word of their
meeting. ``text`` is what the speaker says in them. The speaker is the participant, whose first letter is the sex; the
session is the meeting, and ``series`` holds the meetings of one group together. A meeting or speaker without a
transcript is left out and named in the corpus's note. The release's own segments, of no set length, are not read.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import audio_by_name, make_corpus, refuse_no_items, video_by_name
from affectspace.corpora.nxt import nxt_words, read_nxt
from affectspace.corpora.segments import word_segments
from affectspace.errors import InputError

__all__ = ["LENGTH", "NAME", "matches", "read"]

NAME = "ami"
LENGTH = 7.2  # seconds of a segment, as Liang, Li & Jin (2020) take them
_MEETINGS = "corpusResources/meetings.xml"
_SEXES = {"F": "female", "M": "male"}
_TOLD = ("nxt_agent", "global_name", "channel", "camera", "role")
_NOTE = "Nobody has judged emotions. The meetings of one series are held by the same people."


class _Speaker(NamedTuple):
    """Somebody in a meeting, by the letter of their file there and by the name that is theirs in all meetings."""

    meeting: str
    agent: str
    name: str
    channel: str
    camera: str
    role: str


def matches(path: Path) -> bool:
    """Whether ``path`` holds AMI's list of meetings and a folder of words, at its top or one folder below."""
    return _annotations(path) is not None


def read(path: Path, length: float = LENGTH) -> Corpus:
    """AMI below ``path``, as unlabelled segments.

    Args:
        path: the folder that the annotations and the recordings lie below.
        length: of a segment in seconds.

    Raises:
        InputError: no list of meetings, no transcript of any of them, broken XML (with its line) or times, or two
            recordings of one name.
    """
    path = Path(path)
    folder = _annotations(path)
    if folder is None:
        raise InputError(f"{path} holds no annotations of AMI; looked for {_MEETINGS} beside a folder words")
    sound, sight = audio_by_name(path), video_by_name(path)
    rows: list[pd.DataFrame] = []
    missing: dict[str, int] = {}
    for meeting, speakers in _meetings(folder / _MEETINGS):
        files = {speaker: folder / "words" / f"{meeting}.{speaker.agent}.words.xml" for speaker in speakers}
        words = {speaker: nxt_words(file) for speaker, file in files.items() if file.is_file()}
        if len(words) < max(len(speakers), 1):
            missing[meeting] = len(words)
        until = max((said["end"].max() for said in words.values() if len(said)), default=0.0)
        rows += [_items(speaker, said, length, until, sound, sight) for speaker, said in words.items()]
    items = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    refuse_no_items(items, path, "transcripts of AMI", "words/ES2002a.A.words.xml and its like, of three words or more")
    card = Card(
        name=NAME,
        licence="CC BY 4.0",
        citation="Carletta et al., The AMI Meeting Corpus: A Pre-announcement, Machine Learning for Multimodal "
        "Interaction 2005",
        language="en",
        note=" ".join(filter(None, (_NOTE, _left_out(missing)))),
    )
    return make_corpus(path, items, card)


def _annotations(path: Path) -> Path | None:
    if not path.is_dir():
        return None
    found = (file.parents[1] for file in (path / _MEETINGS, *sorted(path.glob(f"*/{_MEETINGS}"))) if file.is_file())
    return next((folder for folder in found if (folder / "words").is_dir()), None)


def _meetings(file: Path) -> Iterator[tuple[str, list[_Speaker]]]:
    """Each meeting and who is in it, in the order of their names."""
    found = {}
    for meeting in read_nxt(file).iter("meeting"):
        name = meeting.get("observation", "")
        told = [[one.get(key, "") for key in _TOLD] for one in meeting.iter("speaker")]
        if not re.fullmatch(r"\w+", name) or not all(re.fullmatch(r"\w+", agent) for agent, *_ in told):
            raise InputError(f"{file} names a meeting {name!r} or a speaker in it by no letters; copy the file again")
        found[name] = [_Speaker(name, *speaker) for speaker in sorted(told)]
    yield from sorted(found.items())


def _items(
    speaker: _Speaker, words: pd.DataFrame, length: float, until: float, sound: dict[str, str], sight: dict[str, str]
) -> pd.DataFrame:
    segments = word_segments(words, length, until)
    own = f"{speaker.meeting}.Headset-{speaker.channel}"
    ids = [f"{speaker.meeting}.{speaker.agent}.{round(100 * start):06}" for start in segments["start"]]
    return segments.assign(
        id=ids,
        script=ids,  # what happens to be said twice is no sentence from a list
        speaker=speaker.name or f"{speaker.meeting}.{speaker.agent}",
        session=speaker.meeting,
        series=speaker.meeting.rstrip("abcdefghijklmnopqrstuvwxyz"),
        audio=sound.get(own) or sound.get(f"{speaker.meeting}.Mix-Headset"),
        video=sight.get(f"{speaker.meeting}.{speaker.camera}"),
        sex=_SEXES.get(speaker.name[:1]),
        role=speaker.role or None,
    )


def _left_out(missing: dict[str, int]) -> str:
    """A sentence on the meetings of which no transcript, or not everybody's, is there; empty where there are none."""
    told = []
    for some, what in ((False, "no transcript"), (True, "no transcript of somebody")):
        names = [meeting for meeting, files in missing.items() if bool(files) is some]
        if names:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            told.append(f"{what} for {len(names)} meeting{'s' if len(names) > 1 else ''} ({shown})")
    return f"There is {' and '.join(told)}; put the files into words, or go without." if told else ""
