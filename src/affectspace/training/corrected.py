"""Targets as people have corrected them: their last word about an item stands for its votes and its own label."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from affectspace.corpora import Corpus
from affectspace.corpora.corrections import FILE, Corrections, read_corrections
from affectspace.errors import InputError
from affectspace.files import sha256
from affectspace.labels import Targets
from affectspace.labels.naming import class_of, lookup_of
from affectspace.training.recipe import Recipe
from affectspace.training.run import Run

__all__ = ["LEFT_OUT", "changed_since_told", "corrections_of", "with_corrections"]

LEFT_OUT = "left out by a correction"


def corrections_of(recipe: Recipe, corpus: Corpus) -> Corrections | None:
    """What people have corrected of a corpus; None where the recipe does not ask.

    Raises:
        InputError: the recipe names a file that is not there, or that holds no corrections.
    """
    if not recipe.corrections:
        return None
    path = corpus.root / FILE if recipe.corrections is True else Path(recipe.corrections)
    if recipe.corrections is not True and not path.is_file():
        raise InputError(f"there are no corrections in {path}; affectspace explore writes them as you correct labels")
    return read_corrections(path)


def changed_since_told(run: Run) -> list[str]:
    """A sentence for each file of corrections that is another now than a finished run was trained on; else none.

    Which files these are, the run's own recipe says; a corpus that has gone tells nothing.

    Args:
        run: or all folds of one, which were given the same.
    """
    named = run.recipe.get("corrections")
    told: dict[Path, str] = {}
    for corpus in run.data.get("corpora") or ():
        known, root = corpus.get("corrections"), Path(str(corpus.get("path") or ""))
        if not known or not (corpus.get("path") and root.is_dir()):
            continue
        path = root / FILE if named is True else Path(str(named))
        if path in told or (sha256(path) if path.is_file() else "") == known["sha256"]:
            continue
        if not path.is_file():
            told[path] = (
                f"{path}, by which labels were corrected when this run was trained, is gone, and the run stays as it "
                "is; bring the file back before you train anew."
            )
            continue
        again = shlex.join(["affectspace", "train", str(run.path / "recipe.toml"), "--out", "FOLDER"])
        own = [] if named is True else ["--corrections", str(path)]
        now = shlex.join(["affectspace", "agreement", str(root), *own])
        told[path] = (
            f"{path} has changed since this run was trained, and the run stays as it is: {again} trains on what it "
            f"says now, and {now} tells what that is."
        )
    return list(told.values())


def with_corrections(
    targets: Targets, names: Sequence[str], items: pd.DataFrame, corpus: str, corrections: Corrections
) -> tuple[Targets, dict[str, Any]]:
    """Targets in which each corrected item is one-hot at the class that it was given, or has none where it is none.

    Args:
        targets: of ``items``, in their order.
        names: of the classes.
        items: with the column ``id``.
        corpus: their corpus's name; what is told of others is not looked at.
        corrections: as read.

    Returns:
        The targets, and for the records the file, its SHA-256, how many ``items`` were given a class, how many were
        ``left_out``, how many corrections are of items that are ``not_here``, and which lines could not be read.

    Raises:
        InputError: labels that are numbers, or a correction to what is no class.
    """
    told = {item: entry.new for item, entry in corrections.latest.items() if item.startswith(f"{corpus}/")}
    rows = {f"{corpus}/{item}": row for row, item in enumerate(items["id"]) if not pd.isna(item)}
    if told and targets.numbers is not None:
        raise InputError(
            f"{corrections.path} names classes, and the labels of this recipe are numbers that are cut into levels; "
            "correct the numbers in the table, or leave corrections out"
        )
    values, why, lookup = targets.values.copy(), targets.reasons.copy(), lookup_of(names)
    given = left_out = 0
    for item, new in told.items():
        if (row := rows.get(item)) is None:
            continue
        place = class_of(new, lookup) if new else None
        if new and place is None:
            raise InputError(
                f"{corrections.path} corrects {item} to {new!r}, which is no class here; legal: {', '.join(names)}; "
                "correct it anew, or leave corrections out"
            )
        values[row] = float("nan") if place is None else 0.0
        why.iloc[row] = LEFT_OUT if place is None else pd.NA
        if place is None:
            left_out += 1
        else:
            values[row, place] = 1.0
            given += 1
    about = {
        "file": corrections.path.name,
        "sha256": corrections.sha256,
        "items": given,
        "left_out": left_out,
        "not_here": len(told) - given - left_out,
        "unread_lines": list(corrections.unread),
    }
    return replace(targets, values=values, reasons=why), about
