"""CaFE: Canadian French, acted, 936 utterances of 12 actors, six emotions in two intensities and neutral.

Layout (Zenodo 1478765 and its Readme): ``Colère/Faible/01-C-1-1.wav`` (48 kHz; ``.aiff`` at 192 kHz) is
actor, emotion, intensity (1 Faible, 2 Fort), sentence; ``Neutre`` has no folders of intensity. Only file
names are read, since the accents of the folders come out of the archive in several spellings.
"""

import re
from pathlib import Path

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import has_audio_named, items_from_names, make_corpus

__all__ = ["NAME", "matches", "read"]

NAME = "cafe"
_NAMES = re.compile(r"(?P<speaker>\d\d)-(?P<letter>[CDJNPST])-(?P<intensity>[12])-(?P<sentence>[1-6])")
_EMOTIONS = {
    "C": "colère",
    "D": "dégoût",
    "J": "joie",
    "N": "neutre",
    "P": "peur",
    "S": "surprise",
    "T": "tristesse",
}
_TEXTS = {
    "1": "Un cheval fou dans mon jardin",
    "2": "Deux ânes aigris au pelage brun",
    "3": "Trois cygnes aveugles au bord du lac",
    "4": "Quatre vieilles truies éléphantesques",
    "5": "Cinq pumas fiers et passionnés",
    "6": "Six ours aimants domestiqués",
}
_CARD = Card(
    name=NAME,
    licence="CC BY-NC-SA 4.0",
    citation="Gournay, Lahaie & Lefebvre, A Canadian French Emotional Speech Dataset, ACM Multimedia Systems 2018",
    language="fr",
    label_map={
        "colère": "angry",
        "dégoût": "disgusted",
        "joie": "happy",
        "neutre": "neutral",
        "peur": "fearful",
        "surprise": "surprised",
        "tristesse": "sad",
    },
    note="Acted, six sentences spoken by everybody. Neutral has one intensity and half as many files as the others.",
)


def matches(path: Path) -> bool:
    """Whether an audio file below ``path`` is named as CaFE names them."""
    return has_audio_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """CaFE below ``path``."""
    path = Path(path)
    items = items_from_names(path, _NAMES, "CaFE", "Colère/Faible/01-C-1-1.wav")
    letter = items.pop("letter")
    items["label"] = letter.map(_EMOTIONS)
    items["text"] = items.pop("sentence").map(_TEXTS)
    items["intensity"] = items["intensity"].map({"1": "faible", "2": "fort"}).mask(letter == "N")
    items["sex"] = items["speaker"].astype(int).mod(2).map({1: "male", 0: "female"})
    return make_corpus(path, items, _CARD)
