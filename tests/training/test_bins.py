"""Numbers are cut into equally filled bins by training items alone, told in their own unit, and stay with the model."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from affectspace.errors import InputError
from affectspace.labels import Cut, bin_of, equal_mass_thresholds
from affectspace.metrics import value_scores
from affectspace.metrics.scores import VALUE_FIGURES
from affectspace.report import write_report
from affectspace.training import load_model, train, train_folds
from affectspace.training.folds import one_fold
from affectspace.training.level_names import level_names_told
from affectspace.training.prepare import prepare
from affectspace.training.transfer import evaluate_on

ACROSS = [{"path": "mine"}, {"path": "other"}]
PUBLISHED = {"kind": "cross_corpus", "train": ["mine"], "test": ["other"]}


def table_of(recipe, name="mine"):
    return pd.read_csv(f"{recipe.data}/{name}/items.csv")


def test_bins_are_equally_filled_by_the_items_that_train(numbers):
    data = prepare(recipe := numbers())
    values = table_of(recipe)["value"].to_numpy()[data.split.train]
    assert data.cut.thresholds == tuple(equal_mass_thresholds(values, 4))
    assert data.targets.shape == (60, 4)
    filled = data.targets[torch.tensor(data.split.train)].sum(0)
    assert filled.max() - filled.min() <= 1
    assert data.targets.argmax(1).tolist() == bin_of(table_of(recipe)["value"], data.cut.thresholds).tolist()
    for level, mean in enumerate(data.cut.means):
        held = [value for value in values if bin_of([value], data.cut.thresholds)[0] == level]
        assert mean == pytest.approx(sum(held) / len(held))
    assert data.about["levels"] == {"thresholds": list(data.cut.thresholds), "means": list(data.cut.means)}
    assert sum(data.about["corpora"][0]["classes"].values()) == 60
    assert data.classes[0] == f"below {data.cut.thresholds[0]:g}"


def test_numbers_of_test_items_play_no_part(numbers):
    recipe = numbers(corpora=ACROSS, protocol=PUBLISHED)
    before = prepare(recipe)
    other = table_of(recipe, "other")
    other.assign(value=other["value"] * 100).to_csv(f"{recipe.data}/other/items.csv", index=False)
    after = prepare(recipe)
    assert not np.array_equal(before.numbers, after.numbers)
    assert after.cut == before.cut
    assert torch.equal(after.targets[before.split.train], before.targets[before.split.train])
    assert np.array_equal(after.split.train, before.split.train)
    assert after.targets.argmax(1)[after.split.test].max() == 3  # far above every threshold is the highest bin


def test_every_fold_learns_its_own(numbers):
    recipe = numbers(protocol={"fold": "all"})
    cuts = [prepare(one_fold(recipe, fold)) for fold in range(3)]
    assert len({data.cut for data in cuts}) == 3
    for data in cuts:
        assert data.cut == Cut.learned(data.numbers[data.split.train], data.cut.thresholds)


def test_an_inner_run_learns_without_what_it_validates_on(numbers):
    inner = prepare(numbers(protocol={"inner": {"by": "speaker", "fold": 0}}))
    assert inner.cut.thresholds == tuple(equal_mass_thresholds(inner.numbers[inner.split.train], 4))


def test_a_run_predicts_numbers_and_its_model_knows_how(numbers, tmp_path):
    recipe = numbers()
    run = train(recipe, tmp_path / "run")
    test = run.predictions.query("split == 'test'")
    model = load_model(run.path)
    means = json.loads((run.path / "model/config.json").read_text())["level_means"]
    assert tuple(means) == model.cut.means
    for probabilities, predicted in zip(test["probabilities"], test["predicted_value"]):
        assert predicted == pytest.approx(sum(p * mean for p, mean in zip(probabilities, means)), abs=1e-4)
    true = table_of(recipe).assign(item=lambda t: "mine/" + t["id"]).set_index("item")["value"]
    assert test["value"].tolist() == true[test["item"]].tolist()
    found = {name: run.metrics["test"][name] for name in VALUE_FIGURES}
    assert found == pytest.approx(value_scores(test["value"], test["predicted_value"]))
    assert "value_r2" in run.metrics["validate"]
    assert "validate.value_mean_absolute_error" in run.epochs
    assert "mean absolute error" in (run.path / "model/README.md").read_text()
    assert model.recipe.labels.thresholds == model.cut.thresholds
    assert model.classes == run.classes == model.recipe.labels.names


def test_a_model_whose_levels_lack_means_is_damaged(numbers, tmp_path):
    path = train(numbers(), tmp_path / "run").path / "model/config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "level_means": config["level_means"][:-1]}))
    with pytest.raises(InputError, match=r"the model in .* is damaged: means are .* make 4 levels"):
        load_model(path.parent)


def test_another_corpus_is_cut_as_the_model_was_trained(numbers, tmp_path):
    recipe = numbers()
    run = train(recipe, tmp_path / "run")
    other = table_of(recipe, "other")
    other.assign(value=9.99).to_csv(
        f"{recipe.data}/other/items.csv", index=False
    )  # which no bins could be learned from
    found = evaluate_on(run, f"{recipe.data}/other")
    assert found["data"]["classes"] == {**dict.fromkeys(run.classes, 0), run.classes[-1]: 20}
    assert found["scores"]["value_mean_absolute_error"] > 0
    assert found["scores"]["value_r2"] != found["scores"]["value_r2"]  # equal values have no variance to explain


def test_folds_are_pooled_in_the_unit_of_the_numbers(numbers, tmp_path):
    run = train_folds(numbers(protocol={"fold": "all"}), tmp_path / "run")
    answers = run.predictions.query("split == 'test'")
    assert len(answers) == 60
    expected = value_scores(answers["value"], answers["predicted_value"])
    assert {name: run.metrics["test"][name] for name in VALUE_FIGURES} == pytest.approx(expected)
    assert run.classes == ("bin 1", "bin 2", "bin 3", "bin 4")  # whose bounds are those of each fold
    assert run.evaluated().probabilities.shape == (60, 4)


def test_levels_at_given_thresholds_lead_back_to_numbers_too(numbers, tmp_path):
    run = train(numbers(labels={"bins": None, "thresholds": [4, 6]}), tmp_path / "run")
    assert run.classes == ("below 4", "4 to 6", "6 and above")
    assert VALUE_FIGURES.keys() <= run.metrics["test"].keys()
    assert load_model(run.path).cut.thresholds == (4, 6)


def test_more_bins_than_different_numbers(numbers):
    recipe = numbers(labels={"bins": 5})
    table = table_of(recipe)
    path = f"{recipe.data}/mine/items.csv"
    table.assign(value=np.arange(60) // 6 % 3).to_csv(path, index=False)
    told = "labels.bins is 5, and the training items have {} different values of 'value'; legal: {}"
    with pytest.raises(InputError, match=told.format(3, "2 to 3, or thresholds of your own")):
        prepare(recipe)
    table.assign(value=7).to_csv(path, index=False)
    with pytest.raises(InputError, match=told.format(1, "none; name another dimension")):
        prepare(recipe)


def test_what_is_no_number_is_named_and_what_is_missing_left_out(numbers):
    recipe = numbers()
    table = table_of(recipe)
    path = f"{recipe.data}/mine/items.csv"
    table.assign(value=table["value"].astype(str).where(table.index != 3)).to_csv(path, index=False)
    data = prepare(recipe)
    assert len(data.items) == 59
    assert data.about["corpora"][0]["left_out"] == {"no value": 1}
    table.assign(value=["many", *table["value"][1:].astype(str)]).to_csv(path, index=False)
    with pytest.raises(InputError, match="item 'mine0': value has the value 'many'; levels are cut of finite numbers"):
        prepare(recipe)


def test_names_in_another_order_than_bins_are_cut_are_told_with_their_bounds(numbers, tmp_path):
    plain = train(numbers(training={"epochs": 1}), tmp_path / "plain", quiet=True)
    assert level_names_told(plain) == ""
    names = {"labels": {"names": ["old", "adult", "young"], "bins": None, "thresholds": [3, 6.5]}}
    run = train(numbers(training={"epochs": 1}, **names), tmp_path / "run", quiet=True)
    learned = {"labels": {"names": ["old", "middle", "adult", "young"]}, "protocol": {"fold": "all"}}
    folds = train_folds(numbers(training={"epochs": 1}, **learned), tmp_path / "folds", quiet=True)
    first = folds.folds[0].data["levels"]["thresholds"][0]
    assert level_names_told(folds).startswith(
        f"from the lowest (in the first of the folds): old = below {first:g}, middle"
    )
    told = "from the lowest: old = below 3, adult = 3 to 6.5, young = 6.5 and above"
    assert level_names_told(run) == told
    page = write_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"<dt>Levels</dt><dd>{told}</dd>" in page
