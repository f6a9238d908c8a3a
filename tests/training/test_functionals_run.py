"""Functionals from recordings to a run, a test on another corpus, and new files."""

import json

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.features import Functionals
from affectspace.space.embed import embed
from affectspace.training import load_model, train
from affectspace.training.gather import gather
from affectspace.training.transfer import evaluate_on

pytest.importorskip("opensmile")
SMALL = {"kind": "functionals", "set": "eGeMAPSv02"}
MLP = {"kind": "mlp", "hidden": 8}


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    from affectspace.training import make_recipe

    recipe = make_recipe(
        {
            "name": "functionals", "data": str(world), "corpora": [{"path": "alva"}, {"path": "boro"}],
            "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]}, "features": SMALL,
            "protocol": {
                "kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_share": 0.3,
                "validate_by": "session", "allow": ["script"],
            },
            "encoder": MLP, "training": {"epochs": 5, "batch_size": 5, "learning_rate": 3e-3},
            "terms": [{"kind": "cross_entropy"}, {"kind": "f_similarity", "pairs": "batch", "geometry": "fisher_rao"}],
        }
    )  # fmt: skip
    return train(recipe, tmp_path_factory.mktemp("functionals") / "run")


def test_items_are_their_functionals(tiny, world):
    gathered = gather(tiny(features=SMALL, encoder=MLP))
    assert set(gathered.clips.lengths) == {1}
    item = gathered.items.iloc[7]
    assert np.array_equal(gathered.clips[7], Functionals("eGeMAPSv02")(world / item["corpus"] / item["audio"]))
    assert gathered.items["audio_sha"].notna().all()


def test_a_run_tells_set_version_and_licence(finished):
    about = json.loads((finished.path / "data.json").read_text())
    assert about["features"] == Functionals("eGeMAPSv02").fingerprint
    card = (finished.path / "model/README.md").read_text()
    assert "set=eGeMAPSv02" in card
    assert "no commercial use of openSMILE, nor of features or models made with it" in card


def test_evaluating_the_test_corpus_anew_gives_the_same(finished, world):
    again = evaluate_on(finished, world / "boro")
    assert again["scores"] == pytest.approx(finished.metrics["test"], abs=1e-5)


def test_new_files_are_embedded_as_in_the_run(finished, world):
    model = load_model(finished.path)
    found = embed(model, [world / "boro"], quiet=True).table.set_index("id")
    kept = finished.predictions
    kept = kept[kept["split"] == "test"].set_index("item")
    assert set(kept.index) == set(found.index)
    vectors = np.array(found.loc[kept.index, "vector"].tolist())
    assert np.allclose(vectors, np.array(kept["embedding"].tolist()), atol=1e-5)


def test_a_recording_at_fault_is_set_aside_with_its_reason(tiny, tmp_path):
    from affectspace.corpora import make_synthetic

    make_synthetic(tmp_path / "alva", "alva", speakers=3, items_per_speaker=8)
    items = pd.read_csv(tmp_path / "alva/items.csv")
    (tmp_path / "alva" / items["audio"][0]).write_bytes(b"no sound")
    recipe = tiny(
        features=SMALL, encoder=MLP, corpora=[{"path": "alva"}], data=str(tmp_path),
        protocol={"kind": "leave_one_out", "fold": 0, "allow": ["script"]},
    )  # fmt: skip
    (quarantined,) = gather(recipe).about[0]["quarantine"]
    assert quarantined["id"] == items["id"][0]
    assert "is not audio that can be read" in quarantined["reason"]


def test_without_opensmile_a_run_stops_before_it_begins(tiny, tmp_path, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    recipe = tiny(features=SMALL, encoder=MLP)  # which can be written and read without it
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "opensmile" else found(name, *_))
    with pytest.raises(InputError, match=r'pip install "affectspace\[functionals\]"'):
        train(recipe, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": SMALL}, r'encoder\.kind \'conv_pool\' reads sequences; functionals need encoder\.kind = "mlp"'),
        ({"features": {**SMALL, "set": "eGeMAPS"}, "encoder": MLP}, r"features\.set is 'eGeMAPS'.*'ComParE_2016'"),
        (
            {"features": {**SMALL, "normalise": {"scope": "item"}}, "encoder": MLP},
            r'"item" would make zeros of functionals, which are one frame an item; use scope = "train"',
        ),
        ({"features": {"kind": "functional"}}, r"did you mean 'functionals'"),
    ],
)
def test_errors_say_value_and_remedy(tiny, changes, message):
    with pytest.raises(InputError, match=message):
        tiny(**changes)
