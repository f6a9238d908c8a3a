"""Files and folders of shards to an index, batch by batch; where it was cut off it goes on."""

import contextlib
import json
import socket

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectspace.errors import InputError
from affectspace.space import Space
from affectspace.space.engines import FaissIndex, Source, build_index, open_index, sources
from affectspace.space.engines import build as build_module

N, D = 60, 4


def space(items=N):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"a/{row}" for row in range(items)], "size": np.arange(items) % 3})
    table["label"] = [["sad", "happy"][row % 2] for row in range(items)]
    return Space(table, rng.normal(size=(items, D)), ("happy", "sad"), {"model": "runs/x", "recipe": "faces"})


def lay(folder, parts=3):
    """A folder of shards, as bulk embedding writes them."""
    folder.mkdir()
    whole, shards = space(), []
    for number, rows in enumerate(np.array_split(np.arange(N), parts)):
        name = f"part-{number:05d}.parquet"
        whole.take(rows).save(folder / name)
        shards.append({"name": name, "bytes": (folder / name).stat().st_size})
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "items": N, "shards": shards}))
    return folder


@pytest.fixture
def shards(tmp_path):
    return lay(tmp_path / "shards")


@pytest.mark.parametrize("engine", ["faiss", "milvus"])
def test_a_file_and_a_folder_of_shards_give_the_same_index(tmp_path, shards, monkeypatch, engine):
    pytest.importorskip("milvus_lite" if engine == "milvus" else "faiss", reason="Milvus Lite is not installed")
    monkeypatch.setattr(sources, "ROWS", 16)
    whole = space()
    whole.save(tmp_path / "one.parquet")
    told = []
    one = build_index(Source(tmp_path / "one.parquet"), tmp_path / "one.index", engine)
    many = build_index(Source(shards), tmp_path / "many.index", engine, tell=told.append)
    assert told[-1] == N
    queries = np.random.default_rng(1).normal(size=(5, D))
    found = one.search(queries, 7, ["label=sad"])
    for each in (one, many):
        manifest = each.manifest
        assert (manifest.engine, manifest.kind, manifest.items, manifest.recall) == (engine, "exact", N, 1.0)
        assert (manifest.classes, manifest.about["model"]) == (("happy", "sad"), "runs/x")
        assert manifest.columns == {"size": "integer", "label": "text"}
        np.testing.assert_array_equal(each.search(queries, 7, ["label=sad"]).ids, found.ids)
        each.close()


def test_no_more_than_a_batch_is_held(tmp_path, shards, monkeypatch):
    monkeypatch.setattr(sources, "ROWS", 8)
    sizes, add = [], FaissIndex.add
    monkeypatch.setattr(FaissIndex, "add", lambda self, table: (sizes.append(len(table)), add(self, table))[1])
    build_index(Source(shards), tmp_path / "x.index")
    assert max(sizes) == 8
    assert sum(sizes) == N


@pytest.mark.parametrize("engine", ["faiss", "milvus"])
def test_what_was_cut_off_goes_on_and_what_is_done_is_not_done_again(tmp_path, shards, monkeypatch, engine):
    pytest.importorskip("milvus_lite" if engine == "milvus" else "faiss", reason="Milvus Lite is not installed")
    monkeypatch.setattr(sources, "ROWS", 10)

    def stop(items):
        if items == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(Source(shards), tmp_path / "x.index", engine, tell=stop)
    index = open_index(tmp_path / "x.index")
    assert index.manifest.items == 30
    added, add = [], type(index).add
    index.close()
    monkeypatch.setattr(type(index), "add", lambda self, table: (added.append(len(table)), add(self, table))[1])
    for batches in (3, 0):
        added.clear()
        index = build_index(Source(shards), tmp_path / "x.index", engine)
        assert (index.manifest.items, len(added)) == (N, batches)
        index.close()


def test_an_index_of_something_else_is_let_be(tmp_path, shards):
    build_index(Source(shards), tmp_path / "x.index")
    other = Source(lay(tmp_path / "other", parts=2))
    with pytest.raises(InputError, match=r"x.index is there already, and was not made of .*other as it is now; choose"):
        build_index(other, tmp_path / "x.index")
    with pytest.raises(InputError, match="shards is there already; choose another path, or remove it first"):
        build_index(other, shards)


def test_a_space_that_is_made_anew_with_files_of_the_same_sizes_is_not_taken_for_the_old_one(tmp_path):
    path, items = tmp_path / "space.parquet", pd.DataFrame({"id": [f"i{row}" for row in range(500)]})
    sizes = set()
    for seed in range(2):
        Space(items, np.random.default_rng(seed).normal(size=(500, 16)), ()).save(path)
        sizes.add(path.stat().st_size)
        if not seed:
            build_index(Source(path), tmp_path / "x.index").close()
    assert len(sizes) == 1, "else this shows nothing"
    with pytest.raises(InputError, match=r"x.index is there already, and was not made of .*space.parquet as it is now"):
        build_index(Source(path), tmp_path / "x.index")


