"""Which state of a model on the hub is meant: its name says the newest, which may change from day to day."""

from pathlib import Path

__all__ = ["hub_revision"]


def hub_revision(source: str | Path, revision: str | None = None) -> str | None:
    """The commit of a model on the hub, or in its cache on this machine; None of a folder, which has none.

    Args:
        source: a folder, or a name on the hub.
        revision: a commit that was found before; None: the newest, offline that which was the newest.

    Raises:
        OSError: there is no such model, or no such commit of it.
    """
    if Path(source).is_dir():
        return None
    from transformers.utils import cached_file  # pyright: ignore[reportMissingImports]
    from transformers.utils.hub import extract_commit_hash  # pyright: ignore[reportMissingImports]

    return extract_commit_hash(str(cached_file(str(source), "config.json", revision=revision)), None)
