"""One name for each emotion, whatever a corpus calls it."""

import re

__all__ = ["shared_emotion"]

_SPELLINGS = {
    "angry": "anger ang mad",
    "happy": "happiness hap joy joyful",
    "sad": "sadness sorrow",
    "neutral": "neu neutrality",
    "fearful": "fear fea afraid scared",
    "disgusted": "disgust dis",
    "surprised": "surprise sur suprise suprised pleasant_surprise pleasantly_surprised",
    "calm": "calmness",
    "bored": "boredom bor",
    "excited": "excitement exc",
    "frustrated": "frustration fru",
    "contemptuous": "contempt",
    "anxious": "anxiety",
    "amused": "amusement",
    "annoyed": "annoyance",
    "ashamed": "shame",
    "confused": "confusion",
    "curious": "curiosity",
    "disappointed": "disappointment",
    "embarrassed": "embarrassment",
    "grateful": "gratitude",
    "guilty": "guilt",
    "nervous": "nervousness",
    "proud": "pride",
    "relieved": "relief",
    "sleepy": "sleepiness",
    "other": "oth others",
}
_SHARED = {own.replace("_", " "): shared for shared, owns in _SPELLINGS.items() for own in owns.split()}


def shared_emotion(label: str) -> str:
    """The shared name of an emotion: an adjective in lower case.

    Nouns, usual abbreviations and spellings lead to one name; a name that is not known comes back
    unchanged in lower case, so that a corpus can bring emotions of its own. Single letters are not
    expanded, since corpora disagree on them (``A`` is anger in one and fear, *Angst*, in another):
    they belong in the corpus's label map. Emotions that are merely near each other, such as
    *excited* and *happy*, stay apart; merging them is for a label map to say.

    Example:
        >>> [shared_emotion(label) for label in ("Anger", "hap", "joy", "excited", "pleasant-surprise", "Wistful")]
        ['angry', 'happy', 'happy', 'excited', 'surprised', 'wistful']
    """
    name = label.strip().lower()
    return _SHARED.get(re.sub(r"[\s_-]+", " ", name), name)
