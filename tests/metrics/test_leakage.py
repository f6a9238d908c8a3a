"""What can be read off vectors about who speaks: truths in closed form, chance, and a slow classifier."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from affectspace.metrics import GroupProbe, group_probe, group_probe_within
from affectspace.metrics.leakage import _most_votes, _nearest, _told, _voted

GROUPS = np.arange(200) % 8


def told(n: int, groups: int, apart: float, dimensions: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of noise, each group's shifted by its own mean."""
    generator = np.random.default_rng(seed)
    names = generator.permutation(np.arange(n) % groups)
    means = apart * generator.normal(size=(groups, dimensions))
    return means[names] + generator.normal(size=(n, dimensions)), names


def test_vectors_that_name_their_group_tell_it_wholly():
    assert group_probe(np.eye(8)[GROUPS], GROUPS) == GroupProbe(1.0, 1 / 8, 8, 200, 0)


@pytest.mark.parametrize("dimensions", [2, 20, 400])
def test_noise_tells_no_group_more_often_than_luck(dimensions):
    vectors = np.random.default_rng(dimensions).normal(size=(800, dimensions))
    found = group_probe(vectors, np.arange(800) % 8)
    low, high = stats.binom.interval(0.999, 800, 1 / 8)
    assert low < 800 * found.uar < high


def test_equals_the_classifier_of_scikit_learn_without_shrinkage(monkeypatch):
    monkeypatch.setattr("affectspace.metrics.leakage.SHRINKAGE", 0.0)
    vectors, groups = told(400, 5, 0.7)
    classifier = LinearDiscriminantAnalysis(solver="svd", priors=np.full(5, 0.2)).fit(vectors[:300], groups[:300])
    assert np.array_equal(_told(vectors[:300], groups[:300], vectors[300:]), classifier.predict(vectors[300:]))


def test_two_groups_reach_what_their_distance_allows():
    """Of two normal distributions d standard deviations apart, no rule is right more often than Phi(d / 2)."""
    generator = np.random.default_rng(0)
    groups = np.arange(6000) % 2
    vectors = generator.normal(size=(6000, 4)) @ generator.normal(size=(4, 4))
    direction = np.linalg.inv(np.cov(vectors.T))
    shift = np.array([1.0, 0, 0, 0])
    shift *= 1.5 / np.sqrt(shift @ direction @ shift)
    found = group_probe(vectors + groups[:, None] * shift, groups)
    assert found.uar == pytest.approx(stats.norm.cdf(0.75), abs=0.015)


def slowly_voted(fitted, labels, judged, shrinkage=0.1):
    """The five nearest by Mahalanobis' distance, pair by pair, each of the weight of one over its group's size."""
    unit = (fitted - fitted.mean(0)) / fitted.std(0), (judged - fitted.mean(0)) / fitted.std(0)
    inside = unit[0] - np.stack([unit[0][labels == label].mean(0) for label in labels])
    within = inside.T @ inside / len(fitted)
    metric = np.linalg.inv((1 - shrinkage) * within + shrinkage * np.diag(np.diag(within)) + 1e-6 * np.eye(len(within)))
    answers = []
    for asked in unit[1]:
        apart = [float((row - asked) @ metric @ (row - asked)) for row in unit[0]]
        answers.append(most_votes([labels[place] for place in nearest(apart)], np.bincount(labels)))
    return answers


def nearest(apart):
    """The five places of the least distances, of equal ones the first."""
    return sorted(range(len(apart)), key=lambda place: (apart[place], place))[:5]


def most_votes(names, sizes):
    """In whole fractions; of groups with equal votes the one that is named first."""
    votes = {name: Fraction(names.count(name), int(sizes[name])) for name in names}  # in the order of nearness
    return max(votes, key=lambda name: votes[name])


@pytest.mark.parametrize("block", [7, 512])
def test_neighbours_vote_as_in_a_slow_loop(monkeypatch, block):
    monkeypatch.setattr("affectspace.metrics.leakage.BLOCK", block)
    vectors, groups = told(150, 4, 0.5)
    uneven = np.where(np.arange(150) % 3, 0, groups)  # one group is larger than the others
    for names in (uneven, np.arange(150) % 5):
        found = _voted(vectors[:100], names[:100], vectors[100:])
        assert found.tolist() == slowly_voted(vectors[:100], names[:100], vectors[100:])


def test_of_items_equally_far_away_the_earlier_ones_are_the_nearest():
    random = np.random.default_rng(0)
    x = random.integers(0, 3, (80, 2)).astype(float)  # nine places, so that nearly all items share theirs
    asked = random.integers(0, 3, (40, 2)).astype(float)
    found = _nearest(x, asked)
    assert found.tolist() == [nearest(((x - point) ** 2).sum(1).tolist()) for point in asked]
    assert _nearest(x[:3], asked).shape == (40, 3)  # all there are


def test_of_groups_with_equal_votes_it_is_that_of_the_nearest_item():
    sizes = np.array([4, 4, 2, 12, 3])
    for names in product(range(5), repeat=5):
        assert _most_votes(np.array([names]), sizes)[0] == most_votes(list(names), sizes), names
    assert _most_votes(np.array([[0, 1, 1, 0, 3], [1, 0, 0, 1, 3]]), sizes).tolist() == [0, 1]


def test_what_means_do_not_tell_neighbours_do():
    """Rings around one centre, and opposite corners: groups of one mean each."""
    generator = np.random.default_rng(0)
    groups, turn = np.arange(600) % 3, generator.uniform(0, 2 * np.pi, 600)
    rings = (1 + groups)[:, None] * np.c_[np.cos(turn), np.sin(turn)] + 0.1 * generator.normal(size=(600, 2))
    corners = generator.choice([-1.0, 1.0], (600, 2))
    for vectors, names in ((rings, groups), (corners + 0.1 * generator.normal(size=(600, 2)), corners.prod(1) > 0)):
        names = np.asarray(names, int)
        assert group_probe(vectors, names).uar < 0.6
        assert group_probe(vectors, names, classifier="neighbours").uar > 0.95


