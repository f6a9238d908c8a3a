"""What is told of a run, by its folder."""

import shutil

import pytest

from affectspace.errors import InputError
from affectspace.files import write_json
from affectspace.trackers import read_record
from affectspace.trackers.find import run_folders, run_name
from affectspace.training import make_recipe, train_recipe


def test_a_finished_run(begin, final, equal):
    run = begin("runs/mine").epochs(1, 2, 3).finish()
    record = read_record(run.path)
    assert (record.name, record.state, record.selected, record.whole) == ("mine", "finished", 2, "")
    told = {(name, epoch): value for epoch, row in record.points.items() for name, value in row.items()}
    assert equal(told, run.points())
    assert equal(record.final, final)
    assert record.settings["terms.0.kind"] == "triplet"
    assert record.tags == {
        "recipe": "twopoles",
        "seed": "3",
        "protocol": "alva -> bôro",
        "corpora": "alva, bôro",
        "data.alva.sha256": "a" * 64,
        "data.alva.items_sha256": "b" * 64,
        "data.bôro.sha256": "c" * 64,
        "data.bôro.corrections_sha256": "d" * 64,
        "file.finder.onnx.sha256": "e" * 64,
    }
    assert [path.name for path in record.files] == ["recipe.toml", "environment.txt", "metrics.json"]


def test_a_run_that_is_not_finished_has_no_final_figures_and_may_end_with_half_a_line(begin):
    run = begin().epochs(1, 2)
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "lo')
    record = read_record(run.path)
    assert (list(record.points), record.final, record.state, record.files) == ([1, 2], {}, "running", ())
    write_json(run.path / "diverged/batch.json", {})
    assert read_record(run.path).state == "failed"


def test_an_epoch_that_is_told_twice_has_the_later_figures(begin):
    run = begin().epochs(1, 2, shift=0.5).epochs(2, 3)
    assert read_record(run.path).points[2]["loss/train"] == 0.25


def test_a_run_keeps_its_id_as_it_grows_and_another_recipe_or_folder_has_another(begin, monkeypatch):
    run = begin("a/mine")
    id = read_record(run.path).id
    monkeypatch.chdir(run.path)
    assert id == read_record(".").id == read_record(run.epochs(1).finish().path).id
    assert len({id, read_record(begin("b/mine").path).id}) == 2
    shutil.rmtree(run.path)
    assert read_record(begin("a/mine", seed=4).path).id != id


def test_the_runs_of_a_study_and_of_folds(begin, tmp_path):
    for name in ("s/runs/CE/one/seed-0", "s/runs/CE/two/seed-0/fold-00", "s/runs/CE/two/seed-0/fold-01", "s/grid/x"):
        begin(name)
    (tmp_path / "s/study.toml").touch()
    (tmp_path / "s/runs/again").symlink_to(tmp_path / "s")
    found = run_folders([tmp_path / "s", tmp_path])
    assert [run_name(path) for path in found] == [
        "s/CE/one/seed-0",
        "s/CE/two/seed-0",
        "s/CE/two/seed-0/fold-00",
        "s/CE/two/seed-0/fold-01",
    ]
    assert [run_name(path) for path in run_folders([tmp_path / "s/grid"])] == ["s/grid/x"]
    whole, first, _ = (read_record(path) for path in found[1:])
    assert (whole.whole, whole.points, first.whole) == ("", {}, whole.id)
    with pytest.raises(InputError, match=r"there is no run folder nowhere; affectspace train makes one"):
        run_folders(["nowhere"])


def test_a_run_of_folds_that_was_trained(lay_duo, tmp_path):
    recipe = lay_duo(tmp_path)
    recipe["protocol"]["fold"] = "all"
    recipe["training"]["epochs"] = 1
    run = train_recipe(make_recipe(recipe), tmp_path / "run", quiet=True)
    whole, *folds = (read_record(path) for path in run_folders([run.path]))
    assert [fold.name for fold in folds] == ["run/fold-00", "run/fold-01"]
    assert whole.final["final/test.uar"] == run.metrics["test"]["uar"]
    assert not [name for name in whole.final if "per_fold" in name]
    for fold, told in zip(run.folds, folds):
        assert told.final["final/test.uar"] == fold.metrics["test"]["uar"]
        assert told.points[1]["validate/uar"] == fold.epochs.loc[1, "validate.uar"]
    assert whole.settings["training.epochs"] == 1
