"""Intervals over speakers (:mod:`affectspace.metrics.speaker_intervals`) from the answers of runs."""

from collections.abc import Sequence

from affectspace.metrics.speaker_intervals import SpeakerInterval, Tally, speaker_interval, tally
from affectspace.training.evaluated import Evaluated

__all__ = ["lead_interval", "tally_of"]


def tally_of(evaluated: Evaluated) -> Tally:
    """The answers of a run, counted for each speaker."""
    return tally(evaluated.items, evaluated.speakers, evaluated.targets, evaluated.probabilities)


def lead_interval(ahead: Sequence[Evaluated], behind: Sequence[Evaluated]) -> SpeakerInterval | None:
    """Where the difference in mean UAR of two models lies with other speakers; None where these cannot tell."""
    return speaker_interval([tally_of(each) for each in ahead], [tally_of(each) for each in behind])
