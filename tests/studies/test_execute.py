"""Whole studies on tiny corpora: whatever cuts them off, they end with the bytes of one that nothing disturbed."""

import copy
import errno
import itertools
import json
import os
import re
import select
import shutil
import signal
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest
import torch

from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError
from affectspace.files import held
from affectspace.metrics import scores
from affectspace.studies import execute, open_study
from affectspace.studies import pool as pool_module
from affectspace.studies.execute import run_study
from affectspace.studies.job import Answer
from affectspace.studies.outcome import FullDisk
from affectspace.studies.pool import Pool
from affectspace.studies.status import no_longer_planned
from affectspace.studies.worker import perform
from affectspace.training.dotted import put
from affectspace.training.run import Run

STUDY = {
    "name": "tiny",
    "seeds": 2,
    "recipes": [
        {"name": "CE", "path": "recipe.toml"},
        {
            "name": "KL", "path": "recipe.toml", "grid": {"terms.1.weight": [1.0, 10.0]},
            "set": {"terms": [{"kind": "cross_entropy"}, {"kind": "f_similarity"}]},
        },
    ],
    "splits": [{"name": "there"}],
    "grid": {"recipe": "CE", "values": {"training.weight_decay": [0.0, 0.1]}, "runs": 1, "epoch": True},
}  # fmt: skip
RECIPE = {"training.epochs": 3, "training.checkpoint_seconds": 0}
RUNS = 2 * 2 + 2 * 2 + 2 * 2  # values x inner sessions, the same for KL's own, recipes x seeds
COMPARED = {
    "metrics.json",
    "metrics.jsonl",
    "predictions.parquet",
    "model.safetensors",
    "recipe.toml",
    "selection.json",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    make_synthetic_world(root, ("alva", "boro"), speakers=4, items_per_speaker=8)
    return root


DYING = """
import os, signal
from importlib import import_module
from pathlib import Path
from affectspace.studies.worker import main
module = import_module("affectspace.training.train")
save = module.save_checkpoint
def dying(folder, *rest):
    saved = save(folder, *rest)
    if os.path.exists(MARKS):
        with open(MARKS, "a") as marks:
            marks.write(str(folder) + chr(10))
        if "CE-0/inner-1" in str(folder) and Path(MARKS).read_text().split().count(str(folder)) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return saved
module.save_checkpoint = dying
main()
"""


@pytest.fixture(scope="module")
def marks(tmp_path_factory):
    """A file in which, once it is there, processes note the folder of each checkpoint; the one at an inner run dies."""
    return tmp_path_factory.mktemp("marks") / "marks"


@pytest.fixture(scope="module", autouse=True)
def two(marks):
    """Two processes that all studies of this file share: starting one takes seconds."""
    code = f"MARKS = {str(marks)!r}\n{DYING}"
    with Pool(2) as processes, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_module, "START", [sys.executable, "-P", "-c", code])
        patch.setattr(execute, "Pool", lambda number: nullcontext(processes) if number == 2 else Pool(number))
        yield processes


@pytest.fixture(scope="module")
def write_study(lay_tiny):
    def write(folder: Path, world: Path, changes: dict | None = None, recipe: dict | None = None) -> Path:
        values = copy.deepcopy(STUDY)
        for key, value in (changes or {}).items():
            put(values, key, value)
        return lay_tiny(folder, values, world, RECIPE | (recipe or {}))

    return write


@pytest.fixture(scope="module")
def whole(world, two, write_study, tmp_path_factory):
    """The file and the folder of a study that nothing has disturbed; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    path = write_study(folder, world)
    outcome = run_study(path, folder / "out")
    assert (outcome.planned, outcome.finished, outcome.ran, outcome.exit_code) == (RUNS, RUNS, RUNS, 0)
    return path, folder / "out"


PLAIN = {"grid": None, "recipes.1.grid": {}}


@pytest.fixture(scope="module")
def trained_plain(world, two, write_study, tmp_path_factory):
    """The folder of a study without any choice; not to be changed."""
    folder = tmp_path_factory.mktemp("plain")
    assert run_study(write_study(folder, world, PLAIN), folder / "out").ran == 4
    return folder / "out"


@pytest.fixture
def plain(trained_plain, tmp_path):
    """A copy of it that may be changed."""
    return shutil.copytree(trained_plain, tmp_path / "out")


@pytest.fixture
def again(whole, tmp_path):
    """The same, as a copy that may be changed."""
    shutil.copytree(whole[1], tmp_path / "out")
    return shutil.copy(whole[0], tmp_path / "study.toml"), tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of everything that must not depend on how a study went; what was set aside is not part of it."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.name in COMPARED}
    return {str(name): path.read_bytes() for name, path in files.items() if name.parts[0] != "replaced"}


def moments(folder: Path) -> dict[Path, int]:
    """When each finished run was finished."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("metrics.json")}


