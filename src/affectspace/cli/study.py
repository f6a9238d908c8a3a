"""``affectspace study``"""

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from affectspace.cli.outputs import new_folder
from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.whole import Whole
from affectspace.files import json_text

if TYPE_CHECKING:  # --help has no use for them
    from affectspace.studies.outcome import Outcome
    from affectspace.studies.results import StudyResults
    from affectspace.studies.summary import SplitSummary

SHOWN = 5  # failures that are told one by one
COMPARED = 6  # runs in the command that shows how to compare single ones


def study(
    path: Path,
    /,
    *,
    out: Path | None = None,
    processes: Whole | None = None,
    on: str = "local",
    replace: Annotated[bool, Parameter(negative="")] = False,
    status: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Train several recipes on several splits over many seeds, choose their settings, and compare them.

    The same command goes on after an interruption; a finished run is never run again. Seeds, recipes
    and splits that are added to the file just add runs.

    Parameters
    ----------
    path
        A study file; see docs/studies.md. With --status, the folder of a study will do.
    out
        The study's folder [default: studies/NAME].
    processes
        How many runs are trained at once [default: 2, or 1 on a single core; of a Ray cluster, all its CPUs, or
        its GPUs where recipes train on them; by slurm 16].
    on
        Where they are trained: local, ray (the cluster that RAY_ADDRESS names or that runs on this machine),
        ray://HOST:PORT, or slurm (job arrays); see docs/clusters.md.
    replace
        Train runs anew whose recipes have changed; what is there is moved to FOLDER/replaced.
    status
        Train nothing, and tell how far the study is, who does what, and what it has cost; also while another
        process is at work on it.
    as_json
        Print the results, or the status, as JSON, for machines.
    """
    if status:
        from affectspace.cli.study_status import print_status

        print_status(path, out, as_json)
        return

    from affectspace.clusters import Local, where
    from affectspace.studies.execute import run_study
    from affectspace.studies.outcome import FullDisk

    if out is not None:
        new_folder(out)
    place = where(on)
    most = _processes(processes) if isinstance(place, Local) else processes
    elsewhere = [] if isinstance(place, Local) else ["--on", on]
    command = quoted("affectspace", "study", path, *(["--out", out] if out else []), *elsewhere)
    try:
        outcome = run_study(path, out, processes=most, replace=replace, quiet=as_json, on=place)
        summaries, results = _write(outcome)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"finished runs stay; go on with: {command}") from None
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise FullDisk(
            f"{error.filename or 'the disk'}: {error.strerror}; free some space, then go on with: {command}"
        ) from None
    if as_json:
        print(json_text(_record(outcome, results, summaries)))
    elif len(results.runs):
        _table(summaries, results)
    _tell(outcome, command)
    if not as_json and len(results.runs):
        _next(outcome, results)
    if outcome.exit_code:
        sys.exit(outcome.exit_code)


def _processes(asked: int | None) -> int:
    """Two, where there are two cores; a number that was given stays, for the study to refuse."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2, cores) if asked is None else asked


def _write(outcome: "Outcome") -> "tuple[tuple[SplitSummary, ...], StudyResults]":
    """Tables and report, of whatever is finished; those of an earlier call never stay under another plan."""
    from affectspace.report.study import write_study_report
    from affectspace.report.study_tables import write_tables
    from affectspace.studies import open_study, summarise
    from affectspace.studies.over_splits import with_average

    results = open_study(outcome.folder)
    if not len(results.runs) and not (outcome.folder / "report.html").is_file():
        return (), results
    summaries = with_average(results, summarise(results))
    write_tables(results, outcome.folder, summaries)
    write_study_report(results, outcome.folder / "report.html", summaries=summaries)
    return summaries, results


def _table(summaries: "tuple[SplitSummary, ...]", results: "StudyResults") -> None:
    """One line a split, one column a recipe; and what has to be known to read it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from affectspace.report.study_facts import beside_the_loss
    from affectspace.report.study_tables import chance, entry, legend, seeds

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("UAR %", overflow="fold", max_width=32)
    for heading in ("chance", *(row.recipe for row in summaries[0].rows), "seeds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for split in summaries:
        entries = [entry(split, row) for row in split.rows]
        cells = [f"{found.text}{f' {found.arrow}' if found.arrow else ''}" for found in entries]
        table.add_row(split.split, chance(split), *cells, seeds(split))
    console = Console(markup=False, highlight=False)
    wide = console.measure(table, options=console.options.update(max_width=1000)).maximum
    window, console.width = console.width, max(console.width, wide)  # figures are cut nowhere
    console.print(table)
    console.width = window
    for sentence in (*legend(summaries), *beside_the_loss(results)):
        console.print(sentence.replace(" Bold is the highest mean of a row.", ""))


def _tell(outcome: "Outcome", command: str) -> None:
    """On standard error: what failed, what is missing, what is left over, and how long it took."""
    from affectspace.studies.words import counted, duration

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    if outcome.replaced:
        were = "was" if outcome.replaced == 1 else "were"
        say(f"{counted(outcome.replaced, 'run')} of other recipes {were} moved to {outcome.folder / 'replaced'}")
    if outcome.unplanned:
        count = counted(len(outcome.unplanned), "run")
        say(
            f"no longer part of the study: {count} in {outcome.folder} (such as {outcome.unplanned[0]}), kept, and "
            "left out of tables and report"
        )
    for package, several in outcome.versions.items():
        say(f"the runs were trained with several versions of {package}: {', '.join(several)}")
    if outcome.diverged:
        first = outcome.folder / outcome.diverged[0]
        count = counted(len(outcome.diverged), "inner run")
        say(f"{count} diverged (such as {first}); what was tried there is not chosen")
    if outcome.lost:
        were = "was" if len(outcome.lost) == 1 else "were"
        count = counted(len(outcome.taken_up), "run")
        say(
            f"{counted(len(outcome.lost), 'node')} {were} lost ({', '.join(outcome.lost)}); {count} went on in another "
            "process"
        )
    elif outcome.taken_up:
        count = counted(len(outcome.taken_up), "run")
        say(f"{count} went on in another process, as its own was killed ({outcome.taken_up[0]}); is memory short?")
    for failure in outcome.failures[:SHOWN]:
        say(f"failed: {outcome.folder / failure.folder}: {failure.error}")
        if failure.trace:
            say(failure.trace)
    if len(outcome.failures) > SHOWN:
        say(f"... and {len(outcome.failures) - SHOWN:,} more")
    for question in outcome.blocked:
        say(f"not run: {question}, as runs failed that were to choose its settings")
    took = (
        f"{outcome.finished:,} of {counted(outcome.planned, 'run')} {'is' if outcome.finished == 1 else 'are'} finished"
    )
    if outcome.finished < outcome.planned:
        say(f"error: the study is not finished: {took}; mend what is told above, then go on with: {command}")
    elif outcome.ran:
        foreseen = f" ({duration(outcome.predicted)} predicted)" if outcome.predicted else ""
        say(f"{counted(outcome.ran, 'run')} trained in {duration(outcome.seconds)}{foreseen}; {took}")
    else:
        say("the run is finished" if outcome.planned == 1 else f"all {outcome.planned:,} runs are finished")


def _next(outcome: "Outcome", results: "StudyResults") -> None:
    place = results.runs.iloc[0]
    same = results.runs[(results.runs["split"] == place["split"]) & (results.runs["seed"] == place["seed"])]
    same = same[same["recipe"].isin(results.trained)]
    runs = [outcome.folder / folder for folder in same["folder"][:COMPARED]]
    of = f"  # the first {COMPARED} of {len(same)} recipes" if len(same) > COMPARED else ""
    report = (outcome.folder / "report.html").resolve().as_uri()
    next_commands(f"open it in a browser: {report}", f"affectspace report {quoted(*runs)} --out runs.html{of}")


def _record(outcome: "Outcome", results: "StudyResults", summaries: "tuple[SplitSummary, ...]") -> dict[str, Any]:
    """What machines want to know: every figure of the table, and what became of the runs."""
    from affectspace.report.study_tables import tidy

    table = tidy(summaries).to_dict("records") if summaries else []
    return {
        "study": str(outcome.folder),
        "planned": outcome.planned,
        "finished": outcome.finished,
        "trained": outcome.ran,
        "failures": [{"run": str(f.folder), "error": f.error, "code": f.code} for f in outcome.failures],
        "diverged": [str(path) for path in outcome.diverged],
        "lost": outcome.lost,
        "taken_up": [str(path) for path in outcome.taken_up],
        "not_run": outcome.blocked,
        "versions": outcome.versions,
        "no_longer_planned": [str(path) for path in outcome.unplanned],
        "predicted_seconds": outcome.predicted,
        "seconds": outcome.seconds,
        "selection": results.selection,
        "table": table,
    }
