"""Predictions against processes whose costs are known, and the rule for when measuring pays."""

from pathlib import Path

import pytest

from affectspace.studies.backlog import Held
from affectspace.studies.costs import Cost, Costs, finished_costs, measure, opened, worth_it
from affectspace.studies.job import Answer
from affectspace.studies.plan import Planned
from affectspace.studies.pool import Pool
from affectspace.studies.progress import Clock
from affectspace.training.recipe import make_recipe

BASE = {
    "name": "a",
    "corpora": [{"path": "alva"}, {"path": "boro"}],
    "labels": {"kind": "classes", "names": ["angry", "sad"]},
    "protocol": {"kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_share": 0},
}


HIDDEN = {"CE": 8, "KL": 9} | {name: 10 + place for place, name in enumerate("abcdefgh")}


def key(recipe, split, stage="final"):
    return planned(recipe, split, stage=stage).cost_key


def planned(recipe="CE", split="there", seed=0, epochs=20, stage="final"):
    values = {"seed": seed, "training": {"epochs": epochs, "selection": epochs}}
    values |= {"corpora": [{"path": split}, {"path": "boro"}], "encoder": {"hidden": HIDDEN[recipe]}}
    settings = make_recipe(BASE | values)
    return Planned(stage, recipe, split, None, seed, Path("runs", recipe, split, f"seed-{seed}"), settings)


def study(recipes=("CE", "KL"), splits=("there", "back"), seeds=30, **settings):
    return [planned(r, s, seed, **settings) for r in recipes for s in splits for seed in range(seeds)]


def fresh(processes):
    return [Held() for _ in range(processes)]


class Timed(Pool):
    """Processes of a known speed: a second to begin with, then 0.1 s an epoch of small nets and 0.3 s of others.

    Corpora open in half a second, another split of them in a tenth.
    """

    def run(self, jobs, tell):
        self.jobs = [*getattr(self, "jobs", []), *jobs]
        for place, job in enumerate(jobs):
            assert job.scratch
            training = job.recipe.training
            assert training.selection == training.epochs, "it is a legal recipe"
            epoch = 0.1 if job.recipe.encoder.hidden == 8 else 0.3
            opening = {0: 0.5, 1: 0.5, 2: 0.1, 3: 0.1}.get(place, 0.0) if len(self.jobs) == len(jobs) else 0.0
            tell(job, Answer(seconds=1.0 + epoch * training.epochs, data_seconds=opening, new_items=opening == 0.5))


def test_measured_costs_are_the_true_ones(tmp_path):
    runs = study()
    probed, longest = worth_it(runs, {}, processes=2)
    assert [run.cost_key for run in probed] == [key(r, s) for r in ("CE", "KL") for s in ("there", "back")]
    costs = measure(Timed(2), probed, tmp_path / "scratch", longest)
    for run in probed:
        cost = costs.runs[run.cost_key]
        assert (cost.fixed, cost.epoch) == (pytest.approx(1.0), pytest.approx(0.1 if run.recipe == "CE" else 0.3))
    assert (costs.items, costs.split) == (pytest.approx(0.5), pytest.approx(0.1))
    assert not (tmp_path / "scratch").exists()


def test_measuring_costs_little_or_is_left_out(tmp_path):
    assert worth_it(study(seeds=30)[:3], {}, processes=2) == ([], 0), "fewer runs than would fill the processes twice"
    assert worth_it(study(seeds=1), {}, processes=2) == ([], 0), "it would cost a large part of so small a study"
    by_recipe, _ = worth_it(study(splits=tuple("abcdefgh"), seeds=3), {}, processes=2)
    assert [run.cost_key for run in by_recipe] == [key("CE", "a"), key("KL", "a")]
    assert worth_it(study(recipes=tuple("abcdefgh"), seeds=2), {}, processes=2) == ([], 0), "one stands for no other"
    for seeds in (2, 5, 10, 30, 100):
        runs, pool = study(splits=tuple("abcd"), seeds=seeds), Timed(2)
        probed, longest = worth_it(runs, {}, processes=2)
        if probed:
            measure(pool, probed, tmp_path / "scratch", longest)
            cost = sum(job.recipe.training.epochs + 2 for job in pool.jobs)
            assert cost <= 0.06 * sum(run.settings.training.epochs + 2 for run in runs)


def test_a_prediction_is_the_schedule_of_the_processes():
    """Two of 3 s and one of 8 s: in the order in which they are given, and no run before the stage before it."""
    costs = Costs({key("CE", "there"): Cost(0.0, 1.0), key("CE", "there", "grid"): Cost(0.0, 2.0)})
    three = [planned(epochs=3), planned(seed=1, epochs=3), planned(seed=2, epochs=8)]
    assert costs.wall([three], fresh(2)) == 3 + 8
    assert costs.wall([three[::-1]], fresh(2)) == 8
    assert costs.wall([three], fresh(1)) == 14
    assert costs.wall([three], fresh(5)) == 8, "a run is not divided"
    grid = [planned(epochs=2, stage="grid")]
    assert costs.wall([grid, [], three], fresh(2)) == 4 + 11


def test_every_process_opens_its_data_itself():
    runs = [planned(split=split, seed=seed, epochs=1) for split in ("there", "back") for seed in range(4)]
    costs = Costs({key("CE", "there"): Cost(1.0, 0.0)}, items=10.0)
    assert costs.wall([runs], fresh(1)) == 8 + 2 * 10
    assert costs.wall([runs], fresh(2)) == 4 + 10, "each keeps to its own"
    assert costs.wall([runs], fresh(4)) == 2 + 10
    ready = Held()
    ready.take(runs[0])
    assert costs.wall([runs[:4]], [ready]) == 4


