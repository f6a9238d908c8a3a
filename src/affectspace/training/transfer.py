"""A trained model measured on a corpus that it never saw."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectspace.errors import LeakError
from affectspace.training.data import gather
from affectspace.training.evaluate import Predictions, figures
from affectspace.training.model import load_model
from affectspace.training.recipe import CorpusEntry
from affectspace.training.run import Run

__all__ = ["evaluate_on"]


def evaluate_on(
    run: Run, corpus: str | Path, adapter: str | None = None, allow: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Scores of the run's model on all labelled items of ``corpus``, nothing of which it may know.

    Raises:
        LeakError: a speaker or a recording of the corpus took part in training or selection, and
            ``allow`` does not name it.
        InputError: no finished model, or a corpus without usable items.
    """
    model = load_model(run.path)
    recipe = model.recipe.model_copy(
        update={"data": str(Path.cwd()), "corpora": (CorpusEntry(path=str(Path(corpus).resolve()), adapter=adapter),)}
    )
    gathered = gather(recipe)
    _refuse_known(run, gathered.items, allow)
    embeddings, probabilities = [], []
    for part in np.array_split(np.arange(len(gathered.items)), -(-len(gathered.items) // 128)):
        vectors, chances = model([gathered.clips[row] for row in part])
        embeddings.append(vectors)
        probabilities.append(chances)
    rows = np.arange(len(gathered.items))
    predictions = Predictions(rows, gathered.targets.numpy(), np.concatenate(probabilities), np.concatenate(embeddings))
    found = figures(predictions, run.metrics["geometry"])
    return {
        "corpus": gathered.about[0]["name"],
        "items": len(gathered.items),
        "scores": found,
        "data": gathered.about[0],
    }


def _refuse_known(run: Run, items: pd.DataFrame, allow: tuple[str, ...]) -> None:
    known = pd.read_parquet(run.path / "split.parquet").query("part != 'test'")
    own = {
        "speaker": (items["corpus"] + "/" + items["speaker"], known["corpus"] + "/" + known["speaker"]),
        "audio": (items["audio_sha"], known["audio_sha"]),
    }
    for group, (here, there) in own.items():
        shared = here.dropna()[here.dropna().isin(set(there.dropna()))]
        if len(shared) and group not in allow:
            raise LeakError(
                f"{shared.nunique()} {group}s of this corpus took part in training (such as {shared.iloc[0]}, "
                f"{len(shared)} items), so this is no test; choose another corpus, or say --allow {group}"
            )
