"""The oracle stacks the frames; the promise is that test items never matter."""

import json

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.features import Normaliser

TRAIN = [0, 1, 2, 5]
GROUPS = ["x", "x", "y", "y", "z", "x", "z"]  # z has no training item, and 3 is a test item of a training group


@pytest.fixture
def clips() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [
        random.normal(random.uniform(-50, 50, 3), [0.1, 1, 30], (frames, 3)).astype(np.float32)
        for frames in (5, 1, 40, 7, 300, 2, 12)
    ]


def stacked(clips, rows) -> tuple[np.ndarray, np.ndarray]:
    frames = np.concatenate([clips[row] for row in rows]).astype(np.float64)
    return frames.mean(0), frames.std(0)


def assert_statistics(found, clips, rows):
    for one, other in zip(found, stacked(clips, rows)):
        assert one == pytest.approx(other, rel=1e-5)


def test_train_is_all_training_frames_for_everybody(clips):
    normaliser = Normaliser.fit(clips, "train", TRAIN)
    for row in range(7):
        assert_statistics(normaliser(row), clips, TRAIN)
    assert_statistics(normaliser.of_new(clips[3]), clips, TRAIN)


@pytest.mark.parametrize("scope", ["speaker", "corpus"])
def test_groups_are_their_training_items(clips, scope):
    normaliser = Normaliser.fit(clips, scope, TRAIN, GROUPS)
    for row, rows in enumerate([[0, 1, 5], [0, 1, 5], [2], [2], TRAIN, [0, 1, 5], TRAIN]):
        assert_statistics(normaliser(row), clips, rows)


def test_transductive_groups_outside_training_are_their_own_items(clips):
    normaliser = Normaliser.fit(clips, "corpus", TRAIN, GROUPS, transductive=True)
    for row, rows in enumerate([[0, 1, 5], [0, 1, 5], [2], [2], [4, 6], [0, 1, 5], [4, 6]]):
        assert_statistics(normaliser(row), clips, rows)
    assert_statistics(normaliser.of_new(clips[3]), clips, TRAIN)
    assert_statistics(normaliser.of_new(clips[3], "z"), clips, [4, 6])


def test_item_is_every_item_by_itself(clips):
    normaliser = Normaliser.fit(clips, "item", TRAIN)
    for row in (0, 2, 4):
        assert_statistics(normaliser(row), clips, [row])
        assert_statistics(normaliser.of_new(clips[row]), clips, [row])
        normal = normaliser.apply_new(clips[row])
        assert normal.mean(0) == pytest.approx(np.zeros(3), abs=1e-4)
        assert normal.std(0) == pytest.approx(np.ones(3), abs=1e-4)


def test_none_leaves_features_as_they_are(clips):
    normaliser = Normaliser.fit(clips, "none", [])
    assert normaliser(3) == (0.0, 1.0)
    assert np.array_equal(normaliser.apply_new(clips[3]), clips[3])


@pytest.mark.parametrize("scope", ["none", "item", "speaker", "corpus", "train"])
def test_test_items_change_nothing_for_anybody_else(clips, scope):
    """Not what training items get, nor what other test items get, to the bit."""
    before = Normaliser.fit(clips, scope, TRAIN, GROUPS)
    for changed in (3, 4, 6):
        others = [clip * -7 + 1000 if row == changed else clip for row, clip in enumerate(clips)]
        after = Normaliser.fit(others, scope, TRAIN, GROUPS)
        assert after.to_dict() == before.to_dict()
        for row in range(7):
            if scope != "item" or row != changed:
                assert all(np.array_equal(one, other) for one, other in zip(before(row), after(row)))


def test_the_order_of_training_rows_does_not_matter(clips):
    assert Normaliser.fit(clips, "train", TRAIN[::-1]).to_dict() == Normaliser.fit(clips, "train", TRAIN).to_dict()


def test_a_training_row_named_twice_counts_once(clips):
    assert Normaliser.fit(clips, "train", TRAIN * 2).to_dict() == Normaliser.fit(clips, "train", TRAIN).to_dict()