# ---- undisturbed


def test_a_study_leaves_what_its_readers_expect(whole):
    results = open_study(whole[1])
    assert results.finished
    assert list(results.runs["folder"]) == [
        f"runs/{recipe}/there/seed-{seed}" for recipe in ("CE", "KL") for seed in (0, 1)
    ]
    entry = results.selection["there/all"]
    assert entry["shared"]["set"]["training.weight_decay"] in (0.0, 0.1)
    assert entry["own"]["KL"]["terms.1.weight"] in (1.0, 10.0)
    assert [(row["recipe"], row["runs"]) for row in entry["tried"]] == [("CE", 2), ("CE", 2), ("KL", 2), ("KL", 2)]
    assert len(entry["curve"]) == 3
    epoch = entry["shared"]["epoch"]
    assert entry["curve"][epoch - 1] == max(row["uar"] for row in entry["tried"][:2])
    assert set(results.runs["selected_epoch"]) == {epoch}
    assert results.timing["grid_seconds"] > 0 < results.timing["run_seconds"]
    for run in (whole[1] / "grid").rglob("metrics.json"):
        assert "test" not in json.loads(run.read_text()), "inner runs test nothing"
    final = json.loads((whole[1] / "runs/CE/there/seed-0/metrics.json").read_text())
    assert final["counts"]["validate"] == 0, "all training items train once the epoch is chosen"


def test_a_finished_study_trains_nothing(whole):
    before = moments(whole[1])
    outcome = run_study(*whole)
    assert (outcome.ran, outcome.finished, outcome.unplanned) == (0, RUNS, [])
    assert moments(whole[1]) == before


def test_labels_of_test_items_change_no_choice(whole, world, tmp_path, write_study):
    shutil.copytree(world, tmp_path / "other")
    ratings = pd.read_csv(tmp_path / "other/boro/ratings.csv")
    ratings["value"] = ratings["value"].replace({str(vote): str(6 - vote) for vote in range(1, 6)})
    ratings.to_csv(tmp_path / "other/boro/ratings.csv", index=False)
    outcome = run_study(write_study(tmp_path, tmp_path / "other"), tmp_path / "out")
    assert outcome.finished == RUNS
    assert (tmp_path / "out/selection.json").read_bytes() == (whole[1] / "selection.json").read_bytes()
    runs = [open_study(folder).runs["jensen_shannon"].tolist() for folder in (whole[1], tmp_path / "out")]
    assert runs[0] != runs[1], "the labels did change"
    tried = open_study(whole[1]).selection["there/all"]
    assert len(set(tried["curve"])) > 1, "there was something to choose between"


def test_every_fold_chooses_for_itself_and_their_answers_are_pooled(world, tmp_path, write_study):
    changes = {
        "seeds": [4], "splits": None, "recipes": [{"name": "CE", "path": "recipe.toml"}],
        "grid": {"recipe": "CE", "epoch": True, "runs": 1},
    }  # fmt: skip
    protocol = {"kind": "leave_one_out", "by": "session", "validate_groups": 1, "allow": ["script"]}
    path = write_study(tmp_path, world, changes, {"protocol": protocol, "training.epochs": 2})
    outcome = run_study(path, tmp_path / "out")
    folds, inner = 4, 3  # two corpora of two sessions; three are left to choose on
    assert (outcome.planned, outcome.finished) == (folds * inner + folds, folds * inner + folds)
    results = open_study(tmp_path / "out")
    assert results.splits == ("leave one session out",)
    assert sorted(results.selection) == [f"leave one session out/fold-0{fold}" for fold in range(folds)]
    chosen = [results.selection[name]["shared"]["epoch"] for name in sorted(results.selection)]
    assert results.runs["selected_epoch"].tolist() == [chosen]
    assert results.judged("CE", "leave one session out")[0].items == 64


# ---- cut off


class Forked:
    """Another process that does something; what this one has imported, which takes seconds, it has as well."""

    def __init__(self, work):
        self.stderr, theirs = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.dup2(theirs, 2)  # so that its own processes hold it, too
            try:
                work()
                os._exit(0)
            except BaseException:
                os.write(2, traceback.format_exc().encode())
                os._exit(1)
        os.close(theirs)

    def ended(self) -> tuple[int, str]:
        """How it has, and what was told on stderr, once the last of its own processes has ended, too."""
        told = b""
        while select.select([self.stderr], [], [], 120)[0]:
            if not (some := os.read(self.stderr, 1 << 16)):
                os.close(self.stderr)
                return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1]), told.decode()
            told += some
        raise TimeoutError(told.decode())


