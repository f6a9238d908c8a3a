"""What two classes of one shared emotion mean."""

from hypothesis import assume, given
from hypothesis import strategies as st

from affectspace.labels.naming import class_of, led, lookup_of, resolve

LABELS = tuple("abcdefgh")


def test_a_name_that_two_classes_share_leads_to_neither():
    lookup = lookup_of(("joy", "happiness", "sad"))
    assert [class_of(label, lookup) for label in ("joy", "happiness", "hap", "happy", "sadness")] == [
        0,
        1,
        None,
        None,
        2,
    ]


@given(st.dictionaries(st.sampled_from(LABELS), st.sampled_from([*LABELS, ""])))
def test_a_map_leads_to_the_class_that_training_gives_where_chains_end_in_classes(mapping):
    ends = [own if (own := led(label, mapping)) is not None else label for label in LABELS]
    classes = sorted({*ends} - {""})
    assume(all(mapping.get(name, name) == name for name in classes))
    found, unknown = resolve(LABELS, classes, mapping)
    assert [classes[place] if place >= 0 else "" for place in found] == ends
    assert not unknown


def test_a_map_that_goes_round_leads_one_step_on_and_one_that_stays_ends_a_chain():
    assert [led(label, {"sad": "angry", "angry": "sad"}) for label in ("sad", "anger")] == ["angry", "sad"]
    assert led("Wut", {"Wut": "Zorn", "Zorn": "angry", "angry": "angry"}) == "angry"
    assert led("Anger", {"angry": "angry"}) == "angry"
