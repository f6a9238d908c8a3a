"""How a study stands: by its folder alone, while another process is at work on it and after."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from affectspace.cli.study_status import print_status
from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError
from affectspace.files import held
from affectspace.studies import board as board_module
from affectspace.studies import execute
from affectspace.studies.execute import run_study
from affectspace.studies.overview import overview
from affectspace.studies.progress import Clock

RUNS = {"grid": ["grid/a/0", "grid/a/1", "grid/a/2"], "final": ["runs/a/0", "runs/a/1", "runs/a/2", "runs/a/3"]}


@pytest.fixture
def study(tmp_path):
    """A study in the midst of it: of 7 runs two finished, two running, one diverged, one failed."""
    folder = tmp_path / "out"
    for run, files in {
        "grid/a/0": {"recipe.toml": "", "metrics.json": "{}", "timing.json": '{"seconds": 3.0, "threads": 2}'},
        "grid/a/1": {"recipe.toml": "", "diverged/batch.json": "{}"},
        "grid/a/2": {"recipe.toml": "", "metrics.jsonl": "{}\n{}\n"},
        "runs/a/0": {"recipe.toml": "", "metrics.json": "{}", "timing.json": '{"seconds": 1.5, "threads": 1}'},
        "runs/a/.1.0123456789abcdef.claimed": {"recipe.toml": "", "metrics.jsonl": "{}\n"},
        "runs/a/2": {"recipe.toml": ""},
    }.items():
        for name, text in files.items():
            (folder / run / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / run / name).write_text(text)
    (folder / "study.toml").write_text("name = 'x'")
    (folder / "timing.json").write_text('{"seconds": 12.5}')
    progress = {
        "on": "the Ray cluster at ray://head:10001", "host": "ant", "process": 1, "state": "at work",
        "left_seconds": 8.0, "lost": ["bee"], "left_out": {"cow": "it does not see corpus alva"},
        "at_work": [
            {"node": "ant", "run": "grid/a/2", "seconds": 4.0}, {"node": "dog", "run": "runs/a/1", "seconds": 1.0},
            {"node": "dog", "run": None, "seconds": 0.0},
        ],
        "taken_up": ["runs/a/1", "runs/a/1"], "failures": [
            {"run": "runs/a/2", "error": "no such device"}, {"run": "runs/a/0", "error": "it was mended since"},
        ],
        "runs": {stage: [[run, 5] for run in runs] for stage, runs in RUNS.items()},
    }  # fmt: skip
    (folder / "progress.json").write_text(json.dumps(progress))
    return folder


def test_it_is_told_while_another_process_is_at_work(study, capsys):
    with held(study, "busy"):
        found = overview(study)
        print_status(study, None, as_json=False)
    assert found.stages == {
        "grid": {"finished": 1, "running": 1, "left": 0, "failed": 0, "diverged": 1},
        "final": {"finished": 1, "running": 1, "left": 1, "failed": 1, "diverged": 0},
    }
    assert (found.planned, found.cpu_seconds, found.seconds, found.left_seconds) == (7, 7.5, 12.5, 8.0)
    assert [(each.node, each.run, each.epoch, each.epochs) for each in found.processes] == [
        ("ant", "grid/a/2", 2, 5), ("dog", "runs/a/1", 1, 5), ("dog", None, 0, 0),
    ]  # fmt: skip
    assert found.failures == {"runs/a/2": "no such device"}
    told = capsys.readouterr().out
    assert told.startswith(f"{study}: 2 of 7 runs finished; at work on the Ray cluster at ray://head:10001\n")
    for line in (
        "ant: grid/a/2 (epoch 2 of 5 saved, 4 s)", "dog: runs/a/1 (epoch 1 of 5 saved, 1 s)", "dog: 1 idle",
        "cost so far: 8 s of CPU in finished runs, 12 s gone by, about 8 s left", "lost: bee",
        "left out: cow: it does not see corpus alva", "1 run went on in another process",
        f"failed: {study}/runs/a/2: no such device",
    ):  # fmt: skip
        assert f"{line}\n" in told, line


def test_time_gone_by_is_that_of_the_call_at_work(study):
    told = json.loads((study / "progress.json").read_text())
    (study / "progress.json").write_text(json.dumps(told | {"seconds": 40.25}))
    with held(study, "busy"):
        assert overview(study).seconds == 40.25
    assert overview(study).seconds == 12.5, "what is kept, where none is at work"


def test_what_has_cost_nothing_yet_is_not_told_as_a_second(study, capsys):
    for run in ("grid/a/0", "runs/a/0"):
        for name in ("metrics.json", "timing.json"):
            (study / run / name).unlink()
    (study / "timing.json").unlink()
    print_status(study, None, as_json=False)
    assert "cost so far: no run is finished yet\n" in capsys.readouterr().out


def test_a_study_file_whose_study_has_not_begun_is_told_with_how_to_begin(tmp_path, lay_tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"name": "tiny", "seeds": 2, "recipes": [{"name": "CE", "path": "recipe.toml"}], "splits": [{"name": "x"}]}
    path = lay_tiny(tmp_path, values, tmp_path)
    elsewhere = "; where its folder is another, name that by --out"
    for out, words in ((None, elsewhere), (tmp_path / "mine", f" --out {tmp_path / 'mine'}")):
        folder = out or Path("studies/tiny")
        with pytest.raises(InputError) as caught:
            print_status(path, out, as_json=True)
        told = f"{folder}: the study has not begun yet; start it by: affectspace study {path}{words}"
        assert str(caught.value) == told
    with held(tmp_path / "mine", "busy"), pytest.raises(InputError) as caught:
        print_status(path, tmp_path / "mine", as_json=False)
    assert str(caught.value) == (
        f"{tmp_path / 'mine'}: a process is opening the data of the study, and has begun no run yet; ask again"
    )


@pytest.mark.parametrize(("error", "told"), [
    (KeyboardInterrupt(), "interrupted"), (KeyboardInterrupt("by hand"), "interrupted"),
    (OSError("a\nb"), "a"), (OSError(), "OSError"), (None, ""),
])  # fmt: skip
def test_how_a_call_has_ended_is_told(study, error, told):
    pool = SimpleNamespace(at_work=[], lost=[], left_out={}, taken_up=[])
    board = board_module.Board(study, "this machine", pool, Clock(study))
    board.plan([], None)
    board.end(error)
    found = overview(study)
    assert (found.ended, found.at_work) == (told, False)


def test_where_nobody_is_at_work_any_more_that_is_told(study, capsys):
    found = overview(study)
    assert (found.at_work, found.ended, found.processes, found.left_seconds) == (False, "it was killed", [], None)
    assert found.stages["final"] == {"finished": 1, "running": 0, "left": 2, "failed": 1, "diverged": 0}
    print_status(study, None, as_json=True)
    record = json.loads(capsys.readouterr().out)
    assert (record["planned"], record["ended"], record["processes"]) == (7, "it was killed", [])
    assert record["stages"]["grid"]["diverged"] == 1


@pytest.mark.parametrize(("content", "told"), [
    ("{", "is damaged"), ("[]", "is damaged (it holds a list)"), ("{}", "is damaged (KeyError('at_work'))"),
    (None, "an older version trained that study; run the same command again"),
])  # fmt: skip
def test_what_cannot_be_read_is_told(study, content, told):
    (study / "progress.json").unlink()
    if content is not None:
        (study / "progress.json").write_text(content)
    with pytest.raises(InputError) as caught:
        overview(study)
    assert told in str(caught.value)
    assert str(study) in str(caught.value)


def test_a_folder_without_a_study_is_told(tmp_path):
    with pytest.raises(InputError, match="holds no study; name a study file or the folder of a study"):
        overview(tmp_path)


def test_a_study_tells_of_itself_from_its_beginning_to_its_end(tmp_path, lay_tiny, here, monkeypatch, capsys):
    make_synthetic_world(tmp_path / "world", ("alva", "boro"), speakers=4, items_per_speaker=8)
    values = {"name": "tiny", "seeds": 2, "recipes": [{"name": "CE", "path": "recipe.toml"}], "splits": [{"name": "x"}]}
    path = lay_tiny(tmp_path, values, tmp_path / "world")
    seen = []

    class Watched(here):
        def run(self, jobs, tell):
            def telling(job, answer):
                seen.append(overview(tmp_path / "out"))
                tell(job, answer)

            super().run(jobs, telling)

    monkeypatch.setattr(execute, "Pool", Watched)
    monkeypatch.setattr(board_module, "EVERY", 0.0)
    run_study(path, tmp_path / "out")
    assert [(each.at_work, each.on, each.count("finished"), each.planned) for each in seen] == [
        (True, "this machine", 1, 2), (True, "this machine", 2, 2),
    ]  # fmt: skip
    found = overview(tmp_path / "out")
    assert (found.at_work, found.ended, found.stages) == (
        False, "", {"final": {"finished": 2, "running": 0, "left": 0, "failed": 0, "diverged": 0}},
    )  # fmt: skip
    assert found.cpu_seconds > 0 < found.seconds
    print_status(path, Path(tmp_path / "out"), as_json=False)
    assert capsys.readouterr().out.startswith(
        f"{tmp_path / 'out'}: 2 of 2 runs finished; no process is at work on it\n"
    )
