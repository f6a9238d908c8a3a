"""The plan for 100,000 hours: tables are what the scripts print; the simulation keeps to what can be counted."""

import importlib.util
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it
    spec.loader.exec_module(module)
    return module


plan, simulation = load("scale_plan"), load("scale_simulation")


@pytest.fixture(scope="module")
def rates():
    return json.loads((ROOT / "benchmarks/results/scale-rates.json").read_text())


@pytest.mark.parametrize("table", [plan.rates_table, plan.table, simulation.table])
def test_the_page_shows_what_the_scripts_print(table, rates):
    assert table(rates) in (ROOT / "docs/scale.md").read_text()


WORLD = simulation.World(
    cores=8, line=1e6, latency=0.0, at_once=1, item_bytes=1e3, item_seconds=0.01, overlap=False, shards=100, items=10
)


def test_with_nothing_to_wait_for_cores_do_shard_after_shard():
    seconds, share, again = simulation.simulate(replace(WORLD, line=1e30))
    assert seconds == pytest.approx(math.ceil(100 / 8) * 10 * 0.01)
    assert (share, again) == (pytest.approx(100 / (13 * 8)), 0)


def test_with_nothing_to_do_bytes_come_at_the_width_of_the_line():
    seconds, share, _ = simulation.simulate(replace(WORLD, item_seconds=0.0))
    assert (seconds, share) == (pytest.approx(100 * 10 * 1e3 / 1e6), 0)


def test_one_worker_waits_for_each_item_in_turn():
    world = replace(WORLD, cores=1, latency=0.03)
    assert simulation.simulate(world)[0] == pytest.approx(100 * (10 * (0.03 + 1e3 / 1e6) + 0.1))


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("latency", [0.0, 0.05])
@pytest.mark.parametrize("line", [2e5, 1e6, 1e7])
@pytest.mark.parametrize("fails_every", [math.inf, 3.0])
def test_no_layout_is_faster_than_its_line_or_its_cores(overlap, latency, line, fails_every):
    world = replace(WORLD, overlap=overlap, latency=latency, line=line, fails_every=fails_every, away=1.0, node_cores=4)
    seconds, share, again = simulation.simulate(world)
    least = max(world.shards * world.shard_bytes / world.line, world.shards * world.shard_seconds / world.cores)
    assert seconds >= least * (1 - 1e-9)
    assert share * seconds * world.cores >= world.shards * world.shard_seconds * (1 - 1e-9), "all of it is worked on"
    assert again == 0 or fails_every < math.inf


def test_the_same_seed_gives_the_same_figures():
    world = replace(WORLD, fails_every=3.0, away=1.0, node_cores=4)
    assert (
        simulation.simulate(world, seed=1) == simulation.simulate(world, seed=1) != simulation.simulate(world, seed=2)
    )
