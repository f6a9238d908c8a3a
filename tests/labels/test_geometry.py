"""The oracles are arccos of the dot product in float64, and truths known in closed form."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.labels.geometry import GEOMETRIES, fisher_rao_angle, geometry, total_variation

NAMES = list(GEOMETRIES)
SEEDS = st.integers(0, 10_000)
ORACLE_D = {
    "chord": lambda z, w: math.sqrt(2) * (z / z.norm() - w / w.norm()).norm(),
    "angle": lambda z, w: 4 / math.pi * torch.acos((z @ w / z.norm() / w.norm()).clamp(-1, 1)),
}
ORACLE_D["fisher_rao"] = ORACLE_D["angle"]
ORACLE_C = {
    "chord": lambda p, q: 2 - (p - q).abs().sum(),
    "fisher_rao": lambda p, q: 2 - 4 / math.pi * torch.acos((p * q).sqrt().sum().clamp(max=1)),
}
ORACLE_C["angle"] = ORACLE_C["chord"]


def distributions(items: int, classes: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(items, classes, generator=generator, dtype=torch.double) ** 3
    return rows / rows.sum(-1, keepdim=True)


@settings(deadline=None, max_examples=30)
@given(
    name=st.sampled_from(NAMES), n=st.integers(0, 5), m=st.integers(1, 4), k=st.integers(1, 6), seed=st.integers(0, 99)
)
def test_matrices_pairs_and_rows_equal_a_loop_over_the_definition(name, n, m, k, seed):
    p, q = distributions(n, k, seed), distributions(m, k, seed + 1)
    these = geometry(name)
    for matrix, pairs, paired, oracle in (
        (these.label_similarity_matrix, these.label_similarity_pairs, these.label_similarity, ORACLE_C[name]),
        (
            these.embedding_similarity_matrix,
            these.embedding_similarity_pairs,
            these.embedding_similarity,
            lambda z, w: 2 - ORACLE_D[name](z, w),
        ),
    ):
        truth = torch.tensor([[oracle(a, b) for b in q] for a in p], dtype=torch.double).reshape(n, m)
        assert torch.allclose(matrix(p, q), truth, atol=1e-6)
        assert torch.allclose(paired(p[:, None], q), truth, atol=1e-6)
        rows, columns = torch.triu_indices(n, n, 1)
        assert torch.allclose(pairs(p), matrix(p, p)[rows, columns], atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_equal_is_2_and_nothing_shared_is_0(name):
    these = geometry(name)
    eye = torch.eye(3)
    assert torch.allclose(these.label_similarity_matrix(eye, eye), 2 * eye, atol=1e-6)
    assert torch.allclose(these.embedding_similarity_matrix(eye * 5, eye), 2 * eye, atol=1e-6)


def test_distances_in_closed_form():
    sure, unsure = torch.tensor([1.0, 0.0]), torch.tensor([0.25, 0.75])
    assert total_variation(sure, unsure).item() == pytest.approx(0.75)
    assert fisher_rao_angle(sure, unsure).item() == pytest.approx(math.pi / 3)


def test_fisher_rao_is_reached_by_the_roots_of_any_number_of_classes():
    p = distributions(20, 7, seed=0)
    these = geometry("fisher_rao")
    gap = these.embedding_similarity_matrix(p.sqrt(), p.sqrt()) - these.label_similarity_matrix(p, p)
    assert gap.abs().max() < 1e-12


def test_angle_is_reached_by_two_classes_on_a_quarter_circle():
    p = distributions(20, 2, seed=0)
    turn = p[:, 0] * math.pi / 2
    z = torch.stack([turn.cos(), turn.sin()], 1)
    these = geometry("angle")
    gap = these.embedding_similarity_matrix(z, z) - these.label_similarity_matrix(p, p)
    assert gap.abs().max() < 1e-12


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30])
def test_only_the_direction_of_an_embedding_counts(name, scale):
    z = distributions(6, 5, seed=1).float()
    these = geometry(name)
    assert torch.allclose(these.embedding_similarity_pairs(z * scale), these.embedding_similarity_pairs(z), atol=1e-5)


def test_nearly_equal_embeddings_keep_their_digits_in_float32():
    # At an angle of 1e-4 a float32 dot product is 1 - 5e-9, which rounds to 1.
    turn = torch.tensor([0.5, 0.5001])
    z = torch.stack([turn.cos(), turn.sin()], 1)
    for form in (lambda g: g.embedding_similarity_pairs(z)[0], lambda g: g.embedding_similarity_matrix(z, z)[0, 1]):
        assert 2 - form(geometry("angle")).item() == pytest.approx(4 / math.pi * 1e-4, rel=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_zero_vector_is_neutral_and_has_no_gradient(name):
    z = torch.tensor([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    these = geometry(name)
    assert torch.allclose(these.embedding_similarity_pairs(z)[[0, 1, 2]], torch.ones(3))
    matrix = these.embedding_similarity_matrix(z, z)
    assert matrix[0].tolist() == [1.0, 1.0, 1.0]
    assert these.embedding_similarity(z[0], z[1]).item() == 1.0
    (matrix.sum() + these.embedding_similarity_pairs(z).sum() + these.embedding_similarity(z[0], z[1])).backward()
    assert z.grad is not None
    assert z.grad.tolist() == [[0.0, 0.0]] * 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("z", [[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[0.3, 0.4], [0.6, 0.8]]])
def test_gradients_are_finite_at_both_ends(name, dtype, z):
    rows = torch.tensor(z, dtype=dtype, requires_grad=True)
    these = geometry(name)
    total = these.embedding_similarity_matrix(rows, rows).sum() + these.embedding_similarity_pairs(rows).sum()
    (total + these.embedding_similarity(rows[0], rows[1])).backward()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_gradient_in_float64(name):
    z = (distributions(5, 4, seed=2) + 0.1).requires_grad_()
    w = (distributions(3, 4, seed=3) + 0.1).requires_grad_()
    these = geometry(name)
    assert torch.autograd.gradcheck(these.embedding_similarity_pairs, z)
    assert torch.autograd.gradcheck(these.embedding_similarity_matrix, (z, w))
    assert torch.autograd.gradcheck(these.embedding_similarity, (z[:3], w))


@settings(deadline=None, max_examples=50)
@given(name=st.sampled_from(NAMES), seed=SEEDS, k=st.integers(2, 40))
def test_similarity_never_leaves_its_range_in_float32(name, seed, k):
    sparse = torch.rand(8, k, generator=torch.Generator().manual_seed(seed)).sub(0.6).relu()
    rows = sparse / sparse.sum(-1, keepdim=True).clamp(min=1e-6)
    rows[rows.sum(-1) == 0, 0] = 1
    these = geometry(name)
    for similarity in (these.embedding_similarity_pairs(sparse), these.label_similarity_matrix(rows, rows)):
        assert similarity.min() >= 0
        assert similarity.max() <= 2


def test_a_pair_at_a_right_angle_still_has_a_gradient_when_its_distance_rounds_up():
    # of this many pairs without a shared entry, the float32 distance of some is over sqrt 2
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        z = torch.zeros(2, 14)
        z[0, :7], z[1, 7:] = torch.rand(7, generator=generator), torch.rand(7, generator=generator)
        z.requires_grad_()
        geometry("chord").embedding_similarity(z[0], z[1]).backward()
        assert z.grad is not None
        assert z.grad.abs().max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_nan_is_not_hidden(name):
    z = torch.tensor([[0.5, float("nan")], [0.5, 0.5]])
    assert geometry(name).embedding_similarity_pairs(z).isnan().all()
    assert geometry(name).label_similarity(z[0], z[1]).isnan()


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_compared_in_float32(name):
    z = distributions(4, 3, seed=4).bfloat16()
    similarity = geometry(name).embedding_similarity_matrix(z, z)
    assert similarity.dtype == torch.float32
    assert torch.equal(similarity, geometry(name).embedding_similarity_matrix(z.float(), z.float()))


def test_errors_say_value_and_remedy():
    with pytest.raises(ValueError, match=r"'euclid' is unknown; choose one of chord, angle, fisher_rao"):
        geometry("euclid")
    with pytest.raises(ValueError, match=r"holds -0\.5; .* put a ReLU"):
        geometry("chord").embedding_similarity(torch.tensor([1.0, -0.5]), torch.ones(2))


@pytest.mark.parametrize("name", NAMES)
def test_matrices_in_float32_keep_the_digits_of_small_distances(name):
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(6, 16, generator=generator)
    steps = torch.tensor([0, 1e-6, 1e-4, 1e-2, 1.0])[:, None]
    w = torch.cat([each + steps * torch.rand(5, 16, generator=generator) for each in z])
    distance, truth = (
        (2 - geometry(name).embedding_similarity_matrix(a, b)) for a, b in ((z, w), (z.double(), w.double()))
    )
    # the similarity itself is rounded at 2; the distance is what a small error would show in
    assert (distance - truth).abs().max() < 5e-7
    assert not distance[torch.arange(6), torch.arange(0, 30, 5)].any()  # equal rows are at no distance


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_matrices_in_float32_are_those_in_float64(name):
    generator = torch.Generator().manual_seed(1)
    z, w = torch.rand(7, 16, generator=generator), torch.rand(5, 16, generator=generator)
    z[2], w[1] = w[3], 0  # a corner, and no direction
    pull, found = torch.rand(7, 5, generator=generator), []
    for dtype in (torch.float32, torch.float64):
        tables = [each.to(dtype).requires_grad_() for each in (z, w)]
        similarity = geometry(name).embedding_similarity_matrix(*tables)
        found.append(torch.autograd.grad((similarity * pull).sum(), tables))
    for low, truth in zip(*found):
        assert (low - truth).norm() < 1e-5 * truth.norm()


def test_nan_in_a_matrix_stays_in_its_row():
    z = torch.rand(3, 4)
    z[1, 2] = float("nan")
    similarity = geometry("angle").embedding_similarity_matrix(z, torch.rand(2, 4))
    assert similarity[1].isnan().all()
    assert similarity[[0, 2]].isfinite().all()


def test_distances_by_products_are_right_twice_differentiated():
    from affectspace.labels.geometry import _EuclideanMatrix

    def penalty(a, b):
        distance = _EuclideanMatrix.apply(a, b)
        return distance.square().sum() + distance.sum()

    points = [torch.nn.functional.normalize(torch.randn(4, 20).double()).requires_grad_() for _ in range(2)]
    assert torch.autograd.gradcheck(penalty, points)
    assert torch.autograd.gradgradcheck(penalty, points)
