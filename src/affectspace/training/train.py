"""A recipe to a run folder: one linear function."""

import fcntl
import os
import platform
import time
from contextlib import contextmanager
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from packaging.requirements import Requirement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor

import affectspace
from affectspace.encoders import Batch
from affectspace.errors import DivergedError, InputError
from affectspace.files import atomic_directory, atomic_path, json_text, write_json, write_text
from affectspace.samplers import BalancedTriplets, ShuffledBatches
from affectspace.training.checkpoint import load_optimiser, newest_checkpoint, optimiser_state, save_checkpoint
from affectspace.training.data import Data, prepare
from affectspace.training.evaluate import figures, predict, prediction_table, snapshot_table
from affectspace.training.model import make_encoder, save_model
from affectspace.training.recipe import Recipe, dump_recipe
from affectspace.training.run import Run
from affectspace.training.terms import make_objective, triplet_geometry

__all__ = ["train"]


def train(
    recipe: Recipe, folder: str | Path, *, resume: bool = False, data: Data | None = None, quiet: bool = False
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
        quiet: no progress bar; there is none in a pipe either.

    Returns:
        The finished run.

    Raises:
        InputError: a folder in use, a recipe that differs on resuming, data that cannot be trained on.
        LeakError: a group that the protocol keeps apart crosses over.
        DivergedError: a loss or gradient that is not finite; the batch is saved in ``diverged/``.
    """
    folder = Path(folder)
    text = dump_recipe(recipe)

    # ---- the run folder: a new one, or one to go on with
    if (folder / "recipe.toml").exists():
        if not resume:
            raise InputError(
                f"{folder} already holds a run; go on with it by: affectspace train --resume {folder}, or choose "
                "another folder with --out"
            )
        if (folder / "recipe.toml").read_text(encoding="utf-8") != text:
            raise InputError(
                f"the recipe differs from the one {folder} was begun with; choose another folder with --out"
            )
    with _only_us(folder):
        if (folder / "metrics.json").exists():
            return Run(folder)
        started = time.monotonic()

        # ---- data
        torch.set_num_threads(recipe.training.threads)
        data = data or prepare(recipe, quiet=quiet)
        write_text(folder / "recipe.toml", text)
        write_text(folder / "environment.txt", _environment(recipe))
        write_json(folder / "data.json", data.about)
        with atomic_path(folder / "split.parquet") as path:
            data.split_table().to_parquet(path)

        # ---- model, terms, optimiser, sampler: all seeded by the recipe
        settings = recipe.training
        torch.manual_seed(recipe.seed)
        fabric = Fabric(accelerator=settings.device, devices=1, precision=settings.precision)
        train_targets = data.targets[torch.tensor(data.split.train)]
        model = make_encoder(recipe.encoder, data.dimensions, len(data.classes))
        objective = make_objective(recipe, train_targets)
        parameters = [*model.parameters(), *objective.parameters()]
        optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        encoder, optimiser = fabric.setup(model, optimiser)
        objective = objective.to(fabric.device)
        geometry = triplet_geometry(recipe)
        if geometry:
            sampler = BalancedTriplets(train_targets.numpy(), settings.batch_size, geometry, recipe.seed)
        else:
            sampler = ShuffledBatches(len(train_targets), settings.batch_size, recipe.seed)

        # ---- where we are: at the beginning, or at the newest whole checkpoint
        state: dict[str, Any] = {"epoch": 0, "step": 0, "totals": {}, "history": [], "best": None, "seconds": 0.0}
        best: dict[str, Tensor] = {}
        checkpoints = folder / "checkpoints"
        if checkpoint := newest_checkpoint(checkpoints):
            state = checkpoint.state
            best = checkpoint.tensors.get("best", {})
            model.load_state_dict(checkpoint.tensors["model"])
            objective.load_state_dict(checkpoint.tensors.get("terms", {}))
            load_optimiser(optimiser, checkpoint.tensors["optimiser"])
            sampler.load_state_dict(state["sampler"])
            _set_random_state(checkpoint.tensors["random"])
        seconds_before = state["seconds"]

        def save() -> None:
            state["sampler"] = sampler.state_dict()
            state["seconds"] = seconds_before + time.monotonic() - started
            tensors = {
                "model": model.state_dict(),
                "terms": objective.state_dict(),
                "optimiser": optimiser_state(optimiser),
                "random": _random_state(),
                "best": best,
            }
            save_checkpoint(
                checkpoints, state["step"], {part: named for part, named in tensors.items() if named}, state
            )

        # ---- epochs
        with _progress(recipe, quiet) as progress:
            task = progress.add_task(recipe.name, total=settings.epochs * len(sampler), completed=state["step"])
            while state["epoch"] < settings.epochs:
                encoder.train()
                for indices in sampler:
                    batch = fabric.to_device(data.training_batch(indices))
                    outputs = encoder(batch)
                    loss, values = objective(outputs, batch)
                    fabric.backward(loss)
                    norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip_gradient or float("inf"))
                    if not torch.isfinite(loss.detach() + norm):
                        raise _diverged(folder, state, batch, data.training_ids(indices), float(loss.detach()), values)
                    optimiser.step()
                    optimiser.zero_grad()
                    state["step"] += 1
                    for name, value in {"loss": loss.detach(), **values}.items():
                        state["totals"][name] = state["totals"].get(name, 0.0) + float(value)
                    progress.update(task, advance=1, description=f"{recipe.name} epoch {state['epoch'] + 1}")
                    if settings.checkpoint_steps and state["step"] % settings.checkpoint_steps == 0:
                        save()

                state["epoch"] += 1
                means = {name: total / len(sampler) for name, total in state["totals"].items()}
                row: dict[str, Any] = {"epoch": state["epoch"], "loss": means.pop("loss"), "terms": means}
                state["totals"] = {}
                validation = predict(encoder, data, data.split.validate)
                row["validate"] = figures(validation)
                if recipe.monitor.test_curve:
                    row["test"] = figures(predict(encoder, data, data.split.test))
                if state["epoch"] in recipe.monitor.snapshots:
                    with atomic_path(folder / "snapshots" / f"epoch-{state['epoch']:04d}.parquet") as path:
                        snapshot_table(encoder, data, recipe).to_parquet(path)
                better = state["best"] is None or row["validate"]["uar"] > state["best"]["uar"]
                if better or settings.selection == "last":
                    state["best"] = {"epoch": state["epoch"], "uar": row["validate"]["uar"]}
                    best = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
                state["history"].append(row)
                write_text(folder / "metrics.jsonl", "".join(json_text(row) + "\n" for row in state["history"]))
                save()

        # ---- the selected epoch, measured once
        assert state["best"] is not None, "there is at least one epoch"
        model.load_state_dict(best)
        validation = predict(encoder, data, data.split.validate)
        test = predict(encoder, data, data.split.test)
        with atomic_path(folder / "predictions.parquet") as path:
            prediction_table(data, {"validate": validation, "test": test}).to_parquet(path)
        if not (folder / "model").exists():
            with atomic_directory(folder / "model") as path:
                save_model(path, model, recipe, data)
        seconds = seconds_before + time.monotonic() - started
        write_json(folder / "timing.json", {"seconds": round(seconds, 3), "threads": settings.threads})
        final = {
            "name": recipe.name,
            "seed": recipe.seed,
            **data.protocol,
            "selection": settings.selection,
            "selected_epoch": state["best"]["epoch"],
            "classes": list(data.classes),
            "geometry": data.geometry,
            "counts": {part: len(getattr(data.split, part)) for part in ("train", "validate", "test")},
            "without_triplet": len(sampler.without_triplet) if isinstance(sampler, BalancedTriplets) else None,
            "validate": figures(validation, data.geometry),
            "test": figures(test, data.geometry),
        }
        write_json(folder / "metrics.json", final)  # last: it says finished
    return Run(folder)


@contextmanager
def _only_us(folder: Path):
    """Hold the folder for one process; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process is training in {folder}; wait for it, or choose another folder"
            ) from None
        yield


