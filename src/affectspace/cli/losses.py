"""``affectspace losses``"""

import shutil
import textwrap
from dataclasses import asdict
from typing import Annotated, Literal

from cyclopts import Parameter

from affectspace.cli.tell import next_commands
from affectspace.files import json_text

Labels = Literal["classes", "votes", "scale", "levels", "groups", "modalities", "unlabelled"]


def losses(labels: Labels | None = None, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False):
    """Lead from the labels you have to the losses that fit, with what each costs.

    Parameters
    ----------
    labels
        What you have: one label an item (classes), several raters' labels (votes), ratings on a scale, ordered
        levels, groups (speaker, language, corpus), several modalities, or items that nobody labelled. Left out: every
        loss is shown.
    as_json
        Print the table as JSON, for machines.
    """
    from affectspace.losses.guide import BEGIN_WITH, FOR_LOOPS, GUIDE, LABELS

    rows, in_loops = ([row for row in table if labels is None or labels in row.labels] for table in (GUIDE, FOR_LOOPS))
    if as_json:
        told = {"losses": [asdict(row) for row in rows], "losses_for_loops": [asdict(row) for row in in_loops]}
        print(json_text({"labels": LABELS, **told}))
        return
    width = max(40, min(shutil.get_terminal_size().columns, 110))

    def wrapped(text: str, indent: str = "") -> str:
        return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent + "  ")

    print(wrapped("every loss" if labels is None else f"losses for {labels}: {LABELS[labels]}"))
    for row in [*rows, *in_loops]:
        print(f"\n{row.term}   {row.module}" + ("   (for a loop of your own)" if row in in_loops else ""))
        print(wrapped(f"for {', '.join(row.labels)}: {row.use}", "  "))
        print(wrapped(f"time {row.time}; memory {row.memory}", "  "))
    print()
    print(wrapped("a batch of N items, D dimensions, C classes, H hidden units; B: a block of some hundred rows"))
    if labels is None:
        for word, told in LABELS.items():
            print(wrapped(f"{word}: {told}"))
    print(
        wrapped("docs/losses.md tells what each is called in a recipe, docs/loops.md shows it in a loop of your own.")
    )
    if labels is None:
        next_commands("affectspace losses votes")
    elif labels in ("modalities", "unlabelled"):
        print(
            wrapped(
                "A recipe reads one kind of features, and labelled items; for several views of an item, and for items "
                "without labels, write the loop: docs/loops.md."
            )
        )
        next_commands("affectspace losses")
    else:
        next_commands(f'affectspace train RECIPE.toml   (with [[terms]] kind = "{BEGIN_WITH[labels]}")')
