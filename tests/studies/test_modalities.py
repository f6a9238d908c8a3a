"""Studies of several modalities and of unlabelled items: amounts as recipes or splits, figures of every subset."""

import pytest
import tomli_w

from affectspace.report.study_amounts import amount_panels
from affectspace.report.study_figures_table import figure_tables
from affectspace.studies import execute, open_study, summarise
from affectspace.studies.execute import run_study
from affectspace.studies.plan import Planned
from affectspace.training import make_recipe

SUBSETS = ("acoustic", "lexical", "acoustic+lexical")


@pytest.fixture(scope="module")
def results(lay_duo, here, tmp_path_factory):
    root = tmp_path_factory.mktemp("duo")
    (root / "duo.toml").write_text(tomli_w.dumps(lay_duo(root) | {"data": "."}))
    few = {"unlabelled.limit": 1}
    study = {
        "name": "amounts",
        "seeds": 2,
        "recipes": [{"name": "all", "path": "duo.toml"}, {"name": "few", "path": "duo.toml", "set": few}],
        "splits": [{"name": "whole"}, {"name": "half", "set": {"training.labelled_share": 0.5}}],
    }
    (root / "study.toml").write_text(tomli_w.dumps(study))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "Pool", here)
        outcome = run_study(root / "study.toml", root / "out")
    assert (outcome.exit_code, outcome.finished) == (0, 8)
    return open_study(root / "out")


def test_amounts_are_recipes_and_splits_of_one_question(results):
    counts = {
        (recipe, split): (run.data["unlabelled"]["items"], (run.data.get("labelled") or {}).get("items"))
        for recipe in results.recipes
        for split in results.splits
        for run in [results.example(split, recipe)]
    }
    assert counts["few", "whole"] == (1, None)
    assert counts["few", "half"][0] == 1 < counts["all", "whole"][0] < counts["all", "half"][0]
    assert not any(split.obstacles or split.apart for split in summarise(results))


def test_every_subset_has_columns_and_rows(results):
    for key in ("uar", "chance_uar", "weighted_precision", "items"):
        assert results.runs[[f"by_modality.{names}.{key}" for names in SUBSETS]].notna().all(axis=None)
    whole = results.runs["by_modality.acoustic+lexical.uar"]
    assert whole.tolist() == pytest.approx(results.runs["uar"].tolist())
    tables = figure_tables(results, summarise(results))
    assert [table.split for table in tables][:3] == ["whole", "whole, by modality", "whole, between modalities"]
    titles = [title for title, _, _ in tables[1].rows]
    assert titles[:3] == [f"unweighted average recall %: {names.replace('+', ' + ')}" for names in SUBSETS]
    assert sum("WAP" in title for title in titles) == 3
    assert [title.partition(" %")[0] for title, _, _ in tables[1].first] == [
        *["unweighted average recall"] * 3, *["UAR of random predictions"] * 3,
    ]  # fmt: skip
    assert tables[0].first == tables[0].rows
    assert not any("items" in title or "calibration" in title for title in titles)
    assert [title for title, _, _ in tables[2].rows][:1] == [
        "Recall@1 of the item in the other modality %: acoustic + lexical"
    ]
    assert not any("modal" in title or "+" in title for title, _, _ in tables[0].rows)


def test_where_an_amount_alone_differs_there_is_a_curve_against_it(results):
    panels = amount_panels(results, summarise(results))
    assert [(panel.title, panel.note) for panel in panels] == [
        ("whole", "UAR against unlabelled items"),
        ("half", "UAR against unlabelled items"),
        ("over the splits", "UAR against labelled training items"),
    ]
    labelled = results.example("half", "all").data["labelled"]["items"]
    assert f" with {labelled}, " in str(panels[-1].picture)
    assert "all: " in str(panels[-1].picture)
    assert "few: " in str(panels[-1].picture)


def test_runs_that_read_other_modalities_do_other_work(lay_duo, tmp_path):
    values = lay_duo(tmp_path)
    wider = lay_duo(tmp_path)
    wider["modalities"]["acoustic"]["net"]["latent"] = 7
    more = {**values, "unlabelled": {"batch_size": 32}}
    works = {
        Planned("final", "r", "s", None, 0, tmp_path, make_recipe(each)).work for each in (values, wider, more, values)
    }
    assert len(works) == 3
