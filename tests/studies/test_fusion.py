"""Late fusion: the mean of what members answered, seed by seed, stands in a study as any other recipe."""

import json
import tomllib

import numpy as np
import pandas as pd
import pytest
import tomli_w

from affectspace.metrics import scores, value_scores
from affectspace.report.study import write_study_report
from affectspace.report.study_tables import table_markdown, write_tables
from affectspace.studies import open_study, summarise
from affectspace.studies.speakers import speaker_interval, tally
from affectspace.training.run import Run

SPLIT = "alva -> boro"
THREE = {"CE": 0.6, "KL": 1.0, "JS": 0.3}
CLASSES = ("calm", "glad", "sad")


def fused_slowly(folder, members, split, seed):
    """item -> (speaker, target, mean probabilities), item by item."""
    rows = {}
    for name in members:
        run = Run(open_study(folder).run_folder(name, split, seed))
        for row in run.predictions[run.predictions["split"] == "test"].itertuples():
            _, _, total = rows.get(row.item, (None, None, np.zeros(len(row.target))))
            rows[row.item] = (row.speaker, row.target, total + np.array(row.probabilities))
    return {item: (speaker, target, total / len(members)) for item, (speaker, target, total) in rows.items()}


def own(results, recipe):
    return results.runs[results.runs["recipe"] == recipe].reset_index(drop=True)


def rewrite(path, change):
    change(pd.read_parquet(path)).to_parquet(path)


def edit(path, change):
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.fixture(scope="module")
def study(make_study):
    fuses = {"all": ["JS", "CE", "KL"], "two": ["CE", "KL"]}
    return make_study(THREE, (SPLIT, "back"), 3, items=60, epochs=2, classes=CLASSES, by_seed=0.4, fuses=fuses)


def test_figures_are_those_of_the_mean_answer(study):
    results = open_study(study)
    assert results.finished
    assert (results.planned, results.trained) == (18, ("CE", "KL", "JS")), "what is fused is trained by nobody"
    assert len(results.runs) == 30
    for recipe, members in {"all": ("CE", "KL", "JS"), "two": ("CE", "KL")}.items():
        for row in own(results, recipe).itertuples():
            answers = fused_slowly(study, members, row.split, row.seed)
            truth, said = (np.stack([answer[place] for answer in answers.values()]) for place in (1, 2))
            expected = scores(truth, said)
            assert {key: getattr(row, key) for key in expected} == pytest.approx(expected, nan_ok=True)
            assert np.isnan([row.similarity_rho, row.similarity_error, row.seconds]).all()
            assert (row.selected_epoch, row.folder) == ([], "")


def test_answers_are_counted_by_speaker(study):
    results = open_study(study)
    for seed, judged in enumerate(results.judged("all", SPLIT)):
        answers = fused_slowly(study, THREE, SPLIT, seed)
        speakers, truth, said = ([answer[place] for answer in answers.values()] for place in (0, 1, 2))
        counted = tally(np.array([*answers]), np.array(speakers), np.stack(truth), np.stack(said))
        assert judged.tally.speakers == counted.speakers
        assert np.array_equal(judged.tally.counts, counted.counts)
        assert judged.items == 60
        assert judged.digest == results.judged("CE", SPLIT)[seed].digest
    assert results.items("all", SPLIT) == results.items("CE", SPLIT)
    assert results.example(SPLIT, "all") is None


def test_it_is_compared_as_any_other_recipe(study):
    results = open_study(study)
    summary = summarise(results)[0]
    row = next(row for row in summary.rows if row.recipe == "all")
    assert summary.tested == ("CE", "KL", "JS", "all", "two")
    assert not summary.obstacles
    assert not summary.apart
    assert row.uar.value == pytest.approx(own(results, "all")["uar"][:3].mean())
    assert row.change[0] == pytest.approx(row.mean - summary.base.mean)
    tallies = [[each.tally for each in results.judged(name, SPLIT)] for name in ("all", "CE")]
    assert row.speakers == speaker_interval(*tallies)
    assert 0 <= row.p <= 1


def test_neither_the_order_of_members_nor_that_of_items_changes_a_bit(make_study):
    options = {"items": 50, "seeds": 2, "classes": CLASSES, "by_seed": 0.4}
    fuses = {"one": ["CE", "KL", "JS"], "other": ["JS", "KL", "CE"]}
    folder = make_study(THREE, fuses=fuses, **options)
    results = open_study(folder)
    before = own(results, "one").drop(columns="recipe")
    assert before.equals(own(results, "other").drop(columns="recipe"))
    for path in (folder / "runs/KL").rglob("predictions.parquet"):
        rewrite(path, lambda table: table.sample(frac=1, random_state=3))
    assert before.equals(own(open_study(folder), "one").drop(columns="recipe"))
    backwards = make_study(dict(reversed(THREE.items())), baseline="CE", fuses=fuses, **options)
    assert before.equals(own(open_study(backwards), "one").drop(columns="recipe"))


