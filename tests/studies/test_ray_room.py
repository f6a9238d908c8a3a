"""How many processes the nodes of a Ray cluster get, and which share of a GPU each; no cluster is needed for that."""

from itertools import count, product
from types import SimpleNamespace

import pytest

from affectspace.clusters import Node, RayAt, Sight
from affectspace.errors import AffectspaceError, InputError
from affectspace.studies import on_cluster, ray_nodes, ray_pool
from affectspace.studies.backlog import Backlog, Held
from affectspace.studies.job import Answer, Job
from affectspace.studies.ray_room import Room, room_on
from affectspace.studies.ray_seat import Trainer
from affectspace.training.recipe import make_recipe

GPUS, CPUS = Node("1", "ant", "10.0.0.7", cpus=16, gpus=4), Node("2", "bee", "10.0.0.8", cpus=2)


def test_all_processes_fit_on_their_node():
    for cpus, gpus, most in product(range(1, 18), range(1, 9), (None, 1, 7, 16, 100)):
        node = Node("1", "ant", "10.0.0.7", cpus, gpus)
        room = room_on([node], most, gpus=True)
        seats, share = room.seats(node), room.share(node)
        on_one = int(1 / share)  # so many Ray puts on a GPU
        assert min(cpus, gpus, most or gpus) <= seats <= min(cpus, gpus * on_one), node
        assert seats == cpus or most is None or seats >= most, "whoever is asked for has room"


def test_without_gpus_every_cpu_has_a_process_that_reserves_none():
    for room in (Room(), room_on([CPUS], 40, gpus=True)):
        assert (room.seats(CPUS), room.share(CPUS)) == (2, 0.0)
    assert (Room().seats(GPUS), Room().share(GPUS)) == (16, 0.0)


def test_nodes_without_a_gpu_take_what_they_can_before_gpus_are_shared():
    assert [room_on([GPUS, CPUS], most, gpus=True).sharing for most in (None, 6, 7, 14)] == [1, 1, 2, 3]


def recipe_on(device):
    return {
        "name": "x", "corpora": [{"path": "alva"}], "labels": {"kind": "poles", "dimension": "activation"},
        "features": {"kind": "log_mel"}, "protocol": {"kind": "published"}, "encoder": {"kind": "conv_pool"},
        "terms": [{"kind": "cross_entropy"}], "training": {"device": device},
    }  # fmt: skip


@pytest.fixture
def seats(monkeypatch):
    """``seats(devices, most)``: nodes and GPU shares of the processes that a pool would start on two nodes."""

    class Seat:
        def __init__(self, sight, cache, gpu, cuda):
            self.node, self.gpu, self.cuda = sight.node, gpu, cuda

        def end(self):
            pass

    def look(found, asking):
        return [Sight(node) for node in found if node.gpus or not asking.gpu], []

    monkeypatch.setattr(ray_pool, "Seat", Seat)
    monkeypatch.setattr(ray_nodes, "nodes", lambda: [GPUS, CPUS])
    monkeypatch.setattr(ray_nodes, "look", look)
    numbers = count()

    def plan(folder, device, most):
        place = folder / str(next(numbers))
        place.mkdir()
        recipe = make_recipe(recipe_on(device), "x.toml")
        with on_cluster.cluster_pool(RayAt(), place, [recipe], most, print) as pool:
            pool._fill(100)
            return [(seat.node.name, seat.gpu, seat.cuda) for seat in pool._seats]

    return plan


def test_what_the_recipes_train_on_decides_what_processes_reserve(seats, tmp_path):
    assert seats(tmp_path, "cuda", None) == [("ant", 1.0, True)] * 4
    assert seats(tmp_path, "cuda", 8) == [("ant", 0.5, True)] * 8
    assert sorted(seats(tmp_path, "auto", None)) == [("ant", 1.0, False)] * 4 + [("bee", 0.0, False)] * 2
    assert sorted(seats(tmp_path, "cpu", None)) == [("ant", 0.0, False)] * 16 + [("bee", 0.0, False)] * 2


