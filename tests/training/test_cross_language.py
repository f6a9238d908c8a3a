"""Recipes of a language never heard, from their words to their runs."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tomli_w

from affectspace.errors import InputError
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.study import load_study
from affectspace.training import make_recipe, train, train_recipe
from affectspace.training.prepare import prepare
from affectspace.training.remarks import remarks

CORPORA = {"emodb": "de", "ravdess": "en", "urdu": "ur"}
NAMES = ["angry", "happy", "sad"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, lay_languages):
    """Three corpora of vectors in three languages, four speakers each; classes lie apart in all of them alike."""
    root, random = tmp_path_factory.mktemp("languages"), np.random.default_rng(0)

    def hears(shift):
        return lambda label, _: random.normal(shift, 1, 5) + 4 * np.eye(5)[label]

    lay_languages(root, CORPORA, NAMES, 48, 4, hears)
    return root


def values(folder, **protocol):
    return {
        "name": "mine",
        "data": str(folder),
        "corpora": [{"path": name} for name in CORPORA],
        "labels": {"kind": "classes", "names": NAMES},
        "features": {"kind": "vectors", "path": "v.parquet", "id_column": "id"},
        "encoder": {"kind": "mlp", "hidden": 8},
        "protocol": {"kind": "cross_language", "target": "de", **protocol},
        "training": {"epochs": 8, "batch_size": 18, "items_per_class": 6, "across": "language", "learning_rate": 0.01},
        "terms": [
            {"kind": "cross_entropy"},
            {"kind": "supervised_contrastive", "groups": "language", "across_groups": 2.0},
            {"kind": "adversary", "groups": "speaker"},
        ],
    }


def test_a_run_hears_nothing_of_the_target_and_tests_all_of_it(folder, tmp_path):
    run = train(make_recipe(values(folder)), tmp_path / "run", quiet=True)
    parts = run.split.groupby("part")["language"].agg(lambda found: sorted({*found})).to_dict()
    assert parts == {"train": ["en", "ur"], "validate": ["en", "ur"], "test": ["de"]}
    assert run.metrics["protocol"] == "en + ur -> de"
    assert run.metrics["counts"]["test"] == 48
    assert run.metrics["test"]["uar"] > 0.6
    assert "speaker" in run.metrics["keeps_apart"]


def test_weights_of_two_languages_are_told_to_rest_on_little(folder, tmp_path):
    given = values(folder, validate_share=0)
    given["features"]["normalise"] = {"scope": "corpus", "steady_across": "language"}
    given["training"] = {**given["training"], "epochs": 1, "selection": "last"}
    run = train(make_recipe(given), tmp_path / "run", quiet=True)
    assert run.data["steady"] == {"across": "language", "names": ["en", "ur"]}
    assert [told for told in remarks(run) if "steady" in told] == [
        "Features were weighed by how steady they are over two languages alone, en and ur: what two tell of a third is "
        "little better than nothing; let three or more train, or leave normalise.steady_across out."
    ]
    with pytest.raises(InputError, match="all training items are of one, 'en'; add a corpus of another, or leave it o"):
        prepare(make_recipe({**given, "protocol": {**given["protocol"], "source": ["en"]}}), quiet=True)


def test_an_upper_bound_tests_every_item_of_the_target_once_and_says_what_it_is(folder, tmp_path):
    run = train_recipe(make_recipe(values(folder, target_folds=2)), tmp_path / "run", quiet=True)
    assert run.metrics["folds"] == 2
    assert run.metrics["counts"] == {"test": 48}
    assert run.metrics["protocol"] == "other speakers of de train too, 2 folds"
    first = next(iter(run.folds))
    assert {*first.split.query("part == 'train'")["language"]} == {"de", "en", "ur"}


@pytest.mark.parametrize(
    "language", ['language = "de"', 'language = "DE"', 'language = "German"', 'language = "fr"', ""]
)
def test_unlabelled_items_of_the_target_never_train_by_whatever_name(folder, language):
    given = values(folder) | {"unlabelled": {"batch_size": 8}}
    given["terms"] = [{"kind": "cross_entropy"}, {"kind": "consistency"}]
    given["training"] = {"epochs": 1, "batch_size": 18, "labelled_share": 0.5}
    silent = folder / "silent"
    if not silent.exists():  # people of another German corpus, whom nobody has labelled
        silent.mkdir()
        table = pd.read_csv(folder / "emodb/items.csv").assign(label=pd.NA, speaker="x")
        table.to_csv(silent / "items.csv", index=False)
        vectors = pd.read_parquet(folder / "v.parquet")
        more = vectors[vectors["id"].str.startswith("emodb/")]
        more = more.assign(id=more["id"].str.replace("emodb/", "silent/"))
        pd.concat([vectors, more]).to_parquet(folder / "w.parquet")
    (silent / "corpus.toml").write_text(f'name = "silent"\n{language}\n')
    given["features"] = {**given["features"], "path": "w.parquet"}
    given["corpora"] = [*given["corpora"], {"path": "silent"}]
    data = prepare(make_recipe(given), quiet=True)
    assert {*data.split_table.query("part == 'unlabelled'")["language"]} == {"en", "ur"}
    assert data.about["unlabelled"]["left_out"] == {"language": 48}


def test_a_language_left_out_to_choose_settings_trains_without_a_label_neither(folder):
    given = values(folder, inner={"by": "language", "fold": 0}) | {"unlabelled": {"batch_size": 8}}
    given["terms"] = [{"kind": "cross_entropy"}, {"kind": "consistency"}]
    given["training"] = {"epochs": 1, "batch_size": 18, "labelled_share": 0.5}
    data = prepare(make_recipe(given), quiet=True)
    parts = {part: {*table["language"]} for part, table in data.split_table.groupby("part")}
    assert parts["unlabelled"] == parts["train"]
    assert len(parts["validate"]) == 1
    assert not parts["validate"] & parts["unlabelled"]


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        ({"source": ["de"]}, "'de' is the target and trains as well, so that it would not be a language never heard"),
        ({"auxiliary": ["en"]}, "auxiliary is en beside no source; name the source, or leave auxiliary out"),
        ({"auxiliary": ["others"]}, "auxiliary is others beside no source; name the source, or leave auxiliary out"),
        ({"fold": 1}, "fold is 1 without target_folds; leave it out, or give both"),
    ],
)
def test_what_no_such_protocol_can_be(folder, protocol, told):
    with pytest.raises(InputError, match=told):
        make_recipe(values(folder, **protocol))


def test_blanks_around_a_language_make_no_other_one(folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    (data / "urdu/corpus.toml").write_text('name = "urdu"\nlanguage = " ur"\n')
    for name, language in (("emodb", "de"), ("ravdess", "en")):
        table = pd.read_csv(data / name / "items.csv")
        table.assign(language=[f"{language} ", language] * 24).to_csv(data / name / "items.csv", index=False)

    def prepared(place):
        given = values(place)
        given["features"] = {**given["features"], "normalise": {"scope": "train", "steady_across": "language"}}
        return prepare(make_recipe(given), quiet=True)

    plain, told = prepared(folder), prepared(data)
    for part in ("train", "validate", "test"):
        np.testing.assert_array_equal(getattr(told.split, part), getattr(plain.split, part))
    assert told.group_names == plain.group_names  # what terms, and batches dealt across languages, know
    np.testing.assert_array_equal(told.training_groups("language"), plain.training_groups("language"))
    np.testing.assert_array_equal(told.normaliser(0), plain.normaliser(0))  # with the weights of steady features
    assert told.about["languages"] == plain.about["languages"]
    assert told.split_table["language"].tolist() == plain.split_table["language"].tolist()  # what probes read, too


def test_what_a_training_language_lacks_is_recorded_and_told(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "data")
    table = pd.read_csv(folder / "urdu/items.csv")
    table[table["label"] != "sad"].assign(speaker="s0").to_csv(tmp_path / "data/urdu/items.csv", index=False)
    with pytest.raises(
        InputError, match="language 'ur' is of one speaker, 'urdu/s0', so none can be kept for validatio"
    ):
        train(make_recipe(values(tmp_path / "data")), tmp_path / "none", quiet=True)
    given = values(tmp_path / "data", validate_share=0)
    given["training"] = {**given["training"], "epochs": 1, "selection": "last"}
    run = train(make_recipe(given), tmp_path / "run", quiet=True)
    assert run.data["languages"] == {"absent": {"ur": ["sad"]}, "sole_speaker": {"ur": "urdu/s0"}}
    absent, sole = [told for told in remarks(run) if "language ur" in told]
    assert absent.startswith(
        "No training item of language ur is of class sad: how it sounds was learned from the other"
    )
    assert "supervised_contrastive found no pair of it there" in absent
    assert "map that in [label_map] of its corpus.toml; else leave the class or the language out." in absent
    assert sole.startswith(
        "All training items of language ur are of one speaker, 'urdu/s0': adversary can tell the voice"
    )


def test_a_target_without_an_emotion_is_told_with_what_its_figures_are_of(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "data")
    table = pd.read_csv(folder / "emodb/items.csv")
    table[table["label"] != "sad"].to_csv(tmp_path / "data/emodb/items.csv", index=False)
    given = values(tmp_path / "data")
    given["training"] = {**given["training"], "epochs": 1}
    run = train(make_recipe(given), tmp_path / "run", quiet=True)
    assert run.data["languages"] == {"absent": {}, "sole_speaker": {}}
    told = "No test item is of class sad: UAR, chance and F1 of them are means over the other 2 classes."
    assert told in remarks(run)


def test_people_of_one_name_in_two_languages_are_two_and_that_is_said(folder, tmp_path):
    given = values(folder)
    given["training"] = {**given["training"], "epochs": 1}
    run = train(make_recipe(given), tmp_path / "run", quiet=True)
    named = [told for told in remarks(run) if "bear the name" in told]
    [told] = named  # of all corpora that train together
    assert told.startswith("4 of 4 speakers of emodb bear the name of a speaker of ravdess, of whom training knows")
    assert ", and 4 of one of urdu. Names count within a corpus, so nothing kept them apart" in told


def test_items_are_dealt_across_languages_only_by_class(folder):
    given = values(folder)
    del given["training"]["items_per_class"]
    with pytest.raises(InputError, match='across is "language", of which each gives alike of the items of a class'):
        make_recipe(given)


class TestStudies:
    STUDY = """
        name = "three"
        seeds = 1
        [[recipes]]
        name = "source only"
        path = "one.toml"
        set."protocol.source" = ["en"]
        [[recipes]]
        name = "all"
        path = "one.toml"
        {more}
        [[splits]]
        name = "German"
        set."protocol.target" = "de"
        [grid]
        recipe = "all"
        by = "language"
        values."training.learning_rate" = [0.01, 0.02]
    """

    def recipes(self, folder, tmp_path, more=""):
        (tmp_path / "one.toml").write_bytes(tomli_w.dumps(values(folder)).encode())
        (tmp_path / "three.toml").write_text(self.STUDY.replace("{more}", more))
        return StudyRecipes(load_study(tmp_path / "three.toml"), "three")

    def test_recipes_may_train_on_other_languages_and_are_asked_the_same(self, folder, tmp_path):
        recipes = self.recipes(folder, tmp_path)
        (split,) = recipes.study.splits
        assert split.name == "German"
        assert recipes.of("source only", "German").protocol.source == ("en",)
        assert recipes.inner_by(recipes.of("all", "German")) == "language"

    def test_recipes_that_are_tested_otherwise_are_refused(self, folder, tmp_path):
        with pytest.raises(InputError, match=r"have different protocols .protocol.target_folds is None and 2"):
            self.recipes(folder, tmp_path, 'set."protocol.target_folds" = 2')
