"""Runs that several want: one has them, the others lose nothing but time, and nothing half-done lies in a place."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest

from affectspace.files import sha256, write_text
from affectspace.studies import claimed
from affectspace.studies.claims import BEGUN, claim, claimed_folders, digests, give_back
from affectspace.studies.job import Answer, Job
from affectspace.studies.same_files import Arrivals
from affectspace.studies.status import finished
from affectspace.training.recipe import make_recipe

RECIPE = {
    "name": "x", "corpora": [{"path": "alva"}], "labels": {"kind": "poles", "dimension": "activation"},
    "features": {"kind": "log_mel"}, "protocol": {"kind": "published"}, "encoder": {"kind": "conv_pool"},
    "terms": [{"kind": "cross_entropy"}],
}  # fmt: skip


@pytest.fixture
def place(tmp_path):
    return tmp_path / "runs/CE/there/seed-0"


def begin(folder: Path, step: int = 0) -> None:
    for name in BEGUN:
        (folder / name).write_text(name)
    (folder / ".lock").touch()
    if step:
        (folder / f"checkpoints/step-{step:08d}").mkdir(parents=True)


def end(folder: Path) -> None:
    begin(folder)
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model/weights").write_bytes(b"weights")
    (folder / "metrics.json").write_text("{}")


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir())


def test_a_run_is_trained_beside_its_place_and_then_put_there(place):
    mine = claim(place)
    assert mine is not None
    assert (mine.work.parent, place.exists()) == (place.parent, False)
    assert list(claimed_folders(place.parents[3])) == [(place, mine.work)]
    end(mine.work)
    assert mine.put_in_place()
    assert names(place) == ["seed-0"]
    assert finished(place)
    assert claim(place) is None, "what is finished is nobody's to train"


def test_the_folder_of_a_lost_attempt_is_taken_with_its_checkpoints(place):
    lost = claim(place)
    assert lost is not None
    begin(lost.work, step=7)
    mine = claim(place)
    assert mine is not None
    assert [path.name for path in (mine.work / "checkpoints").iterdir()] == ["step-00000007"]
    assert not lost.work.exists()
    assert not (mine.work / ".lock").exists(), "who holds that is taken for dead"


def test_a_run_that_was_begun_in_its_place_is_taken_from_there(place):
    place.mkdir(parents=True)
    begin(place, step=3)
    mine = claim(place)
    assert mine is not None
    assert (mine.work / "checkpoints/step-00000003").is_dir()
    assert not place.exists()


@pytest.mark.parametrize("moment", ["while the other trains", "after the other has ended"])
def test_who_was_thought_lost_can_neither_damage_nor_replace_anything(place, moment):
    zombie = claim(place)
    assert zombie is not None
    begin(zombie.work, step=1)
    mine = claim(place)
    assert mine is not None

    def it_works_on():
        zombie.work.mkdir(exist_ok=True)  # as a writer does that makes missing folders
        end(zombie.work)
        (zombie.work / "metrics.json").write_text("wrong")
        return zombie.put_in_place()

    if moment == "while the other trains":
        assert not it_works_on()
        assert not place.exists(), "nothing half-done passes for done"
    end(mine.work)
    assert mine.put_in_place()
    if moment != "while the other trains":
        assert not it_works_on()
    assert (place / "metrics.json").read_text() == "{}"
    give_back(place.parents[3])
    assert names(place) == ["seed-0"]


def test_what_is_finished_second_is_dropped(place):
    slow, fast = claim(place), None
    assert slow is not None
    aside = slow.work.rename(place.with_name("aside"))  # it is not seen by the other, as storage may list late
    fast = claim(place)
    assert fast is not None
    end(fast.work)
    assert fast.put_in_place()
    end(aside)
    (aside / "metrics.json").write_text("second")
    aside.rename(slow.work)
    assert not slow.put_in_place()
    assert (place / "metrics.json").read_text() == "{}"
    assert names(place) == ["seed-0"]


@pytest.fixture
def hasty():
    """Threads that take turns a thousand times as often, so that they meet."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("round_", range(10))
def test_of_many_who_claim_at_once_each_has_it_alone(place, hasty, round_):
    """Sixteen take it from one another; who has it can end it, nobody else, and what lies in its place is one's own."""
    barrier = Barrier(16)

    def attempt(number):
        barrier.wait()
        mine = claim(place)
        if mine is None:
            return False
        with suppress(OSError):  # the path is gone
            mine.work.mkdir(exist_ok=True)
            for name in ("recipe.toml", "a", "b", "metrics.json"):
                write_text(mine.work / name, str(number))
        return mine.put_in_place()

    with ThreadPoolExecutor(16) as threads:
        done = list(threads.map(attempt, range(16)))
    # Who asks while a finished run is taken and put back makes it once more: the same again, in a study.
    assert any(done)
    assert len({path.read_text() for path in place.iterdir() if not path.name.startswith(".")}) == 1
    assert sorted(path.name for path in place.iterdir() if not path.name.startswith(".")) == [
        "a", "b", "metrics.json", "recipe.toml",
    ]  # fmt: skip
    give_back(place.parents[3])
    assert names(place) == ["seed-0"]


