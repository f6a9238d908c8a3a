"""Search, discover, summarise and map as people type them: tables, pages, JSON, and errors that name the remedy."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.cli.map import _tested
from affectspace.space import Space
from affectspace.space.embed import Embedded

CLASSES = ("blue", "red")


def make(folder: Path, pictures: bool = True, **more) -> Path:
    """Sixty squares, blue and red in two shades each; item 0 is blue and labelled red."""
    generator = np.random.default_rng(0)
    kind = np.arange(60) % 4
    vectors = np.eye(4)[kind] * 5 + generator.normal(0, 0.1, (60, 4))
    labels = np.array(CLASSES, dtype=object)[kind // 2]
    labels[0] = "red"
    items = pd.DataFrame(
        {
            "id": [f"toy/{row:02d}" for row in range(60)],
            "label": labels,
            "prediction": np.array(CLASSES)[kind // 2],
            "split": np.where(np.arange(60) < 40, "train", "test"),
            "size": np.arange(60) / 2,
        }
    )
    if pictures:
        (folder / "squares").mkdir()
        for row, name in enumerate(items["id"]):
            shade = 100 + 50 * (kind[row] % 2) + row % 30
            colour = (0, 0, shade) if kind[row] < 2 else (shade, 0, 0)
            Image.new("RGB", (24, 24), colour).save(folder / f"squares/{name[4:]}.png")
        items["image"] = [str(folder / f"squares/{name[4:]}.png") for name in items["id"]]
    Space(items.assign(**more), vectors, CLASSES).save(folder / "toy.parquet")
    return folder / "toy.parquet"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def toy(made, tmp_path) -> Path:
    return Path(shutil.copy(made, tmp_path / "toy.parquet"))


def test_search_finds_the_nearest_and_never_the_query(run, toy):
    space = Space.open(toy)
    code, out, err = run("search", "toy.parquet", "--query", "toy/04", "--count", "5", "--json")
    assert code == 0, err
    told = json.loads(out)
    away = np.linalg.norm(space.vectors - space.vectors[4], axis=1)
    order = [row for row in np.argsort(away, kind="stable") if row != 4][:5]
    assert [each["id"] for each in told["found"]] == [f"toy/{row:02d}" for row in order]
    assert [each["distance"] for each in told["found"]] == pytest.approx(away[order].tolist(), rel=1e-4)
    assert told["searched"] == 60


def test_search_among_some_writes_a_page_and_tells_what_to_type_next(run, toy):
    code, out, err = run(
        "search", "toy.parquet", "--query", "toy/04", "--count", 3, "--where", "split=test", "label=blue"
    )
    assert code == 0, err
    shown = [word for word in out.split() if word.startswith("toy/")]
    assert len(shown) == 4 + 1  # the query, three found, the query in the next command
    assert all(int(word[4:]) >= 40 for word in shown[1:4])
    again = next(line for line in out.splitlines() if "--out" in line)
    code, out, err = run(*again.split()[1:])
    assert code == 0, err
    page = Path("found.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 4
    assert "that have split=test and label=blue" in page
    assert "open it in a browser: file://" in out


def test_one_query_of_a_large_space_is_looked_for_in_all_of_it_without_a_copy(run, toy, monkeypatch):
    plain = run("search", "toy.parquet", "--query", "toy/04", "--where", "split=test", "--json")
    monkeypatch.setattr("affectspace.neighbours.nearest.EXACT_UP_TO", 10)
    for gone in ("affectspace.neighbours.nearest.inverted_index", "affectspace.space.space.Space.take"):
        monkeypatch.setattr(gone, lambda *_, **__: pytest.fail("not for a single query"))
    found = run("search", "toy.parquet", "--query", "toy/04", "--where", "split=test", "--json")
    assert found == plain
    assert json.loads(found[1])["searched"] == 20


def test_discover_writes_tables_and_pages(run, toy):
    code, out, err = run("discover", "toy.parquet", "--subclasses", 2, "--errors", "--out", "found", "--json")
    assert code == 0, err
    told = json.loads(out)
    table = pd.read_csv("found/subclasses.csv")
    assert sorted(table["id"]) == [f"toy/{row:02d}" for row in range(60)]
    assert [each["size"] for each in told["subclasses"]] == table["subclass"].value_counts(sort=False).tolist()
    assert table["medoid"].sum() == len(told["subclasses"]) == table["subclass"].nunique()
    suspects = pd.read_csv("found/suspects.csv")
    assert suspects["id"][0] == "toy/00" == told["suspects"]["first"][0]["id"]
    assert suspects["suggested"][0] == "blue"
    assert len(suspects) == told["suspects"]["count"]
    page = Path("found/suspects.html").read_text(encoding="utf-8")
    assert "Labelled red, perhaps blue" in page
    assert "most typical" in Path("found/subclasses.html").read_text(encoding="utf-8")


def test_discover_does_only_what_is_asked_and_both_by_default(run, toy):
    code, out, err = run("discover", "toy.parquet", "--errors")
    assert code == 0, err
    assert sorted(path.name for path in Path("toy-discovered").iterdir()) == ["suspects.csv", "suspects.html"]
    assert "in doubt: toy/00: labelled red, perhaps blue" in out
    assert "affectspace map toy.parquet" in out
    shutil.rmtree("toy-discovered")
    code, out, err = run("discover", "toy.parquet")
    assert code == 0, err
    assert len(list(Path("toy-discovered").iterdir())) == 4


def test_discover_among_some_is_that_of_a_space_of_them_alone(run, toy):
    few = Space.open(toy).where("split=train", "size!=0.5")
    few.save("few.parquet")
    code, out, err = run(
        "discover", "toy.parquet", "--subclasses", 2, "--errors", "--where", "split=train", "size!=0.5"
    )
    assert code == 0, err
    assert out.startswith("39 items with split=train and size!=0.5\n")
    assert run("discover", "few.parquet", "--subclasses", 2, "--errors")[0] == 0
    folder = "toy-discovered-split=train,size!=0.5"
    for name in ("subclasses.csv", "suspects.csv", "suspects.html"):
        assert Path(f"{folder}/{name}").read_bytes() == Path(f"few-discovered/{name}").read_bytes()
    listed = pd.read_csv(f"{folder}/subclasses.csv")["id"]
    assert set(listed) == set(few.items["id"])
    code, out, _ = run("discover", "toy.parquet", "--errors", "--where", "split=test", "--json")
    assert (code, json.loads(out)["items"]) == (0, 20)


def test_what_is_found_among_some_does_not_take_the_place_of_what_is_found_in_all(run, toy):
    assert run("discover", "toy.parquet", "--errors")[0] == 0
    assert run("summarise", "toy.parquet", "--groups", 4)[0] == 0
    assert run("map", "toy.parquet")[0] == 0
    before = {path: path.read_bytes() for path in Path().rglob("toy-*") if path.is_file()}
    before |= {path: path.read_bytes() for path in Path().glob("toy-*/*")}
    some = ("--where", "split=train", "label=red|blue")
    code, out, err = run("discover", "toy.parquet", "--errors", *some)
    assert code == 0, err
    assert "40 items with split=train and label=red|blue" in out
    assert "affectspace map toy.parquet --where split=train 'label=red|blue'" in out
    code, out, err = run("summarise", "toy.parquet", "--groups", 4, *some)
    assert code == 0, err
    assert out.startswith("40 items with split=train and label=red|blue\n40 items in 4 groups")
    code, out, err = run("map", "toy.parquet", *some)
    assert code == 0, err
    assert out.startswith("map of 40 items: toy-map-split=train,label=red+blue-")
    assert "Only items with split=train and label=red|blue." in out
    assert run("discover", "toy.parquet", "--errors", "--where", "split=train")[0] == 0
    assert {path: path.read_bytes() for path in before} == before
    folders = sorted(path.name for path in Path().glob("toy-*") if path.is_dir())
    own, condition = "split=train,label=red+blue-", "toy-discovered-split=train"
    assert [name.split(own)[0] for name in folders] == [
        "toy-discovered", condition, "toy-discovered-", "toy-summary", "toy-summary-",
    ]  # fmt: skip
    assert len(pd.read_csv(Path(condition) / "suspects.csv")) > 0


def test_a_map_among_some_keeps_the_other_spaces_to_the_same_items(run, toy):
    space = Space.open(toy)
    Space(space.items[["id"]], space.vectors[:, ::-1], CLASSES).save("other.parquet")  # without the column
    code, out, err = run("map", "toy.parquet", "other.parquet", "--where", "split=test", "--json")
    assert code == 0, err
    assert json.loads(out)["ids"] == [f"toy/{row}" for row in range(40, 60)]
    assert "did you mean 'split'?" in run("map", "toy.parquet", "--where", "splt=test")[2]


def test_summarise_writes_a_table_and_a_page(run, toy):
    code, out, err = run("summarise", "toy.parquet", "--groups", 4, "--per-group", 3, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert sum(group["size"] for group in told["groups"]) == 60
    table = pd.read_csv("toy-summary/summary.csv")
    assert table["id"].tolist() == [name for group in told["groups"] for name in group["items"]]
    assert table["medoid"].sum() == 4
    assert Path("toy-summary/summary.html").read_text(encoding="utf-8").count("data:image") == len(table)
    code, out, _ = run("summarise", "toy.parquet", "--groups", 4)
    assert code == 0
    assert "60 items in 4 groups of 15 to 15" in out


def test_maps_of_one_and_two_spaces_and_new_items(run, toy, tmp_path):
    space = Space.open(toy)
    order = np.random.default_rng(1).permutation(60)[:40]
    space.take(order).save(tmp_path / "other.parquet")
    code, out, err = run("map", "toy.parquet", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert np.shape(told["maps"]) == (1, 60, 2)
    assert Path("toy-map.png").is_file()
    code, out, err = run("map", "toy.parquet", "other.parquet", "--by", "size", "--out", "two.svg", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert np.shape(told["maps"]) == (2, 40, 2)
    assert told["ids"] == [f"toy/{row:02d}" for row in sorted(order)]
    assert np.allclose(*told["maps"], atol=1e-6)  # the same vectors of the same items
    code, out, err = run("map", "toy.parquet", "--new", "other.parquet", "--out", "new.png", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert np.shape(told["new"]) == (40, 2)
    assert told["new_ids"] == [f"toy/{row:02d}" for row in order]


def test_a_map_of_several_languages_tells_them_by_shapes(run, tmp_path):
    spoken = np.array(["de", "en", "ur"])[np.arange(60) % 3]
    make(tmp_path, pictures=False, language=spoken, many=np.arange(60) % 9)
    code, out, err = run("map", "toy.parquet", "--out", "map.svg")
    assert code == 0, err
    assert "Colour is the label, shape the language; --markers names another column." in out
    words = Path("map.svg").read_text(encoding="utf-8")
    assert all(f">{told}</text>" in words for told in ("label", "language", "de", "en", "ur"))
    told = json.loads(run("map", "toy.parquet", "--json")[1])
    assert (told["by"], told["markers"], told["shapes"]) == ("label", "language", spoken.tolist())
    assert told["colours"] == Space.open("toy.parquet").items["label"].tolist()
    told = json.loads(run("map", "toy.parquet", "--markers", "split", "--json")[1])
    assert (told["markers"], set(told["shapes"])) == ("split", {"train", "test"})
    for more in (["--by", "split"], ["--markers", "label"], ["--where", "language=de"]):  # shapes follow the colours
        told = json.loads(run("map", "toy.parquet", *more, "--json")[1])
        assert (told["markers"], told["shapes"]) == (None, None)
    code, _, err = run("map", "toy.parquet", "--markers", "many")
    assert code == 2
    assert "--markers: column 'many' has 9 values, and people tell at most 8 shapes apart; choose a column of" in err
    assert "--markers 'langage' is no column of toy.parquet; did you mean 'language'?" in run(
        "map", "toy.parquet", "--markers", "langage"
    )[2]  # fmt: skip
    code, _, err = run("map", "toy.parquet", "--new", "toy.parquet", "--out", "new.svg")
    assert code == 0, err


def test_a_space_without_pictures_or_labels_is_still_of_use(run, tmp_path):
    make(tmp_path, pictures=False)
    code, _, err = run("search", "toy.parquet", "--query", "toy/01", "--out", "found.html")
    assert code == 0, err
    page = Path("found.html").read_text(encoding="utf-8")
    assert page.count("item without a picture") == 11
    space = Space.open("toy.parquet")
    Space(space.items[["id"]], space.vectors, ()).save("bare.parquet")
    assert run("summarise", "bare.parquet", "--groups", 3)[0] == 0
    assert run("map", "bare.parquet")[0] == 0
    code, _, err = run("discover", "bare.parquet")
    assert code == 2
    assert "bare.parquet holds no labels, from which discovering starts; try affectspace summarise" in err
    half = space.items.assign(label=space.items["label"].where(space.items["split"] == "train"))
    Space(half, space.vectors, CLASSES).save("half.parquet")
    code, _, err = run("discover", "half.parquet", "--where", "split=test")
    assert code == 2
    assert "no item of half.parquet with split=test has a label, from which discovering starts" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("search toy.parquet --query 04", "is neither an item of the space nor a file; did you mean 'toy/04'?"),
        ("search toy.parquet --query squares.png", "neither an item of the space nor a file; ids look like 'toy/00'"),
        ("search toy.parquet --query toy/04 --count 0", "--count is 0; legal: at least 1"),
        ("search toy.parquet --query toy/04 --out x.png", "--out x.png ends in '.png'; the page is HTML"),
        ("search toy.parquet --query toy/04 --where split=tset", "no item has split 'tset'; did you mean 'test'?"),
        ("search toy.parquet --query note.txt", "the space does not say which model made it, so note.txt cannot"),
        ("search gone.parquet --query toy/04", "there is no space gone.parquet"),
        ("discover toy.parquet --subclasses few", "--subclasses is 'few'; legal: a number of at least 1, or bic"),
        ("discover toy.parquet --subclasses 0", "--subclasses is '0'; legal"),
        ("discover toy.parquet --out note.txt", "--out note.txt cannot be written, as note.txt is a file"),
        ("discover toy.parquet --where splt=test", "the items have no column 'splt'; did you mean 'split'?"),
        ("discover toy.parquet --where label=red split=tset", "no item has split 'tset'; did you mean 'test'?"),
        ("discover toy.parquet --where split=test size=1", "no item has split=test and size=1; each occurs, but not"),
        ("summarise toy.parquet --groups 61", "--groups is 61, and there are 60 items; legal: 1 to 60"),
        ("summarise toy.parquet --groups 0", "--groups is 0; legal: at least 1"),
        ("summarise toy.parquet --per-group 0", "--per-group is 0; legal: at least 1"),
        ("map", "name at least one space"),
        ("map toy.parquet --by lable", "--by 'lable' is no column of toy.parquet; did you mean 'label'? There are"),
        ("map toy.parquet --out x.gif", "--out x.gif ends in '.gif'; a picture is .png, .svg or .pdf"),
        ("map toy.parquet toy.parquet --new toy.parquet", "--new places items into one map; name one space"),
        ("map note.txt", "note.txt cannot be read as a space"),
    ],
)  # fmt: skip
def test_errors_name_what_is_legal(run, toy, words, message):
    Path("note.txt").write_text("no sound")
    code, out, err = run(*words.split())
    assert (code, out) == (2, "")
    assert message in err
    assert sorted(path.name for path in Path().iterdir()) == ["note.txt", "toy.parquet"]


def test_an_unlabelled_space_is_coloured_by_prediction_and_not_discovered(run, toy):
    space = Space.open(toy)
    Space(space.items.assign(label=None), space.vectors, CLASSES).save("bare.parquet")
    code, out, err = run("map", "bare.parquet", "--out", "bare.svg")
    assert code == 0, err
    assert "No item has a label, so colour is the prediction" in out
    assert "affectspace summarise bare.parquet" in out
    assert "discover" not in out
    assert "unknown" not in Path("bare.svg").read_text()
    assert "affectspace summarise bare.parquet" in run("search", "bare.parquet", "--query", "toy/04")[1]
    code, out, err = run("map", "toy.parquet")
    assert "No item has a label" not in out
    assert "affectspace discover toy.parquet" in out


def test_a_space_that_does_not_hold_its_classes_apart_is_said_not_to(run, toy):
    space = Space.open(toy)
    told = "So many say more of the space, which does not hold the classes apart, than of the labels."
    assert told not in run("discover", "toy.parquet", "--errors")[1]
    shuffled = np.random.default_rng(3).permutation(space.items["label"].to_numpy())
    Space(space.items.assign(label=shuffled), space.vectors, CLASSES).save("mixed.parquet")
    assert told in run("discover", "mixed.parquet", "--errors")[1]


def test_a_file_of_the_space_finds_itself_and_a_copy_of_it_too(run, toy, tmp_path, embedding):
    space = Space.open(toy)
    (tmp_path / "run").mkdir()
    Space(space.items, space.vectors, CLASSES, {"model": "run"}).save("own.parquet")
    embedding(space.vectors[7])
    file = space.items["image"][7]
    code, out, err = run("search", "own.parquet", "--query", file)
    assert code == 0, err
    assert "The first, toy/07, is the query itself: the space holds this file." in out
    shutil.copy(file, "copy.png")
    assert (
        "The first, toy/07, is a copy of the query: both files are the same."
        in run("search", "own.parquet", "--query", "copy.png")[1]
    )
    assert json.loads(run("search", "own.parquet", "--query", "copy.png", "--json")[1])["itself"] == "toy/07"
    Image.new("RGB", (30, 20), "red").save("new.png")
    assert "The first" not in run("search", "own.parquet", "--query", "new.png")[1]


@pytest.mark.parametrize(
    ("finder", "side", "command"),
    [
        ("cascade 5 largest", 128, "--out 'my photo-faces', and"),
        (
            "yunet 0123 largest",
            96,
            "--finder FILE.onnx --side 96 --out 'my photo-faces', and",
        ),
    ],
)
def test_a_photo_in_a_space_of_crops_is_said_to_be_none(run, toy, tmp_path, embedding, finder, side, command):
    space, folder = Space.open(toy), tmp_path / "crops"
    (tmp_path / "run").mkdir()
    shutil.copytree(Path(space.items["image"][0]).parent, folder / "faces/more")
    images = [str(folder / "faces/more" / Path(image).name) for image in space.items["image"]]
    Space(space.items.assign(image=images), space.vectors, CLASSES, {"model": "run"}).save("own.parquet")
    Image.new("RGB", (60, 40), (0, 9, 99)).save("my photo.png")
    embedding(space.vectors[5])
    words = ("search", "own.parquet", "--query", "my photo.png")
    assert "note" not in run(*words)[1]  # pictures of any kind
    (folder / "faces.json").write_text(json.dumps({"faces": "largest", "finder": finder, "side": side}))
    code, out, err = run(*words)
    assert code == 0, err
    assert f"make one by: affectspace faces 'my photo.png' {command} query the picture in my photo-faces/faces." in out
    assert command in json.loads(run(*words, "--json")[1])["note"]
    assert "note" not in run(*words[:-1], "toy/04")[1]
    assert "note" not in run(*words[:-1], images[5])[1]  # a crop of this very collection
    Image.new("RGB", (60, 40), (9, 9, 99)).save(folder / "faces/another.png")
    assert "note" not in run(*words[:-1], str(folder / "faces/another.png"))[1]
    (folder / "faces.json").write_text("[]")
    assert "note" not in run(*words)[1]


def test_maps_of_strangers_are_refused(run, toy):
    space = Space.open(toy)
    Space(space.items.assign(id="x/" + space.items["id"]), space.vectors, CLASSES).save("strangers.parquet")
    code, _, err = run("map", "toy.parquet", "strangers.parquet")
    assert code == 2
    assert "share no item, so that nothing could be followed from map to map" in err
    Space(space.items, space.vectors[:, :3], CLASSES).save("flat.parquet")
    code, _, err = run("map", "toy.parquet", "--new", "flat.parquet")
    assert code == 2
    assert "flat.parquet has 3 dimensions and toy.parquet has 4" in err


def test_the_model_of_a_space_may_be_gone(run, toy):
    space = Space.open(toy)
    Space(space.items, space.vectors, CLASSES, {"model": "runs/gone"}).save("moved.parquet")
    Path("note.txt").write_text("no sound")
    code, _, err = run("search", "moved.parquet", "--query", "note.txt")
    assert code == 2
    assert "the model of the space, runs/gone, is not there" in err


@pytest.fixture
def embedding(monkeypatch):
    """``embedding(vector)``: whatever file is embedded, it has this vector; which models were asked for is kept."""
    asked = []

    def make(vector):
        def embed(model, sources, *, quiet):
            row = {"id": str(sources[0]), "vector": np.array(vector), "prediction": "red", "image": str(sources[0])}
            return Embedded(pd.DataFrame([row]), pd.DataFrame())

        monkeypatch.setattr("affectspace.space.embed.embed", embed)
        monkeypatch.setattr("affectspace.training.load_model", asked.append)
        return asked

    return make


def test_a_file_is_embedded_by_the_space_s_own_model(run, toy, tmp_path, embedding):
    space = Space.open(toy)
    (tmp_path / "run").mkdir()
    Space(space.items, space.vectors, CLASSES, {"model": "run"}).save("own.parquet")
    Image.new("RGB", (30, 20), "red").save("new.png")
    asked = embedding(space.vectors[2] + 0.01)
    code, out, err = run("search", "own.parquet", "--query", "new.png", "--count", 2, "--out", "found.html", "--json")
    assert code == 0, err
    away = np.linalg.norm(space.vectors - space.vectors[2] - 0.01, axis=1)
    assert [each["id"] for each in json.loads(out)["found"]] == [f"toy/{row:02d}" for row in np.argsort(away)[:2]]
    assert asked == ["run"]
    page = Path("found.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 3
    assert "Items like new.png" in page
    embedding([1.0, 2.0])
    code, _, err = run("search", "own.parquet", "--query", "new.png")
    assert code == 2
    assert "the model run gives 2 dimensions and the space has 4; it has been trained anew since" in err


def test_a_language_that_was_tested_is_named_so_on_a_map_where_others_trained():
    shape = pd.Series(["de", "en", "en", None, "de"], name="language")
    items = pd.DataFrame({"split": ["test", "train", "test", "test", "test"]})
    told = ["de (tested)", "en", "en", None, "de (tested)"]
    named = _tested(shape, SimpleNamespace(items=items))
    assert named.astype(object).where(named.notna(), None).tolist() == told
    assert _tested(shape, SimpleNamespace(items=items.assign(split="test"))) is shape
    assert _tested(shape.rename("speaker"), SimpleNamespace(items=items)).tolist() == shape.tolist()
    assert _tested(None, SimpleNamespace(items=items)) is None


def test_atlas_writes_a_table_and_tells_how_to_show_it(run, toy):
    code, out, err = run("atlas", "toy.parquet", "--where", "label=red", "--out", "red.parquet")
    assert code == 0, err
    assert "embedding-atlas red.parquet --x x --y y --neighbors neighbors --text id --image image" in out
    table = pd.read_parquet("red.parquet")
    assert len(table) == 31
    assert table["image"][0]["bytes"].startswith(b"\x89PNG")
    told = json.loads(run("atlas", "toy.parquet", "--no-media", "--json")[1])
    assert (told["out"], told["items"], "image" in told["columns"]) == ("toy-atlas.parquet", 60, False)
    for words, why in (
        (["--out", "x.csv"], "--out x.csv ends in '.csv'; the table is Parquet, so end it in .parquet"),
        (["--out", "toy.parquet"], "--out toy.parquet is the space itself; name another file"),
    ):
        code, _, err = run("atlas", "toy.parquet", *words)
        assert (code, why in err) == (2, True)