def test_a_recipe_and_its_copy_are_the_recipe(make_study):
    folder = make_study({"CE": 0.6, "copy": 0.6}, seeds=2, items=40, fuses={"both": ["CE", "copy"]})
    for seed in range(2):
        where = [folder / f"runs/{name}/alva----boro/seed-{seed}/predictions.parquet" for name in ("CE", "copy")]
        where[1].write_bytes(where[0].read_bytes())
    results = open_study(folder)
    both, figures = own(results, "both"), [*scores([[1.0, 0.0]], [[0.5, 0.5]])]
    assert both[figures].to_numpy() == pytest.approx(own(results, "CE")[figures].to_numpy(), abs=1e-12)
    counts = [[judged.tally.counts for judged in results.judged(name, SPLIT)] for name in ("both", "CE")]
    assert np.array_equal(*counts)


def test_folds_are_fused_over_all_their_items(make_study):
    folder = make_study({"CE": 0.5, "KL": 0.9}, ("folds",), 2, folds=3, items=30, fuses={"both": ["CE", "KL"]})
    results = open_study(folder)
    assert [judged.items for judged in results.judged("both", "folds")] == [90, 90]
    answers = fused_slowly(folder, ("CE", "KL"), "folds", 1)
    truth, said = (np.stack([answer[place] for answer in answers.values()]) for place in (1, 2))
    assert own(results, "both")["uar"][1] == pytest.approx(scores(truth, said)["uar"])


def test_levels_of_numbers_and_unseen_corpora_are_fused_too(make_study):
    options = {"classes": CLASSES, "items": 40, "seeds": 1}
    folder = make_study({"CE": 0.5, "KL": 0.9}, fuses={"both": ["CE", "KL"]}, **options)
    for place, path in enumerate(sorted(folder.rglob("predictions.parquet"))):

        def more(table, place=place):
            luck = np.random.default_rng(place)
            table["value"] = np.random.default_rng(9).normal(size=len(table))
            table["predicted_value"] = table["value"] + luck.normal(size=len(table))
            unseen = table.sample(30, random_state=1).assign(split="unseen")
            unseen["item"] = [f"{'xy'[i % 2]}/{i}" for i in range(30)]
            return pd.concat([table, unseen], ignore_index=True)

        rewrite(path, more)
        new = {"uar": 0.5}
        changed = {"unseen": {"x": new, "y": new}}
        edit(
            path.parent / "metrics.json",
            lambda told, changed=changed: told | changed | {"test": told["test"] | {"within_one": 1.0}},
        )
    row = own(open_study(folder), "both").iloc[0]
    tables = [pd.read_parquet(folder / f"runs/{name}/alva----boro/seed-0/predictions.parquet") for name in ("CE", "KL")]
    for part, corpus, begin in (("test", "boro", ""), ("unseen", "x", "unseen.x."), ("unseen", "y", "unseen.y.")):
        kept = [table[(table["split"] == part) & table["item"].str.startswith(f"{corpus}/")] for table in tables]
        said = np.mean([np.stack([*table["probabilities"]]) for table in kept], axis=0)
        expected = scores(np.stack([*kept[0]["target"]]), said, ordered=True)
        expected |= value_scores(kept[0]["value"], np.mean([table["predicted_value"] for table in kept], axis=0))
        assert {key: row[begin + key] for key in expected} == pytest.approx(expected, nan_ok=True)
    assert "value_r2" in expected
    path = folder / "runs/KL/alva----boro/seed-0/predictions.parquet"
    rewrite(path, lambda table: table[table["item"] != "y/1"])
    again = own(open_study(folder), "both").iloc[0]
    assert again["uar"] == row["uar"]
    assert np.isnan(again["unseen.x.uar"]), "its members were not judged on the same unseen items"


def test_it_waits_for_its_members(make_study):
    def without(recipe, split, seed):
        return (recipe, seed) in {("KL", 1), ("KL", 2), ("JS", 2)}

    folder = make_study(THREE, seeds=3, items=20, without=without, fuses={"all": ["CE", "KL", "JS"]})
    results = open_study(folder)
    missing = results.missing[results.missing["recipe"] == "all"]
    assert missing[["seed", "state", "folder"]].to_numpy().tolist() == [
        [1, "waits for KL", ""], [2, "waits for JS and KL", ""],
    ]  # fmt: skip
    assert not results.finished
    assert own(results, "all")["seed"].tolist() == [0]
    assert len(results.judged("all", SPLIT)) == 1
    page = write_study_report(results).read_text()
    assert "6 of 9 runs are finished" in page
    assert "seed 1 (waits for KL); seed 2 (waits for JS and KL)" in page
    (folder / "selection.json").write_text(json.dumps({f"{SPLIT}/all": {"tried": [], "open": ["CE"]}}))
    assert own(open_study(folder), "all").empty, "a run of an earlier choice counts nowhere"