def test_of_noise_neighbours_tell_no_more_than_luck_however_large_a_group():
    vectors = np.random.default_rng(0).normal(size=(2000, 6))
    groups = np.where(np.arange(2000) % 10, 0, 1 + np.arange(2000) // 10 % 2)
    found = group_probe(vectors, groups, classifier="neighbours")
    assert found.uar == pytest.approx(1 / 3, abs=0.04)  # by votes alone nearly all would be of the large group
    assert (found.chance, found.items) == (1 / 3, 2000)


@pytest.mark.parametrize("classifier", ["linear", "neighbours"])
def test_either_takes_units_constants_and_points(classifier):
    vectors, groups = told(300, 6, 0.4)
    found = group_probe(vectors, groups, classifier=classifier)
    more = np.c_[vectors * np.geomspace(1e-3, 1e3, 12) - 4, np.full(300, 0.1)]
    assert group_probe(more, groups, classifier=classifier) == found
    assert group_probe(np.eye(6)[groups], groups, classifier=classifier).uar == 1
    within = group_probe_within(vectors, groups, np.zeros(300, int), classifier=classifier)
    assert within == found


def test_rare_groups_count_as_much_as_common_ones():
    """One group of two is always told, and holds a tenth of the items."""
    groups = (np.arange(200) % 10 == 0).astype(int)
    vectors = np.eye(2)[groups]
    assert group_probe(vectors, groups).uar == 1
    assert group_probe(np.zeros((200, 2)), groups).uar == 0.5


def test_units_of_dimensions_do_not_matter():
    vectors, groups = told(300, 6, 0.4)
    scale = np.array([1e-3, 1e3, -1, 1, 5, 7, -0.1, 1, 2, 3, 4, 1e2])
    assert group_probe(vectors * scale + 5 * scale, groups) == group_probe(vectors, groups)


def test_other_dimensions_that_never_vary_do_not_matter():
    vectors, groups = told(300, 6, 0.4)
    assert group_probe(np.c_[vectors, np.full(300, 0.1), np.zeros(300)], groups) == group_probe(vectors, groups)


def test_how_groups_are_interleaved_and_named_does_not_matter():
    vectors, groups = told(300, 6, 0.4)
    found, order = group_probe(vectors, groups), np.argsort(groups, kind="stable")
    again = group_probe(vectors[order], 10 * groups[order] + 3)
    assert again == found


def test_another_order_only_deals_the_folds_anew():
    vectors, groups = told(1200, 6, 0.3)
    order = np.random.default_rng(1).permutation(1200)
    one, other = group_probe(vectors, groups), group_probe(vectors[order], groups[order])
    assert 0.2 < one.uar < 0.9
    assert other.uar == pytest.approx(one.uar, abs=0.02)


def test_groups_of_few_items_are_left_out_and_counted():
    vectors, groups = told(100, 4, 3.0)
    more = np.r_[groups, [4] * 4, [-1] * 6]
    found = group_probe(np.r_[vectors, np.zeros((10, 12))], more)
    alone = group_probe(vectors, groups)
    assert (found.uar, found.groups, found.items, found.left_out) == (alone.uar, 4, 100, 4)


def test_fewer_than_two_groups_tell_nothing():
    assert group_probe(np.eye(10), [0] * 6 + [1] * 4) is None
    assert group_probe(np.eye(10), [-1] * 10) is None
    assert group_probe_within(np.eye(10), [0] * 5 + [1] * 5, [0] * 5 + [1] * 5) is None


def test_within_corpora_who_is_told_by_the_corpus_alone_is_not_told():
    generator = np.random.default_rng(3)
    corpora = np.arange(900) // 300
    speakers = 4 * corpora + np.arange(900) % 4
    vectors = np.c_[100.0 * corpora, generator.normal(size=(900, 3))]
    assert group_probe(vectors, speakers).uar > 2 / 12
    within = group_probe_within(vectors, speakers, corpora)
    assert within.uar == pytest.approx(1 / 4, abs=0.05)
    assert (within.chance, within.groups, within.items, within.left_out) == (1 / 4, 12, 900, 0)


def test_within_is_the_mean_over_parts_whatever_their_size_and_leaves_out_one_with_a_single_group():
    big, small = told(400, 4, 0.5), told(100, 5, 0.5, seed=1)
    vectors = np.r_[big[0], small[0], np.zeros((30, 12))]
    groups = np.r_[big[1], 10 + small[1], [99] * 30]
    parts = np.repeat([0, 1, 2], [400, 100, 30])
    found = group_probe_within(vectors, groups, parts)
    one, other = group_probe(*big), group_probe(*small)
    assert found == GroupProbe((one.uar + other.uar) / 2, (1 / 4 + 1 / 5) / 2, 9, 500, 30)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": [0, 1]}, r"vectors has shape \(8, 2\) and groups int64 of shape \(2,\); expected"),
        ({"groups": np.zeros(8)}, r"and groups float64 of shape \(8,\); expected"),
        ({"classifier": "forest"}, "classifier is 'forest'; it is 'linear' or 'neighbours'"),
        ({"folds": 1}, "folds is 1; at least 2 are needed"),
        ({"vectors": np.full((8, 2), np.nan)}, "vectors are not finite in row 0; leave out items that have none"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=message):
        group_probe(**({"vectors": np.ones((8, 2)), "groups": np.arange(8) % 2} | change))
