"""How often intervals for a figure, or for a difference of UAR between two models, hold what all speakers would show.

Speakers are drawn from a world whose truth is known; each has own skills under both models, by
class, and items whose answers are luck beyond that. A cell is the share of 95 % intervals that hold the
truth, for 5 / 8 / 12 / 25 speakers. The first table compares ways to make an interval of a difference over
speakers, the second those over speakers and seeds; the third and the fourth are of the UAR and the macro F1
of one model, over speakers, and over speakers and seeds.

    python benchmarks/speaker_intervals.py [simulated studies a cell, default 150]
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from affectspace.metrics.speaker_intervals import Tally, figure_interval, speaker_interval

SPEAKERS = (5, 8, 12, 25)
DRAWS = 300
SKILLS = (0.62, 0.56)
Interval = tuple[float, float]


@dataclass(frozen=True)
class World:
    """What speakers are like: how unequal in size (sd of its logarithm), and in skill (sd), with how many items."""

    name: str
    classes: int = 2
    sizes: float = 0.0
    skills: float = 0.08
    items: int = 40
    rare: bool = False
    lacking: bool = False
    skewed: bool = False
    level: float = 0.0  # above SKILLS

    def tests(self, generator: np.random.Generator, speakers: int, seeds: int = 1, seed_sd: float = 0.0) -> np.ndarray:
        """Confusion matrices ``(2, seeds, speakers, classes, classes)`` of a test set with every class in it."""
        totals, rates = self.speakers(generator, speakers)
        while not totals.sum(0).all():
            totals, rates = self.speakers(generator, speakers)
        rates = rates[:, None] + seed_sd * generator.normal(size=(2, seeds, 1, 1))
        rates = rates + seed_sd * generator.normal(size=(2, seeds, speakers, self.classes))
        right = generator.binomial(totals, np.clip(rates, 0.02, 0.98)).astype(float)
        counts = np.zeros((2, seeds, speakers, self.classes, self.classes))
        places = np.arange(self.classes)
        counts[..., places, places] = right
        counts[..., places, places - 1] = totals - right
        return counts

    def speakers(self, generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Items ``(n, classes)`` and chances to be right ``(2, n, classes)``."""
        sizes = np.maximum(4, self.items * np.exp(generator.normal(-(self.sizes**2) / 2, self.sizes, count)))
        common = np.ones(self.classes)
        if self.rare:
            common = 0.45 ** np.arange(self.classes)
        shares = np.tile(common, (count, 1))
        if self.lacking:
            shares = generator.gamma(shares) * (generator.random(shares.shape) > 0.3)
            shares[shares.sum(1) == 0, 0] = 1
        totals = np.floor(sizes[:, None] * shares / shares.sum(1, keepdims=True) + generator.random(shares.shape))
        draw = (lambda size: generator.exponential(size=size) - 1) if self.skewed else generator.standard_normal
        alike = 0.1 * generator.normal(size=(1, count, 1))
        own = self.skills * (draw((2, count, 1)) + draw((2, count, self.classes)))
        return totals.astype(int), np.clip(np.reshape(SKILLS, (2, 1, 1)) + self.level + alike + own, 0.02, 0.98)

    def truth(self, way: str) -> float:
        """What very many speakers show: the first model's UAR or macro F1, or its UAR less that of the second."""
        totals, rates = self.speakers(np.random.default_rng(0), 200_000)
        right, places = (rates * totals).sum(1), np.arange(self.classes)
        counts = np.zeros((2, self.classes, self.classes))
        counts[:, places, places] = right
        counts[:, places, places - 1] = totals.sum(0) - right
        if way in FIGURES:
            return float(FIGURES[way](counts)[0])
        return float(np.subtract(*uars(counts)))


