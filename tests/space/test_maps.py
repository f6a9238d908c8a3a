"""What is known of a map beforehand: who is whose neighbour, and that nothing depends on chance or order."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from affectspace.space.maps import same_start, tsne_maps


def groups(count: int = 4, each: int = 25, dimensions: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Well separated groups, and which item belongs to which."""
    generator = np.random.default_rng(seed)
    centres = 4 * np.eye(count, dimensions)
    member = np.repeat(np.arange(count), each)
    return centres[member] + 0.3 * generator.random((len(member), dimensions)), member


def share_with_own_kind(positions: np.ndarray, member: np.ndarray, k: int = 5) -> float:
    neighbours = NearestNeighbors(n_neighbors=k + 1).fit(positions).kneighbors(return_distance=True)[1][:, 1:]
    return float((member[neighbours] == member[:, None]).mean())


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_start_is_the_principal_components_of_everything_together():
    one, _ = groups()
    other = np.random.default_rng(1).random((100, 7))
    start = same_start([one, other])
    expected = PCA(2, svd_solver="full").fit_transform(np.hstack([unit(one), unit(other)]))
    expected *= 1e-4 / expected[:, 0].std()
    assert np.allclose(np.abs(start), np.abs(expected), atol=1e-9)
    assert start[:, 0].std() == pytest.approx(1e-4)
    assert np.allclose(start.mean(0), 0, atol=1e-12)


def test_start_does_not_depend_on_the_length_of_embeddings():
    one, _ = groups()
    scale = np.random.default_rng(0).uniform(1e-3, 1e3, (100, 1))
    assert np.allclose(same_start([one]), same_start([one * scale]), atol=1e-9)


def test_map_keeps_groups_together():
    one, member = groups()
    [positions] = tsne_maps([one], perplexity=10)
    assert positions.shape == (100, 2)
    assert share_with_own_kind(positions, member) > 0.97


@pytest.mark.parametrize(("from_", "method"), [(100, "fft"), (101, "bh")])
def test_forces_are_summed_on_a_grid_in_large_maps_alone(monkeypatch, from_, method):
    asked = {}

    def tsne(**settings):
        asked.update(settings)
        return SimpleNamespace(fit=lambda affinities: settings["initialization"])

    monkeypatch.setattr("affectspace.space.maps.TSNE", tsne)
    monkeypatch.setattr("affectspace.space.maps.GRID_FROM", from_)
    tsne_maps([groups()[0]], perplexity=10)
    assert (asked["negative_gradient_method"], asked["n_jobs"]) == (method, 1)


def test_same_input_same_bytes():
    one, _ = groups(each=12)
    assert tsne_maps([one])[0].tobytes() == tsne_maps([one.copy()])[0].tobytes()


def test_equal_spaces_give_equal_maps_and_groups_keep_their_corners():
    one, member = groups()
    other = one + 0.05 * np.random.default_rng(3).random(one.shape)
    first, twin, near = tsne_maps([one, one, other], perplexity=10)
    assert np.allclose(first, twin)
    for each in (first, near):
        assert np.allclose(each.mean(0), 0, atol=1e-6)
    middles = [np.stack([each[member == g].mean(0) for g in range(4)]) for each in (first, near)]
    angles = [np.degrees(np.arctan2(m[:, 1], m[:, 0])) for m in middles]
    assert np.all(np.abs((angles[0] - angles[1] + 180) % 360 - 180) < 45)


def test_a_turn_of_the_space_changes_nobody_s_neighbours():
    one, member = groups(each=12)
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(16, 16)))
    assert np.allclose(same_start([one]), same_start([one @ turn]), atol=1e-9)
    for positions in tsne_maps([one, one @ turn], perplexity=8):
        assert share_with_own_kind(positions, member) > 0.97


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_few_items(count):
    positions = tsne_maps([np.random.default_rng(0).random((count, 6))])[0]
    assert positions.shape == (count, 2)
    assert np.isfinite(positions).all()


def test_duplicates_lie_together_and_stay_finite():
    one, _ = groups(each=10)
    twice = np.repeat(one, 2, axis=0)
    [positions] = tsne_maps([twice], perplexity=5)
    assert np.isfinite(positions).all()
    apart = np.linalg.norm(positions[::2] - positions[1::2], axis=1)
    assert np.median(apart) < 0.1 * np.ptp(positions)


def test_a_collapsed_space_is_one_point_and_leaves_the_others_alone():
    one, member = groups()
    collapsed, fine = tsne_maps([np.ones((100, 8)), one], perplexity=10)
    assert not collapsed.any()
    assert share_with_own_kind(fine, member) > 0.97
    assert not same_start([np.ones((5, 3))]).any()


def test_zero_vectors_have_a_place():
    one, _ = groups(each=10)
    one[:3] = 0
    assert np.isfinite(tsne_maps([one], perplexity=5)[0]).all()


def test_huge_and_tiny_values_do_not_overflow():
    one, _ = groups(each=10)
    assert np.allclose(same_start([one]), same_start([one * 1e200]), atol=1e-9)
    assert np.allclose(same_start([one]), same_start([one * 1e-200]), atol=1e-9)


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        ([], "no embeddings were given"),
        ([np.ones(4)], r"embedding 0 has shape \(4,\); expected \(items, dimensions\)"),
        ([np.ones((4, 0))], r"embedding 0 has shape \(4, 0\)"),
        ([np.eye(4), np.eye(3)], "embeddings hold 4, 3 items; maps from one start need the same items"),
        ([np.eye(3), np.array([[0, 1], [np.nan, 1], [1, 0]])], "embedding 1 is not finite in row 1"),
        ([np.array([[np.inf, 1.0]])], "embedding 0 is not finite in row 0"),
    ],
)
def test_errors_say_which_embedding_and_why(embeddings, message):
    for function in (same_start, tsne_maps):
        with pytest.raises(ValueError, match=message):
            function(embeddings)


@pytest.mark.parametrize("perplexity", [0, -3, float("nan")])
def test_perplexity_is_positive(perplexity):
    with pytest.raises(ValueError, match="it counts neighbours, so it must be positive"):
        tsne_maps([np.eye(5)], perplexity=perplexity)


def test_a_strand_lies_on_the_diagonal_of_its_frame():
    along = np.linspace(0, np.pi / 2, 150)
    [positions] = tsne_maps([np.stack([np.cos(along), np.sin(along)], 1)], perplexity=10)
    width, height = np.ptp(positions, axis=0)
    longest = np.linalg.norm(positions[:, None] - positions, axis=-1).max()
    assert max(width, height) < 0.9 * longest
