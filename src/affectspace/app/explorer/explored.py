"""All that the explorer's page shows: spaces of the same items, their columns, media, and what is found in them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.app.explorer.background import Later
from affectspace.app.explorer.columns import Column, columns_of
from affectspace.app.explorer.judgements import STATES, Judgements
from affectspace.app.explorer.kept_maps import kept_maps
from affectspace.app.explorer.shown_media import ShownMedia
from affectspace.corpora.corrections import FILE
from affectspace.neighbours.nearest import Neighbours
from affectspace.space import Space
from affectspace.space.label_errors import suspects
from affectspace.space.of_run import classes_stand_in_order
from affectspace.space.same_items import same_items
from affectspace.space.subclasses import SubClasses, find_subclasses
from affectspace.space.unknown_labels import all_labels

__all__ = ["Explored", "explore_spaces"]

NEAREST = 12
SHOWN_OF_SUBCLASS = 12
FOUND = 200  # rows of a search for words
MANY = 20_000  # items among which as many sub-classes as explain them best are looked for; two a class among more


@dataclass
class Explored:
    """Spaces of the same items, row by row.

    Args:
        spaces: at least one; labels, media and columns are those of the first.
        names: of the spaces.
        judgements: what people have corrected.
        maps_folder: where maps are kept.
        notes: sentences for whoever looks at the page.
    """

    spaces: list[Space]
    names: list[str]
    judgements: Judgements
    maps_folder: Path
    notes: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.columns: dict[str, Column] = columns_of(self.spaces)
        self.media = ShownMedia(self.items)
        self.maps = Later(lambda: kept_maps(self.spaces, self.maps_folder), "drawing the map")
        self.doubts = [Later(lambda s=s: self._doubts(s), "looking for labels in doubt") for s in self.spaces]
        self.subclasses = [Later(lambda s=s: self._subclasses(s), "looking for sub-classes") for s in self.spaces]
        self._near: dict[int, Neighbours] = {}
        self._searched = (self.items["id"].str.lower() + "\n" + self.items["text"].fillna("").str.lower()).astype(
            pd.StringDtype("pyarrow")
        )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def items(self) -> pd.DataFrame:
        """The items of the first space."""
        return self.spaces[0].items

    @property
    def labelled(self) -> bool:
        """Whether any item has a label."""
        return bool((self.spaces[0].labels >= 0).any())

    @cached_property
    def contradicted(self) -> bool:
        """Whether there are labels that others could contradict."""
        targets = self.spaces[0].targets
        return targets is not None and int((np.isfinite(targets).all(1) & (targets.sum(1) > 0)).sum()) > 1

    def about(self) -> dict[str, Any]:
        """What the page is told first."""
        first = self.spaces[0]
        columns = [each.told() for each in self.columns.values()]
        if self.labelled:
            columns.append({"name": "subclass", "kind": "category", "values": [], "counts": [], "missing": 0,
                            "of_space": True, "later": True})  # fmt: skip
        states = self.judgements.states()
        counts = np.bincount(states[states >= 0], minlength=len(STATES)).tolist()
        columns.append(
            {"name": "corrected", "kind": "category", "values": STATES, "counts": counts,
             "missing": int((states < 0).sum()), "of_space": False}
        )  # fmt: skip
        return {
            "title": " and ".join(self.names),
            "items": len(self),
            "by": self.judgements.by,
            "spaces": [
                {
                    "name": name,
                    "model": each.about.get("recipe"),
                    "dimensions": each.dimensions,
                    "classes": each.classes,
                    "ordered": classes_stand_in_order(each.about),
                    "has": {
                        "prediction": bool(each.items["prediction"].notna().any()),
                        "doubts": self.contradicted,
                        "subclasses": self.labelled,
                    },
                }
                for name, each in zip(self.names, self.spaces)
            ],
            "columns": columns,
            "colour_first": next(iter(self.columns), None),
            "media": [kind for kind in ("audio", "image", "text") if self.items[kind].notna().any()],
            "classes": first.classes,
            "corrections": {
                "files": [str(path) for path in self.judgements.paths],
                "writable": bool(self.judgements.paths and first.classes),
                "why_not": self._why_not(),
                "count": len(self.judgements.changed()),
                "version": self.judgements.version,
            },
            "notes": self.notes,
        }

    def column(self, name: str, space: int) -> tuple[str, np.ndarray] | None:
        """The kind and the cells of a column; None where there is none of that name."""
        if name == "corrected":
            return "category", self.judgements.states()
        if (column := self.columns.get(name)) is None:
            return None
        cells = column.of(space)
        if name == "label" and (changed := self.judgements.changed()):
            cells = cells.copy()
            places = {value: place for place, value in enumerate(column.values)}
            for row, label in changed.items():
                cells[row] = places.get(label, -1)
        return column.kind, cells

    def item(self, row: int, space: int) -> dict[str, Any]:
        """All that is known of one item, in the words of one space's model."""
        of, items = self.spaces[space], self.items
        told = items.iloc[row]
        label, was = self.judgements.label(row), self._was(row)
        return {
            "row": row,
            "id": str(told["id"]),
            "corpus": _text(told["corpus"]),
            "fields": self._fields(row, space),
            "text": _text(told["text"]),
            "audio": f"/api/audio/{row}" if self.media.has(row, "audio") else None,
            "waveform": f"/api/waveform/{row}" if self.media.has(row, "audio") else None,
            "image": f"/api/image/{row}" if self.media.has(row, "image") else None,
            "label": label or None,
            "label_was": was if was != label else None,
            "votes": _shares(self.spaces[0].items, "target", row, self.spaces[0].classes),
            "prediction": _shares(of.items, "probabilities", row, of.classes),
            "outlook": self._outlook(row, space),
            "nearest": self._nearest(row, space),
            "history": [asdict(entry) for entry in self.judgements.history(row)],
        }

    def find(self, words: str, whole: bool = False) -> dict[str, Any]:
        """Rows whose id or text holds the words, in any case: the first of them, or the whole list."""
        held = np.flatnonzero(self._searched.str.contains(words.lower(), regex=False).to_numpy(bool))
        return {"rows": held[: None if whole else FOUND].tolist(), "total": len(held)}

    def _was(self, row: int) -> str | None:
        history = self.judgements.history(row)
        return (history[0].old if history else self.judgements.label(row)) or None

    def _why_not(self) -> str | None:
        if not self.spaces[0].classes:
            return "the space knows no classes, so there is no label to give"
        if not self.judgements.paths:
            return "none of the items is of a corpus that is there; affectspace explore --corrections FILE keeps them"
        return None

    def _fields(self, row: int, space: int) -> list[tuple[str, str]]:
        found = []
        for name, column in self.columns.items():
            cell = column.of(space)[row]
            if column.kind == "number":
                if np.isfinite(cell):
                    found.append((name, f"{cell:.4g}"))
            elif cell >= 0:
                own = self.items[name].iat[row] if name in self.items else None
                found.append((name, column.values[cell] if cell < len(column.values) else str(own)))
        return found

    def _outlook(self, row: int, space: int) -> dict[str, Any] | None:
        if not self.contradicted:
            return None
        try:
            ready, found = self.doubts[space].ask() if self.doubts[space].begun else (False, None)
        except Exception:  # told where the list is asked for
            return None
        if not ready or found is None:
            return None
        return next((each for each in found if each["row"] == row), None)

    def _nearest(self, row: int, space: int) -> list[dict[str, Any]]:
        if space not in self._near:
            self._near[space] = Neighbours(self.spaces[space].vectors, kind="exact")
        distances, rows = self._near[space].search(self.spaces[space].vectors[row][None], min(NEAREST + 1, len(self)))
        ids = self.items["id"]
        return [
            {
                "row": int(r),
                "id": str(ids.iat[r]),
                "distance": float(d),
                "label": self.judgements.label(int(r)) or None,
                "media": self.media.kinds(int(r)),
            }
            for r, d in zip(rows[0], distances[0])
            if r >= 0 and r != row
        ][:NEAREST]

    def _doubts(self, space: Space) -> list[dict[str, Any]]:
        # Labels are those of the first space, as everywhere on the page.
        first = self.spaces[0]
        judged = space if space is first else _relabelled(space, first)
        found = suspects(judged)
        rows = pd.Index(self.items["id"]).get_indexer(pd.Index(found["id"]))
        told = found.drop(columns="neighbours").assign(row=rows).to_dict("records")
        return [{str(name): value for name, value in each.items()} for each in told]

    def _subclasses(self, space: Space) -> SubClasses:
        first = self.spaces[0]
        judged = space if space is first else _relabelled(space, first)
        return find_subclasses(judged, "bic" if len(self) <= MANY else 2)


