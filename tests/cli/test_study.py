"""``affectspace study`` as people type it; its runs are trained in the test's own process, which starts at once."""

import errno
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import affectspace.studies.execute as execute
from affectspace.cli.study import _record, _tell
from affectspace.corpora import make_synthetic_world
from affectspace.files import json_text
from affectspace.studies.job import Answer
from affectspace.studies.outcome import Outcome
from affectspace.studies.study import Study


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    make_synthetic_world(root, ("alva", "boro"), speakers=4, items_per_speaker=8)
    return root


@pytest.fixture
def lay(world, tmp_path, monkeypatch, lay_tiny, here):
    """``lay(seeds=3)``: a study file with changes, in the working folder."""
    monkeypatch.setattr(execute, "Pool", here)

    def write(**changes):
        recipes = [{"name": "CE", "path": "recipe.toml"}, {"name": "slow CE", "path": "recipe.toml"}]
        recipes[1]["set"] = {"training.learning_rate": 1e-3}
        values = {"name": "tiny", "seeds": 2, "recipes": recipes, "splits": [{"name": "there"}]} | changes
        lay_tiny(tmp_path, values, world, {"training.epochs": 2})

    write()
    return write


def test_a_study_is_told_in_one_line_a_table_and_what_to_type_next(run, lay, tmp_path):
    code, out, err = run("study", "study.toml", "--processes", "1")
    assert code == 0, err
    begun = "opening the data ... 4 runs on 1 process; how long they take is told after the first of them "
    assert re.match(re.escape(begun) + r"judging by the first, about \d+ s are left 4 runs trained in ", err)
    assert err.endswith("4 of 4 runs are finished")
    lines = out.splitlines()
    assert lines[1].split() == ["UAR", "%", "chance", "CE", "slow", "CE", "seeds"]
    assert lines[3].split()[0] == "there"
    assert lines[-4:-2] == ["", "next:"]
    assert lines[-2] == f"  open it in a browser: {(tmp_path / 'studies/tiny/report.html').as_uri()}"
    assert lines[-1] == (
        "  affectspace report studies/tiny/runs/CE/there/seed-0 studies/tiny/runs/slow-CE/there/seed-0 --out runs.html"
    )
    for name in ("study.toml", "runs.parquet", "table.parquet", "table.md", "table.html", "report.html", "timing.json"):
        assert (tmp_path / "studies/tiny" / name).is_file(), name

    assert run(*lines[-1].split()[1:])[0] == 0, "the command that it shows"
    lay(seeds=3)
    code, out, err = run("study", "study.toml", "--json")
    assert (code, err) == (
        0,
        "2 runs trained in 1 s (1 s predicted); 6 of 6 runs are finished",
    ) or "predicted" in err
    told = json.loads(out)
    assert (told["planned"], told["finished"], told["trained"], told["failures"]) == (6, 6, 2, [])
    assert [(row["split"], row["recipe"], row["n"]) for row in told["table"]] == [
        ("there", "CE", 3),
        ("there", "slow CE", 3),
    ]
    assert told["predicted_seconds"] > 0
    assert run("study", "study.toml")[::2] == (0, "opening the data ... all 6 runs are finished")


def test_what_is_fused_stands_beside_what_is_trained(run, lay, tmp_path):
    recipes = [{"name": name, "path": "recipe.toml"} for name in ("CE", "again")]
    recipes[1]["set"] = {"training.learning_rate": 1e-3}
    lay(recipes=[{"name": "both", "fuses": ["CE", "again"]}, *recipes], seeds=1)
    code, out, err = run("study", "study.toml")
    assert (code, "2 of 2 runs are finished" in err) == (0, True), err
    assert out.splitlines()[1].split() == ["UAR", "%", "chance", "both", "CE", "again", "seeds"]
    assert out.splitlines()[-1] == (
        "  affectspace report studies/tiny/runs/CE/there/seed-0 studies/tiny/runs/again/there/seed-0 --out runs.html"
    )
    code, out, err = run("study", "study.toml", "--json")
    told = json.loads(out)
    assert (told["planned"], told["finished"], told["trained"]) == (2, 2, 0)
    assert [(row["recipe"], row["n"], row["seconds"] is None) for row in told["table"]] == [
        ("both", 1, True),
        ("CE", 1, False),
        ("again", 1, False),
    ]
    assert told["table"][0]["difference"] == pytest.approx(told["table"][0]["mean"] - told["table"][1]["mean"])


