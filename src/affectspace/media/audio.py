"""Sound files to samples and back: one rate, one channel, and a sentence instead of a traceback."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from affectspace.errors import InputError, MediaError
from affectspace.files import atomic_path

__all__ = ["LONGEST", "SHORTEST", "AudioInfo", "audio_info", "read_audio", "samples_sha256", "write_audio"]

SHORTEST, LONGEST = 0.3, 60.0  # seconds of one utterance: less holds no syllable, more is many

END_SLACK = 0.05  # seconds that a part may end behind its file: tables round times to a tenth
LOUDEST = 8.0  # a float file peaking above this (18 dB over full scale) holds integers, not samples
BLOCK = 1 << 20  # samples decoded at a time, over all channels, so that many of these never lie in memory together
UNKNOWN_SIZE = 0x7FF00000  # bytes: a streaming writer leaves 0xFFFFFFFF, or nearly 2 GiB, for a size not known yet
UNKNOWN_FRAMES = 1 << 62  # frames: what libsndfile gives for a FLAC without a length


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file says of itself.

    Args:
        sample_rate: samples a second, of each channel.
        channels: 1 is mono.
        seconds: duration.
    """

    sample_rate: int
    channels: int
    seconds: float


def audio_info(path: str | Path) -> AudioInfo:
    """Rate, channels and duration from the header, without decoding.

    Raises:
        MediaError: no such file, not audio, no samples, or a header that promises more than the file holds.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "tone.flac"
        >>> write_audio(path, np.zeros(8000), 16000)
        >>> audio_info(path)
        AudioInfo(sample_rate=16000, channels=1, seconds=0.5)
    """
    with _open(Path(path)) as sound:
        return AudioInfo(sound.samplerate, sound.channels, sound.frames / sound.samplerate)


def read_audio(
    path: str | Path,
    sample_rate: int = 16000,
    start: float | None = None,
    end: float | None = None,
    max_seconds: float = 600.0,
) -> np.ndarray:
    """The samples of a file, or of a part of it: mono, at ``sample_rate``, in [-1, 1].

    Channels are averaged, then resampled (soxr, high quality) where the file has another rate, and
    clipped to [-1, 1], which resampling can overshoot. A part is cut at the file's own rate before
    it is resampled; only the part is decoded.

    Every format of libsndfile is read (WAV, FLAC, OGG, MP3, AIFF, ...). A header that promises more
    than the file holds is an error, not a shorter recording; this is checked for all compressed
    formats and for WAV, RF64 and AIFF, and other formats are read as far as they go. So is a WAV
    whose writer could not know its length and left the largest one.

    Args:
        path: the file.
        sample_rate: of the result, in Hz.
        start: seconds from the beginning; None: 0.
        end: seconds from the beginning; None: to the end. One that lies up to 0.05 s behind the
            end of the file is taken for rounding.
        max_seconds: longest part that is decoded at all.

    Returns:
        float32 samples, shape ``(samples,)``.

    Raises:
        MediaError: no such file, empty, not audio, truncated or corrupt, no samples, samples that are
            not numbers or not on a scale of 1, too long, or a part outside the file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "stereo.wav"
        >>> soundfile.write(path, np.zeros((96000, 2)), 96000)
        >>> read_audio(path, start=0.25, end=0.75).shape
        (8000,)
    """
    path = Path(path)
    with _open(path) as sound:
        first, last = _part(path, sound, start, end)
        seconds = (last - first) / sound.samplerate
        if seconds > max_seconds:
            raise MediaError(
                f"{path} is {seconds:.1f} s long and at most {max_seconds:g} s are read; "
                "cut it, or give each item its start and end"
            )
        samples = _decode(path, sound, first, last)
        rate = sound.samplerate
    if not np.isfinite(samples).all():
        raise MediaError(f"{path} holds samples that are NaN or infinite; write the file anew from its source")
    loudest = np.abs(samples).max()
    if loudest > LOUDEST:
        raise MediaError(
            f"{path} has samples up to {loudest:.6g} where full scale is 1; divide them by their true scale"
        )
    if rate != sample_rate:
        samples = soxr.resample(samples, rate, sample_rate, quality="HQ")
        if not len(samples):
            raise MediaError(f"{path} is too short ({seconds:.6f} s) to hold a sample at {sample_rate} Hz")
    return np.clip(samples, -1.0, 1.0)


