"""What a reader of a run must know: what taught the classifier or nothing at all, and what the test does not show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from affectspace.training.of_languages import languages_told, steady_told
from affectspace.training.run import Run
from affectspace.training.unused import unused, without_modality_told
from affectspace.training.who_has import nobody_has_told

__all__ = [
    "absent_told",
    "corrected_told",
    "item_remarks",
    "namesakes_told",
    "not_finite_told",
    "remarks",
    "without_label_told",
]

PARTS = {"train": "training items", "test": "test items"}
WHICH = {"validate": "validation item", "test": "test item"}
OF_UNLABELLED = ("pseudo_labels", "consistency")  # terms that learn of nothing else
MATCHED = (  # of a term that matches modalities class by class
    "most often as they are too small to hold two items of one class, and two of others, that have both modalities; "
    'what helps is a larger {size}{drawn}, or form = "hsic", which asks for no classes'
)
CLASSIFYING = {"cross_entropy", "ordered_emd", "level_regression", "guided_emd", "entropic_emd"}


def item_remarks(run: Run) -> list[str]:
    """Of the items: which corpora have no label, who lacks what, which classes are not tested, and who may be known."""
    lost = without_modality_told(unused(run.data))
    lost = [f"Items whose file or vector of a modality is at fault go on {lost}."] if lost else []
    without = without_label_told(run.data.get("corpora") or ())
    absent = absent_told(run.metrics.get("absent") or {}, len(run.classes))
    nobody = nobody_has_told(run.data.get("corpora") or ())
    lacking = languages_told(run.data.get("languages") or {}, run.recipe.get("terms", ()))
    corrected = corrected_told(run.data.get("corpora") or ())
    return [*corrected, *without, *nobody, *lost, *absent, *lacking, *namesakes_told(run.data.get("namesakes") or ())]


def corrected_told(corpora: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each corpus of which people's corrections were read.

    Args:
        corpora: entries of ``data.json``.

    Example:
        >>> told = {"file": "corrections.jsonl", "items": 7, "left_out": 1, "not_here": 0, "unread_lines": [2]}
        >>> corrected_told([{"name": "mine", "corrections": told}])
        ['Of mine 7 items have the label of a correction and 1 is left out by one; line 2 of corrections.jsonl is
        none.']
    """
    told = []
    for corpus in corpora:
        if not (known := corpus.get("corrections")):
            continue
        items, left, lines = known["items"], known["left_out"], known["unread_lines"]
        if not (items or left or lines):
            continue
        said = f"Of {corpus['name']} {items:,} item{' has' if items == 1 else 's have'} the label of a correction"
        said += f" and {left:,} {'is' if left == 1 else 'are'} left out by one" if left else ""
        if lines:
            which = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
            number = f"line {which}" if len(lines) == 1 else f"lines {which}"
            said += f"; {number} of {known['file']} {'is' if len(lines) == 1 else 'are'} none"
        told.append(f"{said}.")
    return told


def remarks(run: Run) -> list[str]:
    """Sentences, none where all is well."""
    kinds = [str(term.get("kind")) for term in run.recipe.get("terms", ())]
    told = [*item_remarks(run), *steady_told(run.data.get("steady") or {})]
    if kinds and not CLASSIFYING & set(kinds):
        told.append(
            "No term taught the classifier, so that its predictions and their UAR are those of random weights; add "
            "cross_entropy (or another loss of predictions), or use the embeddings alone."
        )
    idle = [kind for kind in dict.fromkeys(kinds) if kind in OF_UNLABELLED]
    if idle and not (run.recipe.get("unlabelled") or {}).get("weight", 1):
        told.append(f"unlabelled.weight is 0, so that {' and '.join(idle)} had no part in the training.")
    told += not_finite_told(run.probes_not_finite, answered=bool(run.probes))
    return told + _nothing_learned(run)


def _nothing_learned(run: Run) -> list[str]:
    """Of the last epoch, of all folds together: what terms learned nothing from, why that may be, and what helps."""
    rows = [part.epochs.iloc[-1] for part in run.parts if len(part.epochs)]
    found: dict[str, float] = {}
    for row in rows:
        for column in [str(name) for name in row.index if str(name).startswith("taught_nothing.")]:
            found[column] = found.get(column, 0) + row[column]
    batches = sum(row.get("batches", 0) for row in rows)
    where = "the last epoch" if len(run.parts) == 1 else f"the last epochs of the {len(run.parts)} folds"
    told = []
    for column, count in found.items():
        name, _, what = column.removeprefix("taught_nothing.").rpartition(".")
        kind = name.removeprefix("unlabelled.")
        term = f"{kind}, of unlabelled items," if name != kind else name
        if what == "batches" and count > 0:
            size = "unlabelled.batch_size" if name != kind else "training.batch_size"
            why = f"a larger {size} may help"
            if kind.startswith("matching"):
                why = MATCHED.format(size=size, drawn=", training.items_per_class" if name == kind else "")
            told.append(f"The term {term} learned nothing from {count:.0f} of {batches:.0f} batches of {where}; {why}.")
        elif what == "items" and count > 0:
            told.append(f"The term {term} left {count:.0f} items of {where} out, which had no partner.")
    return told