def test_faults_of_the_file_are_sentences(run, lay):
    assert run("study", "nowhere.toml")[::2] == (
        2, "error: there is no study nowhere.toml; a study is a TOML file, and some lie in recipes/studies/",
    )  # fmt: skip
    assert run("study", "study.toml", "--processes", "0")[::2] == (2, "error: --processes is 0; at least 1 is needed")
    lay(seeds=[1, 1])
    code, _, err = run("study", "study.toml")
    assert (code, err) == (2, "error: study.toml: seeds: 1 is named more than once; a seed counts once")
    assert not Path("studies").exists()


@pytest.mark.parametrize("where", ["study.toml", "recipe.toml", "studies"])
def test_what_may_not_be_read_or_written_is_unusable_input(run, lay, monkeypatch, where):
    """Tests may be run by somebody who may do everything, so the system's refusal is made up."""

    def refusing(method):
        real = getattr(Path, method)

        def call(path, *rest, **how):
            if where in path.parts:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *rest, **how)

        return call

    for method in ("read_bytes", "mkdir"):
        monkeypatch.setattr(Path, method, refusing(method))
    code, out, err = run("study", "study.toml", "--json")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: \S*: Permission denied; change its permissions or choose another path", err)
    assert where in err


def test_one_run_is_told_as_one(run, lay):
    lay(seeds=1, recipes=[{"name": "CE", "path": "recipe.toml"}])
    _, _, err = run("study", "study.toml")
    assert re.fullmatch(r"opening the data ... 1 run on \d process(es)?, all at once 1 run trained in .*", err)
    assert err.endswith("; 1 of 1 run is finished")
    assert run("study", "study.toml")[2] == "opening the data ... the run is finished"
    lay(seeds=1, recipes=[{"name": "CE", "path": "recipe.toml", "set": {"training.epochs": 1}}])
    assert ": of the runs there 0 still hold, and 1 does not; in" in run("study", "study.toml")[2]
    assert "1 run of other recipes was moved to" in run("study", "study.toml", "--replace")[2]


def test_json_is_whole_or_not_there_and_errors_are_sentences_beside_it(run, lay):
    bad = {"name": "BAD", "path": "recipe.toml", "set": {"terms": [{"kind": "cross_entropy", "weight": 1e39}]}}
    lay(seeds=1, recipes=[bad])
    code, out, err = run("study", "study.toml", "--json")
    told = json.loads(out)
    assert (code, told["failures"][0]["code"], told["finished"]) == (3, 3, 0)
    assert "error: the study is not finished: 0 of 1 run are finished; mend what is told above" in err
    lay(seeds=0)
    assert run("study", "study.toml", "--json")[:2] == (2, "")


def test_a_page_never_tells_an_old_answer_under_a_new_plan(run, lay, tmp_path, monkeypatch, here):
    class Failing(here):
        def run(self, jobs, tell):
            for job in jobs:
                tell(job, Answer(error="no such device", code=1))

    grid = {"recipe": "CE", "runs": 1, "values": {"training.weight_decay": [0.0]}}
    lay(grid=grid)
    assert run("study", "study.toml")[0] == 0
    page, table = (tmp_path / "studies/tiny" / name for name in ("report.html", "table.md"))
    assert re.search(r"\d\d\.\d", table.read_text())
    monkeypatch.setattr(execute, "Pool", Failing)
    lay(grid=grid | {"values": {"training.weight_decay": [0.0, 0.1]}})
    code, out, err = run("study", "study.toml")
    assert (code, out) == (1, "")
    assert "not run: CE, slow CE on split 'there', as runs failed that were to choose its settings" in err
    assert "0 of 4 runs are finished" in page.read_text()
    assert "waits for a choice" in page.read_text()
    assert not re.search(r"\d\d\.\d", table.read_text())


