"""The image nets: shapes, equal starts, one item at a time, low precision, what is refused."""

import math

import pytest
import torch
from torch import nn

from affectspace.encoders import IMAGE_NETS, Batch, ImageEncoder
from affectspace.encoders.alexnet import AlexNet
from affectspace.encoders.fmpnet import FMPNet, FractionalMaximum
from affectspace.encoders.image_layers import begin, side_after, widened
from affectspace.encoders.image_net import as_images, make_trunk
from affectspace.encoders.resnet import Block, PreActBlock, ResNet18


def batch(items: int = 2, side: int = 48, channels: int = 1) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.randn(items, side * side, channels), torch.full((items,), side * side))


def encoder(net: str, classes: int = 3, seed: int = 0, **options) -> ImageEncoder:
    torch.manual_seed(seed)
    return ImageEncoder(net, channels=1, classes=classes, width=0.125, **options)


@pytest.mark.parametrize("net", IMAGE_NETS)
def test_every_trunk_gives_the_features_that_it_names(net):
    for channels, side in ((1, 48), (3, 64), (3, 112)):
        trunk = make_trunk(net, channels, side, width=0.125).eval()
        with torch.no_grad():
            features = trunk(torch.randn(2, channels, side, side))
        assert features.shape == (2, trunk.features)


