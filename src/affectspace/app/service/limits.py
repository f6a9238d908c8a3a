"""What the service takes at most, asked before anything is decoded; and how many it works for at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from affectspace.app.refused import Refused
from affectspace.errors import InputError, MediaError
from affectspace.media import audio_info, image_info
from affectspace.media.audio import LONGEST, SHORTEST
from affectspace.training.predict_files import wrong_length

__all__ = ["Admission", "Limits", "refuse_picture", "refuse_recording", "refuse_text"]

MEGABYTE = 1_000_000
SAMPLES = 192_000 * 2  # a second and over all channels: what is heard needs no more, and decoding takes as long as they
FLAGS = {"timeout": "--timeout"} | {name: f"--max-{name}" for name in ("megabytes", "seconds", "pixels", "waiting")}
MOST = 10**12  # of anything
UPLOADING = 4  # requests that may still be arriving, for each that may wait for its answer


@dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Args:
        megabytes: of a request, all its files together.
        files: of a request, or texts.
        seconds: of a recording.
        pixels: of a picture.
        characters: of a text.
        timeout: seconds in which a request must have arrived, and then be answered.
        waiting: requests that may wait for their answers at once; more are told to come back.

    Raises:
        InputError: a limit that lets nothing through.

    Example:
        >>> Limits(seconds=120)
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: --max-seconds is 120; legal: 0.3 to 60, as an answer is for one utterance
    """

    megabytes: float = 20.0
    files: int = 16
    seconds: float = LONGEST
    pixels: int = 25_000_000
    characters: int = 10_000
    timeout: float = 30.0
    waiting: int = 64

    def __post_init__(self):
        if not SHORTEST <= self.seconds <= LONGEST:
            raise InputError(
                f"{FLAGS['seconds']} is {self.seconds:g}; legal: {SHORTEST:g} to {LONGEST:g}, as an answer is for one "
                "utterance"
            )
        for field in fields(self):
            if not 0 < (value := getattr(self, field.name)) < MOST:
                raise InputError(f"{FLAGS.get(field.name, field.name)} is {value:g}; legal: above 0 and below {MOST:g}")

    @property
    def bytes(self) -> int:
        """Of a request."""
        return int(self.megabytes * MEGABYTE)

    @property
    def held(self) -> int:
        """Bytes of all requests that are there at once."""
        return max(2 * self.bytes, 256 * MEGABYTE)


def refuse_recording(path: str | Path, limits: Limits) -> None:
    """Refuse by its header a recording that would be too long to hear, or too much to decode.

    Raises:
        Refused: 413 for one beyond the limits, 422 for one that is too short or cannot be read.
    """
    try:
        info = audio_info(path)
    except MediaError as error:
        raise Refused(422, str(error)) from error
    if info.seconds > limits.seconds:
        told = wrong_length(str(path), info.seconds)
        if limits.seconds < LONGEST:
            told = f"{path} is {info.seconds:.1f} s long; legal here: up to {limits.seconds:g} s, so cut it"
        raise Refused(413, told)
    if told := wrong_length(str(path), info.seconds):
        raise Refused(422, told)
    if info.sample_rate * info.channels > SAMPLES:
        raise Refused(
            413,
            f"{path} has {info.channels} channels of {info.sample_rate:,} Hz; legal: {SAMPLES:,} samples a second over "
            "all channels, so convert it to one channel of 16,000 Hz",
        )


def refuse_picture(path: str | Path, limits: Limits) -> None:
    """Refuse by its header a picture that has too many pixels to decode.

    Raises:
        Refused: 413 for one beyond the limit, 422 for one that cannot be read.
    """
    try:
        info = image_info(path)
    except MediaError as error:
        raise Refused(422, str(error)) from error
    if info.width * info.height > limits.pixels:
        raise Refused(
            413,
            f"{path} has {info.width} x {info.height} pixels; legal: {limits.pixels:,} in all, so make it smaller, or "
            "cut out the face",
        )


def refuse_text(text: str, limits: Limits) -> None:
    """Refuse a text of more characters than are read.

    Raises:
        Refused: 413.
    """
    if len(text) > limits.characters:
        raise Refused(413, f"a text has {len(text):,} characters; legal: up to {limits.characters:,}, so divide it")


class Admission:
    """Who is let in: beyond what can be answered soon, clients are told to come back (429) instead of all waiting.

    Args:
        limits: how many may wait.

    Example:
        >>> admission = Admission(Limits(waiting=1))
        >>> with admission.uploading(), admission.waiting(), admission.uploading():
        ...     pass
        Traceback (most recent call last):
        ...
        affectspace.app.refused.Refused: 1 requests wait for their answers, as many as may; ask again in a second
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self.uploads = self.answers = self.bytes = 0

    @contextmanager
    def uploading(self) -> Iterator[None]:
        """While a request arrives, and its bytes are held.

        Raises:
            Refused: 429, before a byte of it is read.
        """
        self._refuse_full()
        if self.uploads >= UPLOADING * self._limits.waiting:
            raise Refused(429, f"{self.uploads} requests are arriving, as many as may; ask again in a second", 1)
        self.uploads += 1
        try:
            yield
        finally:
            self.uploads -= 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While a request that has arrived waits for its answer.

        Raises:
            Refused: 429, where others were faster.
        """
        self._refuse_full()
        self.answers += 1
        try:
            yield
        finally:
            self.answers -= 1

    def hold(self, count: int) -> None:
        """So many bytes more are held, or fewer.

        Raises:
            Refused: 429, where those of all requests together would be too many.
        """
        if count > 0 and self.bytes + count > self._limits.held:
            raise Refused(429, "the requests of others fill the memory that is set aside; ask again in a second", 1)
        self.bytes += count

    def _refuse_full(self) -> None:
        if self.answers >= self._limits.waiting:
            raise Refused(
                429, f"{self.answers} requests wait for their answers, as many as may; ask again in a second", 1
            )
