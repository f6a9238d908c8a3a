"""Names that trackers take, and values that fit."""

import pytest

from affectspace.trackers.names import allowed, cut, epoch_name, settings

KEPT = "the quick: brown_fox-1.5/jumps over"


def test_every_line_of_a_run_has_a_group():
    assert epoch_name("figures.adversary.accuracy") == "figures/adversary.accuracy"
    assert epoch_name("degenerate_batches") == "batches/degenerate"
    assert epoch_name("something_new") == "something_new/something_new"


def test_allowed_names_stay_and_all_others_become_different_ones():
    assert allowed(KEPT) == KEPT
    strange = [
        "a/é",
        "a/ü",
        "a/🎭",
        "a/../b",
        "a//b",
        "a/b/",
        "/a",
        "../a",
        "..",
        "a\nb",
        "x" * 251,
        "y" * 300,
        "x" * 252,
    ]
    changed = [allowed(name) for name in strange]
    assert len({*changed}) == len(strange)
    assert [allowed(name) for name in changed] == changed
    assert all(len(name) <= 250 for name in changed)


def test_mlflow_takes_what_is_allowed():
    validation = pytest.importorskip("mlflow.utils.validation")
    for name in (KEPT, "a/é", "a/../b", "a//b", "/a", "..", "a\nb", "x" * 300, "final/unseen.Gefühl/🎭.uar"):
        validation._validate_metric_name(allowed(name))
        validation._validate_param_name(allowed(name))
        validation._validate_tag_name(allowed(name))


def test_a_recipe_keeps_its_types():
    told = settings({"a": True, "b": {"c": 1.5, "d": {}, "e": []}, "f": [{"g": [1, 2]}, {"g": [{"h": None}]}]})
    assert told == {"a": True, "b.c": 1.5, "b.d": "{}", "b.e": "[]", "f.0.g": "[1, 2]", "f.1.g.0.h": "null"}


def test_a_long_value_tells_how_long_it_was():
    assert cut("a" * 6000, 6000) == "a" * 6000
    assert len(cut("a" * 6001, 6000)) == 6000
    assert cut("a" * 6001, 6000).endswith("... (of 6,001 characters)")
