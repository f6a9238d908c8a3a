"""Columns of the items' own come into a space by their kind, and none that leads out or whose name is taken."""

import pandas as pd
import pytest

from affectspace.corpora import open_corpus
from affectspace.space.own_columns import own_columns, typed


def corpus_of(folder, **columns):
    folder.mkdir(exist_ok=True)
    table = pd.DataFrame({"id": ["a", "b", "c"], **columns})
    table.to_csv(folder / "items.csv", index=False)
    return open_corpus(folder)


def test_text_and_numbers_are_kept_and_what_a_space_has_already_is_not_repeated(tmp_path):
    corpus = corpus_of(
        tmp_path / "mine",
        speaker="s",
        label="sad",
        session=["1", "1", "2"],
        carried=["yes", "no", None],
        size=[1, 2.5, 3],
    )
    kept, reasons = own_columns(corpus)
    assert reasons == {}
    assert set(kept) == {"id", "session", "carried", "size"}
    assert kept["id"].tolist() == ["mine/a", "mine/b", "mine/c"]
    assert kept["carried"].fillna("").tolist() == ["yes", "no", ""]
    assert typed(kept)["size"].tolist() == [1, 2.5, 3]
    assert typed(kept)["session"].tolist() == ["1", "1", "2"]


@pytest.mark.parametrize(
    "cell",
    ["/home/me/a.png", "~/a.png", "../a.png", "x/../../a.png", "C:\\photos\\a.png", "\\\\host\\a.png", "file:///a"],
)
def test_paths_that_lead_out_are_left_out_and_told(tmp_path, cell):
    kept, reasons = own_columns(
        corpus_of(tmp_path / "mine", source=["in/a.png", cell, None], take=["1/2", "and/or", ".."])
    )
    assert reasons == {"source": "it holds paths that lead out of the corpus"}
    assert set(kept) == {"id", "take"}


def test_names_that_a_space_has_are_told(tmp_path):
    columns = {name: ["1", "2", "3"] for name in ("prediction", "vector", "target", "mine")} | {"split": "train"}
    kept, reasons = own_columns(corpus_of(tmp_path / "mine", **columns))
    assert set(kept) == {"id", "mine"}
    assert reasons == dict.fromkeys(("split", "prediction", "vector", "target"), "the space has a column of that name")


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1", "2.5", "-3e-2"], True),
        (["1", "2", "30"], True),
        (["0", None, "0.5"], True),
        (["007", "12", "13"], False),
        (["1", "two", "3"], False),
        (["1.", "nan", "inf"], False),
        ([None, None, None], False),
    ],
)
def test_only_what_is_a_number_throughout_becomes_numbers(cells, numbers):
    column = typed(pd.DataFrame({"x": pd.array(cells, "string")}))["x"]
    assert pd.api.types.is_numeric_dtype(column.dtype) == numbers
    expected = [float(cell) if numbers else cell for cell in cells if cell is not None]
    assert column.dropna().tolist() == expected
