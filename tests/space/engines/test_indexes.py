"""What holds for every index, whatever keeps it: the loop over all items is the oracle."""

import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from affectspace.errors import InputError
from affectspace.space import Space
from affectspace.space.engines import create_index, is_index, open_index
from affectspace.space.engines.columns import kinds_of
from affectspace.space.engines.milvus_place import Place

N, D = 300, 6
KINDS = ["faiss exact", "faiss ivf", "faiss ivf-pq", "milvus exact", "milvus ivf", "server exact"]
TEXT = 'say "no"\\now, é'


def items(ids, seed=0):
    """A table of every kind of column, with cells that are missing."""
    ids, rng = list(ids), np.random.default_rng(seed)
    number = np.arange(len(ids))
    pick = lambda values: [values[place % len(values)] for place in number]  # noqa: E731
    return pa.table(
        {
            "id": ids,
            "vector": pa.array(list(rng.normal(size=(len(ids), D)).astype(np.float32)), pa.list_(pa.float32(), D)),
            "label": pa.array(pick(["sad", "happy", None, TEXT, ""]), pa.string()),
            "size": pick([0.5, 1.25, None, float("nan"), 3.0, -2e-7, 1234567.0]),
            "take": pa.array(pick([0, 1, None, -3, 40]), pa.int16()),
            "ok": pick([True, False, None]),
            "in": pick(["x", "y"]),
            "probabilities": pa.array([[0.25, 0.75]] * len(ids), pa.list_(pa.float32())),
        }
    )


