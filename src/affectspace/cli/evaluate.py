"""``affectspace evaluate``"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.tell import comparison, next_commands
from affectspace.errors import InputError
from affectspace.files import json_text


def evaluate(
    *runs: Path,
    corpus: Path | None = None,
    adapter: str | None = None,
    allow: tuple[str, ...] = (),
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show the scores of finished runs, or measure them on a labelled corpus that they never saw.

    Parameters
    ----------
    runs
        Finished run folders.
    corpus
        A corpus to measure on in place of the runs' own test items.
    adapter
        Read the corpus as this one, where the layout does not tell.
    allow
        Groups that may be shared with training: speaker, script, audio.
    as_json
        Print the scores as JSON, for machines.
    """
    from affectspace.training.run import open_runs
    from affectspace.training.transfer import evaluate_on

    if not runs:
        raise InputError("name at least one run folder: affectspace evaluate runs/NAME")
    opened = open_runs(list(runs))
    if corpus is None:
        figures = [{"run": str(run.path), **run.metrics} for run in opened]
        if not as_json:
            comparison(opened)
    else:
        figures = [{"run": str(run.path), **evaluate_on(run, corpus, adapter, allow)} for run in opened]
        if not as_json:
            for row in figures:
                print(f"{row['run']} on {row['corpus']}: {row['items']} items")
                print("\n".join(f"  {name:18s} {value:.4f}" for name, value in row["scores"].items()))
    if as_json:
        print(json_text(figures))
        return
    next_commands("affectspace report " + " ".join(map(str, runs)))
