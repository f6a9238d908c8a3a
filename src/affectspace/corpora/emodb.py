"""EmoDB, the Berlin Database of Emotional Speech: German, acted, 535 utterances of 10 speakers.

Layout, as in the archive of emodb.bilderbar.info (its page "Additional Information" explains the names):
``wav/03a01Fa.wav`` is speaker 03, sentence a01, emotion F, version a; ``erkennung.txt`` (Latin-1,
decimal commas, columns Satz, erkannt, natürlich) holds the percentages of 20 listeners.
"""

import re
from pathlib import Path

import pandas as pd

from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus, Scale
from affectspace.corpora.layout import has_audio_named, items_from_names, make_corpus, read_lines

__all__ = ["NAME", "matches", "read"]

NAME = "emodb"
_NAMES = re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<letter>[WLEAFTN])(?P<version>[a-z]?)")
_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
_MEN = {"03", "10", "11", "12", "15"}
_CARD = Card(
    name=NAME,
    licence="free for research; the Zenodo release is listed as CC0",
    citation="Burkhardt, Paeschke, Rolfes, Sendlmeier & Weiss, A Database of German Emotional Speech, Interspeech 2005",
    language="de",
    scales={"recognised_as_intended_pct": Scale(0, 100), "judged_natural_pct": Scale(0, 100)},
    label_map={
        "anger": "angry",
        "boredom": "bored",
        "disgust": "disgusted",
        "fear": "fearful",
        "happiness": "happy",
        "sadness": "sad",
        "neutral": "neutral",
    },
    note="Acted; only utterances that most listeners recognised were published. What the others heard is not known.",
)


def matches(path: Path) -> bool:
    """Whether an audio file below ``path`` is named as EmoDB names them."""
    return has_audio_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """EmoDB below ``path``, with the listeners' percentages where ``erkennung.txt`` is there."""
    path = Path(path)
    items = items_from_names(path, _NAMES, "EmoDB", "wav/03a01Fa.wav")
    items["label"] = items.pop("letter").map(_EMOTIONS)
    items["text"] = items["sentence"].map(_TEXTS)
    items["sex"] = items["speaker"].isin(_MEN).map({True: "male", False: "female"})
    return make_corpus(path, items, _CARD, _percentages(path, set(items["id"])))


def _percentages(path: Path, known: set[str]) -> pd.DataFrame:
    judged = []
    for file in sorted(path.rglob("erkennung.txt")):
        for line in read_lines(file, "latin-1"):
            name, *figures = line.replace("\xa0", " ").replace(",", ".").split()[:3] or [""]
            item = Path(name).stem
            if item in known and len(figures) == 2:
                judged += [
                    (item, "mean", dimension, figure) for dimension, figure in zip(_CARD.scales, figures, strict=True)
                ]
    return pd.DataFrame(judged, columns=list(RATING_COLUMNS)).drop_duplicates(["item", "dimension"])
