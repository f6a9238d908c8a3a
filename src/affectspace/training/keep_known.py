"""Which training items a finished net keeps, and when a new one lies far from them all."""

from collections.abc import Mapping

import numpy as np
from torch import nn

from affectspace.training.data import Data
from affectspace.training.evaluate import Predictions, predict
from affectspace.training.far import Far
from affectspace.training.frontends import make_frontend, reads_loose
from affectspace.training.known import Known, in_half
from affectspace.training.profile import Loose, Profile, described_all
from affectspace.training.recipe import Recipe

__all__ = ["drawn", "known_items"]

MOST = 20_000
K = 5  # few enough for a class of few items, and more than one, which may be an odd one out itself


def known_items(encoder: nn.Module, data: Data, recipe: Recipe, answers: Mapping[str, Predictions]) -> Known | None:
    """The training items that the model of a run keeps: all labelled ones, or :data:`MOST` of them, see :func:`drawn`.

    Of several modalities only items that have all of them, as a recording has: what is said of one of them alone is
    no measure of it.

    Args:
        encoder: the finished net.
        data: that it was trained on.
        recipe: by which.
        answers: of the net by part; validation items tell what is far. Where there are none, each training item is
            left out in turn.

    Returns:
        None where no loose file could be placed among them: a net of texts, videos or precomputed vectors, be they one
        of several modalities; of a run that only chooses settings; and where there is a single item.
    """
    if recipe.protocol.inner or not reads_loose(recipe):
        return None
    frontends: dict[str, Loose] = {}
    for name, view in recipe.per_modality().items():
        frontend = make_frontend(view)
        assert isinstance(frontend, Loose), "asked above"
        frontends[name] = frontend
    from affectspace.neighbours import Neighbours, leading_labels  # loads faiss

    classes = data.measured.classes
    leading = leading_labels(data.measured.targets.numpy(), len(classes))
    whole = np.all([data.inputs[name].clips.lengths > 0 for name in frontends], axis=0)
    train = data.split.train[whole[data.split.train]]
    rows = train[drawn(leading[train], MOST, recipe.seed)]
    if len(rows) < 2:
        return None
    trained = answers["train"] if "train" in answers else predict(encoder, data, rows)
    embeddings = in_half(trained.embeddings[np.isin(trained.rows, rows)])

    def features_of(chosen: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                described_all({name: data.inputs[name].clips[row] for name in frontends}, frontends)
                for row in chosen.tolist()
            ]
        )

    own = features_of(rows)
    profile = Profile.fit(own, recipe.seed)
    profiles = in_half(profile(own))
    k = min(K, len(rows) - 1)
    near = {"embedding": Neighbours(embeddings), "features": Neighbours(profiles)}
    judged = answers.get("validate")
    validating = np.empty(0, bool) if judged is None else whole[judged.rows]
    if judged is not None and validating.any():
        asked = {
            "embedding": judged.embeddings[validating],
            "features": profile(features_of(judged.rows[validating])),
        }
        away = {name: each.search(asked[name], k)[0][:, -1] for name, each in near.items()}
    else:
        away = {name: each.of_items(k)[0][:, -1] for name, each in near.items()}
    items = data.items.iloc[rows]
    languages = items["language"].astype("string")
    return Known(
        tuple(items["key"].astype(str)),
        tuple(None if missing else str(name) for name, missing in zip(languages, languages.isna())),
        tuple(None if label < 0 else classes[label] for label in leading[rows].tolist()),
        embeddings,
        profiles,
        profile,
        Far.learned(away, k, "validate" if validating.any() else "train"),
        len(train),
    )


def drawn(classes: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Places of at most ``most`` items, sorted, of each class as many as of any other as far as it has them.

    Args:
        classes: ``(items,)`` int64, the class of each; -1, for none, is one more.
        most: how many.
        seed: by which items of a class are drawn.

    Example:
        >>> classes = np.array([0, 0, 0, 0, 0, 0, 1, 1])
        >>> np.bincount(classes[drawn(classes, most=5, seed=0)]).tolist()
        [3, 2]
        >>> drawn(classes, most=9, seed=0).tolist()
        [0, 1, 2, 3, 4, 5, 6, 7]
    """
    order = np.random.default_rng(seed).permutation(len(classes))
    turn = np.empty(len(classes), np.int64)  # the first of every class come before any second
    for name in np.unique(classes):
        own = order[classes[order] == name]
        turn[own] = np.arange(len(own))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:most])
