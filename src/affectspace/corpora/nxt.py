"""Files of the NITE XML Toolkit: XML read with care, and the words of a speaker with their times."""

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pandas as pd

from affectspace.errors import InputError

__all__ = ["nxt_words", "read_nxt"]

ID = "{http://nite.sourceforge.net/}id"


def read_nxt(file: Path) -> Element:
    """The root of an XML file that declares no document type, and so has no entities of its own to unfold or fetch.

    Raises:
        InputError: it has a document type, or another encoding than one that contains ASCII; or it is broken XML, of
            which the line is named.
    """
    content = file.read_bytes()
    # Every encoding that the parser takes and in which this could be written in other bytes has zero bytes.
    if b"<!DOCTYPE" in content or b"\0" in content:
        what = "has zero bytes" if b"\0" in content else "declares a document type (<!DOCTYPE), which NXT files do not"
        raise InputError(f"{file} {what}; copy the file again from the release")
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        line, why = error.position[0], str(error).partition(":")[0]
        raise InputError(f"{file} line {line} is broken XML: {why}; copy the file again from the release") from None


def nxt_words(file: Path) -> pd.DataFrame:
    """The words of a file such as ``ES2002a.A.words.xml``: ``start``, ``end`` in seconds and ``word``.

    Punctuation goes with the word before it. What is no word (laughter, gaps, marks of repair) and words without
    times are left out.

    Raises:
        InputError: as :func:`read_nxt`; or a time that is no number, or an end before its start.
    """
    rows: list[list] = []
    for element in read_nxt(file):
        if element.tag != "w":
            continue
        text = (element.text or "").strip()
        if element.get("punc") == "true":
            if rows:
                rows[-1][2] += text
            continue
        start, end = (_seconds(file, element, name) for name in ("starttime", "endtime"))
        if text and start is not None and end is not None:
            if end < start:
                raise InputError(f"{file}: the word {element.get(ID)} ends at {end:g}, before its start {start:g}")
            rows.append([start, end, text])
    return pd.DataFrame(rows, columns=["start", "end", "word"])


def _seconds(file: Path, element: Element, name: str) -> float | None:
    written = element.get(name, "").strip()
    try:
        return float(written) if written else None
    except ValueError:
        raise InputError(
            f"{file}: {name} of {element.get(ID)} is {written!r}; it must be seconds; copy the file again from the "
            "release"
        ) from None
