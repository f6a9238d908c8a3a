"""Suspected labels: planted ones come first, no item speaks for itself, votes are compared as distributions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.space.label_errors import consensus, suspects
from affectspace.space.posterior import out_of_fold
from affectspace.space.space import Space

CLASSES = ("happy", "neutral", "sad", "angry")


def planted(seed=0, items=400, share=0.05, apart=5.0, dimensions=8):
    """Four Gaussian classes, a share of whose labels is wrong; and which."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(4, size=items)
    means = np.linalg.qr(rng.normal(size=(dimensions, 4)))[0].T * apart
    wrong = np.zeros(items, bool)
    wrong[rng.choice(items, int(share * items), replace=False)] = True
    labels = np.where(wrong, (truth + rng.integers(1, 4, items)) % 4, truth)
    table = pd.DataFrame({"id": [f"made/{row}" for row in range(items)], "label": np.array(CLASSES)[labels]})
    return Space(table, rng.normal(size=(items, dimensions)) + means[truth], CLASSES), truth, wrong


@pytest.mark.parametrize("seed", range(4))
def test_planted_errors_come_first_with_what_they_should_be(seed):
    space, truth, wrong = planted(seed)
    found = suspects(space, seed=seed)
    rows = pd.Index(space.items["id"]).get_indexer(found["id"])
    assert wrong[rows[: wrong.sum()]].mean() > 0.9
    caught = wrong[rows]
    assert (found["suggested"][caught] == np.array(CLASSES)[truth[rows[caught]]]).mean() > 0.9
    assert found["score"].is_monotonic_decreasing
    assert found["score"].between(0, 1).all()
    assert (found["label"] != found["suggested"]).all()
    assert not suspects(space, seed=seed).compare(found).size


def test_votes_of_neighbours_agree_with_a_plain_loop():
    space, _, _ = planted(1, items=40)
    k, targets = 6, space.targets.astype(float)
    said = consensus(space.vectors, targets, k)
    for item in range(40):
        away = {row: np.linalg.norm(space.vectors[item] - space.vectors[row]) for row in range(40) if row != item}
        nearest = sorted(away, key=away.get)[:k]
        assert said.near[item].tolist() == nearest
        weights = [np.exp(-((away[row] / away[nearest[-1]]) ** 2)) for row in nearest]
        shares = sum(weight * targets[row] for weight, row in zip(weights, nearest)) / sum(weights)
        others = np.mean([targets[row] for row in away], axis=0)
        votes = (k * shares + 2 * others) / (k + 2)
        assert np.allclose(said.votes[item], votes, atol=1e-5)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), apart=st.floats(0, 4), k=st.integers(1, 12))
def test_no_other_mixture_makes_the_labels_likelier(seed, apart, k):
    space, _, _ = planted(seed, items=60, apart=apart)
    targets = space.targets.astype(float)
    said = consensus(space.vectors, targets, k)

    def likelihood(weight):
        mixed = weight * said.votes + (1 - weight) * said.posterior
        return np.log(mixed[targets > 0]).sum()

    assert max(map(likelihood, np.linspace(0, 1, 101))) <= likelihood(said.weight) + 0.05
    assert np.allclose(said.agreed.sum(1), 1)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), item=st.integers(0, 29), label=st.integers(0, 3), k=st.integers(1, 40))
def test_an_items_own_label_has_no_part_in_what_is_said_of_it(seed, item, label, k):
    space, _, _ = planted(seed, items=30)
    targets = space.targets.astype(float)
    before = consensus(space.vectors, targets, k, seed=seed)
    targets[item] = np.eye(4)[label]
    after = consensus(space.vectors, targets, k, seed=seed)
    assert np.array_equal(before.votes[item], after.votes[item])
    assert np.array_equal(before.posterior[item], after.posterior[item])


def test_items_without_a_label_are_neither_suspects_nor_neighbours():
    space, _, _ = planted(2)
    hidden = np.arange(len(space)) % 3 == 0
    blank = Space(space.items.assign(label=space.items["label"].mask(hidden)), space.vectors, CLASSES)
    alone = space.take(~hidden)
    pd.testing.assert_frame_equal(suspects(blank), suspects(alone))


