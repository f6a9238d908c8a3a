"""Arrays to a trained net: the recipe of an estimator, its data in memory, and the loop."""

import difflib
import threading
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, TypeAdapter, ValidationError

from affectspace.encoders import MLP
from affectspace.errors import DivergedError, InputError
from affectspace.features import Features, Normaliser
from affectspace.losses import DegenerateBatchWarning
from affectspace.protocols import Split
from affectspace.training.batches import epoch_batches, make_sampler
from affectspace.training.data import NO_ROWS, Data
from affectspace.training.epoch_figures import add_batch, epoch_row
from affectspace.training.inputs import Clips, Inputs
from affectspace.training.model import make_encoder
from affectspace.training.objective import make_objective, triplet_geometry
from affectspace.training.optimiser import make_optimiser
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_encoder import MLPEncoder
from affectspace.training.recipe_terms import Term
from affectspace.training.recipe_training import Training
from affectspace.training.schema import sentences

__all__ = ["LOSSES", "data_of", "recipe_of", "train_arrays"]

OF_PREDICTIONS = ("cross_entropy", "ordered_emd", "level_regression", "entropic_emd", "guided_emd")
OF_EMBEDDINGS = ("f_similarity", "supervised_contrastive", "triplet", "contrastive_pairs", "gaussian_manifold")
LOSSES = OF_PREDICTIONS + OF_EMBEDDINGS  # those that ask for nothing but labels
OF_LEVELS = ("ordered_emd", "level_regression", "entropic_emd")
# where a recipe draws triplets: of few raters' votes they often have no partner, and then nothing would be learned
UNLESS_GIVEN = {"f_similarity": {"pairs": "batch"}}

# torch draws weights and dropout from one stream of the process, so that two threads would disturb each other.
ONE_AT_A_TIME = threading.Lock()


def recipe_of(
    loss: str, weight: float, loss_params: dict[str, Any] | None, classes: np.ndarray, encoder: dict[str, Any],
    training: dict[str, Any], seed: int,
) -> Recipe:  # fmt: skip
    """The recipe of which an estimator is another form.

    A loss of embeddings stands beside class-weighted cross-entropy, by which the classifier learns; a loss of
    predictions stands alone.

    Args:
        loss: one of :data:`LOSSES`.
        weight: of a loss of embeddings.
        loss_params: other keys of that term.
        classes: their names.
        encoder: keys of an MLP.
        training: keys of ``[training]``.
        seed: of weights and batches.

    Raises:
        InputError: a loss that is none of these, and every key or value that a recipe refuses.
    """
    if loss not in LOSSES:
        near = difflib.get_close_matches(str(loss), LOSSES, 1, 0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"loss is {loss!r}; {hint}legal: {', '.join(LOSSES)}")
    beside = [] if loss in OF_PREDICTIONS else [{"kind": "cross_entropy"}]
    own = {"kind": loss} | UNLESS_GIVEN.get(loss, {}) | (loss_params or {})
    if beside:
        own["weight"] = weight
    try:
        return Recipe.model_validate(
            {
                "name": "estimator",
                "seed": seed,
                "corpora": [{"path": "X"}],
                "labels": {"kind": "levels" if loss in OF_LEVELS else "classes", "names": [str(c) for c in classes]},
                "features": {"kind": "vectors", "path": "X", "normalise": {"scope": "none"}},
                "protocol": {"kind": "leave_one_out", "by": "speaker", "validate_groups": 0},
                "encoder": _checked(MLPEncoder, {"kind": "mlp"} | encoder),
                "terms": [*beside, _checked(TypeAdapter(Term), own)],
                "training": _checked(Training, training | {"selection": "last"}),
            }
        )
    except ValidationError as error:
        raise InputError("; ".join(sentences(error, {}))) from None


