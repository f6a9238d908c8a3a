"""A recipe to a run folder: one linear function."""

import logging
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from affectspace.encoders import Batch
from affectspace.errors import InputError
from affectspace.files import atomic_directory, atomic_path, json_text, write_json, write_text
from affectspace.protocols import PARTS
from affectspace.samplers import BalancedTriplets, ClassBatches, LengthBuckets, ShuffledBatches
from affectspace.training.ahead import ahead
from affectspace.training.checkpoint import load_optimiser, newest_checkpoint, optimiser_state, save_checkpoint
from affectspace.training.data import Data, prepare
from affectspace.training.diverged import diverged
from affectspace.training.evaluate import (
    Predictions,
    by_corpus,
    chosen_neighbours,
    figures,
    figures_of_space,
    predict,
    prediction_table,
    snapshot_table,
)
from affectspace.training.folder import hold, record
from affectspace.training.gather import Hearing, make_hearing
from affectspace.training.model import make_encoder, save_model
from affectspace.training.objective import make_objective, reported_geometry, triplet_geometry
from affectspace.training.recipe import Recipe, Training
from affectspace.training.run import Run

__all__ = ["make_fabric", "train"]

Sampler = ShuffledBatches | LengthBuckets | BalancedTriplets | ClassBatches


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    resume: bool = False,
    data: Data | None = None,
    start: Mapping[str, Tensor] | None = None,
    quiet: bool = False,
) -> Run:
    """Train what the recipe describes and leave a run folder behind.

    The folder holds a checkpoint of everything after each epoch; a run that is killed goes on from
    the newest whole one and ends with the same bits as one that never stopped (on one machine, with
    one number of threads). A finished run is not run again.

    Args:
        recipe: what to train; its protocol names one fold.
        folder: where to; it must not hold a run yet, unless ``resume``.
        resume: go on with the run in ``folder``, which must be of an equal recipe.
        data: the prepared data, where several runs share them; None prepares them.
        start: weights to begin with, by name. An output layer of other classes is not used; all others must fit.
        quiet: no progress bar; there is none in a pipe either.

    Returns:
        The finished run.

    Raises:
        InputError: a folder in use, a recipe that differs on resuming, data that cannot be trained on, weights to
            begin with that are of another net.
        LeakError: a group that the protocol keeps apart crosses over.
        DivergedError: a loss or gradient that is not finite; the batch is saved in ``diverged/``.
    """
    folder, recipe = Path(folder), recipe.settled()
    settings = recipe.training
    with hold(folder, recipe, resume):
        if (folder / "metrics.json").exists():
            return Run(folder)
        started = time.monotonic()

        # ---- data
        torch.set_num_threads(settings.threads)
        data = data or prepare(recipe, quiet=quiet)

        # ---- model, terms, optimiser, sampler: all seeded by the recipe
        torch.manual_seed(recipe.seed)
        fabric = make_fabric(settings.device, settings.precision)
        train_targets = data.targets[torch.tensor(data.split.train)]
        model = make_encoder(recipe, data.dimensions, len(data.classes), data.normaliser)
        if start:
            _begin_with(model, start)
        objective = make_objective(recipe, data, model.sizes)
        parameters = [*model.parameters(), *objective.parameters()]
        optimiser = _optimiser(parameters, settings)
        encoder, optimiser = fabric.setup(model, optimiser)
        objective = objective.to(fabric.device)
        hear = make_hearing(recipe, data.clips, data.samples, data.normaliser, data.items["key"])
        sampler = _sampler(recipe, train_targets, data)
        record(folder, recipe, data)

        # ---- where we are: at the beginning, or at the newest whole checkpoint
        state: dict[str, Any] = {"epoch": 0, "step": 0, "sums": {}, "history": [], "best": None, "seconds": 0.0}
        best: dict[str, Tensor] = {}
        best_terms: dict[str, Tensor] = {}
        checkpoints = folder / "checkpoints"
        if checkpoint := newest_checkpoint(checkpoints):
            state = checkpoint.state
            best = checkpoint.tensors.get("best", {})
            best_terms = checkpoint.tensors.get("best_terms", {})
            model.load_state_dict(checkpoint.tensors["model"])
            objective.load_state_dict(checkpoint.tensors.get("terms", {}))
            load_optimiser(optimiser, checkpoint.tensors.get("optimiser", {}))
            sampler.load_state_dict(state["sampler"])
            _set_random_state(checkpoint.tensors["random"])
        seconds_before = state["seconds"]

        saved = time.monotonic()

        def tell() -> None:
            write_text(folder / "metrics.jsonl", "".join(json_text(row) + "\n" for row in state["history"]))

        def save() -> None:
            nonlocal saved
            saved = time.monotonic()
            state["seconds"] = seconds_before + time.monotonic() - started
            parts = {
                "model": model.state_dict(),
                "terms": objective.state_dict(),
                "optimiser": optimiser_state(optimiser),
                "random": _random_state(),
                "best": best,
                "best_terms": best_terms,
            }
            save_checkpoint(checkpoints, state["step"], {part: named for part, named in parts.items() if named}, state)

        # ---- epochs
        steps = settings.epochs * len(sampler)
        with _progress(recipe, quiet) as progress:
            task = progress.add_task(recipe.name, total=steps, completed=state["step"])
            while state["epoch"] < settings.epochs:
                encoder.train()
                for state["sampler"], indices, batch in _batches(sampler, data, hear, recipe.seed):
                    batch = batch.to(fabric.device)
                    batch.progress = state["step"] / steps
                    _set_rate(optimiser, settings, batch.progress)
                    outputs = encoder(batch)
                    loss, values, nothing = objective(outputs, batch)
                    fabric.backward(loss)
                    norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip_gradient or float("inf"))
                    whole = torch.isfinite(loss.detach() + norm)
                    if whole:
                        optimiser.step()
                        optimiser.zero_grad()
                        whole = torch.isfinite(torch.nn.utils.get_total_norm(parameters))
                    if not whole:
                        raise diverged(folder, state, batch, data.training_ids(indices), float(loss.detach()), values)
                    state["step"] += 1
                    anchors = len(batch.lengths) if batch.anchors is None else batch.anchors
                    _add(state["sums"], anchors, {"loss": loss.detach(), **values}, nothing)
                    progress.update(task, advance=1, description=f"{recipe.name} epoch {state['epoch'] + 1}")
                    epoch_ends = state["step"] % len(sampler) == 0  # and is saved with its figures
                    if settings.checkpoint_steps and state["step"] % settings.checkpoint_steps == 0 and not epoch_ends:
                        save()

                state["epoch"] += 1
                state["sampler"] = sampler.state_dict()
                row = _means(state["epoch"], state["sums"])
                state["sums"] = {}
                if figures_of_terms := objective.epoch_end():
                    row["figures"] = figures_of_terms
                watched = [part for part, wanted in (("validate", True), ("test", recipe.monitor.test_curve)) if wanted]
                for part in watched:
                    if len(rows := getattr(data.split, part)):
                        row[part] = figures(predict(model, data, rows))  # in float32, as it will be saved
                if state["epoch"] in recipe.monitor.snapshots and len(data.split.test):
                    with atomic_path(folder / "snapshots" / f"epoch-{state['epoch']:04d}.parquet") as path:
                        snapshot_table(model, data, recipe).to_parquet(path)
                if _keeps(settings.selection, row, state["best"]):
                    state["best"] = {"epoch": state["epoch"], "uar": row.get("validate", {}).get("uar")}
                    best, best_terms = _copied(model), _copied(objective)
                state["history"].append(row)
                if time.monotonic() - saved >= settings.checkpoint_seconds:
                    tell()
                    save()
        tell()

        # ---- the selected epoch, measured once, in float32 as it is saved
        assert state["best"] is not None, "there is at least one epoch"
        model.load_state_dict(best)
        objective.load_state_dict(best_terms)
        parts = [part for part in PARTS if part != "train" and len(getattr(data.split, part))]
        answers = {part: predict(model, data, getattr(data.split, part)) for part in parts}
        known = {"train": predict(model, data, data.split.train)} if recipe.monitor.space else {}
        with atomic_path(folder / "predictions.parquet") as path:
            prediction_table(data, known | answers).to_parquet(path)
        # An inner run only chooses, by the UAR; ranking pairs would take a tenth of its time.
        similarity = None if recipe.protocol.inner else reported_geometry(recipe)
        chooses = known and "validate" in answers  # whether validation items tell how many neighbours vote
        neighbours = chosen_neighbours(answers["validate"], known["train"]) if chooses else None

        def told(found: Predictions) -> dict[str, float]:
            scored = figures(found, similarity, recipe.labels.ordered)
            k = neighbours["k"] if neighbours else None
            return scored | figures_of_space(found, known["train"], k) if known else scored

        shutil.rmtree(folder / "model", ignore_errors=True)  # of a life that ended between here and the last line
        final = {
            "name": recipe.name,
            "seed": recipe.seed,
            **data.protocol,
            "selection": "given" if isinstance(settings.selection, int) else settings.selection,
            "selected_epoch": state["best"]["epoch"],
            "classes": list(data.measured.classes),
            "geometry": reported_geometry(recipe),
            "counts": data.split.sizes,
            "without_triplet": len(sampler.without_triplet) if isinstance(sampler, BalancedTriplets) else None,
            **{part: told(answers[part]) for part in ("validate", "test") if part in answers},
        }
        if neighbours:
            final["neighbours"] = neighbours
        if "unseen" in answers:
            corpora = by_corpus(answers["unseen"], data)
            final["unseen"] = {corpus: told(found) for corpus, found in corpora.items()}
        if learned := objective.learned_figures(recipe.labels.ordered):
            final["learned"] = learned
        with atomic_directory(folder / "model") as path:
            save_model(path, model, objective, recipe, data, final.get("test", {}))
        seconds = seconds_before + time.monotonic() - started
        write_json(folder / "timing.json", {"seconds": round(seconds, 3), "threads": settings.threads})
        write_json(folder / "metrics.json", final)  # last: it says that the run is finished
    return Run(folder)