def test_votes_that_are_ambiguous_are_not_suspect_and_swapped_ones_are():
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 3
    means = np.eye(3)[:, :3] * 6
    # The raters of every item of the third kind are split between two classes.
    kinds = np.array([[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.4, 0.0, 0.6]])
    votes = kinds[truth]
    votes[2] = [0.9, 0.1, 0.0]
    votes[1] = votes[1][[1, 0, 2]]
    table = pd.DataFrame({"id": np.arange(300).astype(str), "target": list(votes)})
    space = Space(table, rng.normal(size=(300, 3)) + means[truth], ("a", "b", "c"))
    found = suspects(space)
    assert set(found["id"][:2]) == {"1", "2"}
    assert found["score"][0] > 0.3
    assert (found["score"][2:] < 0.3).all()
    ties = table.assign(target=list(np.tile([0.5, 0.5, 0.0], (300, 1))))
    assert not len(suspects(Space(ties, space.vectors, ("a", "b", "c"))))


def test_votes_that_are_divided_as_the_others_are_score_0_and_are_told_to():
    """All others lean a little to b, so that votes of 3 to 2 for a fit as well, and votes for a alone do not."""
    items, kinds = 200, np.array([[0.6, 0.4], [0.36, 0.64], [1.0, 0.0]])
    of = np.where(np.arange(items) % 2, 0, 1)
    of[0] = 2
    table = pd.DataFrame({"id": np.arange(items).astype(str), "target": list(kinds[of])})
    space = Space(table, np.random.default_rng(0).normal(size=(items, 2)), ("a", "b"))
    agreed = consensus(space.vectors, kinds[of], 20, np.tile([0.48, 0.52], (items, 1))).agreed
    found = suspects(space, probabilities=np.tile([0.48, 0.52], (items, 1))).set_index("id")
    assert "0" in found.index
    for name, row in found.iterrows():
        target, c = kinds[of[int(str(name))]], agreed[int(str(name))]
        fit = np.prod([(share / vote) ** vote for vote, share in zip(target, c) if vote])  # exp(-KL)
        assert row["score"] == pytest.approx(max(0, 1 - fit / c.max()))
        assert (fit >= c.max()) == row["reasons"].endswith(
            "; yet its votes fit that no worse than votes for b alone would"
        )
    assert found["score"].iloc[0] > 0
    assert found["score"].iloc[-1] == 0


def test_a_tie_is_named_by_both_classes():
    space, _, _ = planted(0, share=0)
    votes = space.targets.copy()
    item = int(np.flatnonzero(space.labels == 3)[0])
    votes[item] = [0.5, 0.5, 0, 0]
    found = suspects(Space(space.items.drop(columns="label").assign(target=list(votes)), space.vectors, CLASSES))
    first = found.iloc[0]
    assert (first["label"], first["suggested"]) == ("happy|neutral", "angry")
    said = "all of its 20 nearest are angry; a classifier that never saw it: happy|neutral 0.0"
    assert first["reasons"].startswith(said)


def test_probabilities_of_a_model_that_has_not_seen_the_item_are_heard():
    space, _, _ = planted(3, share=0)
    sure = np.tile([0.0, 0.0, 0.0, 1.0], (len(space), 1))
    held = consensus(space.vectors, space.targets.astype(float), probabilities=sure).posterior
    assert np.array_equal(held, sure)
    split = np.where(np.arange(len(space)) % 2 == 0, "test", "train")
    own = Space(space.items.assign(split=split, probabilities=list(sure)), space.vectors, CLASSES)
    half = np.where((split == "test")[:, None], sure, np.nan)
    pd.testing.assert_frame_equal(suspects(own), suspects(space, probabilities=half))
    for learned in ("train", "validate", "unused", None):  # none of which proves that the model has not seen them
        other = Space(own.items.assign(split=learned), space.vectors, CLASSES)
        pd.testing.assert_frame_equal(suspects(other), suspects(space))


