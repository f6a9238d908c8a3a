"""What an upload is by its first bytes, whatever its name and its sender say."""

from typing import Literal, NamedTuple

__all__ = ["HEAD", "Kind", "kind_of"]

HEAD = 512
"""Bytes that are enough to tell."""

Medium = Literal["audio", "image", "video", "text", ""]


class Kind(NamedTuple):
    """What some bytes are.

    Args:
        medium: ``"audio"`` and ``"image"`` are of formats that are read; empty for what is none of these.
        name: as people call it.
    """

    medium: Medium
    name: str


# Where the mark stands, the mark, and what it is a mark of. Of those that begin alike the longer one comes first.
MARKS: tuple[tuple[int, bytes, Kind], ...] = (
    (8, b"WAVE", Kind("audio", "a WAV recording")),
    (8, b"AIFF", Kind("audio", "an AIFF recording")),
    (8, b"AIFC", Kind("audio", "an AIFF recording")),
    (0, b"fLaC", Kind("audio", "a FLAC recording")),
    (0, b"OggS", Kind("audio", "an Ogg recording")),
    (0, b"ID3", Kind("audio", "an MP3 recording")),
    (0, b".snd", Kind("audio", "an AU recording")),
    (0, b"caff", Kind("audio", "a CAF recording")),
    (0, b"\x89PNG\r\n\x1a\n", Kind("image", "a PNG picture")),
    (0, b"\xff\xd8\xff", Kind("image", "a JPEG picture")),
    (0, b"GIF87a", Kind("image", "a GIF picture")),
    (0, b"GIF89a", Kind("image", "a GIF picture")),
    (8, b"WEBP", Kind("image", "a WebP picture")),
    (0, b"II*\0", Kind("image", "a TIFF picture")),
    (0, b"MM\0*", Kind("image", "a TIFF picture")),
    (8, b"AVI ", Kind("video", "an AVI video")),
    (4, b"ftyp", Kind("video", "an MP4 or QuickTime file")),
    (0, b"\x1aE\xdf\xa3", Kind("video", "a Matroska or WebM file")),
    (0, b"%PDF", Kind("", "a PDF document")),
    (0, b"PK\x03\x04", Kind("", "a ZIP archive")),
    (0, b"\x1f\x8b", Kind("", "a gzip archive")),
    (0, b"\x7fELF", Kind("", "a program")),
    (0, b"MZ", Kind("", "a program")),
    (0, b"\x80\x04\x95", Kind("", "a Python pickle")),
    (0, b"BM", Kind("image", "a BMP picture")),
)
BOXED = {
    b"WAVE": (b"RIFF", b"RF64"),
    b"WEBP": (b"RIFF",),
    b"AVI ": (b"RIFF",),
    b"AIFF": (b"FORM",),
    b"AIFC": (b"FORM",),
}


def kind_of(content: bytes | bytearray) -> Kind:
    """What some bytes begin as.

    Args:
        content: a file, or its first :data:`HEAD` bytes.

    Example:
        >>> kind_of(b"RIFF....WAVEfmt ")
        Kind(medium='audio', name='a WAV recording')
        >>> kind_of(b"<!doctype html><title>404")
        Kind(medium='text', name='text')
        >>> kind_of(bytes(64))
        Kind(medium='', name='of no known type')
    """
    head = bytes(content[:HEAD])
    if not head:
        return Kind("", "empty")
    for at, mark, kind in MARKS:
        if head.startswith(mark, at) and head.startswith(BOXED.get(mark, b"")):
            return kind
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return Kind("image", "a PPM picture")
    if head[0] == 0xFF and len(head) > 1 and head[1] & 0xE0 == 0xE0 and head[1] & 0x06:  # a frame of layer I, II or III
        return Kind("audio", "an MP3 recording")
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # the head may end within a character, which is no fault of the text
        text = head[: error.start].decode("utf-8") if error.start >= len(head) - 3 and len(head) == HEAD else "\0"
    if all(sign.isprintable() or sign in "\t\n\r\f" for sign in text):
        return Kind("text", "text")
    return Kind("", "of no known type")
