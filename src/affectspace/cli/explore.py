"""``affectspace explore``"""

import contextlib
import getpass
import secrets
import socket
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from affectspace.cli.outputs import new_file
from affectspace.cli.spaces import Where, chosen, onwards, working
from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.whole import Whole
from affectspace.errors import InputError
from affectspace.extras import refuse_missing
from affectspace.files import json_text

if TYPE_CHECKING:
    from affectspace.app.explorer.explored import Explored

HOST, PORT = "127.0.0.1", 8765
TRIED = 20  # ports from it on, where nobody has named one
STOPPING = 2.0  # seconds for what the page has just asked
NEEDED = ("starlette", "uvicorn", "pydeck")


def explore(
    *spaces: Path,
    where: Where = (),
    corrections: Path | None = None,
    by: str | None = None,
    port: Whole | None = None,
    browser: Annotated[bool, Parameter(negative="--no-browser")] = True,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Look at spaces, listen and correct, on a page that this machine alone can see; Ctrl-C ends it.

    Parameters
    ----------
    spaces
        Parquet files that affectspace embed wrote, or finished run folders; of several, the items that all of them hold
        are shown side by side.
    where
        Only items of the first space for which these hold, such as split=test or label=sad|angry.
    corrections
        The file that corrections are added to [default: corrections.jsonl beside each corpus].
    by
        Who corrects [default: the name that you have logged in by].
    port
        Of this machine [default: 8765, or the next that is free].
    browser
        Open the page, where there is a terminal.
    as_json
        Print the address as one line of JSON, for machines.
    """
    if not spaces:
        raise InputError("name at least one space: affectspace explore runs/synthetic")
    if corrections is not None:
        new_file(corrections, "--corrections")
    if by is not None and not by.strip():
        raise InputError("--by is empty; give a name")
    refuse_missing("explore", "affectspace explore needs", *NEEDED)
    from affectspace.app.explorer.routes import make_explorer
    from affectspace.app.explorer.scatter_library import scatter_library
    from affectspace.app.listen import address_of, serve_on

    library = scatter_library()
    with _listening(port) as taken:
        explored = _opened(list(spaces), where, corrections, by or _login(), as_json)
        home, token, once = address_of(taken), secrets.token_urlsafe(16), secrets.token_urlsafe(16)

        def ready() -> None:
            address = f"{home}/?token={token}"
            if as_json:
                print(json_text({"url": address, "items": len(explored), "spaces": explored.names}), flush=True)
                return
            print(f"{len(explored):,} items of {' and '.join(explored.names)}")
            for note in explored.notes:
                print(f"note: {note}")
            print(f"open {address}\nCtrl-C ends it; what you correct is written at once.", flush=True)
            if browser and sys.stdout.isatty():
                # What a browser is started with, everybody on the machine can read.
                webbrowser.open(f"{home}/?token={once}")

        app = make_explorer(explored, token, taken.getsockname()[1], library, once)
        serve_on(taken, app, STOPPING, ready)
    if not as_json:
        _tell(explored, spaces[0], corrections)


def _opened(paths: list[Path], where: tuple[str, ...], corrections: Path | None, by: str, quiet: bool) -> "Explored":
    with working("opening", quiet):
        from affectspace.app.explorer.explored import explore_spaces
        from affectspace.training.frontends import cache_folder

        opened = [chosen(paths[0], where), *(chosen(each) for each in paths[1:])]
        names = [path.stem if path.is_file() else path.resolve().name for path in paths]
        if len(set(names)) < len(names):
            names = [str(path) for path in paths]
        return explore_spaces(opened, names, corrections, by, cache_folder() / "maps")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "somebody"


def _listening(port: int | None) -> socket.socket:
    """A socket of the loopback interface, so that no other machine reaches it, and ours alone, as it listens."""
    from affectspace.app.listen import bound, listen

    if port is None:
        for each in range(PORT, PORT + TRIED):
            with contextlib.suppress(InputError):
                return _listening(each)
        port = PORT
    listen(taken := bound(HOST, port))
    return taken


def _tell(explored: "Explored", space: Path, corrections: Path | None) -> None:
    written = explored.judgements.written
    if not written:
        next_commands(onwards(explored.spaces[0], space))
        return
    added = sum(written.values())
    print(f"\n{added:,} correction{'' if added == 1 else 's'} added to {', '.join(map(str, written))}")
    # A recipe finds by itself what lies beside its corpora; another file it names by a path from its own folder on.
    setting = "corrections=true" if corrections is None else f"corrections={corrections.resolve()}"
    again = [] if corrections is None else ["--corrections", corrections]
    next_commands(f"affectspace train RECIPE.toml {quoted(setting)}", f"affectspace explore {quoted(space, *again)}")
