"""A checkpoint is whole or passed over."""

from pathlib import Path

import pytest
import torch

from affectspace.errors import InputError
from affectspace.training.checkpoint import load_module, newest_checkpoint, save_checkpoint


def save(folder, step):
    return save_checkpoint(folder, step, {"model": {"w": torch.full((3,), float(step))}}, {"step": step, "loss": 0.1})


def test_what_is_saved_comes_back_to_the_bit(tmp_path):
    save(tmp_path, 5)
    found = newest_checkpoint(tmp_path)
    assert found.state == {"step": 5, "loss": 0.1}
    assert torch.equal(found.tensors["model"]["w"], torch.full((3,), 5.0))


def test_none_where_there_is_none(tmp_path):
    assert newest_checkpoint(tmp_path / "checkpoints") is None


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "checksums.json"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, name, harm):
    save(tmp_path, 5)
    path = save(tmp_path, 6) / name
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert newest_checkpoint(tmp_path).state["step"] == 5


def test_damaged_checkpoints_do_not_push_out_those_that_follow(tmp_path):
    save(tmp_path, 2)
    for step in (18, 20):
        (save(tmp_path, step) / "state.json").write_text("{}")
    assert newest_checkpoint(tmp_path) is None  # 2 was dropped when 20 was written; nothing whole is left
    for step in (4, 6):
        save(tmp_path, step)
    assert newest_checkpoint(tmp_path).state["step"] == 6


def test_only_the_newest_are_kept(tmp_path):
    for step in range(1, 6):
        save(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000005"]


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({"weight": (2, 4), "bias": (2,)}, "weight of shape (2, 4), and the layers here have one of shape (2, 3); "),
        ({"weight": (2, 3)}, "no bias, and the layers here have one of shape (2,); "),
        ({"weight": (2, 3), "bias": (2,), "scale": ()}, "scale of shape (), and the layers here have none; "),
        ({}, "no weight, and the layers here have one of shape (2, 3) (1 more does not fit); "),
        ({"a": (1,)}, "no weight, and the layers here have one of shape (2, 3) (2 more do not fit); "),
    ],
)
def test_a_state_that_does_not_fit_is_told_and_changes_nothing(tensors, told):
    layer = torch.nn.Linear(3, 2)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    with pytest.raises(InputError) as error:
        load_module(layer, {name: torch.zeros(shape) for name, shape in tensors.items()}, Path("runs/mine"), "layers")
    assert str(error.value) == (
        f"runs/mine cannot go on: its checkpoint has {told}another version of affectspace began it, so begin the run "
        "anew with --out, or go on with that version, which environment.txt names"
    )
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_state_that_fits_comes_back_to_the_bit():
    here, there = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    load_module(here, there.state_dict(), Path("runs/mine"), "layers")
    assert all(torch.equal(value, there.state_dict()[name]) for name, value in here.state_dict().items())
