"""Languages over each other, against a slow loop and truths in closed form."""

import numpy as np
import pytest

from affectspace.neighbours import overlap, same_class_among
from affectspace.neighbours.nearest import Neighbours


def slow(vectors, classes, languages, k):
    """Every figure from sorted distances, item by item."""
    n, same, chance, away, strangers = len(vectors), [], [], [], []
    for i in range(n):
        order = sorted((j for j in range(n) if j != i), key=lambda j: (np.linalg.norm(vectors[i] - vectors[j]), j))
        others = [j for j in order if languages[j] != languages[i]]
        same.append(np.mean([classes[j] == classes[i] for j in others[:k]]))
        chance.append(np.mean([classes[j] == classes[i] for j in others]))
        away.append(np.mean([languages[j] != languages[i] for j in order[:k]]))
        strangers.append(len(others) / (n - 1))
    return [float(np.mean(each)) for each in (same, chance, away, strangers)]


@pytest.mark.parametrize("k", [1, 4, 30])
def test_equals_a_slow_loop(k):
    generator = np.random.default_rng(k)
    classes, languages = generator.integers(0, 3, 60), generator.choice(3, 60, p=[0.6, 0.3, 0.1])
    vectors = generator.normal(size=(60, 4)) + classes[:, None] + 0.5 * languages[:, None]
    found = overlap(vectors, classes, languages, k)
    told = (found.same_class, found.same_class_chance, found.other_language, found.other_language_chance)
    assert told == pytest.approx(slow(vectors, classes, languages, k))
    assert (found.items, found.k) == (60, min(k, 59))


def test_emotions_that_lie_alike_in_all_languages_are_told_from_languages_that_are_mixed():
    generator = np.random.default_rng(0)
    classes, languages = np.arange(300) % 3, np.arange(300) // 100
    place = 10 * np.eye(3)[classes]
    mixed = overlap(place + generator.normal(size=(300, 3)), classes, languages)
    apart = np.c_[place + generator.normal(size=(300, 3)), 100.0 * languages]
    moved = overlap(apart, classes, languages)
    assert mixed.same_class == moved.same_class == 1
    assert mixed.same_class_chance == pytest.approx(1 / 3, abs=0.01)
    assert mixed.other_language == pytest.approx(mixed.other_language_chance, abs=0.05)
    assert moved.other_language == 0


def test_noise_lies_at_chance():
    generator = np.random.default_rng(1)
    classes, languages = generator.integers(0, 4, 2000), generator.choice(2, 2000, p=[0.8, 0.2])
    found = overlap(generator.normal(size=(2000, 3)), classes, languages)
    assert found.same_class == pytest.approx(found.same_class_chance, abs=0.02)
    assert found.other_language == pytest.approx(found.other_language_chance, abs=0.02)


def test_the_order_of_items_and_names_of_languages_do_not_matter():
    generator = np.random.default_rng(2)
    vectors, classes, languages = generator.normal(size=(80, 3)), generator.integers(0, 2, 80), np.arange(80) % 4
    found, order = overlap(vectors, classes, languages), generator.permutation(80)
    again = overlap(vectors[order], classes[order], 7 * (3 - languages[order]))
    assert vars(again) == pytest.approx(vars(found))


def test_unknown_items_have_no_part():
    generator = np.random.default_rng(3)
    vectors, classes, languages = generator.normal(size=(60, 3)), generator.integers(0, 2, 60), np.arange(60) % 2
    more = np.r_[vectors, vectors[:20]]
    odd = overlap(more, np.r_[classes, [-1] * 10, [0] * 10], np.r_[languages, [0] * 10, [-1] * 10])
    assert odd == overlap(vectors, classes, languages)


def test_one_language_has_no_overlap():
    assert overlap(np.eye(4), [0, 1, 0, 1], [2, 2, 2, 2]) is None
    assert overlap(np.eye(4), [0, 1, 0, 1], [2, 2, 2, -1]) is None


def test_errors():
    with pytest.raises(ValueError, match=r"vectors has shape \(3, 2\) and classes int64 of shape \(4,\); expected"):
        overlap(np.ones((3, 2)), [0, 1, 0, 1], [0, 1, 0])
    with pytest.raises(ValueError, match=r"and languages float64 of shape \(3,\)"):
        overlap(np.ones((3, 2)), [0, 1, 0], [0.5, 1, 0])
    with pytest.raises(ValueError, match=r"asked is int64 of shape \(3,\); expected a bool for each item, of"):
        same_class_among(np.ones((3, 2)), [0, 1, 0], [0, 1, 0], [0, 1, 0])


@pytest.mark.parametrize("k", [1, 4, 30])
def test_those_asked_look_among_others_of_other_languages_only(k):
    generator = np.random.default_rng(k)
    classes, languages = generator.integers(-1, 3, 60), generator.integers(0, 3, 60)
    vectors, asked = generator.normal(size=(60, 4)) + classes[:, None], languages == 2
    asked[:5] = ~asked[:5]  # some of a language that others train on, who look among other languages still
    found = same_class_among(vectors, classes, languages, asked, k)
    same, chance = [], []
    for i in np.flatnonzero(asked & (classes >= 0)):
        others = [j for j in range(60) if not asked[j] and languages[j] != languages[i] and classes[j] >= 0]
        near = sorted(others, key=lambda j: (np.linalg.norm(vectors[i] - vectors[j]), j))[:k]
        same.append(np.mean([classes[j] == classes[i] for j in near]))
        chance.append(np.mean([classes[j] == classes[i] for j in others]))
    assert (found.share, found.chance, found.items) == pytest.approx((np.mean(same), np.mean(chance), len(same)))


def test_nobody_asked_or_nobody_to_look_among_tells_nothing():
    for asked in ([False] * 4, [True] * 4):
        assert same_class_among(np.eye(4), [0, 1, 0, 1], [0, 0, 1, 1], asked) is None
    assert same_class_among(np.eye(4), [0, 1, 0, 1], [0, 0, 0, 0], [True, True, False, False]) is None


def test_those_asked_of_many_languages_look_in_one_index(monkeypatch):
    made, build = [], Neighbours.__init__
    monkeypatch.setattr(Neighbours, "__init__", lambda self, points: made.append(len(points)) or build(self, points))
    languages = np.arange(60) % 5
    found = same_class_among(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2, languages, languages > 0)
    assert found is not None
    assert made == [60]
