"""Items to vectors by a trained model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.features import FeatureStore
from affectspace.space.by_length import answered, by_length
from affectspace.space.read_corpora import ROW, read_corpora, reads_corpora
from affectspace.space.read_media import ROOT, first_of, read_media, without_repeated
from affectspace.space.space import Space
from affectspace.training.below_data import refuse_other_below
from affectspace.training.frontends import cache_folders
from affectspace.training.model import Model
from affectspace.training.recipe import Recipe
from affectspace.training.run import Run, holds_run
from affectspace.training.who_has import nobody_has_told

__all__ = ["Embedded", "about_of", "answered", "by_length", "embed", "groups_of", "known_of_items", "parts_of"]


@dataclass(frozen=True)
class Embedded:
    """The vectors of many items, and the items that could not be read.

    Args:
        table: one row an item: ``id``, ``vector`` (list of float), ``probabilities`` (list of float, in
            the order of the model's classes), ``prediction`` (the most probable class), ``predicted_value`` where the
            classes are levels of numbers, and what is known of it besides: the other columns of
            :class:`~affectspace.space.space.Space`.
        quarantine: ``id`` and ``reason`` of every item left out.
        classes: of the model.
        about: the name of its ``recipe``, the fingerprint of its ``features``, and the folder of each of the
            ``corpora``.
        omitted: columns of the items that the table has not, and why.
        corpora: of a model of several modalities, each corpus's ``name``, ``used`` items, how many have each of the
            ``modalities``, and why ``nobody_has`` one.
        notes: a sentence on labels of each corpus that the table has not.
    """

    table: pd.DataFrame
    quarantine: pd.DataFrame
    classes: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    omitted: dict[str, str] = field(default_factory=dict)
    corpora: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    def space(self, model: str | Path) -> Space:
        """The items as a space that remembers the path of the model, as it is given.

        Args:
            model: the folder of the run, or of its model. ``split`` is the part that an item had in this very run
                (train, validate, test), whatever the corpus publishes: missing for items that it had not, and for all
                where the folder is no run's.
        """
        vectors = np.stack(self.table["vector"].to_list())
        items = self.table.drop(columns="vector").assign(split=self.table["id"].map(parts_of(Path(model))))
        return Space(items, vectors, self.classes, {"model": str(model), **self.about})


def embed(model: Model, sources: Sequence[str | Path], *, quiet: bool = False) -> Embedded:
    """Embed media files, folders of them, and corpora: recordings, or pictures where the model reads those.

    An item of a corpus is named ``corpus/id``, a file by its path as given; columns of a corpus's own that hold text or
    numbers are kept. Where training normalised by corpus or speaker, an item of a corpus that the model knows is given
    the statistics of its own group. A model of several modalities, of videos or of words is given corpora alone; each
    item is embedded by whatever it has, and the table tells in ``modalities`` what that is.

    Raises:
        InputError: a source that is neither, a corpus that cannot be read as one, no item at all, or none
            that can be read.
    """
    recipe = model.recipe
    if recipe is not None and reads_corpora(recipe):
        found = _of_corpora(model, [Path(source) for source in sources], quiet)
    else:
        found = _of_media(model, [Path(source) for source in sources], quiet)
    items, lengths = found.items, found.lengths
    groups = groups_of(model, items)
    vectors, chances = by_length(model, lengths, found.clips, groups)
    columns = {"id": items["id"].tolist(), "vector": [*vectors], **answered(model, chances)}
    about = about_of(items, recipe, found.fingerprint)
    table = pd.DataFrame(columns).join(known_of_items(items))
    return Embedded(table, found.faulty, model.classes, about, found.omitted, found.corpora, found.notes)


def known_of_items(items: pd.DataFrame) -> pd.DataFrame:
    """What is known of items besides: all columns with any value, but for their ids and where they were read."""
    known = items.drop(columns=["path", "id", ROOT], errors="ignore")
    return known[[name for name in known if known[name].notna().any()]].reset_index(drop=True)


def about_of(items: pd.DataFrame, recipe: Recipe | None, fingerprint: str) -> dict[str, Any]:
    """Where a space of these items comes from, but for its model."""
    about: dict[str, Any] = {"recipe": recipe.name, "features": fingerprint} if recipe is not None else {}
    if ROOT in items:
        about["corpora"] = dict(items[["corpus", ROOT]].dropna().drop_duplicates("corpus").itertuples(index=False))
    return about


@dataclass(frozen=True)
class _Found:
    """Items with features, what those of some of them are, all other items, columns that are left out, and notes."""

    items: pd.DataFrame
    lengths: np.ndarray
    clips: Callable[[np.ndarray], Any]
    faulty: pd.DataFrame
    fingerprint: str
    omitted: dict[str, str] = field(default_factory=dict)
    corpora: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def _of_media(model: Model, sources: Sequence[Path], quiet: bool) -> _Found:
    if model.recipe is not None:
        refuse_other_below(model.recipe, model.digests)
    frontend = model.frontend
    read = read_media(model, sources)
    media, faulty = read.items, read.faulty
    wanted = media[["id", "path", "start", "end", *(["box"] if read.kind == "image" and "box" in media else [])]]
    features = FeatureStore(cache_folders()).extract(wanted, frontend, max_bad_share=1.0, progress=not quiet)
    faulty = pd.concat([faulty, features.quarantine[["id", "reason"]]], ignore_index=True)
    if not len(features.ids):
        raise InputError(f"none of the {len(faulty)} files can be read; {first_of(faulty)}")

    def clips(rows: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(features[int(row)]) for row in rows]

    items = media.set_index("id").loc[list(features.ids)].reset_index()
    return _Found(items, features.lengths, clips, faulty, frontend.fingerprint, read.omitted, notes=read.notes)


def _of_corpora(model: Model, sources: Sequence[Path], quiet: bool) -> _Found:
    if not sources:
        raise InputError("nothing to embed was named; give corpora")
    read = read_corpora(model.recipe, sources, model.digests, quiet=quiet)
    items, repeated = without_repeated(read.items)
    faulty = pd.concat([read.faulty, repeated], ignore_index=True)
    if not len(items):
        why = " ".join(nobody_has_told(read.corpora))
        raise InputError(
            f"none of the {len(faulty)} items can be embedded; {first_of(faulty)}" + (f". {why}" if why else "")
        )
    places = items.pop(ROW).to_numpy()
    items[ROOT] = [str(Path(root).resolve()) for root in items["path"]]

    def clips(rows: np.ndarray) -> Any:
        found = {name: [each[place] for place in places[rows]] for name, each in read.clips.items()}
        return found if model.recipe.modalities else next(iter(found.values()))

    lengths = np.max([each.lengths[places] for each in read.clips.values()], axis=0)
    return _Found(items, lengths, clips, faulty, read.fingerprint, read.omitted, read.corpora, read.notes)


def parts_of(model: Path) -> dict[str, str]:
    """Item -> part, as the run that the model is of has split them."""
    folder = model if holds_run(model) else model.resolve().parent
    return dict(Run(folder).split[["key", "part"]].itertuples(index=False)) if holds_run(folder) else {}


def groups_of(model: Model, items: pd.DataFrame) -> list[str | None] | None:
    """Whose statistics each item is given; loose files have nobody's."""
    groups = model.groups_of(items)
    if groups is None:
        return None
    return [None if pd.isna(corpus) else group for corpus, group in zip(items["corpus"], groups)]
