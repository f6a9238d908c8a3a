"""A run folder is read as it was written; what is missing or damaged is said by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.training.run import Run
from affectspace.training.runs import model_groups, open_runs

TARGETS = [[0.75, 0.25], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
ROWS = [
    {"epoch": 1, "loss": 0.9, "terms": {"cross_entropy": 0.9}, "validate": {"uar": 0.5}, "test": {"uar": 0.4}},
    {"epoch": 2, "loss": 0.7, "terms": {"cross_entropy": 0.7}, "validate": {"uar": 0.75}, "test": {"uar": None}},
]


def write_run(folder: Path, name: str = "baseline", *, finished: bool = True, prefix: str = "a") -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(f'name = "{name}"\nseed = 3\n[training]\nepochs = 2\n', encoding="utf-8")
    (folder / "environment.txt").write_text("torch 2\n")
    (folder / "data.json").write_text(json.dumps({"corpora": [{"name": "emodb"}]}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "snapshots").mkdir()
    embedding = np.arange(12, dtype=np.float32).reshape(4, 3)
    items = [f"emodb/{prefix}{i}" for i in range(4)]
    pd.DataFrame({"item": items[2:], "target": TARGETS[2:], "embedding": list(embedding[2:])}).to_parquet(
        folder / "snapshots" / "epoch-0002.parquet"
    )
    pd.DataFrame({"key": items, "part": ["validate", "validate", "test", "test"]}).to_parquet(folder / "split.parquet")
    if finished:
        pd.DataFrame(
            {
                "item": items,
                "split": ["validate", "validate", "test", "test"],
                "speaker": ["s1", "s1", "s2", None],
                "target": TARGETS,
                "probabilities": [[0.6, 0.4], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]],
                "embedding": list(embedding),
            }
        ).to_parquet(folder / "predictions.parquet")
        (folder / "timing.json").write_text('{"seconds": 12.5}')
        final = {
            "name": name, "seed": 3, "selected_epoch": 2, "classes": ["low", "high"], "geometry": "chord",
            "validate": {"uar": 0.75}, "test": {"uar": 0.5, "similarity_rho": None},
        }  # fmt: skip
        (folder / "metrics.json").write_text(json.dumps(final))
    return folder


def write_folds(folder: Path) -> Path:
    for fold in range(2):
        write_run(folder / f"fold-{fold:02d}", prefix="ab"[fold])
    pooled = {
        "name": "baseline",
        "folds": 2,
        "classes": ["low", "high"],
        "selected_epoch": [2, 1],
        "test": {"uar": 0.6},
    }
    (folder / "metrics.json").write_text(json.dumps(pooled))
    return folder


def test_a_finished_run_is_read_as_written(tmp_path):
    run = Run(write_run(tmp_path / "run"))
    assert run.finished
    assert (run.name, run.seed, run.classes, run.selected_epochs) == ("baseline", 3, ("low", "high"), (2,))
    assert run.recipe["training"] == {"epochs": 2}
    assert run.environment == "torch 2\n"
    assert run.data["corpora"][0]["name"] == "emodb"
    assert run.timing["seconds"] == 12.5
    assert run.parts == (run,)
    assert run.split["part"].tolist() == ["validate", "validate", "test", "test"]


def test_epochs_become_columns_with_dotted_names(tmp_path):
    epochs = Run(write_run(tmp_path / "run")).epochs
    assert epochs.index.tolist() == [1, 2]
    assert epochs["terms.cross_entropy"].tolist() == [0.9, 0.7]
    assert epochs["validate.uar"].tolist() == [0.5, 0.75]
    assert np.isnan(epochs["test.uar"].iloc[1])


def test_scores_and_arrays_of_a_split(tmp_path):
    run = Run(write_run(tmp_path / "run"))
    assert run.scores()["uar"] == 0.5
    assert np.isnan(run.scores()["similarity_rho"])
    assert run.scores("train") == {}
    test = run.evaluated("test")
    assert test is not None
    assert test.items.tolist() == ["emodb/a2", "emodb/a3"]
    assert test.speakers.tolist() == ["s2", ""]
    assert test.targets.tolist() == [[0.5, 0.5], [1.0, 0.0]]
    assert test.embeddings.tolist() == [[6, 7, 8], [9, 10, 11]]
    assert run.evaluated("nothing") is None


def test_snapshots_are_read_one_by_one(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "snapshots" / "epoch-0010.parquet").write_bytes(b"broken")
    (folder / "snapshots" / "notes.txt").write_text("not a snapshot")
    run = Run(folder)
    assert list(run.snapshots) == [2, 10]
    items, targets, embeddings = run.snapshots.embeddings(2)
    assert items.tolist() == ["emodb/a2", "emodb/a3"]
    assert targets.shape == (2, 2)
    assert embeddings.shape == (2, 3)
    with pytest.raises(InputError, match=r"epoch-0010\.parquet of run .* is damaged"):
        run.snapshots[10]


def test_an_unfinished_run_tells_how_far_it_is_and_how_to_go_on(tmp_path):
    folder = write_run(tmp_path / "my run", finished=False)
    run = Run(folder)
    assert not run.finished
    assert len(run.epochs) == 2
    for ask in (lambda: run.metrics, lambda: run.predictions, lambda: run.scores()):
        with pytest.raises(InputError) as error:
            ask()
        assert "is not finished (2 epochs done)" in str(error.value)
        assert f"affectspace train --resume '{folder}'" in str(error.value)


def test_a_line_cut_short_by_a_kill_is_left_out_only_at_the_end_of_an_unfinished_run(tmp_path):
    folder = write_run(tmp_path / "run", finished=False)
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "lo')
    assert Run(folder).epochs.index.tolist() == [1, 2]
    done = write_run(tmp_path / "done")
    with open(done / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "lo')
    with pytest.raises(InputError, match=r"metrics\.jsonl \(line 3\) of run .* is damaged"):
        Run(done).epochs  # noqa: B018


def test_an_epoch_told_twice_counts_as_it_was_told_last(tmp_path):
    folder = write_run(tmp_path / "run")
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"epoch": 1, "loss": 0.1}) + "\n")
    assert Run(folder).epochs["loss"].tolist() == [0.1, 0.7]


def test_folds_are_pooled(tmp_path):
    run = Run(write_folds(tmp_path / "folds"))
    assert [fold.path.name for fold in run.folds] == ["fold-00", "fold-01"]
    assert run.parts == run.folds
    assert run.scores()["uar"] == 0.6
    assert run.selected_epochs == (2, 1)
    test = run.evaluated()
    assert test is not None
    assert test.items.tolist() == ["emodb/a2", "emodb/a3", "emodb/b2", "emodb/b3"]
    assert test.folds.tolist() == [0, 0, 1, 1]
    assert run.timing == {"seconds": 25.0}
    assert run.epochs["validate.uar"].tolist() == [0.5, 0.75]
    assert run.recipe["name"] == "baseline"
    assert run.data["corpora"][0]["name"] == "emodb"
    assert not run.snapshots
    assert list(run.folds[1].snapshots) == [2]


def test_folds_that_are_not_all_done(tmp_path):
    folder = write_folds(tmp_path / "folds")
    (folder / "metrics.json").unlink()
    (folder / "fold-01" / "metrics.json").unlink()
    with pytest.raises(
        InputError, match=r"is not finished \(1 folds done\); finish it with: affectspace train --resume"
    ):
        Run(folder).metrics  # noqa: B018


def test_a_folder_of_runs_stands_for_each(tmp_path):
    write_run(tmp_path / "all" / "b", "b")
    write_run(tmp_path / "all" / "a", "a")
    write_folds(tmp_path / "all" / "c")
    (tmp_path / "all" / "figures").mkdir()
    assert [run.path.name for run in open_runs([tmp_path / "all"])] == ["a", "b", "c"]
    assert [run.path.name for run in open_runs([tmp_path / "all" / "b"])] == ["b"]


def test_folders_that_are_no_runs(tmp_path):
    with pytest.raises(InputError, match=r"there is no run folder .*nowhere; affectspace train makes one"):
        Run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"is not a run folder \(it has no recipe\.toml\)"):
        Run(tmp_path)
    with pytest.raises(InputError, match=r"is not a run folder"):
        open_runs([tmp_path])


@pytest.mark.parametrize(
    ("name", "content", "ask", "message"),
    [
        (
            "metrics.json",
            '{"classes": ["a"',
            "metrics",
            r"metrics\.json of run .* is damaged \(.*\); restore the folder",
        ),
        ("metrics.json", "[1]", "metrics", "it holds a list where a table is expected"),
        ("metrics.json", "{}", "metrics", r"damaged \(classes: field required\)"),
        ("metrics.json", '{"classes": ["a"]}', "metrics", "classes: list should have at least 2 items"),
        ("metrics.json", '{"classes": ["a", "b"], "test": {"uar": "?"}}', "metrics", r"test\.uar: input should be a"),
        ("metrics.json", '{"classes": ["a", "b"], "selected_epoch": "x"}', "metrics", "selected_epoch"),
        ("data.json", '{"corpora": {"name": "emodb"}}', "data", "corpora: input should be a valid list"),
        ("data.json", '{"corpora": [{"quarantine": ["a"]}]}', "data", r"corpora\.0\.quarantine\.0"),
        ("timing.json", '{"seconds": "soon"}', "timing", r"timing\.json .*damaged \(seconds"),
        ("recipe.toml", "name =", "recipe", r"recipe\.toml of run .* is damaged"),
        ("data.json", "\xff", "data", r"data\.json of run .* is damaged"),
        ("predictions.parquet", "PAR1", "predictions", r"predictions\.parquet of run .* is damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, ask, message):
    folder = write_run(tmp_path / "run")
    (folder / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        getattr(Run(folder), ask)


def test_tables_that_lack_something_are_named(tmp_path):
    folder = write_run(tmp_path / "run")
    table = pd.read_parquet(folder / "predictions.parquet")
    table.drop(columns="embedding").to_parquet(folder / "predictions.parquet")
    with pytest.raises(InputError, match="column 'embedding' is missing"):
        Run(folder).predictions  # noqa: B018
    table["probabilities"] = [[0.2, 0.3, 0.5]] * 4
    table.to_parquet(folder / "predictions.parquet")
    with pytest.raises(InputError, match="'probabilities' has 3 entries a row for 2 classes"):
        Run(folder).evaluated()
    (folder / "predictions.parquet").unlink()
    with pytest.raises(InputError, match=r"has no predictions\.parquet; its folder is not complete"):
        Run(folder).predictions  # noqa: B018


READING = """
import sys
import affectspace.training.run
from affectspace.training import Run, load_recipe

