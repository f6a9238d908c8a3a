"""What a recipe's protocol makes of its items, and which other one it is told of."""

import pandas as pd
import pytest

from affectspace.errors import LeakError
from affectspace.training import make_recipe
from affectspace.training.prepare import prepare

ALONE = {"kind": "leave_one_out", "by": "speaker", "fold": 0}


def refused(values, **protocol):
    with pytest.raises(LeakError) as error:
        prepare(make_recipe({**values, "protocol": ALONE | protocol}), quiet=True)
    return str(error.value)


def test_who_shares_a_session_may_validate_within_it(lay_duo, tmp_path):
    values = lay_duo(tmp_path)
    told = refused(values)
    assert (
        ' or leave_one_out), or set within = "session" in [protocol], so that the others of the tested speaker\'s '
        'session validate, or accept it and say so with allow = ["session"] in [protocol]'
    ) in told
    assert 'set within = "session" and leave validate_groups out in [protocol], so that' in refused(
        values, validate_groups=2
    )
    assert prepare(make_recipe({**values, "protocol": ALONE | {"within": "session"}}), quiet=True).split.sizes["test"]


def test_within_is_no_remedy_where_it_cannot_be_or_leaks_more(lay_duo, tmp_path):
    values = lay_duo(tmp_path)
    table = pd.read_csv(tmp_path / "duo/items.csv")
    table.assign(session="one").to_csv(tmp_path / "duo/items.csv", index=False)  # nobody would be left to train
    assert (
        'split by session (by = "session" in [protocol], of kind grouped_folds or leave_one_out), or accept it'
        in refused(values)
    )
    # those who say what the tested speaker says would validate, and the same people say other things in training
    table["speaker"] = [f"s{row % 5}" for row in range(len(table))]
    table["script"] = [f"line {row % 24}" for row in range(len(table))]
    table.drop(columns="session").to_csv(tmp_path / "duo/items.csv", index=False)
    assert (
        'split by script (by = "script" in [protocol], of kind grouped_folds or leave_one_out), or accept it'
        in refused(values)
    )
    assert "speakers are in both train" in refused(values, within="script")


def test_other_protocols_have_no_such_remedy(lay_duo, tmp_path):
    folds = {"kind": "grouped_folds", "by": "speaker", "folds": 5, "fold": 0}
    with pytest.raises(LeakError) as error:
        prepare(make_recipe({**lay_duo(tmp_path), "protocol": folds}), quiet=True)
    assert "within" not in str(error.value)
