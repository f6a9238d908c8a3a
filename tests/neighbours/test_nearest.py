"""Every distance taken in float64 and sorted is the oracle; ties, filters and what is unusual by hand."""

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.neighbours import nearest as neighbours
from affectspace.neighbours.nearest import Neighbours

seeds = st.integers(0, 10_000)
quick = settings(deadline=None, max_examples=30)


def slow(vectors, queries, k, metric="euclidean", among=None, leave_out=None):
    """Distances and rows as the words say, one query after another."""
    vectors, queries = (np.asarray(array, np.float32) for array in (vectors, queries))
    distances, rows = np.full((len(queries), k), np.inf, np.float32), np.full((len(queries), k), -1)
    allowed = np.arange(len(vectors)) if among is None else np.unique(np.arange(len(vectors))[among])
    for place, query in enumerate(queries):
        gaps = []
        for row in allowed:
            if leave_out is not None and row == leave_out[place]:
                continue
            a, b = query.astype(np.float64), vectors[row].astype(np.float64)
            if metric == "euclidean":
                gap = np.sqrt(((a - b) ** 2).sum())
            else:
                lengths = np.linalg.norm(a) * np.linalg.norm(b)
                gap = 1 - a @ b / lengths if lengths else float(a.any() or b.any())
            gaps.append((np.float32(gap), row))
        for column, (gap, row) in enumerate(sorted(gaps)[:k]):
            distances[place, column], rows[place, column] = gap, row
    return distances, rows


def cast(seed, ties):
    """Vectors and queries, of few whole numbers where there shall be ties and duplicates."""
    rng = np.random.default_rng(seed)
    n, q, d = (int(x) for x in rng.integers((1, 1, 1), (80, 40, 6)))
    if ties:
        return rng.integers(-1, 2, (n, d)), rng.integers(-1, 2, (q, d)), int(rng.integers(1, n + 5)), rng
    return rng.normal(size=(n, d)), rng.normal(size=(q, d)), int(rng.integers(1, n + 5)), rng


@quick
@given(seeds, st.booleans())
def test_euclidean_neighbours_are_those_of_the_loop_ties_by_row(seed, ties):
    vectors, queries, k, _ = cast(seed, ties)
    near = Neighbours(vectors)
    for ours, theirs in zip(near.search(queries, k), slow(vectors, queries, k)):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(near.of_items(k), slow(vectors, vectors, k, leave_out=range(len(vectors)))):
        np.testing.assert_array_equal(ours, theirs)


@quick
@given(seeds)
def test_cosine_neighbours_are_those_of_the_loop(seed):
    vectors, queries, k, _ = cast(seed, ties=False)
    vectors[0] = 0
    distances, rows = Neighbours(vectors, "cosine").search(queries, k)
    expected, order = slow(vectors, queries, k, "cosine")
    np.testing.assert_allclose(distances, expected, atol=3e-7)
    for gaps, ours, theirs in zip(expected, rows, order):  # in one dimension all are nearly tied, and may change places
        of_row = dict(zip(theirs.tolist(), gaps.tolist())) | {-1: np.inf}
        np.testing.assert_allclose([of_row.get(row, gaps[-1]) for row in ours.tolist()], gaps, atol=3e-7)
    scaled = Neighbours(vectors * 2.0**20, "cosine").search(queries / 2.0**70, k)
    np.testing.assert_array_equal(scaled[0], distances)
    np.testing.assert_array_equal(scaled[1], rows)


@quick
@given(seeds, st.booleans(), st.sampled_from(["exact", "ivf"]))
def test_a_filter_is_the_loop_over_whom_it_lets_through(seed, ties, kind):
    vectors, queries, k, rng = cast(seed, ties)
    mask = rng.random(len(vectors)) < rng.random()
    near = Neighbours(vectors, kind=kind)
    expected = slow(vectors, queries, k, among=mask)
    rows = rng.permutation(np.flatnonzero(mask))
    for among in (mask, rows, [*rows.tolist(), *rows.tolist()]):
        for ours, theirs in zip(near.search(queries, k, among), expected):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("copies", [5, 400])
def test_of_many_equal_items_the_lowest_rows_are_found(metric, copies):
    rng = np.random.default_rng(0)
    few = rng.normal(size=(6, 64)).astype(np.float32)
    rows = rng.permutation(np.repeat(np.arange(6), copies))
    distances, found = Neighbours(few[rows], metric).search(few, 4)
    for kind in range(6):
        assert found[kind].tolist() == np.flatnonzero(rows == kind)[:4].tolist()
    np.testing.assert_allclose(distances, 0, atol=1e-12)


