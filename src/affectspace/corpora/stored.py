"""The tables of a corpus that lies in a store: they are fetched, its media stay where they are."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affectspace.corpora.corpus import Corpus
from affectspace.corpora.corpus_toml import read_description
from affectspace.corpora.registry import open_corpus
from affectspace.corpora.table import ITEM_TABLES, RATING_TABLES
from affectspace.errors import InputError
from affectspace.places import Place

__all__ = ["stored_corpus"]

CARD = "corpus.toml"
WILD = "*?["


@contextmanager
def stored_corpus(url: str) -> Iterator[Corpus]:
    """The corpus below a URL, known by its table; its root is a folder of this machine without any media.

    Args:
        url: of the folder that its table lies in, or of its table; see :mod:`affectspace.corpora.table`.

    Raises:
        InputError: no table there, tables named by a pattern, media elsewhere than beside the table, images in the
            rows of a table, or a table that cannot be read.
        AffectspaceError: the store cannot be asked.
    """
    place, table = Place(url), ""
    if url.endswith((".csv", ".tsv", ".parquet", ".toml")):
        folder, _, table = place.url.rpartition("/")
        place = Place(folder)
    with tempfile.TemporaryDirectory(prefix="affectspace-") as scratch:
        here = Path(scratch, place.url.rpartition("/")[2] or "corpus")
        found = [name for name in dict.fromkeys([table or CARD, CARD]) if place.fetch(name, here / name)]
        card = next((here / name for name in found if name.endswith(".toml")), None)
        named = _named(place, card) if card is not None else {"items": (), "ratings": ()}
        for key, usual in (("items", () if table else ITEM_TABLES), ("ratings", RATING_TABLES)):
            for name in named[key]:
                if not place.fetch(name, here / name):
                    raise InputError(f"there is no {place.path(name)}, which {place.path(CARD)} names as its {key}")
            if not named[key]:
                found += [name for name in usual if place.fetch(name, here / name)]
            found += named[key]
        if not found or found == [CARD]:
            looked = f"there is nothing at {url}" if table else f"{url} holds no table; looked for {_told()}"
            raise InputError(f"{looked}; a corpus in a store is known by its table, so put an items.csv there")
        corpus = open_corpus(here / table if table else here)
        if corpus.items["image"].str.contains("#", regex=False, na=False).any():
            raise InputError(
                f"{url} has its images in the rows of a table, of which each worker would fetch all; copy the corpus "
                "to a disk, or put its images there as files"
            )
        yield corpus


def _told() -> str:
    return ", ".join([CARD, *ITEM_TABLES])


def _named(place: Place, card: Path) -> dict[str, tuple[str, ...]]:
    description = read_description(card)
    where = place.path(card.name)
    if description.root.resolve() != card.parent.resolve():
        raise InputError(f"{where} has a root, and in a store media lie beside it; leave root out")
    named = {"items": tuple(description.items), "ratings": tuple(description.ratings)}
    for key, names in named.items():
        for name in names:
            if any(mark in name for mark in WILD):
                raise InputError(
                    f"{where} has {key} = {name!r}, and of a store no list is asked for; name each table there"
                )
    return named
