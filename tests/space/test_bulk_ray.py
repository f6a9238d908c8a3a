"""Shards by the workers of a real Ray cluster of one node, and what is said where that cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from affectspace.clusters import Node, RayAt, Sight, Unfit, connect
from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError
from affectspace.space import Space, bulk_plan, bulk_ray, bulk_worker
from affectspace.space.bulk import embed_in_shards
from affectspace.space.bulk_ray import OnRay
from affectspace.space.embed import embed
from affectspace.training import load_model, load_recipe, train_recipe


@pytest.fixture(scope="module")
def world(tmp_path_factory, lay_tiny):
    folder = tmp_path_factory.mktemp("bulk-ray")
    make_synthetic_world(folder / "world", speakers=3, items_per_speaker=8)
    lay_tiny(folder, {"recipes": []}, folder / "world")
    train_recipe(load_recipe(folder / "recipe.toml"), folder / "run", quiet=True)
    return folder


@pytest.fixture(scope="module")
def connected(ray_nodes):
    """Through a Ray Client, as from a machine that is no node."""
    with connect(RayAt(ray_nodes.client)):
        yield


def in_shards(world, out, engine=None, corpus="boro"):
    engine = engine or OnRay()
    return embed_in_shards(world / "run", [world / "world" / corpus], out, engine, command="again", quiet=True)


def test_workers_of_ray_make_the_space_that_one_process_makes(world, tmp_path, connected, monkeypatch):
    monkeypatch.setattr(bulk_plan, "SHARD", 5)
    made = in_shards(world, tmp_path / "space")
    space = Space.open(tmp_path / "space")
    local = embed(load_model(world / "run"), [world / "world/boro"], quiet=True).space(world / "run")
    np.testing.assert_allclose(space.vectors, local.vectors, atol=1e-5)
    assert space.items["id"].tolist() == local.items["id"].tolist()
    assert (made.shards, made.items) == (5, 24)
    for share in ({"cpus": 3}, {"gpus": 0.5}):
        with pytest.raises(InputError) as told:
            in_shards(world, tmp_path / "other", OnRay(**share))
        wanted = {"cpus": 0.9, "gpus": 0} | share
        assert str(told.value) == (
            f"no node of the cluster has {wanted['cpus']:g} CPUs and {wanted['gpus']:g} GPUs for a worker; the most "
            "that one has is 1 and 0, so give smaller --cpus and --gpus"
        )


def test_a_node_that_is_not_fit_stops_all_before_any_work(world, tmp_path, monkeypatch):
    fit, unfit = (Node(name, name, name, 1) for name in ("ant", "bee"))
    why = "it does not see the media at /data; mount or copy it to the same path there"
    monkeypatch.setattr(bulk_ray, "nodes", lambda: [fit, unfit])
    monkeypatch.setattr(bulk_ray, "look", lambda found, asking: ([Sight(fit)], [Unfit(unfit, why)]))
    monkeypatch.setattr(OnRay, "room", lambda self: 1)
    with pytest.raises(InputError) as told:
        in_shards(world, tmp_path / "space")
    assert str(told.value) == f"node bee: {why}; or take it out of the cluster, as every node of it is given work"


@pytest.mark.parametrize(
    ("share", "nodes", "room"),
    [
        ({"cpus": 0.9}, [{"CPU": 1}, {"CPU": 16}, {"CPU": 0.5}, {}], 1 + 17),
        ({"cpus": 0.45}, [{"CPU": 1}, {"CPU": 0.9}], 2 + 2),
        ({"cpus": 0.1}, [{"CPU": 1}], 10),
        ({"cpus": 3}, [{"CPU": 8}], 2),
        ({"cpus": 1, "gpus": 0.25}, [{"CPU": 3, "GPU": 1}, {"CPU": 8, "GPU": 1}, {"CPU": 8}], 3 + 4),
        ({"cpus": 0, "gpus": 0.5}, [{"CPU": 1, "GPU": 2}], 4),
    ],
)
def test_as_many_workers_are_started_at_once_as_nodes_have_room_for(share, nodes, room, monkeypatch):
    there = [{"Alive": True, "Resources": each} for each in nodes]
    monkeypatch.setattr("ray.nodes", lambda: [*there, {"Alive": False, "Resources": {"CPU": 99, "GPU": 99}}])
    assert OnRay(**share).room() == room


def test_a_fault_on_a_worker_is_an_answer_and_told_in_its_own_words(world, tmp_path, monkeypatch):
    """As Ray Data calls a worker, whose answers then come out of a cluster."""

    def asked(job, shards, cpus, gpus, room, sent):
        elsewhere = replace(job, out=str(tmp_path / "nowhere")) if blind else replace(job, run="gone")
        worker = bulk_worker.Worker(elsewhere, sent)
        for shard in shards:
            answer = worker({"shard": np.array([shard])})
            yield {name: value for name, (value,) in answer.items()}

    monkeypatch.setattr(bulk_ray, "_asked", asked)
    monkeypatch.setattr(OnRay, "room", lambda self: 1)
    monkeypatch.setattr(bulk_ray, "_refuse_unfit", lambda job: None)
    monkeypatch.setattr("ray.put", lambda files: files)
    monkeypatch.setattr("ray.get", lambda files: files)
    blind = True
    with pytest.raises(InputError, match=r" does not see the plan in .*nowhere; every node writes there, so mount it"):
        in_shards(world, tmp_path / "space")
    assert not (tmp_path / "space/manifest.json").exists()
    blind = False  # the model goes with the work, so that nobody needs its folder
    assert in_shards(world, tmp_path / "space").items == 24


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ({"cpus": -1}, "--cpus is -1 for each worker; legal: 0 to 1, or a whole number above"),
        ({"gpus": 1.5}, "--gpus is 1.5 for each worker; legal: 0 to 1, or a whole number above"),
        ({"cpus": 0}, "--cpus and --gpus are 0, and a worker needs a share of something; give --cpus 0.9"),
    ],
)
def test_shares_that_no_worker_can_have_are_refused(share, words):
    with pytest.raises(InputError) as told:
        OnRay(**share)
    assert str(told.value) == words


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r'a Ray cluster needs ray and grpc, not installed; pip install "affectspace\[ray\]"'
    ):
        OnRay()


def test_what_ray_raises_is_told_in_a_sentence_with_the_remedy():
    from ray import exceptions

    full = exceptions.RaySystemError("lost")
    full.__cause__ = exceptions.ObjectStoreFullError("no room")
    assert str(bulk_worker.told_of(full)) == (
        "the object store of a Ray node is full, and so is the disk behind it; ray start --object-store-memory=BYTES "
        "gives a node more; the same command goes on"
    )
    assert str(bulk_worker.told_of(exceptions.OutOfMemoryError("killed"))) == (
        "a Ray node has too little memory for its workers; give each more by --cpus; the same command goes on"
    )
    assert str(bulk_worker.told_of(ConnectionError("The head is gone.\nmore"))) == (
        "the Ray cluster could not go on: The head is gone; see to it, and the same command goes on"
    )
