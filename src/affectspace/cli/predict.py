"""``affectspace predict``"""

import gc
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from affectspace.cli.tell import next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:  # --help has no use for torch
    from affectspace.training.far import Far
    from affectspace.training.predict_files import Answer, Answers

WIDE = 30  # characters of a bar of 100 %
NAMED = 5  # files that a next command is printed with
# what a dash stands for among the nearest items
DASHES = {
    "label": "a label - is of a training item whose raters are torn: several classes are the most probable alike",
    "language": "a language - is of a training item whose corpus names none",
}
WHERE = {"embedding": "in the space", "features": "in its features"}


def predict(run: Path, *files: Path, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Say what a run's model hears in recordings, or sees in pictures, and whether it knows anything like them.

    Of each file: how probable each class is, the training items nearest to it, and a warning where it lies far from
    all of them. Exit code 1 when a file cannot be used, 2 when none can.

    Parameters
    ----------
    run
        A finished run folder, a model folder, or hf:OWNER/NAME, a model on the hub.
    files
        Recordings of 0.3 to 60 seconds, or pictures where the model reads those.
    as_json
        Print the answers as JSON, for machines.
    """
    if not files:
        raise InputError("name what to predict: affectspace predict RUN clip.wav")
    if run.is_file() and (files[0] / "recipe.toml").is_file():
        typed = quoted("affectspace", "predict", files[0], run)
        raise InputError(f"{run} is a file and {files[0]} a run, which comes first: {typed}")

    with _uncollected():
        from affectspace.training.predict_files import predict_files

    found = predict_files(run, files)
    if as_json:
        print(json_text(_machine(run, found)))
        sys.exit(bool(found.unread))  # as check does, whose faults are results too
    far = None if found.known is None else found.known.far
    print("\n\n".join("\n".join(_lines(answer, found.model.classes, far)) for answer in found.answers))
    for each in found.unread:
        print(f"left out: {each.told}")
    for sentence in (*_dashes(found.answers), *found.notes):
        print(f"note: {sentence}")
    _onwards(run, found)
    sys.exit(bool(found.unread))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Import without looking for garbage among what is there until the end, on the way out too: a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _lines(answer: "Answer", classes: tuple[str, ...], far: "Far | None") -> list[str]:
    """What people are told of a file."""
    lines, width = [answer.file], max(map(len, classes))
    for row in (-answer.probabilities).argsort(kind="stable").tolist():
        share = float(answer.probabilities[row])
        bar = "█" * round(share * WIDE)
        lines.append(f"  {classes[row]:{width}}  {100 * share:5.1f} %  {bar}".rstrip())
    if answer.value is not None:
        lines.append(f"  expected value {answer.value:.4g}")
    if answer.level is not None:
        lines.append(f"  expected level {answer.level:.2f}, from 1 ({classes[0]}) to {len(classes)} ({classes[-1]})")
    if answer.nearest:
        lines.append("  nearest training items, by distance:")
        distances = _aligned([near.distance for near in answer.nearest])
        told = [
            (each, near.language or "-", near.label or "-", near.id) for each, near in zip(distances, answer.nearest)
        ]
        wide = [max(len(row[column]) for row in told) for column in range(3)]
        lines += [f"    {row[0]:>{wide[0]}}  {row[1]:{wide[1]}}  {row[2]:{wide[2]}}  {row[3]}" for row in told]
    if answer.beyond and far is not None:
        told = " and ".join(
            f"{answer.distances[name]:.3g} {WHERE[name]} (rarely above {far.thresholds[name]:.3g})"
            for name in answer.beyond
        )
        lines.append(f"  warning: it lies far from all training data, so do not rely on this answer: {told}")
    return lines


def _aligned(distances: Sequence[float]) -> list[str]:
    """Numbers with as many places as the largest has in three digits, so that they can be compared in a column.

    Example:
        >>> _aligned([0.8349, 1.5, 1.594])
        ['0.83', '1.50', '1.59']
        >>> _aligned([0.0, 731.2])
        ['0', '731']
    """
    largest = max(distances)
    places = max(0, 2 - math.floor(math.log10(largest))) if largest > 0 else 2
    return [f"{distance:.{places}f}" for distance in distances]


def _dashes(answers: "Sequence[Answer]") -> list[str]:
    """What the dashes stand for among the items that are nearest to some files."""
    nearest = [near for answer in answers for near in answer.nearest]
    return [told for column, told in DASHES.items() if not all(getattr(near, column) for near in nearest)]


def _machine(run: Path, found: "Answers") -> dict[str, Any]:
    classes, known = found.model.classes, found.known
    kept = rule = None
    if known is not None:
        kept = {"items": len(known), "trained_on": known.trained_on}
        rule = {**asdict(known.far), "meaning": known.far.told}
        rule["false_alarms"] = round(known.far.false_alarms, 4)  # in older models it is off in its last digits
    return {
        "run": str(run),
        "classes": list(classes),
        "files": [answer.told(classes) for answer in found.answers],
        "unread": [asdict(each) for each in found.unread],
        "known": kept,
        "far": rule,
        "notes": list(found.notes),
    }


def _onwards(run: Path, found: "Answers") -> None:
    several = bool(found.model.recipe.modalities)  # whose items are embedded through corpora alone
    if found.known is None:
        embed = f"affectspace embed {quoted(run)} CORPUS --out known.parquet"
        search = f"affectspace search known.parquet --query {quoted(found.answers[0].file)}"
        next_commands(embed, *([] if several else [search]))
    elif (run / "recipe.toml").is_file() and any(answer.beyond for answer in found.answers):
        told = "(labelled items like these, which tell how often it is right)"
        next_commands(f"affectspace evaluate {quoted(run)} --corpus CORPUS   {told}")
    elif several:
        next_commands(f"affectspace embed {quoted(run)} CORPUS --out embeddings.parquet")
    else:
        named = [Path(file) for file in dict.fromkeys(answer.file for answer in found.answers)]
        media = named if len(named) <= NAMED else sorted({path.parent for path in named})
        next_commands(f"affectspace embed {quoted(run, *media)} --out embeddings.parquet")
