"""Corpora of images that come with lists: the lines are read, and those of images that are there are items."""

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import ADAPTERS, check, notes, open_corpus
from affectspace.corpora.adience import AGES, age_group
from affectspace.errors import InputError
from affectspace.labels import Levels


def rows(corpus, *columns):
    table = corpus.items.set_index("id")[list(columns)].astype(object)
    return table.where(table.notna(), None).T.to_dict("list")


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_rafdb(plant_images):
    root = plant_images("Image/aligned/train_00001_aligned.jpg", "Image/original/train_00001.jpg",
                        "Image/original/test_0001.jpg")  # fmt: skip
    write(root / "EmoLabel/list_patition_label.txt", "train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7", "")
    corpus = open_corpus(root)
    assert corpus.name == "rafdb"
    assert rows(corpus, "image", "label", "split") == {
        "train_00001": ["Image/aligned/train_00001_aligned.jpg", "sadness", "train"],
        "test_0001": ["Image/original/test_0001.jpg", "neutral", "test"],
    }
    assert check(corpus) == []
    write(root / "EmoLabel/list_patition_label.txt", "train_00001.jpg 8")
    with pytest.raises(InputError, match=r"line 1 is 'train_00001\.jpg 8'; it should be like 'train_00001\.jpg 5'"):
        open_corpus(root)
    write(root / "EmoLabel/list_patition_label.txt", "train_00009.jpg 1")
    with pytest.raises(InputError, match="holds no image of RAF-DB that its list names; looked for Image/aligned"):
        open_corpus(root)


HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


@pytest.mark.parametrize("header", [True, False])
def test_affectnet_tables(plant_images, header):
    root = plant_images("Manually_Annotated_Images/1/a.jpg", "Manually_Annotated_Images/2/b.jpg",
                        "Manually_Annotated_Images/2/c.png", side=120)  # fmt: skip
    write(root / "training.csv", HEADER, "1/a.jpg,10,20,100,110,1;2,1,0.5,-0.25", "2/b.jpg,0,0,9,9,1;2,10,-2,-2")
    write(root / "validation.csv", *([HEADER] if header else []), "2/c.png,1,2,3,4,1;2,7,-0.1,0.1")
    corpus = open_corpus(root)
    assert corpus.name == "affectnet"
    assert rows(corpus, "image", "label", "split", "box") == {
        "1/a": ["Manually_Annotated_Images/1/a.jpg", "happiness", "train", "10 20 100 110"],
        "2/b": ["Manually_Annotated_Images/2/b.jpg", "no face", "train", "0 0 9 9"],
        "2/c": ["Manually_Annotated_Images/2/c.png", "contempt", "test", "1 2 3 4"],
    }
    assert corpus.ratings.groupby("item")["value"].apply(list).to_dict() == {
        "1/a": ["0.5", "-0.25"],
        "2/c": ["-0.1", "0.1"],
    }
    assert corpus.card.label_map["no face"] == ""
    assert check(corpus) == []


@pytest.mark.parametrize(("tables", "below"), [("", ""), ("lists/", ""), ("lists/", "Manually_Annotated/")])
def test_affectnet_wherever_its_images_lie(plant_images, tables, below):
    folder = f"{below}Manually_Annotated_Images" if below else tables.rstrip("/")
    root = plant_images(f"{folder}/1/a.jpg".lstrip("/"), side=120)
    (root.parent / "Manually_Annotated_Images").mkdir(exist_ok=True)  # of somebody else
    write(root / f"{tables}training.csv", HEADER, "1/a.jpg,10,20,100,110,1;2,1,0.5,-0.25")
    assert check(open_corpus(root)) == []


