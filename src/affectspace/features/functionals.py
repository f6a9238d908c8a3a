"""openSMILE's functionals: one vector of statistics for a whole recording."""

import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from affectspace.errors import InputError, MediaError
from affectspace.extras import refuse_missing
from affectspace.features.waveform import at_level, read_sound

__all__ = ["FUNCTIONALS", "FUNCTIONALS_LICENCE", "Functionals", "low_level"]

VERSION = 1  # of what is done here around openSMILE; raise it when results change

# Sets of openSMILE by name, and how many functionals each has; those that openSMILE calls deprecated are left out.
FUNCTIONALS = {
    "ComParE_2016": 6373,
    "eGeMAPSv02": 88,
    "GeMAPSv01b": 62,
    "emobase": 988,
    "IS09": 384,
    "IS10": 1582,
    "IS11": 4368,
    "IS12": 6125,
    "IS13": 6373,
}
FUNCTIONALS_LICENCE = (
    "audEERING Research License: no commercial use of openSMILE, nor of features or models made with it"
)
SHORTEST = 0.2  # seconds; every set has numbers for more
LARGEST = np.float32(32767 / 32768)  # openSMILE casts to 16 bits without a limit: 1.0 would come out as -1.0


@dataclass(frozen=True)
class Functionals:
    """The front end that makes openSMILE's functionals of a recording: one frame, one number a functional.

    The numbers are those that ``opensmile.Smile(set).process_file`` gives for the same samples. A functional that is
    undefined for a recording (the pitch of one without a voiced frame) is openSMILE's 0.

    **Licence.** openSMILE is free for research, teaching and other non-commercial use (audEERING Research License).
    Commercial use of it, and of features and models made with it, needs a licence from audEERING. So it is no part of
    affectspace, but the extra ``pip install "affectspace[functionals]"``.

    Args:
        set: one of :data:`FUNCTIONALS`. ComParE_2016 is the baseline of fifteen years of challenges, eGeMAPSv02 a set
            of 88 that people can name.
        level: level in dB relative to full scale, at most 0, to which every recording is scaled first (its root mean
            square about its mean), clipped at full scale. None: recordings stay as loud as they are.
        sample_rate: to which recordings are resampled, in Hz.

    Raises:
        InputError: an unknown set, a level above full scale, or openSMILE is not installed.

    Source: Eyben, Wöllmer & Schuller, "openSMILE", ACM Multimedia 2010; Schuller et al., "The INTERSPEECH 2016
    Computational Paralinguistics Challenge" (ComParE_2016); Eyben et al., "The Geneva Minimalistic Acoustic Parameter
    Set", IEEE Trans. Affective Computing 2016 (GeMAPS, eGeMAPS).

    Example:
        >>> frontend = Functionals("eGeMAPSv02")                       # doctest: +SKIP
        >>> frontend("clip.wav").shape                                 # doctest: +SKIP
        (1, 88)
    """

    set: str = "ComParE_2016"
    level: float | None = None
    sample_rate: int = 16000

    def __post_init__(self):
        if self.set not in FUNCTIONALS:
            raise InputError(f"openSMILE has no set {self.set!r} here; legal: {', '.join(FUNCTIONALS)}")
        object.__setattr__(self, "level", None if self.level is None else float(self.level))
        if self.level is not None and not self.level <= 0:
            raise InputError(f"level is {self.level:g} dB; full scale is 0 and speech lies below, at -20 for example")
        refuse_missing(
            "functionals", "functionals need", "opensmile",
            otherwise=" (not for commercial use, see its licence), or use log_mel features",
        )  # fmt: skip

    @property
    def dimensions(self) -> int:
        """How many functionals the set has."""
        return FUNCTIONALS[self.set]

    @property
    def fingerprint(self) -> str:
        """All settings, and the versions of the computation: openSMILE's own is one of them."""
        settings = f"set={self.set} level={self.level} sample_rate={self.sample_rate}"
        return f"functionals/{VERSION} opensmile={version('opensmile')} {settings}"

    def read(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The samples that functionals are made of, read by affectspace and not by openSMILE; see :func:`read_sound`.

        Raises:
            MediaError: a file that cannot be read, or silence.
        """
        return read_sound(path, self.sample_rate, start, end)

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """Samples ``(samples,)`` in [-1, 1] to functionals ``(1, dimensions)``.

        Raises:
            MediaError: a recording too short for openSMILE, or for which it gives a number that is not finite.
            InputError: no number at all for a recording that is long enough.
        """
        smile = _smile(self.set)
        values = _processed(smile, samples, self.level, self.sample_rate)
        finite = np.isfinite(values[0])
        if not finite.all():
            where = f"{len(samples) / self.sample_rate:.4f} s of sound"
            if not finite.any() and len(samples) >= SHORTEST * self.sample_rate:
                raise InputError(
                    f"openSMILE gives no number of {self.set} for {where}; try again, and leave it out if that "
                    "does not help"
                )
            if not finite.any():
                raise MediaError(f"{where} are too short for openSMILE's {self.set}; leave it out")
            first = int(finite.argmin())
            raise MediaError(
                f"openSMILE gives {values[0, first]} for {smile.feature_names[first]} of {where} ({(~finite).sum()} of "
                f"{len(finite)} numbers are not finite); leave it out, or choose another set"
            )
        return values

    def __call__(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """Functionals ``(1, dimensions)`` of a file, or of its part from ``start`` to ``end`` seconds.

        Raises:
            MediaError: as :meth:`read` and :meth:`compute`.
        """
        return self.compute(self.read(path, start, end))


def low_level(name: str, samples: np.ndarray, level: float | None, sample_rate: int) -> np.ndarray:
    """What a set's functionals are functionals of: ``(frames, descriptors)`` at 100 frames a second.

    Args:
        name: of the set.
        samples: ``(samples,)`` in [-1, 1].
        level: to which they are scaled first, as :class:`Functionals` does it.
        sample_rate: of the samples, in Hz.

    Raises:
        MediaError: a recording too short for a number.
    """
    values = _processed(_smile(name, functionals=False), samples, level, sample_rate)
    if not np.isfinite(values).all():
        where = f"{len(samples) / sample_rate:.4f} s of sound"
        raise MediaError(f"{where} are too short for openSMILE's {name}; leave it out")
    return values


def _processed(smile: Any, samples: np.ndarray, level: float | None, sample_rate: int) -> np.ndarray:
    sound = np.clip(at_level(samples, level), -1, LARGEST).astype(np.float32)
    with _uninterrupted(), warnings.catch_warnings():  # what it warns of is told as an error by who asks
        warnings.simplefilter("ignore", UserWarning)
        return smile.process_signal(sound, sample_rate).to_numpy(dtype=np.float32)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for its end: within a callback of openSMILE it would be lost, and the functionals with it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if came:
        signal.raise_signal(signal.SIGINT)


@lru_cache(maxsize=4)
def _smile(name: str, functionals: bool = True) -> Any:
    """openSMILE at work on one set, in this process: it writes no log, and starts no thread or process."""
    import opensmile

    class Smile(opensmile.Smile):
        """One that does not read the files of every installed package, which takes longer than many a recording."""

        def to_dict(self, **_: Any) -> dict[str, Any]:
            return {}  # of what it is made; audobject would name its distribution in it, and nobody asks

    level = opensmile.FeatureLevel.Functionals if functionals else opensmile.FeatureLevel.LowLevelDescriptors
    return Smile(opensmile.FeatureSet[name], level, num_workers=1)
