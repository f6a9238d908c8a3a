"""What has been done of a folder of crops, a line a source, so that a run that was ended goes on where it was."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from affectspace.errors import InputError
from affectspace.faces.cropping import Cropped
from affectspace.faces.sources import FaceSource
from affectspace.files import inside, json_text, packed, write_text

__all__ = ["Journal"]

ROW = ("id", "image", "source_time", "source_box", "carried")  # of a crop


class Journal:
    """The sources that have been cropped, and their crops; of those that have changed since, it forgets both.

    Args:
        path: of the journal.
        folder: below which the crops lie.
        sources: those that are wanted now.
        table: of the crops; it goes before the first of them does, as it would name what is no more.
    """

    def __init__(self, path: Path, folder: Path, sources: Sequence[FaceSource], table: Path):
        self.path = path
        self.done: dict[str, Cropped] = {}
        self._states = {source.id: _state(source) for source in sources}
        places = {source.id: (f"{source.file}.png", f"{source.folder}/") for source in sources}
        lines = []
        for line, item, state, cropped in _lines(path):
            images = [row["image"] for row in cropped.rows]
            kept = self._states.get(item) == state and all(image.startswith(places[item]) for image in images)
            if kept and all((folder / image).is_file() for image in images):
                self.done[item] = cropped
                lines.append(line)
                continue
            if images:
                table.unlink(missing_ok=True)
            for image in images:
                with suppress(InputError):  # a path that this journal has never written
                    inside(folder, image).unlink(missing_ok=True)
        write_text(path, "".join(f"{line}\n" for line in lines))

    @contextmanager
    def writing(self) -> Iterator[Callable[[FaceSource, Cropped], None]]:
        """What writes down that a source is done."""
        with open(self.path, "a", encoding="utf-8") as file:

            def note(source: FaceSource, cropped: Cropped) -> None:
                self.done[source.id] = cropped
                if cropped.lasting:
                    told = {"id": source.id, "state": self._states[source.id], **cropped._asdict()}
                    file.write(json_text(told) + "\n")
                    file.flush()

            yield note


def _lines(path: Path) -> Iterator[tuple[str, str, str, Cropped]]:
    if not path.is_file():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            text = line.decode("utf-8")
            told = json.loads(text)
            rows = [{name: row[name] for name in ROW} for row in told["rows"]]
            known = told["id"], told["state"], Cropped(rows, told["reason"])
        except (ValueError, TypeError, KeyError):  # a killed run's last line, what is behind it, or another's words
            continue
        names = [*known[:2], known[2].reason, *(row[name] for row in rows for name in ("id", "image"))]
        if all(isinstance(name, str) for name in names):
            yield text, *known


def _state(source: FaceSource) -> str:
    """All that its crops depend on, besides the settings."""
    try:
        status = os.stat(packed(source.path)[0])
        state = [status.st_size, status.st_mtime_ns]
    except OSError:
        state = []
    return json.dumps([source.path, source.start, source.end, source.box, *state])
