"""A space keeps what it is given, in memory and in its file, and refuses what is no space."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.space.space import Space

CLASSES = ("happy", "neutral", "sad")


def table(n=6):
    return pd.DataFrame(
        {
            "id": [f"{'ferplus' if row % 2 else 'ckplus'}/{row}" for row in range(n)],
            "corpus": ["ferplus" if row % 2 else "ckplus" for row in range(n)],
            "label": [None if row % 4 == 3 else CLASSES[row % 3] for row in range(n)],
            "target": [None if row % 3 == 2 else np.eye(3)[row % 3] * 0.5 + 1 / 6 for row in range(n)],
            "split": ["train" if row < n // 2 else "test" for row in range(n)],
            "take": np.arange(n) % 2,
        }
    )


def space(n=6, d=4):
    return Space(table(n), np.random.default_rng(0).normal(size=(n, d)), CLASSES, {"model": "runs/one", "seeds": [1]})


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 40), d=st.integers(1, 9), seed=st.integers(0, 100))
def test_a_file_gives_back_what_was_saved(tmp_path_factory, n, d, seed):
    path = tmp_path_factory.mktemp("space") / "s.parquet"
    made = Space(table(n), np.random.default_rng(seed).normal(size=(n, d)), CLASSES, {"model": "é", "kept": [1, None]})
    made.save(path)
    back = Space.open(path)
    assert back.vectors.tobytes() == made.vectors.tobytes()
    assert back.classes == made.classes
    assert back.about == made.about
    assert np.array_equal(back.labels, made.labels)
    assert (back.targets is None) == (made.targets is None)
    assert made.targets is None or np.array_equal(back.targets, made.targets, equal_nan=True)
    for column in ("id", "corpus", "label", "split", "image", "take"):
        assert back.items[column].tolist() == made.items[column].tolist() or back.items[column].equals(
            made.items[column]
        )


def test_more_items_than_a_row_group_holds(tmp_path, monkeypatch):
    for module in ("space_file.ROWS", "space.BLOCK"):
        monkeypatch.setattr(f"affectspace.space.{module}", 5)
    made = space(23)
    made.save(tmp_path / "s.parquet")
    assert pq.ParquetFile(tmp_path / "s.parquet").num_row_groups == 5
    back = Space.open(tmp_path / "s.parquet")
    assert back.vectors.tobytes() == made.vectors.tobytes()
    assert np.array_equal(back.targets, made.targets, equal_nan=True)
    broken = made.vectors.copy()
    broken[17, 1] = np.nan
    with pytest.raises(InputError, match="vector of item ferplus/17 is not finite"):
        Space(made.items, broken, CLASSES)


def test_the_file_is_plain_parquet_that_pandas_reads(tmp_path):
    space().save(tmp_path / "s.parquet")
    plain = pd.read_parquet(tmp_path / "s.parquet")
    assert plain.columns.tolist() == ["id", "vector", "corpus", "label", "target", "split", "take"]
    assert np.array_equal(np.stack(plain["vector"]), space().vectors)
    schema = pq.read_schema(tmp_path / "s.parquet")
    assert schema.field("vector").type == pa.list_(pa.float32(), 4)
    assert json.loads(schema.metadata[b"affectspace"]) == {"classes": list(CLASSES), "about": space().about}


def test_a_plain_table_of_ids_and_vectors_is_a_space(tmp_path):
    vectors = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    plain = pd.DataFrame({"id": ["a", "b", "c"], "vector": vectors, "label": ["sad", None, "angry"]})
    plain.to_parquet(tmp_path / "s.parquet", index=False)
    opened = Space.open(tmp_path / "s.parquet")
    assert opened.vectors.tolist() == vectors
    assert opened.classes == ("angry", "sad")
    assert opened.labels.tolist() == [1, -1, 0]


def test_labels_that_are_numbers_are_named_by_their_digits(tmp_path):
    pd.DataFrame({"id": [7, 8], "vector": [[1.0], [2.0]], "label": [3, 1]}).to_parquet(tmp_path / "s.parquet")
    opened = Space.open(tmp_path / "s.parquet")
    assert opened.classes == ("1", "3")
    assert opened.labels.tolist() == [1, 0]
    assert opened.items["id"].tolist() == ["7", "8"]


def test_a_file_of_an_earlier_embed_opens(tmp_path):
    found = pd.DataFrame(
        {
            "id": ["x", "y"],
            "vector": [[1.0], [2.0]],
            "probabilities": [[0.3, 0.7], [0.9, 0.1]],
            "prediction": ["b", "a"],
        }
    )
    metadata = {"affectspace": json.dumps({"classes": ["a", "b"], "model": "demo"})}
    pq.write_table(
        pa.Table.from_pandas(found, preserve_index=False).replace_schema_metadata(metadata), tmp_path / "e.parquet"
    )
    opened = Space.open(tmp_path / "e.parquet")
    assert opened.about == {"model": "demo"}
    assert opened.probabilities == pytest.approx(np.array([[0.3, 0.7], [0.9, 0.1]]))
    assert opened.labels.tolist() == [-1, -1]
    assert opened.targets is None
    assert opened.items["prediction"].tolist() == ["b", "a"]


def test_targets_are_the_votes_else_the_label_else_unknown():
    got = space().targets
    assert np.allclose(got[0], [4 / 6, 1 / 6, 1 / 6])
    assert np.allclose(got[2], [0, 0, 1])  # its label alone
    assert np.isnan(Space(table().assign(target=None, label=None), np.eye(6), CLASSES).targets).all()
    assert Space(table().drop(columns=["target", "label"]), np.eye(6), CLASSES).targets is None
    bare = Space(table().drop(columns=["target"]), np.eye(6), CLASSES)
    assert np.array_equal(bare.targets[[0, 1]], np.eye(3)[[0, 1]])
    assert np.isnan(bare.targets[3]).all()


def test_conditions_agree_with_a_plain_loop():
    rows = space(24).items
    cases = {
        ("split=test",): lambda r: r["split"] == "test",
        ("corpus=ferplus|ckplus", "split=train"): lambda r: r["split"] == "train",
        ("label!=happy|sad",): lambda r: pd.isna(r["label"]) or r["label"] == "neutral",
        ("label!=", "corpus=ferplus"): lambda r: not pd.isna(r["label"]) and r["corpus"] == "ferplus",
        ("label=",): lambda r: pd.isna(r["label"]),
        ("take=1.0",): lambda r: r["take"] == 1,
    }
    for conditions, held in cases.items():
        wanted = [row["id"] for _, row in rows.iterrows() if held(row)]
        chosen = space(24).where(*conditions)
        assert chosen.items["id"].tolist() == wanted
        whole = space(24)
        assert np.array_equal(chosen.vectors, whole.vectors[whole.items["id"].isin(wanted).to_numpy()])
        assert chosen.about == whole.about


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (["splt=test"], r"no column 'splt'; did you mean 'split'\? There are id, "),
        (["split=tset"], r"no item has split 'tset'; did you mean 'test'\? There are test, train"),
        (["speaker=anna"], r"no item has speaker 'anna'; it is unknown for all"),
        (["split"], r"'split' is no condition; write column=value"),
        (["label!=hapy|sad"], r"no item has label 'hapy'; did you mean 'happy'\?"),
        (["split="], r"no item has split=: split is known for all$"),
        (["speaker!="], r"no item has speaker!=: speaker is missing for all$"),
        (["split!=train|test"], r"no item has split!=train\|test$"),
        (["corpus=ckplus", "take=1"], r"no item has corpus=ckplus and take=1; each occurs, but not together"),
    ],
)
def test_a_condition_that_cannot_hold_names_the_nearest(conditions, words):
    with pytest.raises(InputError, match=words):
        space().where(*conditions)


def test_rows_by_place_or_mask():
    assert space().take(np.array([4, 1])).items["id"].tolist() == ["ckplus/4", "ferplus/1"]
    assert np.array_equal(space().take(np.array([4, 1])).vectors, space().vectors[[4, 1]])
    assert len(space().take(np.arange(6) % 2 == 0)) == 3
    assert np.array_equal(space().take(np.array([4, 1])).targets, space().targets[[4, 1]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.assign(id="x"), r"two items have the id 'x'; give each its own"),
        (lambda t: t.assign(id=[None, *t["id"][1:]]), r"item in row 0 has no id"),
        (lambda t: t.drop(columns="id"), r"no column 'id'; there are corpus, label"),
        (lambda t: t[:0], r"a space needs at least one item"),
        (lambda t: t.assign(label="hapy"), r"label 'hapy' is none of the classes happy, neutral, sad; .*'happy'\?"),
        (lambda t: t.assign(label="zzz"), r"leave it missing where it is unknown"),
        (lambda t: t.assign(target=[[1.0, 0.0]] * 6), r"target of item ckplus/0 is \[1.0, 0.0\]; give 3 numbers"),
        (lambda t: t.assign(probabilities="ab"), r"probabilities of item ckplus/0 is ab; give 3 numbers"),
        (lambda t: t[:5], r"vectors have shape \(6, 4\) for 5 items"),
    ],
)
def test_items_that_make_no_space(change, words):
    with pytest.raises(InputError, match=words):
        Space(change(table()), space().vectors, CLASSES)


def test_vectors_that_make_no_space():
    for vectors in (np.zeros(6), np.zeros((6, 0)), np.zeros((6, 2, 2))):
        with pytest.raises(InputError, match="give one row of numbers an item"):
            Space(table(), vectors, CLASSES)
    with pytest.raises(InputError, match="vector of item ckplus/0 is not finite"):
        Space(table(), np.full((6, 2), np.inf), CLASSES)
    with pytest.raises(InputError, match="the classes are a, a; each needs a name of its own"):
        Space(table().drop(columns=["label", "target"]), np.eye(6), ("a", "a"))


def test_files_that_are_no_space(tmp_path):
    with pytest.raises(InputError, match=r"there is no space nowhere\.parquet"):
        Space.open("nowhere.parquet")
    with pytest.raises(InputError, match="is a folder but no run"):
        Space.open(tmp_path)
    (tmp_path / "text.parquet").write_text("no table at all")
    with pytest.raises(InputError, match=r"text\.parquet cannot be read as a space"):
        Space.open(tmp_path / "text.parquet")
    tables = {
        "no column 'vector'": {"id": ["a"]},
        "no column 'id'": {"vector": [[1.0]]},
        "have 1, 2 numbers": {"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]},
        "missing for some items": {"id": ["a", "b"], "vector": [[1.0], None]},
        "is of double, not of lists": {"id": ["a"], "vector": [1.0]},
        "two items have the id": {"id": ["a", "a"], "vector": [[1.0], [2.0]]},
        "item b is not finite": {"id": ["a", "b"], "vector": [[1.0], [np.nan]]},
    }
    for words, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / "s.parquet")
        with pytest.raises(InputError, match=words):
            Space.open(tmp_path / "s.parquet")
    space().save(tmp_path / "s.parquet")
    whole = (tmp_path / "s.parquet").read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 3):
        (tmp_path / "s.parquet").write_bytes(whole[:cut])
        with pytest.raises(InputError, match="cannot be read as a space"):
            Space.open(tmp_path / "s.parquet")


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    space().save(tmp_path / "s.parquet")
    before = (tmp_path / "s.parquet").read_bytes()
    with pytest.raises(TypeError):
        Space(table(), np.eye(6), CLASSES, {"model": object()}).save(tmp_path / "s.parquet")
    assert (tmp_path / "s.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]
