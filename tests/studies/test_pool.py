"""Processes and jobs, with processes that train nothing and so start at once."""

import errno
import fcntl
import sys
from pathlib import Path

import pytest

from affectspace.errors import AffectspaceError
from affectspace.studies import pool as pool_module
from affectspace.studies import worker as worker_module
from affectspace.studies.backlog import Held
from affectspace.studies.job import Job
from affectspace.studies.pool import Pool
from affectspace.training.keys import KEPT_ITEMS, KEPT_SPLITS
from affectspace.training.recipe import make_recipe

ANSWERING = """
import json, os, signal, sys
print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if "killer" in job["folder"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if "leaver" in job["folder"]:
        sys.exit(7)
    print(json.dumps({"seconds": os.getpid(), "error": "so it is" if "failing" in job["folder"] else ""}), flush=True)
"""


def job(name: str, test: str = "boro"):
    recipe = {
        "name": "a",
        "corpora": [{"path": "alva"}, {"path": test}],
        "labels": {"kind": "classes", "names": ["angry", "sad"]},
        "protocol": {"kind": "cross_corpus", "train": ["alva"], "test": [test]},
    }
    return Job(Path(name), make_recipe(recipe))


@pytest.fixture
def done(monkeypatch):
    """``done(jobs, processes)``: the answers by the job's folder, in the order in which they came."""
    monkeypatch.setattr(pool_module, "START", [sys.executable, "-c", ANSWERING])

    def run(jobs, processes=2):
        answers = {}
        with Pool(processes) as pool:
            pool.run(jobs, lambda job, answer: answers.setdefault(str(job.folder), answer))
            workers = list(pool._workers)
        assert not any(worker.alive for worker in workers), "they end with the block"
        return answers

    return run


def test_every_job_is_done_once(done):
    told = done([job(f"run-{number}") for number in range(20)])
    assert len(told) == 20
    assert len({answer.seconds for answer in told.values()}) == 2, "by two processes"
    assert not any(answer.error for answer in told.values())


def test_a_job_that_kills_its_process_thrice_is_given_up_after_all_others(done):
    told = done([job("killer"), *(job(f"run-{number}") for number in range(6)), job("leaver"), job("failing")])
    assert len(told) == 9
    assert told["killer"].error == (
        "its process was ended 3 times by signal 9; is there enough memory? --processes 1 needs less"
    )
    assert told["leaver"].error == "its process was ended 3 times with exit code 7"
    assert told["failing"].error == "so it is", "which is no reason to do it again"
    # They are tried again when all others have begun, of which one may be under way beside them.
    assert set(list(told)[-3:]) >= {"killer", "leaver"}
    assert (told["killer"].code, told["run-0"].code) == (1, 0)


def test_a_process_keeps_to_the_data_that_it_holds(done):
    jobs = [job(f"{test}-{number}", test) for number in range(8) for test in ("boro", "cirin")]
    told = done(jobs)
    first = {test: told[f"{test}-0"].seconds for test in ("boro", "cirin")}
    assert first["boro"] != first["cirin"]
    elsewhere = [name for name, answer in told.items() if answer.seconds != first[name.split("-")[0]]]
    # Whoever is done with its own data first helps the other: only at the end, and never the whole of it.
    assert all(int(name.split("-")[1]) > 0 for name in elsewhere)


def test_processes_are_kept_from_stage_to_stage_and_replaced_when_they_have_ended(monkeypatch):
    monkeypatch.setattr(pool_module, "START", [sys.executable, "-c", ANSWERING])
    with Pool(1) as pool:
        by = []
        for stage in range(3):
            pool.run([job(f"run-{stage}")], lambda _, answer: by.append(answer.seconds))
            if stage == 1:
                pool._workers[0].end()
    assert by[0] == by[1] != by[2]


def test_what_is_raised_while_it_works_ends_the_processes_and_leaves_no_answer_behind(monkeypatch):
    monkeypatch.setattr(pool_module, "START", [sys.executable, "-c", ANSWERING])

    def stop(job, answer):
        workers.extend(pool._workers)
        raise KeyboardInterrupt

    workers, told = [], []
    with Pool(2) as pool:
        with pytest.raises(KeyboardInterrupt):
            pool.run([job("a"), job("b"), job("c")], stop)
        assert len(workers) == 2
        assert not any(worker.alive for worker in workers)
        pool.run([job("d"), job("e")], lambda job, answer: told.append((str(job.folder), answer.error)))
    assert sorted(told) == [("d", ""), ("e", "")]


def test_processes_that_cannot_start_are_told_after_three(monkeypatch, tmp_path):
    code = f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); raise SystemExit(5)"
    monkeypatch.setattr(pool_module, "START", [sys.executable, "-c", code])
    with Pool(2) as pool, pytest.raises(AffectspaceError, match="cannot start: 3 have ended with exit code 5 before"):
        pool.run([job(f"run-{number}") for number in range(20)], lambda job, answer: None)
    assert len((tmp_path / "starts").read_text()) <= 4


def test_a_process_finds_the_modules_that_this_one_finds(monkeypatch, tmp_path):
    (tmp_path / "of_ours.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(pool_module, "START", [sys.executable, "-P", "-c", "import of_ours\n" + ANSWERING])
    with Pool(1) as pool:
        pool.run([job("a")], lambda job, answer: None)


def test_what_a_process_holds_is_forgotten_as_it_forgets_it():
    held = Held()
    jobs = [job("a", f"corpus{number}") for number in range(KEPT_SPLITS + 1)]
    assert held.take(jobs[0]) == (True, True)
    assert held.take(jobs[0]) == (False, False)
    for each in jobs[1:]:
        held.take(each)
    assert (len(held.splits), len(held.items)) == (KEPT_SPLITS, KEPT_ITEMS)
    assert held.copy().take(jobs[0]) == (True, True)
    assert held.take(jobs[-1]) == (False, False)


def test_a_run_that_a_dying_process_still_holds_is_waited_for(monkeypatch, tmp_path):
    held = open(tmp_path / ".lock", "w")  # noqa: SIM115
    fcntl.flock(held, fcntl.LOCK_EX)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            held.close()

    monkeypatch.setattr(worker_module.time, "sleep", sleep)
    worker_module._wait_for(tmp_path)
    assert len(slept) == 3
    with open(tmp_path / ".lock") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_worker_answers_with_a_sentence_whatever_happens(tmp_path):
    def broken(recipe):
        raise ZeroDivisionError("of ours")

    asked = {"folder": str(tmp_path), "recipe": job("a").recipe.model_dump(mode="json", exclude_none=True)}
    answer = worker_module.perform(asked, broken)
    assert (answer["error"], answer["code"]) == ("ZeroDivisionError: of ours", 1)
    assert "Traceback" in answer["trace"]
    assert worker_module.perform({"folder": "x", "recipe": {}}, None)["code"] == 2


@pytest.mark.parametrize(("number", "code"), [(errno.EACCES, 2), (errno.EROFS, 2), (errno.ENOSPC, 1), (errno.EIO, 1)])
def test_a_worker_calls_what_it_may_not_write_unusable_input(tmp_path, number, code):
    def refused(recipe):
        raise OSError(number, "the reason", "/some/path")

    answer = worker_module.perform(job(str(tmp_path)).asked, refused)
    assert (answer["error"], answer["code"]) == ("/some/path: the reason", code)
