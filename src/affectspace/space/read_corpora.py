"""Items of corpora to features, for models that read several modalities, or what no loose file is of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.corpora import ADAPTERS, Corpus, check, open_corpus
from affectspace.corpora.layout import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS
from affectspace.errors import InputError
from affectspace.features import Features
from affectspace.space.of_corpus import known_of
from affectspace.space.own_columns import own_columns, typed
from affectspace.training.below_data import refuse_other_below
from affectspace.training.frontends import joined_fingerprint, make_frontend, medium
from affectspace.training.inputs import Clips
from affectspace.training.read_modality import nobody_has, read_modality, why_unread
from affectspace.training.recipe import Recipe
from affectspace.training.set_aside import unusable

__all__ = ["ROW", "CorporaRead", "read_corpora", "reads_corpora"]

ROW = "row in clips"  # as no corpus names a column of its own
LOOSE = {*AUDIO_ENDINGS, *IMAGE_ENDINGS, *VIDEO_ENDINGS, ".txt"}


@dataclass(frozen=True)
class CorporaRead:
    """What a model's front ends have made of the items of corpora.

    Args:
        items: those that have any modality: ``id`` (corpus/id), ``path`` of the corpus, :data:`ROW` in ``clips``,
            ``modalities`` that the item has, joined with ``+``, where the model reads several, what is known of it, and
            the corpus's own columns.
        clips: features by modality, or by the medium of a single one; of no frame where an item lacks it.
        faulty: ``id`` and ``reason`` of all other items.
        fingerprint: of the front ends.
        corpora: of several modalities, what there is to say of each corpus, see ``Embedded``.
        omitted: columns of the corpora's own that are left out, and why.
        notes: a sentence on labels of each corpus that are missing in ``items``.
    """

    items: pd.DataFrame
    clips: dict[str, Clips]
    faulty: pd.DataFrame
    fingerprint: str
    corpora: tuple[dict[str, Any], ...] = ()
    omitted: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def reads_corpora(recipe: Recipe) -> bool:
    """Whether a model of this recipe is given corpora alone: a loose file has one modality, and words have no file."""
    return bool(recipe.modalities) or medium(recipe) in ("video", "text")


def read_corpora(
    recipe: Recipe, sources: Sequence[Path], digests: Mapping[str, str] | None = None, *, quiet: bool = False
) -> CorporaRead:
    """Read corpora as training does, each item with whatever modalities it has.

    Args:
        recipe: of a model.
        sources: the corpora.
        digests: of the model, :attr:`Model.digests`.
        quiet: whether no bar is shown.

    Raises:
        InputError: a source that is no corpus, or files that the recipe reads and that are not below its ``data``, or
            not those of training.
    """
    refuse_other_below(recipe, digests)
    several = bool(recipe.modalities)
    views = {  # an item at fault is named and left out, however many there are: nothing is trained of them
        name if several else medium(recipe): view.model_copy(
            update={"features": view.features.model_copy(update={"max_bad_share": 1.0})}
        )
        for name, view in recipe.per_modality().items()
    }
    frontends = {name: make_frontend(view) for name, view in views.items()}
    items, faulty, told_of, omitted, notes = [], [], [], {}, []
    parts: dict[str, list[tuple[Features, np.ndarray]]] = {name: [] for name in views}
    for source in sources:
        corpus = _corpus(source, recipe)
        faults = check(corpus, read_media=False)
        wrong = unusable(corpus, faults, None)
        named = corpus.items["id"].fillna(pd.Series([f"row {row + 1}" for row in range(len(corpus))], dtype="string"))
        rows = corpus.items.drop(index=corpus.items.index[sorted(wrong)]).reset_index(drop=True)
        read = {
            name: read_modality(corpus, faults, rows, view, frontends[name], quiet, name)
            for name, view in views.items()
        }
        has = {name: each.rows >= 0 for name, each in read.items()}
        kept: np.ndarray = np.logical_or.reduce([*has.values()])
        told = [(f"{corpus.name}/{named.iloc[row]}", reason) for row, reason in wrong.items()]
        told += [(f"{corpus.name}/{item}", why_unread(read, str(item))) for item in rows["id"][~kept]]
        faulty.append(pd.DataFrame(told, columns=["id", "reason"], dtype=object))
        found = pd.DataFrame({"id": (corpus.name + "/" + rows["id"][kept]).tolist(), "path": str(corpus.root)})
        if several:
            counts = {name: int(own.sum()) for name, own in has.items()}
            lacked = nobody_has(rows["id"].tolist(), read, frontends)
            told_of.append({"name": corpus.name, "used": int(kept.sum()), "modalities": counts, "nobody_has": lacked})
            found["modalities"] = ["+".join(name for name in has if has[name][row]) for row in np.flatnonzero(kept)]
        own, reasons = own_columns(corpus)
        omitted |= reasons
        known, note = known_of(corpus, recipe, faults)
        notes.append(note)
        items.append(found.merge(known, on="id", how="left").merge(own, on="id", how="left"))
        for name, each in read.items():
            parts[name].append((each.features, each.rows[kept]))
    table = typed(pd.concat(items, ignore_index=True))
    clips = {
        name: Clips(
            [features for features, _ in own],
            np.concatenate([np.stack([np.full(len(rows), at), rows], 1) for at, (_, rows) in enumerate(own)]),
        )
        for name, own in parts.items()
    }
    table[ROW] = np.arange(len(table))
    fingerprint, told = joined_fingerprint(recipe, frontends), pd.concat(faulty, ignore_index=True)
    return CorporaRead(table, clips, told, fingerprint, tuple(told_of), omitted, tuple(filter(None, notes)))


def _corpus(source: Path, recipe: Recipe) -> Corpus:
    if not source.exists():
        raise InputError(f"there is nothing at {source}; give a corpus")
    loose = source.suffix.lower() in LOOSE
    if loose or (source.is_dir() and not any(adapter.matches(source) for adapter in ADAPTERS.values())):
        reads = (
            f"several modalities ({', '.join(recipe.modalities)})" if recipe.modalities else f"{medium(recipe)} alone"
        )
        raise InputError(
            f"{source} is no corpus, and this model reads {reads}, which a loose file does not tell; make a corpus of "
            "it: a folder with a table items.csv of columns id, audio, video and text, as docs/your-data.md shows"
        )
    return open_corpus(source)
