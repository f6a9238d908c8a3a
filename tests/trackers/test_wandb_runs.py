"""Offline runs of W&B, read back from their files."""

import json
import math
from pathlib import Path

import pytest

pytest.importorskip("wandb")

from affectspace.files import held
from affectspace.trackers import open_tracker, track, wandb_runs


@pytest.fixture
def place(tmp_path):
    return tmp_path / "wb"


@pytest.fixture
def tell(place):
    return lambda *folders: track(folders, open_tracker("wandb", place))


@pytest.fixture
def read(place, wandb_records):
    """The only run of a place: (name, step) to value, and what else was told."""

    def read():
        (file,) = place.glob("offline-run-*/*.wandb")
        values, told = {}, {"summary": {}, "config": {}, "files": set()}
        for record in wandb_records(file):
            match record.WhichOneof("record_type"):
                case "history":
                    items = {
                        item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item
                    }
                    step = items.pop("_step", record.history.step.num)
                    rows = {(name, step): value for name, value in items.items() if not name.startswith("_")}
                    assert not rows.keys() & values.keys()
                    values |= {key: math.nan if value == "NaN" else value for key, value in rows.items()}
                case "summary":
                    items = {
                        item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.summary.update
                    }
                    told["summary"] |= {key: math.nan if value is None else value for key, value in items.items()}
                case "run":
                    told["run"] = record.run
                    for item in record.run.config.update:
                        told["config"][item.key or item.nested_key[0]] = json.loads(item.value_json)
                case "files":
                    told["files"] |= {each.path for each in record.files.files}
                case "exit":
                    told["exit"] = record.exit.exit_code
        return values, told

    return read


def test_what_is_read_back_is_what_the_lines_say(begin, tell, read, final, equal, place):
    run = begin().epochs(1, 2, 3).finish()
    tell(run.path)
    values, told = read()
    assert equal(values, run.points())
    assert equal({name: value for name, value in told["summary"].items() if name.startswith("final/")}, final)
    assert (told["run"].display_name, told["run"].project) == ("mine", "affectspace")
    assert list(told["run"].tags) == ["twopoles", "seed 3", "alva", "bôro"]
    assert (told["config"]["labels.soft"], told["config"]["terms.0.weight"]) == (True, 0.1)
    assert told["config"]["run.data.alva.sha256"] == "a" * 64
    kept = {"recipe.toml", "environment.txt", "metrics.json"}
    assert kept <= told["files"]
    assert kept <= {path.name for path in place.glob("*/files/*") if not path.is_symlink()}
    assert not list(place.glob(".*"))


def test_telling_again_writes_only_what_has_changed_and_keeps_one_run(begin, tell, read, place, equal):
    run = begin().epochs(1, 2)
    tell(run.path)
    (first,) = place.iterdir()
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*.wandb")}  # its logs may grow until W&B has ended
    assert before
    tell(run.path)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*.wandb")} == before
    run.rewrite(run.lines[:1]).epochs(2, 3, shift=1e-6)  # killed, and resumed on another machine
    tell(run.path)
    values, told = read()
    assert equal(values, run.points())
    assert told["run"].run_id == first.name.rpartition("-")[2]


def test_what_killed_writers_have_left_is_swept_and_who_writes_goes_on(begin, place, monkeypatch):
    killed, alive = place / ".wandb.a.partial", place / ".wandb.b.partial"
    (killed / "wandb").mkdir(parents=True)
    (killed / ".lock").touch()
    seen = []
    monkeypatch.setattr(wandb_runs.wandb, "init", lambda **how: seen.append(Path(how["dir"])) or _end())

    def _end():
        raise KeyboardInterrupt

    with held(alive, "in use"), pytest.raises(KeyboardInterrupt):
        track([begin().epochs(1).path], open_tracker("wandb", place))
    assert len(seen) == 1
    assert list(place.iterdir()) == [alive]


def test_only_an_explicit_wish_goes_online(begin, place, monkeypatch):
    class Asked(Exception):
        pass

    modes = []

    def init(**how):
        modes.append((how["mode"], how["resume"], how["project"]))
        raise Asked

    monkeypatch.setattr(wandb_runs.wandb, "init", init)
    monkeypatch.setenv("WANDB_MODE", "online")  # left from other work: no wish that these runs be sent
    run = begin().epochs(1)
    for online in (False, True):
        with pytest.raises(Asked):
            track([run.path], open_tracker("wandb", place, project="mine", online=online))
    assert modes == [("offline", None, "mine"), ("online", "allow", "mine")]
    assert not list(place.iterdir())