def test_a_process_that_finds_no_gpu_says_so_before_it_is_given_a_run(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert Trainer().ready()["process"]
    with pytest.raises(InputError) as caught:
        Trainer(cuda=True).ready()
    assert str(caught.value) == (
        "torch finds no GPU there, though Ray offers one; see to its driver and install a torch for it"
    )


def test_that_no_node_is_left_is_told_each_time_that_it_is_so(monkeypatch, tmp_path):
    said, now = [], [0.0]
    monkeypatch.setattr(ray_pool.time, "monotonic", lambda: now[0])
    pool = ray_pool.RayPool(tmp_path, {}, [], None, said.append)
    for begins in (0.0, 1000.0):
        pool._seats = [SimpleNamespace(ready=True)]
        now[0] = begins
        pool._hint()
        pool._seats = []
        for seconds in (29.0, 31.0, 100.0):
            now[0] = begins + seconds
            pool._hint()
            assert len(said) == (begins > 0) + (seconds > 30)
    assert said == ["waiting for the Ray cluster: no node that can do the work is left"] * 2


def test_a_run_that_its_process_has_lost_to_another_is_tried_again_and_no_failure(monkeypatch, tmp_path):
    ray = pytest.importorskip("ray")
    recipe = make_recipe(recipe_on("cpu"), "x.toml")
    pool = ray_pool.RayPool(tmp_path, {}, [], None, print)
    job, waiting = Job(tmp_path / "runs/a", recipe), Backlog([])
    monkeypatch.setattr(ray, "get", lambda said: {"error": "another has it", "code": 1, "taken": True})
    answers = []
    for _ in range(3):
        seat = SimpleNamespace(node=CPUS, ready=True, job=job, answer=1, held=Held())
        answers.append(pool._came(seat, waiting))
    assert answers == [None, None, (job, Answer(error="another has it", code=1))]
    assert pool.taken_up == [job, job]
    assert waiting.next_for(Held(), []) == job


class Opening(SimpleNamespace):
    """A seat that has yet to be ready, and what it is asked."""

    def __init__(self):
        super().__init__(node=CPUS, ready=False, job=None, ahead=None, answer=1, held=Held(), opened=[])

    def open(self, job):
        self.opened.append(job)
        self.ahead, self.answer = job, 2
        self.held.take(job)

    def end(self):
        pass


@pytest.mark.parametrize(
    ("kind", "opens"), [({}, True), ({"scratch": True}, False), ({"only_open": True}, False), (None, False)]
)
def test_a_process_opens_data_before_it_is_given_a_run_but_where_that_is_measured(monkeypatch, tmp_path, kind, opens):
    """Any process may be given the run meanwhile; what could not be opened is not held."""
    ray = pytest.importorskip("ray")
    pool = ray_pool.RayPool(tmp_path, {}, [], None, print)
    recipe = make_recipe(recipe_on("cpu"), "x.toml")
    jobs = [] if kind is None else [Job(tmp_path / "runs/a", recipe, **kind)]
    waiting, pool._seats = Backlog(jobs), [Opening()]
    (seat,) = pool._seats
    monkeypatch.setattr(ray, "get", lambda said: {"process": 1})
    assert pool._came(seat, waiting) is None
    assert seat.ready
    assert seat.opened == (jobs if opens else [])
    assert [*seat.held.splits] == [job.split_key for job in seat.opened]
    monkeypatch.setattr(ray, "get", lambda said: {"error": "no disk", "code": 1})
    if opens:
        assert pool._came(seat, waiting) is None
    assert seat.answer is None
    assert not seat.held.splits
    assert not seat.held.items
    assert waiting.next_for(Held(), []) == (jobs[0] if jobs else None)


def test_data_that_end_who_opens_them_are_left_to_their_run_of_which_that_counts(monkeypatch, tmp_path):
    """Else processes would open them for ever, or the node would be taken for one on which none can start."""
    ray = pytest.importorskip("ray")

    def ended(said):
        raise ray.exceptions.RayActorError

    monkeypatch.setattr(ray_pool, "head_answers", lambda: True)
    monkeypatch.setattr(ray_pool, "nodes", lambda: [CPUS])
    pool = ray_pool.RayPool(tmp_path, {}, [], None, print)
    job = Job(tmp_path / "runs/a", make_recipe(recipe_on("cpu"), "x.toml"))
    waiting, pool._seats = Backlog([job]), [Opening() for _ in range(4)]
    first = pool._seats[:3]
    for get in (lambda said: {"process": 1}, ended):
        monkeypatch.setattr(ray, "get", get)
        assert [pool._came(seat, waiting) for seat in first] == [None] * 3
    assert [seat.opened for seat in first] == [[job]] * 3
    (last,) = pool._seats
    assert pool.left_out == {}
    monkeypatch.setattr(ray, "get", lambda said: {"process": 1})
    assert pool._came(last, waiting) is None
    assert last.opened == []
    answers = []
    for _ in range(3):
        seat = Opening()
        pool._seats.append(seat)
        seat.ready, seat.job = True, waiting.next_for(seat.held, [])
        monkeypatch.setattr(ray, "get", ended)
        answers.append(pool._came(seat, waiting))
    assert answers[:2] == [None, None]
    assert answers[2][0] == job
    assert "its process was ended 3 times, the last on node bee" in answers[2][1].error


def test_without_its_head_node_a_cluster_is_given_up_before_ray_ends_the_program(monkeypatch, tmp_path):
    """Nothing is asked of Ray meanwhile, which would wait for the head and end the program."""
    monkeypatch.setattr(ray_nodes, "nodes", lambda: [CPUS])
    monkeypatch.setattr(ray_nodes, "look", lambda found, asking: ([Sight(CPUS)], []))
    monkeypatch.setattr(ray_pool, "Seat", None)
    monkeypatch.setattr(ray_pool, "TICK", 0.0)
    monkeypatch.setattr(ray_pool, "HEADLESS", 0.01)
    monkeypatch.setattr(ray_pool, "head_answers", lambda: False)
    recipe = make_recipe(recipe_on("cpu"), "x.toml")
    pool = on_cluster.cluster_pool(RayAt(), tmp_path, [recipe], None, print)
    with pool as entered, pytest.raises(AffectspaceError) as caught:
        entered.run([Job(tmp_path / "runs/a", recipe)], print)
    assert str(caught.value) == (
        "the connection to the Ray cluster is lost (its head node does not answer); runs that are finished stay, and "
        "the same command goes on with the others once its head node is up"
    )
