"""BU-3DFE: posed faces of 100 people, six expressions at four intensities and a neutral one; its 2D images.

Layout (Binghamton University): ``F0001/F0001_AN01WH_F2D.bmp`` is sex and number, expression, intensity (01 to 04,
00 for neutral), ancestry, and the frontal photograph; scans (.wrl) and textures (F3D) are left out.
"""

import re
from pathlib import Path

from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.expression_codes import CODES, EXPRESSIONS, LABEL_MAP
from affectspace.corpora.layout import has_image_named, images_from_names, make_corpus

__all__ = ["NAME", "matches", "read"]

NAME = "bu3dfe"
_NAMES = re.compile(
    rf"(?P<speaker>[FM]\d{{4}})_(?P<expression>{CODES})0(?P<intensity>[0-4])(?P<ancestry>[A-Z]{{2}})_F2D"
)
_CARD = Card(
    name=NAME,
    licence="agreement with Binghamton University: research only, no redistribution",
    citation="Yin, Wei, Sun, Wang & Rosato, A 3D Facial Expression Database for Facial Behavior Research, FG 2006",
    label_map=LABEL_MAP,
    note="Posed. Everybody shows everything, at four intensities, of which the lowest are faint: say which are used. "
    "Only frontal photographs are read.",
)


def matches(path: Path) -> bool:
    """Whether an image below ``path`` is named as BU-3DFE names its photographs."""
    return has_image_named(path, _NAMES)


def read(path: Path) -> Corpus:
    """The photographs of BU-3DFE below ``path``."""
    path = Path(path)
    items = images_from_names(path, _NAMES, "BU-3DFE", "F0001/F0001_AN01WH_F2D.bmp")
    items["label"] = items.pop("expression").map(EXPRESSIONS)
    items["sex"] = items["speaker"].str[0].map({"F": "female", "M": "male"})
    return make_corpus(path, items, _CARD)