def test_runs_teach_what_they_cost():
    costs = Costs({})
    costs.saw(planned(epochs=10), 20.0)
    costs.saw(planned(epochs=20, seed=1), 80.0)
    assert costs.of(planned(epochs=10)) == pytest.approx(30.0)
    assert costs.of(planned(split="back", epochs=10)) == pytest.approx(30.0), "its work elsewhere"
    assert costs.of(planned(stage="grid", epochs=10)) == pytest.approx(30.0), "and in another stage"
    assert costs.bounds([planned(), planned(stage="grid")])
    assert not costs.bounds([planned(split="back")]), "another split may have more items"
    assert not costs.bounds([planned(split="back", stage="grid")])
    inner = Costs({key("CE", "there", "grid"): Cost(0.0, 1.0)})
    assert inner.of(planned()) == 20.0
    assert not inner.bounds([planned()]), "an inner run may be cheaper than one that is tested"
    assert costs.of(planned("KL", epochs=10)) is None
    assert costs.of(planned("KL", epochs=10), guess=True) == pytest.approx(30.0)
    measured = Costs({key("CE", "there"): Cost(0.0, 1.0)})
    measured.saw(planned(epochs=10), 500.0)
    assert measured.of(planned(epochs=10)) == 10.0


def test_what_finished_runs_have_cost_is_not_measured_again(tmp_path):
    runs = study()
    for run in runs[:5]:
        (tmp_path / run.folder).mkdir(parents=True)
        (tmp_path / run.folder / "timing.json").write_text('{"seconds": 4.0}')
    (tmp_path / runs[4].folder / "timing.json").write_text("damaged")
    known = finished_costs(tmp_path, runs[:6])
    assert known == {key("CE", "there"): Cost(0.0, 0.2)}
    assert key("CE", "there") not in [run.cost_key for run in worth_it(runs[6:], known, processes=2)[0]]
    costs = Costs(known)
    assert costs.of(planned(epochs=10)) == pytest.approx(2.0)
    assert costs.of(planned("CE", "back")) == pytest.approx(4.0)
    assert costs.of(planned("KL", "back")) is None, "which does other work"


def test_nothing_is_foreseen_where_nothing_is_known():
    assert Costs({}).wall([study()], fresh(2)) is None
    assert Costs({}).wall([[]], fresh(2)) == 0


def test_a_run_that_fails_in_measuring_is_left_for_its_own_place(tmp_path):
    class Failing(Pool):
        def run(self, jobs, tell):
            for job in jobs:
                tell(job, Answer(error="the loss is not finite", code=3))

    assert measure(Failing(2), worth_it(study(), {}, 2)[0], tmp_path / "scratch", 9).runs == {}


def test_a_prediction_stands_while_a_call_goes_on_with_the_same(tmp_path):
    first = Clock(tmp_path, 2)
    first.predict(100.0, planned=10)
    first.write([])
    told = first._predicted
    for processes, planned, going_on, expected in (
        (2, 10, True, told), (1, 10, True, 30), (2, 20, True, 30), (2, 10, False, 30)
    ):  # fmt: skip
        again = Clock(tmp_path, processes)
        again.predict(30.0, planned, going_on)
        assert again._predicted == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"augment": {"speed": [0.9, 1.1]}},
        {"terms": [{"kind": "cross_entropy"}, {"kind": "f_similarity", "pairs": "triplets"}]},
        {"features": {"kind": "log_mel", "bands": 80}},
        {"encoder": {"channels": 256}},
        {"training": {"batch_size": 10}},
        {"monitor": {"test_curve": True}},
    ],
)
def test_what_makes_an_epoch_dearer_is_other_work(change):
    plain, dearer = like(), like(**change)
    assert plain.work != dearer.work
    assert Costs({plain.cost_key: Cost(1.0, 1.0)}).wall([[dearer]], fresh(1)) is None


def test_seeds_rates_and_data_are_no_other_work():
    other = like(seed=4, data="elsewhere", training={"learning_rate": 0.1, "weight_decay": 0.1, "epochs": 3})
    assert other.work == like().work


def like(**change):
    """A run of the base recipe with changes."""
    values = BASE | change | {"training": {"selection": "last", **change.get("training", {})}}
    return Planned("final", "CE", "there", None, 0, Path(), make_recipe(values))


def test_processes_open_what_they_begin_with_and_tell_how_long_that_takes():
    class Opening(Pool):
        def run(self, jobs, tell):
            assert all(job.only_open for job in jobs)
            self.asked = [*getattr(self, "asked", []), [job.split_key for job in jobs]]
            for job in jobs:
                tell(job, Answer(seconds=0.0, data_seconds=3.0 if len(jobs) == 2 else 0.5, new_items=len(jobs) == 2))

    pool, runs = Opening(2), study(recipes=("CE",), splits=("a", "b", "c"), seeds=4)
    assert opened(pool, runs) == (3.0, 0.5)
    assert pool.asked == [[runs[0].split_key, runs[4].split_key], [runs[8].split_key]]
    assert opened(Opening(2), runs[:1]) == (0.0, 0.5), "one is all that there is"