def test_a_collapsed_space_has_everybody_at_distance_zero():
    distances, rows = Neighbours(np.full((3000, 32), 0.1)).of_items(2)
    assert not distances.any()
    assert rows[:3].tolist() == [[1, 2], [0, 2], [0, 1]]
    assert (rows[3:] == [0, 1]).all()


@pytest.mark.parametrize("offset", [0.0, 100.0, 3000.0])
def test_far_from_the_origin_neighbours_stay_those_of_the_differences(offset):
    vectors = (np.random.default_rng(0).normal(size=(500, 24)) + offset).astype(np.float32)
    distances, rows = Neighbours(vectors).of_items(5)
    gaps = np.sqrt(((vectors[:, None].astype(np.float64) - vectors) ** 2).sum(-1)).astype(np.float32)
    np.fill_diagonal(gaps, np.inf)
    np.testing.assert_array_equal(rows, gaps.argsort(1, kind="stable")[:, :5])
    np.testing.assert_array_equal(distances, np.sort(gaps)[:, :5])


@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_a_zero_vector_is_at_a_right_angle_to_everything_else(kind):
    near = Neighbours([[3.0, 0.0], [0.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], "cosine", kind)
    distances, rows = near.search([[1.0, 0.0], [0.0, 0.0]], 4)
    assert distances.tolist() == [[0, 1, 1, 2], [0, 0, 1, 1]]
    assert rows.tolist() == [[0, 1, 3, 2], [1, 3, 0, 2]]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_classes_that_are_all_but_points_keep_their_inner_neighbours(metric):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 32))
    vectors = (centres[rng.integers(3, size=900)] + 1e-4 * rng.normal(size=(900, 32))).astype(np.float32)
    distances, rows = Neighbours(vectors, metric).of_items(5)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True) if metric == "cosine" else 1
    gaps = np.sqrt(((exact[:, None] - exact) ** 2).sum(-1))
    np.fill_diagonal(gaps, np.inf)
    nearest = np.sort(gaps)[:, :5]
    if metric == "euclidean":
        np.testing.assert_array_equal(rows, gaps.argsort(1)[:, :5])
        np.testing.assert_allclose(distances, nearest, rtol=1e-7)
    else:  # vectors of length one are rounded to float32
        np.testing.assert_allclose(np.sqrt(2 * distances), nearest, rtol=2e-3)


@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_one_item_has_no_neighbour(kind):
    distances, rows = Neighbours([[1.0, 2.0]], kind=kind).of_items(2)
    assert rows.tolist() == [[-1, -1]]
    assert np.isinf(distances).all()


@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_nobody_among_whom_to_search_gives_nobody(kind):
    near = Neighbours(np.eye(3), kind=kind)
    for among in ([], np.zeros(3, bool)):
        distances, rows = near.search(np.eye(3), 2, among)
        assert (rows == -1).all()
        assert np.isinf(distances).all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_inverted_lists_find_what_they_say_and_say_what_they_find(metric):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 16))[rng.integers(40, size=6000)] + 0.5 * rng.normal(size=(6000, 16))
    exact, near = Neighbours(vectors, metric), Neighbours(vectors, metric, kind="ivf")
    assert exact.recall == 1 >= near.recall >= neighbours.RECALL
    (true, _), (found, rows) = exact.of_items(10), near.of_items(10)
    assert (rows != np.arange(6000)[:, None]).all()
    assert (found <= true[:, -1:]).mean() == pytest.approx(near.recall, abs=0.02)
    again = Neighbours(vectors, metric, kind="ivf").of_items(10)
    np.testing.assert_array_equal(again[1], rows)
    mask = rng.random(6000) < 0.3
    for ours, theirs in zip(near.search(vectors[:50], 20, mask), exact.search(vectors[:50], 20, mask)):
        np.testing.assert_array_equal(ours, theirs)


