"""What two classes of one shared emotion mean."""

from affectspace.labels.naming import class_of, lookup_of


def test_a_name_that_two_classes_share_leads_to_neither():
    lookup = lookup_of(("joy", "happiness", "sad"))
    assert [class_of(label, lookup) for label in ("joy", "happiness", "hap", "happy", "sadness")] == [
        0,
        1,
        None,
        None,
        2,
    ]
