"""A table of numbers with a response first is a corpus, and its numbers are features."""

import pandas as pd
import pytest

from affectspace.corpora import check, open_corpus
from affectspace.corpora.ordinal_tabular import numbers
from affectspace.errors import InputError
from affectspace.features import VectorTable

TABLE = pd.DataFrame({"response": [3, 5, 3], "acid": [7.4, 7.8, 6.0], "start": [1, 2, 3]})


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_and_a_folder_of_one(tmp_path, kind):
    path = tmp_path / f"wine.{kind}"
    TABLE.to_csv(path, index=False) if kind == "csv" else TABLE.to_parquet(path)
    for place in (path, tmp_path):
        corpus = open_corpus(place)
        assert corpus.name == "wine"
        assert corpus.items["id"].tolist() == ["0", "1", "2"]
        assert corpus.items["label"].tolist() == ["3", "5", "3"]
        assert check(corpus) == []
        table = numbers(corpus)
        assert list(table) == ["id", "acid", "source_start"]  # start is a column of ours
    table.to_parquet(tmp_path / "vectors.parquet")
    assert VectorTable(tmp_path / "vectors.parquet").read(["2", "0"]).values.tolist() == [
        pytest.approx([6.0, 3]),
        pytest.approx([7.4, 1]),
    ]


def test_other_tables_stay_tables(tmp_path):
    TABLE.assign(word="x").to_csv(tmp_path / "a.csv", index=False)
    TABLE[["acid", "response"]].to_csv(tmp_path / "b.csv", index=False)
    for name in ("a", "b"):
        with pytest.raises(InputError, match="has no id column and no media"):
            open_corpus(tmp_path / f"{name}.csv")
    TABLE.assign(id=[1, 2, 3]).to_csv(tmp_path / "c.csv", index=False)
    (tmp_path / "corpus.toml").write_text('[columns]\nlabel = "response"\n')
    assert open_corpus(tmp_path / "c.csv").items["id"].tolist() == ["1", "2", "3"]


def test_faults_of_a_folder_and_of_a_cell(tmp_path):
    TABLE.to_csv(tmp_path / "a.csv", index=False)
    TABLE.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"holds 2 tables, each a corpus of its own: a\.csv, b\.parquet; give one"):
        open_corpus(tmp_path)
    (tmp_path / "a.csv").write_text("response,acid\n1,2\n2,high\n")
    with pytest.raises(InputError, match=r"row 2 of .*a\.csv: acid is 'high'; it must be a number"):
        open_corpus(tmp_path / "a.csv")


@pytest.mark.real
def test_the_real_sets(real_data):
    folder = real_data / "ordinal/ordinal_tabular"
    if not folder.is_dir():
        pytest.skip("the sets are not there")
    sizes = {"winequality-red": 1359, "skill": 3337, "cement_strength": 998, "abalone_ord": 4177, "affairs": 265}
    for name, count in sizes.items():
        corpus = open_corpus(folder / f"{name}.parquet")
        assert (corpus.name, len(corpus)) == (name, count)
        assert numbers(corpus).notna().all(axis=None)
