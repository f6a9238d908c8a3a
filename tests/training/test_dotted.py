"""Settings by dotted keys: put where they belong, or refused with what there is."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.training.dotted import dotted, put

keys = st.text("abc", min_size=1, max_size=2)
leaves = st.integers() | st.lists(st.integers(), max_size=2)
tables = st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3))


def test_dotted_keys_say_the_same_as_tables():
    nested = {"training": {"epochs": 5, "clip_gradient": 1.0}, "encoder": {"kind": "mlp", "hidden": 8}}
    assert dotted(nested) == {
        "training.epochs": 5, "training.clip_gradient": 1.0, "encoder": {"kind": "mlp", "hidden": 8},
    }  # fmt: skip


@given(st.dictionaries(keys, tables, max_size=3))
def test_what_is_dotted_is_put_back(values):
    again: dict = {}
    for key, value in dotted(values).items():
        put(again, key, value)
    assert again == values


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("terms.1.weight", "terms has no entry 1; it has one, 0"),
        ("terms.-1", "terms has no entry -1; it has one, 0"),
        ("terms.first", "terms has no entry first; it has one, 0"),
        ("pairs.2", "pairs has no entry 2; it has 0..1"),
        ("none.0", "none has no entry 0; it is empty"),
        ("name.first.second", "name is 'base' and has no keys below it"),
        ("terms.0.kind.more", "terms.0.kind is 'x' and has no keys below it"),
    ],
)
def test_a_way_that_leads_nowhere_says_what_there_is(key, message):
    values = {"terms": [{"kind": "x"}], "pairs": [1, 2], "none": [], "name": "base"}
    before = copy.deepcopy(values)
    with pytest.raises(ValueError, match=f"^{message.replace('.', '[.]')}$"):
        put(values, key, 3)
    assert values == before
