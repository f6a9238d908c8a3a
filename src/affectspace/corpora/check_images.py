"""What is wrong with the images of a corpus, and with the boxes that say which part of one an item is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from affectspace.corpora.check_files import decoder_words, missing_file
from affectspace.corpora.fault import Fault, of_copy
from affectspace.errors import MediaError
from affectspace.files import packed
from affectspace.media import crop_box, pixels_sha256, read_box, read_image
from affectspace.media.packed import packed_rows

__all__ = ["Eyes", "View"]


@dataclass(frozen=True)
class View:
    """An item's image, or the part of one that the item is; texts are empty where the item has none."""

    row: int
    item: str
    image: str
    box: str
    session: str
    label: str

    def __str__(self) -> str:
        return f"box {self.box!r} of {self.image}" if self.box else self.image

    def fault(self, problem: str, message: str) -> Fault:
        """Of the image, or of the box."""
        column, value = ("box", self.box) if problem == "bad-box" else ("image", self.image)
        return Fault(self.row, self.item, column, value, problem, message)

    def shares_file(self, other: "View") -> bool:
        """Whether two frames of one session are one picture on purpose, as where a face is carried over."""
        return bool(self.session) and (self.session, self.image, self.box) == (other.session, other.image, other.box)


@dataclass
class Eyes:
    """Looks at images one after the other and remembers what has to be compared.

    Args:
        root: of the corpus.
        read: decode images; else only paths and the form of boxes are looked at.
        label_map: of the corpus.
    """

    root: Path
    read: bool
    label_map: Mapping[str, str]
    seen: dict[str, View] = field(default_factory=dict)
    tables: dict[str, tuple[str, str] | int] = field(default_factory=dict)

    def faults(self, view: View) -> Iterator[Fault]:
        """What is wrong with the box, and the first thing that is wrong with the image."""
        readable = True
        try:
            if view.box:
                read_box(view.box)
        except MediaError as error:
            readable = False
            yield view.fault("bad-box", str(error))
        missing = self._missing_row if packed(view.image)[1] is not None else self._missing_file
        found = missing(view.image)
        if not found and readable and self.read:
            found = self._look(view)
        if found:
            yield view.fault(*found)

    def _look(self, view: View) -> tuple[str, str] | None:
        """Problem and message; two parts of one image are two images."""
        path = self.root / view.image
        try:
            pixels = read_image(path)
        except MediaError as error:
            return "unreadable", decoder_words(path, error)
        try:
            pixels = crop_box(pixels, view.box) if view.box else pixels
        except MediaError as error:
            return "bad-box", str(error)
        if (pixels == pixels[0, 0]).all():
            return "blank-image", f"all {pixels.shape[1]} x {pixels.shape[0]} pixels of {view} have one value"
        twin = self.seen.setdefault(pixels_sha256(pixels), view)
        if twin is view or view.shares_file(twin):
            return None
        labels = (twin.label, view.label)
        return of_copy("identical-image", f"{view} has the same pixels", twin.row, twin.item, labels, self.label_map)

    def _missing_file(self, image: str) -> tuple[str, str] | None:
        return missing_file(self.root, image)

    def _missing_row(self, reference: str) -> tuple[str, str] | None:
        """Problem and message of a row that is not there; each table is looked at once."""
        table, row = packed(reference)
        name = str(table)
        if name not in self.tables:
            self.tables[name] = missing_file(self.root, name) or self._rows(name)
        rows = self.tables[name]
        if isinstance(rows, tuple):
            return rows
        if row is None or row < rows:
            return None
        return "missing-file", f"there is no row {row} in {name}, whose rows run from 0 to {rows - 1}"

    def _rows(self, name: str) -> tuple[str, str] | int:
        try:
            return packed_rows(self.root / name)
        except MediaError as error:
            return "unreadable", decoder_words(self.root / name, error)
