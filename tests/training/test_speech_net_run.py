"""A run of the net for speech: from a recipe to a model that answers anew as it answered in the run."""

import numpy as np
import pytest

from affectspace.training import load_model, train
from affectspace.training.prepare import prepare

SMALL = {"kind": "speech", "width": 8, "depth": 1, "dimensions": 6, "dropout": 0.2}


@pytest.mark.parametrize(("terms", "non_negative", "geometry"), [("ce", False, None), ("batch", True, "fisher_rao")])
def test_the_saved_model_answers_as_the_run_did(tiny, tmp_path, terms, non_negative, geometry):
    recipe = tiny(terms, encoder={**SMALL, "non_negative": non_negative})
    run = train(recipe, tmp_path / "run", quiet=True)
    assert run.metrics["geometry"] == geometry
    model, data = load_model(run.path), prepare(recipe, quiet=True)
    rows = dict(zip(data.items["key"], range(len(data.items))))
    told = run.predictions.query("split == 'test'").head(5)
    embeddings, probabilities = model([data.clips[rows[item]] for item in told["item"]])
    assert embeddings.shape == (5, 6)
    assert (embeddings.min() >= 0) == non_negative
    np.testing.assert_allclose(embeddings, np.stack(list(told["embedding"])), atol=1e-5)
    np.testing.assert_allclose(probabilities, np.stack(list(told["probabilities"])), atol=1e-5)
