"""A saved estimator answers with the same bits, and what is said of a folder that is none."""

import json

import numpy as np
import pandas as pd
import pytest

from affectspace import EmotionSpace
from affectspace.errors import InputError


def fitted(y=("a", "b"), **params) -> tuple[EmotionSpace, pd.DataFrame]:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)) + np.arange(20)[:, None] % 2, columns=list("xyz"))
    return EmotionSpace(hidden=8, epochs=2, **params).fit(X, np.array([*y] * 10)), X


@pytest.mark.parametrize("y", [("a", "b"), (1, 2), (0.0, 1.0), (True, False), np.array(["a", "b"], dtype=object)])
def test_it_answers_with_the_same_bits(y, tmp_path):
    space, X = fitted(y, weight=np.float64(0.5), loss_params={"geometry": "angle"}, limit=3.0)
    other = EmotionSpace.load(space.save(tmp_path / "space"))
    assert (other.predict_proba(X) == space.predict_proba(X)).all()
    assert (other.transform(X) == space.transform(X)).all()
    assert (other.predict(X) == space.predict(X)).all()
    assert other.classes_.dtype == space.classes_.dtype
    assert other.get_params() == space.get_params()
    assert other.history_ == space.history_
    assert sorted(file.name for file in (tmp_path / "space").iterdir()) == ["estimator.json", "model.safetensors"]
    with pytest.raises(ValueError, match="feature names should match"):
        other.predict(X[["x", "z", "y"]])


def test_a_stream_of_random_numbers_is_not_kept(tmp_path):
    space, _ = fitted(random_state=np.random.RandomState(0))
    assert EmotionSpace.load(space.save(tmp_path / "space")).random_state is None


def test_folders_that_are_none(tmp_path):
    space, _ = fitted()
    folder = space.save(tmp_path / "space")
    with pytest.raises(InputError, match="exists already"):
        space.save(folder)
    with pytest.raises(InputError, match="there is no saved EmotionSpace in"):
        EmotionSpace.load(tmp_path / "other")
    about = json.loads((folder / "estimator.json").read_text())
    (folder / "estimator.json").write_text(json.dumps(about | {"format": 9}))
    with pytest.raises(InputError, match="is of estimator format 9, and this affectspace reads 1; upgrade it"):
        EmotionSpace.load(folder)
    for broken in ({"params": {"nmae": 1}}, {"mean": [0.0]}, {"classes_type": "?!"}):
        (folder / "estimator.json").write_text(json.dumps(about | broken))
        with pytest.raises(InputError, match="is damaged"):
            EmotionSpace.load(folder)
    (folder / "estimator.json").write_text(json.dumps(about))
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is damaged"):
        EmotionSpace.load(folder)


def test_labels_that_json_cannot_hold(tmp_path):
    space, _ = fitted(y=np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"))
    with pytest.raises(InputError, match=r"classes are of type datetime64\[D\], which JSON cannot hold"):
        space.save(tmp_path / "space")
    assert not (tmp_path / "space").exists()
