"""What can be read off features and embeddings about who speaks, in which language, and where emotions lie."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from affectspace.metrics import GroupProbe, group_probe, group_probe_within
from affectspace.protocols import groups_of
from affectspace.training.data import Data
from affectspace.training.evaluate import Predictions, predict
from affectspace.training.frontends import make_frontend
from affectspace.training.inputs import Inputs
from affectspace.training.keep_known import drawn
from affectspace.training.profile import described
from affectspace.training.recipe import Recipe

__all__ = ["has_probes", "probe_figures"]

MOST_ITEMS = 3000  # of those that train, and of those that are tested: a few seconds
MOST_SPEAKERS = 100  # of more, so many are drawn: of many with few items each nothing could be learned
MOST_DIMENSIONS = 768  # longer features are looked at in so many random directions
UNNORMALISED = ("faces", "waveform")  # kinds of features whose numbers mean nothing one by one
OVERLAPS = {"same_class": "same_class_chance", "other_language": "other_language_chance"}


def has_probes(data: Data, recipe: Recipe) -> bool:
    """Whether a run tells what its space knows of speakers and languages: of several languages, or told of groups.

    A run that only chooses settings has no use for it.
    """
    if recipe.protocol.inner is not None:
        return False
    rows = np.concatenate([data.split.train, data.split.test])
    told = any(getattr(term, "groups", None) for term in recipe.terms)
    return told or groups_of(data.items, "language").iloc[rows].nunique() > 1


def probe_figures(
    model: nn.Module, data: Data, recipe: Recipe, answers: Mapping[str, Predictions]
) -> dict[str, dict[str, float]]:
    """How well groups are told from features, ``before`` the net, and from embeddings, ``after`` it.

    ==========================  ===================================================================================
    ``speaker``                 of the training items, by :func:`affectspace.metrics.group_probe`
    ``speaker_in_corpus``       within each corpus: :func:`affectspace.metrics.group_probe_within`
    ``language``, ``corpus``    of the training items; the corpus where it says more than the language
    ``tested_speaker``          of the tested items, within each corpus: of people who were never heard, as a rule
    ``same_class``              of the nearest items of other languages, the share of an item's own class, training and
                                tested items together: :func:`affectspace.neighbours.overlap`
    ``other_language``          of the nearest items of all, the share that is of another language
    ==========================  ===================================================================================

    Each has ``before``, ``after`` and ``chance``, of how many ``items``, and probes of how many ``groups``; one is left
    out where there is nothing to tell apart. Features are as the net is given them, normalised, those that last in time
    by their mean and standard deviation. The items are drawn, the same ones for every seed and recipe.

    Args:
        model: the finished net.
        data: that it was trained on.
        recipe: by which.
        answers: of the net by part, as far as there are any.
    """
    from affectspace.neighbours import leading_labels, overlap  # loads faiss, which most runs have no use for

    columns = {name: _numbered(data.items, name) for name in ("speaker", "language", "corpus")}
    train, test = (_drawn(rows, columns["speaker"]) for rows in (data.split.train, data.split.test))
    spaces = {
        "before": {"train": _features(data, recipe, train), "test": _features(data, recipe, test)},
        "after": {"train": _embedded(model, data, train, answers.get("train")),
                  "test": _embedded(model, data, test, answers.get("test"))},
    }  # fmt: skip
    classes = leading_labels(data.measured.targets.numpy(), len(data.measured.classes))
    both = np.concatenate([train, test])
    near = drawn(columns["language"][both], MOST_ITEMS, seed=0)
    found: dict[str, dict[str, Any]] = {}
    for when, vectors in spaces.items():
        trained, tested = vectors["train"], vectors["test"]
        speaker, language, corpus = (columns[name][train] for name in columns)
        probes = {
            "speaker": group_probe(trained, speaker),
            "speaker_in_corpus": group_probe_within(trained, speaker, corpus),
            "language": group_probe(trained, language),
            "corpus": group_probe(trained, corpus) if _says_more(corpus, language) else None,
        }
        if len(test):
            probes["tested_speaker"] = group_probe_within(tested, columns["speaker"][test], columns["corpus"][test])
        for name, probe in probes.items():
            if probe is not None:
                found.setdefault(name, _counts(probe))[when] = probe.uar
        together = np.concatenate([trained, tested]) if len(test) else trained
        if lie := overlap(together[near], classes[both[near]], columns["language"][both[near]]):
            for name, chance in OVERLAPS.items():
                told = found.setdefault(name, {"chance": getattr(lie, chance), "items": lie.items})
                told[when] = getattr(lie, name)
    return {name: {key: figures[key] for key in ("before", "after", "chance", "groups", "items") if key in figures}
            for name, figures in found.items()}  # fmt: skip


def _counts(probe: GroupProbe) -> dict[str, Any]:
    return {"chance": probe.chance, "groups": probe.groups, "items": probe.items}


def _numbered(items: pd.DataFrame, column: str) -> np.ndarray:
    """The number of each item's group, -1 where it has none."""
    groups = items["corpus"] if column == "corpus" else groups_of(items, column)
    return pd.factorize(groups, sort=True)[0].astype(np.int64)


def _says_more(corpus: np.ndarray, language: np.ndarray) -> bool:
    """Whether some language has several corpora."""
    pairs = np.unique(np.stack([corpus, language]), axis=1).shape[1]
    return pairs > len(np.unique(language))


def _drawn(rows: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """At most so many of the rows, of as many speakers, of each as many as of any other as far as there are."""
    own = speakers[rows]
    known = np.unique(own)
    if len(known) > MOST_SPEAKERS:
        chosen = np.random.default_rng(0).permutation(known)[:MOST_SPEAKERS]
        rows = rows[np.isin(own, chosen)]
    return rows[drawn(speakers[rows], MOST_ITEMS, seed=0)]


def _embedded(model: nn.Module, data: Data, rows: np.ndarray, known: Predictions | None) -> np.ndarray:
    """``(rows, dimensions)`` embeddings."""
    if not len(rows):
        return np.empty((0, 0))
    if known is None:
        return predict(model, data, rows).embeddings
    return known.embeddings[np.isin(known.rows, rows)]  # both in the order of their part


def _features(data: Data, recipe: Recipe, rows: np.ndarray) -> np.ndarray:
    """``(rows, numbers)`` what the net is given of each item; of several modalities side by side, 0 of one it lacks."""
    if not len(rows):
        return np.empty((0, 0))
    if not data.several and recipe.features.kind in UNNORMALISED:
        frontend: Any = make_frontend(recipe)
        wide = np.stack([described(data.clips[row], frontend) for row in rows.tolist()])
    else:
        wide = np.concatenate([_pooled(each, rows) for each in data.inputs.values()], axis=1)
    if wide.shape[1] <= MOST_DIMENSIONS:
        return wide
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (wide.shape[1], MOST_DIMENSIONS))
    return wide @ signs


def _pooled(inputs: Inputs, rows: np.ndarray) -> np.ndarray:
    """Normalised vectors; of sequences the mean and the standard deviation over time."""
    if inputs.vectors:
        return inputs.read(rows)[0].numpy()
    pooled = np.zeros((len(rows), 2 * inputs.clips.dimensions), np.float32)
    for place, row in enumerate(rows.tolist()):
        if len(clip := inputs.clips[row]):
            mean, scale = inputs.normaliser(row)
            normal = (clip - mean) / scale
            pooled[place] = np.concatenate([normal.mean(0), normal.std(0)])
    return pooled