def test_a_killed_study_goes_on_and_ends_with_the_same_bytes(whole, tmp_path):
    def work():
        told, due = itertools.count(1), execute.Clock.due

        def killing(clock):
            if next(told) == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return due(clock)

        execute.Clock.due = killing
        run_study(whole[0], tmp_path / "out", processes=1)

    code, told = Forked(work).ended()
    assert code == -signal.SIGKILL, told
    before = moments(tmp_path / "out")
    assert len(before) >= 5
    outcome = run_study(whole[0], tmp_path / "out")
    assert outcome.ran == RUNS - len(before)
    assert {path: moments(tmp_path / "out")[path] for path in before} == before, "finished runs stay as they were"
    assert contents(tmp_path / "out") == contents(whole[1])


def test_the_run_of_a_killed_process_is_resumed_by_another(whole, marks, tmp_path):
    marks.touch()
    try:
        outcome = run_study(whole[0], tmp_path / "out")
        saved = marks.read_text().split()
    finally:
        marks.unlink()
    assert (outcome.ran, outcome.failures) == (RUNS, [])
    assert outcome.taken_up == [tmp_path / "out/grid/there/CE-0/inner-1/seed-0"]
    assert contents(tmp_path / "out") == contents(whole[1])
    epoch = json.loads((whole[1] / "selection.json").read_text())["there/all"]["shared"]["epoch"]
    inner = [folder for folder in saved if "inner-1" in folder]
    assert len(inner) == 2 * 3 + 2 * epoch, "no epoch is trained again once it is saved"


# ---- faults


def test_a_run_that_diverges_does_not_stop_the_others(world, tmp_path, write_study):
    bad = {"name": "BAD", "path": "recipe.toml", "set": {"terms.0.weight": 1e39}}
    path = write_study(tmp_path, world, {"recipes": [bad, {"name": "CE", "path": "recipe.toml"}], "grid": None})
    outcome = run_study(path, tmp_path / "out")
    assert (outcome.planned, outcome.finished, outcome.exit_code) == (4, 2, 3)
    assert [str(failure.folder) for failure in outcome.failures] == ["runs/BAD/there/seed-0", "runs/BAD/there/seed-1"]
    assert "the loss is not finite in epoch 1, step 1" in outcome.failures[0].error
    assert open_study(tmp_path / "out").runs["recipe"].tolist() == ["CE", "CE"]


def test_a_run_that_another_has_finished_meanwhile_has_not_failed(world, tmp_path, monkeypatch, write_study, here):
    class Late(here):
        def run(self, jobs, tell):
            tell(jobs[0], Answer(error="another process has taken up the run", code=1))
            super().run(jobs, lambda job, answer: job == jobs[0] or tell(job, answer))

    monkeypatch.setattr(execute, "Pool", Late)
    outcome = run_study(write_study(tmp_path, world, PLAIN), tmp_path / "out")
    assert (outcome.planned, outcome.finished, outcome.failures, outcome.exit_code) == (4, 4, [], 0)


def test_settings_that_diverge_are_not_chosen_and_not_tried_again(world, tmp_path, write_study):
    change = {"grid.values": {"terms.0.weight": [1e39, 1.0]}, "recipes.1.grid": {}}
    path = write_study(tmp_path, world, change)
    outcome = run_study(path, tmp_path / "out")
    assert (outcome.planned, outcome.finished, outcome.ran) == (8, 8, 6), "of the grid two, and the final ones"
    assert (outcome.failures, outcome.blocked, outcome.exit_code) == ([], [], 0)
    diverged = [Path(f"grid/there/CE-0/inner-{group}/seed-0") for group in (0, 1)]
    assert outcome.diverged == diverged
    entry = open_study(tmp_path / "out").selection["there/all"]
    assert entry["shared"]["set"] == {"terms.0.weight": 1.0}
    assert [(row["uar"], row["epoch"], row.get("diverged")) for row in entry["tried"][:1]] == [(None, None, 2)]
    again = run_study(path, tmp_path / "out")
    assert (again.ran, again.finished, again.diverged, again.exit_code) == (0, 8, diverged, 0)


