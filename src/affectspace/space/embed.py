"""Items to vectors by a trained model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora import open_corpus
from affectspace.errors import InputError
from affectspace.features import FeatureStore
from affectspace.files import inside
from affectspace.tables import TABLE_SUFFIXES
from affectspace.training.data import cache_folder
from affectspace.training.model import Model

__all__ = ["AUDIO_SUFFIXES", "Embedded", "embed"]

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au", ".opus"}
BATCH = 64


@dataclass(frozen=True)
class Embedded:
    """The vectors of many items, and the items that could not be read.

    Args:
        table: one row an item: ``id``, ``vector`` (list of float), ``probabilities`` (list of float, in
            the order of the model's classes), ``prediction`` (the most probable class).
        quarantine: ``id`` and ``reason`` of every item left out.
    """

    table: pd.DataFrame
    quarantine: pd.DataFrame


def embed(model: Model, sources: Sequence[str | Path], *, quiet: bool = False) -> Embedded:
    """Embed audio files, folders of them, and corpora.

    An item of a corpus is named ``corpus/id``, a file by its path as given.

    Raises:
        InputError: a source that is neither, no item at all, or none that can be read.
    """
    media = pd.concat([_media(Path(source)) for source in sources], ignore_index=True)
    media = media.drop_duplicates("id", ignore_index=True)
    if not len(media):
        raise InputError(
            f"no audio in {', '.join(map(str, sources))}; its files end in {', '.join(sorted(AUDIO_SUFFIXES))}"
        )
    features = FeatureStore(cache_folder()).extract(media, model.frontend, max_bad_share=1.0, progress=not quiet)
    if not len(features.ids):
        raise InputError(
            f"none of the {len(media)} files can be read; the first: {features.quarantine['reason'].iloc[0]}"
        )
    order = np.argsort(features.lengths, kind="stable")
    vectors: list[np.ndarray | None] = [None] * len(order)
    chances: list[np.ndarray | None] = [None] * len(order)
    for part in np.array_split(order, -(-len(order) // BATCH)):
        embeddings, probabilities = model([np.asarray(features[int(row)]) for row in part])
        for row, vector, chance in zip(part, embeddings, probabilities):
            vectors[row], chances[row] = vector, chance
    columns = {
        "id": list(features.ids),
        "vector": vectors,
        "probabilities": chances,
        "prediction": [model.classes[int(np.argmax(chance))] for chance in chances if chance is not None],
    }
    return Embedded(pd.DataFrame(columns), features.quarantine)


def _media(source: Path) -> pd.DataFrame:
    if source.is_file() and source.suffix.lower() in AUDIO_SUFFIXES:
        return pd.DataFrame({"id": [str(source)], "path": [str(source.resolve())], "start": [pd.NA], "end": [pd.NA]})
    if not source.exists():
        raise InputError(f"there is nothing at {source}; give audio files, a folder of them, or a corpus")
    try:
        corpus = open_corpus(source)
    except InputError:
        if not source.is_dir() or source.suffix in TABLE_SUFFIXES:
            raise
        files = sorted(
            f for f in source.rglob("*") if f.suffix.lower() in AUDIO_SUFFIXES and not f.name.startswith(".")
        )
        return pd.DataFrame(
            {"id": [str(f) for f in files], "path": [str(f.resolve()) for f in files], "start": pd.NA, "end": pd.NA}
        )
    heard = corpus.items[corpus.items["audio"].notna()]
    return pd.DataFrame(
        {
            "id": (corpus.name + "/" + heard["id"]).tolist(),
            "path": [str(inside(corpus.root, path).resolve()) for path in heard["audio"]],
            "start": heard["start"].tolist(),
            "end": heard["end"].tolist(),
        }
    )
