"""A study folder is read as it is: figures as written, what is missing listed, what is damaged named."""

import json

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.metrics.speaker_intervals import tally
from affectspace.studies import open_study
from affectspace.training.run import Run

TWO = {"CE": 0.6, "KL": 1.0}
SPLITS = ("alva -> boro, valence", "boro -> alva")


@pytest.fixture(scope="module")
def study(make_study):
    return make_study(TWO, SPLITS, 3, epochs=4, items=60)


def test_the_plan_as_written(study):
    results = open_study(study)
    assert (results.name, results.baseline, results.recipes) == ("made-up", "CE", ("CE", "KL"))
    assert (results.splits, results.seeds, results.planned) == (SPLITS, (0, 1, 2), 12)
    assert results.finished


def test_every_figure_of_every_run(study):
    runs = open_study(study).runs
    assert len(runs) == 12
    for row in runs.itertuples():
        metrics = json.loads((study / row.folder / "metrics.json").read_text())
        assert row.uar == metrics["test"]["uar"]
        assert row.chance_uar == metrics["test"]["chance_uar"]
        assert np.isnan(row.similarity_rho)  # metrics.json has null
        assert (row.selected_epoch, row.seed) == (12, metrics["seed"])
        assert row.seconds == pytest.approx(12 + 0.1 * row.seed)
    assert runs.loc[0, "folder"] == "runs/CE/alva----boro--valence/seed-0"
    assert list(runs["recipe"]) == ["CE"] * 6 + ["KL"] * 6


def test_figures_need_no_predictions(make_study):
    folder = make_study(TWO, seeds=2, items=20)
    for path in folder.rglob("predictions.parquet"):
        path.unlink()
    results = open_study(folder)
    assert len(results.runs) == 4
    with pytest.raises(InputError, match=r"run .*seed-0 has no predictions\.parquet; its folder is not complete"):
        results.judged("CE", "alva -> boro")


def test_curves_of_seeds(study):
    curves = open_study(study).curves
    assert set(curves["part"]) == {"test"}
    assert len(curves) == 12 * 4
    one = curves[(curves["recipe"] == "KL") & (curves["split"] == SPLITS[1]) & (curves["seed"] == 2)]
    told = Run(study / "runs/KL/boro----alva/seed-2").epochs["test.uar"]
    assert one.set_index("epoch")["uar"].to_dict() == told.to_dict()


def test_no_curves_recorded(make_study):
    assert not len(open_study(make_study(TWO, seeds=1, items=20)).curves)


def test_answers_are_counted_speaker_by_speaker(study):
    results = open_study(study)
    judged = results.judged("KL", SPLITS[0])
    assert len(judged) == 3
    for seed, counted in enumerate(judged):
        full = Run(results.run_folder("KL", SPLITS[0], seed)).evaluated("test")
        again = tally(full.items, full.speakers, full.targets, full.probabilities)
        assert counted.tally.speakers == again.speakers
        assert np.array_equal(counted.tally.counts, again.counts)
        assert counted.items == len(full) == 60
    assert len({each.digest for recipe in TWO for each in results.judged(recipe, SPLITS[0])}) == 1


def test_other_labels_make_another_digest(make_study):
    folder = make_study(TWO, seeds=2, items=40, details={"KL": {"world": 8}})
    results = open_study(folder)
    assert results.judged("CE", "alva -> boro")[0].digest != results.judged("KL", "alva -> boro")[0].digest


def test_runs_that_are_missing_are_listed_with_how_far_they_are(make_study):
    folder = make_study(TWO, seeds=4, items=20, epochs=3, without=lambda r, s, seed: r == "KL" and seed == 3)
    where = folder / "runs/CE/alva----boro"
    (where / "seed-1/metrics.json").unlink()
    (where / "seed-2/metrics.json").unlink()
    (where / "seed-2/diverged").mkdir()
    (where / "seed-2/diverged/batch.json").write_text("{}")
    results = open_study(folder)
    assert not results.finished
    assert list(zip(results.missing["recipe"], results.missing["seed"], results.missing["state"])) == [
        ("CE", 1, "3 epochs done"), ("CE", 2, "diverged"), ("KL", 3, "not begun"),
    ]  # fmt: skip
    assert len(results.runs) == 5
    assert set(results.curves.loc[results.curves["recipe"] == "CE", "seed"]) == {0, 3}


