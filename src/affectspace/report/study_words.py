"""What a study found, in words: by how much each recipe differs from the baseline, and how sure that is."""

from collections.abc import Sequence
from math import isnan

from affectspace.report.phrases import PERCENT, ends, in_points, listed, named, p_value, percent, signed
from affectspace.report.reached import interval_words
from affectspace.studies.summary import FEW_SEEDS, RecipeSummary, SplitSummary

__all__ = ["answers", "at_chance", "cautions", "few_seeds", "overall"]


def answers(split: SplitSummary) -> list[str]:
    """The answer for one split in at most three sentences or so, the most important first.

    A recipe is said to be above or below the baseline only where Tukey's p is under .05; otherwise it is
    "not shown to differ". Whatever the verdict, the sentence has both intervals: over seeds, which says what
    difference would have gone unseen, and with other speakers. Where no recipe is shown to be above chance,
    that comes first.
    """
    return [*at_chance(split), *_answers(split)]


def at_chance(split: SplitSummary) -> list[str]:
    """That no recipe is shown to be above chance, and what follows; nothing where one is."""
    if not split.at_chance:
        return []
    known = [row for row in split.rows if row.recipe in split.tested and not isnan(row.mean)]
    reached = listed([f"{named(row.recipe)} at {percent(row.mean)}" for row in known])
    who = "None of the recipes compared" if split.apart and not split.obstacles else "No recipe"
    return [
        f"{who} is shown to be above chance ({percent(split.chance)}) on {split.split}, with {reached}: nothing is "
        "shown to have been learned, so nothing can be said of how the recipes differ."
    ]


def few_seeds(splits: Sequence[SplitSummary]) -> list[str]:
    """That a spread over so few seeds is a rough guess; nothing where there are enough."""
    counts = {row.uar.n for split in splits for row in split.rows if 1 < row.uar.n < FEW_SEEDS}
    if not counts:
        return []
    over = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else f"{min(counts)}"
    return [f"Few seeds: a spread over {over} is a rough guess, and so are the intervals and tests that use it."]


def _answers(split: SplitSummary) -> list[str]:
    where, base = split.split, split.base
    if split.obstacles:
        return [f"On {where} the recipes cannot be ranked.", *split.obstacles]
    if not split.tested:
        return [f"On {where} no run is finished yet."]
    if isnan(base.mean):
        told = "no finished run yet" if not base.uar.n else "no UAR"
        return [f"On {where} {named(base.recipe)} has {told}, so there is nothing to compare with."]
    if not split.others:
        what = "an average" if split.average else "a finished run here"
        alone = [f"No other recipe has {what}."] if len(split.rows) > 1 else []
        _, interval = base.reached.get("uar", (base.mean, None))
        return [f"{named(base.recipe)} reaches {percent(base.mean)} UAR on {where}{interval_words(interval)}.", *alone]
    first = split.others[0]
    if first.difference is None:
        return [f"On {where} at least one run has no UAR, so there is no order to tell."]
    absent = [row.recipe for row in split.rows if row.planned and not row.uar.n]
    more = [f"{named(*absent)} {'has' if len(absent) == 1 else 'have'} no finished run here."] if absent else []
    return [*(_tested(split) if first.verdict else _untested(split)), *split.set_apart, *more]


def overall(splits: Sequence[SplitSummary]) -> str:
    """All splits in one sentence; empty for a study with one split, or without tests."""
    counted = [split for split in splits if any(row.verdict for row in split.others)]
    if len(splits) < 2 or not counted:
        return ""
    base = splits[0].baseline
    names = [row.recipe for row in splits[0].rows if row.recipe != base]
    told = []
    for way in ("above", "below"):
        times = {name: _times(counted, name, way) for name in names}
        told.append(f"{way.capitalize()} {named(base)}: {_tallied(times, len(counted), first=way == 'above')}.")
    left_out, unlearned = len(splits) - len(counted), sum(split.at_chance for split in splits)
    if left_out:
        told.append(f"{left_out} of {len(splits)} splits cannot be judged.")
    if unlearned:
        told.append(f"On {unlearned} of {len(splits)} splits no recipe is shown to be above chance.")
    return " ".join(told)


def cautions(splits: Sequence[SplitSummary]) -> list[str]:
    """What the answers do not show, in sentences."""
    told, compared = few_seeds(splits), [split for split in splits if split.others and not split.obstacles]
    tested = any(row.verdict for split in compared for row in split.others)
    over_speakers = any(row.speakers for split in compared for row in split.others)
    if tested:
        told.append(
            "Seeds vary what is drawn in training, such as how a network begins and in which order it learns: Tukey's "
            "honestly significant difference test (HSD) tells whether the training procedures differ on these test "
            "items, with these training items."
        )
    if over_speakers:
        told.append(
            "Whether a difference would be there on other people's items is what “with other speakers” estimates "
            f"(95{PERCENT} intervals, from how the test speakers differ, for the mean of these seeds)."
        )
    reasons: dict[str, list[str]] = {}
    for split in compared:
        if split.no_speakers:
            reasons.setdefault(split.no_speakers, []).append(split.split)
    for reason, names in reasons.items():
        where = "" if len(names) == len(compared) else f" on {listed(names)}"
        told.append(f"Whether a difference would be there with other speakers cannot be told{where} ({reason}).")
    if tested and len(compared) > 1:
        told.append("Tukey's test allows for all pairs of recipes within a split; nothing corrects for several splits.")
    short = [row for split in splits for row in split.rows if row.uar.n < row.planned]
    if short:
        told.append("The study is not finished: figures are of the runs there are, and will move.")
    unfair: dict[tuple[str, ...], list[str]] = {}
    for split in splits:
        saw = tuple(name for name in split.tested if name in split.transductive)
        if 0 < len(saw) < len(split.tested):
            unfair.setdefault(saw, []).append(split.split)
    told += [
        f"On {listed(where)} the order is not fair: {named(*saw)} saw the (unlabelled) test items, the others did not."
        for saw, where in unfair.items()
    ]
    return told