def test_a_run_of_its_name_is_none_of_its_answers(make_study):
    folder = make_study({"CE": 0.6, "KL": 1.0, "both": -9.0}, seeds=1, items=40)
    plan = tomllib.loads((folder / "study.toml").read_text())
    plan["recipes"][2] = {"name": "both", "fuses": ["CE", "KL"]}
    (folder / "study.toml").write_text(tomli_w.dumps(plan))
    results = open_study(folder)
    assert own(results, "both")["uar"][0] > 0.5
    assert results.planned == 2


UNLIKE = "fuses CE and KL, which were not judged on the same items: "


def test_members_judged_on_other_items_are_not_fused_and_it_is_told_why(make_study, tmp_path):
    folder = make_study(THREE, seeds=2, items=40, fuses={"both": ["KL", "CE"], "like": ["CE", "JS"]})
    for path in (folder / "runs/KL").rglob("predictions.parquet"):
        rewrite(path, lambda table: table.drop(index=3))
    results = open_study(folder)
    summary = summarise(results)[0]
    lacks = "without 1 of 40 items: boro/0003"
    assert summary.apart == {"KL": lacks, "both": f"{UNLIKE}KL {lacks}"}
    assert summary.tested == ("CE", "JS", "like")
    assert own(results, "both").empty
    assert results.judged("both", SPLIT) == []
    assert results.finished, "there is nothing to wait for"
    told = f"Set apart, as not judged on the items of CE: KL ({lacks}); both ({UNLIKE}KL {lacks})."
    assert told in table_markdown([summary])
    page = write_study_report(results, tmp_path / "page.html").read_text()
    assert told in page
    assert "no finished run" not in page
    assert "not finished" not in page


@pytest.mark.parametrize(
    ("details", "why"),
    [
        ({"classes": ("low", "high")}, "KL tells low and high apart, CE negative and positive"),
        ({"world": 8}, "KL on the same 40 items, with other labels"),
    ],
)
def test_other_classes_and_labels_are_told(make_study, details, why):
    folder = make_study(
        {"CE": 0.6, "KL": 1.0}, seeds=2, items=40, details={"KL": details}, fuses={"both": ["CE", "KL"]}
    )
    summary = summarise(open_study(folder))[0]
    assert summary.apart["both"] == UNLIKE + why
    assert summary.obstacles == summary.set_apart


def test_where_no_member_has_a_run_nothing_is_told_apart(make_study):
    fuses = {"both": ["CE", "KL"], "all": ["CE", "JS", "KL"]}
    details = {"KL": {"world": 8}}
    folder = make_study(THREE, seeds=2, items=20, fuses=fuses, details=details, without=lambda r, s, i: r == "JS")
    summary = summarise(open_study(folder))[0]
    assert [*summary.apart] == ["KL", "both"], "and all waits for JS"
    nothing = make_study(THREE, seeds=2, items=20, fuses=fuses, without=lambda *which: True)
    assert summarise(open_study(nothing))[0].apart == {}


def test_it_is_transductive_where_a_member_is(make_study):
    details = {"KL": {"transductive": True}}
    folder = make_study(THREE, seeds=2, items=20, details=details, fuses={"a": ["CE", "KL"], "b": ["CE", "JS"]})
    assert summarise(open_study(folder))[0].transductive == ("KL", "a")


def test_tables_and_page_have_it_beside_the_others(study, tmp_path):
    results = open_study(study)
    paths = write_tables(results, tmp_path)
    table = pd.read_parquet(paths["table.parquet"])
    row = table[(table["recipe"] == "all") & (table["split"] == SPLIT)].iloc[0]
    assert (row["n"], row["mean"]) == (3, pytest.approx(own(results, "all")["uar"][:3].mean()))
    assert np.isnan(row["seconds"])
    runs = pd.read_parquet(paths["runs.parquet"])
    assert runs.loc[runs["recipe"] == "all", "folder"].eq("").all()
    assert [*map(len, runs.loc[runs["recipe"] == "all", "selected_epoch"])] == [0] * 6
    assert runs.loc[runs["recipe"] == "CE", "selected_epoch"].map(list).tolist() == [[12]] * 6
    assert "| CE | KL | JS | all | two |" in paths["figures.md"].read_text()
    page = write_study_report(results, tmp_path / "page.html").read_text()
    told = "the mean of what CE, JS and KL answer, each alike, seed by seed; nothing is learned or chosen"
    assert f"all: {told}" in page
    assert "all and two are fused of runs of other recipes here." in page


def test_a_damaged_plan_of_fusions_is_named(make_study):
    folder = make_study({"CE": 0.6, "KL": 1.0}, seeds=1, items=20, fuses={"both": ["CE", "no"]})
    with pytest.raises(Exception, match=r"study\.toml of study .* damaged \('no', which is fused, is none of CE, KL\)"):
        open_study(folder)
