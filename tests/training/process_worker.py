"""One process, then two, then four: each trains the recipes of a file, together with the others.

    python process_worker.py CASES.json FOLDER

CASES.json holds ``{name: {"recipe": values, ...}}``, and for some cases more: ``counts``, how many processes train it;
``breaks``, the batch before which all are interrupted; ``goes_on``, ``[processes, rank, name]`` of a folder that was,
and is copied first, to the process ``at`` (else 0); ``other``, ``[rank, recipe]`` of the process that has another
recipe; ``version``, ``[rank, text]`` of the one that has another affectspace; ``drops``, whether dropout leaves out
frames before the net; ``double``, whether numbers are of double precision; ``shares``, whether a process opens the
corpora once for this and others that say so. Every process has a run folder of its own, FOLDER/PROCESSES.RANK/NAME, as
if no storage were shared, and tells in FOLDER/PROCESSES.RANK.json what became of each run. test_processes.py starts
this and asserts.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

import affectspace
from affectspace.encoders import Batch
from affectspace.errors import AffectspaceError
from affectspace.training import evaluate, make_recipe, train
from affectspace.training.cache import DataCache
from affectspace.training.checkpoint import random_state
from affectspace.training.data import Data
from affectspace.training.processes import joined
from affectspace.training.step import Step

COUNTS = (1, 2, 4)
BEGIN, DRAWS = Step.__init__, {name: getattr(Data, name) for name in ("training_batch", "shared_batch")}


def digest(tensors: dict[str, torch.Tensor]) -> str:
    told = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        told.update(name.encode() + value.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return told.hexdigest()


def interrupted_before(batch: int | None) -> None:
    """From now on the batch of this number is never drawn."""
    drawn: list[None] = []

    def counting(draw: Any) -> Any:
        def draws(self: Data, *given: Any) -> Any:
            drawn.append(None)
            if len(drawn) == batch:
                raise KeyboardInterrupt
            return draw(self, *given)

        return draws

    for name, draw in DRAWS.items():
        setattr(Data, name, counting(draw))


@contextmanager
def in_double(asked: bool) -> Iterator[None]:
    """What training computes in single precision is computed in double."""
    if not asked:
        yield
        return

    def wide(draw: Any) -> Any:
        def drawn(self: Data, *given: Any) -> Any:
            batch = draw(self, *given)
            batch.values, batch.targets = batch.values.double(), batch.targets.double()
            return batch

        return drawn

    torch.set_default_dtype(torch.double)
    with patch.object(torch.Tensor, "float", torch.Tensor.double), ExitStack() as stack:
        for name in ("batch", "shared_batch"):
            stack.enter_context(patch.object(Data, name, wide(getattr(Data, name))))
        yield
    torch.set_default_dtype(torch.float)


def without_some(net: torch.nn.Module, given: tuple[Batch]) -> tuple[Batch]:
    (batch,) = given
    return (replace(batch, values=torch.nn.functional.dropout(batch.values, 0.3, net.training)),)


def one(case: dict[str, Any], folder: Path, cache: DataCache) -> dict[str, Any]:
    recipe = make_recipe(case["recipe"])
    data = cache(recipe) if case.get("shares") else None
    steps: list[Step] = []

    def begin(self: Step, *given: Any) -> None:
        steps.append(self)
        BEGIN(self, *given)
        if case.get("drops"):
            self.encoder.register_forward_pre_hook(without_some)

    Step.__init__ = begin
    interrupted_before(case.get("breaks"))
    found: dict[str, Any] = {}
    try:
        with in_double("double" in case):
            train(recipe, folder, resume="goes_on" in case, data=data, quiet=True)
    except KeyboardInterrupt:
        found["interrupted"] = True
    except AffectspaceError as error:
        found |= {"error": type(error).__name__, "told": str(error), "common": error.common}
    if steps:
        modules = {"encoder": steps[0].encoder, "terms": steps[0].objective}
        found |= {name: digest(module.state_dict()) for name, module in modules.items()}
        found["random"] = digest(random_state())
    return found


def find(rank: int, count: int, port: int, cases: dict[str, Any], folder: Path) -> None:
    if count > 1:  # as srun tells it
        os.environ |= {
            "SLURM_STEP_NUM_TASKS": str(count), "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank),
            "SLURM_STEP_NODELIST": "localhost", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        }  # fmt: skip
    found, cache = {}, DataCache()
    with joined() as processes:
        for name, case in cases.items():
            if count not in case.get("counts", COUNTS):
                continue
            own = folder / f"{count}.{rank}" / name
            if "goes_on" in case and rank == case.get("at", 0):
                before, of, other = case["goes_on"]
                shutil.copytree(folder / f"{before}.{of}" / other, own)
            if "other" in case and rank == case["other"][0]:
                case = case | {"recipe": case["other"][1]}
            of, version = case.get("version", [None, None])
            with patch.object(affectspace, "__version__", version if rank == of else affectspace.__version__):
                found[name] = one(case, own, cache)
            processes.agree()  # nobody begins the next run before all are done with this one
    (folder / f"{count}.{rank}.json").write_text(json.dumps(found), encoding="utf-8")


def main(cases: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    evaluate.SEQUENCES = evaluate.VECTORS = 5  # so that even few items are answered for by several processes
    asked = json.loads(cases.read_text(encoding="utf-8"))
    find(0, 1, 0, asked, folder)  # here, so that what training imports is imported once for all that are forked
    context = multiprocessing.get_context("fork")
    for count in COUNTS[1:]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        running = [context.Process(target=find, args=(rank, count, port, asked, folder)) for rank in range(count)]
        for process in running:
            process.start()
        for process in running:
            process.join()
        if any(process.exitcode for process in running):
            sys.exit(f"of {count} processes some failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