def test_a_run_that_fails_is_told_with_its_reason_and_the_rest_is_written(run, lay, tmp_path):
    bad = {"name": "BAD", "path": "recipe.toml", "set": {"terms": [{"kind": "cross_entropy", "weight": 1e39}]}}
    lay(recipes=[{"name": "CE", "path": "recipe.toml"}, bad])
    code, out, err = run("study", "study.toml", "--out", "mine")
    assert code == 3
    assert "failed: mine/runs/BAD/there/seed-0: the loss is not finite in epoch 1, step 1" in err
    assert err.endswith(
        "error: the study is not finished: 2 of 4 runs are finished; mend what is told above, then go on with: "
        "affectspace study study.toml --out mine"
    )
    assert "0–2 of 2" in out
    assert (tmp_path / "mine/report.html").is_file()
    lay(recipes=[bad])
    code, out, err = run("study", "study.toml", "--out", "other")
    assert code == 3
    assert "0 of 2 runs are finished" in err
    assert not (tmp_path / "other/report.html").exists()


def test_a_change_is_refused_then_replaces(run, lay, tmp_path):
    assert run("study", "study.toml")[0] == 0
    lay(recipes=[{"name": "CE", "path": "recipe.toml", "set": {"training.epochs": 1}}])
    code, _, err = run("study", "study.toml")
    assert code == 2
    assert "of the runs there 0 still hold, and 2 do not; in runs/CE/there/seed-0: training.epochs was 2, is 1." in err
    code, _, err = run("study", "study.toml", "--replace")
    assert code == 0
    assert "2 runs of other recipes were moved to studies/tiny/replaced" in err
    assert (
        "no longer part of the study: 2 runs in studies/tiny (such as runs/slow-CE/there/seed-0), kept, and left" in err
    )
    assert (tmp_path / "studies/tiny/replaced/1/runs/CE/there/seed-1/metrics.json").is_file()


def test_an_interruption_says_how_to_go_on(run, lay, monkeypatch, here):
    def stop(self, jobs, tell):
        raise KeyboardInterrupt

    monkeypatch.setattr(here, "run", stop)
    code, _, err = run("study", "study.toml", "--out", "my study")
    assert (code, err.split("first of them ")[-1]) == (
        130, "interrupted; finished runs stay; go on with: affectspace study study.toml --out 'my study'",
    )  # fmt: skip


def test_what_is_needed_to_read_the_table_stands_below_it(run, lay):
    terms = [{"kind": "cross_entropy"}, {"kind": "f_similarity", "weight": 1.0}]
    change = {"terms": terms, "training.epochs": 1}
    recipes = [{"name": "CE", "path": "recipe.toml"}]
    recipes += [{"name": f"KL {i}", "path": "recipe.toml", "set": change} for i in range(6)]
    lay(recipes=recipes)
    code, out, err = run("study", "study.toml", "--processes", "1")
    assert code == 0, err
    words = " ".join(out.split())
    assert "Few seeds: a spread over 2 is a rough guess" in words
    names = "“KL 0”, “KL 1”, “KL 2”, “KL 3”, “KL 4” and “KL 5”"  # of several words
    told = f"Beside the loss, {names} differ from CE in training.epochs (1 against 2): what"
    assert told in words
    last = out.splitlines()[-1]
    assert last.endswith(" studies/tiny/runs/KL-4/there/seed-0 --out runs.html  # the first 6 of 7 recipes")
    assert "KL-5" not in last


@pytest.mark.parametrize(("lost", "taken_up", "told"), [
    (["ant (10.0.0.7)"], ["a"], "1 node was lost (ant (10.0.0.7)); 1 run went on in another process"),
    (["ant", "bee"], ["a", "b", "c"], "2 nodes were lost (ant, bee); 3 runs went on in another process"),
    (["ant"], [], "1 node was lost (ant); 0 runs went on in another process"),
    ([], ["a", "b"], "2 runs went on in another process, as its own was killed (a); is memory short?"),
    ([], [], ""),
])  # fmt: skip
def test_nodes_that_were_lost_and_runs_that_went_on_elsewhere_are_told(tmp_path, capsys, lost, taken_up, told):
    study = Study.model_validate({"name": "x", "seeds": 1, "recipes": [{"name": "CE", "path": "r.toml"}]})
    outcome = Outcome(study, tmp_path, 2, 2, 2, lost=lost, taken_up=[Path(run) for run in taken_up])
    _tell(outcome, "affectspace study x.toml")
    *lines, last = capsys.readouterr().err.splitlines()
    assert lines == ([told] if told else [])
    assert last == "2 runs trained in 1 s; 2 of 2 runs are finished"
    record = _record(outcome, SimpleNamespace(selection={}), ())
    assert (record["lost"], record["taken_up"]) == (lost, taken_up)
    assert json.loads(json_text(record))["trained"] == 2
