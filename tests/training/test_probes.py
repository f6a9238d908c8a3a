"""What a run tells of speakers and languages, on corpora whose truth is planted."""

import json

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.metrics import group_probe, group_probe_within
from affectspace.metrics.speaker_intervals import figure_interval
from affectspace.neighbours import overlap, same_class_among
from affectspace.studies.answers import judge
from affectspace.training import make_recipe, probes, train, train_recipe
from affectspace.training.folds import pool_folds
from affectspace.training.model import load_model
from affectspace.training.prepare import prepare
from affectspace.training.run import Run

CORPORA = {"alva": "de", "boro": "en", "cado": "ur"}
NAMES = ["angry", "happy", "sad"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, lay_languages):
    """Three languages, six speakers each; of eight numbers three are of the class and four of the speaker."""
    root, random = tmp_path_factory.mktemp("probes"), np.random.default_rng(0)

    def hears(_):
        voices = random.normal(0, 2, (6, 4))
        return lambda label, who: np.concatenate([2 * np.eye(3)[label], voices[who], [0]]) + random.normal(0, 0.5, 8)

    lay_languages(root, CORPORA, NAMES, 108, 6, hears)
    return root


def values(folder, terms=(), **protocol):
    return {
        "name": "mine",
        "data": str(folder),
        "corpora": [{"path": name} for name in CORPORA],
        "labels": {"kind": "classes", "names": NAMES},
        "features": {"kind": "vectors", "path": "v.parquet", "id_column": "id"},
        "encoder": {"kind": "mlp", "hidden": 16},
        "protocol": {"kind": "cross_language", "target": "de", **protocol},
        "training": {"epochs": 25, "batch_size": 36, "learning_rate": 0.01},
        "terms": [{"kind": "cross_entropy"}, *terms],
    }


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    return train(make_recipe(values(folder)), tmp_path_factory.mktemp("runs") / "run", quiet=True)


def test_features_tell_who_speaks_and_a_net_that_learned_classes_tells_it_less(run):
    for name in ("speaker_in_corpus", "tested_speaker"):
        told = run.probes[name]
        assert told["before"] > 0.9
        assert told["chance"] < told["after"] < told["before"] - 0.2
    assert run.probes["speaker"]["chance"] == pytest.approx(1 / run.probes["speaker"]["groups"])
    assert run.probes["tested_speaker"]["groups"] == 6
    assert run.probes["same_class"]["after"] > 0.9
    assert "corpus" not in run.probes  # as each language has one


def test_figures_are_those_of_the_functions_on_what_the_run_kept(run, folder):
    tested = run.evaluated()
    speakers = pd.factorize(tested.speakers, sort=True)[0]
    found = group_probe(tested.embeddings, speakers)
    assert run.probes["tested_speaker"]["after"] == pytest.approx(found.uar)
    data = prepare(make_recipe(values(folder)), quiet=True)
    train_rows, test_rows = data.split.train, data.split.test
    given = data.inputs["features"].read(train_rows)[0].numpy()
    items = data.items.iloc[train_rows]
    who = pd.factorize(items["corpus"] + "/" + items["speaker"], sort=True)[0]
    where = pd.factorize(items["corpus"], sort=True)[0]
    assert run.probes["speaker"]["before"] == pytest.approx(group_probe(given, who).uar)
    assert run.probes["speaker_in_corpus"]["before"] == pytest.approx(group_probe_within(given, who, where).uar)
    both = np.concatenate([train_rows, test_rows])
    near = overlap(
        data.inputs["features"].read(both)[0].numpy(),
        data.targets.numpy()[both].argmax(1),
        pd.factorize(data.items["language"].iloc[both])[0],
    )
    assert run.probes["same_class"]["before"] == pytest.approx(near.same_class)
    assert run.probes["other_language"]["chance"] == pytest.approx(near.other_language_chance)
    assert run.probes["same_class"]["items"] == near.items == len(both)
    lie = same_class_among(
        data.inputs["features"].read(both)[0].numpy(),
        data.targets.numpy()[both].argmax(1),
        pd.factorize(data.items["language"].iloc[both])[0],
        np.arange(len(both)) >= len(train_rows),
    )
    told = run.probes["tested_same_class"]
    assert (told["before"], told["chance"], told["items"]) == pytest.approx((lie.share, lie.chance, len(test_rows)))
    by_neighbours = group_probe(given, who, classifier="neighbours")
    assert run.probes["speaker"]["before_by_neighbours"] == pytest.approx(by_neighbours.uar)
    assert run.probes["tested_speaker"]["after_by_neighbours"] == pytest.approx(
        group_probe(tested.embeddings, speakers, classifier="neighbours").uar
    )


def test_items_that_are_not_finite_are_left_out_and_counted(folder, run, monkeypatch):
    recipe = make_recipe(values(folder))
    data, model = prepare(recipe, quiet=True), load_model(run.path).encoder
    read, net = probes._features, probes._embedded

    def features(data, recipe, rows):
        found = read(data, recipe, rows).copy()
        found[rows == data.split.train[0]] = np.nan
        found[rows == data.split.test[4], 2] = 1e30
        return found

    def embedded(model, data, rows, known):
        found = net(model, data, rows, known).copy()
        found[rows == data.split.train[7]] = -np.inf
        return found

    monkeypatch.setattr(probes, "_features", features)
    monkeypatch.setattr(probes, "_embedded", embedded)
    told = probes.probe_figures(model, data, recipe, {})
    trained, tested = len(data.split.train), len(data.split.test)
    assert told["probes_not_finite"] == {"train": {"items": 2, "of": trained}, "test": {"items": 1, "of": tested}}
    assert told["probes"]["speaker"]["items"] == run.probes["speaker"]["items"] - 2
    assert told["probes"]["tested_speaker"]["items"] == run.probes["tested_speaker"]["items"] - 1
    assert told["probes"]["same_class"]["items"] == run.probes["same_class"]["items"] - 3
    assert run.probes_not_finite == {}
    assert "probes_not_finite" not in run.metrics
    monkeypatch.setattr(probes, "_embedded", lambda *given: np.full_like(net(*given), np.nan))
    lost = {"train": {"items": trained, "of": trained}, "test": {"items": tested, "of": tested}}
    # of a net that has diverged nothing is told but that
    assert probes.probe_figures(model, data, recipe, {}) == {"probes": {}, "probes_not_finite": lost}