def test_where_all_settings_diverge_nothing_is_chosen(world, tmp_path, write_study):
    change = {"grid.values": {"terms.0.weight": [1e38, 1e39]}, "recipes.1.grid": {}}
    path = write_study(tmp_path, world, change)
    for ran in range(2):
        outcome = run_study(path, tmp_path / "out")
        assert (outcome.planned, outcome.finished, outcome.ran, len(outcome.diverged)) == (8, 4, 0, 4), ran
        assert outcome.blocked == ["CE, KL on split 'there'"]
        assert outcome.exit_code == 3
    assert not (tmp_path / "out/runs").exists()


def test_a_finished_study_whose_choice_is_open_again_is_not_finished(again, world, monkeypatch, write_study, here):
    class Failing(here):
        def run(self, jobs, tell):
            failing = [job for job in jobs if "CE-2" in job.folder.parts]  # the value that is added
            for job in failing:
                tell(job, Answer(error="no such device", code=1))
            super().run([job for job in jobs if job not in failing], tell)

    path, folder = again
    values = {"grid.values": {"training.weight_decay": [0.0, 0.1, 1e-9]}}
    path = write_study(path.parent, world, values)
    monkeypatch.setattr(execute, "Pool", Failing)
    outcome = run_study(path, folder)
    assert (len(outcome.failures), outcome.blocked) == (2, ["CE, KL on split 'there'"])
    results = open_study(folder)
    nothing = {"shared": {"set": {}, "epoch": None}, "own": {}, "tried": [], "curve": [], "open": ["CE", "KL"]}
    assert results.selection == {"there/all": nothing}
    assert (results.finished, len(results.runs), len(results.curves)) == (False, 0, 0)
    assert results.missing["state"].tolist() == ["waits for a choice"] * 4

    class Killed(here):
        def run(self, jobs, tell):
            raise KeyboardInterrupt

    (folder / "selection.json").unlink()
    monkeypatch.setattr(execute, "Pool", Killed)
    with pytest.raises(KeyboardInterrupt):
        run_study(path, folder)
    assert open_study(folder).selection == {"there/all": nothing}, "recorded before anything is trained"

    monkeypatch.setattr(execute, "Pool", here)
    assert run_study(path, folder).ran == 2
    results = open_study(folder)
    assert (results.finished, results.shared_settings, results.own_settings) == (True, 3, {"CE": 1, "KL": 2})
    assert "open" not in results.selection["there/all"]


def test_what_was_chosen_is_forgotten_with_the_grid(again, world, write_study):
    path, folder = again
    outcome = run_study(write_study(path.parent, world, PLAIN | {"seeds": 1}), folder, replace=True)
    assert (outcome.ran, outcome.replaced) == (2, 2)
    assert not (folder / "selection.json").exists()


