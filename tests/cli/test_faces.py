"""``affectspace faces``: what it prints, and a photograph of a face from its folder to a checked corpus."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.corpora import open_corpus
from affectspace.errors import InputError


@pytest.fixture
def photographs(tmp_path):
    """The astronaut and her mirror image, each in a class of its own, and what is no face."""
    data = pytest.importorskip("skimage.data")
    face = data.astronaut()[:240, 64:384]
    for name, pixels in (("calm/a.jpg", face), ("glad/b.png", face[:, ::-1]), ("glad/cup.png", data.coffee()[:240])):
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "people" / name)
    (tmp_path / "people/calm/empty.jpg").touch()
    (tmp_path / "people/calm/c.heic").touch()
    return tmp_path / "people"


def test_photographs_to_a_corpus_that_is_checked(run, photographs, tmp_path):
    code, out, err = run("faces", "people")
    assert (code, err) == (0, "")  # no bar in a pipe
    folder = tmp_path / "people-faces"
    assert "2 faces in 4 sources -> people-faces/items.csv" in out
    assert "left out: calm/empty.jpg: calm/empty.jpg is an empty file of 0 bytes; copy it anew" in out
    assert "left out: glad/cup.png: no face found in glad/cup.png" in out
    assert "not looked at: files 1 .heic" in out
    assert out.endswith("\nnext:\n  affectspace check people-faces\n")
    code, out, _ = run("check", "people-faces")
    assert code == 0
    assert "no faults" in out
    left, right = pd.read_csv(folder / "items.csv")["image"]
    crops = [np.asarray(Image.open(folder / image)).astype(int) for image in (left, right)]
    assert {crop.shape for crop in crops} == {(128, 128, 3)}
    assert np.abs(crops[0] - crops[1][:, ::-1]).mean() < 25


def test_as_json_and_again(run, photographs):
    words = ("faces", "people", "--out", "found", "--faces", "all", "--side", "64", "--json")
    told = json.loads(run(*words)[1])
    assert told["quarantine"][0]["source"] == "calm/empty.jpg"
    assert {key: told[key] for key in ("out", "sources", "faces", "frames", "carried", "not_looked_at")} == {
        "out": "found", "sources": 4, "faces": 2, "frames": 0, "carried": 0, "not_looked_at": {".heic": 1},
    }  # fmt: skip
    assert json.loads(run(*words)[1]) == told
    code, _, err = run("faces", "people", "--out", "found")
    assert code == 2
    assert "found holds faces made with faces = 'all', not 'largest'; choose another folder with --out" in err


def test_one_file_without_a_label(run, photographs):
    code, out, _ = run("faces", "people/calm/a.jpg")
    assert code == 0
    assert "1 face in 1 source -> a-faces/items.csv" in out
    assert open_corpus("people").items["label"].tolist() == ["calm", "calm", "glad", "glad"]  # no crop is one of them
    code, out, _ = run("check", "a-faces")
    assert code == 0
    assert "note: no item (of 1) has a label or a rating" in out
    assert out.endswith("\nnext:\n  affectspace embed RUN a-faces\n")


def test_without_out_the_folder_stands_where_no_corpus_counts_its_pictures(tmp_path, monkeypatch):
    from affectspace.cli.faces import _place

    (tmp_path / "my.pictures").mkdir()
    (tmp_path / "clip.one.mp4").touch()
    monkeypatch.chdir(tmp_path / "my.pictures")
    assert _place(Path()) == _place(tmp_path / "my.pictures") == tmp_path / "my.pictures-faces"
    assert _place(Path("..")) == tmp_path.with_name(f"{tmp_path.name}-faces")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "my.pictures/a.jpg").touch()
    (tmp_path / "my.pictures/items.csv").touch()
    assert _place(Path("../my.pictures/a.jpg")) == Path("a-faces")
    assert _place(Path("../my.pictures/items.csv")) == Path("../my.pictures/items-faces")  # a table is its own corpus
    for source in (Path("../clip.one.mp4"), tmp_path / "clip.one.mp4"):
        with pytest.raises(InputError, match=r"clip\.one-faces would lie among the files beside .*; name another"):
            _place(source)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nowhere", "there is nothing at nowhere; give a folder of pictures or videos, or a corpus"),
        ("people --out people/calm/a.jpg", "a.jpg is a file and no folder; choose another path"),
        ("people --out people/faces", "lies in people, whose pictures it would be among"),
        ("people --finder haar", "there is no finder 'haar'; legal: cascade, or the path of a YuNet file (.onnx)"),
        ("people --side 2", "side is 2; legal: 8 to 4096 pixels"),
        ("people --faces two", "--faces"),
    ],
)
def test_what_is_refused(run, photographs, words, message):
    code, out, err = run("faces", *words.split())
    assert code == 2
    assert message in err or message in out


def test_an_interruption_says_how_to_go_on(run, photographs, monkeypatch):
    from affectspace.faces import make

    def stop(*words):
        raise KeyboardInterrupt

    monkeypatch.setattr(make, "crop_source", stop)
    code, _, err = run("faces", "people")
    assert (code, err) == (130, "interrupted; the same command goes on where it stopped")
