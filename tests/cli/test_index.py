"""``affectspace index``, and ``affectspace search`` of what it makes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.space import Space


@pytest.fixture
def toy(tmp_path):
    rng, row = np.random.default_rng(0), np.arange(40)
    items = pd.DataFrame({"id": [f"toy/{place:02d}" for place in row], "split": np.where(row < 20, "train", "test")})
    items = items.assign(label=np.where(row % 2, "red", "blue"), prediction="red", size=row % 4 / 4)
    Space(items, rng.normal(size=(40, 5)), ("blue", "red")).save(tmp_path / "toy.parquet")
    return tmp_path / "toy.parquet"


@pytest.mark.parametrize("on", ["faiss", "milvus"])
def test_an_index_is_searched_as_its_space_is(run, toy, on):
    if on == "milvus":
        pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    code, out, err = run("index", "toy.parquet", "--on", on)
    assert code == 0, err
    assert out.startswith(f"40 items, 5 dimensions -> toy.index ({on}, exact)\n")
    assert "  affectspace search toy.index --query toy/00\n" in out
    for more in ((), ("--where", "split=test", "label=red|blue"), ("--count", 3, "--where", "size=0.25")):
        words = ("--query", "toy/04", *more, "--json")
        plain, found = (run("search", name, *words) for name in ("toy.parquet", "toy.index"))
        assert plain[0] == found[0] == 0, found[2]
        theirs, ours = json.loads(plain[1]), json.loads(found[1])
        distances = [[each.pop("distance") for each in told["found"]] for told in (theirs, ours)]
        assert ours == theirs
        np.testing.assert_allclose(*distances, rtol=1e-5)


def test_json_tells_what_was_made_and_the_same_command_goes_on(run, toy):
    for _ in range(2):
        code, out, err = run("index", "toy.parquet", "--out", "x.index", "--json")
        assert code == 0, err
        assert json.loads(out) == {
            "out": "x.index", "engine": "faiss", "kind": "exact", "items": 40, "dimensions": 5, "recall": 1.0,
            "classes": ["blue", "red"], "repeated": 0, "columns_left_out": {},
            "columns": {"split": "text", "label": "text", "prediction": "text", "size": "number"},
        }  # fmt: skip


def test_a_page_shows_what_was_found_and_what_is_typed_next_works(run, toy):
    run("index", "toy.parquet")
    code, out, err = run("search", "toy.index", "--query", "toy/04", "--where", "split=test", "--count", 3)
    assert code == 0, err
    assert out.startswith("nearest to toy/04, of 20 items:\n")
    again = next(line for line in out.splitlines() if "--out" in line)
    code, out, err = run(*again.split()[1:])
    assert code == 0, err
    assert "of the 20 that have split=test" in Path("found.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("index gone.parquet", "there is no space gone.parquet; affectspace embed writes one"),
        ("index toy.parquet --on annoy", "--on annoy is no engine; legal: faiss, milvus, milvus://HOST:PORT/NAME"),
        ("index toy.parquet --on milvus://h/x --out y", "--out y is a folder, and --on milvus://h/x keeps nothing in"),
        ("index toy.parquet --on milvus://h:x/y", "milvus://h:x/y is no address of an index; write milvus://HOST:PORT"),
        ("index toy.parquet --out toy.parquet", "--out toy.parquet cannot be written, as toy.parquet is a file"),
        ("index toy.parquet --out taken", "taken is there already"),
        (
            "search toy.index --query toy/99",
            "--query 'toy/99' is neither an item of the index nor a file; ids look like",
        ),
        ("search toy.index --query toy/04 --where split=tset", "no item has split 'tset'; did you mean 'test'?"),
        ("search toy.index --query toy/04 --where splt=test", "the items have no column 'splt'; did you mean 'split'?"),
        ("search toy.index --query note.txt", "the index does not say which model made it, so note.txt cannot be"),
        ("search toy.index --query toy/04 --where id=toy/04", "the query is the only item to be searched"),
        ("search hurt.index --query toy/04", "vectors.npy is not there: the index is damaged; build it again"),
    ],
)
def test_faults_are_sentences(run, toy, words, told):
    Path("note.txt").write_text("no recording")
    Path("taken").mkdir()
    Path("taken/file").touch()
    if words.startswith("search"):
        assert run("index", "toy.parquet")[0] == 0
        shutil.copytree("toy.index", "hurt.index")
        next(Path("hurt.index").glob("segment-*/vectors.npy")).unlink()
    code, out, err = run(*words.split())
    assert (code, out) == (2, "")
    assert told in err
    assert not (Path("taken") / "manifest.json").exists()
