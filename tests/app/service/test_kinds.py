"""What bytes are, told by what writers of each format write."""

import io
import pickle
import zipfile

import pytest

from affectspace.app.service.kinds import kind_of


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "RF64"])
def test_every_format_of_recordings_is_told(kind, make_sound):
    found = kind_of(make_sound(kind=kind))
    assert found.medium == "audio"
    assert {"OGG": "Ogg", "RF64": "WAV"}.get(kind, kind) in found.name


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_every_format_of_pictures_is_told(kind, make_picture):
    found = kind_of(make_picture(kind=kind))
    assert found.medium == "image"
    assert kind in found.name.upper()


def test_what_is_neither():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a", "b")
    assert kind_of(archive.getvalue()).name == "a ZIP archive"
    assert kind_of(pickle.dumps({"a": 1})).name == "a Python pickle"
    assert kind_of(b"").name == "empty"
    assert kind_of("Grüße\n".encode()) == ("text", "text")
    assert kind_of(("ü" * 400).encode()) == ("text", "text")  # the head ends within a letter
    assert kind_of(("aü" * 400).encode()) == ("text", "text")
    assert kind_of(b"RIFF....XXXX").medium == "text"
    assert kind_of(b"....WAVE").medium == "text"
    assert kind_of(bytes(range(256))).medium == ""
    assert kind_of(b"\xff\xfe" + "text".encode("utf-16-le")).medium != "image"
