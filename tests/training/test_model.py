"""A model's folder and what it can begin with: weights of another net, and words that fit the medium."""

import pytest
import torch

from affectspace.errors import InputError
from affectspace.features import Normaliser
from affectspace.training import load_model, train
from affectspace.training.model import Model


def test_weights_of_another_net_are_refused(tiny, tmp_path):
    first = train(tiny(), tmp_path / "first", quiet=True)
    start = dict(load_model(first.path).encoder.state_dict())
    name = next(name for name in start if "output" not in name)
    with pytest.raises(InputError, match=rf"start: {name} has shape \(1,\), and the recipe's net has \("):
        train(tiny(), tmp_path / "shape", start=start | {name: torch.zeros(1)}, quiet=True)
    with pytest.raises(InputError, match=r"start: elsewhere has shape .* no such weight"):
        train(tiny(), tmp_path / "name", start=start | {"elsewhere": torch.zeros(2)}, quiet=True)
    assert not (tmp_path / "shape" / "recipe.toml").exists()  # nothing was begun
    other = {**start, "output.weight": torch.zeros(9, start["output.weight"].shape[1]), "output.bias": torch.zeros(9)}
    train(tiny(), tmp_path / "classes", start=other, quiet=True)


def test_the_card_and_the_remedy_speak_of_what_the_model_reads(tiny, tmp_path):
    run = train(tiny(), tmp_path / "run", quiet=True)
    card = (run.path / "model" / "README.md").read_text()
    assert "the expression in a recording" in card
    assert "microphones" in card
    assert "sub-classes" not in card
    vectors = tiny(features={"kind": "vectors", "path": "vectors.parquet"}, encoder={"kind": "mlp"})
    with pytest.raises(InputError, match="cannot embed recordings or pictures; train one on log_mel or functionals"):
        Model(torch.nn.Identity(), ("a", "b"), vectors, Normaliser("none")).frontend  # noqa: B018
