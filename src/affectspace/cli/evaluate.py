"""``affectspace evaluate``"""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from affectspace.cli.tell import comparison, next_commands, quoted
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
    from affectspace.training.runs import open_runs

    if not runs:
        raise InputError("name at least one run folder: affectspace evaluate runs/NAME")
    opened = open_runs(list(runs))
    if corpus is None:
        if adapter or allow:
            raise InputError("--adapter and --allow speak of another corpus; name it with --corpus")
        figures = [{"run": str(run.path), **run.metrics} for run in opened]
        if not as_json:
            comparison(opened)
    else:
        from affectspace.training.transfer import evaluate_on  # loads torch, for which finished figures have no use

        figures = [{"run": str(run.path), **evaluate_on(run, corpus, adapter, allow)} for run in opened]
        if not as_json:
            for row in figures:
                print(f"{row['run']} on {row['corpus']}: {row['items']} items{_left_out(row['data'])}")
                print("\n".join(f"  {name:18s} {value:.4f}" for name, value in row["scores"].items()))
    if as_json:
        print(json_text(figures))
        return
    next_commands(f"affectspace report {quoted(*runs)}")


def _left_out(data: dict[str, Any]) -> str:
    """What of a corpus was not measured, and why."""
    reasons = [f"{count} left out ({reason})" for reason, count in (data.get("left_out") or {}).items()]
    faulty = data.get("quarantine") or []
    if faulty:
        reasons.append(f"{len(faulty)} set aside (such as {faulty[0]['id']}: {faulty[0]['reason']})")
    return f" of {data['items']}; {'; '.join(reasons)}" if reasons else ""