WORLDS = (
    World("equal"),
    World("equal, many items", items=150),
    World("equal, skewed", skewed=True, classes=4),
    World("no speaker differs", skills=0.0, sizes=0.4),
    World("unequal", sizes=0.4, classes=4),
    World("very unequal", sizes=0.8),
    World("very unequal, many items", sizes=0.8, items=150, skewed=True),
    World("rare classes", sizes=0.8, rare=True, classes=4),
    World("lacking classes", sizes=0.4, lacking=True, classes=4),
    World("all at once", sizes=0.8, rare=True, lacking=True, skewed=True, classes=4),
)


def uars(counts: np.ndarray) -> np.ndarray:
    """UAR of ``(..., classes, classes)``."""
    rows = counts.sum(-1)
    recalls = np.divide(np.einsum("...cc->...c", counts), rows, out=np.full(rows.shape, np.nan), where=rows > 0)
    return np.nanmean(recalls, -1)


def macro_f1s(counts: np.ndarray) -> np.ndarray:
    """Macro F1 of ``(..., classes, classes)``."""
    both, right = counts.sum(-1) + counts.sum(-2), np.einsum("...cc->...c", counts)
    f1 = np.divide(2 * right, both, out=np.zeros(both.shape), where=both > 0)
    return np.nanmean(np.where(counts.sum(-1) > 0, f1, np.nan), -1)


FIGURES = {"uar": uars, "macro_f1": macro_f1s}


def linear_error(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Standard errors of the difference by its first derivative in each speaker's weight, ``(draws,)``."""
    speakers = counts.shape[1]
    rows = counts[0].sum(-1)
    right = np.einsum("mncc->mnc", counts)
    totals = weights @ rows
    there = totals > 0
    recalls = np.divide(weights @ right, totals, out=np.zeros((2, *totals.shape)), where=there)
    parts = (right[:, None] - recalls[:, :, None] * rows) / np.where(there, totals, np.inf)[:, None]
    pull = np.subtract(*parts.sum(-1)) / there.sum(-1)[:, None]
    return np.sqrt(speakers / (speakers - 1) * (weights * pull**2).sum(1))


def candidates(counts: np.ndarray, generator: np.random.Generator) -> dict[str, Interval]:
    """Each way's interval, from matrices ``(2, speakers, classes, classes)``."""
    speakers = counts.shape[1]
    value = float(np.subtract(*uars(counts.sum(1))))
    weights = generator.multinomial(speakers, np.full(speakers, 1 / speakers), DRAWS)
    drawn = np.subtract(*uars(np.einsum("wn,mncd->mwcd", weights, counts)))
    quantile = float(stats.t.ppf(0.975, speakers - 1))
    spread = float(np.std(drawn, ddof=1)) * (speakers / (speakers - 1)) ** 0.5
    error = float(linear_error(counts, np.ones((1, speakers)))[0])
    errors = linear_error(counts, weights)
    ends = np.percentile((drawn - value)[errors > 0] / errors[errors > 0], [97.5, 2.5])
    left_out = np.subtract(*uars(counts.sum(1, keepdims=True) - counts))
    jackknife = ((speakers - 1) * left_out.var()) ** 0.5
    names = tuple(f"c/{i:02d}" for i in range(speakers))
    ours = speaker_interval([Tally(names, counts[0])], [Tally(names, counts[1])])
    assert ours
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "percentile": (low, high),
        "bootstrap-t": (value - ends[0] * error, value - ends[1] * error),
        "bootstrap, t(n-1)": (value - quantile * spread, value + quantile * spread),
        "jackknife, t(n-1)": (value - quantile * jackknife, value + quantile * jackknife),
        "jackknife, t(nu)": (ours.low, ours.high),
    }


