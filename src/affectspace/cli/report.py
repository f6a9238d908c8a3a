"""``affectspace report``"""

from pathlib import Path

from affectspace.cli.tell import next_commands
from affectspace.errors import InputError


def report(*runs: Path, out: Path | None = None) -> None:
    """Make one self-contained page that compares runs: scores, curves, maps, confusions, corpora, recipes.

    Parameters
    ----------
    runs
        Finished run folders.
    out
        The page [default: report.html in the folder of the only run, or beside several].
    """
    from affectspace.report import write_report
    from affectspace.training.run import open_runs

    if not runs:
        raise InputError("name at least one run folder: affectspace report runs/NAME")
    path = out or (runs[0] if len(runs) == 1 else runs[0].parent) / "report.html"
    print(f"report: {write_report(open_runs(list(runs)), path)}")
    next_commands(f"open it in a browser: {path.resolve().as_uri()}")
