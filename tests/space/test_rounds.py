"""Rounds of training on classes within classes: what each trains on, and that they go on where they were."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.errors import InputError
from affectspace.space import Space
from affectspace.space.rounds import train_rounds
from affectspace.training import make_recipe
from affectspace.training.train import train


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Two classes of pictures, each of two kinds that no label tells: bright above or below, or left or right."""
    root = tmp_path_factory.mktemp("pictures")
    rng, rows = np.random.default_rng(0), []
    light = np.linspace(40, 200, 16)
    kinds = [
        np.tile(light[:, None], 16),
        np.tile(light[::-1, None], 16),
        np.tile(light, (16, 1)),
        np.tile(light[::-1], (16, 1)),
    ]
    for number in range(128):
        pixels = kinds[number % 4] + rng.normal(0, 12, (16, 16))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / f"{number}.png")
        split = "test" if number >= 104 else "train"
        rows.append(
            {
                "id": str(number),
                "image": f"{number}.png",
                "label": ["up-down", "across"][number % 4 // 2],
                "split": split,
            }
        )
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)
    return make_recipe(
        {
            "name": "within",
            "data": str(root),
            "corpora": [{"path": "."}],
            "labels": {"kind": "classes", "names": ["up-down", "across"], "dimension": "label"},
            "features": {"kind": "faces", "side": 16},
            "protocol": {"kind": "published", "validate_share": 0.0},
            "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 4, "probe": True},
            "terms": [{"kind": "gaussian_manifold"}, {"kind": "cross_entropy"}],
            "training": {
                "epochs": 3, "batch_size": 16, "items_per_class": 8, "learning_rate": 5e-3, "selection": "last",
            },
        }
    )  # fmt: skip


def test_each_round_trains_on_one_more_sub_class_and_ends_where_it_would_have_ended(recipe, tmp_path, monkeypatch):
    whole = train_rounds(recipe, tmp_path / "whole", 2, quiet=True)
    assert [each.trained_on for each in whole] == [2, 4]
    assert whole[-1].figures["knn_accuracy"] > 0.9
    space = Space.open(tmp_path / "whole" / "round-02" / "space.parquet")
    assert space.classes == ("up-down", "across")
    assert len(space) == 128
    parts = pd.read_parquet(tmp_path / "whole" / "round-01" / "subclasses.parquet")
    assert (parts.groupby("subclass")["class"].nunique() == 1).all()
    assert len(parts) == 104  # training items alone
    told = json.loads((tmp_path / "whole" / "rounds.json").read_text())
    assert [row["round"] for row in told] == [1, 2]

    calls = []

    def ends(*given, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*given, **named)

    monkeypatch.setattr("affectspace.space.rounds.train", ends)
    with pytest.raises(KeyboardInterrupt):
        train_rounds(recipe, tmp_path / "ended", 2, quiet=True)
    monkeypatch.undo()
    train_rounds(recipe, tmp_path / "ended", 2, resume=True, quiet=True)
    weights = "round-02/model/model.safetensors"
    assert (tmp_path / "ended" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
    assert (tmp_path / "ended" / "rounds.json").read_bytes() == (tmp_path / "whole" / "rounds.json").read_bytes()

    with pytest.raises(InputError, match="already holds a run, or rounds; go on with rounds by --resume"):
        train_rounds(recipe, tmp_path / "whole", 2, quiet=True)


def test_there_is_at_least_one_round(recipe, tmp_path):
    with pytest.raises(InputError, match="rounds is 0; train for at least 1"):
        train_rounds(recipe, tmp_path / "none", 0)