def seeded(counts: np.ndarray, generator: np.random.Generator) -> dict[str, Interval]:
    """Over speakers alone, by crossed draws, and ours; from ``(2, seeds, speakers, classes, classes)``."""
    seeds, speakers = counts.shape[1:3]
    names = tuple(f"c/{i:02d}" for i in range(speakers))
    one, other = ([Tally(names, each) for each in side] for side in counts)
    alone, both = speaker_interval(one, other), speaker_interval(one, other, seeds=True)
    weights = generator.multinomial(speakers, np.full(speakers, 1 / speakers), DRAWS)
    figures = uars(np.einsum("wn,msncd->mswcd", weights, counts))
    figures = np.take_along_axis(figures, generator.integers(seeds, size=figures.shape), 1)
    low, high = np.percentile(np.subtract(*figures.mean(1)), [2.5, 97.5])
    assert alone
    assert both
    return {
        "speakers only": (alone.low, alone.high),
        "percentile, crossed draws": (low, high),
        "with seeds": (both.low, both.high),
    }


def reached(counts: np.ndarray, generator: np.random.Generator) -> dict[str, Interval]:
    """Of the first model's figures, from ``(2, speakers, classes, classes)``, or with seeds beside the models."""
    names, seeds = tuple(f"c/{i:02d}" for i in range(counts.shape[-3])), counts.ndim == 5
    tallies = [Tally(names, each) for each in (counts[0] if seeds else counts[:1])]
    found = {name: figure_interval(tallies, name, seeds=seeds) for name in ("uar", "macro_f1")}
    return {name: (each.low, each.high) for name, each in found.items() if each}


def coverage(
    world: World, studies: int, intervals: Callable[[np.ndarray, np.random.Generator], dict[str, Interval]], **seeds
) -> dict[str, list[float]]:
    """Shares of intervals that hold the truth, by way, one for each number of speakers."""
    truths, told = {}, {}
    for speakers in SPEAKERS:
        generator, held = np.random.default_rng([speakers, *map(ord, world.name)]), {}
        for _ in range(studies):
            counts = world.tests(generator, speakers, **seeds)
            for way, (low, high) in intervals(counts if seeds else counts[:, 0], generator).items():
                truth = truths[way] if way in truths else truths.setdefault(way, world.truth(way))
                held.setdefault(way, []).append(low <= truth <= high)
        for way, each in held.items():
            told.setdefault(way, []).append(float(np.mean(each)))
    return told


def table(rows: dict[str, dict[str, list[float]]], heading: str) -> None:
    """A row a world, a column a way; below, the mean and the range of each column."""
    ways = list(next(iter(rows.values())))
    print(f"| {heading} | {' | '.join(ways)} |\n|{' --- |' * (1 + len(ways))}")
    for name, row in rows.items():
        cells = (" / ".join(f"{100 * share:.0f}" for share in row[way]) for way in ways)
        print(f"| {name} | {' | '.join(cells)} |")
    every = {way: np.array([row[way] for row in rows.values()]) for way in ways}
    told = (f"{100 * e.mean():.1f} ({100 * e.min():.0f} to {100 * e.max():.0f})" for e in every.values())
    print(f"| mean (range) | {' | '.join(told)} |\n", flush=True)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 150
    table({world.name: coverage(world, count, candidates) for world in WORLDS}, "speakers")
    chosen = {world.name: world for world in (WORLDS[0], WORLDS[5], WORLDS[8])}
    table(
        {
            f"{name}; {seeds} seeds, sd {100 * sd:.0f} points": coverage(world, count, seeded, seeds=seeds, seed_sd=sd)
            for name, world in chosen.items()
            for seeds, sd in ((2, 0.03), (5, 0.0), (5, 0.03), (10, 0.06))
        },
        "speakers and seeds",
    )
    own = (*WORLDS, World("nearly always right", level=0.3, sizes=0.4), World("nearly always right, rare classes",
           level=0.3, sizes=0.8, rare=True, classes=4))  # fmt: skip
    table({world.name: coverage(world, count, reached) for world in own}, "one model, speakers")
    table(
        {
            f"{name}; {seeds} seeds, sd {100 * sd:.0f} points": coverage(world, count, reached, seeds=seeds, seed_sd=sd)
            for name, world in chosen.items()
            for seeds, sd in ((2, 0.03), (5, 0.0), (5, 0.03), (10, 0.06))
        },
        "one model, speakers and seeds",
    )
