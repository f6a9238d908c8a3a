"""Studies as SLURM job arrays, by commands that stand in for SLURM's; benchmarks/study_on_slurm.py asks a real one."""

import copy
import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from affectspace.clusters import Slurm
from affectspace.corpora import make_synthetic_world
from affectspace.errors import AffectspaceError, InputError
from affectspace.files import held
from affectspace.studies import slurm_pool, slurm_queue
from affectspace.studies.board import Board
from affectspace.studies.claims import digests
from affectspace.studies.execute import run_study
from affectspace.studies.job import Job
from affectspace.studies.overview import overview
from affectspace.studies.progress import Clock
from affectspace.studies.slurm_pool import SlurmPool, refuse_no_slurm
from affectspace.studies.slurm_task import Task, answer_file
from affectspace.training.recipe_file import load_recipe

pytest.importorskip("submitit", reason='submitit is not installed; pip install "affectspace[slurm]"')

STUDY = {"name": "tiny", "seeds": 3, "recipes": [{"name": "CE", "path": "recipe.toml"}], "splits": [{"name": "there"}]}
CLOCKED = {"timing.json", "environment.txt", "report.html", ".lock"}
STAND_IN = Path(__file__).with_name("slurm_commands.py")
COMMANDS = ("sbatch", "srun", "squeue", "scancel", "sinfo")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of the stand-in, whose commands are found before any others."""
    place, commands = tmp_path / "slurm", tmp_path / "commands"
    place.mkdir()
    commands.mkdir()
    for name in COMMANDS:
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} {name} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN", str(place))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(each or os.getcwd() for each in sys.path))
    monkeypatch.setattr(slurm_pool, "ASK", 0.2)
    monkeypatch.setattr(slurm_pool, "LOOK", 0.05)
    monkeypatch.setattr(slurm_pool, "PATIENCE", 0.1)
    monkeypatch.setattr(slurm_queue, "ASK", 0.05)
    return place


@pytest.fixture(scope="module")
def study(lay_tiny, here, tmp_path_factory):
    """The file of a study, and the folder in which it was trained here."""
    from affectspace.studies import execute

    folder = tmp_path_factory.mktemp("study")
    make_synthetic_world(folder / "world", ("alva", "boro"), speakers=4, items_per_speaker=8)
    path = lay_tiny(folder / "asked", copy.deepcopy(STUDY), folder / "world", {"training.checkpoint_seconds": 0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "Pool", here)
        assert run_study(path, folder / "out").ran == 3
    return path, folder / "out"


def jobs(study, folder: Path, count: int) -> list[Job]:
    recipe = load_recipe(study[0].parent / "recipe.toml")
    return [Job(folder / "runs" / f"seed-{seed}", recipe.model_copy(update={"seed": seed})) for seed in range(count)]


def calls(slurm: Path) -> list[str]:
    """What SLURM was asked."""
    return (slurm / "calls").read_text().splitlines()


def name(slurm: Path, number: int) -> str:
    """Of an array."""
    return (slurm / f"array-{number}/name").read_text()


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every file of the runs but for times and checkpoints."""
    runs = sorted(path for path in (folder / "runs").rglob("*") if path.is_file() and path.name not in CLOCKED)
    return {str(path.relative_to(folder)): path.read_bytes() for path in runs if "checkpoints" not in path.parts}


def test_a_study_by_job_arrays_leaves_the_bytes_of_one_here_though_an_array_is_lost(
    slurm, study, tmp_path, monkeypatch
):
    monkeypatch.setattr(slurm_pool, "SHARE", 1)  # tasks that are few, as each imports torch
    (slurm / "ends-1").touch()
    outcome = run_study(study[0], tmp_path / "out", processes=2, on=Slurm())
    assert (outcome.planned, outcome.finished, outcome.ran, outcome.exit_code) == (3, 3, 3, 0)
    assert len(outcome.taken_up) == 3
    assert contents(tmp_path / "out") == contents(study[1])
    assert not list((tmp_path / "out").rglob(".*.claimed"))
    assert not (tmp_path / "out" / ".slurm").exists()
    script = (slurm / "array-2" / "script").read_text().splitlines()
    assert {"#SBATCH --array=0-1%2", "#SBATCH --cpus-per-task=1", "#SBATCH --time=1440"} <= {*script}


