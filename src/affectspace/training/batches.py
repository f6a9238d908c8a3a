"""The batches of training: the sampler that a recipe asks for, and what it draws."""

from collections.abc import Iterator
from typing import Any

from affectspace.encoders import Batch
from affectspace.features import Hearing
from affectspace.samplers import BalancedTriplets, ClassBatches, LengthBuckets, MixedBatches, ShuffledBatches
from affectspace.training.ahead import ahead
from affectspace.training.data import Data
from affectspace.training.objective import triplet_geometry
from affectspace.training.processes import ALONE, Processes
from affectspace.training.recipe import Recipe

__all__ = ["Sampler", "epoch_batches", "make_sampler"]

Sampler = ShuffledBatches | LengthBuckets | BalancedTriplets | ClassBatches | MixedBatches


def make_sampler(recipe: Recipe, data: Data) -> Sampler:
    """The sampler over the training items, and over unlabelled ones beside them where these train too."""
    labelled = _labelled_sampler(recipe, data)
    if recipe.semi_supervised is None:
        return labelled
    assert not isinstance(labelled, BalancedTriplets), "the recipe proves it"
    return MixedBatches(labelled, len(data.unlabelled), recipe.semi_supervised.batch_size, recipe.seed)


def _labelled_sampler(recipe: Recipe, data: Data) -> ShuffledBatches | LengthBuckets | BalancedTriplets | ClassBatches:
    """Of triplets where a term reads them, else as ``[training]`` asks."""
    settings, targets = recipe.training, data.targets.numpy()[data.split.train]
    if geometry := triplet_geometry(recipe):
        return BalancedTriplets(targets, settings.batch_size, geometry, recipe.seed)
    if each := settings.items_per_class:
        groups = speakers = None
        if settings.across is not None:
            groups, speakers = (data.training_groups(column) for column in (settings.across, "speaker"))
        return ClassBatches(
            targets.argmax(1), settings.batch_size // each, each, recipe.seed, groups=groups, speakers=speakers
        )
    if settings.length_pool > 1:
        lengths = data.lengths[data.split.train]
        return LengthBuckets(lengths, settings.batch_size, settings.length_pool, recipe.seed)
    return ShuffledBatches(len(targets), settings.batch_size, recipe.seed)


def epoch_batches(
    sampler: Sampler,
    data: Data,
    hear: Hearing | None,
    seed: int,
    processes: Processes = ALONE,
    seen_twice: bool = False,
) -> Iterator[tuple[dict[str, Any], Any, Batch]]:
    """The rest of an epoch: the sampler's state once a batch has been trained on, what is drawn, and its batch.

    Args:
        sampler: of the whole batch; every process has the same, which is why a run goes on with any number of them.
        data: that it draws from.
        hear: augments items, where they are augmented.
        seed: of the run.
        processes: who trains; several read their share of the items each.
        seen_twice: whether items are to be shown a second time behind the batch. Such batches are read whole, and so
            are those of several modalities, as a term may compare what was made of all items with what they were.
    """
    epoch = sampler.epoch

    def drawn(indices: Any) -> Batch:
        if processes.count == 1 or data.several or seen_twice:
            return data.training_batch(indices, hear, epoch, seed)
        return data.shared_batch(indices, processes.share(data.drawn_items(indices)), hear, epoch, seed)

    made = ((sampler.state_dict(), indices, drawn(indices)) for indices in sampler)
    # A vector is there at once; sequences are put together while the step before is at work.
    return made if data.vectors else ahead(made)
