"""What a model reaches with other speakers than those of the test set: figures with their intervals, in words."""

from collections.abc import Sequence
from math import isnan

from affectspace.metrics.speaker_intervals import SpeakerInterval
from affectspace.report.phrases import NONE, PERCENT, counted, ends, in_percent
from affectspace.studies.summary import SplitSummary

__all__ = ["interval_words", "over", "reached_markdown", "reached_rows"]

METRICS = ("uar", "macro_f1")
SAME = "the same without any one of the speakers"  # is all that is left, where they are enough, known and alike
HEADINGS = ("UAR %", "95 % interval", "macro F1 %", "95 % interval", "over")


def over(interval: SpeakerInterval) -> str:
    """What an interval is over.

    Example:
        >>> over(SpeakerInterval(10, 0.441, 0.517, seeds=5)), over(SpeakerInterval(24, 0.4, 0.5))
        ('10 speakers and 5 seeds', '24 speakers')
    """
    seeds = f" and {counted(interval.seeds, 'seed')}" if interval.seeds else ""
    return counted(interval.speakers, "speaker") + seeds


def interval_words(interval: SpeakerInterval | None) -> str:
    """Where a figure lies with other speakers, to stand behind it; empty where that is not known.

    Example:
        >>> "UAR 47.9 %" + interval_words(SpeakerInterval(10, 0.441, 0.517, seeds=5)).replace(PERCENT, " %")
        'UAR 47.9 % (95 % interval over 10 speakers and 5 seeds: 44.1 to 51.7)'
    """
    if interval is None:
        return ""
    return f" (95{PERCENT} interval over {over(interval)}: {ends(interval.low, interval.high)})"


def reached_rows(splits: Sequence[SplitSummary]) -> list[tuple[str, str, list[str]]]:
    """Split, recipe and a cell for each of :data:`HEADINGS`, of every recipe with a finished run.

    A recipe that has no interval says why: as its split does, such as of too few speakers, or that its figure is the
    same without any one of them.
    """
    rows = []
    for split in splits:
        for row in split.rows:
            if not row.reached or isnan(row.reached["uar"][0]):
                continue
            cells = []
            for metric in METRICS:
                value, interval = row.reached[metric]
                cells += [in_percent(value), NONE if interval is None else ends(interval.low, interval.high)]
            known = next((interval for _, interval in row.reached.values() if interval), None)
            same = f"on a split {SAME}" if split.average else SAME
            why = split.no_speakers or (NONE if row.recipe in split.apart else same)
            rows.append((split.split, row.recipe, [*cells, over(known) if known else why]))
    return rows


def reached_markdown(splits: Sequence[SplitSummary]) -> str:
    """The same as a Markdown table with a line on how to read it; empty where no run is finished."""
    rows = reached_rows(splits)
    if not rows:
        return ""
    lines = [f"| split | recipe | {' | '.join(HEADINGS)} |", "| --- | --- |" + " ---: |" * 4 + " --- |"]
    lines += [f"| {split} | {recipe} | {' | '.join(cells)} |" for split, recipe, cells in rows]
    told = (
        "Where UAR and macro F1 lie with other speakers like those of the test set, and with other seeds where there "
        "are several."
    )
    return "\n".join(["**With other speakers**", "", *lines, "", told, ""])
