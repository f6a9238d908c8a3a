"""Targets as rows of probabilities, and the errors of those that are none."""

import pytest
import torch

from affectspace.labels.distribution import as_distribution


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_indices_become_one_hot_rows(dtype):
    assert torch.equal(as_distribution(torch.tensor([2, 0], dtype=dtype), 3), torch.eye(3)[[2, 0]])


@pytest.mark.parametrize(
    ("given", "kept"),
    [(torch.float16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_probabilities_keep_their_values_in_float32_or_better(given, kept):
    rows = as_distribution(torch.tensor([[0.25, 0.75]], dtype=given), 2)
    assert rows.dtype == kept
    assert rows.tolist() == [[0.25, 0.75]]


def test_nan_is_not_hidden():
    rows = as_distribution(torch.tensor([[0.5, 0.5], [float("nan")] * 2]), 2)
    assert rows[1].isnan().all()
    assert rows[0].tolist() == [0.5, 0.5]


def test_a_batch_without_items_is_a_table_without_rows():
    assert as_distribution(torch.zeros(0, dtype=torch.long), 3).shape == (0, 3)
    assert as_distribution(torch.zeros(0, 3), 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([0, 5]), r"class 5 is outside 0\.\.2"),
        (torch.tensor([0, -1]), r"class -1 is outside 0\.\.2"),
        (torch.rand(2, 4), r"shape \(2, 4\); expected whole numbers \(items,\) or probabilities \(items, 3\)"),
        (torch.tensor([0.0, 1.0]), r"shape \(2,\)"),
        (torch.full((2, 3), 0.5), r"sums to 1\.5000; divide each row by its sum"),
        (torch.tensor([[1.5, -0.5, 0.0]]), r"holds -0\.5000; probabilities are 0 or more"),
        (torch.tensor([[float("nan")] * 3, [0.5, 0.4, 0.0]]), r"sums to 0\.9000"),
    ],
)
def test_errors_say_value_and_remedy(targets, message):
    with pytest.raises(ValueError, match=message):
        as_distribution(targets, 3)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([1.0, 2.0]), r"float32 of shape \(2,\); expected whole numbers \(items,\) or probabilities"),
        (torch.tensor([[1], [2]]), r"int64 of shape \(2, 1\); expected whole numbers \(items,\)"),
        (torch.tensor([[0.0, 0.0, 0.0]]), r"sums to 0\.0000; leave out items without votes"),
        (torch.tensor([1, 2, 3]), r"class 3 is outside 0\.\.2, the 3 classes; count them from 0"),
    ],
)
def test_what_people_give_by_mistake_is_told_in_its_own_words(targets, message):
    with pytest.raises(ValueError, match=message):
        as_distribution(targets, 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_thirds_in_half_precision_are_probabilities(dtype):
    rows = as_distribution(torch.full((2, 3), 1 / 3).to(dtype), 3)
    assert rows.dtype == torch.float32
    assert torch.allclose(rows, torch.full((2, 3), 1 / 3), atol=1e-6)
