"""A recipe to a run folder: one linear function."""

import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affectspace.files import atomic_directory, atomic_path, json_text, write_json, write_text
from affectspace.samplers import BalancedTriplets, MixedBatches
from affectspace.training.batches import epoch_batches, make_sampler
from affectspace.training.checkpoint import (
    Checkpoint,
    load_module,
    load_optimiser,
    newest_checkpoint,
    optimiser_state,
    random_state,
    save_checkpoint,
    send_checkpoint,
    set_random_state,
)
from affectspace.training.data import Data
from affectspace.training.device import make_fabric
from affectspace.training.diverged import diverged
from affectspace.training.epoch_figures import add_batch, epoch_row, group_figures
from affectspace.training.evaluate import figures, predict, prediction_table, snapshot_table
from affectspace.training.final_figures import final_answers, final_figures
from affectspace.training.folder import begun_with, hold, record
from affectspace.training.frontends import make_hearing
from affectspace.training.keep_known import known_items
from affectspace.training.model import make_encoder, save_model
from affectspace.training.multimodal import answers_by_modality, figures_of_modalities, shown_table
from affectspace.training.objective import make_objective, reported_geometry
from affectspace.training.optimiser import make_optimiser, set_rate
from affectspace.training.prepare import prepare
from affectspace.training.pretrained_source import revision_of
from affectspace.training.probes import has_probes, probe_figures
from affectspace.training.processes import processes
from affectspace.training.progress_bar import epoch_lines, progress_bar
from affectspace.training.recipe import Recipe
from affectspace.training.run import Run
from affectspace.training.run_elsewhere import leave_word, refuse_to_lose
from affectspace.training.same_everywhere import contents, makers, refuse_differences
from affectspace.training.shared_batch import SharedBatch
from affectspace.training.speech_models import layer_figures
from affectspace.training.start_weights import start_with
from affectspace.training.step import Step
from affectspace.training.unlabelled_batches import balance, balances_after, noise_of_views, seen_twice

