"""What only an index on disk has: segments, lists, a kill at every step, and files that are damaged."""

import json
import os
import shutil
import signal

import numpy as np
import pyarrow as pa
import pytest

from affectspace.errors import InputError
from affectspace.neighbours.nearest import Neighbours
from affectspace.space.engines import faiss_index, open_index
from affectspace.space.engines.faiss_index import FaissIndex

D = 4


def table(ids, vectors=None, seed=0, **columns):
    ids = list(ids)
    made = np.random.default_rng(seed).normal(size=(len(ids), D)) if vectors is None else np.asarray(vectors)
    return pa.table(
        {"id": ids, "vector": pa.array(list(made.astype(np.float32)), pa.list_(pa.float32(), D)), **columns}
    )


@pytest.fixture
def index(tmp_path):
    return FaissIndex.create(tmp_path / "one.index", D, {})


def names(index):
    return sorted(path.name for path in index.folder.iterdir() if path.name != ".lock")


@pytest.mark.parametrize("ties", [False, True])
def test_exact_search_is_that_of_neighbours_over_segments_ties_by_the_order_of_adding(index, ties):
    rng = np.random.default_rng(3)
    vectors = rng.integers(-1, 2, (200, D)) if ties else rng.normal(size=(200, D))
    ids = [f"i{row}" for row in range(200)]
    for start in range(0, 200, 40):
        index.add(table(ids[start : start + 40], vectors[start : start + 40]))
    queries = rng.integers(-1, 2, (30, D))
    for _ in range(2):
        distances, rows = Neighbours(vectors.astype(np.float32)).search(queries, 17)
        found = index.search(queries, 17)
        np.testing.assert_array_equal(found.distances, distances)
        assert found.ids.tolist() == [[ids[row] for row in each] for each in rows.tolist()]
        index.compact()
        assert len(index.manifest.state["segments"]) == 1


def test_many_segments_are_made_fewer_and_the_large_one_is_let_be(index, monkeypatch):
    monkeypatch.setattr(faiss_index, "MOST_SEGMENTS", 4)
    index.add(table([f"a{row}" for row in range(100)]))
    (large,) = index.manifest.state["segments"]
    for number in range(9):
        index.add(table([f"b{number}-{row}" for row in range(5)]))
        assert len(index.manifest.state["segments"]) <= 4
    assert index.manifest.state["segments"][0] == large
    assert index.manifest.items == 145
    assert len(names(index)) == 1 + len(index.manifest.state["segments"])


def test_lists_are_made_by_size_and_find_what_they_say(tmp_path, monkeypatch):
    monkeypatch.setattr(faiss_index, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(faiss_index, "IVF_UP_TO", 4000)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 16))
    for items, kind in ((1000, "exact"), (4000, "ivf"), (6000, "ivf-pq")):
        group = rng.integers(20, size=items)
        vectors = (centres[group] + 0.4 * rng.normal(size=(items, 16))).astype(np.float32)
        index = FaissIndex.create(tmp_path / kind, 16, {"group": "integer", "odd": "truth"})
        lists = pa.array(list(vectors), pa.list_(pa.float32(), 16))
        made = pa.table(
            {"id": [str(row) for row in range(items)], "vector": lists, "group": group, "odd": group % 2 == 1}
        )
        for start in range(0, items, 900):
            index.add(made.slice(start, 900))
        index.compact()
        manifest = open_index(index.folder).manifest
        assert (manifest.kind, manifest.items) == (kind, items)
        assert manifest.recall >= 0.99
        queries = centres[np.arange(100) % 20] + 0.4 * rng.normal(size=(100, 16))
        near = Neighbours(vectors, kind="exact")
        for where, held in (
            ([], None),
            (["odd=True"], group % 2 == 1),
            (["group=3|4|5|6|7"], (group > 2) & (group < 8)),
        ):
            monkeypatch.setattr("affectspace.space.engines.segment.FEW", 0)
            truth, _ = near.search(queries, 10, held)
            found = index.search(queries, 10, where)
            # Conditions that go with the place leave many queries far from everybody whom they let through.
            recall = (found.distances <= truth[:, -1:] * (1 + 1e-6)).mean()
            assert recall > (0.97 if held is None else 0.94)
            rows = np.array(found.ids, dtype=int)
            assert held is None or held[rows].all()
            gaps = np.sqrt(((queries[:, None].astype(np.float32).astype(float) - vectors[rows]) ** 2).sum(-1))
            np.testing.assert_allclose(found.distances, gaps, rtol=1e-6)
            with monkeypatch.context() as patch:
                patch.setattr("affectspace.space.engines.lists.HELD", 700)  # few queries at a time
                assert index.search(queries, 10, where).ids.tolist() == found.ids.tolist()


