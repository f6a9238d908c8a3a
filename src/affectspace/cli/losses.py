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
    from affectspace.losses.guide import BEGIN_WITH, GUIDE, LABELS

    rows = [row for row in GUIDE if labels is None or labels in row.labels]
    if as_json:
        print(json_text({"labels": LABELS, "losses": [asdict(row) for row in rows]}))
        return
    width = max(40, min(shutil.get_terminal_size().columns, 110))

    def wrapped(text: str, indent: str = "") -> str:
        return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent + "  ")

    print(wrapped("every loss" if labels is None else f"losses for {labels}: {LABELS[labels]}"))
    for row in rows:
        print(f"\n{row.term}   {row.module}")
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
    else:
        next_commands(f'affectspace train RECIPE.toml   (with [[terms]] kind = "{BEGIN_WITH[labels]}")')
