"""The printed table says what the summaries say, in Markdown, in HTML that can stand alone, and tidy."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.report import write_tables
from affectspace.report.study_tables import legend
from affectspace.studies import open_study, summarise

EVIL = "<script>alert('x')</script> | *a* `b`"


@pytest.fixture(scope="module")
def planted(make_study):
    return open_study(make_study({"CE": 0.5, "KL": 1.4, "JS": 0.52, "PS": -0.2}, ("one", "two"), 6, items=300))


@pytest.fixture(scope="module")
def written(planted, tmp_path_factory):
    return write_tables(planted, tmp_path_factory.mktemp("tables"))


class Cells(HTMLParser):
    def __init__(self, source: str):
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_markdown(planted, written):
    lines = written["table.md"].read_text(encoding="utf-8").splitlines()
    assert lines[0] == "| split | chance | CE | KL | JS | PS | seeds |"
    first = summarise(planted)[0]
    cells = [cell.strip() for cell in lines[2].strip("|").split(" | ")]
    assert cells[:2] == ["one", f"{100 * first.chance:.1f}"]
    for row, cell in zip(first.rows, cells[2:6]):
        assert f"{100 * row.mean:.1f} ({100 * row.uar.sd:.1f})" in cell
        assert ("↑" in cell) == (row.verdict == "above")
        assert ("↓" in cell) == (row.verdict == "below")
        assert cell.startswith("**") == (row.recipe == "KL")
    assert (cells[3][-1], cells[5][-1], cells[6]) == ("↑", "↓", "6")
    assert "not about other speakers" in lines[-1]


def test_html_stands_alone(written):
    source = written["table.html"].read_bytes()
    assert source.isascii()  # so that no reader can take it for another encoding
    parsed = Cells(source.decode())
    assert [len(row) for row in parsed.rows] == [7, 7, 7]
    assert parsed.rows[1][3].endswith("↑")
    assert not {"script", "link", "style", "img", "a"} & {tag for tag, _ in parsed.tags}
    assert not any(name in {"src", "href", "class"} or name.startswith("on") for _, a in parsed.tags for name in a)


def test_tidy_table(planted, written):
    table = pd.read_parquet(written["table.parquet"]).set_index(["split", "recipe"])
    assert list(table.columns[:5]) == ["n", "mean", "sd", "low", "high"]
    assert len(table) == 8
    for split in summarise(planted):
        for row in split.rows:
            told = table.loc[(split.split, row.recipe)]
            assert told["mean"] == row.mean
            if row.recipe != "CE":
                assert (told["difference"], told["difference_low"], told["difference_high"]) == row.change
                assert told["p_tukey"] == row.p
                assert (told["speaker_low"], told["speaker_high"]) == (row.speakers.low, row.speakers.high)
                assert told["hedges_g"] == row.g.value
    assert np.isnan(table.loc[("one", "CE"), "p_tukey"])


def test_a_row_for_every_run(planted, written):
    runs = pd.read_parquet(written["runs.parquet"])
    assert len(runs) == 48
    assert runs["uar"].equals(planted.runs["uar"])
    assert runs.loc[0, "selected_epoch"].tolist() == [12]


@pytest.mark.parametrize("name", ["table.parquet", "runs.parquet"])
def test_documentation_has_every_column_in_order(written, name):
    page = (Path(__file__).parents[2] / "docs/studies.md").read_text(encoding="utf-8")
    table = page.split(f"\n`{name}` has a row", 1)[1].split("\n\n")[1]
    told = [column for line in table.splitlines()[2:] for column in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert told == list(pd.read_parquet(written[name]).columns)


def test_hostile_names_stay_names(make_study, tmp_path):
    paths = write_tables(open_study(make_study({"CE": 0.5, EVIL: 0.6}, (EVIL,), 2, items=30)), tmp_path)
    parsed = Cells(paths["table.html"].read_text())
    assert parsed.rows[0][3] == parsed.rows[1][0] == EVIL
    assert "script" not in {tag for tag, _ in parsed.tags}
    header = paths["table.md"].read_text(encoding="utf-8").splitlines()[0]
    assert r"\<script>alert('x')\</script> \| \*a\* \`b\`" in header


def test_arrows_are_explained_where_there_are_any(make_study, planted):
    assert legend(summarise(planted))[1].startswith("↑ above and ↓ below “CE” with p < .05")
    level = summarise(open_study(make_study({"CE": 0.5, "KL": 0.5}, seeds=3, items=60)))
    told = " ".join(legend(level))
    assert "No recipe differs from “CE” with p < .05 by Tukey's honestly significant difference test" in told
    assert not {"↑", "↓"} & set(told)
    assert "several splits" not in told
    ahead = summarise(open_study(make_study({"CE": 0.0, "KL": 2.0}, seeds=4, items=200)))
    assert legend(ahead)[1].startswith("↑ above “CE” with")


def test_unfinished_one_seed_and_nothing(make_study, tmp_path):
    folder = make_study({"CE": 0.5, "KL": 0.6}, seeds=3, items=30, without=lambda r, s, i: r == "KL" and i > 0)
    assert "| 1–3 of 3 |" in write_tables(open_study(folder), tmp_path)["table.md"].read_text()
    one = write_tables(open_study(make_study({"CE": 0.5, "KL": 0.6}, seeds=1, items=30)), tmp_path)[
        "table.md"
    ].read_text()
    assert "alva -> boro has no test: one run of each recipe has no spread" in one
    assert "(" not in one.splitlines()[2]
    assert "↑" not in one
    none = open_study(make_study({"CE": 0.5, "KL": 0.6}, seeds=1, without=lambda *_: True))
    paths = write_tables(none, tmp_path)
    assert "| alva -> boro | – | – | – | 0 of 1 |" in paths["table.md"].read_text()
    assert pd.read_parquet(paths["runs.parquet"]).empty


def test_what_is_not_ranked_has_no_best(make_study, tmp_path):
    folder = make_study({"CE": 0.5, "KL": 0.9}, seeds=3, items=40, details={"KL": {"items": 30}})
    told = write_tables(open_study(folder), tmp_path)["table.md"].read_text()
    assert "**" not in told
    assert "alva -> boro is not ranked. Set apart, as not judged on the items of CE: KL (without 10 of 40" in told


def test_who_is_set_apart_has_a_dagger_and_no_verdict(make_study, tmp_path):
    details = {"JS": {"items": 39, "epochs": 0}}
    folder = make_study({"CE": 0.5, "KL": 0.5, "JS": 0.9}, seeds=3, items=40, details=details)
    told = write_tables(open_study(folder), tmp_path)["table.md"].read_text()
    row = [cell.strip() for cell in told.splitlines()[2].strip("|").split("|")]
    assert re.fullmatch(r"\d\d\.\d", row[1]), "chance is told"
    assert row[4].endswith("†")
    assert not row[4].startswith("**")
    assert "No recipe that was tested differs from “CE” with p < .05" in told
    assert "† on alva -> boro: Set apart" in told
    assert "JS (without 1 of 40 items: boro/0039)" in told


def test_the_same_study_gives_the_same_bytes(planted, written, tmp_path):
    again = write_tables(open_study(planted.folder), tmp_path)
    assert all(again[name].read_bytes() == path.read_bytes() for name, path in written.items())


def test_folds_have_a_list_of_epochs(make_study):
    paths = write_tables(open_study(folder := make_study({"CE": 0.5}, seeds=1, folds=2, items=20)))
    assert paths["runs.parquet"].parent == folder
    assert pd.read_parquet(paths["runs.parquet"]).loc[0, "selected_epoch"].tolist() == [12, 12]


def test_figures_of_what_terms_have_learned_and_of_numbers_have_words(make_study, tmp_path):
    folder = make_study({"XEMD1": 0.5, "XEMD2": 0.6}, seeds=2, items=20)
    for path in sorted(folder.glob("runs/*/*/*/metrics.json")):
        metrics = json.loads(path.read_text())
        metrics["test"] |= {"value_mean_absolute_error": 4.5, "value_r2": 0.5}
        order = 0.9 if "XEMD1" in path.parts else 0.8
        metrics["learned"] = {"guided_emd.relation_strength": 0.0335, "guided_emd.distance_order": order}
        metrics["learned"] |= {"adversary.group_accuracy": order / 9, "adversary.chance_group_accuracy": 0.05}
        path.write_text(json.dumps(metrics))
    told = write_tables(open_study(folder), tmp_path)["figures.md"].read_text()
    strength = "standard deviation of the distances between classes (SDD): guided_emd"
    assert f"| {strength} | 0.034 (0.000) | 0.034 (0.000) |" in told
    order = "rank correlation of learned distances and steps between levels: guided_emd (higher is better)"
    assert f"| {order} | **0.900 (0.000)** | 0.800 (0.000) |" in told
    # to hide the groups is what its term is for, and no merit by itself: no recipe is the best
    assert "| training items whose group the adversary tells %: adversary | 10.0 (0.0) | 8.9 (0.0) |" in told
    assert "| one of its groups at random %: adversary | 5.0 (0.0) | 5.0 (0.0) |" in told
    assert "| mean distance of predicted from true value (lower is better) | **4.500 (0.000)** |" in told
    assert "| R² of predicted and true value (higher is better) |" in told