def _progress(recipe: Recipe, quiet: bool) -> Progress:
    from rich.console import Console

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


def _diverged(
    folder: Path, state: dict[str, Any], batch: Batch, ids: list[str], loss: float, values: dict[str, Tensor]
) -> DivergedError:
    with atomic_path(folder / "diverged" / "batch.safetensors") as path:
        tensors = {
            "values": batch.values,
            "lengths": batch.lengths,
            "targets": batch.targets,
            "triplets": batch.triplets,
        }
        save_file({name: value.cpu().contiguous() for name, value in tensors.items() if value is not None}, path)
    terms = {name: float(value) for name, value in values.items()}
    about = {"epoch": state["epoch"] + 1, "step": state["step"] + 1, "loss": str(loss), "terms": terms, "items": ids}
    write_json(folder / "diverged" / "batch.json", about)
    bad = [item for item, clip in zip(ids, batch.values) if not torch.isfinite(clip).all()]
    why = (
        f"the features of {bad[0]} are not finite"
        if bad
        else "its features are finite: lower training.learning_rate or set training.clip_gradient"
    )
    what = "loss" if not np.isfinite(loss) else "gradient"
    return DivergedError(
        f"the {what} is not finite in epoch {about['epoch']}, step {about['step']} "
        f"({', '.join(f'{name} {value:.4g}' for name, value in terms.items())}); {why}. "
        f"The batch and its items are in {folder / 'diverged'}"
    )


def _environment(recipe: Recipe) -> str:
    names = sorted({Requirement(line).name for line in requires("affectspace") or () if "extra ==" not in line})
    lines = [
        f"affectspace {affectspace.__version__}",
        f"python {platform.python_version()}",
        f"platform {platform.platform()}",
        f"machine {platform.machine()}, {os.cpu_count()} cores, {recipe.training.threads} used",
        *(f"{name} {version(name)}" for name in names),
    ]
    return "\n".join(lines) + "\n"