assert "torch" not in sys.modules
sys.modules["torch"] = None  # from here on it cannot be loaded
from affectspace.training import train
"""


def test_reading_a_run_does_not_load_torch():
    """Which takes seconds; training one does, and this ends there."""
    done = subprocess.run([sys.executable, "-c", READING], check=False, capture_output=True, text=True)
    assert "import of torch halted" in done.stderr, done.stderr


@pytest.mark.parametrize("first", ["", "import affectspace.training.train", "import affectspace.training.folds"])
def test_train_is_the_function_whoever_imported_the_module_of_that_name(first):
    """In a process that has loaded nothing of ours: a fork that forgets it, and keeps what others have made."""
    if not (child := os.fork()):
        try:
            for name in [name for name in sys.modules if name.partition(".")[0] == "affectspace"]:
                del sys.modules[name]
            exec(first)
            from affectspace.training import train

            os._exit(not callable(train))
        finally:
            os._exit(2)
    assert not os.waitpid(child, 0)[1]


def test_every_name_of_training_is_there_and_no_other():
    import affectspace.training as training

    for name in training.__all__:
        assert getattr(training, name).__module__.startswith("affectspace.training"), name
    assert set(training.__all__) <= set(dir(training))
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        training.trian  # noqa: B018


def test_runs_that_differ_in_nothing_but_the_seed_are_one_model(tmp_path):
    runs = [Run(write_run(tmp_path / name, name)) for name in ("same", "other")]
    again = Run(write_run(tmp_path / "again", "same"))
    assert model_groups([runs[0], runs[1], again]) == [[0, 2], [1]]


def test_a_run_without_a_word_on_selection_was_selected_by_validation(tmp_path):
    run = Run(write_run(tmp_path / "a"))
    assert run.selection == "validation"
    (run.path / "metrics.json").write_text(json.dumps({**run.metrics, "selection": "last"}))
    assert Run(run.path).selection == "last"