def test_affectnet_sets(plant_images):
    root = plant_images("train_set/images/0.jpg", "val_set/images/7.jpg")
    for name, number, values in (("train_set", 0, ("3", "0.5", "0.75")), ("val_set", 7, ("6", "-1", "1"))):
        (root / name / "annotations").mkdir()
        for short, value in zip(("exp", "val", "aro"), values):
            np.save(root / name / f"annotations/{number}_{short}.npy", np.array(value))
    corpus = open_corpus(root)
    assert rows(corpus, "image", "label", "split") == {
        "train_set/0": ["train_set/images/0.jpg", "surprise", "train"],
        "val_set/7": ["val_set/images/7.jpg", "anger", "test"],
    }
    assert corpus.ratings["value"].tolist() == ["0.5", "-1", "0.75", "1"]
    np.save(root / "val_set/annotations/7_exp.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"7_exp\.npy holds no number: .*allow_pickle"):
        open_corpus(root)


FOLD = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty"


def adience(root, ages):
    lines = [f"7@N01\t{k}_o.jpg\t{k}\t{age}\t{'fmu'[k % 3]}\t1\t2" for k, age in enumerate(ages)]
    write(root / "fold_0_data.txt", FOLD, *lines)
    write(root / "fold_3_data.txt", FOLD, "8@N02\tz_o.jpg\t99\t(60, 100)\tm\t1\t2")


def test_adience_folds_and_ages(plant_images):
    ages = ["(25, 32)", "(8, 12)", "35", "None", "(38, 42)", "13"]
    faces = [f"aligned/7@N01/landmark_aligned_face.{k}.{k}_o.jpg" for k in range(len(ages))]
    root = plant_images(*faces, "faces/8@N02/coarse_tilt_aligned_face.99.z_o.jpg")
    adience(root, [*ages, "(4, 6)"])  # whose face is not there
    corpus = open_corpus(root)
    assert corpus.name == "adience"
    assert len(corpus) == 7
    assert rows(corpus, "speaker", "session", "fold", "label", "sex")["7@N01/1/1_o"] == [
        *["7@N01", "fold_0", "fold_0", "(8, 12)", "male"]
    ]
    assert rows(corpus, "image", "session")["8@N02/99/z_o"] == [
        *["faces/8@N02/coarse_tilt_aligned_face.99.z_o.jpg", "fold_3"]
    ]
    made = Levels(tuple(AGES)).targets(corpus.items, corpus.ratings, "label", corpus.card.label_map)
    assert [made.values[k].argmax() if made.usable[k] else None for k in range(7)] == [4, 2, None, None, 5, 2, 7]
    assert made.left_out == {"label '35' is left out": 1, "no label": 1}
    assert "35 (1, left out)" in corpus.card.note
    assert "(38, 42) (1, 38-43)" in corpus.card.note
    assert check(corpus) == []
    assert any(
        "1 of 7 items has neither a label nor a rating, such as 7@N01/3/3_o in row 4; " in note
        for note in notes(corpus)
    )


def test_ages_lie_in_one_group_or_none():
    assert all(age_group(str(age)) == name for name, (low, high) in AGES.items() for age in (low, high))
    assert [age_group(age) for age in ("3", "7", "101", "(2, 4)", "(0,2)", "old")] == ["", "", "", "", "0-2", ""]


def test_images_of_groups(plant_images):
    root = plant_images("Fam2a/1_2@N00.jpg", "Wed5a/3.jpg", side=120)
    face = "\t 100\t 100\t 140\t 100\t 28\t 1"
    write(root / "Fam2a/PersonData.txt", "1_2@N00.jpg", face, "\t 10\t 10\t 10\t 10\t 75\t 2")
    write(root / "Wed5a/PersonData.txt", "3.jpg", face)
    corpus = open_corpus(root)
    assert corpus.name == "images_of_groups"
    assert rows(corpus, "image", "session", "label", "sex", "box") == {
        "Fam2a/1_2@N00/1": ["Fam2a/1_2@N00.jpg", "Fam2a/1_2@N00.jpg", "28", "female", "60 52 120 120"],
        "Fam2a/1_2@N00/2": ["Fam2a/1_2@N00.jpg", "Fam2a/1_2@N00.jpg", "75", "male", "8 9 3 3"],
        "Wed5a/3/1": ["Wed5a/3.jpg", "Wed5a/3.jpg", "28", "female", "60 52 120 120"],
    }
    assert set(corpus.items["label"]) <= corpus.card.label_map.keys()
    assert check(corpus) == []  # two faces of one photo are not the same image
    write(root / "Wed5a/PersonData.txt", "3.jpg", "1 2 3 4 29 1")
    with pytest.raises(InputError, match=r"line 2 is '1 2 3 4 29 1'; a face is six numbers, x and y of both eyes"):
        open_corpus(root)


def test_aadb(plant_images):
    root = plant_images("datasetImages_warp256/farm1_a.jpg", "datasetImages_originalSize/farm1_a.jpg",
                        "datasetImages_warp256/farm1_b.jpg", "AADB_newtest/farm1_c.jpg")  # fmt: skip
    lists = root / "imgListFiles_label"
    write(lists / "imgListTrainRegression_score.txt", "farm1_a.jpg 0.55", "farm1_gone.jpg 0.1")
    write(lists / "imgListValidationRegression_score.txt", "farm1_b.jpg 0.3")
    write(lists / "imgListTestNewRegression_score.txt", "farm1_c.jpg 1.0")
    write(lists / "imgListTestRegression_score.txt", "farm1_b.jpg 0.9")
    corpus = open_corpus(root)
    assert corpus.name == "aadb"
    assert rows(corpus, "image", "split", "label") == {
        "farm1_a": ["datasetImages_originalSize/farm1_a.jpg", "train", "0.55"],
        "farm1_b": ["datasetImages_warp256/farm1_b.jpg", "validate", "0.3"],
        "farm1_c": ["AADB_newtest/farm1_c.jpg", "test", "1.0"],
    }
    assert corpus.ratings[["item", "rater", "dimension", "value"]].values.tolist()[0] == [
        *["farm1_a", "mean", "aesthetics", "0.55"]
    ]
    assert check(corpus) == []


@pytest.mark.parametrize("name", ["rafdb", "affectnet", "adience", "images_of_groups", "aadb"])
def test_cards_say_what_people_need(name):
    module = ADAPTERS[name]
    card = module._card(pd.Series(dtype="string")) if name == "adience" else module._CARD
    assert all([card.licence, card.citation, card.note])
