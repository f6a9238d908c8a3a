"""Invented languages and speakers, and how what they feel colours what they say.

The rules follow what the literature agrees on: activation raises pitch, its range, level and rate and
flattens the spectrum (Banse & Scherer 1996; Goudbeek & Scherer 2010); a smile shortens the vocal tract
(Tartter 1980), displeasure roughens the voice and lets the contour fall. Speakers differ from each other
in pitch and level by more than one speaker's feelings do, so only a cue relative to the speaker helps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectspace.media.voice import PHONES, Segment, Voice, speak

__all__ = ["LANGUAGES", "Language", "Sentence", "Speaker", "make_sentences", "make_speaker", "utter"]


@dataclass(frozen=True)
class Language:
    """A language that nobody speaks.

    Args:
        code: from the range that ISO 639-2 reserves for local use.
        onsets, vowels, codas: phones that may begin, carry and end a syllable; a coda ``""`` is none.
        stretch: length of a stressed vowel; an unstressed one has its inverse. 1 is syllable-timed.
        centring: how far unstressed vowels are reduced, 0..1.
        accent: rise of the pitch on a stressed syllable, in semitones.
        fall: fall of the pitch over a neutral sentence, in semitones.
        labels: shared label -> the corpus's own word for it.
    """

    code: str
    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]
    stretch: float
    centring: float
    accent: float
    fall: float
    labels: dict[str, str]


LANGUAGES = {
    "alva": Language(
        code="qaa",
        onsets=("p", "t", "k", "m", "n", "s", "l", "r"),
        vowels=("a", "e", "i", "o", "u"),
        codas=("", "", "", "n"),
        stretch=1.08,
        centring=0.05,
        accent=1.5,
        fall=3.0,
        labels={emotion: emotion for emotion in ("angry", "happy", "neutral", "sad")},
    ),
    "boro": Language(
        code="qab",
        onsets=("b", "d", "g", "v", "z", "sh", "m", "n", "j"),
        vowels=("a", "ä", "i", "å", "u", "ö"),
        codas=("", "r", "l", "s", "m"),
        stretch=1.35,
        centring=0.35,
        accent=2.5,
        fall=4.5,
        labels={"angry": "gräz", "happy": "vij", "neutral": "dam", "sad": "zölu"},
    ),
    "cirin": Language(
        code="qac",
        onsets=("t", "k", "f", "h", "sh", "r", "w", "d", "n"),
        vowels=("a", "e", "i", "o", "ü"),
        codas=("", "", "k", "n"),
        stretch=1.2,
        centring=0.15,
        accent=-1.5,
        fall=1.5,
        labels={"angry": "kharu", "happy": "wine", "neutral": "noto", "sad": "fürin"},
    ),
}


@dataclass(frozen=True)
class Sentence:
    """Words of syllables ``(onset, vowel, coda)``, each word stressed on its first."""

    words: tuple[tuple[tuple[str, str, str], ...], ...]

    @property
    def text(self) -> str:
        return " ".join("".join("".join(syllable) for syllable in word) for word in self.words)


@dataclass(frozen=True)
class Speaker:
    """What stays the same about somebody: pitch in Hz, level in dB, the rest relative to a usual speaker."""

    pitch: float
    level: float
    tract: float
    rate: float
    tilt: float
    roughness: float
    breath: float
    expressiveness: float


def make_sentences(language: Language, count: int) -> list[Sentence]:
    """The first ``count`` sentences of a language, the same in each of its corpora.

    Example:
        >>> [sentence.text for sentence in make_sentences(LANGUAGES["alva"], 2)]
        ['lanma noton sensa', 'pala sirin ketun']
    """
    sentences: list[Sentence] = []
    generator = np.random.default_rng(list(language.code.encode()))
    while len(sentences) < count:
        words = tuple(
            tuple((_one(generator, language.onsets), _one(generator, language.vowels), coda) for coda in codas)
            for codas in ([_one(generator, language.codas) for _ in range(2)] for _ in range(3))
        )
        if (sentence := Sentence(words)) not in sentences:
            sentences.append(sentence)
    return sentences


def make_speaker(number: int, generator: np.random.Generator) -> Speaker:
    """A speaker; even numbers have a low voice and a long tract, odd ones a high voice and a short tract."""
    high = number % 2
    return Speaker(
        pitch=(200.0 if high else 112.0) * 2 ** (generator.uniform(-3, 3) / 12),
        level=generator.uniform(-6, 6),
        tract=(0.86 if high else 1.0) * generator.uniform(0.95, 1.05),
        rate=generator.uniform(0.88, 1.14),
        tilt=2 ** generator.uniform(-0.5, 0.5),
        roughness=2 ** generator.uniform(-0.6, 0.6),
        breath=2 ** generator.uniform(-0.8, 0.8) * (1.4 if high else 1.0),
        expressiveness=generator.uniform(0.75, 1.25),
    )


def utter(
    language: Language,
    speaker: Speaker,
    sentence: Sentence,
    valence: float,
    activation: float,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """A sentence said with a feeling: samples at 16 kHz whose root mean square is 1 at 0 dB.

    Args:
        valence: 1 (negative) to 5 (positive).
        activation: 1 (calm) to 5 (excited).
    """
    v = speaker.expressiveness * (valence - 3) / 2
    a = speaker.expressiveness * (activation - 3) / 2
    mood = generator.standard_normal(8)  # nobody says a thing twice in the same way
    pitch = speaker.pitch * 2 ** ((3.0 * a + 0.6 * v + 0.7 * mood[0]) / 12)
    range_ = np.exp(0.45 * a + 0.15 * v + 0.12 * mood[1])
    rate = speaker.rate * np.exp(0.14 * a + 0.04 * mood[2])
    rise = 3.0 * v + 0.8 * mood[3]
    voice = Voice(
        tract=speaker.tract * (1 - 0.045 * v + 0.008 * mood[4]),
        opening=1 + 0.07 * a,
        tilt=1700 * speaker.tilt * 2 ** (0.75 * a + 0.35 * v + 0.15 * mood[5]),
        open_quotient=float(np.clip(0.62 - 0.1 * a + 0.04 * v, 0.4, 0.85)),
        jitter=0.01 * speaker.roughness * float(np.exp(-0.8 * v)),
        shimmer=0.05 * speaker.roughness * float(np.exp(-0.6 * v)),
        creak=float(np.clip(0.25 * (-v - 0.3 * a) + 0.05 * mood[6], 0, 0.6)),
        breath=0.04 * speaker.breath * float(np.exp(-0.5 * a)),
    )
    segments = list(_segments(language, sentence, pitch, float(range_), float(rise), float(rate), generator))
    level = speaker.level + 4.0 * a + mood[7]
    return speak(segments, voice, generator) * 10 ** (level / 20)


def _segments(
    language: Language,
    sentence: Sentence,
    pitch: float,
    range_: float,
    rise: float,
    rate: float,
    generator: np.random.Generator,
):
    syllables = [(syllable, k == 0) for word in sentence.words for k, syllable in enumerate(word)]
    for number, (syllable, stressed) in enumerate(syllables):
        when = number / (len(syllables) - 1) - 0.5
        wobble = 0.4 * generator.standard_normal()
        semitones = range_ * (language.accent * stressed - language.fall * when + wobble) + rise * when
        for phone in filter(None, syllable):
            vowel = phone == syllable[1]
            stretch = 1.0 if not vowel else language.stretch if stressed else 1 / language.stretch
            yield Segment(
                phone,
                seconds=PHONES[phone].seconds * stretch * float(np.exp(0.07 * generator.standard_normal())) / rate,
                pitch=pitch * 2 ** (semitones / 12),
                loudness=10 ** ((1.5 * stressed + 0.5 * generator.standard_normal()) / 20),
                centring=language.centring * (vowel and not stressed),
            )


def _one(generator: np.random.Generator, phones: tuple[str, ...]) -> str:
    return phones[generator.integers(len(phones))]
