"""How a voice moves about its own mean: statistics that speaker, microphone and language leave alone."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from affectspace.errors import MediaError
from affectspace.features.functionals import Functionals, low_level
from affectspace.features.waveform import read_sound

__all__ = ["RelativeFunctionals", "relative_statistics"]

VERSION = 2  # of what is computed here; raise it when results change

SET = "eGeMAPSv02"
# Its descriptors in their order, and of each: whether it is told by its logarithm, as ratios are, and whether its mean
# over voiced frames is compared with that over unvoiced ones, in which the microphone's part is the same.
DESCRIPTORS = {
    "Loudness_sma3": (True, False),
    "alphaRatio_sma3": (False, True),
    "hammarbergIndex_sma3": (False, True),
    "slope0-500_sma3": (False, True),
    "slope500-1500_sma3": (False, True),
    "spectralFlux_sma3": (True, True),
    "mfcc1_sma3": (False, True),
    "mfcc2_sma3": (False, True),
    "mfcc3_sma3": (False, True),
    "mfcc4_sma3": (False, True),
    "F0semitoneFrom27.5Hz_sma3nz": (False, False),
    "jitterLocal_sma3nz": (True, False),
    "shimmerLocaldB_sma3nz": (True, False),
    "HNRdBACF_sma3nz": (False, False),
    "logRelF0-H1-H2_sma3nz": (False, False),
    "logRelF0-H1-A3_sma3nz": (False, False),
    "F1frequency_sma3nz": (False, False),
    "F1bandwidth_sma3nz": (False, False),
    "F1amplitudeLogRelF0_sma3nz": (False, False),
    "F2frequency_sma3nz": (False, False),
    "F2bandwidth_sma3nz": (False, False),
    "F2amplitudeLogRelF0_sma3nz": (False, False),
    "F3frequency_sma3nz": (False, False),
    "F3bandwidth_sma3nz": (False, False),
    "F3amplitudeLogRelF0_sma3nz": (False, False),
}
LOUDNESS, PITCH = list(DESCRIPTORS).index("Loudness_sma3"), list(DESCRIPTORS).index("F0semitoneFrom27.5Hz_sma3nz")
STATISTICS = (
    "deviation", "range", "upper_range", "lower_range", "mean_step", "step_deviation", "with_loudness",
    "loud_minus_quiet", "slope",
)  # fmt: skip
TIMING = (
    "voiced_per_second", "voiced_seconds", "voiced_deviation", "voiced_share", "unvoiced_share", "loudness_range",
    "seconds",
)  # fmt: skip
RATE = 100  # frames a second
QUIET = 30  # percent of the frames, the least loud ones, which are pauses rather than speech
FEWEST = 5  # frames that are voiced, below which all loud ones stand for them, and pitch tells nothing
SMALL = 1e-3  # is added before a logarithm is taken

NAMES = (
    *(f"{name}_{told}" for name in DESCRIPTORS for told in STATISTICS),
    *(f"{name}_voiced_minus_unvoiced" for name, (_, compared) in DESCRIPTORS.items() if compared),
    *TIMING,
)


@dataclass(frozen=True)
class RelativeFunctionals:
    """The front end that tells how eGeMAPS's 25 descriptors move within an utterance, and not where they lie.

    The mean of a descriptor tells who speaks into which microphone before it tells an emotion, and is what a net
    learns first of corpora in other languages. So no mean is among these 241 numbers but those that are differences
    within the utterance; see :func:`relative_statistics`. Where features are weighed by how steady they are
    (:func:`affectspace.features.steadiness`), means are of use beside them: ``absolute`` puts eGeMAPS's own 88
    functionals before the 241. Needs openSMILE, whose licence rules out commercial use; see
    :class:`Functionals`.

    Args:
        level: in dB relative to full scale, at most 0, to which every recording is scaled first; None: as it is.
        sample_rate: to which recordings are resampled, in Hz.
        absolute: whether the functionals of the set stand before them.

    Raises:
        InputError: a level above full scale, or openSMILE is not installed.

    Source: the descriptors are those of Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set", IEEE Trans.
    Affective Computing 2016; the statistics are ours.

    Example:
        >>> RelativeFunctionals(level=-26.0)("clip.wav").shape         # doctest: +SKIP
        (1, 241)
    """

    level: float | None = None
    sample_rate: int = 16000
    absolute: bool = False

    def __post_init__(self):
        object.__setattr__(self, "level", self._functionals.level)  # which refuses for the same reasons

    @property
    def _functionals(self) -> Functionals:
        return Functionals(SET, self.level, self.sample_rate)

    @property
    def dimensions(self) -> int:
        """How many statistics there are."""
        return len(NAMES) + (self._functionals.dimensions if self.absolute else 0)

    @property
    def fingerprint(self) -> str:
        """All settings, and the versions of the computation: openSMILE's own is one of them."""
        settings = f"set={SET} level={self.level} sample_rate={self.sample_rate}{' absolute=True' * self.absolute}"
        return f"relative_functionals/{VERSION} opensmile={version('opensmile')} {settings}"

    def read(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """The samples, as :meth:`Functionals.read` gives them.

        Raises:
            MediaError: a file that cannot be read, or silence.
        """
        return read_sound(path, self.sample_rate, start, end)

    def compute(self, samples: np.ndarray) -> np.ndarray:
        """Samples ``(samples,)`` in [-1, 1] to statistics ``(1, dimensions)``.

        Raises:
            MediaError: a recording too short for openSMILE.
        """
        descriptors = low_level(SET, samples, self.level, self.sample_rate)
        if len(descriptors) < FEWEST:
            where = f"{len(samples) / self.sample_rate:.4f} s of sound"
            raise MediaError(f"{where} are too short to tell how a voice moves; leave it out")
        moves = relative_statistics(descriptors)[None]
        return np.hstack([self._functionals.compute(samples), moves]) if self.absolute else moves

    def __call__(self, path: str | Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """Statistics ``(1, dimensions)`` of a file, or of its part from ``start`` to ``end`` seconds.

        Raises:
            MediaError: as :meth:`read` and :meth:`compute`.
        """
        return self.compute(self.read(path, start, end))


def relative_statistics(descriptors: np.ndarray) -> np.ndarray:
    r"""How descriptors move within an utterance.

    Of each descriptor :math:`x` over the voiced frames (of loudness over all that are not among the 30 % least loud):
    standard deviation; the range from the 10th to the 90th percentile, and its parts above and below the median; mean
    and standard deviation of the step from a frame to the next; correlation with the logarithm of loudness; mean
    over the louder half of the frames less that over the others; slope over time, per half a second. Of those that tell
    the spectrum, the mean over voiced frames less that over unvoiced ones, too. Loudness, spectral flux, jitter and
    shimmer are told by their logarithms. At the end how much, how often and how long the voice is on.

    Where fewer than five frames are voiced, as in a whisper, all those that are not among the least loud stand for
    them, and the statistics of pitch, which most of these do not have, are 0. Where fewer than four are unvoiced and
    not among the least loud, all frames stand for them.

    A constant that is added to a descriptor of the spectrum or to pitch, as by another microphone or a deeper voice,
    changes none of it.

    Args:
        descriptors: ``(frames, 25)`` eGeMAPS's, at 100 frames a second; pitch is 0 where a frame is not voiced.

    Returns:
        ``(241,)`` float32, finite.

    Example:
        >>> relative_statistics(np.random.default_rng(0).random((50, 25))).shape
        (241,)
    """
    values = np.asarray(descriptors, dtype=np.float64).copy()
    loud = values[:, LOUDNESS]
    speech = loud > np.percentile(loud, QUIET)
    speech = speech if speech.any() else np.ones(len(loud), bool)
    voiced = values[:, PITCH] > 0
    duration = _timing(loud, speech, voiced)
    if voiced.sum() < FEWEST:
        voiced = speech
        values[:, PITCH] = 0  # how it moves from frames that have none would be how high it is
    unvoiced = speech & ~voiced
    for place, (logarithm, _) in enumerate(DESCRIPTORS.values()):
        if logarithm:
            values[:, place] = np.log(np.abs(values[:, place]) + SMALL)
    loudness = values[:, LOUDNESS]
    moves = [
        _moves(values[:, place], loudness, speech if place == LOUDNESS else voiced) for place in range(len(DESCRIPTORS))
    ]
    others = unvoiced if unvoiced.sum() > FEWEST - 2 else np.ones(len(loud), bool)
    compared = [place for place, (_, compared) in enumerate(DESCRIPTORS.values()) if compared]
    apart = [values[voiced, place].mean() - values[others, place].mean() for place in compared]
    return np.nan_to_num(np.concatenate([*moves, apart, duration])).astype(np.float32)


def _moves(values: np.ndarray, loudness: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """``(9,)`` the :data:`STATISTICS` of a descriptor over some of the frames."""
    own, beside = values[frames], loudness[frames] - loudness[frames].mean()
    low, middle, high = np.percentile(own, [10, 50, 90])
    next_to = frames[1:] & frames[:-1]
    steps = np.diff(values)
    steps = steps[next_to] if next_to.sum() > 2 else steps
    centred = own - own.mean()
    with_loudness = (centred * beside).mean() / (own.std() * beside.std() + 1e-6)
    upper = beside >= np.median(beside)
    louder = own[upper].mean() - (own[~upper].mean() if not upper.all() else own.mean())
    time = (np.arange(len(own)) - (len(own) - 1) / 2) / (RATE / 2)
    slope = (time * centred).sum() / ((time**2).sum() + 1e-6)
    step = np.abs(steps).mean(), steps.std()
    return np.array([own.std(), high - low, high - middle, middle - low, *step, with_loudness, louder, slope])


def _timing(loudness: np.ndarray, speech: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """``(7,)`` the numbers of :data:`TIMING`."""
    turns = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(int), [0]])))
    stretches = (turns[1::2] - turns[::2]) / RATE
    seconds = len(voiced) / RATE
    mean, deviation = (stretches.mean(), stretches.std()) if len(stretches) else (0.0, 0.0)
    quiet, loud = np.percentile(np.log(np.abs(loudness) + SMALL), [5, 95])
    share = voiced.mean(), (speech & ~voiced).mean()
    return np.array([len(stretches) / seconds, mean, deviation, *share, loud - quiet, seconds])
