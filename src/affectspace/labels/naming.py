"""Which class a corpus's own label means."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from affectspace.errors import InputError
from affectspace.labels.emotions import shared_emotion

__all__ = ["check_names", "class_of", "led", "lookup_of", "mapped_to", "meaning", "refuse", "resolve"]


def resolve(labels: Iterable[str], names: Sequence[str], mapping: Mapping[str, str]) -> tuple[np.ndarray, list[int]]:
    """The class of each label: through the map, by its exact name, by its shared emotion, as a number.

    Returns:
        int64, one a label, -1 where it has no class; and the places of those that have none though the
        map does not leave them out.

    Example:
        >>> resolve(["anger", "exc", "calm", "bored"], ["angry", "happy"], {"excited": "happy", "calm": ""})
        (array([ 0,  1, -1, -1]), [3])
    """
    lookup = lookup_of(names)
    led = [_follow(str(label), mapping, lookup) for label in labels]
    found = [class_of(name, lookup) if name else None for name in led]
    unknown = [place for place, name in enumerate(led) if name and found[place] is None]
    return np.array([-1 if place is None else place for place in found], np.int64), unknown


def refuse(
    labels: Sequence[str],
    counts: np.ndarray,
    unknown: list[int],
    names: Sequence[str],
    mapping: Mapping[str, str],
    what: str,
) -> None:
    """Raise for labels outside the classes, the most frequent first, each with how many items or votes it has."""
    order = sorted(unknown, key=lambda place: -counts[place])
    each = []
    for k in order[:5]:
        target = mapped_to(labels[k], names, mapping)
        by = f"by the map {target!r}, " if target else ""
        each.append(f"{labels[k]!r} ({by}{counts[k]:,} {what}{'s' if counts[k] != 1 else ''})")
    more = f" and {len(order) - 5} more" if len(order) > 5 else ""
    plural, verb = ("s", "are") if len(order) > 1 else ("", "is")
    raise InputError(
        f"label{plural} {', '.join(each)}{more} {verb} outside the classes {', '.join(names)}; "
        "map them to a class, or to '' to leave them out, in the label map, or set others = \"leave_out\""
    )


def mapped_to(label: str, names: Sequence[str], mapping: Mapping[str, str]) -> str:
    """What a label outside the classes is by the map, where a word there may be misspelt; ``""`` where it says nothing.

    Example:
        >>> mapped_to("Trauer", ["angry", "sad"], {"Trauer": "traurig"}), mapped_to("Ekel", ["angry", "sad"], {})
        ('traurig', '')
    """
    end = _follow(label, mapping, lookup_of(names))
    return "" if end == label else end


def lookup_of(names: Sequence[str]) -> dict[str, int]:
    """Class names, their shared emotions and their numbers -> column, where that is one column."""
    lookup = {name: place for place, name in enumerate(names)}
    for alias in (shared_emotion, _number):
        others = [alias(name) for name in names]
        lookup |= {
            other: place
            for place, other in enumerate(others)
            if others.count(other) == 1 and lookup.get(other, place) == place
        }
    return lookup


def class_of(label: str, lookup: Mapping[str, int]) -> int | None:
    """The column of a label; None where it has none."""
    for name in (label, shared_emotion(label), _number(label)):
        if name in lookup:
            return lookup[name]
    return None


def led(label: str, mapping: Mapping[str, str]) -> str | None:
    """Where a map leads a label, whatever the classes are: to the end of a chain, or where it goes round one step on.

    Classes are taken to be where chains end: one on the way would end them there.

    Returns:
        None where the map does not name the label, ``""`` where it leaves it out.

    Example:
        >>> [led(label, {"Wut": "Zorn", "Zorn": "angry", "calm": ""}) for label in ("Wut", "calm", "bored")]
        ['angry', '', None]
    """
    steps = list(_steps(label, mapping))
    if not steps:
        return None
    end = steps[-1]
    return end if mapping.get(_key(end, mapping), end) == end else steps[0]


def meaning(label: str, mapping: Mapping[str, str]) -> str:
    """What labels of one meaning have in common, be they of two corpora: where the map leads, in one spelling.

    A label that the map leaves out means what it says.

    Args:
        label: a corpus's own.
        mapping: that of the corpus.

    Example:
        >>> meaning("Freude", {"Freude": "happy"}), meaning("Happiness", {}), meaning("calm", {"calm": ""})
        ('happy', 'happy', 'calm')
    """
    return _number(shared_emotion(led(label, mapping) or label))


def _follow(label: str, mapping: Mapping[str, str], lookup: Mapping[str, int]) -> str:
    """Where the maps lead a label: on through a corpus's map and a space's, until a class or a dead end."""
    for step in _steps(label, mapping):
        label = step
        if class_of(label, lookup) is not None:
            break
    return label


def _steps(label: str, mapping: Mapping[str, str]) -> Iterator[str]:
    """The labels that a map leads to, one by the other, until it leaves the label out or has led there before."""
    seen = set()
    while (key := _key(label, mapping)) in mapping and key not in seen:
        seen.add(key)
        label = mapping[key]
        yield label
        if not label:
            break


def _key(label: str, mapping: Mapping[str, str]) -> str:
    """By what a map may name a label: by its own name, else by its shared emotion."""
    return label if label in mapping else shared_emotion(label)


def _number(label: str) -> str:
    """A number in one spelling ("5.0" and "5" are one level); other text stays as it is."""
    try:
        return f"{float(label):g}"
    except ValueError:
        return label


def check_names(names: str | Iterable[object]) -> tuple[str, ...]:
    """The names of classes as a tuple of strings; a single string is one name.

    Raises:
        InputError: fewer than two, one twice, or an empty one.

    Example:
        >>> check_names([1, 2])
        ('1', '2')
    """
    names = (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if len(names) < 2 or twice or "" in names:
        fault = f"{twice[0]!r} is named twice" if twice else "give two names or more, none of them empty"
        raise InputError(f"the classes are {', '.join(map(repr, names)) or 'none'}; {fault}")
    return names
