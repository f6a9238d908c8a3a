"""Simulated raters of known reliability, who judge a feeling in the plane of valence and activation."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["EMOTION_CENTRES", "Judgement", "Rater"]

#: Where each emotion lies: (valence, activation), both from 1 to 5.
EMOTION_CENTRES = {"angry": (1.8, 4.3), "happy": (4.2, 4.0), "neutral": (3.0, 2.7), "sad": (1.9, 1.7)}

_REACH = 0.6  # how far from its centre an emotion is still named, in points


class Judgement(NamedTuple):
    """One rater's votes on one item: two whole numbers from 1 to 5 and an emotion."""

    valence: int
    activation: int
    emotion: str


@dataclass(frozen=True)
class Rater:
    """Somebody who sees the truth, plus a bias, plus noise.

    Args:
        name: in the ratings table.
        bias_valence, bias_activation: added to the truth of every item, in points of the scale.
        noise: standard deviation of what is added to a single judgement, at least 0.
        careless: votes at random, whatever the truth.
    """

    name: str
    bias_valence: float = 0.0
    bias_activation: float = 0.0
    noise: float = 0.6
    careless: bool = False

    def judge(self, valence: float, activation: float, generator: np.random.Generator) -> Judgement:
        r"""Votes on an item whose truth is ``(valence, activation)``.

        Numbers are rounded and kept within 1..5. The emotion ``e`` with centre ``c_e`` is drawn with
        probability proportional to :math:`\exp(-|x - c_e|^2 / 2\sigma^2)`, x being what the rater sees, so
        that an item between two emotions divides the raters.

        Example:
            >>> Rater("r1", noise=0).judge(1.8, 4.3, np.random.default_rng(0))
            Judgement(valence=2, activation=4, emotion='angry')
        """
        if self.careless:
            points = generator.integers(1, 6, 2)
            return Judgement(
                int(points[0]), int(points[1]), list(EMOTION_CENTRES)[generator.integers(len(EMOTION_CENTRES))]
            )
        seen = np.array([valence + self.bias_valence, activation + self.bias_activation])
        seen += self.noise * generator.standard_normal(2)
        exponents = -((seen - np.array(list(EMOTION_CENTRES.values()))) ** 2).sum(1) / (2 * _REACH**2)
        chances = np.exp(exponents - exponents.max())  # the largest at 1, so that somebody far off still votes
        emotion = list(EMOTION_CENTRES)[generator.choice(len(chances), p=chances / chances.sum())]
        points = np.clip(np.round(seen), 1, 5).astype(int)
        return Judgement(int(points[0]), int(points[1]), emotion)
