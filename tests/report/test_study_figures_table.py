"""All figures of a study: those of unseen corpora stand apart from those of the test items."""

import json

import numpy as np
import pandas as pd
import pytest

from affectspace.metrics import scores
from affectspace.report.study_figures_table import figure_tables, figures_markdown
from affectspace.studies import open_study, summarise


def also_tested(folder, corpus="cirin", items=20, without=()):
    """Adds to every run answers about the items of a corpus that was not trained on, and their figures."""
    for path in folder.glob("runs/*/*/seed-*/metrics.json"):
        if path.parts[-4] in without:
            continue
        metrics = json.loads(path.read_text())
        table = pd.read_parquet(path.parent / "predictions.parquet")
        more = table.iloc[:items].assign(split="unseen", item=[f"{corpus}/{i}" for i in range(items)])
        found = scores(np.stack(list(more["target"])), np.stack(list(more["probabilities"])))
        metrics["unseen"] = metrics.get("unseen", {}) | {corpus: found | {"knn_accuracy": 0.25}}
        path.write_text(json.dumps(metrics))
        pd.concat([table, more], ignore_index=True).to_parquet(path.parent / "predictions.parquet")
    return folder


@pytest.fixture
def tables():
    def make(folder):
        results = open_study(folder)
        return results, figure_tables(results, summarise(results))

    return make


def best_of(table, title="unweighted average recall %"):
    return [best for _, best in next(cells for told, _, cells in table.rows if told == title)]


def test_an_unseen_corpus_has_a_table_of_its_own_with_the_spread_over_seeds(make_study, tables):
    results, (tested, unseen) = tables(also_tested(make_study({"CE": 0.2, "KL": 3.0}, seeds=3, items=100)))
    assert (tested.split, unseen.split) == ("alva -> boro", "alva -> boro, unseen: cirin")
    assert not any("unseen" in title or "neighbours" in title for title, *_ in tested.rows)
    (cells,) = [cells for title, _, cells in unseen.rows if title == "unweighted average recall %"]
    runs = results.runs
    for name, (text, _) in zip(("CE", "KL"), cells):
        values = 100 * runs.loc[runs["recipe"] == name, "unseen.cirin.uar"]
        assert text == f"{values.mean():.1f} ({values.std():.1f})"
    assert best_of(unseen) == [False, True]
    assert "accuracy of neighbours' votes %" in [title for title, *_ in unseen.rows]
    told = figures_markdown([tested, unseen])
    assert "**alva -> boro, unseen: cirin**" in told


def test_corpora_whose_names_begin_alike_have_a_table_each(make_study, tables):
    folder = also_tested(make_study({"CE": 0.2}, seeds=2, items=60))
    _, (_, *unseen) = tables(also_tested(folder, "cirin.48"))
    assert [table.split for table in unseen] == ["alva -> boro, unseen: cirin", "alva -> boro, unseen: cirin.48"]
    titles = [[title for title, *_ in table.rows] for table in unseen]
    assert titles[0] == titles[1]
    assert len(set(titles[0])) == len(titles[0])


def test_recipes_of_other_unseen_items_are_not_ranked_on_them(make_study, tables):
    folder = also_tested(make_study({"CE": 0.2, "KL": 3.0}, seeds=2, items=60), items=20, without=("KL",))
    also_tested(folder, items=10, without=("CE",))
    _, (tested, unseen) = tables(folder)
    assert best_of(tested) == [False, True]
    assert best_of(unseen) == [False, False]


def test_a_recipe_that_saw_nothing_of_it_has_a_dash(make_study, tables):
    folder = also_tested(make_study({"CE": 0.2, "KL": 3.0}, seeds=2, items=60), without=("KL",))
    _, (_, unseen) = tables(folder)
    assert all(cells[1] == ("–", False) for _, _, cells in unseen.rows)


def test_without_unseen_corpora_there_is_one_table_a_split(make_study, tables):
    _, found = tables(make_study({"CE": 0.2, "KL": 3.0}, ("one", "two"), seeds=2, items=60))
    assert [table.split for table in found] == ["one", "two"]


def test_bits_are_no_per_cent(make_study, tables):
    results, (table,) = tables(make_study({"CE": 0.2}, seeds=2, items=60))
    (cell,) = next(cells for title, _, cells in table.rows if title.endswith("(bits)"))
    assert cell[0].startswith(f"{results.runs['jensen_shannon'].mean():.3f} (")


def test_what_spaces_know_of_speakers_has_a_table_that_marks_no_best(make_study, tables):
    folder = make_study({"CE": 0.5, "KL": 0.9}, ("one",), 2, items=40)
    for path in folder.glob("runs/*/one/seed-*/metrics.json"):
        after = {"KL": 0.2, "CE": 0.4}[path.parts[-4]] + 0.1 * int(path.parts[-2][-1])
        speaker = {"before": 0.9, "after": after, "after_by_neighbours": 0.5, "chance": 0.1, "groups": 10, "items": 300}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"probes": {"speaker": speaker}}))
    results, (first, table) = tables(folder)
    assert "probes.speaker.after" in results.runs
    assert not any("speaker" in title for title, _, _ in first.rows)
    assert table.split == "one, speakers and languages"
    assert (
        table.rows
        == table.first
        == (
            ("from features %: speakers", "", (("90.0 (0.0)", False), ("90.0 (0.0)", False))),
            ("from embeddings %: speakers", "", (("45.0 (7.1)", False), ("25.0 (7.1)", False))),
            ("from embeddings by neighbours %: speakers", "", (("50.0 (0.0)", False), ("50.0 (0.0)", False))),
            ("by chance %: speakers", "", (("10.0 (0.0)", False), ("10.0 (0.0)", False))),
        )
    )