def test_splits_that_the_data_cannot_fill_are_told_before_anything_is_trained(world, tmp_path, write_study):
    splits = [{"name": "there"}, {"name": "far", "set": {"protocol.test": ["cirin"]}}]
    path = write_study(tmp_path, world, {"splits": splits})
    with pytest.raises(InputError) as caught:
        run_study(path, tmp_path / "out")
    assert str(caught.value).startswith(
        f"{path}: recipe 'CE' on split 'far' (and 1 other): there is no corpus 'cirin'; legal: "
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_stops_the_study_with_a_sentence(world, tmp_path, monkeypatch, code, write_study):
    class Full(Pool):
        def run(self, jobs, tell):
            def cache(*_):
                raise OSError(code, os.strerror(code), "some/file")

            monkeypatch.setattr("affectspace.studies.progress.write_json", cache)
            tell(jobs[0], Answer(**perform(jobs[0].asked, cache)))

    monkeypatch.setattr(execute, "Pool", Full)
    with pytest.raises(FullDisk, match=r"some/file: .*; free some space, then the same command goes on"):
        run_study(write_study(tmp_path, world, {"grid": None}), tmp_path / "out")


def test_one_study_at_a_time_in_a_folder(whole):
    with held(whole[1], "in use"), pytest.raises(InputError, match="another process is at work on the study in"):
        run_study(*whole)


def test_two_commands_at_once_do_not_get_into_each_others_way(world, tmp_path, write_study, here):
    path, out = write_study(tmp_path, world, PLAIN | {"seeds": 1}), tmp_path / "out"
    run_study(path, tmp_path / "alone")
    (begun, begins), (refused, refuses) = os.pipe(), os.pipe()

    class Waiting(here):
        def run(self, jobs, tell):
            os.write(begins, b".")
            os.read(refused, 1)  # it is at work until the other has been refused
            super().run(jobs, tell)

    def work():
        os.close(refuses)
        execute.Pool = Waiting
        run_study(path, out)

    first = Forked(work)
    os.close(begins)  # so that reading ends where the first does
    os.close(refused)
    try:
        assert os.read(begun, 1) == b".", first.ended()
        (out / ".half.partial").touch()
        with pytest.raises(InputError, match=r"another process is at work on the study in .*/out; wait for it, or cho"):
            run_study(path, out)
        assert (out / ".half.partial").is_file(), "what the first may be writing is not swept"
    finally:
        os.close(begun)
        os.close(refuses)  # the first goes on
    code, told = first.ended()
    assert code == 0, told
    assert contents(out) == contents(tmp_path / "alone")


def test_a_damaged_list_of_points_is_told(whole, again):
    (again[1] / "grid/points.json").write_text('{"CE": [1')
    with pytest.raises(InputError, match=r"grid/points\.json, which numbers the settings .* move .*/grid away"):
        run_study(whole[0], again[1])


def test_a_folder_of_something_else(whole, tmp_path):
    with pytest.raises(InputError, match="holds a run; choose another folder with --out"):
        run_study(whole[0], whole[1] / "runs/CE/there/seed-0")
    (tmp_path / "study.toml").write_text('name = "theirs"')
    with pytest.raises(InputError, match="holds the study 'theirs', not 'tiny'; choose another folder with --out"):
        run_study(whole[0], tmp_path)
    with pytest.raises(InputError, match="--processes is 0; at least 1 is needed"):
        run_study(whole[0], tmp_path / "out", processes=0)


@pytest.mark.parametrize("name", ["theirs", "tiny"])
def test_what_another_call_does_while_the_data_are_opened_is_seen(
    world, tmp_path, monkeypatch, write_study, here, name
):
    def open_data(*given, **how):
        (tmp_path / "out").mkdir()
        (tmp_path / "out/study.toml").write_text(f'name = "{name}"')
        (tmp_path / "out/timing.json").write_text('{"seconds": 1000.0}')
        return real(*given, **how)

    real = execute.open_data
    monkeypatch.setattr(execute, "open_data", open_data)
    monkeypatch.setattr(execute, "Pool", here)
    path = write_study(tmp_path, world, PLAIN | {"seeds": 1})
    if name == "theirs":
        with pytest.raises(InputError, match="holds the study 'theirs', not 'tiny'; choose another folder"):
            run_study(path, tmp_path / "out")
        return
    run_study(path, tmp_path / "out")
    assert json.loads((tmp_path / "out/timing.json").read_text())["seconds"] > 1000, "of all calls"


# ---- foreseen


class Foreseen(Pool):
    """A run takes a second and half a second an epoch; nothing else is trained."""

    def run(self, jobs, tell):
        for job in jobs:
            if not job.scratch:
                raise KeyboardInterrupt
            tell(job, Answer(seconds=1.0 + 0.5 * job.recipe.training.epochs))


@pytest.mark.parametrize(("curves", "about"), [(False, "at most"), (True, "about")])
def test_how_long_it_will_take_is_told_before_it_begins(
    world, tmp_path, monkeypatch, capsys, curves, about, write_study
):
    monkeypatch.setattr(execute, "Pool", Foreseen)
    monkeypatch.setattr(execute.Clock, "seconds", 0.0)  # what a busy machine takes to begin is told too
    path = write_study(tmp_path, world, {"seeds": 100}, {"monitor": {"test_curve": curves}})
    with pytest.raises(KeyboardInterrupt):
        run_study(path, tmp_path / "out", quiet=False)
    runs, seconds = 2 * 2 + 2 * 2 + 2 * 100, 1 + 0.5 * 3
    told = f"208 runs (8 grid, 200 final): {about} {runs * seconds / 2 / 60:.1f} min on 2 processes"
    assert capsys.readouterr().err.splitlines() == ["opening the data ...", told]
    predicted = json.loads((tmp_path / "out/timing.json").read_text())["predicted_seconds"]
    assert predicted == pytest.approx(runs * seconds / 2, rel=0.1)


def test_what_a_small_study_takes_is_told_by_its_first_runs(world, tmp_path, monkeypatch, capsys, write_study):
    class Slow(Pool):
        def run(self, jobs, tell):
            for job in jobs[:2]:  # one by each process
                tell(job, Answer(seconds=3.0))
            raise KeyboardInterrupt

    monkeypatch.setattr(execute, "Pool", Slow)
    monkeypatch.setattr(execute.Clock, "due", lambda clock: False)
    with pytest.raises(KeyboardInterrupt):
        run_study(write_study(tmp_path, world, PLAIN), tmp_path / "out", quiet=False)
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "4 runs on 2 processes; how long they take is told after the first of them",
        "judging by the first, about 3 s are left",
    ]  # fmt: skip


