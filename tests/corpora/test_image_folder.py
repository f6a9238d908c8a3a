"""Any folder of class folders is a corpus, with its splits."""

import pytest

from affectspace.corpora import ADAPTERS, check, notes, open_corpus
from affectspace.errors import InputError


def test_folders_are_classes(plant_images):
    root = plant_images("happy/1.png", "happy/deep/2.jpg", "sad/1.png", "cover.png")
    corpus = open_corpus(root)
    assert corpus.items[["id", "image", "label"]].values.tolist() == [
        ["happy/1", "happy/1.png", "happy"],
        ["happy/deep/2", "happy/deep/2.jpg", "happy"],
        ["sad/1", "sad/1.png", "sad"],
    ]
    assert corpus.items["split"].isna().all()
    assert corpus.name == root.name
    assert check(corpus) == []
    assert corpus.card.note.startswith("Left out are files beside the folders of the classes (1, such as cover.png);")


def test_classes_one_level_down_are_told(plant_images):
    root = plant_images("folders/happy/1.png", "folders/sad/2.png", "scenes/3.png", "scenes/deep/4.png")
    corpus = open_corpus(root)
    assert set(corpus.items["label"]) == {"folders", "scenes"}
    told = "The class folders is 2 folders of images (happy, sad); if these are the classes, name the corpus "
    assert notes(corpus)[0] == f"{told}{root / 'folders'}."
    assert set(open_corpus(root / "folders").items["label"]) == {"happy", "sad"}


@pytest.mark.parametrize("name", ["validate", "val", "valid", "Validation"])
def test_splits_above_the_classes(plant_images, name):
    root = plant_images("train/happy/1.png", "train/sad/2.png", f"{name}/happy/1.png", "test/sad/9.png")
    items = open_corpus(root).items.set_index("id")
    assert items["split"].to_dict() == {
        "train/happy/1": "train",
        "train/sad/2": "train",
        f"{name}/happy/1": "validate",
        "test/sad/9": "test",
    }
    assert items["label"].tolist().count("sad") == 2


def test_one_name_with_two_endings_keeps_them(plant_images):
    root = plant_images("happy/1.png", "happy/1.jpg", "sad/2.png")
    assert sorted(open_corpus(root).items["id"]) == ["happy/1.jpg", "happy/1.png", "sad/2"]


def test_a_name_with_its_ending_that_is_anothers_without_it(plant_images):
    root = plant_images(*(f"{folder}/{name}" for folder in "xy" for name in ("a.png", "a.jpg", "a.png.jpg", "b.png")))
    ids = open_corpus(root).items["id"].tolist()
    assert ids == ["x/a.jpg", "x/a.png", "x/a.png.jpg", "x/b", "y/a.jpg", "y/a.png", "y/a.png.jpg", "y/b"]
    assert not [fault for fault in check(open_corpus(root)) if fault.problem == "duplicate-id"]


def test_one_class_or_none_is_no_corpus(plant_images):
    root = plant_images("happy/1.png", "train/1.png", "other.png")
    assert not ADAPTERS["image_folder"].matches(root)
    assert list(ADAPTERS)[-1] == "image_folder"
    with pytest.raises(InputError, match=r"holds no folders of images; looked for happy/1\.png or train/happy/1\.png"):
        ADAPTERS["image_folder"].read(root / "train")


def test_what_is_no_item_is_counted(plant_images):
    root = plant_images("train/happy/1.png", "train/sad/1.png", "cover.png", "train/2.png")
    assert "cover.png" not in open_corpus(root / "train").card.note
    for name in ("photo.heic", "Thumbs.db", ".hidden"):
        (root / "train" / "sad" / name).write_bytes(b"x")
    note = open_corpus(root).card.note
    assert note.startswith("Left out are files beside the folders of the classes (2, such as cover.png) and of a kind ")
    assert "that is not read (1, such as train/sad/photo.heic); images end in .png, .jpg" in note
    assert note in notes(open_corpus(root))
