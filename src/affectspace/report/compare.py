"""What may be compared with what, and the answer in words."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from affectspace.metrics.classification import recalls
from affectspace.metrics.speaker_intervals import Tally
from affectspace.report.phrases import PERCENT, counted, in_points, listed, percent, signed
from affectspace.studies.speakers import lead_interval, tally_of
from affectspace.training.evaluated import Evaluated
from affectspace.training.remarks import remarks
from affectspace.training.run import Run
from affectspace.training.runs import model_names, run_names

__all__ = ["Comparison"]

WHOLE = 1 - 1e-6  # the share of a class that an item is of alone
LEVEL = 0.0005  # UAR figures that print alike are called level


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Args:
        runs: finished runs, in the order in which they are shown.
    """

    runs: tuple[Run, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each run, unique: the recipe's, with the seed or the folder where several share it."""
        return self._names

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return run_names(self.runs)

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The split that each run is judged on: "test", or "validate" where nothing was tested."""
        return tuple("test" if run.scores("test") else "validate" for run in self.runs)

    @cached_property
    def evaluated(self) -> tuple[Evaluated | None, ...]:
        """The items of that split; None where a run kept no predictions."""
        return tuple(run.evaluated(split) for run, split in zip(self.runs, self.splits))

    @cached_property
    def tallies(self) -> tuple[Tally | None, ...]:
        """The answers to these items, counted by speaker; None where a run kept no predictions."""
        return tuple(None if items is None else tally_of(items) for items in self.evaluated)

    @cached_property
    def one_hot(self) -> bool:
        """Whether every item that is judged is of one class alone, as where nobody voted: pages then know no raters."""
        return all((items.targets.max(1) > WHOLE).all() for items in self.evaluated if items is not None)

    @cached_property
    def obstacles(self) -> tuple[str, ...]:
        """Why the runs cannot be ranked, in sentences; empty where they can."""
        reasons = []
        first, name = self.runs[0], self.names[0]
        for run, other, split, items in list(zip(self.runs, self.names, self.splits, self.evaluated))[1:]:
            if run.classes != first.classes:
                reasons.append(f"{name} tells {listed(first.classes)} apart, {other} {listed(run.classes)}.")
            elif split != self.splits[0]:
                untested, tested = (other, name) if self.splits[0] == "test" else (name, other)
                reasons.append(f"{untested} was not tested, {tested} was.")
            elif difference := _items_differ(self.evaluated[0], items):
                reasons.append(f"{name} and {other} were not judged on the same items: {difference}.")
        return tuple(reasons)

    @property
    def comparable(self) -> bool:
        """Whether all runs answer the same question about the same items."""
        return not self.obstacles

    @cached_property
    def models(self) -> dict[str, list[int]]:
        """Rows of the runs of each model: runs whose recipes differ in nothing but the seed are one model."""
        return model_names(self.runs)

    def answer(self) -> list[str]:
        """The result in words: who is ahead and by how much, beside chance, and what that proves."""
        if not self.comparable:
            return [
                "These runs cannot be ranked: they do not answer the same question.",
                *self.obstacles,
                "So this page leaves out who is ahead, the marks of the best, the other models' curves behind each "
                "curve, and a common start of the maps. Everything else is shown for each run by itself.",
            ]
        figures = [run.scores(split) for run, split in zip(self.runs, self.splits)]
        if any(np.isnan(each.get("uar", np.nan)) for each in figures):
            return ["At least one run has no UAR, so there is no order to tell."]
        kind = "test" if self.splits[0] == "test" else "validation"
        count = len(self.evaluated[0]) if self.evaluated[0] else 0
        where = f"on {counted(count, f'{kind} item')}" if count else f"on the {kind} items"
        chance = figures[0].get("chance_uar", float("nan"))
        beside = "" if np.isnan(chance) else f"; random predictions reach {percent(chance)}"
        means = {name: float(np.mean([figures[row]["uar"] for row in rows])) for name, rows in self.models.items()}
        order = sorted(means, key=lambda name: -means[name])
        best, *others = order
        if not others:
            sentences = [f"{best} reaches {percent(means[best])} UAR {where}{beside}."]
        elif means[best] - means[others[0]] < LEVEL:
            level = [name for name in order if means[best] - means[name] < LEVEL]
            sentences = [f"{listed(level)} are level at {percent(means[best])} UAR {where}{beside}."]
        else:
            # Of the figures as printed, so that the reader's own subtraction agrees.
            gap = round(100 * means[best], 1) - round(100 * means[others[0]], 1)
            sentences = [
                f"{best} is ahead with {percent(means[best])} UAR {where}, {gap:.1f} points above "
                f"{others[0]} ({percent(means[others[0]])}){beside}.",
                *self._with_other_speakers(best, others[0], kind),
            ]
        sentences += self._never_found()
        if means[best] <= chance:
            sentences.append("That is no better than chance: nothing was learned that carries over to these items.")
        return [*sentences, *self._caution(figures, kind)]

    def _never_found(self) -> list[str]:
        """A sentence for the classes of which a run finds no item, which a mean over classes hides."""
        whose: dict[str, list[str]] = {}
        for name, run, items in zip(self.names, self.runs, self.evaluated):
            if items is not None and len(items):
                found = recalls(items.targets, items.probabilities)
                if lost := [each for each, recall in zip(run.classes, found) if recall == 0]:
                    whose.setdefault(listed(lost), []).append(name)
        return [
            f"{listed(names)} {'finds' if len(names) == 1 else 'find'} no item of {told}: recall 0{PERCENT}."
            for told, names in whose.items()
        ]

    def _with_other_speakers(self, best: str, next_best: str, kind: str) -> list[str]:
        ahead, behind = ([self.evaluated[row] for row in self.models[name]] for name in (best, next_best))
        interval = lead_interval([e for e in ahead if e], [e for e in behind if e]) if all([*ahead, *behind]) else None
        if interval is None:
            return []
        low, high = (signed(end, plus=False) for end in (interval.low, interval.high))
        doubt = ", so there may be none" if in_points(interval.low) <= 0 else ""
        return [
            f"With other {kind} speakers the lead would differ: as these {interval.speakers} tell, it lies between "
            f"{low} and {high} points (95{PERCENT}){doubt}."
        ]

    def _caution(self, figures: list[dict[str, float]], kind: str) -> list[str]:
        whose: dict[str, list[str]] = {}
        for name, run in zip(self.names, self.runs):
            for told in remarks(run):
                whose.setdefault(told, []).append(name)
        everyone = list(self.names)
        sentences = [told if names == everyone else f"{listed(names)}: {told}" for told, names in whose.items()]
        if kind == "validation" and any(run.selection == "validation" for run in self.runs):
            sentences.append(
                "Nothing was tested: these are the validation items, on which the epoch was selected, so the "
                "figures flatter."
            )
        elif kind == "validation":
            sentences.append(
                "Nothing was tested: these are the validation items, and the figures flatter as soon as a setting "
                "is chosen by them."
            )
        seen = [name for name, run in zip(self.names, self.runs) if run.metrics.get("transductive")]
        if 0 < len(seen) < len(self.runs):
            sentences.append(
                f"The order is not fair: {listed(seen)} saw the (unlabelled) test items, the others did not."
            )
        seeds = {name: len(rows) for name, rows in self.models.items()}
        if max(seeds.values()) == 1:
            sentences.append(
                "One run proves nothing: with another seed the figure moves by some points. Train several seeds before "
                "believing it."
                if len(seeds) == 1
                else "Each model was trained with one seed only, and one run proves nothing: with other seeds the "
                "order may turn round. Train several seeds of each before believing it."
            )
        else:
            spread = max(np.ptp([figures[row]["uar"] for row in rows]) for rows in self.models.values())
            counts = ", ".join(f"{count} of {name}" for name, count in seeds.items())
            sentences.append(
                f"Means over seeds ({counts}); seeds of one model lie up to {100 * spread:.1f} points apart, so a "
                "smaller difference between models is no evidence."
            )
        return sentences


def _items_differ(one: Evaluated | None, other: Evaluated | None) -> str:
    if one is None or other is None:
        return "one of them kept no predictions"
    if len(one) != len(other) or set(one.items) != set(other.items):
        shared = len(set(one.items) & set(other.items))
        return f"{len(one):,} and {len(other):,} items, {shared:,} of them shared"
    a, b = np.argsort(one.items, kind="stable"), np.argsort(other.items, kind="stable")
    if not np.allclose(one.targets[a], other.targets[b], atol=1e-4):
        return "the items are the same, their labels are not"
    return ""
