"""Simulated raters of known reliability, who judge a feeling in the plane of valence and activation."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from affectspace.corpora.streams import named_generator

__all__ = ["EMOTION_CENTRES", "Judgement", "Rater", "judge_all", "make_raters", "make_truth"]

#: Where each emotion lies: (valence, activation), both from 1 to 5.
EMOTION_CENTRES = {"angry": (1.8, 4.3), "happy": (4.2, 4.0), "neutral": (3.0, 2.7), "sad": (1.9, 1.7)}

SPREAD = 0.45  # standard deviation of an item's truth around the centre of its emotion
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


def make_truth(emotion: str, seed: int, corpus: str, item: str) -> tuple[float, float]:
    """How an item is meant: valence and activation, 1 to 5, somewhere around the centre of its emotion."""
    point = named_generator(seed, corpus, "truth", item).normal(EMOTION_CENTRES[emotion], SPREAD).clip(1, 5).round(3)
    return float(point[0]), float(point[1])


def make_raters(count: int, noise: float, careless: int, seed: int, corpus: str) -> list[Rater]:
    """The raters of a corpus, each with a bias of their own; the last ``careless`` of them vote at random."""
    people = []
    for k in range(1, count + 1):
        bias = named_generator(seed, corpus, "rater", k).normal(0, 0.25, 2).round(3)
        people.append(Rater(f"r{k:02}", float(bias[0]), float(bias[1]), noise, careless=k > count - careless))
    return people


def judge_all(truth: pd.DataFrame, people: list[Rater], labels: dict[str, str], seed: int, corpus: str) -> pd.DataFrame:
    """Everybody's votes on every item: ``item``, ``rater``, ``dimension`` and ``value``.

    Args:
        truth: ``id``, ``valence`` and ``activation`` of each item.
        people: who judges.
        labels: emotion -> the corpus's own word for it.
        seed, corpus: of the votes, which depend on nothing else but the item and the rater.
    """
    rows = []
    for key, valence, activation in truth[["id", "valence", "activation"]].itertuples(index=False, name=None):
        for rater in people:
            seen = rater.judge(valence, activation, named_generator(seed, corpus, "vote", key, rater.name))
            votes = {"valence": seen.valence, "activation": seen.activation, "emotion": labels[seen.emotion]}
            rows += [(key, rater.name, dimension, value) for dimension, value in votes.items()]
    return pd.DataFrame(rows, columns=["item", "rater", "dimension", "value"])