def explore_spaces(
    spaces: Sequence[Space], names: Sequence[str], corrections: Path | None, by: str, maps_folder: Path
) -> Explored:
    """Spaces made ready to be looked at.

    Args:
        spaces: as they were opened; only items that all of them hold are shown.
        names: of the spaces.
        corrections: the one file that corrections are kept in; None: beside each corpus that is still there.
        by: who corrects.
        maps_folder: where maps are kept.

    Raises:
        InputError: spaces without an item in common, or a file of corrections that is none.
    """
    shown = same_items(spaces, names)
    notes = [
        f"{len(each) - len(shown[0]):,} items of {name} are not in all of these spaces, and are not shown"
        for each, name in zip(spaces, names)
        if len(each) > len(shown[0])
    ]
    first = shown[0]
    roots = {str(name): Path(str(root)).resolve() for name, root in (first.about.get("corpora") or {}).items()}
    gone = [f"{root}, where {name} lay, is gone: its media cannot be shown" for name, root in roots.items()
            if not root.is_dir()]  # fmt: skip
    files = corrections or {name: root / FILE for name, root in roots.items() if root.is_dir()}
    labels = all_labels(first.items).fillna("").tolist()
    judgements = Judgements(first.items["id"].astype(str).tolist(), labels, first.classes, files, by)
    explored = Explored(shown, list(names), judgements, maps_folder, notes + gone)
    if explored.labelled and len(explored) > MANY:
        explored.notes.append(
            f"sub-classes are two a class, as there are more than {MANY:,} items; affectspace discover finds as many "
            "as explain them best"
        )
    return explored


def _relabelled(space: Space, first: Space) -> Space:
    """The vectors of one space with the labels of another; what its model says is of other classes, maybe."""
    items = first.items.drop(columns=["probabilities", "prediction"], errors="ignore")
    return Space(items, space.vectors, first.classes, space.about)


def _shares(items: pd.DataFrame, name: str, row: int, classes: Sequence[str]) -> list[tuple[str, float]] | None:
    if name not in items or pd.api.types.is_scalar(cell := items[name].iat[row]):
        return None
    return [(each, float(share)) for each, share in zip(classes, np.asarray(cell, dtype=float))]


def _text(cell: Any) -> str | None:
    return None if pd.isna(cell) else str(cell)
