"""What the commands say and refuse, without training anything: outputs, interruptions, tables, quoting."""

import errno
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from affectspace.cli import tell
from affectspace.errors import InputError
from affectspace.training.frontends import cache_folders
from affectspace.training.run import Run

SCORES = {"uar": 0.6, "chance_uar": 0.25, "macro_f1": 0.5, "jensen_shannon": 0.1, "similarity_rho": 0.4}


def write_run(folder: Path, name: str = "one", *, recipe: str = "", **metrics) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(f'name = "{name}"\nseed = 0\n{recipe}')
    final = {
        "name": name, "seed": 0, "protocol": "cross_corpus, a -> b", "transductive": False, "selection": "validation",
        "selected_epoch": 3, "classes": ["low", "high"], "geometry": "chord", "validate": {"uar": 0.7}, "test": SCORES,
    }  # fmt: skip
    final = {key: value for key, value in {**final, **metrics}.items() if value is not ...}
    (folder / "metrics.json").write_text(json.dumps(final))
    return folder


@pytest.fixture
def lay(tmp_path):
    """A folder, a file and a run in the working folder, and a recipe."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "own.toml").write_text("")
    return write_run(tmp_path / "runs/one")


# ---- where output goes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("embed runs/one a.wav --out folder", "--out folder is a folder; name the file to write"),
        ("embed runs/one a.wav --out file/x", "file is a file and no folder"),
        ("report runs/one --out file/x", "file is a file and no folder"),
        ("report runs/one --out file/x/y.html", "file is a file and no folder"),
        ("demo --out file", "file is a file and no folder"),
        ("demo --out file/x", "file is a file and no folder"),
        ("embed runs/one nowhere.wav", "there is nothing at nowhere.wav"),
        ("embed nowhere a.wav", "there is nothing at nowhere"),
    ],
)
def test_output_that_cannot_be_written_is_refused_before_any_work(run, lay, monkeypatch, words, message):
    import affectspace.training.model as model

    monkeypatch.setattr(model, "load_model", None)  # whoever gets this far fails with a traceback
    code, _, err = run(*words.split())
    assert code == 2
    assert message in err


def test_train_refuses_a_file_for_its_folder_before_training(run, lay, monkeypatch):
    import affectspace.training as training

    monkeypatch.setattr(training, "load_recipe", lambda path, overrides: None)
    monkeypatch.setattr(training, "train_recipe", None)
    for out in ("file", "file/x"):
        code, _, err = run("train", "own.toml", "--out", out)
        assert code == 2
        assert err.startswith(f"error: --out {out} cannot be written")


def test_a_folder_gets_a_report_inside_and_a_file_is_replaced(run, lay, monkeypatch):
    import affectspace.report as report

    written = []
    monkeypatch.setattr(report, "write_report", lambda runs, path: written.append(path) or path)
    assert run("report", "runs/one", "--out", "folder")[0] == 0
    assert run("report", "runs/one", "--out", "file")[0] == 0
    assert run("report", "runs/one")[0] == 0
    assert written == [Path("folder/report.html"), Path("file"), Path("runs/one/report.html")]


@pytest.mark.parametrize(
    ("number", "code", "remedy"),
    [
        (errno.EISDIR, 2, "it is a folder, and a file is needed"),
        (errno.ENOTDIR, 2, "part of its path is a file"),
        (errno.EEXIST, 2, "something else is there"),
        (errno.ENAMETOOLONG, 2, "choose a shorter path"),
        (errno.ENOENT, 2, "choose a path that is there"),
        (errno.EACCES, 2, "change its permissions"),
        (errno.EPERM, 2, "change its permissions"),
        (errno.EROFS, 2, "choose a path on a disk that can be written"),
        (errno.ENOSPC, 1, "free some space"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence_with_the_path(run, lay, monkeypatch, number, code, remedy):
    import affectspace.training.runs as reader

    def refuse(paths):
        raise OSError(number, "the reason", "/some/path")

    monkeypatch.setattr(reader, "open_runs", refuse)
    told = run("evaluate", "x")
    assert told[0] == code
    assert told[2].startswith(f"error: /some/path: the reason; {remedy}")


@pytest.mark.parametrize(
    ("words", "goes_on"),
    [
        ("evaluate runs/one", ""),
        ("predict runs/one a.wav", ""),
        ("train own.toml", "; a run that was begun goes on with affectspace train --resume FOLDER"),
        ("rounds own.toml", "; what was begun goes on with the same command and --resume"),
        ("demo", "; what was begun goes on with the same command"),
    ],
)
def test_only_what_was_training_is_told_how_to_go_on_when_a_disk_is_full(run, lay, monkeypatch, words, goes_on):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    for place in ("load_recipe", "make_recipe", "runs.open_runs", "predict_files.predict_files"):
        monkeypatch.setattr(f"affectspace.training.{place}", refuse)
    told = "error: No space left on device; free some space, or write to another disk"
    assert run(*words.split()) == (1, "", f"{told}{goes_on}")


def test_a_fault_of_ours_keeps_its_traceback(run, monkeypatch):
    import affectspace.training.runs as reader

    def fail(paths):
        raise OSError(errno.EIO, "the reason", "/some/path")

    monkeypatch.setattr(reader, "open_runs", fail)
    with pytest.raises(OSError, match="the reason"):
        run("evaluate", "x")


def test_a_name_that_no_disk_takes(run, lay):
    code, _, err = run("report", "runs/one", "--out", "x" * 5000)
    assert code == 2
    assert "File name too long" in err


# ---- interruptions


def test_an_interrupted_training_tells_how_to_go_on_with_its_own_folder(run, lay, monkeypatch, tmp_path):
    import affectspace.training as training

    def stop(recipe, folder, **kwargs):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.toml").write_text("")
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "load_recipe", lambda *args: None)
    monkeypatch.setattr(training, "train_recipe", stop)
    code, _, err = run("train", "own.toml", "--out", "my run")
    assert code == 130
    assert err == "interrupted; go on with: affectspace train --resume 'my run'"
    monkeypatch.setattr(training, "train_recipe", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
    assert (
        run("train", "own.toml", "--out", "other")[2] == "interrupted; run it again; features that were made are kept"
    )


def test_any_other_command_that_is_interrupted(run, lay, monkeypatch):
    import affectspace.training.runs as reader

    monkeypatch.setattr(reader, "open_runs", lambda paths: (_ for _ in ()).throw(KeyboardInterrupt))
    code, _, err = run("evaluate", "runs/one")
    assert (code, err) == (130, "interrupted")


# ---- tables


@pytest.fixture
def compare(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def told(*paths):
        tell.comparison([Run(path) for path in paths])
        return capsys.readouterr().out

    return told


def test_runs_of_different_protocols_and_transductive_ones_have_tables_of_their_own(compare, tmp_path):
    paths = [
        write_run(tmp_path / "a", "a"),
        write_run(tmp_path / "b", "b", protocol="leave_one_out: x"),
        write_run(tmp_path / "c", "c", transductive=True),
        write_run(tmp_path / "d", "d"),
    ]
    out = compare(*paths)
    titles = [line.strip() for line in out.splitlines() if line.startswith("test scores")]
    first = "test scores · cross_corpus, a -> b"
    assert titles == [first, "test scores · leave_one_out: x", f"{first} · TRANSDUCTIVE"]
    rows = [line.split()[0] for line in out.split("test scores")[1].splitlines() if line.strip()]
    assert {"a", "d"} <= set(rows)
    assert not {"b", "c"} & set(rows)
    assert "not to be ranked" in out
    assert "not to be ranked" not in compare(paths[0], paths[3])


def test_unseen_corpora_have_tables_of_their_own(compare, tmp_path):
    unseen = {"cirin": {"uar": 0.321, "chance_uar": 0.25}}
    out = compare(write_run(tmp_path / "a", "aaa", unseen=unseen), write_run(tmp_path / "b", "bbb"))
    tested, _, apart = out.partition("scores on cirin, of which training saw nothing")
    assert "32.1" in apart
    assert "32.1" not in tested
    assert "bbb" not in apart
    assert "not to be ranked" in apart


def test_all_columns_are_told_that_any_table_has(compare, tmp_path):
    of_values = {"uar": 0.3, "value_mean_absolute_error": 1.234, "value_spearman": 0.5, "value_r2": 0.2}
    first = write_run(tmp_path / "a", "aaa", unseen={"cirin": of_values})
    out = compare(first, write_run(tmp_path / "b", "bbb"))
    tested, _, apart = out.partition("scores on cirin, of which training saw nothing")
    assert "1.234" in apart
    assert "MAE mean absolute error" in " ".join(apart.split())
    assert "JS Jensen-Shannon" in " ".join(apart.split())
    assert "MAE" not in tested


def test_runs_of_one_name_are_told_apart(compare, tmp_path):
    out = compare(
        write_run(tmp_path / "a", "same"), write_run(tmp_path / "b", "same", recipe="[training]\nepochs = 2\n")
    )
    assert "same (a)" in out
    assert "same (b)" in out


def test_similarity_in_another_geometry_is_left_blank(compare, tmp_path):
    one, other = write_run(tmp_path / "a", "aaa"), write_run(tmp_path / "b", "bbb", geometry="angle")
    rows = {line.split()[0]: line for line in compare(one, other).splitlines() if line.strip()}
    assert "0.400" in rows["aaa"]
    assert "0.400" not in rows["bbb"]
    assert "0.100" in rows["bbb"]
    assert "another geometry" in compare(one, other)
    assert "another geometry" not in compare(one)


def test_one_seed_each_is_said_where_several_models_are_compared(compare, tmp_path):
    a, b = write_run(tmp_path / "a", "a"), write_run(tmp_path / "b", "b")
    again = write_run(tmp_path / "a2", "a", seed=1)
    assert "One seed each" in compare(a, b)
    assert "One seed each" not in compare(a)
    assert "One seed each" not in compare(a, again)


def test_the_last_epoch_is_not_told_as_chosen_by_validation(compare, tmp_path):
    last = write_run(tmp_path / "a", "a", selection="last")
    other = write_run(tmp_path / "b", "b")
    assert "no epoch was chosen: the last one was kept" in " ".join(compare(last).split())
    assert "by which the epoch was chosen" in " ".join(compare(other).split())
    assert "an epoch was chosen, if not the last" in " ".join(compare(last, other).split())


def test_records_that_lack_something_are_shown_all_the_same(compare, tmp_path):
    bare = dict.fromkeys(("protocol", "transductive", "validate", "selected_epoch", "geometry", "test", "seed"), ...)
    out = compare(write_run(tmp_path / "a", "old", **bare))
    assert "protocol not recorded" in out
    assert "old" in out


def test_a_damaged_record_is_said_to_be_damaged(run, tmp_path):
    write_run(tmp_path / "a", test={"uar": "high"})
    code, _, err = run("evaluate", "a")
    assert code == 2
    assert "metrics.json of run a is damaged (test.uar: " in err


# ---- words to type next


def test_paths_in_next_commands_are_quoted(run, tmp_path):
    write_run(tmp_path / "my run;x", "one")
    _, out, _ = run("evaluate", "my run;x")
    command = out.split("next:")[1].strip()
    assert shlex.split(command) == ["affectspace", "report", "my run;x"]


def test_quoted_paths_are_read_by_a_shell_as_they_were():
    paths = ["a b", "it's", "$HOME", "-x", "plain"]
    assert shlex.split(tell.quoted(*paths)) == paths


# ---- doctor


def test_doctor_survives_a_cache_that_cannot_be(run, lay, monkeypatch):
    monkeypatch.setenv("AFFECTSPACE_CACHE", "file/below")
    code, out, _ = run("doctor")
    assert code == 1
    assert "NO  cache" in out
    assert "cannot be made: Not a directory" in out
    assert "mend the lines that say NO" in out


def test_a_disk_that_is_not_mounted_becomes_no_folder_of_another(run, lay, monkeypatch, tmp_path):
    monkeypatch.setenv("AFFECTSPACE_CACHE", f"{tmp_path}{os.pathsep}{tmp_path / 'gone'}")
    told = (
        f"AFFECTSPACE_CACHE names {tmp_path / 'gone'}, which is no folder; mount its disk, make the folder, or leave it"
    )
    code, out, _ = run("doctor")
    assert code == 1
    assert f"NO  cache                {told} out\n" in out
    assert not (tmp_path / "gone").exists()
    with pytest.raises(InputError, match=re.escape(told)):
        cache_folders()


# ---- quick answers


@pytest.mark.parametrize("words", [["evaluate", "{}"], ["report", "nowhere"], ["embed", "{}", "nowhere.wav"]])
def test_finished_figures_and_errors_do_not_wait_for_torch(tmp_path, words):
    run = write_run(tmp_path / "run")
    words = [word.format(run) for word in words]
    code = (
        "import sys; from affectspace.cli.app import main\n"
        f"sys.argv = ['affectspace', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("module", ["affectspace", "affectspace.cli.app"])
def test_a_module_that_is_run_is_the_command(module):
    words = [sys.executable, "-X", "importtime", "-m", module, "report", "nowhere"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "error: there is no run folder nowhere" in told.stderr
    assert not {"torch", "matplotlib"} & {line.split("|")[-1].strip() for line in told.stderr.splitlines()}


# ---- demo


def test_a_demo_makes_the_languages_that_are_missing_and_no_other(tmp_path, monkeypatch):
    import affectspace.corpora as corpora
    from affectspace.cli.demo import _make_missing

    made = []
    monkeypatch.setattr(corpora, "make_synthetic", lambda root, language, **settings: made.append(language))
    (tmp_path / "alva").mkdir()
    (tmp_path / "alva/items.csv").write_text("")
    (tmp_path / "boro").mkdir()  # begun and left empty
    _make_missing(tmp_path)
    assert made == ["boro", "cirin"]


@pytest.mark.parametrize(("words", "message"), [(["--seed", "-1"], "seed"), (["--test", "urdu"], "--test 'urdu'")])
def test_a_demo_that_cannot_be_makes_nothing(run, tmp_path, words, message):
    code, _, err = run("demo", "--out", "demo", *words)
    assert code == 2
    assert message in err
    assert not list(tmp_path.iterdir())


def test_doctor_says_how_to_find_faces_where_it_cannot(run, monkeypatch):
    from affectspace.cli import doctor

    def version(name):
        if name == "scikit-image":
            raise doctor.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(doctor, "version", version)
    code, out, _ = run("doctor")
    assert code == 0
    assert 'scikit-image is not installed (finds faces in pictures: finder = "cascade"): pip install "aff' in out
    assert "onnxruntime 1: runs a YuNet file" in out


def test_doctor_says_whether_functionals_can_be_made(run, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "opensmile" else found(name, *_))
    code, out, _ = run("doctor")
    assert code == 0
    assert 'openSMILE is not installed; only functionals need it: pip install "affectspace[functionals]"' in out
