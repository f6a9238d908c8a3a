"""Predictions against processes whose costs are known, and the rule for when measuring pays."""

from pathlib import Path

import pytest

from affectspace.studies.clock import Clock
from affectspace.studies.plan import Planned
from affectspace.studies.pool import Answer, Job
from affectspace.studies.probe import Cost, Costs, finished_costs, measure, worth_it
from affectspace.training.recipe import make_recipe

BASE = {
    "name": "a",
    "corpora": [{"path": "alva"}, {"path": "boro"}],
    "labels": {"kind": "classes", "names": ["angry", "sad"]},
    "protocol": {"kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_share": 0},
}


def planned(recipe="CE", split="there", seed=0, epochs=20, stage="final"):
    training = {"epochs": epochs, "selection": epochs}
    settings = make_recipe(BASE | {"seed": seed, "training": training, "corpora": [{"path": split}, {"path": "boro"}]})
    return Planned(stage, recipe, split, None, seed, Path("runs", recipe, split, f"seed-{seed}"), settings)


def study(recipes=("CE", "KL"), splits=("there", "back"), seeds=30, **settings):
    return [planned(r, s, seed, **settings) for r in recipes for s in splits for seed in range(seeds)]


class Timed:
    """Processes of a known speed: a second to begin with, then 0.1 s an epoch of CE and 0.3 s of any other."""

    processes = 2

    def __init__(self, kinds):
        self.kinds = kinds  # of the jobs of each turn, in their order
        self.jobs = []

    def run(self, jobs, tell):
        for place, job in enumerate(jobs):
            assert job.scratch
            self.jobs.append(job)
            epochs = job.recipe.training.epochs
            assert job.recipe.training.selection == epochs, "it is a legal recipe"
            epoch = 0.1 if self.kinds[place] == "CE" else 0.3
            tell(job, Answer(seconds=1.0 + epoch * epochs, data_seconds=0.5 if len(self.jobs) < 3 else 0.0))


def test_measured_costs_are_the_true_ones(tmp_path):
    runs = study()
    probed = worth_it(runs, {}, processes=2)
    assert [run.cost_key for run in probed] == [("final", r, s) for r in ("CE", "KL") for s in ("there", "back")]
    costs, opened = measure(Timed([run.recipe for run in probed]), probed, tmp_path / "scratch")  # pyright: ignore
    for run in probed:
        cost = costs.runs[run.cost_key]
        assert (cost.fixed, cost.epoch) == (pytest.approx(1.0), pytest.approx(0.1 if run.recipe == "CE" else 0.3))
    whole = 60 * (1 + 20 * 0.1) + 60 * (1 + 20 * 0.3)
    assert costs.wall(runs, 2, opened) == pytest.approx(whole / 2)
    assert costs.wall(runs, 2) == pytest.approx(whole / 2 + 0.5 * 2 / 2), "with the data of two splits to open"
    assert not (tmp_path / "scratch").exists()


def test_measuring_costs_little_or_is_left_out():
    assert worth_it(study(seeds=30)[:3], {}, processes=2) == [], "fewer runs than would fill the processes twice"
    assert worth_it(study(seeds=2), {}, processes=2) == [], "it would cost a large part of so small a study"
    by_recipe = worth_it(study(splits=tuple("abcdefgh"), seeds=5), {}, processes=2)
    assert [run.cost_key for run in by_recipe] == [("final", "CE", "a"), ("final", "KL", "a")]
    for seeds in (2, 5, 10, 30, 100):
        runs = study(splits=tuple("abcd"), seeds=seeds)
        epochs = sum(1 + 10 for _ in worth_it(runs, {}, processes=2))
        assert epochs <= 0.05 * sum(run.settings.training.epochs for run in runs) * 1.1


def test_what_finished_runs_have_cost_is_not_measured_again(tmp_path):
    runs = study()
    for run in runs[:5]:
        (tmp_path / run.folder).mkdir(parents=True)
        (tmp_path / run.folder / "timing.json").write_text('{"seconds": 4.0}')
    (tmp_path / runs[4].folder / "timing.json").write_text("damaged")
    known = finished_costs(tmp_path, runs[:6])
    assert known == {("final", "CE", "there"): Cost(0.0, 0.2)}
    assert ("final", "CE", "there") not in [run.cost_key for run in worth_it(runs[6:], known, processes=2)]
    costs = Costs(known)
    assert costs.of(planned(epochs=10)) == pytest.approx(2.0)
    assert costs.of(planned("KL", "back")) == pytest.approx(4.0), "the only thing known"


def test_nothing_is_foreseen_where_nothing_is_known():
    assert Costs({}).wall(study(), 2) is None
    assert Costs({}).wall([], 2) == 0
    assert Costs({("final", "CE", "there"): Cost(1.0, 0.0)}).wall([planned()], 8) == 1.0, "one run fills one process"


def test_a_run_that_fails_in_measuring_is_left_for_its_own_place(tmp_path):
    class Failing:
        processes = 2

        def run(self, jobs: list[Job], tell):
            for job in jobs:
                tell(job, Answer(error="the loss is not finite", code=3))

    costs, _ = measure(Failing(), worth_it(study(), {}, 2), tmp_path / "scratch")  # pyright: ignore
    assert costs.runs == {}


def test_a_prediction_stands_while_the_plan_has_as_many_runs(tmp_path):
    first = Clock(tmp_path, 2)
    first.predict(100.0, planned=10)
    first.write([])
    told = first._predicted
    again = Clock(tmp_path, 2)
    again.predict(30.0, planned=10)
    assert again._predicted == pytest.approx(told, abs=1e-3)
    again.predict(30.0, planned=20)
    assert again._predicted == pytest.approx(30, abs=5)