def test_where_there_is_no_terminal_a_line_tells_now_and_then(world, tmp_path, monkeypatch, capsys, write_study, here):
    monkeypatch.setattr(execute, "Pool", here)
    monkeypatch.setattr("affectspace.features.lines.FIRST", 0.0)
    monkeypatch.setattr("affectspace.features.lines.EVERY", 0.0)
    run_study(write_study(tmp_path, world, PLAIN), tmp_path / "out", quiet=False)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines if " done" in line] == [f"{n} of 4 runs done" for n in (1, 2, 3, 4)]
    assert re.search(", about [0-9]+ s left$", lines[-1])
    assert run_study(tmp_path / "study.toml", tmp_path / "out", quiet=False).ran == 0
    assert capsys.readouterr().err.splitlines() == ["opening the data ..."]


def test_what_is_told_and_what_is_kept_are_of_the_whole_call(world, plain, tmp_path, monkeypatch, capsys, write_study):
    """Finished runs tell what others cost; opening is measured on the way, and what has gone by belongs to it."""

    class Slow(Pool):
        def run(self, jobs, tell):
            if not all(job.only_open for job in jobs):
                raise KeyboardInterrupt
            for job in jobs:
                tell(job, Answer(seconds=0.0, data_seconds=20.0, new_items=True))

    monkeypatch.setattr(execute, "Pool", Slow)
    for timing in (plain / "runs").rglob("timing.json"):
        timing.write_text('{"seconds": 9.0}')
    write_study(tmp_path, world, PLAIN | {"seeds": 4})
    before = json.loads((tmp_path / "out/timing.json").read_text())["seconds"]
    monkeypatch.setattr(execute.Clock, "seconds", property(lambda clock: 200.0))
    with pytest.raises(KeyboardInterrupt):
        run_study(tmp_path / "study.toml", tmp_path / "out", processes=1, quiet=False)
    told = capsys.readouterr().err.splitlines()[-1]
    seconds = 200 + 20 + 4 * 9  # this pool holds nothing of what it has opened, so that it opens it again
    assert told == f"8 runs (4 already finished): about {seconds / 60:.1f} min on 1 process"
    kept = json.loads((tmp_path / "out/timing.json").read_text())["predicted_seconds"]
    assert kept == pytest.approx(before + seconds, abs=0.01)


# ---- a choice that is added


def test_final_runs_that_no_choice_can_save_are_refused_before_a_grid_is_trained(world, plain, tmp_path, write_study):
    before = contents(plain)
    # None of these has a choice by which the runs would be those that are there.
    for grid, told in (
        ({"recipe": "CE", "epoch": True, "runs": 1}, "protocol.validate_share was 0.2, is 0.0"),
        ({"recipe": "CE", "values": {"training.weight_decay": [0.1]}}, "training.weight_decay was 0.0, is 0.1"),
        ({"recipe": "CE", "values": {"training.batch_size": [4, 5]}}, "training.batch_size was 8, is 4"),
    ):
        path = write_study(tmp_path, world, PLAIN | {"grid": grid})
        with pytest.raises(InputError, match=rf"0 still hold, and 4 do not; in runs/CE/there/seed-0: {told}"):
            run_study(path, plain)
        assert contents(plain) == before, "nothing is trained"
    # And where other things have changed beside, these count.
    grid = {"recipe": "CE", "values": {"training.weight_decay": [0.0, 0.1]}, "runs": 1}
    path = write_study(tmp_path, world, PLAIN | {"grid": grid}, {"training.learning_rate": 0.03})
    with pytest.raises(InputError, match=r"0 still hold, and 4 do not; .*: training.learning_rate was 0.02, is 0.03"):
        run_study(path, plain)
    assert not (plain / "grid").exists()


def test_final_runs_that_may_hold_are_told_apart_from_those_that_do(world, plain, tmp_path, capsys, write_study):
    before = moments(plain)
    grid = {"recipe": "CE", "values": {"training.weight_decay": [0.0, 1e-9]}, "runs": 1}
    outcome = run_study(write_study(tmp_path, world, PLAIN | {"grid": grid}), plain, quiet=False)
    assert (outcome.planned, outcome.ran) == (8, 4), "of equals the first is chosen, by which they were trained"
    assert {place: moments(plain)[place] for place in before} == before
    told = capsys.readouterr().err
    assert "\n8 runs (4 grid, 4 final; 4 finished that may not hold once settings are chosen)" in told
    assert "\nwhere the choice does not suit them --replace will be asked for; runs of the grid stay\n" in told