def test_few_of_many_items_are_asked_alike_of_every_speaker(monkeypatch):
    monkeypatch.setattr(probes, "MOST_ITEMS", 60)
    monkeypatch.setattr(probes, "MOST_SPEAKERS", 5)
    speakers = np.repeat(np.arange(8), [90, 10, 10, 10, 90, 10, 10, 10])
    rows = np.arange(1000, 1240)
    found = probes._drawn(rows, np.concatenate([np.zeros(1000, int), speakers]))
    counts = np.bincount(speakers[found - 1000], minlength=8)
    assert len(found) <= 60
    assert (counts > 0).sum() == 5
    assert sorted(found) == list(found)
    assert counts.max() <= 25


def test_long_features_are_looked_at_in_random_directions(folder, monkeypatch):
    recipe = make_recipe(values(folder))
    data = prepare(recipe, quiet=True)
    rows = data.split.train
    monkeypatch.setattr(probes, "MOST_DIMENSIONS", 5)
    assert probes._features(data, recipe, rows).shape == (len(rows), 5)
    assert np.array_equal(probes._features(data, recipe, rows[:9]), probes._features(data, recipe, rows)[:9])


def test_sequences_are_pooled_without_their_padding():
    class Clips(list):
        dimensions = 2

    class Asked:
        vectors, clips = False, Clips([np.array([[1.0, 0], [3, 4]]), np.ones((1, 2)), np.empty((0, 2))])

        def normaliser(self, row):
            return 1.0, 2.0

    pooled = probes._pooled(Asked(), np.array([1, 0, 2]))
    assert pooled.tolist() == [[0, 0, 0, 0], [0.5, 0.5, 0.5, 1.0], [0, 0, 0, 0]]


def test_one_language_and_no_groups_ask_nothing(folder, tmp_path):
    one = values(folder) | {
        "corpora": [{"path": "alva"}],
        "protocol": {"kind": "grouped_folds", "folds": 3},
        "training": {"epochs": 1},
    }
    run = train_recipe(make_recipe(one), tmp_path / "one", quiet=True)
    assert run.probes == {}
    asked = one | {"terms": [*one["terms"], {"kind": "adversary", "groups": "speaker"}]}
    run = train_recipe(make_recipe(asked), tmp_path / "asked", quiet=True)
    assert "speaker" in run.probes
    assert "language" not in run.probes
    folds = [fold.probes["speaker"]["after"] for fold in run.folds]
    assert run.probes["speaker"]["after"] == pytest.approx(np.mean(folds))
    assert "probes_not_finite" not in run.metrics
    for fold, lost in zip(run.folds, ({"train": {"items": 2, "of": 70}}, {"test": {"items": 1, "of": 9}}, {})):
        (fold.path / "metrics.json").write_text(json.dumps(fold.metrics | {"probes_not_finite": lost}))
    again = pool_folds(make_recipe(asked), run.path)
    assert again.probes_not_finite == {"train": {"items": 2, "of": 70}, "test": {"items": 1, "of": 9}}
    last = run.folds[2].path / "metrics.json"
    last.write_text(json.dumps(run.folds[2].metrics | {"probes_not_finite": {"train": {"items": 1, "of": 72}}}))
    assert pool_folds(make_recipe(asked), run.path).probes_not_finite["train"] == {"items": 3, "of": 142}


def test_a_run_that_chooses_asks_nothing(folder):
    recipe = make_recipe(values(folder, inner={"by": "speaker", "fold": 0}))
    assert not probes.has_probes(prepare(recipe, quiet=True), recipe)


def test_metrics_say_where_figures_lie_with_other_speakers(folder, tmp_path):
    given = values(folder) | {"training": {"epochs": 1, "batch_size": 36, "learning_rate": 0.003}}
    run = train(make_recipe(given), tmp_path / "run", quiet=True)
    told, tallied = run.metrics["over_speakers"], judge([run]).tally
    assert told["speakers"] == 6
    for metric in ("uar", "macro_f1"):
        found = figure_interval([tallied], metric)
        assert told[metric] == pytest.approx([found.low, found.high])
        assert told[metric][0] <= run.metrics["test"][metric] <= told[metric][1]


def test_metrics_say_why_a_run_that_is_always_right_has_no_interval(run):
    assert run.metrics["test"]["uar"] == 1
    why = "the figure is the same without any one of the 6 test speakers, which tells nothing of others"
    assert run.metrics["over_speakers"] == {"speakers": 6, "none": why}


def test_runs_of_before_are_read_and_damaged_ones_refused(run, tmp_path):
    (tmp_path / "recipe.toml").write_text("")
    metrics = dict(run.metrics)
    for gone in ("probes", "over_speakers"):
        metrics.pop(gone)
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert Run(tmp_path).probes == {}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics | {"probes": {"speaker": {"after": "high"}}}))
    with pytest.raises(
        InputError, match=r"metrics\.json .*is damaged \(probes\.speaker\.after: input should be a valid"
    ):
        _ = Run(tmp_path).probes
