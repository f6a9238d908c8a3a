"""Runs told as they go on: no clock is asked, what happens meanwhile happens where a look would be waited for."""

import shutil
from contextlib import ExitStack

import pytest

from affectspace.errors import InputError
from affectspace.files import held, in_use
from affectspace.trackers import track


class Kept:
    """A tracker that keeps what it was told last, and how often."""

    def __init__(self):
        self.records, self.times = {}, 0

    def write(self, record):
        self.records[record.name] = record
        self.times += 1


@pytest.fixture
def script():
    """``script(folder, step, ...)``: a wait that does one step each time, while the folder is held until the last."""

    def make(folder, *steps):
        stack, left = ExitStack(), list(steps)
        stack.enter_context(held(folder, "in use"))

        def wait():
            left.pop(0)()
            if not left:
                stack.close()

        return wait

    return make


def test_a_run_is_followed_to_its_end_and_told_only_when_something_is_new(begin, script):
    run, kept = begin().epochs(1), Kept()
    wait = script(run.path, lambda: run.epochs(2, 3), lambda: None, lambda: run.epochs(4), run.finish)
    (tracked,) = track([run.path], kept, follow=True, wait=wait)
    assert (tracked.epochs, tracked.state, kept.times) == (4, "finished", 4)
    assert list(kept.records["mine"].points) == [1, 2, 3, 4]
    assert kept.records["mine"].final


def test_without_follow_nothing_is_waited_for(begin):
    run, kept = begin().epochs(1), Kept()
    with held(run.path, "in use"):
        (tracked,) = track([run.path], kept, wait=pytest.fail)
    assert (tracked.state, kept.times) == ("running", 1)


def test_following_ends_with_a_run_that_was_killed_and_the_next_call_goes_on(begin, script):
    run, kept = begin().epochs(1), Kept()
    (tracked,) = track([run.path], kept, follow=True, wait=script(run.path, lambda: run.epochs(2)))
    assert (tracked.epochs, tracked.state) == (2, "running")
    wait = script(run.path, lambda: run.epochs(3), run.finish)
    (tracked,) = track([run.path], kept, follow=True, wait=wait)
    assert (tracked.epochs, tracked.state) == (3, "finished")


def test_a_run_that_is_only_being_begun_is_waited_for(begin, script, tmp_path):
    folder, kept = tmp_path / "mine", Kept()
    folder.mkdir()

    def start():
        shutil.rmtree(tmp_path / "aside", ignore_errors=True)
        run = begin("aside").epochs(1).finish()
        for path in run.path.iterdir():
            shutil.move(path, folder / path.name)

    (tracked,) = track([folder], kept, follow=True, wait=script(folder, lambda: None, start))
    assert (tracked.name, tracked.state) == ("mine", "finished")


def test_runs_that_a_study_begins_meanwhile_are_told_too(begin, script, tmp_path):
    first, kept = begin("s/runs/CE/one/seed-0").epochs(1), Kept()
    (tmp_path / "s/study.toml").touch()

    def second():
        first.finish()
        begin("s/runs/CE/one/seed-1").epochs(1, 2).finish()

    tracked = track([tmp_path / "s"], kept, follow=True, wait=script(tmp_path / "s", lambda: None, second))
    assert [(each.name, each.epochs, each.state) for each in tracked] == [
        ("s/CE/one/seed-0", 1, "finished"),
        ("s/CE/one/seed-1", 2, "finished"),
    ]


def test_a_fold_is_not_told_before_what_it_is_trained_on_is_known(begin, script):
    run, kept = begin().epochs(1), Kept()
    data = (run.path / "data.json").read_text()
    (run.path / "data.json").unlink()

    def know():
        (run.path / "data.json").write_text(data)

    track([run.path], kept, follow=True, wait=script(run.path, know, run.finish))
    assert kept.records["mine"].tags["corpora"]


def test_folders_without_runs(tmp_path):
    with pytest.raises(InputError, match=r"holds no run; name run folders, which affectspace train makes, or a study"):
        track([tmp_path], Kept())
    with pytest.raises(InputError, match="no run was given; name at least one run folder"):
        track([], Kept())


def test_looking_leaves_a_folder_to_whoever_wants_to_hold_it(tmp_path):
    assert not in_use(tmp_path)
    with held(tmp_path, "in use"):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)
    with held(tmp_path, "in use"):
        pass