def write_audio(path: str | Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write mono samples as 16-bit FLAC or WAV, by the path's ending; whole or not at all.

    Args:
        path: ends in ``.flac`` or ``.wav``.
        samples: ``(samples,)`` in [-1, 1]; rounded to steps of 1 / 32768, so that samples read from
            a 16-bit file come back as they were.
        sample_rate: in Hz.

    Raises:
        InputError: another ending, more than one channel, or samples outside [-1, 1].
    """
    path = Path(path)
    kind = path.suffix[1:].upper()
    if kind not in {"FLAC", "WAV"}:
        raise InputError(f"{path} ends in {path.suffix!r}; audio is written as .flac or .wav")
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise InputError(f"samples have shape {samples.shape}; mono samples have one dimension")
    if not (np.abs(samples) <= 1).all():  # NaN fails this too
        raise InputError(
            f"samples reach {np.abs(samples).max():.6g} and must lie in [-1, 1]; divide them by their peak"
        )
    steps = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    with atomic_path(path) as partial:
        soundfile.write(partial, steps, sample_rate, format=kind, subtype="PCM_16")


def samples_sha256(samples: np.ndarray) -> str:
    """Hexadecimal SHA-256 of what is heard: samples in [-1, 1], rounded to 16 bits.

    One recording under two names or in two lossless formats has one hash.

    Example:
        >>> samples_sha256(np.zeros(4)) == samples_sha256(np.zeros(4, dtype=np.float32))
        True
    """
    steps = np.clip(np.rint(np.asarray(samples) * 32768.0), -32768, 32767).astype("<i2")
    return hashlib.sha256(steps.tobytes()).hexdigest()


def _open(path: Path) -> soundfile.SoundFile:
    try:
        with open(path, "rb") as file:  # the system's own words for what libsndfile calls a "System error"
            size = file.seek(0, 2)
            promised, begins = _promised_bytes(file), _begins_as(file)
            cut = _lacks_last_page(file, size)
    except FileNotFoundError:
        raise MediaError(f"there is no file {path}; check the path in the table") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be opened: {error.strerror}") from error
    if size == 0:
        raise MediaError(f"{path} is an empty file of 0 bytes; copy it anew")
    if promised is not None and promised > size:
        raise _truncated(path, f"its header promises {promised} bytes and it has {size}")
    if cut:
        raise _truncated(path, "its last page is missing")
    try:
        sound = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        told = error.error_string.rstrip(".")
        if begins:
            raise MediaError(
                f"{path} begins as {begins} and cannot be read as such: {told}; it may be damaged or cut short, "
                "so copy it anew, or convert it to WAV or FLAC where it plays elsewhere"
            ) from error
        raise MediaError(f"{path} is not audio that can be read: {told}; convert it to WAV or FLAC") from error
    except TypeError:  # soundfile asks for the rate of a .raw file
        raise MediaError(f"{path} holds samples without a header; convert it to WAV or FLAC") from None
    if 0 < sound.frames < UNKNOWN_FRAMES:
        return sound
    sound.close()
    if sound.frames:
        raise MediaError(f"{path} does not say how long it is; write it anew, to a file instead of a stream")
    raise MediaError(f"{path} holds no samples; remove it or copy it anew")


def _promised_bytes(file: BinaryIO) -> int | None:
    """How long a WAV, RF64 or AIFF file must be by its header; libsndfile silently reads what is there instead."""
    file.seek(0)
    head = file.read(12)
    kind = head[:4]
    if kind not in {b"RIFF", b"RF64", b"FORM"} or len(head) < 8:
        return None
    order = "big" if kind == b"FORM" else "little"
    rest = int.from_bytes(head[4:8], order)
    wide = 0  # RF64 keeps sizes that need more than 32 bits in a chunk of their own
    while len(chunk := file.read(8)) == 8:
        size = int.from_bytes(chunk[4:], order)
        if chunk[:4] in {b"data", b"SSND"}:
            size = wide or size
            return file.tell() + size if wide or size < UNKNOWN_SIZE else None
        content = file.read(min(size, 28))
        if chunk[:4] == b"ds64" and len(content) >= 16:
            rest, wide = (int.from_bytes(content[at : at + 8], order) for at in (0, 8))
        file.seek(size + size % 2 - len(content), 1)
    return 8 + rest if wide or rest < UNKNOWN_SIZE else None  # it ends before its samples begin


def _begins_as(file: BinaryIO) -> str:
    """The format that the first bytes are of, as far as there are any; empty for another than these."""
    file.seek(0)
    head = file.read(12)
    kind, form = head[:4], head[8:]
    if kind in {b"RIFF", b"RF64"} and b"WAVE".startswith(form):  # films begin as RIFF, too
        return "WAV"
    if kind == b"FORM" and (b"AIFF".startswith(form) or form == b"AIFC"):
        return "AIFF"
    return "FLAC" if kind == b"fLaC" else ""


def _lacks_last_page(file: BinaryIO, size: int) -> bool:
    """Whether an Ogg stream ends before the page that says so; libsndfile silently reads the pages that are there."""
    file.seek(0)
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, size - 65307))  # a page is never longer
    tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    whole = len(page) > 26 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return not (whole and page[5] & 4)


def _part(path: Path, sound: soundfile.SoundFile, start: float | None, end: float | None) -> tuple[int, int]:
    """First frame and the one after the last."""
    whole = sound.frames / sound.samplerate
    begin, finish = 0.0 if start is None else float(start), whole if end is None else float(end)
    if not (0 <= begin < finish <= whole + END_SLACK and begin < whole and math.isfinite(finish)):
        raise MediaError(f"{path} has no part from {begin:g} to {finish:g} s; it runs from 0 to {whole:g} s")
    first, last = round(begin * sound.samplerate), min(round(finish * sound.samplerate), sound.frames)
    if last <= first:
        raise MediaError(
            f"{path} holds no sample between {begin:g} and {finish:g} s; its rate is {sound.samplerate} Hz"
        )
    return first, last


def _decode(path: Path, sound: soundfile.SoundFile, first: int, last: int) -> np.ndarray:
    """The frames ``first`` to ``last``, channels averaged."""
    blocks, step = [], max(1, BLOCK // sound.channels)
    try:
        if first:
            sound.seek(first)
        for at in range(first, last, step):
            block = sound.read(min(step, last - at), dtype="float32", always_2d=True)
            blocks.append(block[:, 0] if sound.channels == 1 else block.mean(axis=1))
    except soundfile.LibsndfileError as error:
        raise MediaError(f"{path} is truncated or corrupt: {error.error_string.rstrip('.')}; copy it anew") from error
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    if len(samples) < last - first:
        promised, held = last / sound.samplerate, (first + len(samples)) / sound.samplerate
        raise _truncated(path, f"its header promises sound to {promised:.3f} s and it ends at {held:.3f} s")
    return samples


def _truncated(path: Path, how: str) -> MediaError:
    return MediaError(f"{path} is truncated: {how}; copy it anew")
