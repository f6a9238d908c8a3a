"""When an item lies far from all training data: a rule that keeps to its share of false alarms."""

import numpy as np
import pytest

from affectspace.training.far import Far


def kth(queries, items, k):
    away = np.linalg.norm(queries[:, None] - items[None], axis=2)
    return np.sort(away, axis=1)[:, k - 1]


def test_of_new_items_like_those_of_validation_one_in_a_hundred_is_called_far():
    """Clouds of Gaussian points, of which nothing tells training, validation and new items apart."""
    generator, alarms, new = np.random.default_rng(0), 0, 0
    for _ in range(20):
        train, validate, fresh = (generator.normal(size=(count, 3)) for count in (150, 499, 500))
        tilted = np.array([[1.0, 0.5], [0.0, 1.0], [0.3, 0.0]])  # the other distance goes with the first, in part
        judged = {"embedding": kth(validate, train, 5), "features": kth(validate @ tilted, train @ tilted, 5)}
        rule = Far.learned(judged, k=5)
        assert rule.false_alarms == pytest.approx(0.01)
        asked = zip(kth(fresh, train, 5), kth(fresh @ tilted, train @ tilted, 5))
        alarms += sum(bool(rule.beyond({"embedding": one, "features": other})) for one, other in asked)
        new += len(fresh)
    assert 0.006 < alarms / new < 0.014  # 10,000 items, and thresholds of which each has an error of its own


def test_no_more_of_the_judging_items_are_far_than_the_share_and_no_fewer_by_one_rank():
    """The slow way: every rank is tried, and the lowest with at most 1 % of the items beyond it is taken."""
    generator = np.random.default_rng(1)
    for items in (1, 7, 99, 100, 150, 499):
        distances = {"embedding": generator.gamma(2, size=items), "features": generator.normal(9, 1, items)}
        rule = Far.learned(distances, k=5)
        ordered = {name: np.sort(each) for name, each in distances.items()}
        allowed = (
            int(0.01 * (items + 1)) - 1 if items >= 99 else 0
        )  # n + 1 counts the new one, which may be the farthest
        for rank in range(1, items + 1):
            beyond = np.any([each > ordered[name][rank - 1] for name, each in distances.items()], axis=0).sum()
            if beyond <= max(allowed, 0):
                assert rule.thresholds == {name: each[rank - 1] for name, each in ordered.items()}
                break


@pytest.mark.parametrize(
    ("items", "share"), [(1, 1 / 2), (9, 1 / 10), (24, 0.04), (98, 1 / 99), (99, 0.01), (199, 0.01)]
)
def test_few_judging_items_are_told_to_raise_more_false_alarms(items, share):
    distances = {"embedding": np.arange(items), "features": np.arange(items)}
    rule = Far.learned(distances, k=1)
    assert rule.false_alarms == share  # and not 0.040000000000000036
    assert f"{100 * share:.2g} % of items like the {items} validation items are." in rule.told


def test_equal_distances_are_not_beyond_each_other():
    rule = Far.learned({"embedding": np.zeros(300), "features": np.ones(300)}, k=2)
    assert rule.thresholds == {"embedding": 0, "features": 1}
    assert rule.beyond({"embedding": 0, "features": 1}) == ()
    assert rule.beyond({"embedding": 1e-9, "features": 2}) == ("embedding", "features")


def test_what_was_learned_of_training_items_is_said_so():
    rule = Far.learned({"embedding": np.ones(99), "features": np.ones(99)}, 5, "train")
    assert rule.told.endswith(
        "1 % of items like the 99 training items, each left out in turn are; the net has learned these, so of new ones "
        "more are."
    )


@pytest.mark.parametrize("distances", [{"embedding": [], "features": []}, {"embedding": [1.0], "features": [1.0, 2.0]}])
def test_distances_of_nobody_or_of_others_are_refused(distances):
    with pytest.raises(ValueError, match="give those of the same items, of one at least"):
        Far.learned({name: np.array(each) for name, each in distances.items()}, k=1)
