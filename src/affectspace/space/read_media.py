"""What files, folders and corpora hold for a model of recordings or pictures, before any of it is read."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from affectspace.corpora import ADAPTERS, Corpus, check, open_corpus
from affectspace.corpora.layout import AUDIO_ENDINGS, IMAGE_ENDINGS
from affectspace.corpora.stored import stored_corpus
from affectspace.errors import InputError
from affectspace.places import is_url
from affectspace.space.of_corpus import known_of
from affectspace.space.own_columns import own_columns, typed
from affectspace.training.model import Model
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_features import FaceFeatures
from affectspace.training.set_aside import unusable

__all__ = ["ROOT", "MediaRead", "first_of", "read_media", "read_source", "without_repeated"]

ENDINGS = {"audio": AUDIO_ENDINGS, "image": IMAGE_ENDINGS}
TABLES = (".csv", ".tsv", ".parquet", ".toml")
ROOT = "folder of the corpus"  # as no corpus names a column of its own
UNSEEN = {"missing-file", "empty-file"}  # faults that nobody can tell of media in a store without asking for each
NOTHING = pd.DataFrame({"id": [], "reason": []}, dtype=object)


@dataclass(frozen=True)
class MediaRead:
    """Items whose media a model can be given.

    Args:
        items: ``id``, ``path`` (absolute, or a URL), ``start``, ``end``, what is known of each, the corpora's own
            columns, and :data:`ROOT`.
        faulty: ``id`` and ``reason`` of all other items.
        kind: ``"audio"`` or ``"image"``.
        omitted: columns that are left out, and why.
        notes: a sentence on labels of each corpus that are missing, and on links of each folder that are not followed.
    """

    items: pd.DataFrame
    faulty: pd.DataFrame
    kind: str
    omitted: dict[str, str]
    notes: tuple[str, ...] = ()


def read_media(model: Model, sources: Sequence[str | Path]) -> MediaRead:
    """What the sources hold, each id once.

    Raises:
        InputError: a source that is neither files nor a corpus, or none that can be embedded.
        AffectspaceError: a store cannot be asked.
    """
    recipe = model.recipe
    kind = "image" if recipe is not None and isinstance(recipe.features, FaceFeatures) else "audio"
    read = [read_source(source, kind, recipe) for source in sources]
    if not read:
        raise InputError(f"nothing to embed was named; give {kind} files, folders of them, or corpora")
    media = typed(pd.concat([items for items, _, _, _ in read], ignore_index=True))
    media, repeated = without_repeated(media)
    faulty = pd.concat([*(aside for _, aside, _, _ in read), repeated], ignore_index=True)
    if not len(media):
        raise InputError(f"none of the {len(faulty)} items can be embedded; {first_of(faulty)}")
    omitted = {name: why for _, _, reasons, _ in read for name, why in reasons.items()}
    return MediaRead(media, faulty, kind, omitted, tuple(note for *_, note in read if note))


def read_source(
    source: str | Path, kind: str = "audio", recipe: Recipe | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str], str]:
    """What a source holds (id, path, start, end, columns of a space, then its own), what cannot be used (id, reason).

    And which of its own columns are left out, and why; and a sentence on labels or linked folders that are, or nothing.
    """
    if is_url(source):
        return _of_store(str(source), kind, recipe)
    source = Path(source)
    if not source.exists():
        raise InputError(f"there is nothing at {source}; give {kind} files, a folder of them, or a corpus")
    if source.is_file() and source.suffix.lower() in ENDINGS[kind]:
        return _loose([source], kind), NOTHING, {}, ""
    # Only a folder that nobody takes for a corpus is one of loose files: a broken table is to be mended, not ignored.
    if source.is_dir() and not any(adapter.matches(source) for adapter in ADAPTERS.values()):
        files, links = _media_below(source, kind)
        note = ""
        if links:
            several = f"{len(links):,} folders in {source} are links, the first {links[0]}"
            told = several if len(links) > 1 else f"{links[0]} is a link to a folder"
            note = f"{told}, and links to folders are not followed; name such a folder beside {source} to embed it"
        if not files:
            raise InputError(
                f"{source} holds neither a known corpus nor {kind}; its files would end in "
                f"{', '.join(sorted(ENDINGS[kind]))}" + (f". {note}" if note else "")
            )
        return _loose(files, kind), NOTHING, {}, note
    return _of_corpus(open_corpus(source), kind, recipe)


def _media_below(folder: Path, kind: str) -> tuple[list[Path], list[Path]]:
    """Media anywhere in a folder, and the links to folders in it, which may lead back here."""
    media, links = [], []
    for top, folders, files in os.walk(folder):
        links += [path for path in (Path(top, name) for name in folders) if path.is_symlink()]
        media += [Path(top, name) for name in files if not name.startswith(".")]
    return sorted(path for path in media if path.suffix.lower() in ENDINGS[kind]), sorted(links)


def _loose(files: list[Path], kind: str) -> pd.DataFrame:
    paths = [str(f.resolve()) for f in files]
    table = {"id": [str(f) for f in files], "path": paths, kind: paths}
    return pd.DataFrame(table).assign(start=None, end=None, corpus=None, speaker=None)


def _of_corpus(
    corpus: Corpus, kind: str, recipe: Recipe | None, but: Collection[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str], str]:
    if not len(corpus):
        raise InputError(f"{corpus.root} holds no item; affectspace check {corpus.root} tells what a corpus needs")
    faults = check(corpus, read_media=False)
    reasons = unusable(corpus, [fault for fault in faults if fault.problem not in but], kind)
    named = corpus.items["id"].fillna(pd.Series([f"row {row + 1}" for row in range(len(corpus))], dtype="string"))
    items = corpus.items.assign(id=corpus.name + "/" + named)
    bad = sorted(reasons)
    good = items.drop(index=items.index[bad])
    media = pd.DataFrame(
        {
            "id": good["id"].tolist(),
            ROOT: str(corpus.root.resolve()),
        }
    )
    own, omitted = own_columns(corpus)
    known, note = known_of(corpus, recipe, faults)
    media = media.merge(known, on="id", how="left").merge(own, on="id", how="left")
    media.insert(1, "path", media[kind].astype(object))  # those that lead out of the corpus are among the bad ones
    faulty = pd.DataFrame({"id": items["id"].iloc[bad].tolist(), "reason": [reasons[row] for row in bad]})
    return media, faulty, omitted, note


def _of_store(url: str, kind: str, recipe: Recipe | None) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str], str]:
    """The same of a corpus in a store, every path a URL; whether there is such a file is seen once it is read."""
    with stored_corpus(url) as corpus:
        media, faulty, omitted, note = _of_corpus(corpus, kind, recipe, but=UNSEEN)
        here = f"{corpus.root.resolve()}/"
    base = url.rstrip("/") if not url.endswith(TABLES) else url.rpartition("/")[0]
    for name in ("path", "audio", "image"):
        if name in media:
            inside_it = media[name].astype("string").str.startswith(here, na=False)
            media[name] = media[name].where(~inside_it, base + "/" + media[name].astype("string").str[len(here) :])
    return media.assign(**{ROOT: base}), faulty, omitted, note


def without_repeated(media: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
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


def first_of(faulty: pd.DataFrame) -> str:
    return f"the first: {faulty['id'].iloc[0]}: {faulty['reason'].iloc[0]}" if len(faulty) else "there are none"
