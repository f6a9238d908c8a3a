"""Which epoch is kept, with validation and without, and splits within training items."""

import json
import shutil

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.training import make_recipe, train
from affectspace.training.cache import DataCache
from affectspace.training.folds import fold_count, inner_count, one_fold
from affectspace.training.prepare import prepare


def test_the_epoch_of_a_number_is_that_epoch_of_a_longer_run(tiny, tmp_path):
    training = {"selection": "last", "epochs": 2}
    short = train(tiny(training=training), tmp_path / "short", quiet=True)
    long = train(tiny(training={"selection": 2, "epochs": 5}), tmp_path / "long", quiet=True)
    assert long.selected_epochs == (2,)
    assert long.selection == "given"
    assert len(long.epochs) == 5
    assert (short.path / "model/model.safetensors").read_bytes() == (long.path / "model/model.safetensors").read_bytes()
    assert short.scores("test") == long.scores("test")


def test_without_validation_everything_trains(tiny, tmp_path):
    recipe = tiny(protocol={"validate_share": 0}, training={"selection": "last"}, monitor={"test_curve": True})
    run = train(recipe, tmp_path / "run", quiet=True)
    assert run.metrics["counts"] == {"train": 24, "validate": 0, "test": 24}
    assert "validate" not in run.metrics
    assert run.scores("validate") == {}
    assert set(run.split["part"]) == {"train", "test"}
    assert "test.uar" in run.epochs
    assert "validate.uar" not in run.epochs


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"protocol": {"validate_share": 0}},
            'training.selection is "validation", and the protocol validates on nothing',
        ),
        ({"training": {"selection": 9}}, "selection keeps epoch 9, and training ends after epoch 3; legal: 1 to 3"),
        ({"training": {"selection": 0}}, "training.selection"),
        ({"terms": "triplets", "training": {"length_pool": 5}}, "a run draws its batches in one way, so keep one"),
    ],
)
def test_what_cannot_be_selected(tiny, changes, words):
    with pytest.raises(InputError) as error:
        tiny(**changes)
    assert words in str(error.value)


def test_an_inner_run_tests_nothing_and_its_items_are_training_items(tiny, tmp_path):
    cache = DataCache()
    outer = tiny()
    known = prepare(outer)
    groups = inner_count(outer, cache.gathered(outer), "speaker")
    assert groups == 3
    seen = []
    for fold in range(groups):
        inner = {"inner": {"by": "speaker", "fold": fold}, "allow": ["script", "session"]}
        recipe = tiny(protocol=inner)
        data = cache(recipe)
        assert not len(data.split.test)
        rows = np.union1d(data.split.train, data.split.validate)
        assert rows.tolist() == np.union1d(known.split.train, known.split.validate).tolist()
        assert data.items["speaker"].iloc[data.split.validate].nunique() == 1
        seen += data.split.validate.tolist()
    assert sorted(seen) == rows.tolist()
    run = train(recipe, tmp_path / "inner", data=data, quiet=True)
    assert "test" not in run.metrics
    assert "test.uar" not in run.epochs
    assert not run.snapshots
    assert set(run.predictions["split"]) == {"validate"}
    assert json.loads((run.path / "metrics.json").read_text())["protocol"].startswith("alva -> boro, within: leave")


def test_what_is_put_aside_shapes_no_normalisation_not_even_a_transductive_one(tiny):
    asked = {"kind": "log_mel", "bands": 20, "normalise": {"scope": "speaker", "transductive": True}}
    protocol = {"allow": ["script", "session", "speaker"]}
    outer = prepare(tiny(features=asked, protocol=protocol))
    assert outer.protocol["transductive"]
    tested = set(outer.items["corpus"].iloc[outer.split.test] + "/" + outer.items["speaker"].iloc[outer.split.test])
    assert tested <= set(outer.normaliser.groups)
    inner = prepare(tiny(features=asked, protocol={**protocol, "inner": {"by": "speaker", "fold": 0}}))
    assert inner.protocol["transductive"]  # the validation speaker's own clips
    assert not tested & set(inner.normaliser.groups)


def test_inner_folds_of_folds(tiny):
    recipe = tiny(protocol={"kind": "leave_one_out", "by": "speaker", "allow": ["script", "session"]})
    cache = DataCache()
    gathered = cache.gathered(recipe)
    assert fold_count(recipe, gathered.items) == 6
    assert fold_count(tiny(), gathered.items) == 1
    assert one_fold(recipe, 4).protocol.fold == 4
    assert inner_count(one_fold(recipe, 4), gathered, "speaker") == 5


def test_batches_of_like_length_train_and_resume(tiny, tmp_path):
    recipe = tiny(training={"length_pool": 3})
    whole = train(recipe, tmp_path / "whole", quiet=True)
    assert whole.epochs["loss"].tolist() != train(tiny(), tmp_path / "plain", quiet=True).epochs["loss"].tolist()
    (tmp_path / "begun").mkdir()
    for name in ("recipe.toml", "data.json", "split.parquet", "environment.txt"):
        shutil.copy(whole.path / name, tmp_path / "begun" / name)
    first = sorted((whole.path / "checkpoints").iterdir())[0]  # of the two that are kept
    shutil.copytree(first, tmp_path / "begun/checkpoints" / first.name)
    resumed = train(recipe, tmp_path / "begun", resume=True, quiet=True)
    assert resumed.metrics == whole.metrics
    models = [run.path / "model/model.safetensors" for run in (whole, resumed)]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_runs_share_what_their_recipes_share(tiny):
    cache = DataCache()
    one = cache(tiny())
    assert cache(tiny("batch", seed=3, training={"epochs": 9}, encoder={"channels": 4})) is one
    other = cache(tiny(protocol={"seed": 5}))
    assert other is not one
    assert other.items is one.items
    assert (
        cache(tiny(labels={"kind": "classes", "names": ["angry", "sad"], "others": "leave_out"})).items is not one.items
    )
    assert (cache(tiny()).split.train == prepare(tiny()).split.train).all()


def test_old_recipes_still_mean_what_they_meant(tiny):
    values = tiny().model_dump(mode="json")
    del values["training"]["checkpoint_seconds"], values["monitor"]["geometry"], values["protocol"]["inner"]
    assert make_recipe(values).protocol == tiny().protocol