def without_label_told(corpora: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each corpus of which no item has a label to learn.

    Args:
        corpora: as in ``data.json``.

    Example:
        >>> mine = {"name": "mine", "items": 9, "used": 9}
        >>> calls = {"name": "calls", "items": 8, "used": 0, "unlabelled": 8, "left_out": {"no label": 8}}
        >>> [sentence] = without_label_told([mine, calls])
        >>> sentence.partition(";")[0]
        'No item of calls has a target (8 x no label), so that it gives items without a label alone'
    """
    sentences = []
    for corpus in corpora:
        if corpus.get("used") != 0 or not corpus.get("items"):
            continue
        why = ", ".join(f"{count:,} x {reason}" for reason, count in (corpus.get("left_out") or {}).items())
        then = "it gives items without a label alone" if corpus.get("unlabelled") else "nothing is learned of it"
        sentences.append(
            f"No item of {corpus.get('name')} has a target ({why or 'all are at fault'}), so that {then}; if that is "
            "not meant, see labels in the recipe."
        )
    return sentences


def namesakes_told(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each corpus that is tested, and what to do.

    Example:
        >>> found = [{"corpus": "b", "train": name, "speakers": 1, "of": 2, "example": "S2"} for name in "ac"]
        >>> [sentence] = namesakes_told(found)
        >>> sentence.partition(". ")[0]
        "1 of 2 speakers of b bears the name of a speaker of a, of whom training knows, such as 'S2', and 1 of one of c"
    """
    tested: dict[str, list[Mapping[str, Any]]] = {}
    for each in found:
        tested.setdefault(each["corpus"], []).append(each)
    sentences = []
    for corpus, (first, *others) in tested.items():
        more = "".join(f", and {each['speakers']} of one of {each['train']}" for each in others)
        sentences.append(
            f"{first['speakers']} of {first['of']} speakers of {corpus} bear{'s' * (first['speakers'] == 1)} the name "
            f"of a speaker of {first['train']}, of whom training knows, such as {first['example']!r}{more}. Names "
            "count within a corpus, so nothing kept them apart: if they are the same people, this is no test on unseen "
            "ones, so leave their items out of one of the two; if they are others, name the speakers of one corpus "
            "otherwise."
        )
    return sentences


def not_finite_told(lost: Mapping[str, Mapping[str, int]], answered: bool) -> list[str]:
    """A sentence where there are any, and what is told without them.

    Args:
        lost: by part, as in ``metrics.json`` under ``probes_not_finite``.
        answered: whether any probe could be asked without them.

    Example:
        >>> not_finite_told({"train": {"items": 1, "of": 900}, "test": {"items": 7, "of": 7}}, answered=True)
        ['Features or embeddings of 1 of 900 training items, 7 of 7 test items are not finite: what the space knows of
        speakers and languages is told without them.']
        >>> [sentence] = not_finite_told({"train": {"items": 90, "of": 90}}, answered=False)
        >>> sentence.partition(": ")[2].partition("; ")[0]
        'nothing is told of what the space knows of speakers and languages'
    """
    if not lost:
        return []
    counts = [f"{each['items']:,} of {each['of']:,} {PARTS[part]}" for part, each in lost.items()]
    known = "what the space knows of speakers and languages"
    told = (
        f"{known} is told without them"
        if answered
        else f"nothing is told of {known}; look for what is at fault in their features"
    )
    return [f"Features or embeddings of {', '.join(counts)} are not finite: {told}."]


def absent_told(absent: Mapping[str, Sequence[str]], classes: int) -> list[str]:
    """A sentence for each part that lacks classes.

    Args:
        absent: by "validate", "test" or "unseen.CORPUS", as in ``metrics.json``.
        classes: how many are named.

    Example:
        >>> absent_told({"test": ["old"]}, 5)
        ['No test item is of class old: UAR, chance and F1 of them are means over the other 4 classes.']
        >>> absent_told({"unseen.mine": ["old", "middle"]}, 3)
        ['No item of mine is of class old, middle: UAR, chance and F1 of them are of the one other class.']
    """
    sentences = []
    for part, names in absent.items():
        if not names:
            continue
        which = WHICH.get(part) or f"item of {part.removeprefix('unseen.')}"
        left = classes - len(names)
        means = f"means over the other {left} classes" if left > 1 else "of the one other class"
        sentences.append(f"No {which} is of class {', '.join(names)}: UAR, chance and F1 of them are {means}.")
    return sentences
