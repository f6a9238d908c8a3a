"""A recipe that asks for corrections trains on them, says so, and trains on the tables where it does not ask."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora.corrections import FILE, Correction, append_correction
from affectspace.errors import InputError
from affectspace.training import train
from affectspace.training.corrected import changed_since_told
from affectspace.training.prepare import prepare

CLASSES = ["angry", "happy", "neutral", "sad"]


@pytest.fixture
def own(tmp_path, world, tiny):
    """``own(corrections=True, **changes)``: the tiny recipe on corpora of its own, which may be corrected."""
    shutil.copytree(world, tmp_path / "world")

    def make(corrections=True, **changes):
        return tiny(data=str(tmp_path / "world"), corrections=corrections, **changes)

    return make


def labels_of(data):
    return dict(zip(data.items["key"], data.targets.numpy().tolist()))


def correct(path, item, new, old="sad"):
    append_correction(path, Correction("2026-11-22T21:40:03Z", "ann", item, old, new))


def test_corrected_items_are_one_hot_and_others_as_they_were(own, tmp_path):
    before = labels_of(prepare(own(False)))
    first, second, third = list(before)[:3]
    path = tmp_path / "world" / "alva" / FILE
    correct(path, first, "happy")
    correct(path, second, "anger")  # a word for a class
    correct(path, third, "")
    correct(path, "alva/nobody", "happy")
    correct(path, "elsewhere/1", "sad")
    data = prepare(own())
    after = labels_of(data)
    assert after[first] == np.eye(4)[1].tolist()
    assert after[second] == np.eye(4)[0].tolist()
    assert third not in after
    assert {item: after[item] for item in after if item not in (first, second)} == {
        item: before[item] for item in before if item not in (first, second, third)
    }
    alva, boro = data.about["corpora"]
    told = alva["corrections"]
    assert {key: told[key] for key in ("items", "left_out", "not_here", "unread_lines")} == {
        "items": 2, "left_out": 1, "not_here": 1, "unread_lines": [],
    }  # fmt: skip
    assert alva["left_out"] == {"left out by a correction": 1}
    assert boro["corrections"]["items"] == 0
    assert "corrections" not in prepare(own(False)).about["corpora"][0]
    assert labels_of(prepare(own(False))) == before


def test_one_file_may_correct_all_corpora(own, tmp_path):
    before = labels_of(prepare(own(False)))
    items = [next(iter(before)), list(before)[-1]]
    for item in items:
        correct(tmp_path / "mine.jsonl", item, "happy")
    after = labels_of(prepare(own(str(tmp_path / "mine.jsonl"))))
    assert all(after[item] == np.eye(4)[1].tolist() for item in items)


def test_an_item_without_a_label_is_given_one(own, tmp_path):
    table = tmp_path / "world" / "alva" / "items.csv"
    rows = pd.read_csv(table, dtype=str)
    ratings = tmp_path / "world" / "alva" / "ratings.csv"
    item = rows["id"][0]
    rows.loc[0, "label"] = None
    rows.to_csv(table, index=False)
    if ratings.is_file():
        votes = pd.read_csv(ratings, dtype=str)
        votes[votes["item"] != item].to_csv(ratings, index=False)
    assert f"alva/{item}" not in labels_of(prepare(own(False)))
    correct(tmp_path / "world" / "alva" / FILE, f"alva/{item}", "happy", old="")
    assert labels_of(prepare(own()))[f"alva/{item}"] == np.eye(4)[1].tolist()


def test_a_correction_to_what_is_no_class_names_the_classes(own, tmp_path):
    path = tmp_path / "world" / "alva" / FILE
    first = next(iter(labels_of(prepare(own(False)))))
    correct(path, first, "surprised")
    with pytest.raises(InputError) as told:
        prepare(own())
    assert str(told.value) == (
        f"{path} corrects {first} to 'surprised', which is no class here; legal: angry, happy, neutral, sad; correct "
        "it anew, or leave corrections out"
    )


def test_what_is_left_out_is_no_unlabelled_item_either(own, tmp_path):
    first = next(iter(labels_of(prepare(own(False)))))
    correct(tmp_path / "world" / "alva" / FILE, first, "")
    terms = [{"kind": "cross_entropy"}, {"kind": "pseudo_labels"}]
    with pytest.raises(InputError, match="there are no unlabelled items to train on"):
        prepare(own(unlabelled={}, terms=terms))


def test_a_file_that_is_named_must_be_there(own, tmp_path):
    with pytest.raises(InputError, match=r"there are no corrections in .*gone\.jsonl; affectspace explore writes them"):
        prepare(own(str(tmp_path / "gone.jsonl")))


def test_a_run_keeps_the_hash_and_its_model_no_path(own, tmp_path):
    path = tmp_path / "mine.jsonl"
    first = next(iter(labels_of(prepare(own(False)))))
    correct(path, first, "happy")
    run = train(own(str(path), training={"epochs": 1}), tmp_path / "run", quiet=True)
    told = run.data["corpora"][0]["corrections"]
    assert (told["file"], told["items"], len(told["sha256"])) == ("mine.jsonl", 1, 64)
    config = json.loads((tmp_path / "run/model/config.json").read_text())
    assert config["recipe"]["corrections"] is True
    assert str(tmp_path) not in json.dumps(config)
    assert changed_since_told(run) == []
    correct(path, first, "sad", old="happy")
    told = changed_since_told(train(own(str(path), training={"epochs": 1}), tmp_path / "run", resume=True, quiet=True))
    assert told == [  # once, though both corpora are corrected by this file
        f"{path} has changed since this run was trained, and the run stays as it is: affectspace train "
        f"{tmp_path}/run/recipe.toml --out FOLDER trains on what it says now, and affectspace agreement "
        f"{tmp_path}/world/alva --corrections {path} tells what that is."
    ]
    path.unlink()
    assert changed_since_told(run) == [
        f"{path}, by which labels were corrected when this run was trained, is gone, and the run stays as it is; bring "
        "the file back before you train anew."
    ]


def test_corrections_that_grew_stop_a_resumed_run(own, tmp_path):
    path = tmp_path / "world" / "alva" / FILE
    items = list(labels_of(prepare(own(False))))
    correct(path, items[0], "happy")
    recipe = own(training={"epochs": 1})
    train(recipe, tmp_path / "run", quiet=True)
    (tmp_path / "run" / "metrics.json").unlink()
    correct(path, items[1], "happy")
    with pytest.raises(InputError, match="the corrections of corpus alva have changed since"):
        train(recipe, tmp_path / "run", resume=True, quiet=True)
