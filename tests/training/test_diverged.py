"""What is kept of a batch on which training diverged: the features of every modality, and whose each row is."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from affectspace.errors import DivergedError
from affectspace.training import make_recipe, train
from affectspace.training.data import Data
from affectspace.training.prepare import prepare

TERMS = [{"kind": "cross_entropy"}, {"kind": "consistency", "noise": 0.0}]


def kept(folder):
    about = json.loads((folder / "diverged/batch.json").read_text())
    return about, load_file(folder / "diverged/batch.safetensors")


def test_every_modality_is_kept_with_the_items_that_are_seen_twice(lay_duo, tmp_path):
    values = lay_duo(tmp_path, terms=[{**TERMS[0], "weight": 3e38}, {**TERMS[1], "weight": 3e38}])
    recipe = make_recipe(values)
    data = prepare(recipe)
    with pytest.raises(DivergedError, match=r"\); its features are finite: lower training\.learning_rate or set"):
        train(recipe, tmp_path / "run", data=data, quiet=True)
    about, batch = kept(tmp_path / "run")
    assert about["finite"] == {"acoustic": True, "lexical": True}
    assert set(batch) == {"targets"} | {f"{what}.{name}" for what in ("values", "lengths") for name in about["finite"]}
    assert about["items"][8:16] == about["items"][16:]
    row = {key: place for place, key in enumerate(data.items["key"])}
    whole = data.batch(np.array([row[key] for key in about["items"]]))
    assert len(about["items"]) == len(batch["targets"]) == 8 + 2 * 8
    for name, modality in whole.modalities.items():  # under no noise both views are the item itself
        assert torch.equal(batch[f"values.{name}"], modality.values)
        assert torch.equal(batch[f"lengths.{name}"], modality.lengths)


def test_a_modality_that_is_not_finite_is_named_with_its_item(lay_duo, tmp_path, monkeypatch):
    recipe = make_recipe(lay_duo(tmp_path, terms=TERMS))
    data = prepare(recipe)
    lexical = data.inputs["lexical"].clips.lengths > 0
    row = next(row for row in data.split.train if lexical[row])
    whole = Data.batch

    def poisoned(self, rows):
        batch = whole(self, rows)
        batch.modalities["lexical"].values[np.asarray(rows) == row] = float("nan")
        return batch

    monkeypatch.setattr(Data, "batch", poisoned)
    key = data.items["key"].iloc[row]
    with pytest.raises(DivergedError, match=rf"\); the lexical features of {key} are not finite\. The batch and its"):
        train(recipe, tmp_path / "run", data=data, quiet=True)
    about, batch = kept(tmp_path / "run")
    assert about["finite"] == {"acoustic": True, "lexical": False}
    assert about["items"][int(batch["values.lexical"].isnan().any(1).nonzero()[0])] == key
