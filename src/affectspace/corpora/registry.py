"""From a path to a corpus: a table first, else the corpus whose published layout it is."""

import difflib
from pathlib import Path
from types import ModuleType

from affectspace.corpora import (
    aadb,
    adience,
    affectnet,
    ami,
    ased,
    bu3dfe,
    cafe,
    ckplus,
    crema_d,
    emodb,
    esd,
    ferplus,
    iemocap,
    image_folder,
    images_of_groups,
    jaffe,
    meld,
    msp_improv,
    ordinal_tabular,
    rafdb,
    ravdess,
    table,
    urdu,
    utkface,
)
from affectspace.corpora.corpus import Corpus
from affectspace.errors import InputError

__all__ = ["ADAPTERS", "open_corpus"]

# Those that are known by one file come before those whose folders have to be searched for names; any folder of
# images comes last.
_MODULES = (
    *(table, iemocap, ami, msp_improv, crema_d, meld, ravdess, emodb, urdu, ased, cafe, esd),
    *(ferplus, rafdb, affectnet, adience, images_of_groups, aadb, ordinal_tabular),
    *(ckplus, jaffe, bu3dfe, utkface, image_folder),
)
ADAPTERS: dict[str, ModuleType] = {module.NAME: module for module in _MODULES}
"""Name -> module with ``NAME``, ``matches(path) -> bool`` and ``read(path) -> Corpus``, tried in this order."""


def open_corpus(path: str | Path, adapter: str | None = None, *, miscounted: bool = False) -> Corpus:
    """The corpus at ``path``: a folder, a table file, or a ``corpus.toml``.

    Args:
        path: where it lies. A folder with a table is read as one, see :mod:`affectspace.corpora.table`;
            any other must have the layout in which a known corpus is published.
        adapter: one of ``ADAPTERS``, to read it as that and nothing else; None finds out.
        miscounted: whether to open one with cells that should count votes and do not, so that
            :func:`~affectspace.corpora.check` can tell of all of them.

    Raises:
        InputError: nothing there, nothing known there, an unknown adapter, or a count of votes that is none.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "items.csv").write_text("file,emotion\\na.wav,happy\\n")
        >>> open_corpus(folder).items[["id", "audio", "label"]].values.tolist()
        [['a', 'a.wav', 'happy']]
    """
    corpus = _read(Path(path).expanduser(), adapter)
    if corpus.miscounted and not miscounted:
        more = len(corpus.miscounted) - 1
        told = f" ({more:,} more such cell{'s' * (more > 1)}: affectspace check lists all)" if more else ""
        raise InputError(corpus.miscounted[0].message + told)
    return corpus


def _read(path: Path, adapter: str | None) -> Corpus:
    if adapter is not None and adapter not in ADAPTERS:
        near = difflib.get_close_matches(adapter, ADAPTERS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"unknown adapter {adapter!r}; {hint}Legal: {', '.join(ADAPTERS)}")
    if not path.exists():
        raise InputError(f"there is no corpus at {path}; give the path of a folder, a table or a corpus.toml")
    if adapter is not None:
        return ADAPTERS[adapter].read(path)
    for module in ADAPTERS.values():
        if module.matches(path):
            return module.read(path)
    known = ", ".join(name for name in ADAPTERS if name != table.NAME)
    raise InputError(
        f"{path} is no corpus that is known. Looked for a table ({', '.join(table.ITEM_TABLES)}), a corpus.toml, "
        f"and the layouts of {known}. For data of your own, put an items.csv with the columns id, audio or image, "
        f"label and speaker there, or give a folder that holds a folder of pictures for each class; for a known "
        f"corpus, give its top folder"
    )
