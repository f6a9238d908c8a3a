"""``affectspace``: the commands, and how their faults are told.

Exit codes: 0 done; 1 faults or leaks were found (``check``, ``audit``), people disagree (``label-studio import``), or
something outside our hands failed, such as a full disk or a lost cluster; 2 input that cannot be used as given; 3
training diverged; 130 interrupted.
"""

import errno
import os
import sys

from cyclopts import App, CycloptsError, CycloptsPanel
from rich.console import Console

import affectspace
from affectspace.cli.missing import missing_told
from affectspace.cli.unknown import unknown_told
from affectspace.errors import AffectspaceError

app = App(
    name="affectspace",
    version=affectspace.__version__,
    help="Embedding spaces whose geometry is the geometry of emotion labels.",
    help_epilogue="Exit codes: 0 done; 1 faults or leaks found, or a full disk; 2 unusable input; 3 training diverged; "
    "130 interrupted.",
    suppress_keyboard_interrupt=False,  # main tells what to type to go on
)
# Each command imports what it needs only when it is called, so that --help and errors answer at once.
COMMANDS = {
    "demo": "Train three spaces, compare them, write a report.",
    "check": "Validate a corpus and list every fault.",
    "audit": "Find copies of recordings, and what a published split leaks.",
    "agreement": "Say how reliable raters are, and where corrections cluster.",
    "faces": "Crop the faces of pictures and videos to a corpus.",
    "train": "Train what a recipe describes.",
    "rounds": "Learn classes within classes, round by round.",
    "study": "Train many runs of several recipes, and say which is better and how surely.",
    "evaluate": "Show a run's scores, or measure it on another corpus.",
    "predict": "Say what a model hears in files, and whether it knows anything like them.",
    "embed": "Write vectors and probabilities of audio files or a corpus.",
    "export": "Write a model as ONNX, torch.export, or a folder for the hub.",
    "index": "Make an index of a space that is too large to be read whole.",
    "search": "Find the items of a space most alike to an item or a file.",
    "discover": "Find classes within classes, and labels in doubt.",
    "summarise": "Show a whole collection at a glance.",
    "map": "Draw spaces as maps.",
    "explore": "Look at spaces, listen and correct labels, on a page.",
    "atlas": "Write a space as a table that embedding-atlas shows.",
    "label-studio": "Take labels in doubt to Label Studio, and its answers back as corrections.",
    "serve": "Answer for a model over HTTP: predict, embed, search.",
    "losses": "Lead from the labels you have to the losses that fit.",
    "report": "Compare runs on one self-contained page.",
    "track": "Tell TensorBoard, MLflow or W&B of runs.",
    "doctor": "Say whether this machine can run affectspace.",
}
for name, line in COMMANDS.items():
    module = name.replace("-", "_")
    app.command(f"affectspace.cli.{module}:{module}", name=name, help=line)

# What the machine refuses -> what to do about it, and whether the command's input is to blame.
REFUSALS = {
    errno.ENOSPC: ("free some space, or write to another disk", 1),
    errno.EDQUOT: ("free some space, or write to another disk", 1),
    errno.EACCES: ("change its permissions or choose another path", 2),
    errno.EPERM: ("change its permissions or choose another path", 2),
    errno.EROFS: ("choose a path on a disk that can be written", 2),
    errno.EISDIR: ("it is a folder, and a file is needed; choose another path", 2),
    errno.ENOTDIR: ("part of its path is a file; choose another path", 2),
    errno.EEXIST: ("something else is there; choose another path", 2),
    errno.ENAMETOOLONG: ("choose a shorter path", 2),
    errno.ENOENT: ("choose a path that is there", 2),
}
# What goes on where a full disk has ended it, and how.
GOES_ON = {
    "demo": "; what was begun goes on with the same command",
    "train": "; a run that was begun goes on with affectspace train --resume FOLDER",
    "rounds": "; what was begun goes on with the same command and --resume",
}


def main() -> None:
    """Run a command; a fault becomes one sentence on stderr and an exit code, never a traceback."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        if told := _of_ours(error) or unknown_told(error, tuple(COMMANDS)) or missing_told(error):
            errors.print(f"error: {told}")
        else:
            Console(stderr=True).print(CycloptsPanel(error))
        sys.exit(2)
    except AffectspaceError as error:
        errors.print(f"error: {error}")
        sys.exit(error.exit_code)
    except BrokenPipeError:  # such as `| head`: the reader has had enough, which is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # Without a path nobody could act on it: that is a fault of ours, and its traceback is wanted.
        if error.errno not in REFUSALS or (error.filename is None and error.errno not in {errno.ENOSPC, errno.EDQUOT}):
            raise
        remedy, code = REFUSALS[error.errno]
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            remedy += GOES_ON.get("".join(sys.argv[1:2]), "")
        where = f"{error.filename}: " if error.filename is not None else ""
        errors.print(f"error: {where}{error.strerror}; {remedy}")
        sys.exit(code)
    except KeyboardInterrupt as interrupt:
        errors.print(f"interrupted{'; ' if interrupt.args else ''}{' '.join(map(str, interrupt.args))}")
        sys.exit(130)


def _of_ours(error: CycloptsError) -> str:
    """What a reader of ours has to say of the value of an option; empty for another fault."""
    return str(error.__cause__) if isinstance(error.__cause__, AffectspaceError) else ""


if __name__ == "__main__":
    main()