def test_a_job_whose_tasks_always_end_is_given_up_and_its_log_named(slurm, study, tmp_path):
    for number in (1, 2, 3):
        (slurm / f"ends-{number}").touch()
    told = []
    with SlurmPool(2, tmp_path, print) as pool:
        pool.run(jobs(study, tmp_path, 1), lambda job, answer: told.append((job.folder.name, answer.error)))
    [(name, error)] = told
    assert name == "seed-0"
    assert error.startswith(
        "its SLURM task ended 3 times without an answer, the last time NODE_FAIL, which its log in "
    )
    assert error.endswith(f" may explain; do all nodes see {tmp_path}, the data and this Python?")
    assert Path(error.partition("log in ")[2].partition(" may")[0]).parent.is_dir()


def test_an_interruption_takes_the_array_out_of_the_queue(slurm, study, tmp_path):
    def stop() -> None:
        if (slurm / "array-1/name").exists():
            raise KeyboardInterrupt

    pool = SlurmPool(1, tmp_path, print)
    pool.beat = stop
    with pool, pytest.raises(KeyboardInterrupt):
        pool.run(jobs(study, tmp_path, 3), print)
    assert f"scancel --name {name(slurm, 1)}" in calls(slurm)
    assert {path.read_text() for path in (slurm / "array-1").glob("state*")} == {"CANCELLED"}
    assert not (tmp_path / ".slurm").exists()


def test_how_it_stands_names_the_run_of_each_task_and_its_epochs(slurm, study, tmp_path):
    """Of two tasks of two runs each, one has done its first and is at the second, and the other opens its data."""
    asked = jobs(study, tmp_path, 4)
    pool = SlurmPool(2, tmp_path, print)
    work = asked[1].folder.with_name(f".seed-1.{1:016x}.claimed")
    board = Board(tmp_path, "SLURM", pool, Clock(tmp_path))
    (tmp_path / "study.toml").write_text("")

    def array(*_):
        (slurm / "array-1").mkdir()
        for task in (0, 1):
            (slurm / f"array-1/state_{task}").write_text("RUNNING")
        work.mkdir(parents=True)
        (work / "metrics.jsonl").write_text("{}\n{}\n")
        return [SimpleNamespace(job_id=f"1_{task}") for task in (0, 1)]

    def look():
        if not pool.at_work:
            return
        board._write("at work")
        with held(tmp_path, "busy"):
            found = overview(tmp_path)
        assert [(each.node, each.run, each.epoch) for each in found.processes] == [
            ("SLURM task 1_0", "runs/seed-1", 2), ("SLURM task 1_1", None, 0),
        ]  # fmt: skip
        raise KeyboardInterrupt

    pool._queue, pool.beat = array, look
    with patch.object(slurm_pool, "_chunks", lambda *_: [[0, 1], [2, 3]]), pytest.raises(KeyboardInterrupt):
        pool.run(asked, print)


def test_a_run_whose_files_are_seen_late_is_awaited_while_others_are_told(study, tmp_path, monkeypatch):
    """The second answers at once; the first run's files come to be seen when that has been told."""
    asked = jobs(study, tmp_path, 2)
    pool, told = SlurmPool(2, tmp_path, print), []
    source = next((study[1] / "runs").glob("*/*/seed-0"))
    files = digests(source)
    shutil.copytree(source, asked[1].folder)

    def array(noted, *_):
        for number in (0, 1):
            answer_file(noted.folder, number).write_text(json.dumps({"seconds": 1.0, "node": "ant", "files": files}))
        return [SimpleNamespace(job_id="1", paths=SimpleNamespace(stderr=""))]

    def tell(job, answer):
        told.append((job, answer.seconds))
        if len(told) == 1:
            shutil.copytree(source, asked[0].folder)

    monkeypatch.setattr(slurm_pool, "LOOK", 0.0)
    pool._queue = array
    pool.run(asked, tell)
    assert told == [(asked[1], 1.0), (asked[0], 1.0)]


# ---- a controller that does not answer