def test_columns_that_some_shards_lack_or_that_cannot_be_kept(tmp_path):
    folder = lay(tmp_path / "shards", parts=2)
    first = pq.read_table(folder / "part-00000.parquet")
    changed = first.drop_columns(["label"]).append_column("seen", pa.array([0] * len(first), pa.timestamp("ms")))
    pq.write_table(changed.replace_schema_metadata(first.schema.metadata), folder / "part-00000.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"][0]["bytes"] = (folder / "part-00000.parquet").stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    source = Source(folder)
    assert source.columns == {"size": "integer", "label": "text"}
    assert source.left_out == {
        "seen": "it holds timestamp[ms]; an index keeps text, numbers, true or false, and lists of numbers"
    }
    index = build_index(source, tmp_path / "x.index")
    assert index.search(np.zeros((1, D)), 1, ["label="]).searched == N // 2


def test_any_parquet_with_ids_and_vectors_has_the_classes_of_its_labels(tmp_path):
    table = pa.table({"id": ["a", "b"], "vector": [[0.0, 1.0], [1.0, 0.0]], "label": ["sad", "happy"]})
    pq.write_table(table, tmp_path / "own.parquet")
    assert Source(tmp_path / "own.parquet").classes == ("happy", "sad")


def change(shards, name, how):
    manifest = json.loads((shards / "manifest.json").read_text())
    how(manifest)
    (shards / name).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda f: (f / "manifest.json").unlink(),
            "is a folder without manifest.json, which is written once all shards",
        ),
        (
            lambda f: (f / "manifest.json").write_text("{}"),
            "manifest.json cannot be read: 'format'; copy the folder again, or embed",
        ),
        (lambda f: (f / "part-00001.parquet").unlink(), "part-00001.parquet is not there, and manifest.json tells of"),
        (
            lambda f: (f / "part-00001.parquet").write_bytes(b"PAR1"),
            "part-00001.parquet has 4 bytes, and manifest.json te",
        ),
        (
            lambda f: change(f, "manifest.json", lambda m: m.update(shards=[])),
            "manifest.json cannot be read: its shards are not named; copy the",
        ),
    ],
)
def test_folders_that_are_no_space(shards, spoil, words):
    spoil(shards)
    with pytest.raises(InputError) as error:
        Source(shards)
    assert words in str(error.value)


def test_an_index_is_no_space(tmp_path, shards):
    build_index(Source(shards), tmp_path / "x.index")
    for read in (Source, Space.open):
        with pytest.raises(
            InputError, match=r"x.index is an index, which affectspace search reads; give the space that"
        ):
            read(tmp_path / "x.index")


def test_files_that_are_no_space(tmp_path):
    with pytest.raises(InputError, match=r"there is no space .*gone.parquet; affectspace embed writes one"):
        Source(tmp_path / "gone.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match=r"text.parquet cannot be read as a space: "):
        Source(tmp_path / "text.parquet")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "ids.parquet")
    with pytest.raises(
        InputError, match=r"ids.parquet is no space: it has no column 'vector'; affectspace embed writes"
    ):
        Source(tmp_path / "ids.parquet")


def test_shards_of_different_spaces_are_not_one(tmp_path, shards):
    other = space()
    other.about["model"] = "runs/y"
    other.take(np.arange(20)).save(shards / "part-00001.parquet")
    change(
        shards,
        "manifest.json",
        lambda m: m["shards"][1].update(bytes=(shards / "part-00001.parquet").stat().st_size),
    )
    with pytest.raises(
        InputError, match=r"part-00001.parquet and .*part-00000.parquet are of different spaces, by other"
    ):
        Source(shards)


def test_the_truth_that_recall_is_measured_by_is_that_of_all_items(tmp_path, shards, monkeypatch):
    monkeypatch.setattr(sources, "ROWS", 7)
    asked, farthest, k = build_module._sampled(Source(shards))
    vectors = space().vectors.astype(float)
    gaps = np.sort(np.sqrt(((asked[:, None].astype(float) - vectors) ** 2).sum(-1)), axis=1)
    assert k == 10
    np.testing.assert_allclose(farthest[:, 0], gaps[:, 10], rtol=1e-6)


def test_an_index_whose_server_gets_the_port_of_an_earlier_one_has_its_own_columns(tmp_path, monkeypatch):
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    from milvus_lite.adapter.grpc import server

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = server.start_server_in_thread
    monkeypatch.setattr(
        server, "start_server_in_thread", lambda *given, **named: start(*given, **named | {"port": port})
    )
    for name, kind in (("fractions", float), ("integers", int)):
        made = space()
        made.items["size"] = made.items["size"].astype(kind)
        made.save(tmp_path / f"{name}.parquet")
        with contextlib.closing(build_index(Source(tmp_path / f"{name}.parquet"), tmp_path / name, "milvus")) as index:
            assert index.search(made.vectors[2:3], 1, ["size=2"]).ids.tolist() == [["a/2"]]