TABLE = items([f"a/{row:03d}" for row in range(N)])
COLUMNS, _ = kinds_of(TABLE.schema)
QUERIES = np.random.default_rng(9).normal(size=(7, D))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An address below which collections of a server on this machine lie."""
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    running, database, port = start_server_in_thread(str(tmp_path_factory.mktemp("server")), "127.0.0.1")
    yield f"milvus://127.0.0.1:{port}"
    running.stop(grace=0)
    database.close()


@pytest.fixture
def make(request, tmp_path, server):
    """``make("milvus exact")``: where an index is to be, its engine and its kind."""

    def named(what, name="one"):
        engine, kind = what.split()
        place = (
            f"{server}/{request.node.name.split('[')[0]}_{kind}_{name}"
            if engine == "server"
            else tmp_path / f"{name}.index"
        )
        return place, "milvus" if engine == "server" else engine, kind

    return named


@pytest.fixture
def built(make):
    """``built("faiss ivf")``: an index of the table, and its place."""
    opened = []

    def build(what, table=TABLE):
        place, engine, kind = make(what)
        index = create_index(place, D, COLUMNS, ("happy", "sad"), {"model": "runs/x"}, engine, kind)
        opened.append(index)
        index.add(table)
        index.compact()
        return index, place

    yield build
    for index in opened:
        index.close()


def slow(table, query, k, held):
    """Ids and distances of the nearest, by every difference."""
    vectors = np.stack(table["vector"].to_numpy()).astype(np.float64)
    gaps = np.sqrt(((vectors - query.astype(np.float32)) ** 2).sum(1))
    order = [row for row in np.argsort(gaps, kind="stable") if held[row]][:k]
    names = table["id"].to_pylist()
    return [names[row] for row in order], gaps[order]


def check(index, table, where=(), k=5):
    frame = table.drop_columns(["vector", "probabilities"]).to_pandas()
    space = Space(frame, np.stack(table["vector"].to_numpy()), ("happy", "sad", TEXT, "")) if where else None
    held = space.which(*where) if space is not None else np.ones(len(table), bool)
    found = index.search(QUERIES, k, where)
    assert found.searched == held.sum()
    for query, names, gaps in zip(QUERIES, found.ids, found.distances):
        ids, away = slow(table, query, k, held)
        assert [name for name in names if name is not None] == ids
        np.testing.assert_allclose(gaps[: len(ids)], away, rtol=1e-5)
        assert np.isinf(gaps[len(ids) :]).all()


@pytest.mark.parametrize("what", KINDS)
def test_every_condition_finds_what_it_finds_in_a_space(built, what):
    index, place = built(what)
    assert (index.manifest.items, index.manifest.classes) == (N, ("happy", "sad"))
    assert index.manifest.about == {"model": "runs/x"}
    assert is_index(place)
    if what in ("faiss exact", "milvus exact", "server exact"):
        check(index, TABLE)
        check(index, TABLE, k=N + 3)
    for where in (
        ["label=sad"], ["label!=sad"], ["label="], ["label!="], ["label!=|sad"], [f"label={TEXT}|happy"],
        ["size=0.5|3"], ["size=-2e-07"], ["size!=0.5"], ["size="], ["size!=|1.25"], ["size=1234568"],
        ["take=-3"], ["take!=40"], ["take="], ["ok=True"], ["ok!=True", "label=happy"], ["ok="],
        ["split="], ["id=a/003|a/009"], ["id!=a/003"], ["in=x"],
    ):  # fmt: skip
        check(index, TABLE, where)


@pytest.mark.parametrize("what", KINDS)
def test_faults_of_conditions_are_those_of_a_space(built, what):
    index, _ = built(what)
    told = {
        "label=hapy": "no item has label 'hapy'; did you mean 'happy'?",
        "lable=sad": "the items have no column 'lable'; did you mean 'label'? There are id, label, size, take, ok, in,",
        "take=9": "no item has take '9'; There are -3, 0, 1, 40",
        "take=many": "no item has take 'many'; There are",
        "ok=true": "no item has ok 'true'; did you mean 'True'? There are False, True",
        "split=test": "no item has split 'test'; it is unknown for all",
        "id=a/0001": "no item has id 'a/0001'; did you mean 'a/001'?",
        "probabilities=1": "the column 'probabilities' holds lists of numbers; a condition asks for single values",
        "sad": "'sad' is no condition; write column=value, column=one|other or column!=value",
    }
    for condition, words in told.items():
        with pytest.raises(InputError) as error:
            index.search(QUERIES, 2, [condition])
        assert str(error.value).startswith(words)
    with pytest.raises(InputError, match="no item has id=a/000 and label=happy; each occurs, but not together"):
        index.search(QUERIES, 2, ["id=a/000", "label=happy"])


@pytest.mark.parametrize("what", KINDS)
def test_what_is_added_again_takes_the_place_of_what_was_there(built, what):
    index, place = built(what)
    newer = items([*TABLE["id"].to_pylist()[40:90], "b/0"], seed=1)
    index.add(newer)
    index.add(newer.slice(0, 10))
    old = TABLE.filter(pa.array([not 40 <= row < 90 for row in range(N)]))
    together = pa.concat_tables([old, newer.slice(10), newer.slice(0, 10)])
    assert index.manifest.items == N + 1
    for _ in range(2):
        check(index, together, ["in=x"])
        if "exact" in what:
            check(index, together)
        index.compact()
    index.close()
    again = open_index(place)
    assert again.manifest.items == N + 1
    check(again, together, ["label!=sad"])
    again.close()


@pytest.mark.parametrize("what", ["faiss exact", "milvus exact", "server exact"])
def test_items_come_back_as_they_were_given(built, what):
    index, _ = built(what)
    ids = ["a/005", "nobody", "a/002", "a/299"]
    got = index.get(ids)
    wanted = TABLE.take([5, 2, 299])
    assert got["id"].to_pylist() == ["a/005", "a/002", "a/299"]
    for name in TABLE.column_names:
        ours, theirs = got[name].to_pylist(), wanted[name].to_pylist()
        assert ours == [None if isinstance(cell, float) and np.isnan(cell) else cell for cell in theirs], name
    assert index.get(["nobody"]).schema == got.schema
    assert len(index.get([])) == 0


@pytest.mark.parametrize("what", ["faiss exact", "milvus exact"])
def test_a_table_may_lack_columns_and_may_be_empty(built, what):
    index, _ = built(what)
    index.add(TABLE.slice(0, 0))
    index.add(pa.table({"id": ["c"], "vector": [QUERIES[0]]}))
    assert index.search(QUERIES[:1], 1).ids.tolist() == [["c"]]
    assert index.get(["c"])["label"].to_pylist() == [None]
    assert index.search(QUERIES[:1], 1, ["label="]).ids.tolist() == [["c"]]


@pytest.mark.parametrize("what", ["faiss exact", "milvus exact"])
def test_an_index_without_items_finds_nobody(make, what):
    place, engine, kind = make(what)
    index = create_index(place, D, COLUMNS, engine=engine, kind=kind)
    assert index.search(QUERIES, 2).ids.tolist() == [[None, None]] * 7
    assert index.manifest.items == len(index.get(["a"])) == 0
    index.close()


@pytest.mark.parametrize("what", ["faiss exact", "milvus exact"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["id"]), "the items have no column 'id'; there are vector, label"),
        (lambda t: t.drop_columns(["vector"]), "the items have no column 'vector'; there are id, label"),
        (
            lambda t: t.append_column("mood", t["id"]),
            "the index has no column 'mood', which the items have; its columns",
        ),
        (lambda t: pa.concat_tables([t, t]), "the id 'a/000' occurs twice among the items that are added; each needs"),
        (
            lambda t: t.set_column(0, "id", pa.array([None, "b", "c"])),
            "the item in row 0 has no id; give each its own",
        ),
        (
            lambda t: t.set_column(1, "vector", pa.array([[1.0, 2.0]] * 3)),
            "the vectors have 2 dimensions and those of the index 6; embed these items with the model of the index",
        ),
        (
            lambda t: t.set_column(1, "vector", pa.array([[1.0], [2.0, 3.0], [4.0]])),
            "the vectors differ in length, or are missing for some items; each needs as many numbers",
        ),
        (lambda t: t.set_column(1, "vector", t["id"]), "the column 'vector' is of string, not of lists of numbers"),
        (
            lambda t: t.set_column(1, "vector", pa.array([[1.0] * 6, [np.nan] * 6, [1.0] * 6])),
            "the vector of item a/001 is not finite; leave such items out",
        ),
        (
            lambda t: t.set_column(4, "take", pa.array(["one", "2", "3"])),
            "the column 'take' cannot be kept as int64: Failed to parse string: 'one'",
        ),
    ],
)
def test_a_table_that_is_refused_leaves_nothing(built, what, change, words):
    index, _ = built(what)
    with pytest.raises(InputError) as error:
        index.add(change(TABLE.slice(0, 3)))
    assert str(error.value).startswith(words)
    assert index.manifest.items == N
    check(index, TABLE)


@pytest.mark.parametrize("what", ["faiss exact", "milvus exact"])
def test_queries_that_cannot_be_asked(built, what):
    index, _ = built(what)
    with pytest.raises(
        InputError, match="the query has 2 dimensions and the index 6; ask with vectors of the model of"
    ):
        index.search([[1.0, 2.0]], 1)
    with pytest.raises(ValueError, match="queries holds nan in row 0"):
        index.search([[np.nan] * D], 1)
    with pytest.raises(ValueError, match="k is 0; ask for at least 1 neighbour"):
        index.search(QUERIES, 0)
    with pytest.raises(ValueError, match=r"vectors has shape \(6,\); expected \(queries, 6\)"):
        index.search(QUERIES[0], 1)


@pytest.mark.parametrize("what", ["faiss exact", "milvus exact", "server exact"])
def test_an_index_is_never_made_where_one_is(built, make, what):
    _, place = built(what)
    with pytest.raises(InputError, match=r"is there already; choose another|is in use by another process"):
        create_index(place, D, {}, engine=make(what)[1])


def test_what_is_no_index_is_said(tmp_path, server):
    for place in (tmp_path / "gone", f"{server}/gone"):
        assert not is_index(place)
        with pytest.raises(InputError) as error:
            open_index(place)
        assert str(error.value) == f"there is no index {place}; affectspace index SPACE --out makes one"
    for address in ("milvus://host", "milvus://host:1/a-b", "milvus:///x", "milvus://u:p@host/x"):
        with pytest.raises(InputError, match="is no address of an index; write milvus://HOST:PORT/NAME, where NAME is"):
            open_index(address)
    with pytest.raises(
        InputError, match=r"Milvus keeps an index as 'exact' or 'ivf'; 'ivf-pq' is of indexes in a fold"
    ):
        create_index(f"{server}/pq", D, {}, kind="ivf-pq")


def test_a_password_is_sent_to_no_other_machine_in_clear(monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "root:secret")
    with pytest.raises(InputError, match=r"^milvus://vectors.lab/x would be sent MILVUS_TOKEN in clear, .*\+tls://vec"):
        Place("milvus://vectors.lab/x")
    assert Place("milvus+tls://vectors.lab/x").uri == "https://vectors.lab:19530"
    assert Place("milvus://127.0.0.1:1/x").uri == "http://127.0.0.1:1"


def test_no_server_at_the_address(monkeypatch):
    pytest.importorskip("pymilvus", reason="pymilvus is not installed")
    monkeypatch.setattr("affectspace.space.engines.milvus_index.WAIT", 0.2)
    with pytest.raises(InputError, match=r"no Milvus answers at 127.0.0.1:9 \(.+\); start it, or correct the address"):
        open_index("milvus://127.0.0.1:9/faces")


def test_packages_that_are_not_installed_are_named(monkeypatch, tmp_path):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "milvus" in name else find(name))
    with pytest.raises(InputError, match=r"an index in Milvus needs pymilvus and milvus_lite, not installed; pip inst"):
        create_index(tmp_path / "x", D, {}, engine="milvus")


WRITER = """
import sys
import numpy as np, pyarrow as pa
from affectspace.space.engines import open_index
index = open_index(sys.argv[1])
for number in range(10**6):
    vectors = pa.array(list(np.full((20, 6), number, np.float32)), pa.list_(pa.float32(), 6))
    index.add(pa.table({"id": [f"{number}/{row}" for row in range(20)], "vector": vectors}))
    print(number, flush=True)
