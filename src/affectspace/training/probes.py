"""What can be read off features and embeddings about who speaks, in which language, and where emotions lie."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from affectspace.metrics import Classifier, GroupProbe, group_probe, group_probe_within
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
LARGEST = 1e15  # a number beyond says no more of an item than one that is not finite
OVERLAPS = {"same_class": "same_class_chance", "other_language": "other_language_chance"}
BY_NEIGHBOURS = "_by_neighbours"
CLASSIFIERS: dict[Classifier, str] = {"linear": "", "neighbours": BY_NEIGHBOURS}
KEYS = ("before", "after", "before" + BY_NEIGHBOURS, "after" + BY_NEIGHBOURS, "chance", "groups", "items")


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
) -> dict[str, dict[str, dict[str, float]]]:
    """How well groups are told from features, ``before`` the net, and from embeddings, ``after`` it.

    ==========================  ===================================================================================
    ``speaker``                 of the training items, by :func:`affectspace.metrics.group_probe`
    ``speaker_in_corpus``       within each corpus: :func:`affectspace.metrics.group_probe_within`
    ``language``, ``corpus``    of the training items; the corpus where it says more than the language
    ``tested_speaker``          of the tested items, within each corpus: of people who were never heard, as a rule
    ``same_class``              of the nearest items of other languages, the share of an item's own class, training and
                                tested items together: :func:`affectspace.neighbours.overlap`
    ``tested_same_class``       the same of tested items alone, among training items of other languages:
                                :func:`affectspace.neighbours.same_class_among`
    ``other_language``          of the nearest items of all, the share that is of another language
    ==========================  ===================================================================================

    Each has ``before``, ``after`` and ``chance``, of how many ``items``, and probes of how many ``groups``; one is left
    out where there is nothing to tell apart. Probes have ``before_by_neighbours`` and ``after_by_neighbours``, too: a
    linear classifier is what :class:`affectspace.losses.LinearAdversaryLoss` hides groups from, and another may tell
    them still. Features are as the net is given them, normalised, those that last in time by their mean and standard
    deviation. The items are drawn, the same ones for every seed and recipe; those whose features or embedding are not
    finite are left out of both.

    Args:
        model: the finished net.
        data: that it was trained on.
        recipe: by which.
        answers: of the net by part, as far as there are any.

    Returns:
        ``probes``, the table above by name; and, where items were left out, ``probes_not_finite``, by part ("train",
        "test") how many ``items`` they are ``of`` those drawn: they stand apart, as where all are lost there is no
        table.
    """
    from affectspace.neighbours import leading_labels, overlap, same_class_among  # loads faiss, most runs have no use

    columns = {name: _numbered(data.items, name) for name in ("speaker", "language", "corpus")}
    rows = {part: _drawn(getattr(data.split, part), columns["speaker"]) for part in ("train", "test")}
    spaces = {part: (_features(data, recipe, own), _embedded(model, data, own, answers.get(part)))
              for part, own in rows.items()}  # fmt: skip
    lost: dict[str, dict[str, float]] = {}
    for part, own in rows.items():
        whole = np.all([_finite(vectors) for vectors in spaces[part]], axis=0)
        if not whole.all():
            lost[part] = {"items": int((~whole).sum()), "of": len(own)}
        rows[part] = own[whole]
        before, after = spaces[part]
        spaces[part] = (before[whole], after[whole])
    train, test = rows["train"], rows["test"]
    classes = leading_labels(data.measured.targets.numpy(), len(data.measured.classes))
    both = np.concatenate([train, test])
    asked = np.arange(len(both)) >= len(train)
    near = drawn(columns["language"][both], MOST_ITEMS, seed=0)
    speaker, language, corpus = (columns[name][train] for name in columns)
    questions: dict[str, tuple[str, np.ndarray, np.ndarray | None]] = {
        "speaker": ("train", speaker, None),
        "speaker_in_corpus": ("train", speaker, corpus),
        "language": ("train", language, None),
    }
    if _says_more(corpus, language):
        questions["corpus"] = ("train", corpus, None)
    if len(test):
        questions["tested_speaker"] = ("test", columns["speaker"][test], columns["corpus"][test])
    found: dict[str, dict[str, Any]] = {}
    for place, when in enumerate(("before", "after")):
        for name, (part, groups, within) in questions.items():
            for classifier, end in CLASSIFIERS.items():
                probe = _probe(spaces[part][place], groups, within, classifier)
                if probe is not None:
                    found.setdefault(name, _counts(probe))[when + end] = probe.uar
        together = np.concatenate([own[place] for own in spaces.values() if len(own[place])] or [np.empty((0, 0))])
        emotions, spoken = classes[both], columns["language"][both]
        if lie := overlap(together[near], emotions[near], spoken[near]):
            for name, chance in OVERLAPS.items():
                found.setdefault(name, {"chance": getattr(lie, chance), "items": lie.items})[when] = getattr(lie, name)
        if there := same_class_among(together, emotions, spoken, asked):
            counts = {"chance": there.chance, "items": there.items}
            found.setdefault("tested_same_class", counts)[when] = there.share
    table = {name: {key: figures[key] for key in KEYS if key in figures} for name, figures in found.items()}
    return {"probes": table, **({"probes_not_finite": lost} if lost else {})}


def _probe(
    vectors: np.ndarray, groups: np.ndarray, within: np.ndarray | None, classifier: Classifier
) -> GroupProbe | None:
    if within is None:
        return group_probe(vectors, groups, classifier=classifier)
    return group_probe_within(vectors, groups, within, classifier=classifier)


def _finite(vectors: np.ndarray) -> np.ndarray:
    """``(rows,)`` whether all numbers of a vector are ones to reckon with."""
    return np.all(np.abs(vectors) < LARGEST, axis=1)  # NaN is below nothing


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