def test_auto_is_exact_up_to_a_size(monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT_UP_TO", 100)
    vectors = np.random.default_rng(0).normal(size=(101, 4))
    assert Neighbours(vectors[:100]).kind == "exact"
    assert Neighbours(vectors).kind == "ivf"


@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_form_and_type_of_the_vectors_do_not_matter(kind, tmp_path):
    vectors = np.random.default_rng(0).integers(-50, 50, (300, 6))
    np.save(tmp_path / "vectors.npy", vectors.astype(np.float32))
    expected = Neighbours(vectors, kind=kind).of_items(4)
    wide = np.zeros((300, 12), np.float32)
    wide[:, ::2] = vectors
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    for form in (vectors.astype(np.float16), vectors.astype(float).tolist(), wide[:, ::2], mapped):
        near = Neighbours(form, kind=kind)
        assert len(near) == 300
        for ours, theirs in zip(near.of_items(4), expected):
            np.testing.assert_array_equal(ours, theirs)


def test_changing_the_array_afterwards_changes_nothing():
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    near = Neighbours(vectors)
    expected = near.of_items(3)[1].copy()
    vectors[:] = 0
    np.testing.assert_array_equal(near.of_items(3)[1], expected)


def test_the_number_of_threads_of_faiss_is_as_it_was():
    before = faiss.omp_get_max_threads()
    try:
        faiss.omp_set_num_threads(3)
        near = Neighbours(np.eye(4))
        near.search(np.eye(4), 2)
        with pytest.raises(ValueError, match="k is 0"):
            near.of_items(0)
        assert faiss.omp_get_max_threads() == 3
        with neighbours.threads_of_torch():
            assert faiss.omp_get_max_threads() == torch.get_num_threads()
    finally:
        faiss.omp_set_num_threads(before)


def test_another_wrapper_round_the_search_of_faiss_changes_nothing(monkeypatch):
    near = Neighbours(np.eye(4))
    monkeypatch.setattr(faiss.IndexFlat, "search", lambda self, x, k: None)
    assert near.search(np.eye(4), 2, [1, 2])[1].tolist() == [[1, 2], [1, 2], [2, 1], [1, 2]]


NAN = np.array([[0.0, 1.0], [2.0, np.nan], [np.inf, 0.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Neighbours(NAN), r"vectors holds nan in row 1; neighbours need finite values up to 1e\+15"),
        (lambda: Neighbours(np.where(np.isnan(NAN), 0, NAN), "cosine"), "vectors holds inf in row 2"),
        (lambda: Neighbours(np.full((2, 2), np.inf, np.float16)), "vectors holds inf in row 0"),
        (lambda: Neighbours([[0.0], [-2e15]]), r"vectors holds -2e\+15 in row 1"),
        (lambda: Neighbours(NAN, kind="ivf"), "in row 1"),
        (lambda: Neighbours(np.eye(2)).search(NAN, 1), "queries holds nan in row 1"),
        (lambda: Neighbours(np.zeros((0, 2))), r"vectors has shape \(0, 2\); expected \(items, dimensions\)"),
        (lambda: Neighbours([1.0, 2.0]), r"vectors has shape \(2,\)"),
        (lambda: Neighbours([["a"]]), "vectors has type <U1; expected real numbers"),
        (lambda: Neighbours(np.eye(2), "manhattan"), "metric is 'manhattan'; it is 'euclidean' or 'cosine'"),
        (lambda: Neighbours(np.eye(2), kind="hnsw"), "kind is 'hnsw'; it is 'auto', 'exact' or 'ivf'"),
        (
            lambda: Neighbours(np.eye(2), "cosine").search(np.eye(3), 1),
            r"queries has shape \(3, 3\); expected \(items, 2",
        ),
        (lambda: Neighbours(np.eye(2)).search([[1.0]], 1), r"queries has shape \(1, 1\); expected \(items, 2\)"),
        (lambda: Neighbours(np.eye(2)).search(np.eye(2), 0), "k is 0; ask for at least 1"),
        (lambda: Neighbours(np.eye(2)).search(np.eye(2), 1, [2]), r"among holds row 2, outside 0\.\.1"),
        (lambda: Neighbours(np.eye(2)).search(np.eye(2), 1, [-1]), "among holds row -1"),
        (lambda: Neighbours(np.eye(2)).search(np.eye(2), 1, np.ones(3, bool)), r"among has type bool and shape \(3,\)"),
        (lambda: Neighbours(np.eye(2)).search(np.eye(2), 1, [0.5]), "among has type float64"),
    ],
)
def test_faults_say_value_and_remedy(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_fault_beyond_the_first_block_is_named_by_its_own_row():
    vectors = np.zeros((20_000, 2), np.float32)
    vectors[17_123] = np.nan
    with pytest.raises(ValueError, match="in row 17123"):
        Neighbours(vectors)
