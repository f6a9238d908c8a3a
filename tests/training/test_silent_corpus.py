"""A corpus without labels beside one that has some, for every kind of labels, and the baseline without it."""

import json

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.training import make_recipe, train
from affectspace.training.cache import DataCache
from affectspace.training.gather import gather
from affectspace.training.keys import items_key
from affectspace.training.prepare import prepare
from affectspace.training.remarks import remarks

LEARNED = ("model/model.safetensors", "metrics.jsonl", "metrics.json", "predictions.parquet")
PSEUDO = {"kind": "pseudo_labels", "threshold": 0.0}
CONSISTENCY = {"kind": "consistency"}
KINDS = {
    "bins": {"kind": "levels", "dimension": "age", "bins": 3},
    "thresholds": {"kind": "levels", "dimension": "age", "thresholds": [30, 50]},
    "rated levels": {"kind": "levels", "dimension": "valence", "thresholds": [2.5]},
    "named levels": {"kind": "levels", "dimension": "stage", "names": ["young", "old"]},
    "poles": {"kind": "poles", "dimension": "valence"},
    "poles with ends": {"kind": "poles", "dimension": "valence", "low": 1, "high": 5},
    "classes": {"kind": "classes", "dimension": "stage", "names": ["young", "old"]},
}
ADDED = "the corpus has no ratings of 'age', nor its items such a column"
WHY = {
    "bins": ADDED,
    "thresholds": ADDED,
    "rated levels": "the corpus has no ratings of 'valence', nor its items such a column",
    "named levels": "no label",
    "poles": "the corpus has no ratings of 'valence'",
    "poles with ends": "the corpus has no ratings of 'valence'",
    "classes": "no label",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """``judged`` has ages, votes and ratings of 36 items, ``silent`` nothing but 20 items."""
    root, random = tmp_path_factory.mktemp("silent"), np.random.default_rng(0)
    vectors = []
    for name, count in (("judged", 36), ("silent", 20)):
        row = np.arange(count)
        ids = [f"{name}{place}" for place in row]
        table = pd.DataFrame({"id": ids, "speaker": [f"s{place % 6}" for place in row]})
        vectors.append(pd.DataFrame(random.normal(size=(count, 3)), columns=list("abc")).assign(id=ids))
        (root / name).mkdir()
        if name == "judged":
            table["age"] = 20 + row
            rated = [pd.DataFrame({"item": ids, "dimension": "valence", "value": (1 + row % 5).astype(str)})]
            rated.append(rated[0].assign(dimension="stage", value=np.where(row % 4 < 2, "young", "old")))
            pd.concat(rated).assign(rater="r").to_csv(root / name / "ratings.csv", index=False)
            (root / name / "corpus.toml").write_text("[scales.valence]\nlow = 1\nhigh = 5\n")
        table.to_csv(root / name / "items.csv", index=False)
    pd.concat(vectors).to_parquet(root / "vectors.parquet")
    return root


def recipe(folder, kind="bins", corpora=("judged", "silent"), **changes):
    values = {
        "name": "silent",
        "data": str(folder),
        "corpora": [{"path": name} for name in corpora],
        "labels": KINDS[kind],
        "features": {"kind": "vectors", "path": "vectors.parquet", "id_column": "id"},
        "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 3, "fold": 0},
        "encoder": {"kind": "mlp", "hidden": 8, "dropout": 0.2},
        "unlabelled": {"batch_size": 4},
        "terms": [{"kind": "cross_entropy"}, PSEUDO, CONSISTENCY],
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "checkpoint_seconds": 100},
        **changes,
    }
    return make_recipe({key: value for key, value in values.items() if value is not None})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [("judged", "silent"), ("silent", "judged")])
def test_a_corpus_without_labels_trains_beside_any_kind_of_labels(folder, kind, order):
    data = prepare(recipe(folder, kind, order))
    assert set(data.items["corpus"].iloc[data.unlabelled]) == {"silent"}
    assert len(data.unlabelled) == 20
    assert data.targets[data.unlabelled].isnan().all()
    alone = prepare(recipe(folder, kind, ("judged",), unlabelled=None, terms=[{"kind": "cross_entropy"}]))
    assert data.classes == alone.classes
    keys = alone.items["key"]
    assert data.items["key"][: len(keys)].tolist() == keys.tolist()
    assert data.targets[: len(keys)].equal(alone.targets)
    told = {about["name"]: about for about in data.about["corpora"]}["silent"]
    assert (told["used"], told["unlabelled"], told["left_out"]) == (0, 20, {WHY[kind]: 20})
    assert set(told["classes"].values()) == {0}


@pytest.mark.parametrize("kind", ["bins", "poles"])
def test_it_trains_and_the_run_says_that_it_had_no_label(folder, tmp_path, kind):
    run = train(recipe(folder, kind), tmp_path / "run", quiet=True)
    assert run.finished
    assert remarks(run)[0] == (
        f"No item of silent has a target (20 x {WHY[kind]}), so that it gives items without a label alone; if that is "
        "not meant, see labels in the recipe."
    )


def test_without_the_section_a_corpus_must_have_what_is_asked_for(folder):
    for kind, why in (("bins", "nor its items such a column; ratings: none"), ("poles", "declares no scale for 'vale")):
        with pytest.raises(InputError, match=why):
            gather(recipe(folder, kind, unlabelled=None, terms=[{"kind": "cross_entropy"}]))