def _tested(split: SplitSummary) -> list[str]:
    """One recipe in full, the furthest from the baseline of those that differ; then the others."""
    base, where = split.base, split.split
    above = [row for row in split.others if row.verdict == "above"]
    below = [row for row in reversed(split.others) if row.verdict == "below"]
    level = [row for row in split.others if row.verdict == "level"]
    if not above and not below:
        return [_one(level[0], base, where) if len(level) == 1 else _none(level, base, where)]
    sentences = [_one((above or below)[0], base, where)]
    first, others = (above, below) if above else (below, [])
    if first[1:]:
        sentences.append(f"So {'is' if len(first) == 2 else 'are'} {_spread(first[1:])}.")
    if others:
        sentences.append(f"Below {named(base.recipe)} {'is' if len(others) == 1 else 'are'} {_spread(others)}.")
    if level:
        names, verb = named(*[row.recipe for row in level]), "is" if len(level) == 1 else "are"
        sentences.append(f"{names} {verb} not shown to differ from {named(base.recipe)}.")
    return sentences


def _one(row: RecipeSummary, base: RecipeSummary, where: str, best: str = "") -> str:
    """Verdict, difference, both figures, and how sure that is over seeds and with other speakers: always alike."""
    verdict = {"above": "is above", "below": "is below", "level": "is not shown to differ from"}
    seeds = f"{ends(*row.change[1:])} (Tukey {p_value(row.p)})" if row.verdict else "not known"
    speakers = "not known"
    if row.speakers:
        doubt = ", so it may vanish" if row.verdict in {"above", "below"} and _may_vanish(row) else ""
        speakers = f"{ends(row.speakers.low, row.speakers.high)}{doubt}"
    told = verdict.get(row.verdict, "is not tested against")
    return (
        f"{named(row.recipe)}{best} {told} {named(base.recipe)} on {where}: {signed(row.change[0])} points of UAR "
        f"({percent(row.mean)} against {percent(base.mean)}); over seeds {seeds}, with other speakers {speakers}."
    )


def _none(level: Sequence[RecipeSummary], base: RecipeSummary, where: str) -> str:
    """The same of several recipes of which none is told from the baseline."""
    seeds = ends(min(row.change[1] for row in level), max(row.change[2] for row in level))
    known, speakers = [row.speakers for row in level if row.speakers], "not known"
    if known:
        speakers = f"within {ends(min(each.low for each in known), max(each.high for each in known))}"
    whose, smallest = named(base.recipe), p_value(min(row.p for row in level))
    return (
        f"No recipe is shown to differ from {whose} on {where}: {_range(level)} points of UAR ({whose} "
        f"{percent(base.mean)}); over seeds within {seeds} (smallest Tukey {smallest}), with other speakers {speakers}."
    )


def _may_vanish(row: RecipeSummary) -> bool:
    """Whether the interval for other speakers, as it prints, holds no difference."""
    return row.speakers is not None and in_points(row.speakers.low) <= 0 <= in_points(row.speakers.high)


def _untested(split: SplitSummary) -> list[str]:
    """Figures without a test, and why there is none."""
    first = split.others[0]
    sentence = _one(first, split.base, split.split, " (the best of the others)" if len(split.others) > 1 else "")
    if {row.uar.n for row in split.rows if row.uar.n} == {1}:
        return [
            sentence,
            "One seed each proves nothing: with other seeds the order may turn round, so no test is made.",
        ]
    return [sentence, f"No test is made: {split.tukey.reason}."]


def _spread(rows: Sequence[RecipeSummary]) -> str:
    """Recipes on one side of the baseline, how far, and which of them may be there for these speakers only."""
    doubtful = [row.recipe for row in rows if _may_vanish(row)]
    whose = "each" if len(doubtful) == len(rows) > 1 else named(*doubtful)
    doubt = f"; with other speakers that of {whose} may vanish" if doubtful else ""
    return f"{named(*[row.recipe for row in rows])} ({_range(rows)} points{doubt})"


def _range(rows: Sequence[RecipeSummary]) -> str:
    values = sorted(row.change[0] for row in rows)
    few, many = signed(values[0]), signed(values[-1])
    return few if few == many else f"{few} to {many}"


def _times(splits: Sequence[SplitSummary], recipe: str, way: str) -> int:
    return sum(row.verdict == way for split in splits for row in split.others if row.recipe == recipe)


def _tallied(times: dict[str, int], splits: int, first: bool) -> str:
    """On how many splits each recipe is: "KL and PS on 3 of 4 splits; JS on 1"."""
    parts = []
    for count in sorted({*times.values()} - {0}, reverse=True):
        of = f" of {splits} splits" if first and not parts else ""
        parts.append(f"{named(*[name for name, c in times.items() if c == count])} on {count}{of}")
    return "; ".join(parts) or ("none on any split" if first else "none")
