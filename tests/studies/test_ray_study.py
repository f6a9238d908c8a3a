"""Studies on a Ray cluster: the bytes of those that are trained here, whatever becomes of its nodes."""

import copy
from pathlib import Path

import pytest

from affectspace.clusters import RayAt, connect, nodes
from affectspace.corpora import make_synthetic_world
from affectspace.studies.execute import run_study

pytest.importorskip("ray", reason='Ray is not installed; pip install "affectspace[ray]"')

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


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file of the runs but for times."""
    runs = sorted(path for path in (folder / "runs").rglob("*") if path.is_file() and path.name not in CLOCKED)
    kept = [path for path in runs if "checkpoints" not in path.parts and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def test_a_study_on_a_cluster_leaves_the_bytes_of_one_here(whole, connected, tmp_path):
    outcome = run_study(whole[0], tmp_path / "out", on=RayAt(), quiet=False)
    assert (outcome.planned, outcome.finished, outcome.ran, outcome.exit_code) == (6, 6, 6, 0)
    assert contents(tmp_path / "out") == contents(whole[1])
    assert not list((tmp_path / "out").rglob(".*.claimed"))
    assert run_study(whole[0], tmp_path / "out", on=RayAt()).ran == 0


def test_a_node_that_is_lost_and_one_that_joins_cost_only_time(whole, connected, monkeypatch, tmp_path, capfd):
    """The node is killed as its first run has begun; another joins then."""
    from affectspace.studies import ray_pool

    lost, marks = connected.add(cpus=2), []
    _await_nodes(2)

    class Seat(ray_pool.Seat):
        def give(self, job, now):
            super().give(job, now)
            if not marks and self.node.address == "127.0.0.3":
                marks.append(self.node.name)
                connected.kill(lost)
                connected.add(cpus=1)

    monkeypatch.setattr(ray_pool, "Seat", Seat)
    outcome = run_study(whole[0], tmp_path / "out", on=RayAt(), quiet=False)
    assert (outcome.finished, outcome.ran, outcome.exit_code) == (6, 6, 0)
    assert contents(tmp_path / "out") == contents(whole[1])
    assert len(outcome.taken_up) >= 1
    told = capfd.readouterr().err
    assert f"node {marks[0]} is lost; what it was doing is done by others" in told


def _await_nodes(count: int) -> None:
    import time

    until = time.monotonic() + 30
    while len(nodes()) != count and time.monotonic() < until:
        time.sleep(0.05)
    assert len(nodes()) == count
