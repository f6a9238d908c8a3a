import pytest
from hypothesis import given
from hypothesis import strategies as st

from affectspace.labels import shared_emotion


@pytest.mark.parametrize(
    ("shared", "spellings"),
    [
        ("angry", ["anger", "Angry", "ANG", " ang "]),
        ("happy", ["happiness", "joy", "hap", "Happy"]),
        ("sad", ["sadness", "Sad"]),
        ("neutral", ["neu", "Neutral"]),
        ("fearful", ["fear", "Fear", "fea"]),
        ("disgusted", ["disgust", "Disgust"]),
        ("surprised", ["surprise", "pleasant_surprise", "pleasant surprise", "Pleasant-Surprise", "suprise"]),
        ("bored", ["boredom"]),
        ("excited", ["exc", "excitement"]),
        ("frustrated", ["fru", "frustration"]),
    ],
)
def test_one_emotion_has_one_name(shared, spellings):
    assert {shared_emotion(spelling) for spelling in [*spellings, shared]} == {shared}


def test_neighbouring_emotions_stay_apart():
    assert len({shared_emotion(label) for label in ("happy", "excited", "calm", "neutral", "angry", "annoyed")}) == 6


@pytest.mark.parametrize("label", ["A", "F", "N", "W"])
def test_single_letters_are_not_guessed(label):
    assert shared_emotion(label) == label.lower()


@given(st.text())
def test_naming_twice_changes_nothing(label):
    assert shared_emotion(shared_emotion(label)) == shared_emotion(label)
