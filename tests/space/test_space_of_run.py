"""The space of a run folder: its predictions, its classes, and where the media of its corpora lie."""

import json

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.space.space import Space

CLASSES = ["calm", "angry"]


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    (root / "a.png").write_bytes(b"pixels")
    (root / "items.csv").write_text("id,image,text,split\na,a.png,oh no,\nb,,yes,\nc,../x.png,,\n")
    return root


@pytest.fixture
def run(tmp_path, corpus):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.toml").write_text('name = "one"\n[[corpora]]\npath = "mine"\n')
    (folder / "metrics.json").write_text(json.dumps({"classes": CLASSES}))
    about = {"corpora": [{"name": "mine", "path": str(corpus)}], "features": "log_mel-1"}
    (folder / "data.json").write_text(json.dumps(about))
    pd.DataFrame(
        {
            "item": ["mine/a", "mine/b", "mine/c"],
            "split": ["test", "test", "train"],
            "speaker": ["anna", None, "boris"],
            "target": [[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]],
            "probabilities": [[0.1, 0.9], [0.6, 0.4], [0.3, 0.7]],
            "embedding": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]],
        }
    ).to_parquet(folder / "predictions.parquet")
    return folder


def test_a_run_is_the_space_of_its_predictions(run, corpus):
    space = Space.open(run)
    assert space.vectors.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert space.classes == ("calm", "angry")
    about = {"model": str(run.resolve()), "recipe": "one", "features": "log_mel-1"}
    assert space.about == {**about, "corpora": {"mine": str(corpus)}}
    assert space.labels.tolist() == [1, -1, 0]  # the raters of b are tied
    assert np.allclose(space.targets, [[0.2, 0.8], [0.5, 0.5], [1, 0]])
    assert np.allclose(space.probabilities, [[0.1, 0.9], [0.6, 0.4], [0.3, 0.7]])
    assert space.items["prediction"].tolist() == ["angry", "calm", "angry"]
    assert space.items["corpus"].tolist() == ["mine"] * 3
    assert space.where("split=test", "speaker=anna").items["id"].tolist() == ["mine/a"]


def test_media_are_looked_up_and_none_leaves_its_root(run, corpus):
    items = Space.open(run).items
    assert items["image"].fillna("").tolist() == [str((corpus / "a.png").resolve()), "", ""]
    assert items["text"].fillna("").tolist() == ["oh no", "yes", ""]


def test_columns_of_the_items_own_are_looked_up(run, corpus):
    (corpus / "items.csv").write_text("id,image,carried,size,prediction\na,a.png,yes,3,x\nb,,no,4,y\nc,a.png,,,z\n")
    space = Space.open(run)
    assert space.where("carried=no").items["id"].tolist() == ["mine/b"]
    assert space.where("size=3").items["id"].tolist() == ["mine/a"]
    assert space.items["prediction"].tolist() == ["angry", "calm", "angry"]


def test_a_corpus_that_has_gone_leaves_the_space_without_media(run, corpus):
    corpus.rename(corpus.parent / "elsewhere")
    assert Space.open(run).items["image"].isna().all()
    (run / "data.json").unlink()
    assert len(Space.open(run)) == 3


def test_a_saved_space_of_a_run_opens_as_it_was(run, tmp_path):
    Space.open(run).save(tmp_path / "s.parquet")
    back, made = Space.open(tmp_path / "s.parquet"), Space.open(run)
    assert back.about == made.about
    assert np.array_equal(back.targets, made.targets)
    assert back.items["image"].fillna("").tolist() == made.items["image"].fillna("").tolist()


def test_runs_that_are_no_space(run, tmp_path):
    predictions = pd.read_parquet(run / "predictions.parquet")
    predictions.assign(embedding=[[1.0], [1.0, 2.0], [1.0]]).to_parquet(run / "predictions.parquet")
    with pytest.raises(InputError, match="rows of 'embedding' differ in length"):
        Space.open(run)
    predictions.assign(target=[[1.0]] * 3).to_parquet(run / "predictions.parquet")
    with pytest.raises(InputError, match="is damaged: it is not of its 2 classes"):
        Space.open(run)
    (run / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"is not finished .*affectspace train --resume"):
        Space.open(run)
    whole = tmp_path / "whole"
    whole.mkdir()
    run.rename(whole / "fold-00")
    with pytest.raises(InputError, match=r"holds one space a fold; name one of them, such as .*fold-00"):
        Space.open(whole)