def test_folds_are_one_run(make_study):
    folder = make_study(TWO, ("leave one out",), 2, folds=3, items=30, epochs=2)
    results = open_study(folder)
    assert len(results.runs) == 4
    assert results.runs.loc[0, "selected_epoch"] == [12, 12, 12]
    assert results.runs.loc[0, "seconds"] == pytest.approx(36)
    assert results.judged("CE", "leave one out")[0].items == 90
    first = results.curves[(results.curves["recipe"] == "CE") & (results.curves["seed"] == 0)]
    run = Run(folder / "runs/CE/leave-one-out/seed-0")
    assert first["uar"].tolist() == pytest.approx(np.mean([f.epochs["test.uar"] for f in run.folds], axis=0))
    (folder / "runs/KL/leave-one-out/seed-1/metrics.json").unlink()
    assert open_study(folder).missing["state"].tolist() == ["3 folds done"]


def test_a_curve_of_folds_ends_where_the_shortest_does(make_study):
    folder = make_study({"CE": 0.5}, ("s",), 1, folds=2, items=20, epochs=4)
    path = folder / "runs/CE/s/seed-0/fold-01/metrics.jsonl"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:2]))
    assert open_study(folder).curves["epoch"].tolist() == [1, 2]


def test_seeds_by_list_and_a_study_that_nobody_began(make_study):
    folder = make_study(TWO, seeds=[3, 7], items=20, without=lambda *which: True)
    results = open_study(folder)
    assert results.seeds == (3, 7)
    assert results.runs.empty
    assert len(results.missing) == 4
    assert results.example("alva -> boro") is None
    assert results.judged("CE", "alva -> boro") == results.examples("alva -> boro") == []
    assert (results.selection, results.timing) == ({}, {})


def test_an_example_prefers_the_baseline(make_study):
    folder = make_study(TWO, seeds=2, items=20, baseline="KL", without=lambda r, s, seed: r == "KL" and seed == 0)
    results = open_study(folder)
    assert results.example("alva -> boro").path.parts[-3:] == ("KL", "alva----boro", "seed-1")
    assert results.example("alva -> boro", "CE").path.parts[-3:] == ("CE", "alva----boro", "seed-0")


