"""A small vocabulary of an invented language, some of whose words are said with one feeling more than with others."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from affectspace.corpora.raters import EMOTION_CENTRES
from affectspace.corpora.speakers import Language, Sentence, make_sentences

__all__ = ["Vocabulary", "make_vocabulary"]

Word = tuple[tuple[str, str, str], ...]

OF_EMOTION = 8  # words of each emotion
FILLERS = 16
WORDS = 4  # of a sentence
FITTING = 0.8  # of the words with a feeling in a sentence, the share that fits what is felt
DIMENSIONS = 16
SPREAD = 0.5  # standard deviation of a word's vector around the middle of its emotion's, which has the length 1


@dataclass(frozen=True)
class Vocabulary:
    """Words by the emotion that they go with; ``""`` are words of no emotion."""

    words: dict[str, tuple[Word, ...]]

    def sentence(self, emotion: str, generator: np.random.Generator) -> Sentence:
        """Four words in any order, two of which carry a feeling: mostly the one that is felt, sometimes another."""
        felt = []
        for _ in range(WORDS // 2):
            of = emotion if generator.random() < FITTING else list(EMOTION_CENTRES)[generator.integers(4)]
            felt.append(self.words[of][generator.integers(OF_EMOTION)])
        others = [self.words[""][generator.integers(FILLERS)] for _ in range(WORDS - len(felt))]
        said = [*felt, *others]
        return Sentence(tuple(said[at] for at in generator.permutation(WORDS)))

    @cached_property
    def table(self) -> dict[str, NDArray]:
        """``words`` (text) and ``vectors``, float32 ``(words, 16)``: words of one emotion lie together.

        Example:
            >>> from affectspace.corpora.speakers import LANGUAGES
            >>> table = make_vocabulary(LANGUAGES["alva"]).table
            >>> table["words"].shape, table["vectors"].shape
            ((48,), (48, 16))
        """
        generator = np.random.default_rng([OF_EMOTION, FILLERS, DIMENSIONS])
        names, vectors = [], []
        for emotion, words in self.words.items():
            middle = generator.standard_normal(DIMENSIONS)
            middle *= bool(emotion) / np.linalg.norm(middle)
            for word in words:
                names.append(Sentence((word,)).text)
                vectors.append(middle + SPREAD / np.sqrt(DIMENSIONS) * generator.standard_normal(DIMENSIONS))
        return {"words": np.array(names), "vectors": np.array(vectors, dtype=np.float32)}


def make_vocabulary(language: Language) -> Vocabulary:
    """The vocabulary of a language, the same in each of its corpora; no word is in it twice.

    Example:
        >>> from affectspace.corpora.speakers import LANGUAGES
        >>> vocabulary = make_vocabulary(LANGUAGES["alva"])
        >>> vocabulary.sentence("happy", np.random.default_rng(0)).text.count(" ")
        3
    """
    wanted = FILLERS + OF_EMOTION * len(EMOTION_CENTRES)
    spoken = dict.fromkeys(word for sentence in make_sentences(language, wanted) for word in sentence.words)
    by_text = list({Sentence((word,)).text: word for word in spoken}.values())  # "a" + "na" is "an" + "a"
    words: dict[str, tuple[Word, ...]] = {}
    for emotion in ("", *EMOTION_CENTRES):
        count = OF_EMOTION if emotion else FILLERS
        words[emotion], by_text = tuple(by_text[:count]), by_text[count:]
    return Vocabulary(words)
