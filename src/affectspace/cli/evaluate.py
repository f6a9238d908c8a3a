"""``affectspace evaluate``"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from affectspace.cli.tell import by_modality, comparison, item_notes, modalities, next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:
    from affectspace.training.run import Run


def evaluate(
    *runs: Path,
    corpus: Path | None = None,
    adapter: str | None = None,
    allow: tuple[str, ...] = (),
    ensemble: Annotated[bool, Parameter(negative="")] = False,
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
    ensemble
        Measure the mean of the numbers that the runs predict, too, such as of runs with 3 to 10 bins.
    as_json
        Print the scores as JSON, for machines: under "runs" a table a run, and under "ensemble" that of their mean.
    """
    from affectspace.training.runs import open_runs

    if not runs:
        raise InputError("name at least one run folder: affectspace evaluate runs/NAME")
    opened = open_runs(list(runs))
    if ensemble and corpus is not None:
        raise InputError("--ensemble averages the answers for the runs' own test items; leave out --corpus")
    together = _ensemble(opened) if ensemble else {}
    if corpus is None:
        if adapter or allow:
            raise InputError("--adapter and --allow speak of another corpus; name it with --corpus")
        figures = [{"run": str(run.path), **run.metrics} for run in opened]
        if not as_json:
            comparison(opened)
            item_notes(opened)
            if len(opened) == 1:
                by_modality(opened[0].by_modality, not opened[0].pools_modalities)
                modalities(opened[0].data.get("corpora") or ())
            if together:
                print(f"\nensemble of the {len(opened)} runs: {together['items']} items")
                print(_told(together["scores"]))
    else:
        from affectspace.training.remarks import absent_told, namesakes_told
        from affectspace.training.transfer import evaluate_on  # loads torch, for which finished figures have no use
        from affectspace.training.who_has import nobody_has_told

        figures = [{"run": str(run.path), **evaluate_on(run, corpus, adapter, allow)} for run in opened]
        if not as_json:
            for run, row in zip(opened, figures):
                print(f"{row['run']} on {row['corpus']}: {row['items']} items{_left_out(row['data'])}")
                print(_told(row["scores"]))
                by_modality(row.get("by_modality", {}))
                modalities([row["data"]])
                absent = absent_told({f"unseen.{row['corpus']}": row["absent"]}, len(run.classes))
                for sentence in (*nobody_has_told([row["data"]]), *absent, *namesakes_told(row["namesakes"])):
                    print(f"note: {sentence}")
    if as_json:
        print(json_text({"runs": figures, **({"ensemble": together} if together else {})}))
        return
    next_commands(f"affectspace report {quoted(*runs)}")


def _ensemble(runs: "list[Run]") -> dict[str, Any]:
    from affectspace.metrics import value_scores
    from affectspace.training.ensemble import averaged

    table = averaged(runs)
    return {"items": len(table), "scores": value_scores(table["value"], table["predicted_value"])}


def _told(scores: dict[str, float]) -> str:
    return "\n".join(f"  {name:26s} {value:.4f}" for name, value in scores.items())


def _left_out(data: dict[str, Any]) -> str:
    """What of a corpus was not measured, and why."""
    from affectspace.training.unused import unused, without_modality_told

    reasons = [f"{count} left out ({reason})" for reason, count in (data.get("left_out") or {}).items()]
    faulty = [row for row in data.get("quarantine") or [] if not row.get("without")]
    if faulty:
        reasons.append(f"{len(faulty)} set aside (such as {faulty[0]['id']}: {faulty[0]['reason']})")
    if lost := without_modality_told(unused({"corpora": [data]})):
        reasons.append(lost)
    return f" of {data['items']}; {'; '.join(reasons)}" if reasons else ""
