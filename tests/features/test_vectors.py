"""Tables and npz files of vectors, good and bad."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.features import VectorTable, vector_files


@pytest.fixture
def table(tmp_path) -> pd.DataFrame:
    frame = pd.DataFrame({"id": list("abcd"), "words": "text", "f_2": [1.0, 2, 3, 4], "f_1": [5.0, 6, 7, 8], "g": 9})
    frame.to_csv(tmp_path / "v.csv", index=False)
    frame.to_csv(tmp_path / "v.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "v.parquet")
    return frame


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_columns_by_name_and_pattern_in_the_order_asked_for(tmp_path, table, ending):
    features = VectorTable(tmp_path / f"v.{ending}", columns=("g", "f_*")).read()
    assert features.ids.tolist() == list("abcd")
    assert features.lengths.tolist() == [1, 1, 1, 1]
    assert features.values.dtype == np.float32
    assert features["c"].tolist() == [[9, 3, 7]]
    assert features.audio_sha.tolist() == [None] * 4


def test_all_columns_that_are_left(tmp_path):
    pd.DataFrame({"name": ["x"], "p": [1], "q": [True]}).to_parquet(tmp_path / "v.parquet")
    assert VectorTable(tmp_path / "v.parquet", id_column="name").read()["x"].tolist() == [[1, 1]]


def test_items_in_the_order_wanted(tmp_path, table):
    features = VectorTable(tmp_path / "v.csv", columns="f_1").read(["d", "b"])
    assert features.ids.tolist() == ["d", "b"]
    assert features.values.ravel().tolist() == [8, 6]
    with pytest.raises(InputError, match="id 'd' occurs 2 times in the items asked for"):
        VectorTable(tmp_path / "v.csv", columns="f_1").read(["d", "d"])


def test_ids_stay_text(tmp_path):
    (tmp_path / "v.csv").write_text("id,f\n007,1\n7,2\n")
    assert VectorTable(tmp_path / "v.csv").read(["007"])["007"].tolist() == [[1]]


def test_vectors_cannot_be_written_to(tmp_path, table):
    with pytest.raises(ValueError, match="read-only"):
        VectorTable(tmp_path / "v.csv", columns="f_1").read()[0][:] = 0


def test_numbers_that_are_not_finite_are_in_quarantine(tmp_path):
    (tmp_path / "v.csv").write_text("id,f,g\na,1,2\nb,,2\nc,1,inf\nd,nan,nan\ne,1e39,4\n")
    features = VectorTable(tmp_path / "v.csv").read(["a", "b", "c", "d", "e", "x"], max_bad_share=0.9)
    assert features.ids.tolist() == ["a"]
    assert dict(zip(features.quarantine["id"], features.quarantine["reason"])) == {
        "b": "column 'f' is nan",
        "c": "column 'g' is inf",
        "d": "column 'f' is nan",
        "e": "column 'f' is inf",
        "x": "v.csv has no vector for it",
    }
    with pytest.raises(InputError, match=r"4 of 5 items have no features, and a share of 0\.1 is allowed"):
        VectorTable(tmp_path / "v.csv").read()


def test_several_files(tmp_path, table):
    for number in (1, 2):
        part = table.iloc[2 * number - 2 : 2 * number]
        part.to_parquet(tmp_path / f"session{number}.parquet")
    whole = VectorTable(tmp_path / "v.parquet", columns="f_*").read()
    listed = VectorTable([tmp_path / "session1.parquet", tmp_path / "session2.parquet"], columns="f_*")
    pattern = VectorTable(str(tmp_path / "session*.parquet"), columns="f_*")
    for files in (listed, pattern):
        assert np.array_equal(files.read().values, whole.values)
        assert files.read().ids.tolist() == list("abcd")
    assert listed.fingerprint == pattern.fingerprint
    with pytest.raises(InputError, match=r"id 'a' occurs 2 times in session1\.parquet to v\.parquet"):
        VectorTable([tmp_path / "session1.parquet", tmp_path / "v.parquet"], columns="f_*").read()
    table.drop(columns="f_1").to_parquet(tmp_path / "session3.parquet")
    with pytest.raises(InputError, match=r"session3\.parquet has other feature columns than .*session1\.parquet"):
        VectorTable(str(tmp_path / "session*.parquet"), columns="f_*").read()


def test_an_npz_file(tmp_path):
    np.savez(tmp_path / "v.npz", id=np.array(["a", "b"]), vectors=np.arange(6).reshape(2, 3), other=np.zeros(5))
    features = VectorTable(tmp_path / "v.npz").read()
    assert features["b"].tolist() == [[3, 4, 5]]
    assert features.ids.tolist() == ["a", "b"]
    named = VectorTable(tmp_path / "v.npz", id_column="id", columns=("vectors",))
    assert np.array_equal(named.read().values, features.values)
    assert named.dimensions == 3


def test_an_npz_file_of_objects_is_refused(tmp_path):
    np.savez(tmp_path / "v.npz", id=np.array(["a"], dtype=object), vectors=np.zeros((1, 2)))
    with pytest.raises(InputError, match="cannot be read as an npz file of plain arrays"):
        VectorTable(tmp_path / "v.npz").read()


def test_what_is_no_array_in_an_npz_file_is_passed_over(tmp_path):
    np.savez(tmp_path / "v.npz", id=np.array(["a"]), vectors=np.ones((1, 2)))
    with zipfile.ZipFile(tmp_path / "v.npz", "a") as archive:
        archive.writestr("readme.txt", "made in 2026")
    assert VectorTable(tmp_path / "v.npz").read()["a"].tolist() == [[1, 1]]


def test_an_npz_file_that_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "UNPACKED", 1000)
    np.savez_compressed(tmp_path / "v.npz", id=np.array(["a"]), vectors=np.zeros((1, 1_000_000)))
    with pytest.raises(InputError, match=r"would unpack to 0\.0 GB, over 100 times its size; .*np\.savez"):
        VectorTable(tmp_path / "v.npz").read()
    np.savez(tmp_path / "v.npz", id=np.array(["a"]), vectors=np.zeros((1, 1_000_000)))
    assert VectorTable(tmp_path / "v.npz").dimensions == 1_000_000


def test_the_fingerprint_follows_the_content_and_the_settings(tmp_path, table):
    first = VectorTable(tmp_path / "v.csv", columns="f_1").fingerprint
    assert VectorTable(tmp_path / "v.csv", columns="f_1").fingerprint == first
    assert VectorTable(tmp_path / "v.csv", columns="f_*").fingerprint != first
    table.assign(f_1=0).to_csv(tmp_path / "v.csv", index=False)
    assert VectorTable(tmp_path / "v.csv", columns="f_1").fingerprint != first


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("none.csv", {}, r"there is no table .*none\.csv"),
        ("none.npz", {}, r"there is no file .*none\.npz"),
        ("none*.csv", {}, r"no file matches .*none\*\.csv"),
        ("v.csv", {"id_column": "name"}, "has no column 'name'; name the one with the ids: id, words, f_2, f_1, g"),
        ("v.csv", {"columns": "h_*"}, r"has no column 'h_\*'; it has words, f_2, f_1, g"),
        ("v.csv", {}, "column 'words' of .* holds 'text' for 'a', which is no number; list the feature columns"),
        ("v.parquet", {}, "column 'words' of .* holds 'text' for 'a'"),
        ("v.npz", {"id_column": "ids"}, r"has no array of ids 'ids'; name one of: id \(2,\), a \(2, 3\), b \(2, 3\)"),
        ("v.npz", {}, r"needs one matrix \(items, dimensions\), named by columns; it has"),
        ("v.npz", {"columns": ("c",)}, r"needs one matrix"),
        ("w.npz", {}, "has 3 ids and 2 vectors; one id is one vector"),
        ("broken.npz", {}, "cannot be read as an npz file"),
        ("holes.csv", {}, r"row 2 of .*holes\.csv has no 'id'; every vector needs an id"),
        ("ids.csv", {}, "has no feature columns beside 'id'"),
        ("header.csv", {}, r"header\.csv holds no vector"),
        ("array.npz", {}, "cannot be read as an npz file"),
        ("giant.npz", {}, "cannot be read as an npz file"),
    ],
)
def test_errors_say_value_and_remedy(tmp_path, table, name, settings, message):
    np.savez(tmp_path / "v.npz", id=np.array(["a", "b"]), a=np.zeros((2, 3)), b=np.zeros((2, 3)))
    np.savez(tmp_path / "w.npz", id=np.array(["a", "b", "c"]), a=np.zeros((2, 3)))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and so on")
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.zeros((2, 3)))
    with zipfile.ZipFile(tmp_path / "giant.npz", "w") as archive, archive.open("a.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**6)})
    (tmp_path / "header.csv").write_text("id,f\n")
    (tmp_path / "holes.csv").write_text("id,f\na,1\n,2\n")
    (tmp_path / "ids.csv").write_text("id\na\n")
    with pytest.raises(InputError, match=message):
        VectorTable(tmp_path / name, **settings).read()


@pytest.mark.real
def test_iemocap(real_data):
    folder = real_data / "multimodal" / "iemocap"
    acoustic = VectorTable(folder / "iemocap_session*.parquet", "utterance_id", ("a_*", "p_*", "d_*")).read()
    lexical = VectorTable(folder / "iemocap_lexical100.npz", "utterance_id").read(acoustic.ids)
    assert len(acoustic) + len(acoustic.quarantine) == 10_039
    assert acoustic.quarantine["reason"].str.contains("is nan").all()
    assert len(acoustic.quarantine) == 11
    assert acoustic.dimensions == 19
    assert lexical.values.shape == (len(acoustic), 100)
    assert lexical.ids.tolist() == acoustic.ids.tolist()
