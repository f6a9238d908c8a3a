"""Texts to words, and the hash of a text."""

import hashlib
import unicodedata

from affectspace.errors import MediaError

__all__ = ["quoted", "read_text", "text_sha256", "word_spans"]

JOINERS = "'’\u200c\u200d\u00ad"  # what stands within a word: apostrophes, and signs that only tell how it is set
LONGEST = 40  # characters of a text that a message quotes


def read_text(text: str) -> str:
    """The text in one spelling of its characters: composed (NFC), as a letter and its accent may be one or two.

    Raises:
        MediaError: a text that is empty, or blank.

    Example:
        >>> len("e\\u0301"), len(read_text("e\\u0301"))
        (2, 1)
    """
    if not text.strip():
        raise MediaError("the text is empty; leave the item out")
    return unicodedata.normalize("NFC", text)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where each word of a text begins and ends, in its characters.

    A word is letters, digits and their accents and vowel signs, with single apostrophes between them; anything else
    (blanks, hyphens, underscores, signs, emoji) stands between words. Languages that are written without blanks must
    be divided into words before.

    Example:
        >>> text = "Well-known: I don't, 'really' 2!"
        >>> [text[start:end] for start, end in word_spans(text)]
        ['Well', 'known', 'I', "don't", 'really', '2']
    """
    kinds = [unicodedata.category(character)[0] for character in text] + [""]
    spans, begin = [], None
    for place, kind in enumerate(kinds):
        if begin is None:
            begin = place if kind in {"L", "N"} else None
        elif not (kind in {"L", "N", "M"} or (kind and text[place] in JOINERS and kinds[place + 1] in {"L", "N"})):
            spans.append((begin, place))
            begin = None
    return spans


def text_sha256(text: str) -> str:
    """Hexadecimal SHA-256 of a text in UTF-8, for the store to tell texts that are alike."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def quoted(text: str) -> str:
    """The beginning of a text, for a message.

    Example:
        >>> quoted("no"), quoted("so " * 99)
        ("'no'", "'so so so so so so so so so so so so so s...'")
    """
    return repr(text if len(text) <= LONGEST else text[:LONGEST] + "...")
