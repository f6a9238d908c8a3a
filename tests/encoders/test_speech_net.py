"""The net for speech: padding and order change nothing, any length will do, low precision stays close."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.encoders import Batch, SpeechNet, pad
from affectspace.encoders.speech_net import KERNEL, Block, Stem

torch.set_num_threads(1)


def small(seed=0, **options) -> SpeechNet:
    torch.manual_seed(seed)
    return SpeechNet(bands=6, classes=3, **{"width": 16, "depth": 2, "dimensions": 5, **options})


def batch(lengths=(90, 41, 3, 1), bands=6, beyond=0.0, extra=0) -> Batch:
    torch.manual_seed(1)
    values, lengths = pad([torch.randn(n, bands) for n in lengths])
    values = torch.nn.functional.pad(values, (0, 0, 0, extra))
    values[torch.arange(values.shape[1]) >= lengths[:, None]] = beyond
    return Batch(values, lengths)


def gradients(net, given) -> list[torch.Tensor]:
    outputs = net(given)
    return torch.autograd.grad(outputs.logits.square().sum() + outputs.embedding.sum(), list(net.parameters()))


@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 70), min_size=1, max_size=4), extra=st.integers(0, 40), seed=st.integers(0, 99))
def test_padding_never_changes_a_result(lengths, extra, seed):
    net, given_ = small(seed), batch(lengths, beyond=1e3, extra=extra)
    together = net(given_)
    for row, length in enumerate(lengths):
        alone = net(Batch(given_.values[row : row + 1, :length], torch.tensor([length])))
        torch.testing.assert_close(together.embedding[row], alone.embedding[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together.logits[row], alone.logits[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("beyond", [1e30, float("nan"), float("inf")])
def test_what_lies_in_the_padding_has_no_part_in_results_and_gradients(beyond):
    net = small()
    clean, dirty = (batch(beyond=filler, extra=9) for filler in (0.0, beyond))
    assert torch.equal(net(clean).logits, net(dirty).logits)
    assert all(torch.equal(a, b) for a, b in zip(gradients(net, clean), gradients(net, dirty)))


def test_gradients_of_a_padded_batch_are_those_of_its_items_one_by_one():
    net, given_ = small(), batch()
    alone = [
        gradients(net, Batch(given_.values[row : row + 1, :length], torch.tensor([length])))
        for row, length in enumerate(given_.lengths.tolist())
    ]
    for together, *own in zip(gradients(net, given_), *alone):
        torch.testing.assert_close(together, sum(own), atol=1e-4, rtol=1e-4)


def test_items_in_another_order_are_the_same_items():
    net, given_, order = small(), batch(), torch.tensor([2, 0, 3, 1])
    turned = net(Batch(given_.values[order], given_.lengths[order]))
    torch.testing.assert_close(turned.embedding, net(given_).embedding[order], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("bands", [1, 2, 3, 40])
def test_clips_of_one_frame_and_any_number_of_bands(bands):
    net = SpeechNet(bands, classes=2, width=8, depth=1)
    outputs = net(batch([1, 1], bands))
    assert outputs.embedding.shape == (2, 64)
    outputs.logits.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_stem_sees_a_frame_of_four_and_the_last_part_of_one():
    stem = Stem(6, 4)
    for length in range(1, 14):
        frames, inside = stem(torch.randn(1, 13, 6), torch.tensor([length]))
        assert frames.shape == (1, 4, 4)
        assert inside.sum() == -(-length // 4)
        assert not frames[~inside].any()


def test_a_block_is_what_its_description_says():
    torch.manual_seed(0)
    block, frames = Block(8).double(), torch.randn(1, 9, 8, dtype=torch.double)
    inside = torch.arange(9)[None] < 6
    frames[~inside] = 0
    kernel, bias, reach = block.over_time.weight[:, 0, 0], block.over_time.bias, KERNEL // 2
    changes = []
    for t in range(6):
        near = [(j, t + j - reach) for j in range(KERNEL) if 0 <= t + j - reach < 6]
        seen = sum(kernel[:, j] * frames[0, at] for j, at in near) + bias
        changes.append(block.layers((seen - seen.mean()) / (seen.var(correction=0) + 1e-5).sqrt()))
    gates = block.gates(sum(changes) / 6)
    expected = torch.stack([frame + change * gates for frame, change in zip(frames[0], changes)])
    found = block(frames, inside)[0]
    torch.testing.assert_close(found[:6], expected)
    assert not found[6:].any()


def test_gradient_of_a_block_in_float64():
    torch.manual_seed(0)
    block, inside = Block(4).double(), torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    frames = torch.randn(2, 5, 4, dtype=torch.double).masked_fill(~inside[..., None], 0).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: block(x, inside), frames)


def test_low_precision_stays_below_the_pooling_and_stays_close():
    net, given_ = small(width=32), batch((90, 60, 41))
    with torch.no_grad():
        exact = net(given_)
        with torch.autocast("cpu", torch.bfloat16):
            low = net(given_)
    assert low.embedding.dtype == low.logits.dtype == low.layers["features"].dtype == torch.float32
    assert (low.embedding - exact.embedding).norm() < 0.05 * exact.embedding.norm()


def test_every_weight_learns_under_autocast():
    net = small()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = net(batch())
    (outputs.logits.square().sum() + outputs.embedding.square().sum()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_nan_is_not_hidden_and_stays_in_its_clip():
    given_ = batch((30, 30))
    given_.values[0, 3, 2] = float("nan")
    logits = small()(given_).logits
    assert logits[0].isnan().all()
    assert not logits[1].isnan().any()


def test_equal_seeds_start_equal_whatever_the_classes():
    torch.manual_seed(0)
    few = SpeechNet(6, classes=2, width=8, depth=1).state_dict()
    torch.manual_seed(0)
    many = SpeechNet(6, classes=9, width=8, depth=1).state_dict()
    assert all(torch.equal(value, many[name]) for name, value in few.items() if not name.startswith("head.output"))


def test_saved_weights_give_the_same_net():
    net, other = small(seed=0), small(seed=1)
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(batch()).logits, other(batch()).logits)


def test_head_is_that_of_the_image_nets():
    free, folded = small(), small(non_negative=True)
    assert (free(batch()).embedding < 0).any()
    torch.testing.assert_close(folded(batch()).embedding, free(batch()).embedding.relu())
    reading = small(probe=True)
    reading(batch()).logits.sum().backward()
    assert reading.head.embedding.weight.grad is None
    dropping, given_ = small(dropout=0.5), batch()
    assert not torch.equal(dropping(given_).logits, dropping(given_).logits)
    dropping.eval()
    assert torch.equal(dropping(given_).logits, dropping(given_).logits)
    assert free.sizes == {"embedding": 5, "features": 32}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width is 0; give a whole number of at least 1"),
        ({"depth": 0}, "depth is 0; give a whole number of at least 1"),
        ({"dropout": 1.0}, r"dropout is 1\.0; it is a share in \[0, 1\)"),
    ],
)
def test_settings_that_are_none(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)
