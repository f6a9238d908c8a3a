"""What check says is set aside is: counted, named, and in no target; and what is not declared stops with a remedy."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.corpora import check, notes, open_corpus
from affectspace.errors import InputError
from affectspace.features.crops import NO_FACE
from affectspace.space.of_corpus import known_of
from affectspace.training import make_recipe
from affectspace.training.prepare import prepare
from affectspace.training.set_aside import refuse_too_many
from affectspace.training.unused import reason_kind, unused, unused_told

SCALE = "[scales.{}]\nlow = 0\nhigh = 10\n"


@pytest.fixture
def written(numbers):
    """``written(values, card, **changes)``: a recipe of numbers whose first items have other values."""

    def write(values, card="", **changes):
        recipe = numbers(**changes)
        table = pd.read_csv(f"{recipe.data}/mine/items.csv", dtype={"value": str})
        table.loc[: len(values) - 1, "value"] = values
        table.to_csv(f"{recipe.data}/mine/items.csv", index=False)
        with open(f"{recipe.data}/mine/corpus.toml", "w") as file:
            file.write(card)
        return recipe

    return write


@pytest.mark.parametrize("cut", [{"bins": 4}, {"bins": None, "thresholds": [3, 6]}])
@pytest.mark.parametrize(("dimension", "card"), [("label", '[columns]\nlabel = "value"\n'), ("value", "")])
def test_numbers_off_their_scale_are_set_aside_and_named(written, cut, dimension, card):
    recipe = written(
        ["-3", "412", "about 4", "inf"], card + SCALE.format(dimension), labels={"dimension": dimension, **cut}
    )
    faults = check(open_corpus(f"{recipe.data}/mine"), read_media=False)
    told = {fault.item: fault.message for fault in faults if fault.column == dimension}
    assert [fault.problem for fault in faults if fault.column == dimension] == [
        "off-scale", "off-scale", "not-a-number", "off-scale",
    ]  # fmt: skip
    data = prepare(recipe)
    assert len(data.items) == 56
    assert data.numbers.min() >= 0
    assert data.numbers.max() <= 10
    (about,) = data.about["corpora"]
    assert {row["id"]: row["reason"] for row in about["quarantine"]} == told
    assert told["mine1"].endswith("is '412'; labels run from 0 to 10" if dimension == "label" else "from 0 to 10")


def test_without_a_scale_a_label_that_is_no_number_stops_with_its_remedies(written):
    recipe = written(["-3", "about 4"], '[columns]\nlabel = "value"\n', labels={"dimension": "label"})
    corpus = open_corpus(f"{recipe.data}/mine")
    assert not [fault for fault in check(corpus, read_media=False) if fault.column == "label"]
    remedy = r"leave .* empty, or declare \[scales\.label\] with low and high in corpus\.toml, which sets .* aside"
    with pytest.raises(InputError, match=rf"item 'mine1': label has the value 'about 4'; .*{remedy}"):
        prepare(recipe)
    (note,) = [note for note in notes(corpus) if "about 4" in note]
    assert pd.Series([note]).str.contains(remedy).all()


def test_a_scale_says_nothing_of_labels_that_are_not_read(written):
    voted = written(["400"], '[columns]\nlabel = "value"\n' + SCALE.format("label") + SCALE.format("age"))
    ratings = pd.DataFrame({"item": [f"mine{n}" for n in range(60)], "dimension": "age", "value": range(60)})
    ratings["value"] = (ratings["value"] / 6).astype(str)
    ratings.to_csv(f"{voted.data}/mine/ratings.csv", index=False)
    read = make_recipe(voted.model_dump(mode="json") | {"labels": {"kind": "levels", "dimension": "age", "bins": 4}})
    data = prepare(read)
    assert len(data.items) == 60
    assert not data.about["corpora"][0]["quarantine"]


def test_too_many_off_their_scale_stop_the_run(written):
    recipe = written(["400"] * 7, SCALE.format("value"))
    with pytest.raises(
        InputError, match=r"7 of 60 items of corpus mine are at fault.*mine0: the value is '400'; value"
    ):
        prepare(recipe)


def test_items_off_their_scale_can_be_embedded_and_have_no_label(written):
    recipe = written(["412", "about 4"], SCALE.format("value"), labels={"bins": None, "thresholds": [3, 6]})
    known, told = known_of(open_corpus(f"{recipe.data}/mine"), recipe)
    assert told == ""
    assert len(known) == 60
    assert np.flatnonzero(known["label"].isna()).tolist() == [0, 1]


def test_what_is_not_used_is_counted_by_reason(written):
    recipe = written(["-3", "412", "about 4", None], SCALE.format("value"))
    found = unused(prepare(recipe).about)
    aside = {"the value is off the scale": 2, "the value is not a number": 1}
    assert found == {"items": 60, "used": 56, "set_aside": aside, "left_out": {"no value": 1}, "ratings": 0}
    assert unused_told(found) == (
        "56 of 60 items are used; set aside: 2 x the value is off the scale, 1 x the value is not a number; "
        "left out: 1 x no value"
    )
    assert unused_told(unused({"corpora": [{"items": 2, "used": 2}]})) == unused_told(unused({})) == ""


def test_ratings_at_fault_are_no_items(written):
    recipe = written([], SCALE.format("age"))
    ids = [f"mine{n}" for n in range(60)]
    ratings = pd.DataFrame({"item": ids * 2, "rater": ["one"] * 60 + ["two"] * 60, "value": [2.0, 5.0] * 60})
    ratings.loc[:36, "value"] = 99
    ratings.assign(dimension="age").to_csv(f"{recipe.data}/mine/ratings.csv", index=False)
    labels = {"kind": "levels", "dimension": "age", "thresholds": [3]}
    found = unused(prepare(make_recipe(recipe.model_dump(mode="json") | {"labels": labels})).about)
    assert found == {"items": 60, "used": 60, "set_aside": {}, "left_out": {}, "ratings": 37}
    assert unused_told(found) == "60 of 60 items are used; ratings at fault, which are left out: 37"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("/a/b c.png is not an image that can be read; convert it", "the file is not an image that can be read"),
        ("there is no file a/b.wav; restore it", "there is no file"),
        (
            "there is no file a/b.wav below the corpus's folder; restore it",
            "there is no file below the corpus's folder",
        ),
        ("faces/a.parquet#17 is an empty file of 0 bytes; copy it anew", "the file is an empty file of … bytes"),
        ("row 17 of faces/a.parquet holds no image; remove the item", "row … of … holds no image"),
        ("no face found in any of the 40 frames of a.mp4; leave", "no face found in any of the … frames"),
        ("column 'pitch' is nan; leave the item out", "column … is nan"),
        ("rating left out: rater r2 gave '0.9'; valence runs from 1 to 5", "rating left out"),
        ("0.0010 s of sound are too short: one frame needs 0.0250 s", "… s of sound are too short"),
        ("the label is '1e9'; labels run from 0 to 120", "the label is off the scale"),
        ("the label is '-inf'; labels run from 0 to 120", "the label is off the scale"),
        ('the age is "it\'s 40"; age runs from 0 to 120', "the age is not a number"),
        ("the age is 'nan'; age runs from 0 to 120", "the age is not a number"),
        ("'a' is also the id of row 1; ids must be unique", "… is also the id of row …"),
    ],
)
def test_reasons_are_counted_without_what_is_particular_to_an_item(reason, kind):
    assert reason_kind(reason) == kind


@pytest.fixture
def blanks(tmp_path):
    """A recipe of pictures of two classes, of which one is blank pictures."""
    for number in range(12):
        folder = tmp_path / "mine" / ("face", "none")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((9, 9), 7) if number % 2 else np.random.default_rng(number).integers(0, 255, (9, 9))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return {
        "name": "pictures",
        "data": str(tmp_path),
        "corpora": [{"path": "mine"}],
        "labels": {"kind": "classes", "names": ["face", "none"]},
        "features": {"kind": "faces", "side": 8, "max_bad_share": 1},
        "protocol": {"kind": "grouped_folds", "by": "item", "fold": 0},
        "encoder": {"kind": "image"},
    }


def test_a_class_whose_items_were_all_set_aside_is_said_to_be(blanks):
    told = r"class none has no training item in the split .* \(6 of its items were set aside: 6 x the file is blank\);"
    with pytest.raises(InputError, match=told):
        prepare(make_recipe(blanks))


def test_too_many_pictures_without_a_face_are_no_matter_of_check(written):
    corpus = open_corpus(f"{written([]).data}/mine")
    faceless = [{"id": f"mine{n}", "reason": f"{NO_FACE} in /a/{n}.png; leave it out"} for n in range(8)]
    with pytest.raises(InputError, match=r"leave features\.finder out; else .* affectspace faces .*/mine$") as stopped:
        refuse_too_many(corpus, faceless, 0.1)
    assert "in 8 pictures no face is found, which check does not look for" in str(stopped.value)
    assert "affectspace check" not in str(stopped.value)
    other = {"id": "mine9", "reason": "9.png is an empty file of 0 bytes"}
    with pytest.raises(InputError, match=r"see the others by: affectspace check .*/mine; in 8 pictures no face"):
        refuse_too_many(corpus, [other, *faceless], 0.1)
    with pytest.raises(InputError, match=r"see all by: affectspace check .*/mine$"):
        refuse_too_many(corpus, [other] * 9, 0.1)