def _checked(section: type[BaseModel] | TypeAdapter, values: dict[str, Any]) -> Any:
    """A section of the recipe, whose faults are told by the names of parameters."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    try:
        return section.validate_python(plain) if isinstance(section, TypeAdapter) else section.model_validate(plain)
    except ValidationError as error:
        raise InputError("; ".join(sentences(error, plain))) from None


def data_of(values: np.ndarray, targets: np.ndarray, classes: np.ndarray) -> Data:
    """Arrays as a run's items, all of which train.

    Args:
        values: ``(items, features)`` float32, normalised.
        targets: ``(items, classes)`` probabilities.
        classes: their names.
    """
    items = len(values)
    rows = np.arange(items)
    ids = np.array([f"row {row}" for row in rows], dtype=object)
    nothing, empty = np.full(items, None), pd.DataFrame(columns=["id", "reason"])
    features = Features(ids, np.ones(items), values, nothing, empty)
    clips = Clips([features], np.stack([np.zeros(items, np.int64), rows], 1))
    inputs = Inputs(clips, Normaliser.fit(clips, "none", rows))
    table = pd.DataFrame({"key": ids, "id": ids, "corpus": "X", "language": None, "speaker": None})
    split = Split("all items", rows, NO_ROWS, NO_ROWS, tested_elsewhere=True)
    soft = torch.from_numpy(targets.astype(np.float32))
    return Data(table, soft, tuple(str(name) for name in classes), split, {"features": inputs}, False, {}, {})


def train_arrays(recipe: Recipe, data: Data) -> tuple[MLP, list[dict[str, Any]]]:
    """The net after its last epoch, and a row for each epoch, as in ``metrics.jsonl`` of a run.

    These are the steps of :func:`affectspace.training.train` without a folder: the weights are its weights, to the
    bit. Neither torch's random state nor its number of threads is changed for anybody else.

    Raises:
        InputError: settings that a loss refuses.
        DivergedError: a loss or a weight that is not finite.

    Warns:
        DegenerateBatchWarning: of some batches of the last epoch a term has learned nothing.
    """
    settings = recipe.training
    with ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)  # as torch.manual_seed, which would touch GPUs too
        encoder = make_encoder(recipe, data.dimensions, len(data.classes))
        assert isinstance(encoder, MLP), "the recipe asks for one"
        objective = make_objective(recipe, data, encoder.sizes)
        parameters = [*encoder.parameters(), *objective.parameters()]
        optimiser = make_optimiser(parameters, settings)
        sampler = make_sampler(recipe, data)
        steps, step, history = settings.epochs * len(sampler), 0, []
        for epoch in range(1, settings.epochs + 1):
            sums: dict[str, Any] = {}
            for _, _, batch in epoch_batches(sampler, data, None, recipe.seed):
                batch.progress = step / steps
                loss, values, nothing = objective(encoder(batch), batch)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                step += 1
                anchors = len(batch.lengths) if batch.anchors is None else batch.anchors
                add_batch(sums, anchors, {"loss": loss.detach(), **values}, nothing)
            row = epoch_row(epoch, sums)
            if not torch.isfinite(torch.nn.utils.get_total_norm(parameters) + row["loss"]):
                raise DivergedError(
                    f"the loss or a weight is not finite in epoch {epoch}; lower learning_rate, or look for extreme "
                    "values in X, which limit moves nearer"
                )
            objective.epoch_end()
            history.append(row)
    _tell_what_taught_nothing(recipe, history[-1])
    return encoder.eval(), history


def _tell_what_taught_nothing(recipe: Recipe, row: dict[str, Any]) -> None:
    helps = "a larger batch_size may help"
    if triplet_geometry(recipe):
        helps = 'give loss_params = {"pairs": "batch"}, as labels lack pairs whose similarities balance'
    for term, counts in row["taught_nothing"].items():
        if counts["batches"]:
            told = f"{term} learned nothing from {counts['batches']} of {row['batches']} batches of the last epoch"
            warnings.warn(f"{told}; {helps}", DegenerateBatchWarning, stacklevel=4)
