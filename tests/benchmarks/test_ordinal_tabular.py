"""A measurement that was ended goes on with what it had not measured wholly."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "benchmarks/ordinal_tabular.py"
    spec = importlib.util.spec_from_file_location("ordinal_tabular_bench", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_of(bench, name, split):
    return [{"set": name, "split": split, "method": method, "AEM": 0.5} for method in bench.METHODS]


def test_only_splits_with_all_methods_are_done(bench, tmp_path):
    path = tmp_path / "runs.csv"
    assert bench.runs_of(path) == []
    whole = [*rows_of(bench, "a", 0), *rows_of(bench, "b", 0)]
    bench.keep_runs([*whole, *rows_of(bench, "a", 1)], path)
    assert len(bench.runs_of(path)) == 3 * len(bench.METHODS)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith(f"a,1,{bench.METHODS[-1]}")))
    assert bench.runs_of(path) == sorted(whole, key=lambda row: row["set"])


def test_who_is_stopped_while_writing_keeps_what_was_there(bench, tmp_path, monkeypatch):
    path = tmp_path / "runs.csv"
    bench.keep_runs(rows_of(bench, "a", 0), path)
    before = path.read_bytes()

    def cut(table, target, **settings):
        Path(target).write_text("set,spl")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", cut)
    with pytest.raises(KeyboardInterrupt):
        bench.keep_runs(rows_of(bench, "a", 1), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["runs.csv"]


@pytest.mark.parametrize(("p", "told"), [(0.0123, "p = 0.012"), (0.0004, "p < 0.001"), (0.0006, "p = 0.001")])
def test_no_p_is_told_as_nought(bench, p, told):
    assert bench.p_told(p, 3) == told
