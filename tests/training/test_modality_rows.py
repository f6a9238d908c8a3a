"""Of several modalities: who is gone is told once, who goes on without one apart, and an id is one row's own."""

import json

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.training import Run, make_recipe
from affectspace.training.gather import gather
from affectspace.training.prepare import prepare
from affectspace.training.remarks import item_remarks
from affectspace.training.unused import unused, unused_told, without_modality_told
from affectspace.training.who_has import modalities_told, nobody_has_told

CLASSES = ["angry", "happy", "sad"]


@pytest.fixture
def written(tmp_path):
    """``written(change, share)``: a recipe of words and of vectors of 24 items, whose table ``change`` has changed."""

    def write(change=lambda table: table, share=0.2, **changes):
        generator, row = np.random.default_rng(0), np.arange(24)
        ids = [f"i{place:02d}" for place in row]
        table = pd.DataFrame({"id": ids, "speaker": [f"s{place // 6}" for place in row], "text": "yes"})
        table["label"] = [CLASSES[place % 3] for place in row]
        (tmp_path / "mine").mkdir(exist_ok=True)
        change(table).to_csv(tmp_path / "mine/items.csv", index=False)
        vectors = pd.DataFrame(generator.normal(size=(24, 3))).add_prefix("a").assign(id=ids)
        vectors[row < 20].to_parquet(tmp_path / "acoustic.parquet")
        np.savez(tmp_path / "words.npz", words=np.array(["yes"]), vectors=generator.normal(size=(1, 4)))
        acoustic = {"kind": "vectors", "path": "acoustic.parquet", "id_column": "id", "max_bad_share": share}
        net = {"kind": "sequence", "frames": 2, "heads": 1, "blocks": 1, "convolutions": [[1, 1, 0, 1]], "latent": 2}
        values = {
            "name": "mine",
            "data": str(tmp_path),
            "corpora": [{"path": "mine"}],
            "labels": {"kind": "classes", "names": CLASSES},
            "modalities": {
                "acoustic": {"features": acoustic, "net": {"kind": "linear", "hidden": [], "latent": 2}},
                "lexical": {"features": {"kind": "words", "path": "words.npz", "max_bad_share": share}, "net": net},
            },
            "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 2, "fold": 0, "allow": ["script"]},
        }
        return make_recipe(values | changes)

    return write


def twice(text):
    """A table whose last row repeats the id of row 4, and that has this text in both."""

    def change(table):
        table.loc[3, "text"] = text
        return pd.concat([table, table.iloc[[3]].assign(speaker="other", text="yes")], ignore_index=True)

    return change


def test_the_first_row_of_an_id_is_whole_and_the_second_is_told_once(written):
    gathered = gather(written(twice("yes")))
    (about,) = gathered.about
    assert about["quarantine"] == [{"id": "i03", "reason": "'i03' is also the id of row 4; ids must be unique"}]
    assert about["items"] == 25
    assert about["used"] == 24
    place = gathered.items["id"].tolist().index("i03")
    assert gathered.items["speaker"][place] == "s0"
    assert [each.lengths[place] for each in gathered.inputs.values()] == [1, 1]


def test_what_is_wrong_with_the_first_row_of_an_id_is_told_too(written):
    (about,) = gather(written(twice("..."))).about
    second, first = about["quarantine"]
    assert second["reason"] == "'i03' is also the id of row 4; ids must be unique"
    assert first["reason"].startswith("lexical: ")
    assert first["without"] == "lexical"
    assert about["used"] == 24


def test_rows_that_are_no_items_count_as_at_fault_in_every_modality(written):
    def change(table):
        return pd.concat([table, table.iloc[:6]], ignore_index=True)

    with pytest.raises(InputError, match=r"6 of 30 items of corpus mine are at fault.*modalities\.acoustic\.features"):
        gather(written(change, 0.1))
    assert gather(written(change, 0.2)).about[0]["used"] == 24


def blank(table):
    """Three texts without a word; of two of these rows there is no vector either, and one of them has no label."""
    table.loc[[3, 22, 23], "text"] = "..."
    table.loc[[5, 23], "label"] = None
    return table


def test_who_is_gone_and_who_goes_on_are_told_apart_and_add_up(written):
    taught = {"unlabelled": {"weight": 1}, "terms": [{"kind": "cross_entropy"}, {"kind": "reconstruction"}]}
    about = gather(written(blank, **taught)).about
    found = unused({"corpora": about})
    [aside], [lost] = found["set_aside"].items(), found["without_modality"].items()
    assert aside == (*lost[:1], 2)
    assert lost[1] == 1
    assert lost[0].startswith("lexical: ")
    assert found["left_out"] == {"no label": 1}
    assert found["used"] + sum(found["left_out"].values()) + aside[1] == found["items"] == 24
    assert found["unlabelled"] == 1
    why = lost[0].removeprefix("lexical: ")
    assert without_modality_told(found) == f"without a modality: 1 x lexical ({why})"
    assert unused_told(found) == (
        f"21 of 24 items are used with their targets; set aside: 2 x lexical: {why}; without a target: 1 x no label"
    )


def test_a_run_tells_who_goes_on_in_its_remarks(tmp_path):
    row = {"id": "a", "reason": "acoustic: a.wav is truncated; restore it"}
    gone = {"id": "b", "reason": "acoustic: b.wav is truncated; restore it"}
    corpus = {"name": "mine", "items": 3, "used": 2, "quarantine": [row | {"without": "acoustic"}, gone]}
    (tmp_path / "recipe.toml").write_text('name = "x"\n')
    (tmp_path / "metrics.json").write_text('{"classes": ["a", "b"]}')
    (tmp_path / "data.json").write_text(json.dumps({"corpora": [corpus]}))
    told = "go on without a modality: 1 x acoustic (the file is truncated)."
    assert [sentence.endswith(told) for sentence in item_remarks(Run(tmp_path))] == [True]
    assert (
        unused_told(unused({"corpora": [corpus]}))
        == "2 of 3 items are used; set aside: 1 x acoustic: the file is truncated"
    )


def test_a_table_of_vectors_of_other_ids_is_told_with_an_id_of_each(written, tmp_path):
    recipe = written()
    table = pd.read_parquet(tmp_path / "acoustic.parquet")
    table.assign(id="mine-" + table["id"]).to_parquet(tmp_path / "acoustic.parquet")
    why = "the table of vectors has none of their ids, such as 'i00'; its own are such as 'mine-i00'"
    (about,) = gather(recipe).about
    assert about["nobody_has"] == {"acoustic": why}
    assert modalities_told(about) == "modalities of mine: acoustic 0, lexical 24 of 24 items"
    assert nobody_has_told([about]) == [f"No item of mine has the modality acoustic: {why}."]
    with pytest.raises(InputError, match=rf"has the modality 'acoustic'; leave .* out, or mend .* {why}"):
        prepare(recipe)


def test_a_medium_that_no_item_has_is_told_with_its_reason(written):
    (about,) = gather(written(lambda table: table.assign(text=None))).about
    assert about["nobody_has"] == {"lexical": "24 x the item has no text"}
    assert about["modalities"] == {"acoustic": 20, "lexical": 0}