def read_all(folder):
    results = open_study(folder)
    return results.runs, results.selection, results.timing, results.judged("KL", "alva -> boro")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("study.toml", "seeds = ", r"study\.toml of study .* is damaged"),
        ("study.toml", "seeds = 3", r"study\.toml of study .* is damaged \('recipes' is missing\)"),
        ("study.toml", 'seeds = 2\nbaseline = "no"\nrecipes = [{name = "a"}]\nsplits = [{name = "s"}]',
         "baseline 'no' is none of a"),
        ("selection.json", "[]", r"selection\.json of study .* is damaged \(it holds a list where a table is expected"),
        ("selection.json", '{"s/all": []}', r"is damaged \(s/all: input should be .*; restore"),
        ("selection.json", '{"s/all": {"shared": 3}}', r"selection\.json .* damaged \(s/all\.shared: input should"),
        ("selection.json", '{"s/all": {"tried": ["lr"]}}', r"is damaged \(s/all\.tried\.0: input should be"),
        ("selection.json", '{"s/all": {"tried": [{"recipe": "KL", "stage": "own"}]}}', "tried.0.set: field required"),
        ("selection.json", '{"s/all": {"own": {"KL": 1.0}}}', r"is damaged \(s/all\.own\.KL: input should be"),
        ("selection.json", '{"s/all": {"open": "KL"}}', r"is damaged \(s/all\.open: input should be a valid list"),
        ("timing.json", '{"seconds": "soon"}', r"timing\.json of study .* is damaged \(seconds: input should"),
        ("timing.json", "{", r"timing\.json of study .* is damaged"),
        ("runs/KL/alva----boro/seed-0/metrics.json", "{}", r"metrics\.json of run .*seed-0 is damaged"),
        ("runs/KL/alva----boro/seed-0/metrics.json", '{"classes": ["a", "b"]}', "has no UAR of test items; remove"),
        ("runs/KL/alva----boro/seed-0/predictions.parquet", "x", r"predictions\.parquet of run .*seed-0 is damaged"),
    ],
)  # fmt: skip
def test_damaged_files_are_named(make_study, name, text, message):
    folder = make_study(TWO, seeds=1, items=20)
    (folder / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_all(folder)


def test_predictions_of_another_width(make_study):
    folder = make_study(TWO, seeds=1, items=20)
    path = folder / "runs/CE/alva----boro/seed-0/metrics.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps({**metrics, "classes": ["a", "b", "c"]}))
    with pytest.raises(InputError, match="rows of 2 entries for 3 classes"):
        open_study(folder).judged("CE", "alva -> boro")


def test_what_is_no_study(tmp_path):
    with pytest.raises(InputError, match=r"it has no study\.toml"):
        open_study(tmp_path)
    with pytest.raises(InputError, match="there is no study folder"):
        open_study(tmp_path / "x")


def test_how_many_settings_each_recipe_had_to_choose_from(make_study):
    results = open_study(make_study(TWO, seeds=1, items=20))
    assert (results.chooser, results.shared_settings, results.own_settings) == (None, 1, {"CE": 1, "KL": 1})
    # What was tried counts, whatever the plan says by now.
    grid = {"recipe": "CE", "values": {"training.weight_decay": [0.0]}}
    folder = make_study(TWO, seeds=1, items=20, grid=grid, own={"KL": {"terms.1.weight": [1.0]}})
    (folder / "selection.json").write_text(json.dumps({"alva -> boro/all": chosen()}))
    results = open_study(folder)
    assert (results.chooser, results.shared_settings, results.own_settings) == ("CE", 2, {"CE": 2, "KL": 3})


def chosen(**change):
    """What is recorded of a choice."""
    tried = [("CE", "shared", "wd", 0.0), ("CE", "shared", "wd", 0.1)]
    tried += [("CE", "own", "rate", value) for value in (1, 2)] + [
        ("KL", "own", "weight", value) for value in (1, 2, 3)
    ]
    return {
        "shared": {"set": {"wd": 0.1}, "epoch": 2},
        "own": {"CE": {"rate": 1}, "KL": {"weight": 3}},
        "tried": [{"recipe": name, "stage": stage, "set": {key: value}} for name, stage, key, value in tried],
        "curve": [0.5, 0.6],
    } | change


def test_runs_that_wait_for_a_choice_are_missing(make_study):
    """Of a split with folds none counts as long as one fold waits, and only those of the recipe that does."""
    folder = make_study(TWO, ("a/b", "folds"), 2, folds=2, items=20)
    kept = {"own": {"CE": {"rate": 1}}, "open": ["KL"]}
    record = {
        "a/b/fold-00": chosen(),
        "a/b/fold-01": chosen(),
        "folds/fold-00": chosen(),
        "folds/fold-01": chosen(**kept),
    }
    (folder / "selection.json").write_text(json.dumps(record))
    results = open_study(folder)
    assert results.open == {("KL", "folds")}
    waiting = [("KL", "folds", "waits for a choice")] * 2
    assert list(zip(results.missing["recipe"], results.missing["split"], results.missing["state"])) == waiting
    assert len(results.runs) == 6
    assert results.judged("KL", "folds") == []
    assert results.example("folds", "KL") is None
    assert not results.finished


def test_versions_that_differ_are_told_with_their_recipes(make_study):
    folder = make_study(TWO, seeds=2, items=20)
    assert open_study(folder).versions == {}
    path = folder / "runs/KL/alva----boro/seed-1/environment.txt"
    path.write_text("affectspace 0.1.0\ntorch 2.14.0\nresumed with\ntorch 2.15.0\n")
    assert open_study(folder).versions == {"torch": {"2.13.0": ("CE", "KL"), "2.14.0": ("KL",), "2.15.0": ("KL",)}}