def killed_at(step, work):
    """Do the work in a child that is killed just before its ``step``-th lasting change; whether it came to that."""
    child = os.fork()
    if not child:
        count = 0

        def counted(change):
            def changed(*given, **named):
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return change(*given, **named)

            return changed

        for name in ("fsync", "replace", "rename", "unlink", "chmod"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


@pytest.mark.parametrize("what", ["add", "replace", "compact"])
def test_killed_at_any_step_it_is_as_before_or_as_after(tmp_path, what):
    origin = FaissIndex.create(tmp_path / "origin", D, {})
    for number in range(3):
        origin.add(table([f"{number}/{row}" for row in range(6)], seed=number))
    new = table(["0/0", "2/5", "new"] if what == "replace" else ["x", "y", "z"], seed=9)
    work = {
        "add": lambda index: index.add(new),
        "replace": lambda index: index.add(new),
        "compact": FaissIndex.compact,
    }[what]
    queries = np.random.default_rng(1).normal(size=(5, D))

    def state(index):
        found = index.search(queries, 30)
        return index.manifest.items, found.ids.tolist(), found.distances.tolist()

    shutil.copytree(origin.folder, tmp_path / "after")
    done = FaissIndex(tmp_path / "after")
    work(done)
    before, after, step, seen = state(origin), state(done), 0, set()
    while True:
        step += 1
        shutil.copytree(origin.folder, tmp_path / "tried", dirs_exist_ok=True)
        if not killed_at(step, lambda: work(FaissIndex(tmp_path / "tried"))):
            break
        index = FaissIndex(tmp_path / "tried")
        now = state(index)
        assert now in (before, after)
        seen.add(now == after)
        work(index)  # the next writer removes what was begun, and ends where it would have
        assert state(index) == after
        assert len(names(index)) == 1 + sum(2 if entry["dead"] else 1 for entry in index.manifest.state["segments"])
        shutil.rmtree(tmp_path / "tried")
    assert step > 10
    assert what == "compact" or seen == {False, True}


def test_a_reader_goes_on_while_segments_are_made_one(index):
    for number in range(3):
        index.add(table([f"{number}/{row}" for row in range(6)], seed=number))
    reader = FaissIndex(index.folder)
    before = reader.search(np.zeros((2, D)), 18).ids.tolist()
    index.compact()
    index.add(table(["later"]))
    assert reader.search(np.zeros((2, D)), 18).ids.tolist() == before
    assert FaissIndex(index.folder).manifest.items == 19


def test_a_writer_sees_what_others_have_written_before(index):
    other = FaissIndex(index.folder)
    other.add(table(["a", "b"]))
    index.add(table(["b", "c"], seed=1))
    assert index.manifest.items == FaissIndex(index.folder).manifest.items == 3


def spoil(path, content=None):
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("vectors.npy", b"short", "has 5 bytes of 176: the index is damaged; build it again with affectspace index"),
        ("items.arrow", None, "is not there: the index is damaged; build it again with affectspace index"),
        ("manifest.json", b"{", "the manifest of "),
        ("manifest.json", b'{"format": 9}', "is an index of another format; this affectspace reads 1: upgrade it"),
        ("manifest.json", b'{"format": 1}', "is damaged ('engine'); build the index again with affectspace index"),
    ],
)
def test_damage_is_said(index, file, content, words):
    index.add(table(["a", "b", "c"]))
    (segment,) = index.folder.glob("segment-*")
    spoil((index.folder if file == "manifest.json" else segment) / file, content)
    with pytest.raises(InputError) as error:
        open_index(index.folder)
    assert words in str(error.value)


def test_a_file_of_the_same_size_that_cannot_be_read_is_damage(index):
    index.add(table(["a", "b", "c"]))
    (items,) = index.folder.glob("segment-*/items.arrow")
    items.write_bytes(bytes(items.stat().st_size))
    with pytest.raises(InputError, match=r"cannot be read .*: the index is damaged; build it again"):
        open_index(index.folder)


def test_rows_that_lists_cannot_have_are_found_by_nobody(tmp_path):
    index = FaissIndex.create(tmp_path / "one", D, {}, kind="ivf")
    index.add(table([str(row) for row in range(300)]))
    index.compact()
    (lists,) = index.folder.glob("segment-*/lists.bin")
    lists.write_bytes(b"\x7f" * lists.stat().st_size)
    found = FaissIndex(index.folder).search(np.zeros((3, D)), 5)
    assert found.ids.tolist() == [[None] * 5] * 3


def test_the_manifest_is_for_people(index):
    index.add(table(["a"]))
    told = json.loads((index.folder / "manifest.json").read_text())
    assert {name: told[name] for name in ("engine", "kind", "items", "dimensions", "metric", "recall")} == {
        "engine": "faiss", "kind": "exact", "items": 1, "dimensions": D, "metric": "euclidean", "recall": 1.0,
    }  # fmt: skip