__all__ = ["train"]


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

    Where torch's process group has several processes, all of which call this with equal arguments, they train one net
    together, with the weights that one process would find but for rounding: each encodes its share of every batch
    (:class:`affectspace.training.step.Step`), and the first one alone holds the folder, reads what is in it and writes.
    A run that some number of processes began goes on with any other.

    Args:
        recipe: what to train; its protocol names one fold.
        folder: where to; it must not hold a run yet, unless ``resume``.
        resume: go on with the run in ``folder``, which must be of an equal recipe.
        data: the prepared data, where several runs share them; None prepares them.
        start: weights to begin with, by name. An output layer of other classes is not used; all others must fit.
        quiet: tell nothing of how far it is; else there is a bar on a terminal, and a line now and then elsewhere.

    Returns:
        The finished run; on others than the first process its files may not be there.

    Raises:
        InputError: a folder in use, a recipe that differs on resuming, a checkpoint of another version that does not
            fit, a run that has got further on another process's machine, processes with other data or versions, data
            that cannot be trained on, weights to begin with that are of another net.
        LeakError: a group that the protocol keeps apart crosses over.
        DivergedError: a loss or gradient that is not finite; the batch is saved in ``diverged/``.
    """
    folder, recipe = Path(folder), recipe.settled()
    settings = recipe.training
    together = processes()
    first, quiet = together.first, quiet or not together.first
    with together.alike(), hold(folder, recipe, resume) if first else nullcontext():
        if together.agree((folder / "metrics.json").exists()):
            return Run(folder) if first else Run.elsewhere(folder)
        if together.count > 1:
            refuse_differences(makers(recipe), together)
        first_host = refuse_to_lose(folder, together)
        started = time.monotonic()
        revision = together.agree(begun_with(folder) if first else None)

        with together.in_turn():  # the first makes features and opens models, the others find them
            # ---- data
            torch.set_num_threads(settings.threads)
            if data is None:
                data = prepare(recipe, quiet=quiet)

            # ---- model, terms, optimiser, sampler: all seeded by the recipe
            torch.manual_seed(recipe.seed)
            fabric = make_fabric(settings.device, settings.precision)
            normaliser = None if data.several else data.normaliser
            model = make_encoder(recipe, data.dimensions, len(data.classes), normaliser, revision=revision)
            if start:
                start_with(model, start)
            objective = make_objective(recipe, data, model.sizes, getattr(model, "nets", {}))
            parameters = [*model.parameters(), *objective.parameters()]
            optimiser = make_optimiser(parameters, settings)
            encoder, optimiser = fabric.setup(model, optimiser)
            objective = objective.to(fabric.device)
            hear = (
                None
                if data.several
                else make_hearing(recipe, data.clips, data.samples, data.normaliser, data.items["key"])
            )
            sampler = make_sampler(recipe, data)
            step = Step(fabric, encoder, objective, together, settings.chunk_size)
            if first:
                record(folder, recipe, data, revision_of(model))
        if together.count > 1:
            refuse_differences(contents(data), together)
        noise = noise_of_views(recipe)

        # ---- where we are: at the beginning, or at the newest whole checkpoint
        state: dict[str, Any] = {"epoch": 0, "step": 0, "sums": {}, "history": [], "best": None, "seconds": 0.0}
        state["sampler"] = sampler.state_dict()
        best: dict[str, Tensor] = {}
        best_terms: dict[str, Tensor] = {}
        checkpoints = folder / "checkpoints"
        seconds_before, saved = 0.0, time.monotonic()

        def parts() -> dict[str, dict[str, Tensor]]:
            every = {
                "model": model.state_dict(),
                "terms": objective.state_dict(),
                "optimiser": optimiser_state(optimiser),
                "random": random_state(),
                "best": best,
                "best_terms": best_terms,
            }
            return {part: named for part, named in every.items() if named}

        checkpoint = newest_checkpoint(checkpoints) if first else None
        if together.count > 1:  # all begin with the bits of the first
            checkpoint = send_checkpoint((checkpoint or Checkpoint(parts(), state)) if first else None, together)
        if checkpoint:
            state = checkpoint.state
            best = checkpoint.tensors.get("best", {})
            best_terms = checkpoint.tensors.get("best_terms", {})
            with together.in_turn():
                load_module(model, checkpoint.tensors["model"], folder, "layers of the net")
                load_module(objective, checkpoint.tensors.get("terms", {}), folder, "terms")
                load_optimiser(optimiser, checkpoint.tensors.get("optimiser", {}))
                sampler.load_state_dict(state["sampler"])
            set_random_state(checkpoint.tensors["random"])
            seconds_before = state["seconds"]

        def tell() -> None:
            if first:
                write_text(folder / "metrics.jsonl", "".join(json_text(row) + "\n" for row in state["history"]))

        def save() -> None:
            nonlocal saved
            saved = time.monotonic()
            state["seconds"] = seconds_before + time.monotonic() - started
            if first:
                save_checkpoint(checkpoints, state["step"], parts(), state)
            else:
                leave_word(folder, first_host, state["step"])

        # ---- epochs
        steps = settings.epochs * len(sampler)
        lines = epoch_lines(quiet)
        if together.count > 1 and not quiet:
            print(together.told(state["step"]), file=sys.stderr)
        with together.in_step(), progress_bar(quiet) as progress:
            task = progress.add_task(recipe.name, total=steps, completed=state["step"])
            while state["epoch"] < settings.epochs:
                encoder.train()
                batches = epoch_batches(sampler, data, hear, recipe.seed, together, seen_twice=noise is not None)
                for state["sampler"], indices, batch in batches:
                    batch = batch.to(fabric.device)
                    batch.progress = state["step"] / steps
                    set_rate(optimiser, settings, batch.progress)
                    if noise is not None:
                        batch = seen_twice(batch, noise)
                    loss, values, nothing = step(batch)
                    norm = torch.nn.utils.clip_grad_norm_(parameters, settings.clip_gradient or float("inf"))
                    whole = torch.isfinite(loss.detach() + norm)
                    if whole:
                        optimiser.step()
                        optimiser.zero_grad()
                        whole = torch.isfinite(torch.nn.utils.get_total_norm(parameters))
                    if not whole:
                        about = data.training_ids(indices), float(loss.detach()), values
                        if isinstance(batch, SharedBatch) and first:
                            batch = data.training_batch(indices, hear, state["epoch"], recipe.seed)
                        raise together.fail(diverged(folder, state, batch, *about) if first else None)
                    state["step"] += 1
                    anchors = len(batch.lengths) if batch.anchors is None else batch.anchors
                    add_batch(state["sums"], anchors, {"loss": loss.detach(), **values}, nothing)
                    progress.update(task, advance=1, description=f"{recipe.name} epoch {state['epoch'] + 1}")
                    epoch_ends = state["step"] % len(sampler) == 0  # and is saved with its figures
                    if settings.checkpoint_steps and state["step"] % settings.checkpoint_steps == 0 and not epoch_ends:
                        save()

                state["epoch"] += 1
                if isinstance(sampler, MixedBatches) and balances_after(recipe, state["epoch"]):
                    balance(sampler, model, data, recipe, together)
                state["sampler"] = sampler.state_dict()
                row = epoch_row(state["epoch"], state["sums"])
                state["sums"] = {}
                if figures_of_terms := objective.epoch_end():
                    row["figures"] = figures_of_terms
                watched = [part for part, wanted in (("validate", True), ("test", recipe.monitor.test_curve)) if wanted]
                for part in watched:
                    if len(rows := getattr(data.split, part)):
                        row[part] = figures(predict(model, data, rows, together))  # in float32, as it will be saved
                if first and state["epoch"] in recipe.monitor.snapshots and len(data.split.test):
                    with atomic_path(folder / "snapshots" / f"epoch-{state['epoch']:04d}.parquet") as path:
                        snapshot_table(model, data, recipe).to_parquet(path)
                if _keeps(settings.selection, row, state["best"]):
                    state["best"] = {"epoch": state["epoch"], "uar": row.get("validate", {}).get("uar")}
                    best, best_terms = _copied(model), _copied(objective)
                state["history"].append(row)
                lines.tell(f"{recipe.name}: {state['epoch']:,} of {settings.epochs:,} epochs")
                if time.monotonic() - saved >= settings.checkpoint_seconds:
                    tell()
                    save()
        tell()
        if not first:
            leave_word(folder, first_host, state["step"])
            together.agree()  # the first one measures and writes
            return Run.elsewhere(folder)

        # ---- the selected epoch, measured once, in float32 as it is saved
        assert state["best"] is not None, "there is at least one epoch"
        model.load_state_dict(best)
        objective.load_state_dict(best_terms)
        answers = final_answers(model, data, recipe)
        shown = answers_by_modality(model, data, data.split.test) if data.several and "test" in answers else {}
        with atomic_path(folder / "predictions.parquet") as path:
            prediction_table(data, answers).to_parquet(path)
        if shown:
            with atomic_path(folder / "predictions_by_modality.parquet") as path:
                shown_table(data, shown).to_parquet(path)
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
            **final_figures(answers, data, recipe),
            **(figures_of_modalities(shown, model, recipe) if shown else {}),
            **(probe_figures(model, data, recipe, answers) if has_probes(data, recipe) else {}),
        }
        learned = objective.learned_figures(recipe.labels.ordered) | layer_figures(model, recipe)
        kept = next(row for row in state["history"] if row["epoch"] == state["best"]["epoch"])
        if learned := learned | group_figures(kept):
            final["learned"] = learned
        known = known_items(model, data, recipe, answers)
        with atomic_directory(folder / "model") as path:
            save_model(path, model, objective, recipe, data, final.get("test", {}), known)
        seconds = seconds_before + time.monotonic() - started
        write_json(folder / "timing.json", {"seconds": round(seconds, 3), "threads": settings.threads})
        write_json(folder / "metrics.json", final)  # last: it says that the run is finished
        together.agree()
    return Run(folder)


def _keeps(selection: str | int, row: dict[str, Any], best: dict[str, Any] | None) -> bool:
    """Whether this epoch's weights are, so far, those to keep."""
    match selection:
        case "last":
            return True
        case "validation":
            return best is None or row["validate"]["uar"] > best["uar"]
    return row["epoch"] == selection


def _copied(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