def test_a_dimension_that_no_corpus_has_is_refused_as_ever(folder):
    poles = {"kind": "poles", "dimension": "valance", "low": 1, "high": 5}
    with pytest.raises(InputError, match=r"no ratings of 'valance'; did you mean 'valence'\? it has: stage, valence"):
        gather(recipe(folder, labels=poles))
    with pytest.raises(InputError, match="no ratings of 'agee', nor its items such a column; did you mean 'age'"):
        gather(recipe(folder, labels={"kind": "levels", "dimension": "agee", "bins": 3}))


def test_a_name_that_is_nearly_the_one_asked_for_is_told(folder, tmp_path):
    for name in ("judged", "silent"):
        (tmp_path / name).mkdir()
        for file in (folder / name).iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "vectors.parquet").write_bytes((folder / "vectors.parquet").read_bytes())
    ratings = pd.DataFrame({"item": ["silent0"], "rater": "r", "dimension": "valance", "value": "1"})
    ratings.to_csv(tmp_path / "silent/ratings.csv", index=False)
    [_, told] = gather(recipe(tmp_path, "poles")).about
    assert told["left_out"] == {"the corpus has no ratings of 'valence', but of 'valance'": 20}


# ---- the baseline


def normalised(folder):
    return {"features": {**recipe(folder).features.model_dump(), "normalise": {"scope": "corpus"}}}


@pytest.fixture(scope="module")
def baselines(folder, tmp_path_factory):
    """Folders of the runs without the silent corpus, by the kind of labels."""
    root, labelled = tmp_path_factory.mktemp("baselines"), {"unlabelled": None, "terms": [{"kind": "cross_entropy"}]}
    for kind in ("bins", "poles", "classes"):
        train(recipe(folder, kind, ("judged",), **labelled, **normalised(folder)), root / kind, quiet=True)
    return root


@pytest.mark.parametrize("kind", ["bins", "poles", "classes"])
@pytest.mark.parametrize("order", [("judged", "silent"), ("silent", "judged")])
def test_weight_0_is_the_baseline_to_the_bit(folder, baselines, tmp_path, kind, order):
    none = recipe(folder, kind, order, unlabelled={"weight": 0, "transductive": True}, **normalised(folder))
    found = train(none, tmp_path / "none", quiet=True)
    for name in LEARNED:
        assert (tmp_path / "none" / name).read_bytes() == (baselines / kind / name).read_bytes(), name
    assert "unlabelled" not in found.data
    assert set(found.split["corpus"]) == {"judged"}
    silent = next(about for about in found.data["corpora"] if about["name"] == "silent")
    assert (silent["used"], silent["items"]) == (0, 20)
    assert "unlabelled" not in silent
    told = remarks(found)
    assert "so that nothing is learned of it" in told[0]
    assert told[-1] == "unlabelled.weight is 0, so that pseudo_labels and consistency had no part in the training."


def test_weight_0_of_several_modalities_is_the_baseline_to_the_bit(lay_duo, tmp_path):
    values = lay_duo(tmp_path)
    values["encoder"] = {"kind": "multimodal", "modality_dropout": 0.3, "dropout": 0.1}
    values["terms"].append({"kind": "reconstruction"})
    values["training"]["labelled_share"] = 0.5
    train(make_recipe(values | {"unlabelled": {"weight": 0}}), tmp_path / "none", quiet=True)
    train(make_recipe({key: each for key, each in values.items() if key != "unlabelled"}), tmp_path / "b", quiet=True)
    for name in LEARNED:
        assert (tmp_path / "none" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    row = json.loads((tmp_path / "none/metrics.jsonl").read_text().splitlines()[-1])
    assert set(row["terms"]) == {"cross_entropy", "matching", "reconstruction"}
    train(make_recipe(values), tmp_path / "taught", quiet=True)
    weights = "model/model.safetensors"
    assert (tmp_path / "taught" / weights).read_bytes() != (tmp_path / "none" / weights).read_bytes()


def test_what_runs_share_knows_the_baseline_from_both_others(folder):
    taught, none = recipe(folder), recipe(folder, unlabelled={"weight": 0})
    without = recipe(folder, unlabelled=None, terms=[{"kind": "cross_entropy"}])
    assert len({items_key(each) for each in (taught, none, without)}) == 3
    assert items_key(none) == items_key(recipe(folder, unlabelled={"weight": 0, "limit": 3}))
    cache = DataCache()
    assert len(cache(taught).unlabelled) == 20
    assert not len(cache(none).unlabelled)


def test_weight_0_leaves_only_what_learns_of_labels(folder):
    assert recipe(folder, unlabelled={"weight": 0}, terms=[{"kind": "cross_entropy"}]).semi_supervised is None
    with pytest.raises(
        InputError, match=r"unlabelled\.weight is 0, and pseudo_labels and consistency learn of unlabell"
    ):
        recipe(folder, unlabelled={"weight": 0}, terms=[PSEUDO, CONSISTENCY])
    with pytest.raises(InputError, match=r"unlabelled\.weight is -0\.1; legal: at least 0"):
        recipe(folder, unlabelled={"weight": -0.1})
