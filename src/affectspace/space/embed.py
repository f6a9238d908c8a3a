"""Items to vectors by a trained model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.corpora import ADAPTERS, Corpus, check, open_corpus
from affectspace.corpora.layout import AUDIO_ENDINGS, IMAGE_ENDINGS
from affectspace.errors import InputError
from affectspace.features import FeatureStore
from affectspace.files import inside
from affectspace.space.of_corpus import known_of
from affectspace.space.own_columns import own_columns, typed
from affectspace.space.read_corpora import ROW, read_corpora, reads_corpora
from affectspace.space.space import Space
from affectspace.training.below_data import refuse_other_below
from affectspace.training.frontends import cache_folder
from affectspace.training.model import Model
from affectspace.training.recipe import Recipe
from affectspace.training.run import Run, holds_run
from affectspace.training.set_aside import unusable
from affectspace.training.who_has import nobody_has_told

__all__ = ["Embedded", "embed"]

ENDINGS = {"audio": AUDIO_ENDINGS, "image": IMAGE_ENDINGS}
BATCH = 64
ROOT = "folder of the corpus"  # as no corpus names a column of its own
NOTHING = pd.DataFrame({"id": [], "reason": []}, dtype=object)


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
        items = self.table.drop(columns="vector").assign(split=self.table["id"].map(_parts(Path(model))))
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
    groups = _groups(model, items)
    order = np.argsort(lengths, kind="stable")
    vectors: list[np.ndarray | None] = [None] * len(order)
    chances: list[np.ndarray | None] = [None] * len(order)
    for part in np.array_split(order, -(-len(order) // BATCH)):
        clips = found.clips(part)
        embeddings, probabilities = model(clips, None if groups is None else [groups[row] for row in part])
        for row, vector, chance in zip(part, embeddings, probabilities):
            vectors[row], chances[row] = vector, chance
    columns = {
        "id": items["id"].tolist(),
        "vector": vectors,
        "probabilities": chances,
        "prediction": [model.classes[int(np.argmax(chance))] for chance in chances if chance is not None],
    }
    if model.cut is not None:
        columns["predicted_value"] = model.cut.values(np.stack([chance for chance in chances if chance is not None]))
    known = items.drop(columns=["path", "id", ROOT], errors="ignore")
    known = known[[name for name in known if known[name].notna().any()]].reset_index(drop=True)
    about: dict[str, Any] = {"recipe": recipe.name, "features": found.fingerprint} if recipe is not None else {}
    if ROOT in items:
        about["corpora"] = dict(items[["corpus", ROOT]].dropna().drop_duplicates("corpus").itertuples(index=False))
    table = pd.DataFrame(columns).join(known)
    return Embedded(table, found.faulty, model.classes, about, found.omitted, found.corpora, found.notes)


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
    recipe = model.recipe
    if recipe is not None:
        refuse_other_below(recipe, model.digests)
    frontend = model.frontend
    kind = "image" if recipe is not None and recipe.features.kind == "faces" else "audio"
    read = [_media(source, kind, recipe) for source in sources]
    if not read:
        raise InputError(f"nothing to embed was named; give {kind} files, folders of them, or corpora")
    media = typed(pd.concat([items for items, _, _, _ in read], ignore_index=True))
    faulty = pd.concat([aside for _, aside, _, _ in read], ignore_index=True)
    omitted = {name: why for _, _, reasons, _ in read for name, why in reasons.items()}
    notes = tuple(note for *_, note in read if note)
    media, repeated = _without_repeated(media)
    faulty = pd.concat([faulty, repeated], ignore_index=True)
    if not len(media):
        raise InputError(f"none of the {len(faulty)} items can be embedded; {_first(faulty)}")
    wanted = media[["id", "path", "start", "end", *(["box"] if kind == "image" and "box" in media else [])]]
    features = FeatureStore(cache_folder()).extract(wanted, frontend, max_bad_share=1.0, progress=not quiet)
    faulty = pd.concat([faulty, features.quarantine[["id", "reason"]]], ignore_index=True)
    if not len(features.ids):
        raise InputError(f"none of the {len(faulty)} files can be read; {_first(faulty)}")

    def clips(rows: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(features[int(row)]) for row in rows]

    items = media.set_index("id").loc[list(features.ids)].reset_index()
    return _Found(items, features.lengths, clips, faulty, frontend.fingerprint, omitted, notes=notes)


def _of_corpora(model: Model, sources: Sequence[Path], quiet: bool) -> _Found:
    if not sources:
        raise InputError("nothing to embed was named; give corpora")
    read = read_corpora(model.recipe, sources, model.digests, quiet=quiet)
    items, repeated = _without_repeated(read.items)
    faulty = pd.concat([read.faulty, repeated], ignore_index=True)
    if not len(items):
        why = " ".join(nobody_has_told(read.corpora))
        raise InputError(
            f"none of the {len(faulty)} items can be embedded; {_first(faulty)}" + (f". {why}" if why else "")
        )
    places = items.pop(ROW).to_numpy()
    items[ROOT] = [str(Path(root).resolve()) for root in items["path"]]

    def clips(rows: np.ndarray) -> Any:
        found = {name: [each[place] for place in places[rows]] for name, each in read.clips.items()}
        return found if model.recipe.modalities else next(iter(found.values()))

    lengths = np.max([each.lengths[places] for each in read.clips.values()], axis=0)
    return _Found(items, lengths, clips, faulty, read.fingerprint, read.omitted, read.corpora, read.notes)


def _parts(model: Path) -> dict[str, str]:
    """Item -> part, as the run that the model is of has split them."""
    folder = model if holds_run(model) else model.resolve().parent
    return dict(Run(folder).split[["key", "part"]].itertuples(index=False)) if holds_run(folder) else {}


def _media(
    source: Path, kind: str = "audio", recipe: Recipe | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str], str]:
    """What a source holds (id, path, start, end, columns of a space, then its own), what cannot be used (id, reason).

    And which of its own columns are left out, and why; and a sentence on labels that are, or nothing.
    """
    if not source.exists():
        raise InputError(f"there is nothing at {source}; give {kind} files, a folder of them, or a corpus")
    if source.is_file() and source.suffix.lower() in ENDINGS[kind]:
        return _loose([source], kind), NOTHING, {}, ""
    # Only a folder that nobody takes for a corpus is one of loose files: a broken table is to be mended, not ignored.
    if source.is_dir() and not any(adapter.matches(source) for adapter in ADAPTERS.values()):
        files = sorted(f for f in source.rglob("*") if f.suffix.lower() in ENDINGS[kind] and not f.name.startswith("."))
        if not files:
            raise InputError(
                f"{source} holds neither a known corpus nor {kind}; its files would end in "
                f"{', '.join(sorted(ENDINGS[kind]))}"
            )
        return _loose(files, kind), NOTHING, {}, ""
    return _of_corpus(open_corpus(source), kind, recipe)


def _loose(files: list[Path], kind: str) -> pd.DataFrame:
    paths = [str(f.resolve()) for f in files]
    table = {"id": [str(f) for f in files], "path": paths, kind: paths}
    return pd.DataFrame(table).assign(start=None, end=None, corpus=None, speaker=None)


def _of_corpus(
    corpus: Corpus, kind: str, recipe: Recipe | None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str], str]:
    if not len(corpus):
        raise InputError(f"{corpus.root} holds no item; affectspace check {corpus.root} tells what a corpus needs")
    reasons = unusable(corpus, check(corpus, read_media=False), kind)
    named = corpus.items["id"].fillna(pd.Series([f"row {row + 1}" for row in range(len(corpus))], dtype="string"))
    items = corpus.items.assign(id=corpus.name + "/" + named)
    bad = sorted(reasons)
    good = items.drop(index=items.index[bad])
    media = pd.DataFrame(
        {
            "id": good["id"].tolist(),
            "path": [str(inside(corpus.root, path).resolve()) for path in good[kind]],
            ROOT: str(corpus.root.resolve()),
        }
    )
    own, omitted = own_columns(corpus)
    known, note = known_of(corpus, recipe)
    media = media.merge(known, on="id", how="left").merge(own, on="id", how="left")
    faulty = pd.DataFrame({"id": items["id"].iloc[bad].tolist(), "reason": [reasons[row] for row in bad]})
    return media, faulty, omitted, note


def _without_repeated(media: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first item of each id, and why each other one is left out."""
    again = media["id"].duplicated()
    first = media[~again].set_index("id")["path"]
    reasons = [
        "it was given more than once, and is embedded once"
        if first[name] == path
        else f"another item has this id too ({first[name]}); embed one of the two by itself"
        for name, path in zip(media.loc[again, "id"], media.loc[again, "path"])
    ]
    repeated = pd.DataFrame({"id": media.loc[again, "id"].tolist(), "reason": reasons})
    return media[~again].reset_index(drop=True), repeated


def _groups(model: Model, items: pd.DataFrame) -> list[str | None] | None:
    """Whose statistics each item is given; loose files have nobody's."""
    groups = model.groups_of(items)
    if groups is None:
        return None
    return [None if pd.isna(corpus) else group for corpus, group in zip(items["corpus"], groups)]


def _first(faulty: pd.DataFrame) -> str:
    return f"the first: {faulty['id'].iloc[0]}: {faulty['reason'].iloc[0]}" if len(faulty) else "there are none"
