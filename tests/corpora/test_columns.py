"""Names of items that have none of their own."""

from hypothesis import given
from hypothesis import strategies as st

from affectspace.corpora.columns import told_apart

NAMES = st.lists(st.text("aA.pj", min_size=1, max_size=5), max_size=12, unique=True)


def shortened(name):
    return name.rpartition(".")[0] or name


@given(NAMES)
def test_no_two_items_have_one_name(names):
    told = told_apart([shortened(name) for name in names], names)
    assert len(set(told)) == len(names)
    for name, each in zip(names, told):
        assert each in (name, shortened(name))
    if len({*map(shortened, names)}) == len(names):
        assert told == [*map(shortened, names)]


@given(st.lists(st.text("aA.pj", min_size=1, max_size=5), max_size=12, unique_by=str.casefold))
def test_nor_one_that_differs_in_case_only(names):
    told = told_apart([shortened(name) for name in names], names, str.casefold)
    assert len({each.casefold() for each in told}) == len(names)


def test_long_names_that_are_alike_end_too():
    assert told_apart(["a", "a", "b"], ["?", "?", "c"]) == ["?", "?", "b"]
