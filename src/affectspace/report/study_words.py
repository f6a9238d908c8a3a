"""What a study found, in words: by how much each recipe differs from the baseline, and how sure that is."""

from collections.abc import Sequence
from math import isnan

from affectspace.report.phrases import PERCENT, ends, in_points, listed, p_value, percent, signed
from affectspace.studies.summary import RecipeSummary, SplitSummary

__all__ = ["answers", "cautions", "overall"]


def answers(split: SplitSummary) -> list[str]:
    """The answer for one split in at most three sentences or so, the most important first.

    A recipe is said to be above or below the baseline only where Tukey's p is under .05; otherwise the
    two "cannot be told apart", and the interval says what difference would have gone unseen.
    """
    where, base = split.split, split.base
    if split.obstacles:
        return [f"On {where} the recipes cannot be ranked.", *split.obstacles]
    if not split.tested:
        return [f"On {where} no run is finished yet."]
    if isnan(base.mean):
        told = "no finished run yet" if not base.uar.n else "no UAR"
        return [f"On {where} {base.recipe} has {told}, so there is nothing to compare with."]
    if not split.others:
        return [f"{base.recipe} reaches {percent(base.mean)} UAR on {where}.", *_at_chance(split)]
    first = split.others[0]
    if first.difference is None:
        return [f"On {where} at least one run has no UAR, so there is no order to tell."]
    absent = [row.recipe for row in split.rows if not row.uar.n]
    more = [f"{listed(absent)} {'has' if len(absent) == 1 else 'have'} no finished run here."] if absent else []
    return [*(_tested(split) if first.verdict else _untested(split)), *more, *_at_chance(split)]


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
        told.append(f"{way.capitalize()} {base}: {_tallied(times, len(counted), first=way == 'above')}.")
    left_out = len(splits) - len(counted)
    more = f" {left_out} more cannot be judged." if left_out else ""
    return " ".join(told) + more


def cautions(splits: Sequence[SplitSummary]) -> list[str]:
    """What the answers do not show, in sentences."""
    told, compared = [], [split for split in splits if split.others and not split.obstacles]
    tested = any(row.verdict for split in compared for row in split.others)
    over_speakers = any(row.speakers for split in compared for row in split.others)
    if tested:
        told.append(
            "Seeds vary what is drawn in training, such as how a network begins and in which order it learns: Tukey's "
            "test tells whether the training procedures differ on these test items, with these training items."
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
    for split in splits:
        if 0 < len(split.transductive) < len(split.tested):
            told.append(
                f"On {split.split} the order is not fair: {listed(split.transductive)} saw the (unlabelled) test "
                "items, the others did not."
            )
    return told


def _tested(split: SplitSummary) -> list[str]:
    base, where = split.base, split.split
    above = [row for row in split.others if row.verdict == "above"]
    below = [row for row in reversed(split.others) if row.verdict == "below"]
    level = [row for row in split.others if row.verdict == "level"]
    sentences = []
    if above:
        sentences.append(_one_sided(above[0], base, where, "above"))
        if above[1:]:
            sentences.append(f"So {'is' if len(above) == 2 else 'are'} {_spread(above[1:])}.")
    if below:
        sentences.append(
            _one_sided(below[0], base, where, "below")
            if not above
            else f"Below {base.recipe} {'is' if len(below) == 1 else 'are'} {_spread(below)}."
        )
        if below[1:] and not above:
            sentences.append(f"So {'is' if len(below) == 2 else 'are'} {_spread(below[1:])}.")
    if level and (above or below):
        sentences.append(f"{listed([row.recipe for row in level])} cannot be told from {base.recipe}.")
    elif len(level) == 1:
        row = level[0]
        sentences.append(
            f"{row.recipe} and {base.recipe} cannot be told apart on {where}: {percent(row.mean)} and "
            f"{percent(base.mean)} UAR (difference {signed(row.change[0])} points, 95{PERCENT} "
            f"{ends(row.change[1], row.change[2])}; Tukey {p_value(row.p)})."
        )
    elif level:
        lows, highs = [row.change[1] for row in level], [row.change[2] for row in level]
        smallest = min(row.p for row in level)
        sentences.append(
            f"No recipe can be told from {base.recipe} on {where} ({percent(base.mean)} UAR): the others lie "
            f"{_range(level)} points away (95{PERCENT} intervals within {ends(min(lows), max(highs))}; smallest Tukey "
            f"{p_value(smallest)})."
        )
    return sentences


def _one_sided(row: RecipeSummary, base: RecipeSummary, where: str, way: str) -> str:
    gap = abs(in_points(row.change[0]))
    found = f"Tukey {p_value(row.p)}"
    if row.speakers:
        low, high = (row.speakers.low, row.speakers.high) if way == "above" else (-row.speakers.high, -row.speakers.low)
        doubt = ", so it may vanish" if in_points(low) <= 0 else ""
        found += f"; with other speakers {ends(low, high)}{doubt}"
    return (
        f"{row.recipe} is {gap:.1f} points {way} {base.recipe} on {where}: {percent(row.mean)} against "
        f"{percent(base.mean)} UAR ({found})."
    )


def _untested(split: SplitSummary) -> list[str]:
    """Figures without a test, and why there is none."""
    base, first = split.base, split.others[0]
    gap = in_points(first.mean - base.mean)
    told = f"is {abs(gap):.1f} points {'above' if gap > 0 else 'below'}" if gap else "is level with"
    best = " (the best of the others)" if len(split.others) > 1 else ""
    sentence = (
        f"{first.recipe}{best} {told} {base.recipe} on {split.split}: {percent(first.mean)} against "
        f"{percent(base.mean)} UAR"
    )
    if first.speakers:
        sentence += f"; with other speakers {ends(first.speakers.low, first.speakers.high)}"
    counts = {row.uar.n for row in split.rows if row.uar.n}
    if counts == {1}:
        doubt = "One seed each proves nothing: with other seeds the order may turn round, so no test is made."
        return [f"{sentence}.", doubt]
    return [f"{sentence}.", f"No test is made: {split.tukey.reason}."]


def _at_chance(split: SplitSummary) -> list[str]:
    best = max((row.mean for row in split.rows if not isnan(row.mean)), default=None)
    if best is None or not split.chance >= best:
        return []
    return [f"That is no better than chance ({percent(split.chance)}): nothing was learned that carries over."]


def _spread(rows: Sequence[RecipeSummary]) -> str:
    return f"{listed([row.recipe for row in rows])} ({_range(rows)} points)"


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
        parts.append(f"{listed([name for name, c in times.items() if c == count])} on {count}{of}")
    return "; ".join(parts) or ("none on any split" if first else "none")
