"""``affectspace report``"""

from pathlib import Path

from affectspace.cli.outputs import new_file, new_folder
from affectspace.cli.tell import next_commands
from affectspace.errors import InputError


def report(*runs: Path, out: Path | None = None) -> None:
    """Make one self-contained page that compares runs: scores, curves, maps, confusions, corpora, recipes.

    Parameters
    ----------
    runs
        Finished run folders.
    out
        The page, or a folder for its report.html [default: in the folder of the only run, or beside several].
    """
    from affectspace.training.runs import open_runs

    if not runs:
        raise InputError("name at least one run folder: affectspace report runs/NAME")
    opened = open_runs(list(runs))
    for run in opened:
        run.metrics  # noqa: B018  (an unfinished run is said at once)
    path = out or (runs[0] if len(runs) == 1 else runs[0].parent) / "report.html"
    path = new_folder(path) / "report.html" if path.is_dir() else path
    new_file(path)

    from affectspace.report import write_report  # draws, so it takes seconds to load

    print(f"report: {write_report(opened, path)}")
    next_commands(f"open it in a browser: {path.resolve().as_uri()}")
