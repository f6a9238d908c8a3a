"""Items that are trained on without a label: which they are, and how batches show them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from affectspace.encoders import Batch, Modality
from affectspace.errors import InputError
from affectspace.protocols import PARTS, Split, groups_of
from affectspace.samplers import MixedBatches, balanced_rows
from affectspace.training.data import Data
from affectspace.training.evaluate import predict
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_terms import ConsistencyEntry

__all__ = ["balance", "balances_after", "choose_unlabelled", "labelled_share", "noise_of_views", "seen_twice"]


def labelled_share(rows: np.ndarray, classes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Rows whose labels are used: a share of each class, two of it at least where it has them; sorted.

    Those of a smaller share are among those of a larger one of the same seed.

    Args:
        rows: of training items.
        classes: ``(rows,)`` the class of each.
        share: in ``(0, 1]``.
        seed: of the draw.

    Example:
        >>> labelled_share(np.arange(10), np.repeat([0, 1], 5), 0.4, seed=0).size
        4
    """
    if share == 1:
        return rows
    kept = []
    for code in np.unique(classes):
        own = np.random.default_rng([seed, int(code)]).permutation(rows[classes == code])
        kept.append(own[: max(min(2, len(own)), round(share * len(own)))])
    return np.sort(np.concatenate(kept))


def choose_unlabelled(
    recipe: Recipe, items: pd.DataFrame, split: Split, without_target: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """Rows to train on without a label, and how many were left out, by the group that they share with others.

    Left out are items of a group that the split keeps apart (a speaker, a session, an identical recording) and that is
    validated or tested on, but for a transductive recipe.

    Args:
        recipe: its section ``unlabelled``.
        items: those with a target, and all others.
        split: of the former.
        without_target: rows of the others.
        hidden: training rows whose label is not used.

    Raises:
        InputError: no row is left.
    """
    assert recipe.unlabelled is not None, "asked for recipes with unlabelled items only"
    left_out: dict[str, int] = {}
    rows = without_target
    watched = np.concatenate([getattr(split, part) for part in PARTS if part != "train"])
    if not recipe.unlabelled.transductive:
        for kind in dict.fromkeys([*(kind for kind in split.keeps_apart if kind not in ("corpus", "item")), "audio"]):
            groups = groups_of(items, kind)
            shares = groups.iloc[rows].isin(set(groups.iloc[watched].dropna())).to_numpy(bool)
            if shares.any():
                left_out[kind] = int(shares.sum())
            rows = rows[~shares]
    rows = np.concatenate([rows, hidden])
    if not len(rows):
        why = ", ".join(f"{count} share a {kind} with validation or test items" for kind, count in left_out.items())
        raise InputError(
            f"there are no unlabelled items to train on{f': {why}' if why else ''}; add a corpus without labels, lower "
            "training.labelled_share, or leave [unlabelled] out"
        )
    limit = recipe.unlabelled.limit
    if limit is not None and limit < len(rows):
        rows = np.random.default_rng([recipe.seed, 1]).permutation(rows)[:limit]
    return np.sort(rows), left_out


def noise_of_views(recipe: Recipe) -> float | None:
    """The noise under which unlabelled items are looked at twice; None where no term compares two views of them."""
    return next((term.noise for term in recipe.terms if isinstance(term, ConsistencyEntry)), None)


def seen_twice(batch: Batch, noise: float) -> Batch:
    """The batch with its unlabelled items a second time behind the first, both under noise of their own.

    Noise is drawn from torch's generator, on what is no padding and on no modality that an item lacks.
    """
    labelled, items = len(batch.lengths) - batch.unlabelled, len(batch.lengths)
    order = torch.cat([torch.arange(items), torch.arange(labelled, items)]).to(batch.values.device)

    def noisy(values: Tensor, lengths: Tensor) -> Tensor:
        values = values[order]
        lengths = lengths[order].to(values.device)
        inside = lengths[:, None] > 0
        if values.ndim > 2:
            inside = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
            inside = inside.view(*inside.shape, *[1] * (values.ndim - 2))
        inside = inside & (torch.arange(len(order), device=values.device) >= labelled).view(
            -1, *[1] * (values.ndim - 1)
        )
        return torch.where(inside, values + noise * torch.randn_like(values), values)

    doubled = {name: value[order] for name, value in vars(batch).items() if isinstance(value, Tensor)}
    groups = batch.groups and {name: codes[order.to(codes.device)] for name, codes in batch.groups.items()}
    modalities = batch.modalities and {
        name: Modality(noisy(each.values, each.lengths), each.lengths[order]) for name, each in batch.modalities.items()
    }
    if batch.modalities is None:
        doubled["values"] = noisy(batch.values, batch.lengths)
    return replace(batch, **doubled, groups=groups, modalities=modalities, unlabelled=2 * batch.unlabelled)


def balances_after(recipe: Recipe, epoch: int) -> bool:
    """Whether unlabelled items are drawn anew by their predicted classes, once so many epochs are done."""
    plan = recipe.unlabelled and recipe.unlabelled.balance
    return bool(plan) and plan.after == epoch


def balance(sampler: MixedBatches, encoder: nn.Module, data: Data, recipe: Recipe) -> None:
    """Draw as many unlabelled items of each class that the net tells them to be of."""
    assert recipe.unlabelled is not None, "the recipe has a plan to balance"
    assert recipe.unlabelled.balance is not None, "the recipe has a plan to balance"
    classes = predict(encoder, data, data.unlabelled).probabilities.argmax(1)
    sampler.draw_from(balanced_rows(classes, recipe.unlabelled.balance.per_class, recipe.seed))
