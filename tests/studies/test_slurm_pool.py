"""Studies as SLURM job arrays, by commands that stand in for SLURM's; benchmarks/study_on_slurm.py asks a real one."""

import copy
import json
import os
import sys
from pathlib import Path

import pytest

from affectspace.clusters import Slurm
from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError
from affectspace.studies import slurm_pool
from affectspace.studies.execute import run_study
from affectspace.studies.pool import Job
from affectspace.studies.slurm_pool import SlurmPool, refuse_no_slurm
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
    with SlurmPool(2, tmp_path) as pool:
        pool.run(jobs(study, tmp_path, 1), lambda job, answer: told.append((job.folder.name, answer.error)))
    [(name, error)] = told
    assert name == "seed-0"
    assert error.startswith(
        "its SLURM task ended 3 times without an answer, the last time NODE_FAIL, which its log in "
    )
    assert error.endswith(f" may explain; do all nodes see {tmp_path}, the data and this Python?")
    assert Path(error.partition("log in ")[2].partition(" may")[0]).parent.is_dir()


def test_an_interruption_takes_the_array_out_of_the_queue(slurm, study, tmp_path):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with SlurmPool(1, tmp_path) as pool, pytest.raises(KeyboardInterrupt):
        pool.run(jobs(study, tmp_path, 3), stop)
    assert "scancel 1" in (slurm / "calls").read_text().splitlines()


def test_what_a_killed_call_has_queued_is_taken_out_by_the_next(slurm, tmp_path):
    left = tmp_path / ".slurm" / "1"
    left.mkdir(parents=True)
    (left / "array.json").write_text(json.dumps({"id": "7"}))
    with SlurmPool(1, tmp_path):
        assert (slurm / "calls").read_text().splitlines() == ["scancel 7"]
    assert not left.exists()


def test_a_refusal_is_told_in_slurms_own_words(slurm, study, tmp_path):
    (slurm / "refuse").write_text("sbatch: error: invalid partition specified: gpu")
    with SlurmPool(1, tmp_path) as pool, pytest.raises(InputError) as fault:
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
