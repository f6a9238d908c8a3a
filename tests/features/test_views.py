"""Views of images: pure functions of seed, epoch and item; geometry in closed form; averaged test views."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.features.views import Views, _cut, _drawn, _resampled

ALL = Views(crop=10, flip=True, rotation=20, aspect=0.1, colour=0.1)


def images(items: int = 5, side: int = 12, channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(items, side * side, channels, generator=torch.Generator().manual_seed(seed))


def keys(items: int = 5) -> list[str]:
    return [f"faces/{item}" for item in range(items)]


def test_nothing_asked_for_changes_nothing():
    values = images()
    assert Views().training(values, keys(), seed=0, epoch=1) is values
    assert Views(crop=12).training(values, keys(), seed=0, epoch=1) is values
    assert torch.equal(Views().test(values), values)


@settings(deadline=None, max_examples=20)
@given(crop=st.integers(1, 12), channels=st.sampled_from([1, 3]), epoch=st.integers(0, 50), flip=st.booleans())
def test_crops_and_mirrors_copy_pixels_of_some_place(crop, channels, epoch, flip):
    values = images(channels=channels)
    seen = Views(crop=crop, flip=flip).training(values, keys(), seed=3, epoch=epoch).view(5, crop, crop, channels)
    for before, after in zip(values.view(5, 12, 12, channels), seen):
        places = range(12 - crop + 1)
        crops = [before[top : top + crop, left : left + crop] for top in places for left in places]
        legal = crops + [each.flip(1) for each in crops] if flip else crops
        assert any(torch.equal(after, each) for each in legal)


def test_every_place_and_both_mirrors_are_seen():
    values, views = torch.arange(16.0).view(1, 16, 1), Views(crop=3, flip=True)
    seen = {tuple(views.training(values, ["a"], 0, epoch).flatten().tolist()) for epoch in range(200)}
    assert len(seen) == 2 * 2 * 2


def test_what_is_drawn_is_spread_evenly_and_independent():
    drawn = _drawn(0, 3, [f"faces/{item}" for item in range(4000)])
    assert ((drawn >= 0) & (drawn < 1)).all()
    np.testing.assert_allclose(np.sort(drawn, 0)[::400], np.tile(np.arange(0, 1, 0.1)[:, None], 16), atol=0.03)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(16), atol=0.08)


def test_mirroring_twice_is_no_mirroring():
    views, values = Views(flip=True), images()
    once = views.training(values, keys(), seed=0, epoch=4)
    assert not torch.equal(once, values)
    assert torch.equal(views.training(once, keys(), seed=0, epoch=4), values)


@pytest.mark.parametrize("views", [ALL, Views(crop=9, flip=True), Views(colour=0.3)], ids=["all", "copied", "colour"])
def test_a_view_does_not_depend_on_its_batch(views):
    values = images(channels=3)
    whole = views.training(values, keys(), seed=1, epoch=2)
    order = [3, 0, 4]
    some = views.training(values[order], [keys()[row] for row in order], seed=1, epoch=2)
    torch.testing.assert_close(some, whole[order], atol=1e-6, rtol=1e-6)
    assert torch.equal(views.training(values, keys(), seed=1, epoch=2), whole)


def test_epochs_seeds_and_items_differ():
    same = images(1).expand(2, -1, -1)
    first = ALL.training(same, ["a", "b"], seed=0, epoch=0)
    assert not torch.allclose(first[0], first[1])
    assert not torch.allclose(first, ALL.training(same, ["a", "b"], seed=0, epoch=1))
    assert not torch.allclose(first, ALL.training(same, ["a", "b"], seed=1, epoch=0))


@settings(deadline=None, max_examples=30)
@given(
    angle=st.floats(-3.1, 3.1), ratio=st.floats(0.6, 1.5), mirrored=st.booleans(), top=st.integers(0, 10),
    left=st.integers(0, 10),
)  # fmt: skip
def test_a_slope_is_seen_as_the_map_says(angle, ratio, mirrored, top, left):
    """Bilinear sampling repeats a linear image exactly, so each pixel tells the place that it was taken from."""
    side, after = 40, 30
    row, column = np.mgrid[:side, :side]
    values = torch.from_numpy(np.stack([column, row], -1).reshape(1, side * side, 2)).float()
    given = (np.array([value]) for value in (top, left, mirrored, angle, ratio))
    seen = _resampled(values, side, after, *given)[0].view(after, after, 2).numpy()
    middle = (after - 1) / 2
    for i in range(after):
        for j in range(0, after, 7):
            across, down = (j - middle) / ratio**0.5 * (-1 if mirrored else 1), (i - middle) * ratio**0.5
            x = left + middle + np.cos(angle) * across - np.sin(angle) * down
            y = top + middle + np.sin(angle) * across + np.cos(angle) * down
            # Beyond the border lies what lies at it.
            np.testing.assert_allclose(seen[i, j], np.clip([x, y], 0, side - 1), atol=2e-4)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_right_angles_are_those_of_rot90(quarters):
    values = images(2, channels=3)
    still, angle = np.zeros(2, int), np.full(2, quarters * np.pi / 2)
    turned = _resampled(values, 12, 12, still, still, still.astype(bool), angle, np.ones(2))
    expected = values.view(2, 12, 12, 3).rot90(quarters, (1, 2)).flatten(1, 2)
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=1e-5)


def test_resampling_without_angle_or_stretch_copies():
    values, top, left = images(channels=3), np.arange(5) % 3, np.arange(5) % 2
    mirrored = np.arange(5) % 2 == 0
    resampled = _resampled(values, 12, 10, top, left, mirrored, np.zeros(5), np.ones(5))
    torch.testing.assert_close(resampled, _cut(values, 12, 10, top, left, mirrored), atol=1e-5, rtol=1e-5)


def test_constant_images_stay_constant():
    values = torch.tensor([0.7, -2.0]).view(2, 1, 1).expand(2, 144, 3)
    seen = Views(crop=10, flip=True, rotation=20, aspect=0.1).training(values, ["a", "b"], seed=0, epoch=0)
    torch.testing.assert_close(seen, values[:, :100])


def test_colour_is_one_contrast_an_image_and_one_level_a_channel():
    values = images(6, channels=3)
    seen = Views(colour=0.2).training(values, keys(6), seed=0, epoch=0)
    gains = (seen[:, 1:] - seen[:, :-1]) / (values[:, 1:] - values[:, :-1])
    one = gains.flatten(1).median(1).values
    torch.testing.assert_close(gains.median(1).values, one[:, None].expand(-1, 3), atol=1e-3, rtol=1e-3)
    shifts = seen - one[:, None, None] * values
    torch.testing.assert_close(shifts, shifts[:, :1].expand_as(shifts), atol=1e-3, rtol=1e-3)
    assert ((one - 1).abs() <= 0.2).all()
    assert (shifts.abs() <= 0.2 + 1e-3).all()
    assert one.unique().numel() == 6
    assert shifts[:, 0].flatten().unique().numel() == 18


def test_turning_colour_on_leaves_places_as_they_are():
    values = images()
    plain = Views(crop=8, flip=True, rotation=20, aspect=0.1).training(values, keys(), 0, 0)
    coloured = Views(crop=8, flip=True, rotation=20, aspect=0.1, colour=0.1).training(values, keys(), 0, 0)
    for before, after in zip(plain.flatten(1), coloured.flatten(1)):
        assert torch.corrcoef(torch.stack([before, after]))[0, 1] == pytest.approx(1, abs=1e-5)


def test_bfloat16_keeps_its_type_and_stays_close():
    values = images(channels=3)
    low = ALL.training(values.bfloat16(), keys(), 0, 0)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), ALL.training(values, keys(), 0, 0), atol=3e-2, rtol=3e-2)


@pytest.mark.parametrize(("side", "crop"), [(12, 10), (13, 10), (12, 12)])
def test_test_views_are_the_middle_and_its_mirror_image(side, crop):
    values, views = images(3, side, 3), Views(crop=crop, flip=True, rotation=20, colour=0.2)
    start = (side - crop) // 2
    middle = values.view(3, side, side, 3)[:, start : start + crop, start : start + crop]
    seen = views.test(values).unflatten(0, (views.tests, -1)).unflatten(2, (crop, crop))
    assert torch.equal(seen[0], middle)
    assert torch.equal(seen[1], middle.flip(2))
    assert Views(crop=crop).tests == 1
    assert torch.equal(Views(crop=crop).test(values), middle.flatten(1, 2))


def test_no_images_have_no_views():
    assert ALL.training(images(0), [], 0, 0).shape[0] == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Views(crop=0), "crop is 0; give the side of the square in pixels"),
        (lambda: Views(rotation=-1), "rotation is -1; give the largest angle in degrees, from 0 to 180"),
        (lambda: Views(rotation=float("nan")), "rotation is nan"),
        (lambda: Views(aspect=0.7), r"aspect is 0\.7; give the largest change, from 0 to 0\.5"),
        (lambda: Views(colour=1.5), r"colour is 1\.5; give the largest change, from 0 to 1"),
        (lambda: ALL.training(images(), keys(3), 0, 0), "there are 3 keys for 5 images; give the name of each"),
        (lambda: ALL.training(images(side=9), keys(), 0, 0), "crop is 10, and images have a side of 9"),
        (
            lambda: ALL.training(torch.zeros(1, 144, 11), ["a"], 0, 0),
            "images have 11 channels; views are drawn for up to 10",
        ),
        (lambda: ALL.test(torch.zeros(2, 10, 1)), r"shape \(2, 10, 1\); expected \(items, side \* side, channels\)"),
    ],
)
def test_errors_say_value_and_remedy(make, message):
    with pytest.raises(InputError, match=message):
        make()
