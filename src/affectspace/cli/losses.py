"""``affectspace losses``"""

from dataclasses import asdict
from typing import Annotated, Literal

from cyclopts import Parameter

from affectspace.cli.tell import next_commands
from affectspace.files import json_text

Labels = Literal["classes", "votes", "scale", "levels", "groups", "modalities"]


def losses(labels: Labels | None = None, *, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False):
    """Lead from the labels you have to the losses that fit, with what each costs.

    Parameters
    ----------
    labels
        What you have: one label an item (classes), several raters' labels (votes), ratings on a scale, ordered
        levels, groups (speaker, language, corpus), or several modalities. Left out: every loss is shown.
    as_json
        Print the table as JSON, for machines.
    """
    from affectspace.losses.guide import GUIDE, LABELS

    rows = [row for row in GUIDE if labels is None or labels in row.labels]
    if as_json:
        print(json_text({"labels": LABELS, "losses": [asdict(row) for row in rows]}))
        return
    print("every loss" if labels is None else f"losses for {labels}: {LABELS[labels]}")
    for row in rows:
        print(f"\n{row.term}   for {', '.join(row.labels)}")
        print(f"    {row.use}")
        print(f"    time {row.time}; memory {row.memory}")
    print("\na batch of N items, D dimensions, C classes, H hidden units; B: a block of some hundred rows")
    if labels is None:
        for word, told in LABELS.items():
            print(f"{word}: {told}")
    print("docs/losses.md shows each of them in a recipe, and in a training loop of your own.")
    next_commands(
        "affectspace losses votes" if labels is None else "affectspace losses",
        f'affectspace train RECIPE.toml   (with [[terms]] kind = "{rows[-1 if labels is None else 0].term}")',
    )
