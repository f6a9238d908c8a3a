"""Pictures and videos become a corpus that is checked without a fault, and every miss is named."""

import json
import shutil
from concurrent.futures import Future

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.corpora import check, open_corpus
from affectspace.errors import InputError
from affectspace.faces import make, make_faces
from affectspace.features.crops import crop_face
from affectspace.features.face import Face
from affectspace.media import read_image

HERE, THERE = (20, 30, 24), (80, 40, 16)


def made(source, out, **settings):
    return make_faces(source, out, workers=1, quiet=True, side=32, **settings)


def cropped(pixels, face):
    left, top, side = face
    return crop_face(pixels, Face(left, top, side, side, 1.0), 32)


def contents(folder):
    """All that a corpus consists of, without what it takes to go on."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {".lock", "faces.jsonl", "faces.json"}
    }


def test_folders_that_are_classes(tmp_path, save):
    source = tmp_path / "pictures"
    pixels = save(source / "train/happy/a.png", 0, HERE, THERE)
    save(source / "train/sad/b.png", 1, THERE)
    save(source / "val/sad/deep/b.bmp", 2, HERE)
    save(source / "train/sad/wall.png", 3)
    save(source / "train/alone.png", 4, HERE)
    (source / "train/sad/notes.txt").write_text("x")
    done = made(source, tmp_path / "faces")
    corpus = open_corpus(tmp_path / "faces")
    assert check(corpus) == []
    assert corpus.name == "faces"
    assert corpus.items[["id", "label", "split", "source_box", "carried"]].values.tolist() == [
        ["train/happy/a", "happy", "train", "20 30 24 24", "no"],
        ["train/sad/b", "sad", "train", "80 40 16 16", "no"],
        ["val/sad/deep/b", "sad", "validate", "20 30 24 24", "no"],
    ]
    assert np.array_equal(read_image(corpus.root / corpus.items["image"][0]), cropped(pixels, HERE))
    assert corpus.items["session"].isna().all()
    assert done.sources == 5
    assert done.others == {".txt": 1}
    assert dict(done.quarantine.values) == {
        "train/alone.png": "it lies beside the folders that are classes; move it into one of them",
        "train/sad/wall.png": "no face found in train/sad/wall.png; leave it out, or crop its face yourself",
    }
    assert pd.read_csv(tmp_path / "faces/quarantine.csv").equals(done.quarantine.astype("str"))


def test_all_faces_of_a_picture_are_kept_together(tmp_path, save):
    pixels = save(tmp_path / "in/group.png", 0, HERE, THERE)
    save(tmp_path / "in/one.png", 1, HERE)
    made(tmp_path / "in", tmp_path / "out", faces="all")
    corpus = open_corpus(tmp_path / "out")
    assert check(corpus) == []  # no label, which is a note
    assert corpus.items["id"].tolist() == ["group.png/1", "group.png/2", "one.png/1"]
    assert corpus.items["session"].fillna("-").tolist() == ["group.png", "group.png", "one.png"]
    for image, face in zip(corpus.items["image"], (HERE, THERE)):
        assert np.array_equal(read_image(corpus.root / image), cropped(pixels, face))


def test_frames_of_a_video_carry_the_last_face_over(tmp_path, film, scene):
    shown = [scene(0), scene(1, HERE), scene(2, THERE), scene(3), scene(4), scene(2, THERE)]
    film(tmp_path / "in/clip.mov", shown)
    made(tmp_path / "in", tmp_path / "out")
    corpus = open_corpus(tmp_path / "out")
    assert check(corpus) == []
    items = corpus.items
    assert items["id"].tolist() == [f"clip.mov/{frame:04}" for frame in range(1, 7)]
    assert items["source"].unique().tolist() == ["clip.mov"]
    assert items["source_time"].astype(float).tolist() == pytest.approx([frame / 3 for frame in range(6)], abs=1e-3)
    assert items["carried"].tolist() == ["yes", "no", "no", "yes", "yes", "no"]
    assert items["session"].unique().tolist() == ["clip.mov"]
    # what is carried over, or shown again, is one file
    files = [int(image.rpartition("/")[2].removesuffix(".png")) for image in items["image"]]
    assert files == [1, 1, 3, 3, 3, 3]
    assert len(list((tmp_path / "out/faces").rglob("*.png"))) == 2
    for image, pixels, face in ((items["image"][1], shown[1], HERE), (items["image"][2], shown[2], THERE)):
        assert np.array_equal(read_image(corpus.root / image), cropped(pixels, face))
    assert items["source_box"].tolist() == ["20 30 24 24"] * 2 + ["80 40 16 16"] * 4


def test_what_a_corpus_knows_goes_with_its_faces(tmp_path, save, film, scene):
    root = tmp_path / "mine"
    pixels = save(root / "a.png", 0, HERE, THERE)
    film(root / "b.mov", [scene(9), scene(1, HERE), scene(2, THERE), scene(3)])
    rows = [
        {"id": "p", "image": "a.png", "box": "60 20 60 60", "label": "wut", "speaker": "anna", "split": "test"},
        {"id": "v", "video": "b.mov", "start": 0.3, "end": 0.9, "label": "froh", "speaker": "ben", "audio": "b.wav"},
        {"id": "x", "label": "froh", "speaker": "ben"},
        {"id": "p", "image": "a.png", "label": "wut"},
        {"id": "v/1", "image": "a.png", "label": "wut"},
        {"id": "o", "image": "../a.png", "label": "wut"},
        {"id": "q", "image": "a.png", "box": "1 2", "label": "wut"},
    ]
    pd.DataFrame(rows).assign(weather=" fine").to_csv(root / "items.csv", index=False)
    (root / "ratings.csv").write_text("item,rater,dimension,value\np,r1,valence,2\nv,r1,valence,4\nv,r2,emotion,froh\n")
    card = ['name = "mine"', 'licence = "CC0"', 'language = "de"', 'label_map = {wut = "angry"}']
    (root / "corpus.toml").write_text("\n".join([*card, "scales.valence = {low = 1, high = 5}"]))
    done = made(root, tmp_path / "out")
    corpus = open_corpus(tmp_path / "out")
    assert check(corpus) == []
    items = corpus.items.set_index("id")
    assert items.index.tolist() == ["p", "v/0001", "v/0002"]
    assert items["label"].tolist() == ["wut", "froh", "froh"]
    assert items["speaker"].tolist() == ["anna", "ben", "ben"]
    assert items.loc["p", ["split", "source", "source_box"]].tolist() == ["test", "a.png", "80 40 16 16"]
    assert np.array_equal(read_image(corpus.root / items.loc["p", "image"]), cropped(pixels, THERE))
    assert items.loc["v/0001", "source_time"] == "0.3"
    assert items["audio"].isna().all()
    assert items["weather"].tolist() == ["fine"] * 3
    assert (corpus.card.licence, corpus.card.language, corpus.card.label_map) == ("CC0", "de", {"wut": "angry"})
    assert corpus.card.scales["valence"].high == 5
    votes = corpus.ratings.fillna("-").values.tolist()
    assert votes == [
        ["p", "r1", "valence", "2"],
        ["v/0001", "r1", "valence", "4"],
        ["v/0002", "r1", "valence", "4"],
        ["v/0001", "r2", "emotion", "froh"],
        ["v/0002", "r2", "emotion", "froh"],
    ]
    reasons = done.quarantine["reason"]
    assert done.quarantine["source"].tolist() == ["x", "p", "v/1", "o", "q"]
    for reason, words in zip(
        reasons,
        ["neither an image nor a video", "'p' is also the id of row 1", "could be that of a face of item 'v'",
         "leaves its root", "box is '1 2'; give left, top"],
    ):  # fmt: skip
        assert words in reason


def test_images_in_a_table_itself(tmp_path, save):
    save(tmp_path / "a.png", 0, HERE)
    table = pd.DataFrame({"image": [(tmp_path / "a.png").read_bytes(), b"none"], "label": ["sad", "sad"]})
    (tmp_path / "in").mkdir()
    table.to_parquet(tmp_path / "in/items.parquet")
    done = made(tmp_path / "in", tmp_path / "out")
    assert done.items["id"].tolist() == ["items#0"]
    assert done.quarantine["source"].tolist() == ["items#1"]
    assert check(open_corpus(tmp_path / "out")) == []


# ---- again, and after an end


def many(tmp_path, save, film, scene):
    for number in range(5):
        save(tmp_path / f"in/{'ab'[number % 2]}/{number}.png", number, HERE)
    save(tmp_path / "in/a/wall.png", 9)
    film(tmp_path / "in/b/clip.mov", [scene(20, HERE), scene(21)])
    return tmp_path / "in"


@pytest.mark.parametrize("steps", range(7))
def test_a_run_that_was_ended_goes_on_to_the_same_bytes(tmp_path, save, film, scene, finder, monkeypatch, steps):
    source = many(tmp_path, save, film, scene)
    made(source, tmp_path / "whole" / "out")
    finder.asked = 0
    whole, crop = contents(tmp_path / "whole/out"), make.crop_source
    left = iter(range(steps))

    def until(*words):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return crop(*words)

    monkeypatch.setattr(make, "crop_source", until)
    with pytest.raises(KeyboardInterrupt):
        made(source, tmp_path / "out")
    assert not (tmp_path / "out/items.csv").exists()
    with open(tmp_path / "out/faces.jsonl", "a") as file:
        file.write('{"id": "a/0", "sta')  # a line that was cut off
    (tmp_path / "out/faces").mkdir(exist_ok=True)
    (tmp_path / "out/faces/.x.png.abc.partial").touch()
    monkeypatch.setattr(make, "crop_source", crop)
    made(source, tmp_path / "out")
    assert contents(tmp_path / "out") == whole
    assert finder.asked == 8  # each picture and frame once


def test_each_source_is_written_down_as_soon_as_it_is_done(tmp_path, save, monkeypatch):
    for number in range(9):
        save(tmp_path / f"in/{number}.png", number, HERE)
    taken = []

    class Pool:
        def __init__(self, *words):
            pass

        def submit(self, function, crop, sources):
            taken.append(len(sources))
            done = Future()
            done.set_result(function(crop, sources))
            return done

        def shutdown(self, **words):
            pass

    monkeypatch.setattr("affectspace.features.in_order.ProcessPoolExecutor", Pool)
    assert len(make_faces(tmp_path / "in", tmp_path / "out", side=32, workers=2, quiet=True).items) == 9
    assert taken == [1] * 9


def test_only_what_is_new_or_changed_is_looked_at(tmp_path, save, film, scene, finder):
    source = many(tmp_path, save, film, scene)
    first = made(source, tmp_path / "out")
    finder.asked = 0
    again = made(source, tmp_path / "out")
    assert finder.asked == 0
    assert again.items.equals(first.items)
    assert again.quarantine.equals(first.quarantine)
    save(source / "a/0.png", 30, THERE)
    save(source / "a/7.png", 31, HERE)
    (source / "b/clip.mov").unlink()
    (tmp_path / "out/faces/a/2.png").unlink()
    third = made(source, tmp_path / "out")
    assert finder.asked == 3
    fresh = made(source, tmp_path / "fresh" / "out")
    assert third.items.equals(fresh.items)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh/out")


def test_what_may_come_another_time_is_tried_again(tmp_path, film, scene, save, monkeypatch):
    film(tmp_path / "in/clip.mov", [scene(0, HERE)])
    save(tmp_path / "in/a.png", 1, HERE)
    with monkeypatch.context() as without:
        without.setattr("importlib.util.find_spec", lambda name: None)
        done = made(tmp_path / "in", tmp_path / "out")
    assert 'pip install "affectspace[video]"' in done.quarantine["reason"][0]
    assert len(made(tmp_path / "in", tmp_path / "out").items) == 2


def test_what_could_not_be_opened_is_tried_again(tmp_path, save, monkeypatch):
    save(tmp_path / "in/a.png", 0, HERE)
    save(tmp_path / "in/b.png", 1, HERE)
    with monkeypatch.context() as locked:

        def refuse(path, *words):
            if str(path).endswith("in/a.png"):
                raise PermissionError(13, "Permission denied")
            return open(path, *words)

        locked.setattr("affectspace.media.images.open", refuse, raising=False)
        done = made(tmp_path / "in", tmp_path / "out")
    assert done.quarantine.values.tolist() == [["a.png", "a.png cannot be opened: Permission denied"]]
    assert len(made(tmp_path / "in", tmp_path / "out").items) == 2


def test_no_table_names_crops_that_are_gone(tmp_path, save, scene, monkeypatch):
    save(tmp_path / "in/a.png", 0, HERE)
    save(tmp_path / "in/b.png", 1, HERE)
    made(tmp_path / "in", tmp_path / "out")
    for seed, name in enumerate("ab"):
        save(tmp_path / f"in/{name}.png", 10 + seed)
    with monkeypatch.context() as ended:

        def end(*words):
            raise KeyboardInterrupt

        ended.setattr(make, "crop_source", end)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out/items.csv").exists()
    with pytest.raises(InputError, match="no face in any of the 2"):
        made(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out/items.csv").exists()


def test_a_journal_that_others_have_written_removes_nothing_of_theirs(tmp_path, save):
    save(tmp_path / "in/a.png", 0, HERE)
    save(tmp_path / "mine.png", 1)
    made(tmp_path / "in", tmp_path / "out")
    row = {"id": "z", "source_time": None, "source_box": "", "carried": False}
    lines = [
        {"id": "z", "state": "", "rows": [{**row, "image": "../../mine.png"}], "reason": ""},
        {"id": "y", "state": "", "rows": [{**row, "image": str(tmp_path / "mine.png")}], "reason": ""},
        {"id": "a"}, 3, ["a"],
    ]  # fmt: skip
    with open(tmp_path / "out/faces.jsonl", "a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    assert len(made(tmp_path / "in", tmp_path / "out").items) == 1
    assert (tmp_path / "mine.png").is_file()


def test_a_journal_that_was_cut_within_a_letter_goes_on(tmp_path, save, finder):
    for seed, name in enumerate(["a", "glück"]):
        save(tmp_path / f"in/{name}.png", seed, HERE)
    made(tmp_path / "in", tmp_path / "out")
    whole = contents(tmp_path / "out")
    journal = tmp_path / "out/faces.jsonl"
    journal.write_bytes(journal.read_bytes().partition("ü".encode())[0] + "ü".encode()[:1])
    finder.asked = 0
    made(tmp_path / "in", tmp_path / "out")
    assert finder.asked == 1
    assert contents(tmp_path / "out") == whole


@pytest.mark.parametrize(
    "words",
    [
        {"rows": 5},
        {"rows": "ab"},
        {"rows": [3]},
        {"rows": [{"id": "a", "image": "a.png"}]},
        {"id": ["a"]},
        {"reason": 1},
    ],
)
def test_a_line_of_another_shape_is_as_none(tmp_path, save, finder, words):
    save(tmp_path / "in/a.png", 0, HERE)
    made(tmp_path / "in", tmp_path / "out")
    whole, journal = contents(tmp_path / "out"), tmp_path / "out/faces.jsonl"
    journal.write_text(json.dumps(json.loads(journal.read_text()) | words) + "\n")
    finder.asked = 0
    made(tmp_path / "in", tmp_path / "out")
    assert finder.asked == 1
    assert contents(tmp_path / "out") == whole


# ---- refusals


def test_folders_and_settings_that_are_refused(tmp_path, save):
    save(tmp_path / "in/a.png", 0, HERE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds/items.csv").write_text("audio,label\na.wav,sad\n")
    made(tmp_path / "in", tmp_path / "out")
    refused = {
        ("in", "other"): "other holds something else; choose a new folder with --out",
        ("in", "in/faces"): "lies in .*in, whose pictures it would be among; choose a folder beside it",
        ("in", "in"): "in holds something else",
        ("other", "out"): "other holds neither pictures nor videos",
        ("empty", "new"): "empty holds neither pictures nor videos; give a folder of them",
        ("nowhere", "new"): "there is nothing at .*nowhere; give a folder of pictures or videos",
        ("sounds", "new"): "corpus sounds has neither pictures nor videos; name them in a column image or video",
    }
    for (source, out), message in refused.items():
        with pytest.raises(InputError, match=message):
            made(tmp_path / source, tmp_path / out)
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match=r"out holds faces made with side = 32, not 40; choose another folder"):
        make_faces(tmp_path / "in", tmp_path / "out", side=40, quiet=True)
    with pytest.raises(InputError, match="side is 4; legal: 8 to 4096"):
        make_faces(tmp_path / "in", tmp_path / "out", side=4)
    shutil.copytree(tmp_path / "in", tmp_path / "in2")
    with pytest.raises(InputError, match="out holds faces made with source = "):
        made(tmp_path / "in2", tmp_path / "out")
    (tmp_path / "out/faces.json").write_text("{")
    with pytest.raises(InputError, match=r"faces\.json is damaged"):
        made(tmp_path / "in", tmp_path / "out")


def test_no_face_anywhere_is_told_and_the_misses_are_kept(tmp_path, save):
    save(tmp_path / "in/a.png", 0)
    (tmp_path / "in/b.jpg").touch()
    with pytest.raises(InputError, match=r"no face in any of the 2 pictures and videos of .*; the first: a\.png: no"):
        made(tmp_path / "in", tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out/quarantine.csv")) == 2
    assert json.loads((tmp_path / "out/faces.json").read_text())["side"] == 32


# ---- what people have


def test_pictures_of_every_kind(tmp_path, scene):
    folder = tmp_path / "in"
    folder.mkdir()
    pixels = scene(0, HERE)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    Image.fromarray(pixels).save(folder / "turned.png", exif=exif)
    Image.fromarray(pixels).convert("CMYK").save(folder / "press.tif")
    Image.fromarray(pixels[..., 0].astype(np.uint16) << 8).save(folder / "deep.png")
    Image.fromarray(pixels).convert("P").save(folder / "palette.gif")
    Image.fromarray(pixels[..., 0]).save(folder / "GREY.PNG")
    rgba = np.dstack([scene(1, HERE), np.full(pixels.shape[:2], 255, np.uint8)])
    Image.fromarray(rgba).save(folder / "clear.webp", lossless=True)
    done = made(folder, tmp_path / "out")
    boxes = done.items.set_index("id")["source_box"].to_dict()
    assert boxes.pop("turned") == f"{90 - 30 - 24} 20 24 24"  # in the picture as it is seen
    assert boxes == dict.fromkeys(["GREY", "clear", "deep", "palette", "press"], "20 30 24 24")
    assert not len(done.quarantine)


def test_files_that_are_not_what_their_names_say(tmp_path, save, film, scene):
    folder = tmp_path / "in"
    save(folder / "good.png", 0, HERE)
    save(tmp_path / "secret.png", 1, HERE)
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:3000])
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "away.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").touch()
    whole = film(folder / "whole.mov", [scene(2, HERE)] * 4).read_bytes()
    (folder / "cut.mov").write_bytes(whole[: len(whole) // 2])
    film(folder / "dark.mov", [scene(3), scene(4)])
    (folder / ".hidden.png").write_bytes((folder / "good.png").read_bytes())
    done = made(folder, tmp_path / "out")
    assert done.items["id"].tolist() == ["good", *(f"whole.mov/{frame:04}" for frame in range(1, 5))]
    reasons = dict(done.quarantine.values)
    words = {
        "empty.jpg": "empty.jpg is an empty file of 0 bytes",
        "text.jpg": "text.jpg is not an image that can be read",
        "cut.png": "cut.png is truncated or corrupt",
        "link.png": "leaves its root",
        "away.png": "leaves its root",
        "text.mp4": "text.mp4 is not video that can be read",
        "empty.mp4": "empty.mp4 is an empty file",
        "cut.mov": "cut.mov is not video that can be read",
        "dark.mov": "no face found in any of the 2 frames of dark.mov",
    }
    assert reasons.keys() == words.keys()
    assert all(words[name] in reason for name, reason in reasons.items())
    assert check(open_corpus(tmp_path / "out")) == []


@pytest.mark.parametrize("find", ["largest", "all"])
@pytest.mark.parametrize("reverse", [False, True])
def test_an_item_whose_id_lies_below_that_of_another_keeps_its_crops(tmp_path, save, film, scene, find, reverse):
    pixels = save(tmp_path / "in/a.png", 0, HERE)
    film(tmp_path / "in/b.mov", [scene(1, HERE)])
    rows = [{"id": "s/x", "image": "a.png", "label": "sad"}, {"id": "s", "video": "b.mov", "label": "sad"}]
    pd.DataFrame(rows[::-1] if reverse else rows).to_csv(tmp_path / "in/items.csv", index=False)
    made(tmp_path / "in", tmp_path / "out", faces=find)
    corpus = open_corpus(tmp_path / "out")
    assert check(corpus) == []
    assert len(corpus) == 2
    (image,) = corpus.items["image"][corpus.items["id"].str.startswith("s/x")]
    assert np.array_equal(read_image(corpus.root / image), cropped(pixels, HERE))


def test_names_as_long_as_file_systems_allow(tmp_path, save):
    for seed, name in enumerate(["顔" * 80, "a" * 251]):
        save(tmp_path / "in" / f"{name}.png", seed, HERE)
    for find in ("largest", "all"):
        made(tmp_path / "in", tmp_path / find, faces=find)
        assert len(open_corpus(tmp_path / find)) == 2
        assert check(open_corpus(tmp_path / find)) == []


def test_pictures_whose_names_differ_by_endings_only_keep_their_crops(tmp_path, save):
    names = ["a.bmp", "a.png", "a.bmp.png", "b.png"]
    pixels = {name: save(tmp_path / "in" / name, seed, HERE) for seed, name in enumerate(names)}
    items = made(tmp_path / "in", tmp_path / "out").items.set_index("source")
    assert items["id"].to_dict() == {name: name for name in names} | {"b.png": "b"}
    for name in names:
        assert np.array_equal(read_image(tmp_path / "out" / items.loc[name, "image"]), cropped(pixels[name], HERE))


def test_pictures_whose_names_differ_by_case_only_keep_their_crops(tmp_path, save):
    pixels = {name: save(tmp_path / "in" / f"{name}.png", seed, HERE) for seed, name in enumerate(["A", "b", "B"])}
    assert made(tmp_path / "in", tmp_path / "out").items["image"].tolist()[0] == "faces/A.png"
    pixels["a"] = save(tmp_path / "in/a.png", 9, HERE)
    items = made(tmp_path / "in", tmp_path / "out").items.set_index("id")  # for which A is renamed
    assert items["image"].str.lower().nunique() == 4
    for name, image in items["image"].items():
        assert np.array_equal(read_image(tmp_path / "out" / image), cropped(pixels[name], HERE))
    made(tmp_path / "in", tmp_path / "fresh/out")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh/out")


def test_videos_whose_names_differ_by_case_only_keep_their_crops(tmp_path, film, scene):
    for seed, name in enumerate(["Clip.mov", "clip.mov"]):
        film(tmp_path / "in" / name, [scene(seed, HERE)])
    images = made(tmp_path / "in", tmp_path / "out").items["image"]
    assert images.str.lower().nunique() == 2


def test_names_of_every_kind(tmp_path, save):
    names = ["ü \n\t'x\".png", " blank .png", "a,b;c.png", "-r.png", "#1.png", "a.b.png", "日本.png", "=1+2.png"]
    for seed, name in enumerate(names):
        save(tmp_path / "in" / name, seed, HERE)
    (tmp_path / "in" / b"\xff\xfe.png".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    save(tmp_path / "in/twice.png", 20, HERE)
    save(tmp_path / "in/twice.bmp", 21, HERE)
    done = made(tmp_path / "in", tmp_path / "out")
    corpus = open_corpus(tmp_path / "out")
    assert check(corpus) == []
    assert sorted(corpus.items["source"]) == sorted([*names, "twice.png", "twice.bmp"])
    assert {"twice.png", "twice.bmp", "日本", " blank "} <= set(corpus.items["id"])
    assert done.quarantine.values.tolist() == [["??.png", "its name is not UTF-8; rename it"]]