def _begin_with(model: torch.nn.Module, start: Mapping[str, Tensor]) -> None:
    """Give the net the weights of ``start``, but for an output layer of another number of classes."""
    own = model.state_dict()
    wrong = [name for name, value in start.items() if name not in own or own[name].shape != value.shape]
    for name in wrong:
        if "output" not in name.split("."):  # what every net calls the layer that depends on the classes
            has = "no such weight" if name not in own else f"{tuple(own[name].shape)} there"
            raise InputError(
                f"start: {name} has shape {tuple(start[name].shape)}, and the recipe's net has {has}; give the weights "
                "of a net with the same [encoder] and [features] (its output layer alone may differ)"
            )
    model.load_state_dict(own | {name: value for name, value in start.items() if name not in wrong})


def _sampler(recipe: Recipe, targets: Tensor, data: Data) -> Sampler:
    settings = recipe.training
    if geometry := triplet_geometry(recipe):
        return BalancedTriplets(targets.numpy(), settings.batch_size, geometry, recipe.seed)
    if each := settings.items_per_class:
        return ClassBatches(targets.argmax(1).numpy(), settings.batch_size // each, each, recipe.seed)
    if settings.length_pool > 1:
        lengths = data.clips.lengths[data.split.train]
        return LengthBuckets(lengths, settings.batch_size, settings.length_pool, recipe.seed)
    return ShuffledBatches(len(targets), settings.batch_size, recipe.seed)


def _optimiser(parameters: list[torch.nn.Parameter], settings: Training) -> torch.optim.Optimizer:
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, settings.learning_rate, settings.momentum or 0.0, weight_decay=settings.weight_decay
        )
    return torch.optim.Adam(parameters, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)