@pytest.mark.parametrize("value", [0.0, 0.1, -12345.678])
def test_a_constant_dimension_is_only_shifted(clips, value):
    for clip in clips:
        clip[:, 1] = value
    for scope in ("item", "train"):
        normaliser = Normaliser.fit(clips, scope, TRAIN)
        mean, scale = normaliser(0)
        assert scale[1] == 1
        assert (clips[0] - mean)[:, 1] == pytest.approx(np.zeros(5), abs=1e-3)


def test_a_large_mean_does_not_swallow_the_variance():
    """A sum of squares in float32 would see none."""
    clips = [np.float32(10_000) + np.tile(np.array([[-0.5], [0.5]], dtype=np.float32), (500, 1)) for _ in range(50)]
    assert Normaliser.fit(clips, "train", range(50))(0)[1] == pytest.approx([0.5], rel=1e-6)


def test_an_item_without_a_group_is_given_what_all_have(clips):
    groups = ["x", "x", None, float("nan"), "z", "x", "z"]
    normaliser = Normaliser.fit(clips, "speaker", TRAIN, groups)
    for row in (2, 3, 4):
        assert_statistics(normaliser(row), clips, TRAIN)
    assert set(normaliser.groups) == {"x"}


@pytest.mark.parametrize("scope", ["none", "item", "speaker", "corpus", "train"])
@pytest.mark.parametrize("transductive", [False, True])
def test_json_keeps_every_bit(clips, scope, transductive):
    normaliser = Normaliser.fit(clips, scope, TRAIN, GROUPS, transductive)
    again = Normaliser.from_dict(json.loads(json.dumps(normaliser.to_dict())))
    assert again.to_dict() == normaliser.to_dict()
    for group in (None, "x", "z", "unheard of"):
        assert np.array_equal(again.apply_new(clips[3], group), normaliser.apply_new(clips[3], group))
    assert again.apply_new(clips[3]).dtype == np.float32


def test_a_normaliser_from_a_file_knows_no_rows(clips):
    for scope in ("item", "train"):
        again = Normaliser.from_dict(Normaliser.fit(clips, scope, TRAIN).to_dict())
        with pytest.raises(InputError, match="was read from a file and knows no rows; use apply_new"):
            again(0)


@pytest.mark.parametrize(
    "harm",
    [
        lambda saved: saved.pop("groups"),
        lambda saved: saved.update(scope="galaxy"),
        lambda saved: saved.update(pooled=None),
        lambda saved: saved["pooled"].update(scale=[1.0]),
        lambda saved: saved["pooled"].update(scale=[1.0, 0.0, 1.0]),
        lambda saved: saved["pooled"].update(mean=[1.0, float("nan"), 1.0]),
        lambda saved: saved["pooled"].update(mean="high"),
    ],
)
def test_damaged_entries_are_told(clips, harm):
    saved = Normaliser.fit(clips, "train", TRAIN).to_dict()
    harm(saved)
    with pytest.raises(InputError, match=r"the saved normaliser is damaged: .*; save the model anew"):
        Normaliser.from_dict(saved)


@pytest.mark.parametrize(
    ("scope", "train", "groups", "message"),
    [
        ("galaxy", TRAIN, None, "scope 'galaxy' is unknown; choose one of none, item, speaker, corpus, train"),
        ("speaker", TRAIN, None, "scope 'speaker' needs the group of every item; give groups"),
        ("speaker", TRAIN, ["x"], "1 groups for 7 items; give one an item"),
        ("train", [], None, "there are no training items"),
        ("train", [0, 7], None, r"training row 7 is outside 0\.\.6"),
        ("train", [-1], None, r"training row -1 is outside 0\.\.6"),
    ],
)
def test_errors_say_value_and_remedy(clips, scope, train, groups, message):
    with pytest.raises(InputError, match=message):
        Normaliser.fit(clips, scope, train, groups)


def test_vectors_cannot_be_normalised_by_themselves():
    with pytest.raises(InputError, match="scope 'item' would make zeros of vectors"):
        Normaliser.fit([np.ones((1, 3)), np.zeros((1, 3))], "item", [0])
