"""What each language and each speaker gives to a batch, whatever the corpora are like."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.errors import InputError
from affectspace.samplers import ClassBatches
from affectspace.samplers.dealing import dealt_across

# items of each speaker, language by language
CELLS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=4)


def table(cells):
    groups = np.concatenate([np.full(sum(sizes), number) for number, sizes in enumerate(cells)])
    speakers = np.concatenate([10 * number + np.repeat(np.arange(len(s)), s) for number, s in enumerate(cells)])
    order = np.random.default_rng(1).permutation(len(groups))
    return groups[order], speakers[order]


@settings(deadline=None, max_examples=150)
@given(cells=CELLS, hand=st.integers(1, 12), hands=st.integers(1, 15), seed=st.integers(0, 9))
def test_groups_give_alike_or_all_they_have_and_nothing_is_twice_in_a_hand(cells, hand, hands, seed):
    groups, speakers = table(cells)
    cards = 5 + np.arange(len(groups))
    made = dealt_across(cards, groups, speakers, hand, hands, np.random.default_rng(seed))
    assert len(made) == hands
    for given_ in made:
        assert len(np.unique(given_)) == len(given_)
        counts = np.bincount(groups[given_ - 5], minlength=len(cells))
        for number, sizes in enumerate(cells):
            low, high = hand // len(cells), -(-hand // len(cells))
            assert min(low, sum(sizes)) <= counts[number] <= min(high, sum(sizes))
    times = np.array([sum((groups[g - 5] == number).sum() for g in made) for number in range(len(cells))])
    if all(sum(sizes) >= hand for sizes in cells):
        assert np.ptp(times) <= 1
        assert sum(map(len, made)) == hand * hands


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(2, 40), min_size=1, max_size=5), hands=st.integers(1, 30))
def test_speakers_of_a_group_come_equally_often_however_many_items_they_have(sizes, hands):
    groups, speakers = table([sizes])
    made = dealt_across(np.arange(len(groups)), groups, speakers, len(sizes), hands, np.random.default_rng(0))
    times = np.bincount(np.concatenate([speakers[given_] for given_ in made]), minlength=len(sizes))
    assert np.ptp(times) <= 1
    items = np.bincount(np.concatenate(made), minlength=len(groups))
    for each in range(len(sizes)):
        assert np.ptp(items[speakers == each]) <= 1


def confounded():
    """Two languages; in the second each class is said by one speaker, but for one item."""
    classes = np.tile([0, 1], 60)
    languages = np.repeat([0, 1], 60)
    speakers = np.where(languages == 0, np.arange(120) // 2 % 6, 10 + classes)
    speakers[119] = 10
    return classes, languages, speakers


def test_every_class_of_a_batch_is_of_both_languages_and_of_several_speakers():
    classes, languages, speakers = confounded()
    batches = ClassBatches(classes, 2, 8, groups=languages, speakers=speakers)
    for batch in batches:
        for each in (0, 1):
            of = batch[classes[batch] == each]
            assert np.bincount(languages[of]).tolist() == [4, 4]
            assert len(np.unique(speakers[of][languages[of] == 0])) >= 3
        second = batch[(classes[batch] == 1) & (languages[batch] == 1)]
        assert {*speakers[second]} == {10, 11}, "the one item of another speaker is in every batch"


def test_a_language_without_a_class_leaves_its_part_to_the_others():
    classes, languages, speakers = confounded()
    keep = ~((classes == 1) & (languages == 1))
    batches = ClassBatches(classes[keep], 2, 8, groups=languages[keep], speakers=speakers[keep])
    for batch in batches:
        found = classes[keep][batch], languages[keep][batch]
        assert np.bincount(found[1][found[0] == 1]).tolist() == [8]


@pytest.mark.parametrize("stop", [0, 1, 5])
def test_resumes_to_the_bit(stop):
    classes, languages, speakers = confounded()

    def make():
        return ClassBatches(classes, 2, 6, 3, groups=languages, speakers=speakers)

    whole, first = make(), make()
    every = [batch.tolist() for _ in range(2) for batch in whole]
    drawn = iter(first)
    begun = [next(drawn).tolist() for _ in range(stop)]
    resumed = make()
    resumed.load_state_dict(json.loads(json.dumps(first.state_dict())))
    rest = [batch.tolist() for batch in resumed] + [batch.tolist() for batch in resumed]
    assert begun + rest == every


def test_groups_without_speakers_are_refused():
    classes, languages, speakers = confounded()
    with pytest.raises(InputError, match="whose speakers take turns; give both groups and speakers"):
        ClassBatches(classes, 2, 4, groups=languages)
    with pytest.raises(InputError, match=r"speakers have shape \(3,\); give one for each of the 120 items"):
        ClassBatches(classes, 2, 4, groups=languages, speakers=speakers[:3])
    plain = ClassBatches(classes, 2, 4)
    with pytest.raises(InputError):
        plain.load_state_dict(ClassBatches(classes, 2, 4, groups=languages, speakers=speakers).state_dict())
