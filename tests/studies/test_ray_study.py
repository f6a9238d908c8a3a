"""Studies on a Ray cluster: the bytes of those that are trained here, whatever becomes of its nodes."""

import copy
import os
import re
import signal
import time
from pathlib import Path

import pytest

from affectspace.clusters import RayAt, Sight, connect, nodes
from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError
from affectspace.studies.execute import run_study
from affectspace.studies.overview import overview

pytest.importorskip("ray", reason='Ray is not installed; pip install "affectspace[ray]"')
pytestmark = pytest.mark.usefixtures("patience")

STUDY = {
    "name": "tiny",
    "seeds": 6,
    "recipes": [{"name": "CE", "path": "recipe.toml"}],
    "splits": [{"name": "there"}],
}  # fmt: skip
RECIPE = {"training.epochs": 3, "training.checkpoint_seconds": 0}
CLOCKED = {"timing.json", "environment.txt", "report.html"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    make_synthetic_world(root, ("alva", "boro"), speakers=4, items_per_speaker=8)
    return root


@pytest.fixture(scope="module")
def whole(world, lay_tiny, here, tmp_path_factory):
    """The file and the folder of a study that was trained here; not to be changed."""
    from affectspace.studies import execute

    folder = tmp_path_factory.mktemp("whole")
    path = lay_tiny(folder, copy.deepcopy(STUDY), world, RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "Pool", here)
        assert run_study(path, folder / "out").ran == 6
    return path, folder / "out"


@pytest.fixture
def connected(ray_nodes):
    with connect(RayAt(ray_nodes.address)):
        yield ray_nodes
        ray_nodes.only_head()
        _await_nodes(1)


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file of the runs but for times."""
    runs = sorted(path for path in (folder / "runs").rglob("*") if path.is_file() and path.name not in CLOCKED)
    kept = [path for path in runs if "checkpoints" not in path.parts and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def test_a_study_on_a_cluster_leaves_the_bytes_of_one_here(whole, ray_nodes, monkeypatch, tmp_path, capfd):
    """By a client, with Ray's store of objects full, and with a node that cannot do the work."""
    import numpy as np
    import ray

    from affectspace.clusters import Unfit, sight

    def judged(node, *rest):
        return real(node, *rest) if node.address == "127.0.0.2" else Unfit(node, "it has affectspace 0.0.1")

    real = sight.judged
    monkeypatch.setattr(sight, "judged", judged)
    with connect(RayAt(ray_nodes.client)):
        kept = ray.put(np.zeros(60_000_000, np.uint8))
        node = ray_nodes.add()
        _await_nodes(2)
        outcome = run_study(whole[0], tmp_path / "out", on=RayAt(), quiet=False)
        ray_nodes.kill(node)
        _await_nodes(1)
        del kept
    assert (outcome.planned, outcome.finished, outcome.ran, outcome.exit_code) == (6, 6, 6, 0)
    assert contents(tmp_path / "out") == contents(whole[1])
    assert not list((tmp_path / "out").rglob(".*.claimed"))
    assert re.search(r"node 127.0.0.\d+ is left out: it has affectspace 0.0.1\n", capfd.readouterr().err)


def test_where_no_node_can_do_the_work_nothing_is_begun(whole, connected, monkeypatch, tmp_path):
    monkeypatch.setattr("affectspace.studies.on_cluster.places", lambda recipes: {"/nowhere/alva": "corpus alva"})
    with pytest.raises(InputError) as caught:
        run_study(whole[0], tmp_path / "out", on=RayAt())
    assert str(caught.value) == (
        "no node of the Ray cluster can do the work: 127.0.0.2: it does not see corpus alva at /nowhere/alva; mount or "
        "copy it to the same path there"
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} <= {".lock"}


def test_a_run_that_ends_its_process_again_and_again_is_given_up(whole, connected, monkeypatch, tmp_path):
    import ray

    from affectspace.studies import ray_pool

    class Seat(ray_pool.Seat):
        def give(self, job, now):
            if job.folder.name == "seed-1":
                os.kill(ray.get(self._trainer.ready.remote())["process"], signal.SIGKILL)
            super().give(job, now)

    monkeypatch.setattr(ray_pool, "Seat", Seat)
    monkeypatch.setattr(ray_pool, "LIVES", 2)  # each costs the start of a process
    outcome = run_study(whole[0], tmp_path / "out", on=RayAt(), processes=1)
    assert (outcome.finished, outcome.ran, len(outcome.taken_up)) == (5, 5, 1)
    (failure,) = outcome.failures
    assert (str(failure.folder), failure.code) == ("runs/CE/there/seed-1", 1)
    assert failure.error.startswith("its process was ended 2 times, the last on node 127.0.0.2: ")
    assert failure.error.endswith("; is there enough memory? --processes with a smaller number needs less")


def test_a_node_that_is_lost_and_one_that_joins_cost_only_time(whole, ray_nodes, monkeypatch, tmp_path, capfd):
    """The node is killed as its first run has begun; another joins then. Nothing that Ray says of it is shown."""
    from affectspace.studies import ray_pool

    marks = []

    class Seat(ray_pool.Seat):
        def give(self, job, now):
            super().give(job, now)
            if not marks and self.node.address != "127.0.0.2":
                marks.append(self.node.name)
                known = {each.address for each in nodes()}
                ray_nodes.kill(lost)
                ray_nodes.add(cpus=1)
                while known >= {each.address for each in nodes()}:  # or all may be done before it has joined
                    time.sleep(0.05)

    monkeypatch.setattr(ray_pool, "Seat", Seat)
    with connect(RayAt(ray_nodes.address)):
        lost = ray_nodes.add()
        _await_nodes(2)
        outcome = run_study(whole[0], tmp_path / "out", on=RayAt(), quiet=False)
        ray_nodes.only_head()
        _await_nodes(1)
    assert (outcome.finished, outcome.ran, outcome.exit_code) == (6, 6, 0)
    assert contents(tmp_path / "out") == contents(whole[1])
    assert len(outcome.taken_up) >= 1
    assert outcome.lost == overview(tmp_path / "out").lost == marks
    shown, told = capfd.readouterr()
    assert re.search(r"node 127.0.0.\d+ has joined, with 1 CPU\n", told)
    assert f"node {marks[0]} is lost; what it was doing is done by others" in told
    assert shown == ""
    assert "raylet" not in told.lower()


def test_a_process_sees_the_gpus_of_which_it_reserves_a_share_and_no_others(connected, monkeypatch, tmp_path):
    """The GPUs are made up: Ray hands out what a node says that it has."""
    import ray

    from affectspace.studies import ray_seat

    class Looking:
        def __init__(self, cuda):
            pass

        def ready(self):
            return os.environ.get("CUDA_VISIBLE_DEVICES")

    monkeypatch.setattr(ray_seat, "Trainer", Looking)
    connected.add(cpus=3, gpus=2)
    _await_nodes(2)
    (node,) = (each for each in nodes() if each.gpus)
    assert (node.cpus, node.gpus) == (3, 2)
    seats = [ray_seat.Seat(Sight(node), [tmp_path], gpu) for gpu in (0.5, 1.0, 0.0)]
    half, whole, none = ray.get([seat.answer for seat in seats])
    assert ({half, whole}, none) == ({"0", "1"}, "")
    for seat in seats:
        seat.end()


def _await_nodes(count: int) -> None:
    until = time.monotonic() + 30
    while len(nodes()) != count and time.monotonic() < until:
        time.sleep(0.05)
    assert len(nodes()) == count