"""


def add_until_refused(place, writer):
    while writer.poll() is None:
        open_index(place).add(pa.table({"id": ["x"], "vector": [[0.0] * D]}))


@pytest.mark.parametrize("what", ["faiss exact", "milvus exact"])
def test_a_writer_that_is_killed_loses_nothing_that_it_has_acknowledged(make, what):
    place, engine, kind = make(what)
    create_index(place, D, {}, engine=engine, kind=kind).close()
    with subprocess.Popen([sys.executable, "-c", WRITER, place], stdout=subprocess.PIPE, text=True) as writer:
        said = [int(writer.stdout.readline()) for _ in range(4)]
        with pytest.raises(InputError, match=r"(is being written to|is in use) by another process"):
            add_until_refused(place, writer)
        writer.kill()
        said += map(int, writer.stdout)
    index = open_index(place)
    last = said[-1] + 1
    there = len(index.get([f"{last}/{row}" for row in range(20)]))
    own = len(index.get(["x"]))
    assert there in (0, 20)
    assert index.manifest.items == 20 * last + there + own
    found = index.search([[float(number)] * D for number in said[-3:]], 20)
    assert not found.distances.any()
    index.add(pa.table({"id": ["y"], "vector": [[-5.0] * D]}))
    assert index.search([[-5.0] * D], 1).ids.tolist() == [["y"]]
    index.close()


def test_a_folder_of_milvus_may_be_moved(built, tmp_path):
    index, place = built("milvus ivf")
    index.close()
    shutil.move(place, tmp_path / "moved.index")
    moved = open_index(tmp_path / "moved.index")
    check(moved, TABLE, ["ok=True"])
    moved.close()
