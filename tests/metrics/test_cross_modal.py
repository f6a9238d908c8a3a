"""A loop over queries and all orders of ties as the oracle; closed forms of identity, permutation and collapse."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.metrics import chance_linear_cka, cross_modal_retrieval, linear_cka
from affectspace.metrics import cross_modal as module

seeds = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=30)
FIGURES: list[str] = ["recall_at_1", "recall_at_5", "recall_at_10", "mean_reciprocal_rank", "mean_percentile_rank"]


def cast(seed: int, items: int = 8, dimensions: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(items, dimensions))
    return queries, queries + rng.normal(size=(items, dimensions)) + 5


def looped(queries, candidates, ks) -> dict[str, float]:
    """Each figure over the places that the own candidate can have among its ties."""
    n, told = len(queries), {}
    for i, query in enumerate(queries.tolist()):
        far = [sum((a - b) ** 2 for a, b in zip(query, candidate)) for candidate in candidates.tolist()]
        nearer = sum(each < far[i] for each in far)
        places = [nearer + 1 + place for place in range(far.count(far[i]))]
        one = {f"recall_at_{k}": [place <= k for place in places] for k in ks}
        one["mean_reciprocal_rank"] = [1 / place for place in places]
        one["mean_percentile_rank"] = [(n - place) / (n - 1) for place in places]
        for name, values in one.items():
            told[name] = told.get(name, 0) + np.mean(values) / n
    return told


@quick
@given(seeds, st.integers(2, 12), st.integers(1, 4), st.booleans())
def test_equals_a_loop_over_queries_and_ties(seed, items, dimensions, few_places):
    queries, candidates = cast(seed, items, dimensions)
    if few_places:  # whole numbers, of which many are equally far
        queries, candidates = queries.round(), candidates.round()
    figures = cross_modal_retrieval(queries, candidates, ks=(1, 2, 5), centred=False)
    expected = looped(queries, candidates, (1, 2, 5))
    assert {name: figures[name] for name in expected} == pytest.approx(expected)
    moved = cross_modal_retrieval(queries, candidates, ks=(1, 2, 5))
    sides = [np.round(side - side.mean(0), 9) for side in (queries, candidates)]
    if not few_places:
        expected = looped(sides[0], sides[1], (1, 2, 5))
        assert {name: moved[name] for name in expected} == pytest.approx(expected)


def test_an_item_that_lies_on_its_counterpart_is_found_first():
    queries, _ = cast(0)
    figures = cross_modal_retrieval(queries, queries, centred=False)
    assert [figures[name] for name in FIGURES] == [1.0] * 5


def test_the_wrong_counterpart_is_found_where_rows_are_permuted():
    queries, order = 100 * np.arange(6.0)[:, None], np.roll(np.arange(6), 1)
    figures = cross_modal_retrieval(queries, queries[order], ks=[1, 2, 3], centred=False)
    # from 0 the own one, at 500, is the last; 100's, at 0, is as near as 200; 500's, at 400, comes next to 500 itself
    places = [[6], [2, 3], [2, 3], [2, 3], [2, 3], [2]]
    assert figures["recall_at_1"] == 0
    assert figures["recall_at_2"] == pytest.approx(np.mean([np.mean(np.array(p) <= 2) for p in places]))
    assert figures["mean_reciprocal_rank"] == pytest.approx(np.mean([np.mean(1 / np.array(p)) for p in places]))
    assert figures["mean_percentile_rank"] == pytest.approx(np.mean([(6 - np.mean(p)) / 5 for p in places]))


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("items", [2, 7, 30])
def test_latents_that_collapsed_score_exactly_chance(items, centred):
    queries = cast(1, items)[0]
    point = np.full((items, 3), 0.1)  # whose mean is not 0.1 to the bit
    for sides in ((queries, point), (point, queries), (point, point)):
        figures = cross_modal_retrieval(*sides, centred=centred)
        assert {name: figures[name] for name in FIGURES} == pytest.approx({n: figures[f"chance_{n}"] for n in FIGURES})


def test_chance_is_the_mean_over_all_pairings():
    queries, candidates = cast(2, 5)
    every = [
        cross_modal_retrieval(queries, candidates[list(p)], ks=[1, 2, 9]) for p in itertools.permutations(range(5))
    ]
    for name in ("recall_at_1", "recall_at_2", "recall_at_9", "mean_reciprocal_rank", "mean_percentile_rank"):
        assert np.mean([each[name] for each in every]) == pytest.approx(every[0][f"chance_{name}"])
    assert every[0]["chance_recall_at_1"] == 1 / 5
    assert every[0]["chance_recall_at_9"] == every[0]["recall_at_9"] == 1


def test_an_offset_hides_what_agrees_unless_it_is_taken_off():
    queries = cast(3, 40)[0]
    shifted = queries + np.array([30, 0, 0])
    assert cross_modal_retrieval(queries, shifted)["recall_at_1"] == 1
    assert cross_modal_retrieval(queries, shifted, centred=False)["recall_at_1"] < 0.2


def test_order_of_items_rotation_and_scale_of_both_do_not_matter():
    queries, candidates = cast(4, 20)
    order, turn = np.random.default_rng(0).permutation(20), np.linalg.qr(cast(5, 3)[0])[0]
    expected = pytest.approx(cross_modal_retrieval(queries, candidates))
    assert cross_modal_retrieval(queries[order], candidates[order]) == expected
    assert cross_modal_retrieval(7 * queries @ turn, 7 * candidates @ turn + 1) == expected
    assert cross_modal_retrieval(1e6 + queries, candidates) == expected


def test_blocks_do_not_matter_and_distances_are_never_held_at_once(monkeypatch):
    queries, candidates = cast(6, 1500)
    whole = cross_modal_retrieval(queries, candidates)
    monkeypatch.setattr(module, "PAIRS_PER_BLOCK", 40_000)
    tracemalloc.start()
    assert cross_modal_retrieval(queries, candidates) == whole
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6  # the distances are 18 MB
    monkeypatch.setattr(module, "PAIRS_PER_BLOCK", 1)
    assert cross_modal_retrieval(queries[:50], candidates[:50])["mean_percentile_rank"] > 0.5


# ---- alignment


@quick
@given(seeds, st.integers(3, 9), st.integers(1, 5), st.integers(1, 5))
def test_cka_equals_that_of_centred_kernels(seed, items, d, e):
    x, y = cast(seed, items, d)[0], cast(seed + 1, items, e)[1]
    h = np.eye(items) - 1 / items
    k, l = h @ x @ x.T @ h, h @ y @ y.T @ h  # noqa: E741
    expected = np.trace(k @ l) / np.sqrt(np.trace(k @ k) * np.trace(l @ l))
    assert linear_cka(x, y) == pytest.approx(expected)
    assert linear_cka(y, x) == pytest.approx(linear_cka(x, y))
    assert 0 <= linear_cka(x, y) <= 1


@quick
@given(seeds)
def test_the_chance_of_cka_is_the_mean_over_all_pairings(seed):
    x, y = cast(seed, 5, 2)[0], cast(seed + 1, 5, 3)[1]
    every = [linear_cka(x, y[list(order)]) for order in itertools.permutations(range(5))]
    assert chance_linear_cka(x, y) == pytest.approx(np.mean(every))


def test_cka_does_not_see_coordinates_and_retrieval_does():
    x, turn = cast(7, 30)[0], np.linalg.qr(cast(8, 3)[0])[0]
    turned = 4 * x @ turn - 9
    assert linear_cka(x, turned) == pytest.approx(1)
    assert cross_modal_retrieval(x, turned)["recall_at_1"] < 0.5
    assert linear_cka(x, turned[::-1]) < 0.3


def test_with_more_dimensions_than_items_chance_is_near_one():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 20, 2000))
    assert linear_cka(x, y) > 0.9
    assert linear_cka(x, y) == pytest.approx(chance_linear_cka(x, y), abs=0.01)


def test_directions_that_have_nothing_in_common_score_zero():
    x, y = np.array([[1.0], [1.0], [-1.0], [-1.0]]), np.array([[1.0], [-1.0], [1.0], [-1.0]])
    assert linear_cka(x, y) == 0
    assert chance_linear_cka(x, y) == pytest.approx(1 / 3)


def test_a_side_at_one_point_has_no_geometry():
    x, point = cast(9)[0], np.full((8, 2), 0.1)
    for figure in (linear_cka, chance_linear_cka):
        assert np.isnan(figure(x, point))
        assert np.isnan(figure(point, x))


@pytest.mark.parametrize("figure", [cross_modal_retrieval, linear_cka, chance_linear_cka])
@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros(3), np.zeros((3, 2)), r"float64 of shape \(3,\); expected numbers \(items, dimensions\)"),
        (np.zeros((3, 2)), np.zeros((3, 0)), r"float64 of shape \(3, 0\); expected numbers"),
        (np.zeros((3, 2)), np.zeros((3, 2), complex), "complex128 of shape"),
        (np.zeros((3, 2)), np.zeros((4, 2)), "has 3 rows and (candidates|y) 4; row i of both is the same item"),
        (np.zeros((1, 2)), np.zeros((1, 2)), "there are 1 items; at least two"),
        (np.zeros((2, 2)), np.array([[0, 1], [np.nan, 0]]), "holds nan in row 1; leave that item out of both"),
        (np.full((2, 2), np.inf), np.zeros((2, 2)), "holds inf in row 0"),
    ],
)
def test_faults_say_value_and_remedy(figure, first, second, message):
    with pytest.raises(ValueError, match=message):
        figure(first, second)


def test_faults_of_retrieval_say_value_and_remedy():
    with pytest.raises(ValueError, match=r"queries have 2 dimensions and candidates 3; .* \(linear_cka compares"):
        cross_modal_retrieval(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="k is 0; it is a number of candidates, at least 1"):
        cross_modal_retrieval(np.zeros((4, 2)), np.zeros((4, 2)), ks=[0])
