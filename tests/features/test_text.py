"""What is a word, in several scripts, and when texts are alike."""

import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.errors import MediaError
from affectspace.features.text import quoted, read_text, text_sha256, word_spans


def words(text):
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't, you know...", ["I", "don't", "you", "know"]),
        ("'Tis rock 'n' roll, goin'", ["Tis", "rock", "n", "roll", "goin"]),
        ("don’t  l’été\n\tfin", ["don’t", "l’été", "fin"]),
        ("a''b snake_case well-known", ["a", "b", "snake", "case", "well", "known"]),
        ("3.5 km am 2. Mai", ["3", "5", "km", "am", "2", "Mai"]),
        ("मुझे खुशी है", ["मुझे", "खुशी", "है"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("Ich bin trau\u00adrig", ["Ich", "bin", "trau\u00adrig"]),
        ("Злой, злой!", ["Злой", "злой"]),
        ("❤\ufe0f ok 🙂", ["ok"]),
        ("?! ... ''", []),
        ("", []),
        ("a\0b", ["a", "b"]),
    ],
)
def test_words_of_several_scripts(text, expected):
    assert words(text) == expected


@given(st.text(alphabet="aé\u0301Я1'’ -_?❤\ufe0fक\u093f\u200c\n\0"))
def test_words_begin_with_a_letter_or_digit_and_nothing_lies_between(text):
    def tells(character):
        return unicodedata.category(character)[0] in {"L", "N"}

    spans = word_spans(text)
    assert all(tells(text[start]) for start, _ in spans)
    assert all(start < end for start, end in spans)
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    covered = {place for span in spans for place in range(*span)}
    assert all(place in covered for place, character in enumerate(text) if tells(character))


@given(st.text(alphabet="ab1 '.-"))
def test_in_plain_ascii_it_is_a_pattern(text):
    assert words(text) == re.findall(r"[ab1]+(?:'[ab1]+)*", text)


def test_one_letter_in_two_spellings_is_one_text():
    composed, apart = "\u00e9t\u00e9", "e\u0301te\u0301"
    assert read_text(apart) == read_text(composed) == composed
    assert text_sha256(read_text(apart)) == text_sha256(composed) != text_sha256("ete")


@pytest.mark.parametrize("text", ["", "  ", "\n\t\u00a0"])
def test_an_empty_text(text):
    with pytest.raises(MediaError, match="the text is empty; leave the item out"):
        read_text(text)


def test_half_a_character_has_a_hash_and_can_be_quoted():
    assert len(text_sha256("\ud800")) == 64
    assert quoted("\ud800").isascii()