def with_twins(space, rows, labels):
    """The space with copies of some items behind it, labelled so."""
    copies = pd.DataFrame({"id": [f"copy/{row}" for row in range(len(rows))], "label": labels})
    items = pd.concat([space.items[["id", "label"]], copies], ignore_index=True)
    return Space(items, np.vstack([space.vectors, space.vectors[rows]]), CLASSES)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_copies_of_an_error_are_no_witnesses_for_it(metric):
    space, truth, _ = planted(5, items=200, share=0)
    labels = space.items["label"].to_numpy(object).copy()
    labels[7] = CLASSES[(truth[7] + 1) % 4]
    wrong = Space(space.items.assign(label=labels), space.vectors, CLASSES)
    found = suspects(with_twins(wrong, [7] * 5, [labels[7]] * 5), k=5, metric=metric)
    assert set(found["id"][:6]) == {"made/7", *(f"copy/{row}" for row in range(5))}
    assert (found["suggested"][:6] == CLASSES[truth[7]]).all()
    assert (found["score"][:6] > 0.9).all()
    assert not any("copy" in name or name == "made/7" for name in found["neighbours"][0])


def test_items_with_one_vector_are_one_neighbour_and_in_one_fold():
    space, _, _ = planted(6, items=60)
    twice = with_twins(space, [3, 4], [space.items["label"][3], "sad"])
    targets = twice.targets.astype(float)
    changed = targets.copy()
    changed[60] = np.eye(4)[3]
    before, after = consensus(twice.vectors, targets, 6), consensus(twice.vectors, changed, 6)
    near = before.near
    assert np.array_equal(before.posterior[3], after.posterior[3])  # no posterior is fitted on a twin
    assert np.allclose(before.votes[3], after.votes[3], atol=0.02)  # which has but its share in all items
    assert not np.isin(near[[3, 60]], [3, 60]).any()
    assert (near < 60).all()
    assert all(len(set(row)) == 6 for row in near)


def test_the_size_of_a_space_changes_nothing():
    space, _, _ = planted(4)
    for scale in (1024.0, 2.0**-40):
        scaled = Space(space.items, space.vectors * scale, CLASSES)
        assert suspects(scaled)["id"].tolist() == suspects(space)["id"].tolist()


def test_posteriors_of_a_line_are_those_of_its_sides():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 1))
    # p(second) = 1 / (1 + exp(-2 x)): the regression finds the line that made the labels.
    truth = 1 / (1 + np.exp(-2 * vectors[:, 0]))
    targets = np.eye(2)[(rng.random(2000) < truth).astype(int)]
    found = out_of_fold(vectors, targets)
    assert np.abs(found[:, 1] - truth).mean() < 0.03
    soft = out_of_fold(vectors, np.stack([1 - truth, truth], 1))
    assert np.abs(soft[:, 1] - truth).max() < 0.01
    assert np.allclose(found.sum(1), 1)


def test_degenerate_spaces():
    same = Space(pd.DataFrame({"id": list("abcd"), "label": ["sad"] * 3 + ["angry"]}), np.ones((4, 2)), CLASSES)
    found = suspects(same)
    assert found["id"].tolist() == ["d"]
    assert found["neighbours"].tolist() == [[]]
    said = "all items have one vector; a classifier that never saw it: angry 0.00, sad 1.00"
    assert found["reasons"][0].startswith(said)
    two = Space(pd.DataFrame({"id": ["a", "b"], "label": ["sad", "angry"]}), np.eye(2), CLASSES)
    assert suspects(two).sort_values("id")["neighbours"].tolist() == [["b"], ["a"]]


def test_what_cannot_be_suspected():
    space, _, _ = planted(items=30)
    with pytest.raises(InputError, match="0 items of the space have a label"):
        suspects(Space(space.items.assign(label=None), space.vectors, CLASSES))
    with pytest.raises(InputError, match="k is 0; ask at least 1 neighbour"):
        suspects(space, k=0)
    with pytest.raises(InputError, match=r"probabilities have shape \(30, 2\); expected .* \(30, 4\)"):
        suspects(space, probabilities=np.ones((30, 2)))
    with pytest.raises(InputError, match="a row that is no distribution"):
        suspects(space, probabilities=np.ones((30, 4)))
    with pytest.raises(ValueError, match="1 item has no others to learn from"):
        out_of_fold(np.ones((1, 2)), np.ones((1, 2)))
