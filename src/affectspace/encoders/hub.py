"""Which state of a model on the hub is meant: its name says the newest, which may change from day to day."""

import json
from pathlib import Path

__all__ = ["hub_files", "hub_revision"]

WEIGHTS = "model.safetensors"


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
    from transformers.utils.hub import cached_file, extract_commit_hash  # pyright: ignore[reportMissingImports]

    return extract_commit_hash(str(cached_file(str(source), "config.json", revision=revision)), None)


def hub_files(source: str, revision: str, settings: str) -> list[Path]:
    """What decides the answers of a model on the hub, in its cache on this machine; fetched where it is not there yet.

    Args:
        source: a name on the hub.
        revision: the commit.
        settings: name of the file that says what the model is given, ``tokenizer.json`` for one.

    Returns:
        The configuration, the weights and the settings, as far as the model has them; what else was published with
        it changes none of its answers.
    """
    found = {name: _hub_file(source, name, revision) for name in ("config.json", WEIGHTS, settings)}
    if found[WEIGHTS] is None and (index := _hub_file(source, f"{WEIGHTS}.index.json", revision)):  # in several files
        shards = {*json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
        found |= {name: _hub_file(source, name, revision) for name in sorted(shards)}
    return [file for file in found.values() if file is not None]


def _hub_file(source: str, name: str, revision: str) -> Path | None:
    from transformers.utils.hub import cached_file  # pyright: ignore[reportMissingImports]

    try:
        return Path(str(cached_file(source, name, revision=revision)))
    except OSError:  # the model has none
        return None
