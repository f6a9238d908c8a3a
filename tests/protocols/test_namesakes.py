"""Names that speakers of two corpora share: against a slow loop, and where there is nothing to tell."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from affectspace.protocols import namesakes
from affectspace.training.remarks import namesakes_told


def table(*rows):
    return pd.DataFrame(rows, columns=["corpus", "speaker"])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 100_000))
def test_against_a_slow_loop(seed):
    rng = np.random.default_rng(seed)
    names = ["S1", "S2", "S3", None, ""]
    known, tested, unlabelled = (
        table(*[(rng.choice(corpora), names[rng.integers(5)]) for _ in range(rng.integers(1, 12))])
        for corpora in (["a", "b"], ["b", "c", "d"], ["a", "c", "e"])
    )
    taught = set(known["corpus"])
    for trained, others in ((known, None), (pd.concat([known, unlabelled]), unlabelled)):
        expected = set()
        for corpus in set(tested["corpus"]):
            for other in set(trained["corpus"]) - {corpus}:
                if corpus in taught and other in taught:
                    continue
                mine, theirs = (
                    {
                        name
                        for which, name in rows.itertuples(index=False)
                        if which == where and isinstance(name, str) and name
                    }
                    for rows, where in ((tested, corpus), (trained, other))
                )
                if mine & theirs:
                    expected.add((corpus, other, len(mine & theirs), len(mine), min(mine & theirs)))
        assert {tuple(each.values()) for each in namesakes(known, tested, others)} == expected


def test_items_that_name_nobody_and_tables_without_speakers():
    assert namesakes(table(("a", None)), table(("b", None), ("b", " "))) == []
    assert namesakes(pd.DataFrame({"corpus": ["a"]}), pd.DataFrame({"corpus": ["b"]})) == []
    assert namesakes_told([]) == []


def test_several_are_told_in_one_sentence_and_what_to_do():
    found = namesakes(table(("mainb", "1"), ("mainb", "2")), table(("sibck", "1"), ("sibck", "2"), ("sibck", "3")))
    [told] = namesakes_told(found)
    assert told.startswith("2 of 3 speakers of sibck bear the name of a speaker of mainb, of whom training knows")
    assert "name the speakers of one corpus otherwise" in told
