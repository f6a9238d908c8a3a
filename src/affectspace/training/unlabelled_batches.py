"""How batches show unlabelled items: seen twice where a term compares views, and balanced where a recipe asks."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from affectspace.encoders import Batch, Modality
from affectspace.samplers import MixedBatches, balanced_rows
from affectspace.training.data import Data
from affectspace.training.evaluate import predict
from affectspace.training.processes import ALONE, Processes
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_terms import ConsistencyEntry

__all__ = ["balance", "balances_after", "noise_of_views", "seen_twice"]


def noise_of_views(recipe: Recipe) -> float | None:
    """The noise under which unlabelled items are looked at twice; None where no term compares two views of them."""
    return next((term.noise for term in recipe.used_terms if isinstance(term, ConsistencyEntry)), None)


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
    plan = recipe.semi_supervised and recipe.semi_supervised.balance
    return bool(plan) and plan.after == epoch


def balance(
    sampler: MixedBatches, encoder: nn.Module, data: Data, recipe: Recipe, processes: Processes = ALONE
) -> None:
    """Draw as many unlabelled items of each class that the net tells them to be of."""
    assert recipe.unlabelled is not None, "the recipe has a plan to balance"
    assert recipe.unlabelled.balance is not None, "the recipe has a plan to balance"
    classes = predict(encoder, data, data.unlabelled, processes).probabilities.argmax(1)
    sampler.draw_from(balanced_rows(classes, recipe.unlabelled.balance.per_class, recipe.seed))