def test_while_slurm_does_not_answer_its_tasks_are_waited_for_and_no_second_array_is_queued(slurm, study, tmp_path):
    for number in (1, 2, 3):
        (slurm / f"ends-{number}").touch()
    (slurm / "silent").write_text("." * (2 * slurm_pool.UNKNOWN))
    said, told = [], []
    with SlurmPool(2, tmp_path, said.append) as pool:
        pool.run(jobs(study, tmp_path, 1), lambda *answer: told.append(answer))
    assert said == [
        "SLURM does not answer (slurm_load_jobs error: Unable to contact slurm controller (connect failure)); its "
        "tasks are waited for",
        "SLURM answers again",
    ]
    assert len(told) == 1
    asked = [call.split()[0] for call in calls(slurm)]
    first, second = [place for place, call in enumerate(asked) if call == "sbatch"][:2]
    assert asked[first + 1 : second].count("squeue") > 2 * slurm_pool.UNKNOWN
    assert f"scancel --name {name(slurm, 1)}" in calls(slurm)[first:second], "before there is another"
    assert len({name(slurm, number) for number in (1, 2, 3)}) == 3


def test_what_slurm_has_forgotten_has_ended(slurm):
    assert slurm_queue.task_states("7") == {}


@pytest.mark.parametrize("ends", ["by an interruption", "as a second array is refused"])
def test_an_array_that_may_be_at_work_is_noted_until_slurm_tells_that_it_is_not(slurm, study, tmp_path, ends):
    def stop():
        if ends == "by an interruption" and (slurm / "array-1/name").exists():
            (slurm / "silent").write_text("." * 100)
            raise KeyboardInterrupt
        (slurm / "refuse").write_text("sbatch: error: no")

    pool = SlurmPool(1, tmp_path, print)
    pool.beat = stop
    if ends == "as a second array is refused":
        (slurm / "ends-1").touch()
    with pool, pytest.raises((KeyboardInterrupt, InputError)):
        pool.run(jobs(study, tmp_path, 1), print)
    notes = list(tmp_path.glob(".slurm/*/array.json"))
    if ends == "as a second array is refused":
        assert notes == [], "the first was over before"
        return
    assert [json.loads(note.read_text()) for note in notes] == [{"name": name(slurm, 1)}]
    with pytest.raises(AffectspaceError) as fault:
        slurm_queue.end_left(tmp_path, print)
    assert str(fault.value) == (
        f"an earlier call has left the SLURM job {name(slurm, 1)} at work on {tmp_path}, and SLURM does not answer "
        "(slurm_load_jobs error: Unable to contact slurm controller (connect failure)); when it answers the same "
        f"command goes on; where that SLURM is no more, remove {notes[0].parent}"
    )
    with SlurmPool(1, tmp_path, print):
        pass
    assert notes[0].is_file()
    (slurm / "silent").unlink()
    slurm_queue.end_left(tmp_path, print)
    assert {path.read_text() for path in (slurm / "array-1").glob("state*")} == {"CANCELLED"}
    assert not (tmp_path / ".slurm").exists()


# ---- what a call that was killed has left


def test_who_trains_here_ends_what_a_killed_call_has_left_in_the_queue(slurm, study, tmp_path, monkeypatch, here):
    """Killed before it has heard from sbatch, with a name of the user's own in the environment."""
    out = tmp_path / "out"
    queue = SlurmPool._queue

    def killed(*given):
        queue(*given)
        os._exit(9)

    monkeypatch.setenv("SBATCH_JOB_NAME", "theirs")
    child = os.fork()
    if child == 0:
        SlurmPool._queue = killed
        SlurmPool(1, out, print).run(jobs(study, out, 1), print)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert name(slurm, 1) != os.environ["SBATCH_JOB_NAME"] == "theirs"
    monkeypatch.setattr("affectspace.studies.execute.Pool", here)
    assert run_study(study[0], out).finished == 3
    assert f"scancel --name {name(slurm, 1)}" in calls(slurm)
    assert {path.read_text() for path in (slurm / "array-1").glob("state*")} == {"CANCELLED"}
    assert not (out / ".slurm").exists()