def _set_rate(optimiser: Any, settings: Training, progress: float) -> None:
    """The learning rate of a step, which follows from how far the training is."""
    if settings.schedule == "cosine":
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2


def _keeps(selection: str | int, row: dict[str, Any], best: dict[str, Any] | None) -> bool:
    """Whether this epoch's weights are, so far, those to keep."""
    match selection:
        case "last":
            return True
        case "validation":
            return best is None or row["validate"]["uar"] > best["uar"]
    return row["epoch"] == selection


def make_fabric(device: str, precision: str) -> Fabric:
    """Where and how precisely to train, by ``training.device`` and ``training.precision`` of a recipe.

    Raises:
        InputError: a device that this machine does not have.
    """
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device in there and not there[device]():
        raise InputError(f"training.device is {device!r}, and this machine has none; legal here: cpu, auto")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces what the recipe asked for
    return Fabric(accelerator=device, devices=1, precision=precision)  # pyright: ignore[reportArgumentType]


def _batches(
    sampler: Sampler, data: Data, hear: Hearing | None, seed: int
) -> Iterator[tuple[dict[str, Any], Any, Batch]]:
    """The rest of an epoch: what is drawn, its batch, and the sampler's state once that batch has been trained on."""
    epoch = sampler.epoch
    made = ((sampler.state_dict(), indices, data.training_batch(indices, hear, epoch, seed)) for indices in sampler)
    # A vector is there at once; sequences are put together while the step before is at work.
    return made if data.vectors else ahead(made)


def _add(sums: dict[str, Any], anchors: int, values: dict[str, Tensor], nothing: dict[str, dict[str, int]]) -> None:
    """Sums over an epoch so far, each batch with the weight of its anchors; and what taught terms nothing."""
    for name, value in values.items():
        sums[name] = sums.get(name, 0.0) + anchors * float(value)
    degenerate = any("batches" in counts for counts in nothing.values())
    for name, count in (("anchors", anchors), ("batches", 1), ("degenerate_batches", int(degenerate))):
        sums[name] = sums.get(name, 0) + count
    told = sums.setdefault("taught_nothing", {})
    for name, counts in nothing.items():
        of_term = told.setdefault(name, {"batches": 0, "items": 0})
        for what, count in counts.items():
            of_term[what] += count


def _means(epoch: int, sums: dict[str, Any]) -> dict[str, Any]:
    """The epoch's row: the mean loss of an anchor, that of each term, and of which batches and items none learned."""
    counted = ("batches", "degenerate_batches", "taught_nothing")
    anchors = sums["anchors"]
    return {
        "epoch": epoch,
        "loss": sums["loss"] / anchors,
        "terms": {name: sums[name] / anchors for name in sums if name not in {"loss", "anchors", *counted}},
        **{name: sums[name] for name in counted},
    }


def _copied(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def _progress(recipe: Recipe, quiet: bool) -> Progress:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)


def _random_state() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_state(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
