"""A small source-filter voice: phones, durations and a pitch contour to samples.

A glottal source (a band-limited KLGLOTT88 pulse with jitter, shimmer, creak and breath, after a spectral
tilt) drives a cascade of five formant resonators; fricatives and bursts are filtered noise beside it.

Source: Klatt, "Software for a cascade/parallel formant synthesizer", 1980; Klatt & Klatt, "Analysis,
synthesis, and perception of voice quality variations among female and male talkers", 1990; the pulse's
step is band-limited as in Välimäki & Huovilainen, "Antialiasing oscillators in subtractive synthesis", 2007.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs
from scipy.signal import lfilter

__all__ = ["PHONES", "Phone", "Segment", "Voice", "speak"]

Array = NDArray[np.float64]

STEPS_PER_SECOND = 200  # how often the vocal tract moves
UPPER_FORMANTS = (3500.0, 4500.0)
BANDWIDTHS = np.array([70.0, 100.0, 160.0, 250.0, 320.0])
NASAL_BANDWIDTHS = np.array([120.0, 350.0, 400.0, 500.0, 500.0])
SCHWA = np.array([500.0, 1500.0, 2500.0])


@dataclass(frozen=True)
class Phone:
    """What the tract does for one phone.

    Args:
        formants: F1, F2, F3 in Hz of an adult man; for a stop, where its transitions point.
        seconds: its usual length.
        voicing: amplitude of the glottal pulses, 0..1.
        breath: amplitude of noise at the glottis, filtered by the tract as an h is.
        noise: amplitude of noise at the constriction.
        centre: centre of that noise in Hz.
        width: width of that noise in Hz.
        burst: a closure that ends in a burst of the noise, as in a stop.
        nasal: damped formants.
    """

    formants: tuple[float, float, float]
    seconds: float
    voicing: float = 0.0
    breath: float = 0.0
    noise: float = 0.0
    centre: float = 2000.0
    width: float = 1000.0
    burst: bool = False
    nasal: bool = False


@dataclass(frozen=True)
class Segment:
    """One phone of an utterance.

    Args:
        phone: a key of :data:`PHONES`.
        seconds: its length, above 0.
        pitch: fundamental frequency at its middle, in Hz.
        loudness: amplitude relative to the rest, 1 for as usual.
        centring: how far its formants fall short of their targets towards a neutral tract, 0..1.
    """

    phone: str
    seconds: float
    pitch: float
    loudness: float = 1.0
    centring: float = 0.0


@dataclass(frozen=True)
class Voice:
    """Who speaks, and with what voice quality.

    Args:
        tract: length of the vocal tract relative to an adult man's; women lie near 0.85.
        opening: F1 relative to a usual one; a wider open jaw lies above 1.
        tilt: cut-off of the source's one-pole low-pass in Hz; an effortful voice lies high.
        open_quotient: share of a cycle in which the glottis is open; a tense voice lies low.
        jitter: relative standard deviation of the period from cycle to cycle.
        shimmer: relative standard deviation of the amplitude from cycle to cycle.
        creak: how much every other cycle is weakened, 0..1.
        breath: amplitude of noise at the glottis relative to the pulses.
    """

    tract: float = 1.0
    opening: float = 1.0
    tilt: float = 2000.0
    open_quotient: float = 0.6
    jitter: float = 0.01
    shimmer: float = 0.05
    creak: float = 0.0
    breath: float = 0.03


def _vowel(f1: float, f2: float, f3: float) -> Phone:
    return Phone((f1, f2, f3), 0.095, voicing=1.0)


def _stop(f2: float, f3: float, centre: float, width: float, voiced: bool) -> Phone:
    if voiced:
        return Phone((250, f2, f3), 0.065, voicing=0.25, noise=0.25, centre=centre, width=width, burst=True)
    return Phone((350, f2, f3), 0.085, noise=0.5, centre=centre, width=width, burst=True)


#: Phones by a spelling. Vowels after Peterson & Barney's men, rounded.
PHONES: dict[str, Phone] = {
    "i": _vowel(280, 2250, 2950),
    "e": _vowel(420, 2000, 2600),
    "ä": _vowel(620, 1750, 2450),
    "a": _vowel(740, 1250, 2450),
    "o": _vowel(470, 880, 2400),
    "å": _vowel(590, 950, 2450),
    "u": _vowel(310, 830, 2250),
    "ü": _vowel(280, 1800, 2200),
    "ö": _vowel(410, 1500, 2250),
    "p": _stop(900, 2200, 900, 900, voiced=False),
    "t": _stop(1750, 2600, 4200, 2500, voiced=False),
    "k": _stop(1950, 2300, 1900, 900, voiced=False),
    "b": _stop(900, 2200, 900, 900, voiced=True),
    "d": _stop(1750, 2600, 4000, 2500, voiced=True),
    "g": _stop(1950, 2300, 1800, 900, voiced=True),
    "m": Phone((270, 1000, 2200), 0.07, voicing=0.55, nasal=True),
    "n": Phone((270, 1600, 2500), 0.065, voicing=0.55, nasal=True),
    "l": Phone((340, 1100, 2700), 0.06, voicing=0.75),
    "r": Phone((430, 1300, 1650), 0.055, voicing=0.7),
    "j": Phone((270, 2150, 2900), 0.055, voicing=0.8),
    "w": Phone((300, 750, 2200), 0.06, voicing=0.8),
    "h": Phone((500, 1500, 2500), 0.06, breath=0.5),
    "f": Phone((340, 1000, 2200), 0.09, noise=0.12, centre=4800, width=5000),
    "s": Phone((320, 1700, 2600), 0.1, noise=0.3, centre=5800, width=2200),
    "sh": Phone((320, 1900, 2400), 0.1, noise=0.32, centre=3300, width=1700),
    "v": Phone((300, 1000, 2200), 0.06, voicing=0.45, noise=0.05, centre=4500, width=4500),
    "z": Phone((300, 1700, 2600), 0.075, voicing=0.4, noise=0.15, centre=5600, width=2200),
}


def speak(
    segments: Sequence[Segment], voice: Voice, generator: np.random.Generator, sample_rate: int = 16000
) -> NDArray[np.float64]:
    """Samples of an utterance, root mean square one.

    Args:
        segments: what is said, in order; at least one.
        voice: who says it.
        generator: source of every noise; the same state gives the same samples.
        sample_rate: in Hz, at least 12000, so that the five formants fit.

    Returns:
        Shape ``(samples,)``, the segments' seconds at the sample rate.

    Raises:
        ValueError: no segments, an unknown phone, a length or pitch not above 0, or a low sample rate.

    Example:
        >>> said = [Segment("m", 0.08, 120), Segment("a", 0.15, 130)]
        >>> samples = speak(said, Voice(), np.random.default_rng(0))
        >>> samples.shape, round(float(np.mean(samples**2)), 3)
        ((3680,), 1.0)
    """
    _refuse(segments, sample_rate)
    phones = [PHONES[s.phone] for s in segments]
    ends = np.cumsum([s.seconds for s in segments])
    step = sample_rate // STEPS_PER_SECOND
    samples = round(ends[-1] * sample_rate)
    steps = -(-samples // step)
    now = (np.arange(steps) + 0.5) * step / sample_rate
    at = np.minimum(np.searchsorted(ends, now), len(segments) - 1)

    def smooth(per_segment: Sequence[float], milliseconds: float) -> Array:
        return _smooth(np.asarray(per_segment, dtype=float)[at], round(milliseconds * STEPS_PER_SECOND / 1000))

    def fine(track: Array) -> Array:
        return np.interp(np.arange(samples), (np.arange(steps) + 0.5) * step, track)

    middles = ends - np.array([s.seconds for s in segments]) / 2
    pitch = np.exp(np.interp(np.arange(samples) / sample_rate, middles, np.log([s.pitch for s in segments])))
    pulses, opened = _glottis(pitch, voice, generator, sample_rate)
    loudness = fine(smooth([s.loudness for s in segments], 40))
    voicing = fine(smooth([p.voicing for p in phones], 25)) * loudness
    # A voiceless stop is silent until it opens, then lets some breath out.
    stopped = np.array([p.burst and p.voicing == 0 for p in phones])[at]
    aspiration = _smooth(0.2 * stopped * (ends[at] - now < 0.035), 5)
    breath = fine(smooth([p.breath for p in phones], 25) + aspiration) * loudness
    hiss = generator.standard_normal(samples)
    source = voicing * (pulses + voice.breath * (0.3 + opened) * hiss) + 0.3 * breath * hiss

    targets = np.array(
        [[t + s.centring * (c - t) for t, c in zip(p.formants, SCHWA)] for s, p in zip(segments, phones)]
    )
    tracks = [smooth(column, 60) for column in targets.T]
    formants = np.stack([*tracks, *(np.full(steps, f) for f in UPPER_FORMANTS)], axis=1) / voice.tract
    formants[:, 0] *= voice.opening
    damped = smooth([float(p.nasal) for p in phones], 25)[:, None]
    bandwidths = BANDWIDTHS + damped * (NASAL_BANDWIDTHS - BANDWIDTHS)
    speech = _cascade(source, formants, bandwidths, step, sample_rate)
    speech = speech + _constriction(segments, phones, ends, samples, voice, generator, sample_rate)
    # Formants hold their first and last places, sound fades to nothing.
    speech *= np.minimum(
        1, np.minimum(np.arange(samples), np.arange(samples)[::-1]) / min(0.015 * sample_rate, samples / 4)
    )
    return speech / np.sqrt(np.mean(speech**2))


def _glottis(pitch: Array, voice: Voice, generator: np.random.Generator, sample_rate: int) -> tuple[Array, Array]:
    """The derivative of the glottal flow after the tilt, and how open the glottis is (0..1)."""
    cycles = int(pitch.sum() / sample_rate) + 2
    period = np.clip(1 + voice.jitter * generator.standard_normal(2 * cycles), 0.5, 1.5)
    strength = np.clip(1 + voice.shimmer * generator.standard_normal(2 * cycles), 0.1, 2.0)
    strength[1::2] *= 1 - voice.creak
    smooth_cycle = (np.cumsum(pitch) / sample_rate).astype(int)
    advance = pitch * period[smooth_cycle] / sample_rate
    phase = np.cumsum(advance)
    cycle, phase = np.minimum(phase.astype(int), 2 * cycles - 1), phase % 1.0
    u = phase / voice.open_quotient
    is_open = u < 1
    pulse = np.where(is_open, 2 * u - 3 * u * u, 0.0)
    # The flow's derivative jumps from -1 to 0 when the glottis shuts: the jump is spread over two samples by
    # the integral of a triangle, without which its overtones fold back as a buzz that follows the pitch.
    since = (phase - voice.open_quotient) / advance
    pulse += np.where((since >= -1) & (since < 0), 0.5 * (1 + since) ** 2, 0.0)
    pulse -= np.where((since >= 0) & (since < 1), 0.5 * (1 - since) ** 2, 0.0)
    pole = np.exp(-2 * np.pi * voice.tilt / sample_rate)
    tilted = np.asarray(lfilter([1 - pole], [1.0, -pole], pulse * strength[cycle]))
    return tilted, np.where(is_open, np.sin(np.pi * np.minimum(u, 1)), 0.0)


def _cascade(source: Array, formants: Array, bandwidths: Array, step: int, sample_rate: int) -> Array:
    """``source`` through resonators with unit gain at 0 Hz, their coefficients renewed every ``step`` samples.

    What a resonator answers is :math:`y_n = (1 + a_1 + a_2) x_n - a_1 y_{n-1} - a_2 y_{n-2}`: a triangular system of
    three bands, which is solved at once. What a sample leaves behind is weighed by the coefficients of its own time.
    """
    formants = np.minimum(formants, 0.47 * sample_rate)
    radius = np.exp(-np.pi * bandwidths / sample_rate)
    a1, a2 = -2 * radius * np.cos(2 * np.pi * formants / sample_rate), radius**2
    (solve,) = get_blas_funcs(["tbsv"], [source])
    heard, when = source, np.arange(len(source)) // step
    for bands in np.stack([np.ones_like(a1), a1, a2], axis=-1).swapaxes(0, 1):  # of each resonator, (steps, 3)
        heard = solve(2, bands[when].T, bands.sum(1)[when] * heard, lower=1, diag=1)
    return heard


def _constriction(
    segments: Sequence[Segment],
    phones: Sequence[Phone],
    ends: Array,
    samples: int,
    voice: Voice,
    generator: np.random.Generator,
    sample_rate: int,
) -> Array:
    """Noise of fricatives, over their length, and of bursts, at the end of their closure."""
    heard = np.zeros(samples)
    for segment, phone, end in zip(segments, phones, ends):
        if phone.noise == 0:
            continue
        seconds = min(0.025, segment.seconds / 2) if phone.burst else segment.seconds
        first, last = round((end - seconds) * sample_rate), min(round(end * sample_rate), samples)
        white = generator.standard_normal(last - first)
        # A shorter tract has a shorter cavity before the constriction, too.
        centre = min(phone.centre / voice.tract, 0.45 * sample_rate)
        radius = np.exp(-np.pi * phone.width / sample_rate)
        poles = [1.0, -2 * radius * np.cos(2 * np.pi * centre / sample_rate), radius**2]
        coloured = np.asarray(lfilter([(1 - radius) * 0.5, 0.0, -(1 - radius) * 0.5], poles, white))
        when = np.linspace(0, 1, len(white))
        envelope = np.exp(-4 * when) if phone.burst else np.sin(np.pi * when) ** 0.5
        heard[first:last] += phone.noise * segment.loudness * envelope * coloured
    return heard


def _smooth(track: Array, steps: int) -> Array:
    """``track`` under a Hann window of ``steps``, its ends held: how the tract glides between targets."""
    if steps < 2:
        return track
    window = np.hanning(steps + 2)
    held = np.pad(track, (steps + 1, steps + 2), mode="edge")
    glided = np.asarray(np.convolve(held, window / window.sum(), mode="same"), dtype=float)
    return glided[steps + 1 : steps + 1 + len(track)]


def _refuse(segments: Sequence[Segment], sample_rate: int) -> None:
    if not segments:
        raise ValueError("there are no segments to speak; give at least one")
    if sample_rate < 12000:
        raise ValueError(f"sample rate is {sample_rate} Hz; five formants need at least 12000")
    for segment in segments:
        if segment.phone not in PHONES:
            raise ValueError(f"phone {segment.phone!r} is unknown; the phones are {' '.join(PHONES)}")
        if not (segment.seconds > 0 and segment.pitch > 0):
            raise ValueError(f"{segment} has a length or a pitch that is not above 0")
