"""ESD, Emotional Speech Dataset: 350 parallel sentences in five emotions by 10 Mandarin and 10 English speakers.

Layout (github.com/HLTSingapore/Emotional-Speech-Data): ``0001/Angry/0001_000351.wav``, in the first release
with a folder ``train``, ``evaluation`` or ``test`` between, and ``0001/0001.txt`` of lines
``0001_000351<TAB>text<TAB>emotion`` in UTF-8, UTF-16, GB 2312 or Latin-1, depending on the speaker.
Speakers 0001 to 0010 are Mandarin, 0011 to 0020 English; the 350 sentences repeat in the order of the
numbers: neutral 1 to 350, angry 351 to 700, and so on.
"""

import re
from pathlib import Path

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import has_audio_named, items_from_names, make_corpus, read_lines

__all__ = ["NAME", "matches", "read"]

NAME = "esd"
_NAMES = re.compile(r"(?P<speaker>\d{4})_(?P<number>\d{6})")
_LINE = re.compile(r"\s*(\d{4}_\d{6})\s+(.+?)\s+\S+\s*")
_EMOTIONS = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
_SPLITS = {"train": "train", "evaluation": "validate", "test": "test"}
_SENTENCES = 350
_CARD = Card(
    name=NAME,
    licence="research only, by licence agreement",
    citation="Zhou, Sisman, Liu & Li, Emotional Voice Conversion: Theory, Databases and ESD, "
    "Speech Communication 137, 2022",
    label_map={"Neutral": "neutral", "Angry": "angry", "Happy": "happy", "Sad": "sad", "Surprise": "surprised"},
    note="Acted. The published split has every speaker in train, evaluation and test; it keeps sentences apart, not "
    "speakers. Transcripts of some speakers hold slips and other encodings, so scripts are told by file number.",
)


def matches(path: Path) -> bool:
    """Whether an audio file below ``path`` is named as ESD names them."""
    return has_audio_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """ESD below ``path``; text where the speakers' transcripts are there."""
    path = Path(path)
    items = items_from_names(path, _NAMES, "ESD", "0001/Angry/0001_000351.wav")
    number = items.pop("number").astype(int) - 1
    mandarin = items["speaker"].astype(int) <= 10
    items["language"] = mandarin.map({True: "zh", False: "en"})
    items["label"] = (number // _SENTENCES).map(dict(enumerate(_EMOTIONS)))
    items["script"] = items["language"] + "-" + (number % _SENTENCES + 1).astype("string")
    items["split"] = items["audio"].str.split("/").str[-2].map(_SPLITS)
    items["text"] = items["id"].map(_transcripts(path))
    return make_corpus(path, items.astype({"text": "string"}), _CARD)


def _transcripts(path: Path) -> dict[str, str]:
    texts = {}
    for file in sorted(path.rglob("[0-9][0-9][0-9][0-9].txt")):
        for line in read_lines(file, "gb18030" if file.stem <= "0010" else "cp1252"):
            if fit := _LINE.fullmatch(line):
                texts[fit[1]] = fit[2]
    return texts
