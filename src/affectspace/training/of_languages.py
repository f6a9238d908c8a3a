"""What training languages lack: emotions and speakers that others have, and others beside two to weigh features by."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["lacks_of_languages", "languages_told", "steady_told"]


def lacks_of_languages(items: pd.DataFrame, targets: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Which classes no training item of a language has, and of which language all are of one speaker.

    Args:
        items: those that train, of which ``corpus``, ``language`` and ``speaker`` are read.
        targets: ``(items, classes)`` probabilities.
        names: of the classes.

    Returns:
        ``absent``, classes by language, and ``sole_speaker``, corpus/name by language; of languages that lack nothing
        none.

    Example:
        >>> items = pd.DataFrame({"corpus": list("aab"), "language": ["en", "en", "ur"], "speaker": list("xyz")})
        >>> lacks_of_languages(items, np.array([[1, 0], [0, 1], [1, 0]]), ["calm", "sad"])
        {'absent': {'ur': ['sad']}, 'sole_speaker': {'ur': 'b/z'}}
    """
    from affectspace.training.absent import absent_classes  # loads torch, which sentences of a finished run need not

    languages, speakers = items["language"].astype("string"), items["speaker"].astype("string")
    absent, sole = {}, {}
    for name in sorted(languages.dropna().unique()):
        own = (languages == name).fillna(False).to_numpy(bool)
        if lacking := absent_classes(targets[own], names):
            absent[str(name)] = lacking
        people = (items["corpus"].astype("string") + "/" + speakers)[own]
        if people.notna().all() and people.nunique() == 1:
            sole[str(name)] = str(people.iloc[0])
    return {"absent": absent, "sole_speaker": sole}


def languages_told(found: Mapping[str, Any], terms: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each thing that a training language lacks, what follows, and what to do.

    Args:
        found: of :func:`lacks_of_languages`.
        terms: of the recipe; those that compare languages, or hide speakers, miss what is told.

    Example:
        >>> [sentence] = languages_told({"absent": {"ur": ["sad"]}}, [])
        >>> sentence.partition(":")[0]
        'No training item of language ur is of class sad'
    """
    told = []
    across = [str(term["kind"]) for term in terms if term["kind"] == "supervised_contrastive"]
    voices = [str(term["kind"]) for term in terms if term.get("groups") == "speaker"]
    for language, names in (found.get("absent") or {}).items():
        then = f"; {across[0]} found no pair of it there" if across else ""
        told.append(
            f"No training item of language {language} is of class {', '.join(names)}: how it sounds was learned from "
            f"the other languages alone, so that its recall, and the UAR, rest on fewer{then}. If the corpus has it by "
            "another name, map that in [label_map] of its corpus.toml; else leave the class or the language out."
        )
    for language, speaker in (found.get("sole_speaker") or {}).items():
        if voices:
            told.append(
                f"All training items of language {language} are of one speaker, {speaker!r}: {' and '.join(voices)} "
                "can tell the voice there from the language in nothing, and hides both or neither; add speakers of "
                "it, or leave the language out."
            )
    return told


def steady_told(found: Mapping[str, Any]) -> list[str]:
    """A sentence where features were weighed by two corpora or languages alone.

    Args:
        found: ``across`` and ``names``, as in ``data.json``.

    Example:
        >>> [sentence] = steady_told({"across": "language", "names": ["en", "ur"]})
        >>> sentence.partition(":")[0]
        'Features were weighed by how steady they are over two languages alone, en and ur'
        >>> steady_told({"across": "language", "names": ["am", "en", "ur"]})
        []
    """
    names = list(found.get("names") or ())
    if len(names) != 2:
        return []
    several = {"corpus": "corpora", "language": "languages"}.get(str(found.get("across")), "groups")
    return [
        f"Features were weighed by how steady they are over two {several} alone, {names[0]} and {names[1]}: what two "
        "tell of a third is little better than nothing; let three or more train, or leave normalise.steady_across out."
    ]
