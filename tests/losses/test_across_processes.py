"""The truth is one process with the whole batch; several processes, each with a share, must find the same."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from affectspace.losses import InBatchFSimilarityLoss, SoftCrossEntropyLoss
from affectspace.losses.across_processes import AcrossProcesses, gather_rows

WORKER = Path(__file__).with_name("process_worker.py")
NAMES = [name for name, *_ in runpy.run_path(str(WORKER))["LOSSES"]]
TOLERANCE = {"float64": 1e-10, "float32": 1e-6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the processes left what they found; they are started once for all tests."""
    folder = tmp_path_factory.mktemp("processes")
    done = subprocess.run(
        [sys.executable, WORKER, folder], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=200
    )
    assert not done.returncode, done.stderr.decode()[-4000:]
    return folder


@pytest.fixture(scope="module", params=[2, 4], ids=["2 processes", "4 processes"])
def found(request, folder) -> list[dict]:
    """What each process found."""
    return [json.loads((folder / f"{request.param}.{rank}.json").read_text()) for rank in range(request.param)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NAMES)
def test_value_and_every_gradient_are_those_of_one_process_with_the_whole_batch(found, name, dtype):
    for process in found:
        assert process[f"{name} {dtype}"]["averaged"] < TOLERANCE[dtype]
        assert process[f"{name} {dtype}"]["summed"] < TOLERANCE[dtype]


def test_local_losses_averaged_and_a_gradient_without_its_factor_are_both_wrong(found):
    for process in found:
        assert process["naive"]["ours"] < 1e-10
        assert process["naive"]["local"] > 0.3  # a third of the largest gradient, or more
        assert process["naive"]["lost factor"] == pytest.approx([1 / len(found)] * 2)


@pytest.mark.parametrize("case", ["all", "strided", "no rows", "no tensors"])
def test_tensors_of_every_type_and_shape_come_back_in_order_from_uneven_shares(found, case):
    assert all(process["types"][case] for process in found)


@pytest.mark.parametrize("case", ["slice", "fixed"])
def test_own_rows_get_their_part_of_the_gradient_in_their_own_type(found, case):
    assert all(process["own_gradient"][case] for process in found)


@pytest.mark.parametrize("case", ["bank", "modality"])
def test_a_reference_may_be_shared_or_have_rows_of_its_own_on_each_process(found, case):
    assert all(process["shared_reference"][case] < 1e-10 for process in found)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("types", "unlike tensors: process 0: float64 (rows, 4) on cpu; int64 (rows) on cpu, process 1: float32"),
        ("shapes", "process 0: float32 (rows, 2) on cpu; int64 (rows) on cpu, process 1: float32 (rows, 4)"),
        ("count", "process 0: float32 (rows, 4) on cpu, process 1: float32 (rows, 4) on cpu; int64 (rows) on cpu"),
        ("none", "process 0: no tensor, process 1: float32 (rows, 4)"),
        ("no rows", "a tensor has no rows to gather: float32 () on cpu; give it a dimension"),
        ("unlike rows", "unlike numbers of rows: process 0: [3, 2], process 1: [3, 3]"),
        ("misaligned", "embeddings has [3, 3"),
        ("optional", "process 0: float32 (rows, 4) on cpu; int64 (rows) on cpu, process 1: float32 (rows, 4) on"),
        ("nested", "tensors is a list that holds tensors, which are not gathered; call gather_rows"),
    ],
)  # fmt: skip
def test_unlike_processes_all_get_the_same_error_and_none_waits(found, case, words):
    assert all(words in process["errors"][case] for process in found)
    assert len({process["errors"][case] for process in found}) == 1


def test_cached_gradients_through_ddp_are_exchanged_once_and_right(found):
    for process in found:
        assert process["cached"]["error"] < 1e-10
        assert process["cached"]["exchanges"] == 1


# One process


def test_without_a_process_group_nothing_changes():
    z, y = torch.rand(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    assert gather_rows(z, y)[0] is z
    assert gather_rows(z, y)[1] is y
    loss = InBatchFSimilarityLoss()
    assert torch.equal(AcrossProcesses(loss)(z, y), loss(z, y))
    assert torch.equal(AcrossProcesses(loss)(z, targets=y, reference=None), loss(z, y))


def test_alone_in_its_group_nothing_changes_either(tmp_path):
    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1
    )
    try:
        z = torch.rand(3, 4)
        assert gather_rows(z)[0] is z
    finally:
        torch.distributed.destroy_process_group()


def test_the_wrapped_loss_keeps_its_state_under_one_prefix():
    wrapped = AcrossProcesses(SoftCrossEntropyLoss(torch.ones(4)))
    assert list(wrapped.state_dict()) == ["loss.class_weights"]
    AcrossProcesses(SoftCrossEntropyLoss(torch.zeros(4))).load_state_dict(wrapped.state_dict())
    assert [name for name, _ in AcrossProcesses(nn.Linear(2, 2)).named_parameters()] == ["loss.weight", "loss.bias"]
    assert "shared=('reference',)" in repr(AcrossProcesses(InBatchFSimilarityLoss(), shared="reference"))


def test_a_name_that_the_loss_does_not_know_is_refused():
    with pytest.raises(ValueError, match="no argument 'bank' to share; it has embeddings, targets, reference"):
        AcrossProcesses(InBatchFSimilarityLoss(), shared=("bank",))
