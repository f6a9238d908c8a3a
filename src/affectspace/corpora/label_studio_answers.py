"""What people have answered in Label Studio, as corrections: nothing twice, and nobody is overwritten."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affectspace.corpora.corpus import Corpus
from affectspace.corpora.corrections import Correction, append_corrections, now, read_corrections
from affectspace.corpora.known_labels import known_labels
from affectspace.corpora.label_studio_tasks import ANSWER, NONE_OF_THESE
from affectspace.errors import InputError
from affectspace.labels.naming import class_of, lookup_of

__all__ = ["Answer", "Answers", "Imported", "import_answers", "read_answers"]

WHY = "label-studio"
NOT_YET = "not annotated yet"
NO_ITEM = "names no item, as its data has no column 'item': these are not tasks of affectspace"


@dataclass(frozen=True)
class Answer:
    """What one annotator has said of one item.

    Args:
        at: when, in UTC, as a correction has it.
        by: who: an e-mail address, else ``"user 3"``; empty where that is not told.
        item: ``corpus/id``.
        seen: the label that was shown, empty where there was none.
        chosen: a class, empty for none of them.
        annotation: its id, by which annotators without a name are kept apart; empty where it has none.
    """

    at: str
    by: str
    item: str
    seen: str
    chosen: str
    annotation: str = ""


@dataclass(frozen=True)
class Answers:
    """All answers of an export.

    Args:
        answers: the last one of each annotator to each item; annotations without a name are each of an annotator.
        tasks: how many tasks there are.
        skipped: reason -> how many tasks have no answer for it.
        told: every label that the tasks have shown or suggested.
    """

    answers: tuple[Answer, ...]
    tasks: int
    skipped: Mapping[str, int]
    told: frozenset[str]


@dataclass(frozen=True)
class Imported:
    """What has become of the answers.

    Args:
        appended: corrections and confirmations that were written, in their order.
        already: how many answers had been imported before.
        conflicts: a sentence for each item on which people disagree, of which nothing was written.
        skipped: reason -> how many answers.
    """

    appended: tuple[Correction, ...]
    already: int
    conflicts: tuple[str, ...]
    skipped: Mapping[str, int]


def read_answers(path: str | Path) -> Answers:
    """The answers of an export from Label Studio, JSON or JSON-MIN.

    Args:
        path: of the file.

    Raises:
        InputError: no such file, no JSON, or JSON of something else.
    """
    path = Path(path)
    try:
        told = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); export JSON from Label Studio and name it"
        ) from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is no JSON; in Label Studio export as JSON or JSON-MIN, not as CSV or TSV") from None
    if not isinstance(told, list) or not all(isinstance(task, dict) for task in told):
        raise InputError(f"{path} holds no list of tasks; in Label Studio export as JSON or JSON-MIN")
    latest: dict[tuple[object, ...], Answer] = {}
    skipped, labels = Counter[str](), set[str]()
    for number, task in enumerate(told):
        data = task.get("data", task)
        data = data if isinstance(data, dict) else {}
        labels |= {str(data[name]) for name in ("label", "suggested") if data.get(name)}
        found = _answers(task, data)
        if isinstance(found, str):
            skipped[found] += 1
            continue
        for place, answer in enumerate(found):
            nameless = () if answer.by else (answer.annotation or (number, place),)
            whose = (answer.item, answer.by, *nameless)
            before = latest.get(whose)
            if before is None or before.at <= answer.at:
                latest[whose] = answer
    return Answers(tuple(latest.values()), len(told), dict(skipped), frozenset(labels))


def import_answers(answers: Answers, corpus: Corpus, file: str | Path) -> Imported:
    """Append answers to a corpus's corrections.

    An answer unlike the label that holds corrects it, one like it confirms it. What an annotator has answered before is
    not written again, so an export may be imported twice, and a later one with more answers adds what is new. Where
    annotators of one item disagree, or somebody has corrected it otherwise since it was shown, nothing of that item is
    written and a sentence tells who said what.

    Args:
        answers: as read.
        corpus: whose items.
        file: the corrections to append to.

    Raises:
        InputError: the file cannot be read or written.
    """
    known = {f"{corpus.name}/{item}" for item in corpus.items["id"].dropna()}
    legal = lookup_of(known_labels(corpus, answers.told))
    skipped, usable = Counter[str](), dict[str, list[Answer]]()
    for answer in answers.answers:
        if answer.item not in known:
            own = answer.item.startswith(f"{corpus.name}/")
            where = "that the corpus does not have" if own else f"of another corpus than {corpus.name}"
            skipped[f"of an item {where}, such as {answer.item}" if own else f"of an item {where}"] += 1
        elif answer.chosen and legal and class_of(answer.chosen, legal) is None:
            skipped[f"{answer.chosen!r} is no class of this corpus"] += 1
        else:
            usable.setdefault(answer.item, []).append(answer)
    known = read_corrections(file)
    before: dict[str, list[Correction]] = {}
    for entry in known.entries:
        before.setdefault(entry.item, []).append(entry)
    wanted, conflicts, already = [], [], 0
    for item, given in usable.items():
        given = sorted(given, key=lambda each: (each.at, each.by))
        if len({each.chosen for each in given}) > 1:
            said = ", ".join(f"{each.by or 'somebody'} {_named(each.chosen)}" for each in given)
            conflicts.append(f"{item}: the annotators disagree: {said}; let one of them look again")
            continue
        for answer in given:
            found = _correction(answer, before.setdefault(item, []))
            if isinstance(found, Correction):
                wanted.append(found)
                before[item].append(found)
            elif found:
                conflicts.append(found)
            else:
                already += 1
    refused = append_corrections(file, wanted, known)
    appended = tuple(each for each, refusal in zip(wanted, refused) if refusal is None)
    conflicts += [str(refusal) for refusal in refused if refusal is not None]  # corrected since the file was read
    return Imported(appended, already, tuple(conflicts), dict(skipped))


def _correction(answer: Answer, entries: list[Correction]) -> Correction | str | None:
    """What is to be written, a sentence where somebody else has said otherwise, None where it was written before.

    Args:
        answer: of one annotator.
        entries: of the item until now.
    """
    own = [entry for entry in entries if entry.by == answer.by and entry.why == WHY]
    if own and own[-1].new == answer.chosen:
        return None
    holds = entries[-1].new if entries else answer.seen
    seen = {answer.seen, *(entry.new for entry in own[-1:])}
    if holds not in {*seen, answer.chosen}:
        last = entries[-1]
        return (
            f"{answer.item}: {answer.by or 'somebody'} answered {_named(answer.chosen)} to {_named(answer.seen)}, and "
            f"{last.by or 'somebody'} has corrected it to {_named(last.new)} ({last.at}); look at it again"
        )
    return Correction(answer.at, answer.by, answer.item, holds, answer.chosen, WHY)


def _answers(task: Mapping[str, Any], data: Mapping[str, Any]) -> list[Answer] | str:
    """The answers of one task, or why there are none."""
    if not data.get("item"):
        return NO_ITEM
    if "data" not in task:  # JSON-MIN: an answer a row, its annotator beside it
        own = {"id": task.get("annotation_id"), "completed_by": task.get("annotator"), "chosen": task.get(ANSWER)}
        task = {"annotations": [{**task, **own}]}
    annotations = _list(task.get("annotations", task.get("completions")))
    found, why = [], NOT_YET
    for annotation in annotations:
        chosen = _chosen(annotation) if isinstance(annotation, dict) else []
        if chosen is None or len(chosen) != 1:
            why = _why_not(chosen)
            continue
        new = "" if chosen[0] == NONE_OF_THESE else chosen[0]
        by, at = (
            _who(annotation.get("completed_by")),
            _when(annotation.get("updated_at") or annotation.get("created_at")),
        )
        name = annotation.get("id")
        seen = str(data.get("label") or "")
        found.append(Answer(at, by, str(data["item"]), seen, new, "" if name is None else str(name)))
    return found or why


def _chosen(annotation: Mapping[str, Any]) -> list[str] | None:
    """The classes that were chosen; None where the annotator has passed the task over."""
    if annotation.get("was_cancelled") or annotation.get("skipped"):
        return None
    if "chosen" in annotation:
        told = annotation["chosen"]
        told = told.get("choices") if isinstance(told, dict) else told
        return [told] if isinstance(told, str) else [str(each) for each in _list(told)]
    parts = [part for part in _list(annotation.get("result")) if isinstance(part, dict)]
    values = [part.get("value") for part in parts if (part.get("type"), part.get("from_name")) == ("choices", ANSWER)]
    return [str(choice) for value in values if isinstance(value, dict) for choice in _list(value.get("choices"))]


def _list(told: Any) -> list[Any]:
    return told if isinstance(told, list) else []


def _why_not(chosen: Sequence[str] | None) -> str:
    if chosen is None:
        return "passed over by the annotator"
    return f"several classes were chosen ({' and '.join(chosen)}), and an item has one" if chosen else "has no answer"


def _who(told: Any) -> str:
    if isinstance(told, dict):
        told = told.get("email") or told.get("id")
    return str(told) if isinstance(told, str) else f"user {told}" if told is not None else ""


def _when(told: Any) -> str:
    """A time as a correction has it; now, where there is none."""
    try:
        time = datetime.fromisoformat(str(told))
    except ValueError:
        return now()
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(label: str) -> str:
    return repr(label) if label else "no class"
