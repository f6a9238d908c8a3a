"""From a path to a corpus: a table first, else the corpus whose published layout it is."""

import difflib
from pathlib import Path
from types import ModuleType

from affectspace.corpora import table
from affectspace.corpora.corpus import Corpus
from affectspace.errors import InputError

__all__ = ["ADAPTERS", "open_corpus"]

ADAPTERS: dict[str, ModuleType] = {module.NAME: module for module in (table,)}
"""Name -> module with ``NAME``, ``matches(path) -> bool`` and ``read(path) -> Corpus``, tried in this order."""


def open_corpus(path: str | Path, adapter: str | None = None) -> Corpus:
    """The corpus at ``path``: a folder, a table file, or a ``corpus.toml``.

    Args:
        path: where it lies. A folder with a table is read as one, see :mod:`affectspace.corpora.table`;
            any other must have the layout in which a known corpus is published.
        adapter: one of ``ADAPTERS``, to read it as that and nothing else; None finds out.

    Raises:
        InputError: nothing there, nothing known there, or an unknown adapter.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "items.csv").write_text("file,emotion\\na.wav,happy\\n")
        >>> open_corpus(folder).items[["id", "audio", "label"]].values.tolist()
        [['a', 'a.wav', 'happy']]
    """
    path = Path(path)
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
    raise InputError(
        f"{path} is no corpus that is known. Looked for a table ({', '.join(table.ITEM_TABLES)}), a corpus.toml, and the "
        f"layouts of {', '.join(name for name in ADAPTERS if name != table.NAME)}. For data of your own, put an items.csv "
        f"with the columns id, audio, label and speaker there; for a known corpus, give its top folder"
    )
