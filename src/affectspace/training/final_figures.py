"""The final figures of a run: what the kept net says of every part, and the ``metrics.json`` made of it."""

from typing import Any

from torch import nn

from affectspace.metrics.speaker_intervals import Tally, figure_interval, no_figure_interval, tally
from affectspace.protocols import PARTS
from affectspace.training.absent import absent_classes
from affectspace.training.data import Data
from affectspace.training.evaluate import (
    Predictions,
    by_corpus,
    chosen_neighbours,
    figures,
    figures_of_space,
    predict,
)
from affectspace.training.objective import reported_geometry
from affectspace.training.recipe import Recipe

__all__ = ["final_answers", "final_figures", "over_speakers"]


def final_answers(model: nn.Module, data: Data, recipe: Recipe) -> dict[str, Predictions]:
    """The net's answers by part; those to training items come first, where the space is measured by them."""
    parts = [part for part in PARTS if part != "train" and len(getattr(data.split, part))]
    answers = {part: predict(model, data, getattr(data.split, part)) for part in parts}
    known = {"train": predict(model, data, data.split.train)} if recipe.monitor.space else {}
    return known | answers


def final_figures(answers: dict[str, Predictions], data: Data, recipe: Recipe) -> dict[str, Any]:
    """The figures of validation and test items, and of each unseen corpus, by what :func:`final_answers` gives.

    Where training items answer too, their neighbours are voted with: as many as validation items choose, if there
    are any. ``over_speakers`` is where UAR and macro F1 of the test items lie with other speakers. ``absent`` names
    the classes that a part has no item of, by part; it is left out where there are none.
    """
    # An inner run only chooses, by the UAR; ranking pairs would take a tenth of its time.
    similarity = None if recipe.protocol.inner else reported_geometry(recipe)
    known, neighbours = answers.get("train"), None
    if known and "validate" in answers:
        chooses = answers["validate"]
        neighbours = chosen_neighbours(chooses.embeddings, chooses.targets, known.embeddings, known.targets)

    def told(found: Predictions) -> dict[str, float]:
        scored = figures(found, similarity, recipe.labels.ordered)
        k = neighbours["k"] if neighbours else None
        return scored | figures_of_space(found, known, k) if known else scored

    scored = {part: answers[part] for part in ("validate", "test") if part in answers}
    final: dict[str, Any] = {part: told(found) for part, found in scored.items()}
    if "test" in answers:
        final["over_speakers"] = over_speakers(_tally(answers["test"], data))
    if neighbours:
        final["neighbours"] = neighbours
    if "unseen" in answers:
        corpora = by_corpus(answers["unseen"], data)
        final["unseen"] = {corpus: told(found) for corpus, found in corpora.items()}
        scored |= {f"unseen.{corpus}": found for corpus, found in corpora.items()}
    lacking = {part: absent_classes(found.targets, data.measured.classes) for part, found in scored.items()}
    if absent := {part: names for part, names in lacking.items() if names}:
        final["absent"] = absent
    return final


def over_speakers(tallied: Tally) -> dict[str, Any]:
    """Where UAR and macro F1 of one run lie with other speakers, ``[low, high]`` each, or why one is not known.

    Of these items and this net; :func:`affectspace.metrics.speaker_intervals.figure_interval`.

    Example:
        >>> import numpy as np
        >>> over_speakers(tally(np.array(["c/1", "c/2"]), np.array(["x", "y"]), np.eye(2), np.eye(2)))
        {'speakers': 2, 'none': '2 test speakers: too few to speak for others, which takes 5'}
    """
    told: dict[str, Any] = {"speakers": len(tallied.speakers)}
    for metric in ("uar", "macro_f1"):
        if found := figure_interval([tallied], metric):
            told[metric] = [found.low, found.high]
        else:
            told["none"] = no_figure_interval([tallied], metric)
    return told


def _tally(found: Predictions, data: Data) -> Tally:
    items = data.items.iloc[found.rows]
    speakers = items["speaker"].astype("string").fillna("").to_numpy(str)
    return tally(items["key"].to_numpy(str), speakers, found.targets, found.probabilities)
