"""What modalities tell and how they match, the terms of unlabelled items, and words for what had no label."""

import json

import pytest

from affectspace.report import modality_panels as modality_panels_module
from affectspace.report import write_report
from affectspace.report.compare import Comparison
from affectspace.report.facts import corpora, protocol
from affectspace.report.modality_panels import matching_table, modality_panels, modality_table
from affectspace.report.term_panels import term_panels
from affectspace.training.multimodal import subsets
from affectspace.training.run import Run

FIGURES = {"uar": 0.5, "chance_uar": 0.25, "weighted_precision": 0.625}


@pytest.fixture
def run(make_run):
    path = make_run("several", "several", items=20, epochs=2, snapshots=())
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["by_modality"] = {
        "acoustic": {"items": 15, **FIGURES},
        "words": {"items": 1234, **FIGURES, "uar": None},
        "acoustic+words": {"items": 20, **FIGURES, "uar": 0.75},
    }
    metrics["matching"] = {
        "acoustic+words": {
            "items": 14, "recall_at_1": 0.5, "chance_recall_at_1": 0.0714, "linear_cka": 0.25, "chance_linear_cka": 0.1,
        }
    }  # fmt: skip
    (path / "metrics.json").write_text(json.dumps(metrics))
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for row, value in zip(rows, (0.5, -2.0)):
        row["terms"] |= {"matching": 0.25, "unlabelled.matching": value}
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = json.loads((path / "data.json").read_text())
    data |= {
        "labelled": {"share": 0.25, "items": 10, "hidden": 30},
        "unlabelled": {"items": 1030, "left_out": {"speaker": 7}},
    }
    data["corpora"][0] |= {"unlabelled": 37, "modalities": {"acoustic": 500, "words": 600}}
    (path / "data.json").write_text(json.dumps(data))
    return Run(path)


@pytest.fixture
def plain(make_run):
    return Run(make_run("plain", "plain", items=20, epochs=1, snapshots=()))


def text(cells):
    return [cell.replace("\u202f", " ") for cell in cells]


def test_every_subset_has_a_row_with_its_items_and_chance(run, plain):
    table = modality_table(Comparison((plain, run)))
    assert [(name, shown) for name, shown, _ in table["rows"]] == [
        ("several", "acoustic"), ("several", "words"), ("several", "acoustic + words"),
    ]  # fmt: skip
    cells = dict(zip(table["headings"], text(table["rows"][1][2])))
    assert cells == {
        "items": "1,234", "UAR": "–", "chance": "25.0 %", "accuracy": "–", "macro F1": "–", "weighted F1": "–",
        "WAP": "62.5 %",
    }  # fmt: skip


def test_a_pair_stands_beside_its_chance(run):
    table = matching_table(Comparison((run,)))
    assert table["headings"] == ["items", "Recall@1", "Recall@5", "Recall@10", "linear CKA"]
    ((_, pair, cells),) = table["rows"]
    assert pair == "acoustic + words"
    assert [text(cell) for cell in cells] == [
        ["14", ""], ["50.0 %", "chance 7.1 %"], ["–", ""], ["–", ""], ["0.250", "chance 0.100"],
    ]  # fmt: skip


def test_bars_are_marked_by_the_chance_of_their_items_and_no_two_labels_are_alike(run, monkeypatch):
    names = ("acoustic", "visual", "lexical", "spoken_words")
    found = {
        "+".join(chosen): {"items": 9, "uar": 0.3, "chance_uar": 0.25 + 0.01 * place}
        for place, chosen in enumerate(subsets(names))
    }
    drawn = []
    monkeypatch.setattr(modality_panels_module, "inline_svg", lambda figure, *_: drawn.append(figure) or "")
    monkeypatch.setattr(Run, "by_modality", found)
    modality_panels(Comparison((run,)))
    (ax,) = drawn[0].axes
    marks = sorted({float(line.get_xdata()[0]) for line in ax.lines})
    assert marks == pytest.approx(sorted(each["chance_uar"] for each in found.values()))
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert [label.replace("\n", " ") for label in labels] == [name.replace("+", " + ") for name in found]
    assert max(len(line) for label in labels for line in label.splitlines()) <= 27
    tops = [bar.get_y() for bar in ax.patches]
    assert tops == sorted(tops)
    assert tops[4] - tops[3] > tops[1] - tops[0]  # a space between singles and pairs


def test_a_run_whose_folds_kept_no_answers_says_so(run, monkeypatch):
    assert modality_panels(Comparison((run,)))[0].note == ""
    monkeypatch.setattr(Run, "pools_modalities", False)
    assert modality_panels(Comparison((run,)))[0].note.startswith("means of the folds' figures, unlike the scores")


def test_of_folds_the_number_that_has_such_items_stands_below_the_items(run, monkeypatch):
    monkeypatch.setattr(Run, "matching", {"acoustic+words": {"items": 14, "folds": 5, "recall_at_1": 0.5}})
    ((_, _, cells),) = matching_table(Comparison((run,)))["rows"]
    assert cells[0] == ("14", "in 5 folds")


def test_other_runs_have_none_of_these(plain, run):
    alone = Comparison((plain,))
    assert modality_table(alone) is matching_table(alone) is None
    assert modality_panels(alone) == term_panels(alone) == []
    assert [panel.title for panel in term_panels(Comparison((plain, run)))] == ["several"]


def test_labels_that_are_not_there_are_told(run):
    told = dict.fromkeys(sentence for label, sentence in protocol(Comparison((run,))) if label == "Labels")
    assert list(told) == [
        "10 of 40 training labels are used (training.labelled_share 0.25)",
        "1,030 items are trained on without a label; left out: 7 that share a speaker with validation or test items",
    ]
    (card,) = corpora(Comparison((run,)))
    assert card["left_out"][0][0].startswith("without a target: label 'bored'")
    assert card["left_out"][1] == ("left out: quarantined: at fault", 3)
    facts = dict(card["facts"])
    assert facts["Modalities"] == "acoustic of 500 items, words of 600 items"
    assert facts["Without a label"] == "37 items that can be trained on so"


def test_the_page_tells_it(run, plain, tmp_path):
    source = write_report([run], tmp_path / "with.html").read_text(encoding="utf-8")
    for heading in ("modalities", "matching"):
        assert f'<h2 id="{heading}">' in source
    assert "What the terms say" in source
    assert "matching, unlabelled ends at −2.000" in source
    assert 'aria-label="UAR of several by modality: acoustic 50.0' in source
    source = write_report([plain], tmp_path / "without.html").read_text(encoding="utf-8")
    assert 'id="modalities"' not in source
    assert 'id="matching"' not in source
    assert "What the terms say" not in source
