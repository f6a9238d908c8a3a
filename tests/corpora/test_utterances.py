"""Recordings of no utterance are named with what becomes of them, whether a file or a part of one."""

import numpy as np
import pytest

from affectspace.corpora import check, odd_lengths, open_corpus
from affectspace.media import write_audio


@pytest.fixture
def lay(tmp_path):
    """``lay({"name": seconds}, *rows)``: a corpus of noise, its rows ``id,audio,start,end``."""

    def write(sounds, *rows):
        for name, seconds in sounds.items():
            samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * 8000)).astype(np.float32)
            write_audio(tmp_path / name, samples, 8000)
        (tmp_path / "items.csv").write_text("\n".join(["id,audio,start,end", *rows]) + "\n")
        return open_corpus(tmp_path)

    return write


def test_items_of_no_utterance_are_named_with_what_becomes_of_them(lay):
    sounds = {"short.wav": 0.1, "fits.wav": 0.3, "long.wav": 61, "whole.wav": 60}
    rows = [f"{name[0]},{name},," for name in sounds]
    corpus = lay(
        sounds, *rows, "part,long.wav,1,61", "cut,long.wav,1,1.2", "end,long.wav,60.9,", "none,,,", "back,long.wav,2,1"
    )
    short, long = odd_lengths(corpus)
    assert short == (
        "3 items have less than 0.3 s of sound, such as s (0.1 s), which holds hardly a syllable: training uses such a "
        "recording where its features can be made, and affectspace predict refuses it; leave it out"
    )
    assert long.startswith("1 item has more than 60 s of sound, such as l (61 s), which holds many utterances: ")
    assert long.endswith("and affectspace predict refuses it; cut it by the columns start and end")


def test_a_corpus_of_utterances_or_of_files_that_are_faults_says_nothing(lay, tmp_path):
    corpus = lay({"a.wav": 1}, "a,a.wav,,", "b,gone.wav,,", "c,../out.wav,,")
    assert odd_lengths(corpus) == []
    assert {fault.item for fault in check(corpus)} == {"b", "c"}
