"""``affectspace``: the commands, and how their faults are told.

Exit codes: 0 done; 1 faults were found (``check``), or something outside our hands failed, such as a
full disk; 2 input that cannot be used as given; 3 training diverged; 130 interrupted.
"""

import errno
import sys

from cyclopts import App, CycloptsError
from rich.console import Console

import affectspace
from affectspace.errors import AffectspaceError

app = App(
    name="affectspace",
    version=affectspace.__version__,
    help="Embedding spaces whose geometry is the geometry of emotion labels.",
    help_epilogue="Exit codes: 0 done; 1 faults found; 2 unusable input; 3 training diverged; 130 interrupted.",
)
# Each command imports what it needs only when it is called, so that --help and errors answer at once.
COMMANDS = {
    "demo": "Train three spaces, compare them, write a report.",
    "check": "Validate a corpus and list every fault.",
    "train": "Train what a recipe describes.",
    "evaluate": "Show a run's scores, or measure it on another corpus.",
    "embed": "Write vectors and probabilities of audio files or a corpus.",
    "report": "Compare runs on one self-contained page.",
    "doctor": "Say whether this machine can run affectspace.",
}
for name, line in COMMANDS.items():
    app.command(f"affectspace.cli.{name}:{name}", help=line)


def main() -> None:
    """Run a command; a fault becomes one sentence on stderr and an exit code, never a traceback."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=True)
    except CycloptsError:
        sys.exit(2)
    except AffectspaceError as error:
        errors.print(f"error: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS}:
            raise
        where = f" {error.filename}" if error.filename else ""
        errors.print(
            f"error: cannot write{where}: {error.strerror}; free some space or choose another folder, then run it again"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("interrupted; affectspace train --resume FOLDER goes on from the last checkpoint")
        sys.exit(130)