ATTEMPT = """
import os, sys
from pathlib import Path
from affectspace.studies import claims
place, step = Path(sys.argv[1]), int(sys.argv[2])
count = 0
def dying(name):
    real = getattr(os, name)
    def call(*args, **more):
        global count
        count += 1
        if count == step:
            os._exit(9)
        return real(*args, **more)
    setattr(os, name, call)
for name in ("rename", "mkdir", "open", "unlink", "stat", "rmdir", "fsync", "listdir"):
    dying(name)
mine = claims.claim(place)
if mine:
    (mine.work / "recipe.toml").write_text("recipe")
    (mine.work / "result").write_text("result")
    (mine.work / "metrics.json").write_text("{}")
    mine.put_in_place()
os._exit(0)
"""


def test_an_attempt_may_be_killed_at_any_moment(place):
    """At every call to the system in turn, until it gets through; then all is there, once, and nothing else."""
    program = "\n".join([
        "import os, sys", "from pathlib import Path", "from affectspace.studies import claims",
        "first = int(sys.argv[2])",
        f"code = {ATTEMPT!r}",
        "for step in range(first, 200):",
        "    child = os.fork()",
        "    if child == 0:",
        "        sys.argv[2] = str(step)",
        "        exec(code, {'__name__': 'attempt'})",
        "    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])",
        "    assert ended in (0, 9), ended",
        "    place = Path(sys.argv[1])",
        "    if place.exists():",
        "        assert sorted(os.listdir(place)) == ['metrics.json', 'recipe.toml', 'result'], os.listdir(place)",
        "    if ended == 0:",
        "        break",
        "print(step)",
    ])  # fmt: skip
    told = subprocess.run([sys.executable, "-c", program, str(place), "1"], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 8
    assert finished(place)
    give_back(place.parents[3])
    assert names(place) == ["seed-0"]


# ---- what a call finds


def test_what_lost_attempts_left_is_put_back_and_what_is_there_twice_removed(place):
    other = place.with_name("seed-1")
    for each, step in ((place, 2), (place, 9), (other, 1)):
        left = each.with_name(f".{each.name}.{step:016x}.claimed")
        left.mkdir(parents=True)
        begin(left, step)
    junk = other.with_name(f".seed-2.{5:016x}.claimed")
    junk.mkdir()
    shutil.copytree(other.with_name(f".seed-1.{1:016x}.claimed"), other)
    give_back(place.parents[3])
    assert names(place) == ["seed-0", "seed-1"]
    assert (place / "checkpoints/step-00000009").is_dir(), "the newest"


def test_a_place_with_nothing_but_a_lock_is_no_run(place):
    place.mkdir(parents=True)
    (place / ".lock").touch()
    left = place.with_name(f".seed-0.{1:016x}.claimed")
    left.mkdir()
    begin(left, 4)
    give_back(place.parents[3])
    assert (place / "checkpoints/step-00000004").is_dir()


@pytest.mark.parametrize("in_the_way", ["environment.txt", "fold-00"])
def test_nothing_of_a_run_is_removed_that_was_not_put_in_its_place(place, in_the_way):
    """A place that somebody was about to begin in makes way; what else lies there stays, and so does the attempt."""
    left = place.with_name(f".seed-0.{1:016x}.claimed")
    left.mkdir(parents=True)
    begin(left, 400)
    (place / in_the_way).mkdir(parents=True)
    give_back(place.parents[3])
    kept = place if in_the_way == "environment.txt" else left
    assert (kept / "checkpoints/step-00000400").is_dir()
    assert names(place) == (["seed-0"] if kept == place else [left.name, "seed-0"])
    assert kept == place or (place / in_the_way).is_dir()


@pytest.mark.parametrize("written", [*sorted(BEGUN), "metrics.jsonl"])
def test_one_that_loses_its_folder_as_it_begins_leaves_nothing_that_others_would_go_on_with(place, written):
    """What it writes after that makes a folder anew, in which the rest is missing."""
    lost = claim(place)
    assert lost is not None
    mine = claim(place)
    assert mine is not None
    begin(mine.work)
    lost.work.mkdir()
    (lost.work / written).write_text(written)
    next_ = claim(place)
    assert next_ is not None
    assert {path.name for path in next_.work.iterdir()} == BEGUN, "that of the one who has begun"
    shutil.rmtree(next_.work)
    later = claim(place)
    assert later is not None
    assert not {"recipe.toml", "metrics.jsonl"} & {path.name for path in later.work.iterdir()}, "it begins anew"


# ---- what is answered


def asked(place: Path, **more):
    return {"folder": str(place), "recipe": {}, **more}


def test_the_answer_tells_the_place_and_the_hashes_of_what_lies_there(place, monkeypatch):
    def train(job, cache):
        end(Path(job["folder"]))
        (Path(job["folder"]) / "checkpoints").mkdir()
        (Path(job["folder"]) / "checkpoints/big").touch()
        return {"seconds": 1.0, "data_seconds": 0.0}

    monkeypatch.setattr(claimed, "perform", train)
    answer = claimed.perform_claimed(asked(place), None)
    assert answer["files"] == {name: sha256(place / name) for name in ("metrics.json", "model/weights", *BEGUN)}
    assert arrived(place, answer["files"])[1] == DONE
    again = claimed.perform_claimed(asked(place), None)
    assert again == {"seconds": 0.0, "files": answer["files"]}


def test_a_fault_is_told_of_the_place_and_leaves_the_run_there(place, monkeypatch):
    def fail(job, cache):
        begin(Path(job["folder"]), 1)
        return {"error": f"{job['folder']}/x is broken", "code": 2, "trace": f"in {job['folder']}"}

    monkeypatch.setattr(claimed, "perform", fail)
    answer = claimed.perform_claimed(asked(place), None)
    assert answer == {"error": f"{place}/x is broken", "code": 2, "trace": f"in {place}"}
    assert (place / "checkpoints/step-00000001").is_dir()
    assert names(place) == ["seed-0"]


def test_who_has_lost_the_run_says_so(place, monkeypatch):
    def lose(job, cache):
        end(Path(job["folder"]))
        assert claim(place) is not None
        return {"seconds": 1.0}

    monkeypatch.setattr(claimed, "perform", lose)
    answer = claimed.perform_claimed(asked(place), None)
    assert answer == {"error": f"another process has taken up the run in {place}", "code": 1, "taken": True}


@pytest.mark.parametrize("ended", [{"seconds": 1.0}, {"error": "no such file", "code": 1}])
def test_who_has_lost_the_run_to_one_who_has_finished_it_well_has_not_failed(place, monkeypatch, ended):
    def lose(job, cache):
        other = claim(place)
        assert other is not None
        end(other.work)
        assert other.put_in_place()
        return ended

    monkeypatch.setattr(claimed, "perform", lose)
    answer = claimed.perform_claimed(asked(place), None)
    assert answer == {"seconds": ended.get("seconds", 0.0), "files": digests(place)}


def test_storage_that_refuses_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file")
    answer = claimed.perform_claimed(asked(tmp_path / "runs/CE/seed-0"), None)
    assert answer["code"] == 1
    assert answer["error"].startswith(f"{tmp_path}/runs")


def test_measurements_are_not_claimed(place, monkeypatch):
    monkeypatch.setattr(claimed, "perform", lambda job, cache: {"at": job["folder"]})
    assert claimed.perform_claimed(asked(place, scratch=True), None) == {"at": str(place)}
    assert claimed.perform_claimed(asked(place, only_open=True), None) == {"at": str(place)}


# ---- what the study's own process sees

DONE = Answer(seconds=1.0)


def arrived(place: Path, told: dict[str, str]) -> tuple[Job, Answer]:
    """How a run passes at once, or does not."""
    arrivals = Arrivals(place.parents[3])
    arrivals.add(Job(place, make_recipe(RECIPE, "x.toml")), DONE, told, "ant")
    [found] = arrivals.settled()
    assert not arrivals
    return found


@pytest.mark.parametrize("wrong", ["metrics.json", "model/weights"])
def test_files_that_are_not_those_that_were_written_do_not_pass_for_done(place, monkeypatch, wrong):
    monkeypatch.setattr("affectspace.studies.same_files.PATIENCE", -1.0)
    place.mkdir(parents=True)
    end(place)
    told = digests(place)
    (place / wrong).write_text("other")
    folder = place.parents[3]
    fault = arrived(place, told)[1].error
    aside = folder / "replaced/1/runs/CE/there/seed-0"
    assert fault == (
        f"node ant has finished the run, and {wrong} in {place} is not what it has written: is that the same storage "
        f"for both, and is it whole? What lay here is in {aside}; the same command trains it anew"
    )
    assert not place.exists()
    assert (aside / wrong).read_text() == "other"


def test_a_run_that_is_not_seen_here_is_told(place, monkeypatch):
    monkeypatch.setattr("affectspace.studies.same_files.PATIENCE", -1.0)
    fault = arrived(place, {"metrics.json": "0"})[1].error
    assert "Nothing lies there; the same command trains it anew" in fault


def test_storage_that_shows_late_holds_up_no_run_but_its_own(place):
    arrivals, recipe = Arrivals(place.parents[3]), make_recipe(RECIPE, "x.toml")
    late, fine = Job(place, recipe), Job(place.with_name("seed-1"), recipe)
    fine.folder.mkdir(parents=True)
    end(fine.folder)
    told = digests(fine.folder)
    for job in (late, fine):
        arrivals.add(job, DONE, told, "ant")
    assert list(arrivals.settled()) == [(fine, DONE)]
    assert list(arrivals.settled()) == []
    shutil.copytree(fine.folder, place)
    (place / "metrics.json").write_text("")
    assert list(arrivals.settled()) == [], "what is not whole may be yet to come, too"
    (place / "metrics.json").write_text("{}")
    assert list(arrivals.settled()) == [(late, DONE)]
    assert not arrivals
