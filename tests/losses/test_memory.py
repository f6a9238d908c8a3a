"""The oracle is a list from which the oldest are dropped."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from affectspace.losses import InBatchFSimilarityLoss
from affectspace.losses.degenerate import DegenerateBatchWarning
from affectspace.losses.gaussian_manifold import GaussianManifoldLoss
from affectspace.losses.memory import MemoryBank


def rows(items, start=0, dimensions=2):
    return torch.arange(start, start + items).float()[:, None].expand(-1, dimensions).contiguous()


@settings(deadline=None, max_examples=30)
@given(size=st.integers(1, 7), batches=st.lists(st.integers(0, 9), max_size=6))
def test_equals_a_list_that_drops_its_oldest(size, batches):
    bank, kept, count = MemoryBank(size, 2), [], 0
    for items in batches:
        numbers = torch.arange(count, count + items)
        bank.add(rows(items, count), numbers)
        kept, count = [*kept, *numbers.tolist()][-size:], count + items
        embeddings, targets = bank.contents()
        assert len(bank) == len(kept)
        assert targets.tolist() == kept
        assert torch.equal(embeddings, targets.float()[:, None].expand(-1, 2))


def test_an_empty_bank_gives_an_empty_reference_which_losses_tell_of():
    bank, z = MemoryBank(4, 2), torch.rand(4, 2, requires_grad=True)
    embeddings, targets = bank.contents()
    assert (embeddings.shape, targets.shape, targets.dtype) == ((0, 2), (0,), torch.int64)
    for loss in (GaussianManifoldLoss(), InBatchFSimilarityLoss()):
        with pytest.warns(DegenerateBatchWarning):
            loss(z, torch.tensor([0, 0, 1, 1]), *bank.contents())


@pytest.mark.filterwarnings("error")
def test_as_a_reference_loss_first_then_add():
    torch.manual_seed(0)
    encoder, loss, bank = torch.nn.Linear(3, 2), GaussianManifoldLoss(), MemoryBank(8, 2)
    for step in range(4):
        z, y = encoder(torch.randn(4, 3)), torch.tensor([0, 0, 1, 1])
        value = loss(z, y, *bank.contents()) if len(bank) else loss(z, y)
        bank.add(z, y)  # the copies of contents() stay as they were until the backward pass
        encoder.zero_grad()
        value.backward()
        assert all(each.grad.isfinite().all() for each in encoder.parameters())
        assert len(bank) == min(4 * (step + 1), 8)
    assert not bank.contents()[0].requires_grad


def test_what_was_given_may_change_afterwards():
    bank, z, y = MemoryBank(3, 2), rows(3), torch.arange(3)
    bank.add(z, y)
    z += 7
    y += 7
    before = bank.contents()
    assert (before[0].tolist(), before[1].tolist()) == (rows(3).tolist(), [0, 1, 2])
    bank.add(z, y)
    assert before[1].tolist() == [0, 1, 2]


def test_soft_targets_and_class_indices_in_a_bank_of_soft_targets():
    bank = MemoryBank(3, 2, classes=2)
    bank.add(rows(1), torch.tensor([[0.25, 0.75]]))
    bank.add(rows(1), torch.tensor([0]))
    assert bank.contents()[1].tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_several_columns_of_targets():
    bank = MemoryBank(3, 2, classes=(2, None))
    assert [each.shape for each in bank.contents()[1]] == [(0, 2), (0,)]
    bank.add(rows(4), (torch.tensor([0, 1, 1, 0]), torch.tensor([10, 11, 12, -1])))
    _, (emotions, speakers) = bank.contents()
    assert emotions.tolist() == [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    assert speakers.tolist() == [11, 12, -1]


def test_clear_forgets_all():
    bank = MemoryBank(3, 2)
    bank.add(rows(2), torch.tensor([4, 5]))
    bank.clear()
    assert len(bank) == 0
    bank.add(rows(1), torch.tensor([6]))
    assert bank.contents()[1].tolist() == [6]


@pytest.mark.parametrize("classes", [None, 3, (3, None)])
def test_a_file_of_its_state_resumes_to_the_bit(tmp_path, classes):
    torch.manual_seed(0)
    columns = [torch.randint(3, (7, 4)), torch.randint(99, (7, 4))]
    batches = [(torch.randn(4, 2), (a, b) if isinstance(classes, tuple) else a) for a, b in zip(*columns)]
    straight, resumed = MemoryBank(10, 2, classes), MemoryBank(10, 2, classes)
    for step, each in enumerate(batches):
        straight.add(*each)
        if step == 3:
            save_file(straight.state_dict(), tmp_path / "bank.safetensors")
    resumed.load_state_dict(load_file(tmp_path / "bank.safetensors"))
    for each in batches[4:]:
        resumed.add(*each)
    for name, tensor in straight.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name])
    assert torch.equal(straight.contents()[0], resumed.contents()[0])


def test_embeddings_in_a_shorter_float_are_kept_in_the_bank_s_type():
    bank = MemoryBank(3, 2)
    bank.add(rows(2).bfloat16(), torch.arange(2))
    assert bank.contents()[0].dtype == torch.float32
    assert bank.double().contents()[0].dtype == torch.float64
    assert repr(MemoryBank(3, 2, (4, None))) == "MemoryBank(size=3, dimensions=2, classes=(4, None))"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MemoryBank(0, 2), "size is 0; at least 1"),
        (lambda: MemoryBank(3, 2, classes=(2, 0)), "classes is 0; at least 1"),
        (lambda: MemoryBank(3, 2, classes=()), "classes are an empty tuple; give at least one column"),
        (lambda: MemoryBank(3, 2).add(rows(2, dimensions=3), torch.arange(2)), "3 dimensions; this bank holds 2"),
        (lambda: MemoryBank(3, 2).add(rows(2), torch.arange(3)), r"expected floating point \(3, dimensions\)"),
        (lambda: MemoryBank(3, 2).add(rows(2), torch.eye(2)), "or make the bank with the number of classes"),
        (
            lambda: MemoryBank(3, 2, 3).add(rows(2), torch.eye(2)),
            r"or probabilities \(items, 3\)",
        ),
        (lambda: MemoryBank(3, 2).add(rows(2), (torch.arange(2),)), "a tuple of 1; this bank was made for one tensor"),
        (
            lambda: MemoryBank(3, 2, (None, None)).add(rows(2), (torch.arange(2), torch.arange(1))),
            "there are 1 targets for 2 embeddings; give a target for each",
        ),
    ],
)
def test_errors_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_refused_batch_leaves_the_bank_as_it_was():
    bank = MemoryBank(3, 2, (2, None))
    with pytest.raises(ValueError, match="expected whole numbers"):
        bank.add(rows(2), (torch.arange(2), torch.rand(2)))
    assert len(bank) == 0
    assert not bank.embeddings.any()
