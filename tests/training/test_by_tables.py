"""What tables show to be wrong is told before a front end is made or a medium is read."""

import re

import pandas as pd
import pytest
import tomli_w

from affectspace.errors import InputError
from affectspace.studies.data import open_data
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.study import load_study
from affectspace.training import make_recipe, train, train_recipe
from affectspace.training.by_tables import by_tables, refuse_by_tables
from affectspace.training.cache import DataCache
from affectspace.training.label_corpus import label_corpora
from affectspace.training.prepare import prepare
from affectspace.training.split import make_split

NAMES = ["angry", "sad"]
PEOPLE = ("anna", "ben", "cleo", "dora")


@pytest.fixture
def lay(tmp_path):
    """``lay(name, card, **columns)``: eight sentences of four people, and what stands in some columns."""

    def write(name, card="", **columns):
        (tmp_path / name).mkdir()
        rows = {"id": [f"{name}{at}" for at in range(8)], "text": [f"take {at}" for at in range(8)]}
        people = [PEOPLE[at % 4] for at in range(8)]
        table = pd.DataFrame(rows | {"speaker": people, "label": [NAMES[at // 4] for at in range(8)]} | columns)
        table.to_csv(tmp_path / name / "items.csv", index=False)
        (tmp_path / name / "corpus.toml").write_text(card)

    return write


@pytest.fixture
def unread(monkeypatch):
    """No front end may be made."""

    def front_end(_):
        raise AssertionError("a front end was made before the tables were looked at")

    monkeypatch.setattr("affectspace.training.gather.make_frontend", front_end)


def values(folder, *corpora, **protocol):
    return {
        "name": "CE",
        "data": str(folder),
        "corpora": [{"path": name} for name in corpora],
        "labels": {"kind": "classes", "names": NAMES},
        "features": {"kind": "vectors", "path": "v.parquet", "id_column": "id", "max_bad_share": 0.3},
        "encoder": {"kind": "mlp", "hidden": 8},
        "protocol": protocol or {"kind": "cross_language", "target": "de", "validate_share": 0.5},
        "training": {"epochs": 1, "selection": "last"},
        "terms": [{"kind": "cross_entropy"}],
    }


@pytest.mark.parametrize(
    ("card", "columns", "protocol", "told"),
    [
        ('language = "German"', {}, {}, "corpora name their languages by words, such as 'German', and by codes"),
        ("", {}, {}, "8 of 16 items have no language, such as 'b/b0'; give their corpus a language in corpus.toml"),
        ("", {"language": ["en", *[None] * 7]}, {}, "7 of 16 items have no language, such as 'b/b1'"),
        ('language = "en"', {"speaker": "anna"}, {}, "language 'en' is of one speaker, 'b/anna', so none can be kept"),
        ('language = "en"', {}, {"target": "fr"}, "there is no language 'fr'; legal: de, en"),
        ('language = "en"', {}, {"source": ["en", "en"]}, "language 'en' is named twice in source and auxiliary"),
        ('language = "en"', {"label": "Trauer"}, {}, "label 'Trauer' (8 items) is outside the classes angry, sad"),
        (
            'language = "en"\n[label_map]\nTrauer = "traurig"',
            {"label": "Trauer"},
            {},
            "label 'Trauer' (by the map 'traurig', 8 items) is outside the classes angry, sad",
        ),
        ('language = "en"', {"speaker": None}, {}, "8 of 8 items have no speaker, such as 'b/b0'"),
    ],
)
def test_what_tables_show_is_told_before_a_front_end_is_made(lay, unread, tmp_path, card, columns, protocol, told):
    lay("a", 'language = "de"')
    lay("b", card, **columns)
    asked = {"kind": "cross_language", "target": "de", "validate_share": 0.5} | protocol
    made = make_recipe(values(tmp_path, "a", "b", **asked))
    with pytest.raises(InputError, match=re.escape(told)):
        train(made, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run/recipe.toml").exists()
    with pytest.raises(InputError, match=re.escape(told)):
        refuse_by_tables(made, DataCache().by_tables(made))


def test_every_fold_is_looked_at_before_the_first_is_read(lay, unread, tmp_path):
    lay("a", session=["1", "1", "1", "2", "1", "1", "1", "2"])  # in which dora is alone
    folds = {"kind": "leave_one_out", "by": "speaker", "within": "session", "fold": "all"}
    with pytest.raises(InputError, match="speaker 'a/dora' is alone in session a/2"):
        train_recipe(make_recipe(values(tmp_path, "a", **folds)), tmp_path / "run", quiet=True)


def test_a_study_looks_at_the_tables_of_all_splits_before_it_reads_for_the_first(lay, unread, tmp_path):
    lay("a", 'language = "de"')
    lay("b", 'language = "en"', speaker="anna")
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(values(tmp_path, "a", "b")))
    splits = [{"name": f"to {name}", "set": {"protocol.target": name}} for name in ("en", "de", "fr")]
    study = {"name": "mine", "recipes": [{"name": "CE", "path": "recipe.toml"}], "splits": splits, "seeds": 1}
    (tmp_path / "study.toml").write_text(tomli_w.dumps(study))
    with pytest.raises(InputError) as error:
        open_data(StudyRecipes(load_study(tmp_path / "study.toml")))
    first, second = str(error.value).splitlines()
    assert "recipe 'CE' on split 'to de': language 'en' is of one speaker, 'b/anna'" in first
    assert "recipe 'CE' on split 'to fr': there is no language 'fr'" in second


def test_the_split_that_is_trained_on_is_of_the_items_that_can_be_read(lay, tmp_path):
    lay("a", 'language = "de"')
    lay("b", 'language = "en"')
    ids = [f"{name}/{name}{at}" for name in "ab" for at in range(8)]
    table = pd.DataFrame({"id": ids, "x": range(16), "y": 1.0})
    made = make_recipe(values(tmp_path, "a", "b"))
    table.to_parquet(tmp_path / "v.parquet")
    tables = by_tables(label_corpora(made))
    split, whole = make_split(made, tables), prepare(made)
    assert whole.items["id"].tolist() == tables.items["id"].tolist()
    assert [whole.split.train.tolist(), whole.split.validate.tolist(), whole.split.test.tolist()] == [
        split.train.tolist(), split.validate.tolist(), split.test.tolist(),
    ]  # fmt: skip
    assert whole.targets.tolist() == tables.targets.tolist()
    table[table["id"] != "a/a3"].to_parquet(tmp_path / "v.parquet")
    assert prepare(made).split.sizes["test"] == 7