def test_a_choice_of_the_epoch_that_is_there_is_one_that_may_hold(again, whole, world, monkeypatch, write_study, here):
    """The choice is to be made anew, and the final runs keep an epoch that may be chosen again."""
    path, folder = again
    path = write_study(path.parent, world)
    shutil.rmtree(folder / "grid/there")
    before = moments(folder)
    monkeypatch.setattr(execute, "Pool", here)
    outcome = run_study(path, folder)
    assert (outcome.finished, outcome.ran) == (RUNS, 8)
    assert {place: moments(folder)[place] for place in before} == before
    assert contents(folder) == contents(whole[1]), "one after another, which makes no difference either"
    shutil.rmtree(folder / "grid/there")
    path = write_study(path.parent, world, recipe={"training.batch_size": 7})
    with pytest.raises(InputError, match=r"0 still hold, and 4 do not; .*: training.batch_size was 8, is 7"):
        run_study(path, folder)


def test_an_epoch_that_only_inner_runs_of_own_grids_keep_may_be_chosen_again(
    world, tmp_path, monkeypatch, write_study, here
):
    """The study ends before any final run keeps it, and then the choice is to be made anew."""

    class Ending(here):
        def run(self, jobs, tell):
            if any("runs" in job.folder.parts for job in jobs):
                raise KeyboardInterrupt
            super().run(jobs, tell)

    monkeypatch.setattr(execute, "Pool", Ending)
    # A rate at which nothing is learned: of equal epochs the first is chosen.
    still = {"training.learning_rate": 1e-12}
    with pytest.raises(KeyboardInterrupt):
        run_study(write_study(tmp_path, world, recipe=still), tmp_path / "out")
    assert open_study(tmp_path / "out").selection["there/all"]["shared"]["epoch"] == 1
    before = moments(tmp_path / "out")
    monkeypatch.setattr(execute, "Pool", here)
    values = {"grid.values": {"training.weight_decay": [0.0, 0.1, 1e-9]}}
    outcome = run_study(write_study(tmp_path, world, values, still), tmp_path / "out")
    assert (outcome.finished, outcome.ran) == (RUNS + 2, 2 + 4), "inner runs of the new value, and the final ones"
    assert {place: moments(tmp_path / "out")[place] for place in before} == before


# ---- changed


def test_a_study_of_one_fold_that_was_begun_under_the_name_of_all_goes_on(world, tmp_path, capsys, write_study):
    fold = {"kind": "grouped_folds", "by": "session", "folds": 3, "fold": 0, "allow": ["script", "speaker"]}
    changes = {"splits": None, "grid": None, "seeds": 1, "recipes": [{"name": "CE", "path": "recipe.toml"}]}
    path = write_study(tmp_path, world, changes, {"protocol": fold})
    folder = tmp_path / "out"
    assert run_study(path, folder).finished == 1
    [run] = open_study(folder).runs.to_dict("records")
    assert (run["split"], run["folder"]) == ("fold 1 of 3 by session", "runs/CE/fold-1-of-3-by-session/seed-0")
    assert open_study(folder).example(run["split"]).metrics["protocol"] == run["split"]
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace("fold 1 of 3 by session", "3 folds by session"))
    (folder / "runs/CE/fold-1-of-3-by-session").rename(folder / "runs/CE/3-folds-by-session")
    capsys.readouterr()
    outcome = run_study(path, folder, quiet=False)
    assert (outcome.ran, outcome.finished, outcome.unplanned) == (0, 1, [])
    assert "the split 'fold 1 of 3 by session' keeps the name that it was begun with" in capsys.readouterr().err
    assert open_study(folder).splits == ("3 folds by session",)


def test_added_seeds_recipes_and_values_just_add_runs(again, world, write_study):
    path, folder = again
    before = moments(folder)
    values = {"seeds": [0, 1, 5], "grid.values": {"training.weight_decay": [0.0, 1e-9, 0.1]}}
    outcome = run_study(write_study(path.parent, world, values), folder)
    assert (outcome.ran, outcome.planned) == (2 + 2, RUNS + 2 + 2), "two inner runs of the new value, two of the seed"
    assert {place: moments(folder)[place] for place in before} == before
    assert open_study(folder).seeds == (0, 1, 5)


