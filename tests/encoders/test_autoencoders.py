"""Autoencoders: the sizes of the paper, reversed targets, nothing from padding, gradients everywhere."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from affectspace.encoders import LinearAutoencoder, SequenceAutoencoder, present_vectors, reversed_frames
from affectspace.encoders.convolutions import convolutions_of, grids, up
from affectspace.encoders.transformer import Attention, DecoderBlock, EncoderBlock

SMALL = {"dimensions": 10, "frames": 6, "latent": 5, "heads": 2, "blocks": 1, "convolutions": [(3, 2, 1, 3)]}


def _parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def _linear(*sizes: int) -> int:
    return sum((before + 1) * after for before, after in pairwise(sizes))


def _attention(dimensions: int, together: int) -> int:
    return 3 * _linear(dimensions, together) + _linear(together, dimensions)


def _transformer(d: int, together: int) -> int:
    # two blocks of each kind: attention, two layers, normalisations with a weight and a bias; then the last layer
    encoder = _attention(d, together) + _linear(d, d, d) + 2 * 2 * d
    decoder = 2 * _attention(d, together) + _linear(d, d, d) + 3 * 2 * d
    return 2 * (encoder + decoder) + _linear(d, d)


def _published(kind: str) -> nn.Module:
    with torch.device("meta"):
        return LinearAutoencoder.acoustic() if kind == "acoustic" else getattr(SequenceAutoencoder, kind)()


@pytest.mark.parametrize(("kind", "flat", "grid"), [("visual", 1856, (32, 2, 29)), ("lexical", 2736, (4, 4, 171))])
def test_flattened_sizes_are_those_of_the_paper(kind, flat, grid):
    net = _published(kind)
    assert (net.flat, net.grid) == (flat, grid)
    assert net.encoder[0].in_features == flat
    assert net.decoder[-1].out_features == flat


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("acoustic", _linear(1582, 512, 256, 128) + _linear(128, 256, 512, 1582)),
        (
            "visual",
            _transformer(342, 4 * 86)
            + (16 * 16 + 16) + (25 * 16 * 64 + 64) + (9 * 64 * 32 + 32)
            + _linear(1856, 128) + _linear(128, 1856)
            + (9 * 32 * 64 + 64) + (25 * 64 * 16 + 16) + (16 * 16 + 1),
        ),
        (
            "lexical",
            _transformer(1024, 1024)
            + (16 * 64 + 64) + (16 * 64 * 4 + 4)
            + _linear(2736, 512, 128) + _linear(128, 512, 2736)
            + (16 * 4 * 64 + 64) + (16 * 64 + 1),
        ),
    ],
)  # fmt: skip
def test_parameters_are_those_of_a_count_by_hand(kind, count):
    assert _parameters(_published(kind)) == count


def _table() -> str:
    """The table of ``docs/nets.md``: the autoencoders as published."""
    lines = [
        "| autoencoder | takes | flattened | encoder | decoder | parameters |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    with torch.device("meta"):
        vectors = LinearAutoencoder.acoustic()
        sequences = {"visual()": SequenceAutoencoder.visual()}
        sequences |= {"lexical()": SequenceAutoencoder.lexical(), "lexical(12)": SequenceAutoencoder.lexical(12)}
    rows = [("LinearAutoencoder.acoustic()", "1,582", "", vectors, (vectors.encoder,))]
    for name, net in sequences.items():
        takes, encoder = f"{net.frames} x {net.dimensions:,}", (net.attending, net.down, net.encoder)
        rows.append((f"SequenceAutoencoder.{name}", takes, f"{net.flat:,} ", net, encoder))
    for name, takes, flat, net, encoder in rows:
        whole, there = _parameters(net), sum(map(_parameters, encoder))
        counts = " | ".join(f"{count / 1e6:.2f} M" for count in (there, whole - there, whole))
        lines.append(f"| `{name}` | {takes} | {flat}| {counts} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_the_documentation_is_the_counted_one():
    page = (Path(__file__).parents[2] / "docs/nets.md").read_text(encoding="utf-8")
    assert _table() in page, f"docs/nets.md is to have\n{_table()}"


@pytest.mark.parametrize(("net", "frames"), [("visual", 18), ("lexical", 22), ("lexical", 12)])
def test_the_published_nets_give_sequences_of_their_own_size(net, frames):
    net = SequenceAutoencoder.visual() if net == "visual" else SequenceAutoencoder.lexical(frames)
    with torch.no_grad():
        latent = net.encode(torch.randn(2, 30, net.dimensions), torch.tensor([30, 4]))
        assert latent.shape == (2, 128)
        assert net.decode(latent).shape == (2, frames, net.dimensions)


@pytest.mark.parametrize("size", [(18, 342), (22, 1024), (22, 100), (7, 9), (12, 1024)])
@pytest.mark.parametrize("layers", [[(4, 2, 1, 2), (5, 2, 1, 3), (3, 3, 1, 2)], [(4, 2, 1, 3), (4, 3, 1, 2)], []])
def test_the_way_back_has_the_sizes_of_the_way_there(size, layers):
    convolutions = convolutions_of(layers)
    sizes = grids(*size, convolutions)
    image = torch.empty(1, convolutions[-1].channels if layers else 1, *sizes[-1])
    assert up(convolutions, sizes)(image).shape == (1, 1, *size)


def test_reversed_frames_are_those_of_a_loop():
    values, lengths = torch.randn(6, 7, 2), torch.tensor([7, 5, 4, 3, 1, 0])
    for frames in (1, 4, 5, 9):
        target, counts = reversed_frames(values, lengths, frames)
        assert target.shape == (6, frames, 2)
        for row, length in enumerate(lengths.tolist()):
            expected = list(values[row, : min(length, frames)])[::-1]
            assert counts[row].tolist() == [True] * len(expected) + [False] * (frames - len(expected))
            assert all(torch.equal(target[row, place], frame) for place, frame in enumerate(expected))
            assert not target[row, len(expected) :].any()


def test_what_lies_behind_an_item_is_no_part_of_the_target():
    values, lengths = torch.randn(3, 5, 2), torch.tensor([5, 2, 0])
    expected = reversed_frames(values, lengths, 4)
    values[1, 2:], values[2] = torch.nan, torch.inf
    longer = nn.functional.pad(values, (0, 0, 0, 3), value=torch.nan)
    for given in (values, longer):
        assert all(torch.equal(a, b) for a, b in zip(reversed_frames(given, lengths, 4), expected))


def test_vectors_are_their_own_target():
    values = torch.tensor([[1.0, -2.0], [torch.nan, torch.inf], [0.0, 5.0]])
    target, counts = present_vectors(values, torch.tensor([1, 0, 1]))
    assert torch.equal(target, torch.tensor([[1.0, -2.0], [0.0, 0.0], [0.0, 5.0]]))
    assert counts.tolist() == [True, False, True]


def test_latents_do_not_depend_on_padding():
    net = SequenceAutoencoder(**SMALL)
    values, lengths = torch.randn(5, 9, 10), torch.tensor([9, 6, 4, 1, 0])
    expected = net.encode(values, lengths)
    spoilt = values.clone()
    for row, length in enumerate(lengths.tolist()):
        spoilt[row, length:] = torch.nan
    assert torch.equal(net.encode(spoilt, lengths), expected)
    assert torch.equal(net.encode(nn.functional.pad(spoilt, (0, 0, 0, 4), value=torch.nan), lengths), expected)
    # what is cut has no part either
    assert torch.equal(net.encode(values[:, :6], lengths), expected)
    for row, length in enumerate(lengths.tolist()):
        alone = net.encode(values[row : row + 1, : max(length, 1)], lengths[row : row + 1])
        torch.testing.assert_close(alone[0], expected[row], atol=1e-6, rtol=1e-5)


def test_frames_matter_and_so_does_their_order():
    torch.manual_seed(0)
    net, values, lengths = SequenceAutoencoder(**SMALL), torch.randn(1, 6, 10), torch.tensor([6])
    latent = net.encode(values, lengths)
    assert not torch.allclose(net.encode(values.flip(1), lengths), latent, atol=1e-3)
    values[0, 5] += 1
    assert not torch.allclose(net.encode(values, lengths), latent, atol=1e-3)
    assert torch.allclose(net.encode(values, lengths - 1), net.encode(values[:, :5], lengths - 1))


def test_attention_is_that_of_a_loop():
    net, queries, others = Attention(7, heads=3), torch.randn(2, 4, 7), torch.randn(2, 5, 7)
    seen = torch.tensor([[True] * 5, [True, False, True, False, False]])
    found = net(queries, others, seen)
    query, key, value = (part.detach() for part in (net.query(queries), net.key(others), net.value(others)))
    for item in range(2):
        places = seen[item].nonzero()[:, 0].tolist()
        for frame in range(4):
            heads = []
            for head in (slice(0, 3), slice(3, 6), slice(6, 9)):  # 7 by 3, rounded up
                scores = [float(query[item, frame, head] @ key[item, place, head]) / math.sqrt(3) for place in places]
                shares = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
                heads.append(sum(share * value[item, place, head] for share, place in zip(shares, places)))
            torch.testing.assert_close(found[item, frame], net.output(torch.cat(heads)), atol=1e-5, rtol=1e-5)


def test_blocks_are_those_of_torch():
    # its block computes the same where its heads divide the dimensions
    torch.manual_seed(0)
    ours, theirs = DecoderBlock(8, 2), nn.TransformerDecoderLayer(8, 2, 8, dropout=0.0, batch_first=True)
    for attention, peer in ((ours.attention, theirs.self_attn), (ours.to_memory, theirs.multihead_attn)):
        _copy_attention(attention, peer)
    _copy(ours, theirs, ("after_attention", "norm1"), ("after_memory", "norm2"), ("after_layers", "norm3"))
    frames, memory = torch.randn(3, 5, 8), torch.randn(3, 4, 8)
    torch.testing.assert_close(ours(frames, memory), theirs(frames, memory), atol=1e-5, rtol=1e-5)
    ours, theirs = EncoderBlock(8, 2), nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0, batch_first=True)
    _copy_attention(ours.attention, theirs.self_attn)
    _copy(ours, theirs, ("after_attention", "norm1"), ("after_layers", "norm2"))
    seen = torch.arange(5) < torch.tensor([5, 3, 1])[:, None]
    expected = theirs(frames, src_key_padding_mask=~seen)
    torch.testing.assert_close(ours(frames, seen)[seen], expected[seen], atol=1e-5, rtol=1e-5)


def _copy_attention(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    parts = [ours.query, ours.key, ours.value]
    theirs.in_proj_weight.data = torch.cat([part.weight.data for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias.data for part in parts])
    theirs.out_proj.load_state_dict(ours.output.state_dict())


def _copy(ours: nn.Module, theirs: nn.Module, *norms: tuple[str, str]) -> None:
    theirs.linear1.load_state_dict(ours.layers[0].state_dict())
    theirs.linear2.load_state_dict(ours.layers[2].state_dict())
    for mine, other in norms:
        for parameter in getattr(ours, mine).parameters():
            nn.init.normal_(parameter)
        getattr(theirs, other).load_state_dict(getattr(ours, mine).state_dict())


@pytest.mark.parametrize("kind", ["vectors", "sequences"])
def test_gradients_are_right(kind):
    torch.manual_seed(0)
    if kind == "vectors":
        net, values, lengths = LinearAutoencoder(4, 2, (3,)), torch.randn(3, 4), torch.tensor([1, 0, 1])
    else:
        net = SequenceAutoencoder(4, 3, 2, heads=2, blocks=1, convolutions=[(2, 2, 1, 2)], hidden=(3,))
        values, lengths = torch.randn(3, 4, 4), torch.tensor([4, 0, 2])
    net.double()

    def loss(values: torch.Tensor) -> torch.Tensor:
        target, counts = net.target(values, lengths)
        return ((net.decode(net.encode(values, lengths)) - target)[counts] ** 2).mean()

    values = values.double().requires_grad_()
    assert torch.autograd.gradcheck(loss, (values,))
    loss(values).backward()
    assert values.grad is not None
    assert not values.grad[1].any()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    # the bias of keys changes all scores of a query alike, and so nothing
    assert [name for name in still if not name.endswith("key.bias")] == []


def test_an_autoencoder_learns_its_sequences():
    torch.manual_seed(0)
    net = SequenceAutoencoder(**SMALL)
    values, lengths = torch.randn(4, 6, 10), torch.tensor([6, 5, 3, 2])
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    target, counts = net.target(values, lengths)
    losses = []
    for _ in range(60):
        loss = ((net.decode(net.encode(values, lengths)) - target)[counts] ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"heads": 0}, r"heads is 0; frames of 10 dimensions allow 1 to 10 of them"),
        ({"heads": 11}, r"heads is 11; frames of 10 dimensions allow 1 to 10 of them"),
        ({"frames": 0}, r"frames is 0; give a whole number of at least 1"),
        ({"latent": 0}, r"latent is 0; give"),
        ({"blocks": 0}, r"blocks is 0; give"),
        ({"dimensions": 0}, r"dimensions is 0; give"),
        ({"hidden": (8, 0)}, r"layer 2 is 0; give a whole number of at least 1"),
        ({"convolutions": [(3, 2, 1)]}, r"convolution 1 is \(3, 2, 1\); give four whole numbers \(kernel, stride, "),
        ({"convolutions": [(3, 2, 1, 4), (3, 0, 1, 4)]}, r"convolution 2 is \(3, 0, 1, 4\); give four whole numbers"),
        ({"convolutions": [(3, 2, -1, 4)]}, r"each at least 1 but for the padding, which is at least 0"),
        (
            {"convolutions": [(3, 2, 1, 4), (6, 2, 1, 4)]},
            r"convolution 2 has a kernel of 6, which leaves nothing of 3 frames x 5 dimensions padded by 1; its kernel "
            r"may be at most 5: make it smaller, pad more, or leave this convolution out",
        ),
    ],
)
def test_what_cannot_be_built(change, words):
    with pytest.raises(ValueError, match=words):
        SequenceAutoencoder(**(SMALL | change))


@pytest.mark.parametrize("shape", [(3, 4), (3, 6, 9), (3, 2, 6, 10)])
def test_values_of_another_shape(shape):
    net = SequenceAutoencoder(**SMALL)
    words = (
        r"values have shape \(3, .*\); expected \(items, frames, 10\), for which this autoencoder was made; make one"
    )
    for ask in (net.encode, net.target):
        with pytest.raises(ValueError, match=words):
            ask(torch.zeros(shape), torch.ones(3))
    with pytest.raises(ValueError, match=r"expected \(items, 5\), for which"):
        LinearAutoencoder(5).encode(torch.zeros(shape), torch.ones(3))
