"""Standard error of a service holds what Python tells there, and nothing of an upload."""

import ctypes
import logging
import sys

import pytest

from affectspace.app.service.own_log import own_log
from affectspace.media import read_audio


def test_what_libraries_write_is_dropped_and_what_python_logs_is_kept(capfd):
    write = ctypes.CDLL(None).write
    with own_log():
        write(2, b"a client's words\n", 17)
        logging.lastResort.handle(logging.makeLogRecord({"msg": "a fault of the service", "levelno": logging.ERROR}))
        print("told", file=sys.stderr)
    write(2, b"as ever\n", 8)
    assert capfd.readouterr().err == "a fault of the service\ntold\nas ever\n"


def test_it_ends_with_a_fault(capfd):
    before = sys.stderr
    with pytest.raises(ValueError, match="out"), own_log():
        raise ValueError("out")
    assert sys.stderr is before
    print("as ever", file=sys.stderr)
    assert capfd.readouterr().err == "as ever\n"


def test_words_between_the_frames_of_an_mp3_are_not_told(tmp_path, capfd):
    """The library that reads MP3 tells four bytes of what is no frame, each time."""
    soundfile = pytest.importorskip("soundfile")
    if "MP3" not in soundfile.available_formats():
        pytest.skip("this build of libsndfile writes no MP3")
    import numpy as np

    whole = tmp_path / "whole.mp3"
    soundfile.write(whole, np.random.default_rng(0).normal(0, 0.1, 32_000), 16_000, format="MP3")
    content, parts = whole.read_bytes(), []
    for start in range(0, len(content), 1_000):
        parts += [content[start : start + 1_000], b"My name is Jane Roe"]
    mixed = tmp_path / "mixed.mp3"
    mixed.write_bytes(b"".join(parts))
    read_audio(mixed)
    assert capfd.readouterr().err  # else there is nothing to be dropped, and the next line proves nothing
    with own_log():
        read_audio(mixed)
    assert capfd.readouterr().err == ""
