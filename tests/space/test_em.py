"""EM from starts: groups that are not what spreads items most are found, in data and in the space of a net."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from affectspace.losses import GaussianManifoldLoss
from affectspace.space.em import fitted, from_k_means
from affectspace.space.space import Space
from affectspace.space.subclasses import find_subclasses


def among_loud(seed, items=240, groups=3, dimensions=10, loud=4.0):
    """Groups in the first directions, eight standard deviations apart; the last four are as loud, and tell nothing."""
    rng = np.random.default_rng(seed)
    truth = np.arange(items) % groups
    points = rng.normal(size=(items, dimensions))
    points[np.arange(items), truth] += 8 / np.sqrt(2)
    points[:, -4:] *= loud
    points -= points.mean(0)
    return points / np.sqrt((points**2).mean()), truth


def test_groups_that_are_not_the_loudest_are_found_by_likelihood():
    found, plain = [], []
    for seed in range(3):
        points, truth = among_loud(seed)
        best, quick = fitted(points, 3, state=seed), from_k_means(points, 3, state=seed)
        assert best.lower_bound_ >= from_k_means(points, 3, state=seed, starts=2).lower_bound_
        found.append(adjusted_rand_score(truth, best.predict(points)))
        plain.append(adjusted_rand_score(truth, quick.predict(points)))
    assert min(found) > 0.9
    assert min(plain) < 0.9


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_every_covariance_has_a_start(covariance):
    points, truth = among_loud(0, loud=1.0)
    model = fitted(points, 3, covariance)
    assert model.covariance_type == covariance
    assert adjusted_rand_score(truth, model.predict(points)) > 0.9
    assert np.array_equal(model.predict(points), fitted(points, 3, covariance).predict(points))
    assert fitted(points, 1, covariance).weights_.tolist() == [1.0]


def test_fewer_places_than_components_are_no_warning():
    points = np.repeat([[-1.0, 0], [1, 0], [0, 1]], 20, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fitted(points, 5).predict(points)
    assert adjusted_rand_score(np.arange(60) // 20, found) == 1


@pytest.mark.parametrize("seed", range(2))
def test_planted_kinds_are_found_after_rounds_on_fewer_of_them(seed):
    """Two classes of three kinds each; the net is trained on the classes, then on two of each class."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(720) % 6
    vectors = rng.normal(size=(720, 12)).astype(np.float32)
    vectors[np.arange(720), kinds] += 7 / np.sqrt(2)
    table = pd.DataFrame({"id": np.arange(720).astype(str), "label": np.array(["one", "other"])[kinds // 3]})
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(12, 64), torch.nn.ReLU(), torch.nn.Linear(64, 16))
    optimiser, loss = torch.optim.Adam(net.parameters(), 1e-3), GaussianManifoldLoss()
    points, labels = torch.from_numpy(vectors), kinds // 3
    for _ in range(2):
        for _ in range(10):
            for rows in torch.randperm(720).split(120):
                optimiser.zero_grad()
                loss(net(points[rows]), torch.from_numpy(labels)[rows]).backward()
                optimiser.step()
        with torch.no_grad():
            space = Space(table, net(points).numpy(), ("one", "other"))
        labels = find_subclasses(space, 2, seed).assignment
    found = find_subclasses(space, 3, seed).assignment
    assert min(adjusted_rand_score(kinds[own], found[own]) for own in (kinds < 3, kinds >= 3)) > 0.9