def test_tasks_that_end_late_are_waited_for(slurm, tmp_path, monkeypatch):
    left = slurm_queue.Noted.new(tmp_path)
    (slurm / "array-1").mkdir()
    (slurm / "array-1/name").write_text(left.name)
    (slurm / "array-1/state_0").write_text("COMPLETING")
    said = []

    def say(sentence):
        said.append(sentence)
        (slurm / "array-1/state_0").write_text("CANCELLED")

    slurm_queue.end_left(tmp_path, say)
    assert said == [f"waiting for SLURM to end the job {left.name}, which an earlier call has left"]
    left = slurm_queue.Noted.new(tmp_path)
    (slurm / "array-1/name").write_text(left.name)
    (slurm / "array-1/state_0").write_text("COMPLETING")
    monkeypatch.setattr(slurm_queue, "LEFT", 0.0)
    with pytest.raises(AffectspaceError) as fault:
        slurm_queue.end_left(tmp_path, print)
    assert str(fault.value) == (
        f"SLURM does not end the job {left.name} that an earlier call has left at work on {tmp_path}; see squeue "
        f"--name {left.name}, and when it is over the same command goes on"
    )


def test_what_is_left_to_slurm_is_refused_where_there_is_no_scancel(study, tmp_path, monkeypatch):
    left = slurm_queue.Noted.new(tmp_path / "out")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as fault:
        run_study(study[0], tmp_path / "out")
    assert str(fault.value) == (
        f"an earlier call has left the SLURM job {left.name} at work on {tmp_path / 'out'}, and this machine has no "
        "scancel; call the study where jobs are submitted to SLURM, or end it there by: scancel --name "
        f"{left.name}, and remove {left.folder / 'array.json'} when it is over"
    )
    assert (left.folder / "array.json").is_file()


def test_a_task_that_has_lost_its_run_to_another_leaves_it_to_that_one_to_answer(tmp_path, monkeypatch):
    """As when SLURM takes a node for lost, and begins what it was doing anew."""
    said = {"error": "another process has taken up the run", "code": 1, "taken": True}
    monkeypatch.setattr("affectspace.studies.claimed.perform_claimed", lambda job, cache: said)
    (tmp_path / "task-0.json").write_text('[{"number": 0, "folder": "x"}]')
    Task(tmp_path / "task-0.json")()
    assert [path.name for path in tmp_path.iterdir()] == ["task-0.json"]


# ---- what is asked of SLURM


def test_a_refusal_is_told_in_slurms_own_words(slurm, study, tmp_path):
    (slurm / "refuse").write_text("sbatch: error: invalid partition specified: gpu")
    with SlurmPool(1, tmp_path, print) as pool, pytest.raises(InputError) as fault:
        pool.run(jobs(study, tmp_path, 2), lambda *_: None)
    assert str(fault.value) == (
        "SLURM refuses the job array: sbatch: error: invalid partition specified: gpu; what it asks for is told by "
        "variables such as SBATCH_PARTITION, SBATCH_ACCOUNT and SBATCH_TIMELIMIT"
    )


def test_a_machine_without_slurm_is_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as fault:
        refuse_no_slurm()
    assert str(fault.value) == (
        "there is no sinfo on this machine; call the study where jobs are submitted to SLURM, or leave --on out"
    )


def test_runs_of_the_same_data_share_tasks_and_every_process_has_several(study, tmp_path):
    alike = jobs(study, tmp_path, 20)
    other = [Job(tmp_path / "other", each.recipe.model_copy(update={"data": "/other"})) for each in alike[:2]]
    chunks = list(slurm_pool._chunks(dict(enumerate([*alike, *other])), 2))
    assert sorted(number for chunk in chunks for number in chunk) == list(range(22))
    assert chunks[-1] == [20, 21]
    assert max(map(len, chunks)) == 4  # 22 jobs, 2 processes with 3 tasks each


@pytest.mark.parametrize(("count", "data", "processes", "most"), [
    (3000, 1, 400, 3), (5000, 3, 400, 10), (3000, 3000, 2, 3), (3000, 2500, 400, 6), (3, 1, 16, 1),
])  # fmt: skip
def test_an_array_has_no_more_tasks_than_slurm_takes(count, data, processes, most):
    waiting = {number: SimpleNamespace(split_key=str(number % data)) for number in range(count)}
    chunks = list(slurm_pool._chunks(waiting, processes))
    assert sorted(number for chunk in chunks for number in chunk) == list(waiting)
    assert len(chunks) == min(count, 1000)
    assert 1 <= min(map(len, chunks)) <= max(map(len, chunks)) <= most