def test_a_fusion_that_is_added_trains_nothing(again, world, write_study):
    path, folder = again
    before = moments(folder)
    fused = {"recipes": [{"name": "both", "fuses": ["CE", "KL"]}, *STUDY["recipes"]], "baseline": "CE"}
    outcome = run_study(write_study(path.parent, world, fused), folder)
    assert (outcome.ran, outcome.planned, outcome.finished, outcome.unplanned) == (0, RUNS, RUNS, [])
    assert moments(folder) == before
    results = open_study(folder)
    assert results.finished
    assert list(results.runs["recipe"]) == ["both", "both", "CE", "CE", "KL", "KL"]
    for seed, judged in enumerate(results.judged("both", "there")):
        one, other = (Run(results.run_folder(name, "there", seed)).evaluated("test") for name in ("CE", "KL"))
        said = scores(one.targets, (one.probabilities + other.probabilities) / 2)
        assert results.runs["uar"][seed] == pytest.approx(said["uar"])
        assert judged.digest == results.judged("CE", "there")[seed].digest
    (folder / "runs/KL/there/seed-1/metrics.json").unlink()
    assert open_study(folder).missing[["recipe", "seed", "state"]].to_numpy().tolist() == [
        ["both", 1, "waits for KL"],
        ["KL", 1, "3 epochs done"],
    ]


def test_runs_that_are_no_longer_planned_stay_and_are_told(again, world, write_study):
    path, folder = again
    outcome = run_study(write_study(path.parent, world, {"seeds": [1]}), folder)
    assert outcome.ran == 0
    assert outcome.unplanned == [Path("runs/CE/there/seed-0"), Path("runs/KL/there/seed-0")]
    assert open_study(folder).runs["seed"].tolist() == [1, 1]


def test_an_attempt_at_a_run_is_none_that_is_no_longer_planned(tmp_path):
    for name in ("seed-0", f".seed-1.{1:016x}.claimed", f".seed-1.{1:016x}.removed"):
        (tmp_path / "runs/CE/there" / name).mkdir(parents=True)
        (tmp_path / "runs/CE/there" / name / "recipe.toml").touch()
    assert no_longer_planned(tmp_path, []) == [Path("runs/CE/there/seed-0")]


def test_runs_of_another_recipe_are_refused_then_replaced_and_never_removed(again, world, write_study):
    path, folder = again
    weights = [{"kind": "cross_entropy", "class_weights": False}, {"kind": "f_similarity"}]
    path = write_study(path.parent, world, {"recipes.1.set": {"terms": weights}})
    before = contents(folder)
    with pytest.raises(InputError) as caught:
        run_study(path, folder)
    assert str(caught.value) == (
        f"the study has changed since {folder} was begun: of the runs there 6 still hold, and 6 do not; in "
        "grid/there/KL-0/inner-0/seed-0: terms.0.class_weights was true, is false. Choose a new folder with --out, or "
        f"train what does not hold anew with --replace, which keeps the old runs in {folder / 'replaced'}"
    )
    assert contents(folder) == before
    outcome = run_study(path, folder, replace=True)
    assert (outcome.finished, outcome.ran, outcome.replaced) == (RUNS, 6, 6), "KL's own grid and its final runs"
    after = contents(folder)
    kept = {name for name in before if "CE" in name}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    aside = {name: data for place in (folder / "replaced").iterdir() for name, data in contents(place).items()}
    assert aside == {name: data for name, data in before.items() if "KL" in name}


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it is there")
def test_a_device_that_is_not_there_is_refused_before_anything_is_trained(world, tmp_path, write_study):
    study = write_study(tmp_path, world, recipe={"training.device": "cuda"})
    with pytest.raises(InputError, match=r"training\.device is 'cuda', and this machine has none; legal"):
        run_study(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["report.html", "study.toml", "runs", "manifest.json"])
def test_a_folder_with_files_of_something_else_is_left_as_it_is(whole, tmp_path, name):
    (tmp_path / "out").mkdir()
    if name == "runs":
        (tmp_path / "out/runs/mine").mkdir(parents=True)
    else:
        (tmp_path / "out" / name).write_text('name = "tiny"  # mine')
    before = {path: path.is_file() and path.read_bytes() for path in (tmp_path / "out").rglob("*")}
    with pytest.raises(InputError, match=rf"/out is there already, and holds {name}, which is of no study"):
        run_study(whole[0], tmp_path / "out")
    assert {path: path.is_file() and path.read_bytes() for path in (tmp_path / "out").rglob("*")} == before


def test_a_study_that_was_killed_as_it_began_goes_on(whole, tmp_path):
    (tmp_path / "out").mkdir()
    shutil.copy(whole[1] / "study.toml", tmp_path / "out")
    assert run_study(whole[0], tmp_path / "out").finished == RUNS