@pytest.mark.parametrize("net", IMAGE_NETS)
def test_an_item_alone_gives_what_it_gives_in_a_batch_in_any_memory_order(net):
    images, trunk = torch.randn(3, 1, 48, 48), make_trunk(net, 1, 48, width=0.125).eval()
    with torch.no_grad():
        together = trunk(images.to(memory_format=torch.channels_last))
        torch.testing.assert_close(together[1:2], trunk(images[1:2].contiguous()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("net", IMAGE_NETS)
def test_every_weight_learns_and_low_precision_stays_in_the_trunk(net):
    model = encoder(net)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(batch(4))
    assert outputs.embedding.dtype == outputs.logits.dtype == outputs.layers["features"].dtype == torch.float32
    (outputs.logits.square().sum() + outputs.embedding.square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or "bias" in name, name


@pytest.mark.parametrize("net", IMAGE_NETS)
def test_bfloat16_stays_close(net):
    model = encoder(net).eval()
    with torch.no_grad():
        exact = model(batch()).embedding
        with torch.autocast("cpu", torch.bfloat16):
            low = model(batch()).embedding
    assert (low - exact).norm() < 0.05 * exact.norm()


@pytest.mark.parametrize("net", IMAGE_NETS)
def test_equal_seeds_start_equal_whatever_the_classes(net):
    few, many, other = encoder(net, classes=2), encoder(net, classes=9), encoder(net, classes=2, seed=1)
    for name, value in few.state_dict().items():
        if not name.startswith("head.output"):
            assert torch.equal(value, many.state_dict()[name]), name
    assert not torch.equal(few.head.embedding.weight, other.head.embedding.weight)


@pytest.mark.parametrize("net", IMAGE_NETS)
def test_nan_is_not_hidden(net):
    given = batch(3)
    given.values[1, 1000] = float("nan")
    with torch.no_grad():
        logits = encoder(net).eval()(given).logits
    assert logits[1].isnan().all()
    assert not logits[[0, 2]].isnan().any()


@pytest.mark.parametrize("net", IMAGE_NETS)
def test_outside_training_the_same_image_gives_the_same_bits(net):
    model = encoder(net).eval()
    with torch.no_grad():
        assert torch.equal(model(batch()).logits, model(batch()).logits)


def test_pixels_become_images_row_by_row():
    values = torch.randn(2, 25, 3)
    images = as_images(values)
    for row in range(5):
        for column in range(5):
            assert torch.equal(images[:, :, row, column], values[:, 5 * row + column])
    assert images.data_ptr() == values.data_ptr()
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_head_is_linear_or_non_negative():
    plain, folded = encoder("quick_resnet18"), encoder("quick_resnet18", non_negative=True)
    plain.eval(), folded.eval()
    with torch.no_grad():
        embedding = plain(batch(8)).embedding
        assert (embedding < 0).any()
        assert torch.equal(folded(batch(8)).embedding, embedding.relu())
    assert plain.sizes == {"embedding": 64, "features": plain.trunk.features}


def test_fractional_maximum_is_that_of_a_plain_loop_and_moves_only_while_training():
    images, pool = torch.randn(2, 3, 13, 13), FractionalMaximum().eval()
    # Places evenly spread from the first 3 x 3 to the last; the fraction is cut as Graham has it.
    step = (13 - 3) / (6 - 1)
    starts = [int((place + 0.5) * step) - int(0.5 * step) for place in range(5)] + [10]
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            expected = images[:, :, top : top + 3, left : left + 3].amax((2, 3))
            assert torch.equal(pool(images)[:, :, i, j], expected)
    images = torch.randn(2, 3, 48, 48)
    pool.train()
    assert not torch.equal(pool(images), pool(images))


@pytest.mark.parametrize("block", [Block, PreActBlock])
def test_a_block_that_adds_nothing_hands_on_what_it_was_given(block):
    made = block(8, 8, 1)
    for parameter in made.inner[-1].parameters():
        nn.init.zeros_(parameter)
    values = torch.rand(2, 8, 6, 6)  # non-negative, so that the last ReLU of the plain block changes nothing
    torch.testing.assert_close(made(values), values)


@pytest.mark.parametrize(("stem", "side", "left"), [("small", 48, 48), ("half", 48, 24), ("large", 48, 12)])
def test_stems_reduce_as_they_say(stem, side, left):
    assert ResNet18(1, side, 0.125, stem).stem(torch.zeros(1, 1, side, side)).shape[2:] == (left, left)


def test_the_stem_follows_the_side_unless_it_is_given():
    assert ResNet18(1, 64, 0.125).stem(torch.zeros(1, 1, 64, 64)).shape[2] == 64
    assert ResNet18(1, 224, 0.125).stem(torch.zeros(1, 1, 224, 224)).shape[2] == 56


def test_weights_begin_with_the_variance_that_relu_keeps():
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(64, 128, 3))
    begin(layer)
    assert layer[0].weight.std().item() == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.02)
    assert not layer[0].bias.any()


def test_side_after_is_what_a_pass_leaves():
    layers = AlexNet(1, 224, 0.125).convolutions
    assert side_after(layers, 224, "a net") == layers(torch.zeros(1, 1, 224, 224)).shape[2]
    layers = FMPNet(1, 50, 0.125).convolutions
    assert side_after(layers, 50, "a net") == layers(torch.zeros(1, 1, 50, 50)).shape[2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_trunk("resnet-18", 1, 48), "there is no image net 'resnet-18'; did you mean 'resnet18'"),
        (lambda: make_trunk("qqqq", 1, 48), r"there is no image net 'qqqq'; Legal: alexnet, small_alexnet, vgg16"),
        (lambda: make_trunk("vgg16", 1, 16), "images of side 16 are too small for VGG16"),
        (lambda: make_trunk("alexnet", 1, 12), "images of side 12 are too small for AlexNet"),
        (lambda: make_trunk("fmpnet", 1, 20), "images of side 20 are too small for FMPNet; use a side of at least 24"),
        (lambda: widened(64, 0.0), r"width is 0\.0; it multiplies channels"),
        (lambda: widened(64, float("nan")), "width is nan"),
        (lambda: ResNet18(stem="tiny"), "stem is 'tiny'; choose 'small', 'half' or 'large'"),
        (lambda: encoder("resnet18", dropout=1.0), r"dropout is 1\.0; it is a share in \[0, 1\)"),
        (lambda: as_images(torch.zeros(2, 10, 1)), r"shape \(2, 10, 1\); expected \(items, side \* side, channels\)"),
        (lambda: as_images(torch.zeros(2, 9)), r"shape \(2, 9\)"),
    ],
)
def test_errors_say_value_and_remedy(make, message):
    with pytest.raises(ValueError, match=message):
        make()
