"""The oracle is the mixture of normal densities, multiplied out in float64."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from affectspace.losses.gaussian_manifold import gaussian_log_posterior
from affectspace.losses.map_classifier import MAPClassifier

CLASSES_OF = torch.tensor([2, 0, 2, 0, 1])


def setting(seed=0):
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(5, 3, dtype=torch.double, generator=generator)
    return torch.randn(20, 3, dtype=torch.double, generator=generator), means


def densities(z, means, sigma, prior):
    normal = torch.distributions.MultivariateNormal
    covariance = torch.eye(means.shape[1], dtype=torch.double) * sigma**2
    return torch.stack([p * normal(mean, covariance).log_prob(z).exp() for mean, p in zip(means, prior)], 1)


@pytest.mark.parametrize("prior", [None, torch.tensor([1.0, 2.0, 0.5, 3.0, 0.25])])
def test_components_equal_the_densities(prior):
    z, means = setting()
    parts = densities(z, means, 0.7, torch.ones(5) if prior is None else prior)
    torch.testing.assert_close(MAPClassifier(means, 0.7, prior)(z).exp(), parts / parts.sum(1, keepdim=True))


@pytest.mark.parametrize("prior", [None, torch.tensor([1.0, 2.0, 0.5, 3.0, 0.25])])
def test_the_posterior_of_a_class_is_the_sum_of_its_components(prior):
    z, means = setting()
    parts = densities(z, means, 0.7, torch.ones(5) if prior is None else prior)
    sums = torch.stack([parts[:, c == CLASSES_OF].sum(1) for c in range(3)], 1)
    classifier = MAPClassifier(means, 0.7, prior, CLASSES_OF)
    torch.testing.assert_close(classifier(z).exp(), sums / sums.sum(1, keepdim=True))
    assert torch.equal(classifier.predict(z), sums.argmax(1))


def test_a_class_of_one_component_has_its_posterior_to_the_bit():
    z, means = setting()
    assert torch.equal(MAPClassifier(means, 0.7)(z), gaussian_log_posterior(z, means, 0.7))


def test_classes_far_away_keep_their_order():
    means = torch.tensor([[0.0], [100.0], [200.0], [300.0]])
    log_posterior = MAPClassifier(means, 0.5, classes_of=torch.tensor([0, 1, 2, 2]))(torch.tensor([[1.0]]))
    assert log_posterior.isfinite().all()
    assert log_posterior.argsort(descending=True).tolist() == [[0, 1, 2]]


def test_fit_takes_the_means_of_classes_and_never_predicts_one_without_items():
    z = torch.tensor([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]])
    classifier = MAPClassifier.fit(z, torch.tensor([0, 0, 3]))
    assert classifier.means[[0, 3]].tolist() == [[1.0, 0.0], [9.0, 9.0]]
    assert classifier(torch.zeros(1, 2)).isinf().tolist() == [[False, True, True, False]]
    assert classifier.predict(torch.tensor([[0.0, 0.0], [8.0, 8.0]])).tolist() == [0, 3]


def test_priors_of_fit():
    z, targets = torch.tensor([[0.0], [0.0], [0.0], [1.0]]), torch.tensor([0, 0, 0, 1])
    middle = torch.tensor([[0.5]])
    for prior, odds in ((None, 1.0), ("batch", 3.0), (torch.tensor([2.0, 10.0]), 0.2)):
        log_posterior = MAPClassifier.fit(z, targets, prior=prior)(middle)[0]
        assert (log_posterior[0] - log_posterior[1]).exp().item() == pytest.approx(odds, rel=1e-5)


def test_fit_with_sub_classes_and_soft_labels():
    z = torch.tensor([[0.0], [4.0], [8.0], [4.0]])
    rows = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0.5, 0, 0.5]])
    classifier = MAPClassifier.fit(z, rows, classes_of=torch.tensor([0, 1, 0]))
    torch.testing.assert_close(classifier.means.flatten(), torch.tensor([4 / 3, 4.0, 20 / 3]))
    assert classifier.predict(torch.tensor([[1.0], [4.0], [7.0]])).tolist() == [0, 1, 0]


def test_gradient_reaches_the_embeddings_past_a_class_without_a_mean():
    z = torch.tensor([[0.5, 0.0], [0.2, 0.3]], requires_grad=True)
    classifier = MAPClassifier.fit(torch.eye(2), torch.tensor([0, 2]), classes_of=torch.tensor([0, 1, 2]))
    classifier(z).exp()[:, 0].sum().backward()
    assert z.grad.isfinite().all()
    assert z.grad.any()
    z64, means = setting()
    members = MAPClassifier(means, 0.7, classes_of=CLASSES_OF)
    assert torch.autograd.gradcheck(members, z64[:4].requires_grad_())


def test_a_file_of_its_state_gives_it_back_to_the_bit(tmp_path):
    z, means = setting()
    classifier = MAPClassifier(means.float(), 0.7, torch.tensor([1.0, 2.0, 0.5, 3.0, 0.25]), CLASSES_OF)
    save_file(classifier.state_dict(), tmp_path / "classifier.safetensors")
    state = load_file(tmp_path / "classifier.safetensors")
    again = MAPClassifier(**state)
    other = MAPClassifier(torch.zeros(5, 3))
    other.load_state_dict(state)
    for each in (again, other):
        assert torch.equal(each(z.float()), classifier(z.float()))
    assert repr(other) == "MAPClassifier(dimensions=3, components=5, classes=3)"


def test_bfloat16_embeddings_are_computed_in_float32_and_nan_shows():
    z, means = setting()
    classifier = MAPClassifier(means.float(), 0.7, classes_of=CLASSES_OF)
    low = z.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(classifier(low), classifier(low.float()))
    assert classifier(torch.full((1, 3), math.nan)).isnan().all()


def test_compiles_whole():
    torch.compiler.reset()
    z, means = setting()
    classifier = MAPClassifier(means, 0.7, classes_of=CLASSES_OF)
    torch.testing.assert_close(torch.compile(classifier, fullgraph=True, backend="eager")(z), classifier(z))


def test_no_items_have_no_posteriors():
    assert MAPClassifier(torch.eye(3))(torch.zeros(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"means": torch.zeros(0, 2)}, r"expected floating point \(components, dimensions\), at least one"),
        ({"sigma": -0.5}, r"sigma is -0\.5; a standard deviation is finite and above 0"),
        ({"prior": torch.ones(3)}, r"prior: shape \(3,\); expected \(2,\), a number a mean"),
        ({"prior": torch.zeros(2)}, "and some above 0"),
        ({"classes_of": torch.tensor([0, -1])}, r"classes_of is \[0, -1\]; classes are whole numbers of 0 or more"),
        ({"classes_of": torch.tensor([0])}, r"classes_of: shape \(1,\)"),
    ],
)
def test_errors_say_value_and_remedy(options, message):
    with pytest.raises(ValueError, match=message):
        MAPClassifier(**{"means": torch.zeros(2, 2), **options})


def test_fit_refuses_no_items_and_a_prior_of_other_classes():
    with pytest.raises(ValueError, match="there are no items to take means of; give those of training"):
        MAPClassifier.fit(torch.zeros(0, 2), torch.arange(0))
    with pytest.raises(ValueError, match=r"prior: shape \(3,\); expected \(2,\), a number a mean"):
        MAPClassifier.fit(torch.eye(2), torch.arange(2), prior=torch.ones(3))
