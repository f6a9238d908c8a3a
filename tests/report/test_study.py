"""The page of a study: the answer first, nothing loaded, nothing acted on, honest about what is not there."""

import datetime
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from affectspace.errors import InputError
from affectspace.report import write_study_report
from affectspace.report.study_figures import apart, brief
from affectspace.report.study_words import answers
from affectspace.studies import open_study, summarise

DATE = datetime.date(2026, 11, 21)
EVIL = "<script>alert('x')</script> | *a*"
VOID = {"meta", "br", "hr"}


class Page(HTMLParser):
    """Tags with their attributes, the text of each section, and whether every tag is closed in order."""

    def __init__(self, source: str):
        super().__init__()
        self.source = source
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.sections: dict[str, str] = {}
        self._section = ""
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "h2":
            self._section = dict(attrs)["id"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in {"td", "th", "dt"}:
            self.handle_data(" ")

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "title"}:
            self.sections[self._section] = self.sections.get(self._section, "") + data

    def words(self, section: str | None = None) -> str:
        text = "".join(self.sections.values()) if section is None else self.sections[section]
        return " ".join(text.split())

    def described(self, start: str) -> list[str]:
        told = [a.get("aria-label") or "" for t, a in self.tags if t == "svg" and a.get("role") == "img"]
        return [each for each in told if each.startswith(start)]


def page(folder) -> Page:
    return Page(write_study_report(open_study(folder), date=DATE).read_text(encoding="utf-8"))


SELECTION = {
    "one/all": {
        "shared": {"set": {"training.weight_decay": 0.001}, "epoch": 3},
        "own": {"KL": {"terms.1.weight": 10.0}},
        "tried": [
            {
                "recipe": "CE",
                "stage": "shared",
                "set": {"training.weight_decay": 0.0},
                "epoch": 4,
                "uar": 0.611,
                "sd": 0.02,
                "runs": 6,
            },
            {
                "recipe": "CE",
                "stage": "shared",
                "set": {"training.weight_decay": 0.001},
                "epoch": 3,
                "uar": 0.623,
                "sd": 0.02,
                "runs": 6,
            },
            {
                "recipe": "KL",
                "stage": "own",
                "set": {"terms.1.weight": 10.0},
                "epoch": None,
                "uar": 0.634,
                "sd": None,
                "runs": 6,
            },
            {
                "recipe": "KL",
                "stage": "own",
                "set": {"terms.1.weight": 1.0},
                "epoch": None,
                "uar": None,
                "sd": None,
                "runs": 6,
            },
        ],
        "curve": [0.5, 0.6, 0.623, None, 0.61],
    }
}


@pytest.fixture(scope="module")
def full_folder(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.4, "JS": 0.5}, ("one", "two"), 5, items=200, epochs=6, chosen=3)
    (folder / "selection.json").write_text(json.dumps(SELECTION))
    took = {"predicted_seconds": 500, "seconds": 600, "grid_seconds": 240.0, "run_seconds": 7260.0, "processes": 2}
    (folder / "timing.json").write_text(json.dumps(took))
    return folder


@pytest.fixture(scope="module")
def full(full_folder):
    return page(full_folder)


def test_the_answer_comes_first(full, full_folder):
    words = full.words("")
    summaries = summarise(open_study(full_folder))
    for split in summaries:
        for sentence in answers(split):
            assert " ".join(sentence.split()) in words
    assert "KL is" in words
    assert "Above CE: KL on 2 of 2 splits" in words
    assert words.index("Above CE") < words.index("KL is above CE on one")
    assert "on these test items" in words
    assert "Tukey's honestly significant difference test (HSD) tells whether" in words


def test_every_section_in_order(full):
    headings = [attributes["id"] for tag, attributes in full.tags if tag == "h2"]
    assert headings == [
        "differences", "table", "reached", "figures", "curves", "selection", "tests", "costs", "basis", "limits",
        "missing",
    ]  # fmt: skip


def test_a_figure_for_each_split(full):
    assert len(full.described("Difference to CE on")) == 2
    assert len(full.described("Mean test UAR after each epoch on")) == 2
    assert full.described("Mean UAR of the inner runs") == [
        "Mean UAR of the inner runs after each epoch, one/all: the best is epoch 3."
    ]
    assert re.search(r"KL \+\d+\.\d points, p\s<\s\.001; JS", full.described("Difference to CE on one")[0])


def test_the_table_is_the_papers(full):
    words = full.words("table")
    assert words.startswith("Table split chance CE KL JS seeds one 50.")
    assert re.search(r"\d\d\.\d \(\d\.\d\) \(best\) ↑", words)
    assert "p < .05 by Tukey's honestly significant difference test (HSD)" in words


def test_what_selection_tried_and_chose(full):
    words = full.words("selection")
    assert "training items only" in words
    assert "one: chosen for all recipes: training.weight_decay = 0.001, epoch 3; KL: terms.1.weight = 10" in words
    assert "62.3 % (chosen)" in words
    assert "63.4 % (chosen)" in words
    assert words.count("(chosen)") == 2
    assert "61.1 %" in words


def test_a_choice_at_the_edge_of_its_grid_is_said(full):
    words = full.words("selection")
    assert (
        "training.weight_decay = 0.001 (for all recipes) is the highest tried; terms.1.weight = 10 (for KL) is the "
        "highest tried: the best may lie beyond."
    ) in words


@pytest.mark.parametrize(
    ("tried", "chosen", "told"),
    [
        ([0.1, 1.0, 10.0], 1.0, False),
        ([0.1, 1.0, 10.0], 0.1, True),
        ([0.0, 0.1, 1.0], 0.0, False),
        (["a", "b"], "b", False),
        ([True, False], True, False),
        ([0.1], 0.1, False),
    ],
)
def test_which_choices_lie_at_an_edge(make_study, tried, chosen, told):
    folder = make_study({"CE": 0.5}, ("one",), 1, items=20)
    points = [
        {"recipe": "CE", "stage": "own", "set": {"a": value}, "epoch": None, "uar": 0.6, "sd": 0.0, "runs": 2}
        for value in tried
    ]
    record = {"shared": {"set": {}, "epoch": None}, "own": {"CE": {"a": chosen}}, "tried": points, "curve": []}
    (folder / "selection.json").write_text(json.dumps({"one/all": record}))
    assert ("the best may lie beyond" in page(folder).words("selection")) == told


def test_what_waits_for_a_choice_is_told_and_has_no_figures(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.0}, ("one", "two"), 2, items=40, grid={"recipe": "CE", "epoch": True})
    waits = {"shared": {"set": {}, "epoch": None}, "own": {}, "tried": [], "curve": [], "open": ["CE", "KL"]}
    (folder / "selection.json").write_text(json.dumps(SELECTION | {"two/all": waits}))
    told = page(folder)
    assert "4 of 8 runs are finished" in told.words("")
    assert "On two no run is finished yet." in told.words("")
    assert "two: not chosen yet for CE and KL" in told.words("selection")
    assert "KL two seeds 0, 1 (waits for a choice)" in told.words("missing")
    partly = waits | {"shared": {"set": {}, "epoch": 2}, "open": ["KL"]}
    (folder / "selection.json").write_text(json.dumps(SELECTION | {"two/all": partly}))
    assert "two: chosen for all recipes: epoch 2; not chosen yet for KL" in page(folder).words("selection")


def test_choices_of_folds_are_counted(make_study):
    folder = make_study({"CE": 0.5}, ("folds",), 1, folds=3, items=30)

    def chose(value: float, epoch: int) -> dict:
        tried = [
            {"recipe": "CE", "stage": "shared", "set": {"rate": rate}, "epoch": 2, "uar": 0.6, "sd": 0.0, "runs": 2}
            for rate in (0.1, 0.2, 0.3)
        ]
        return {"shared": {"set": {"rate": value}, "epoch": epoch}, "own": {}, "tried": tried, "curve": [0.5, 0.6, 0.7]}

    record = {f"folds/fold-{fold:02d}": chose(*its) for fold, its in enumerate([(0.3, 3), (0.2, 2), (0.3, 2)])}
    (folder / "selection.json").write_text(json.dumps(record))
    words = page(folder).words("selection")
    assert "all recipes rate 0.3 in 2, 0.2 in 1 of 3 folds the highest tried in 2: the best may lie beyond" in words
    assert "all recipes epoch 2 in 2, 3 in 1 of 3 folds the last tried in 1: the best may lie beyond" in words
    assert "folds, fold 00: chosen for all recipes: rate = 0.3, epoch 3" in words


def test_many_recipes_stand_below_each_other(make_study):
    skills = {"CE": 0.5} | {f"recipe {i}": 0.5 + 0.2 * i for i in range(8)}
    words = page(make_study(skills, ("one", "two"), 3, items=80)).words("table")
    assert words.startswith("Table recipe one two CE ")
    assert re.search(r"recipe 7 \d\d\.\d \(\d\.\d\) \(best\) ↑ \d\d", words)
    assert re.search(r"chance 50\.\d 50\.\d seeds 3 3", words)
    assert "highest mean of a column" in words


def test_one_of_a_thing_is_not_several(make_study):
    words = page(make_study({"CE": 0.5}, seeds=1, items=1, speakers=1)).words()
    assert "1 recipe × 1 split × 1 seed" in words
    assert not re.search(r"(?<![\d.,])1 (test )?(items|runs|seeds|speakers|folds|splits)", words)
    unfinished = page(make_study({"CE": 0.5}, seeds=1, without=lambda *_: True))
    assert "0 of 1 run is finished" in unfinished.words()


def test_tests_in_full(full, full_folder):
    words = full.words("tests")
    split = summarise(open_study(full_folder))[0]
    assert f"F(2, 12) = {split.anova.f:.2f}" in words
    assert words.count("all pairs") == 2 + 1  # two tables, and the caption
    assert f"{split.rows[1].g.value:.2f}" in words
    assert "where the two intervals are the same, seeds add nothing that speakers have not already moved" in words


def test_costs(full):
    words = full.words("costs")
    assert "CE 10 12 s 12 s to 12 s 2.0 min 1" in words
    assert "Final runs, together 2.0 h" in words
    for told in ("10 min", "8.3 min (it took 1.20 times that)", "4.0 min", "2.0 h", "Processes 2"):
        assert told in words


def test_the_first_run_of_a_process_does_not_weigh_on_costs(make_study):
    folder = make_study({"CE": 0.5, "KL": 0.5}, seeds=5, items=20)
    (folder / "runs/CE/alva----boro/seed-0/timing.json").write_text(json.dumps({"seconds": 90.0}))
    words = page(folder).words("costs")
    assert "CE 5 12 s 12 s to 90 s 2.3 min 1 KL 5 12 s" in words
    assert "also carries its start" in words


def test_quarantined_items_are_listed(make_study):
    bad = [{"id": "03a", "reason": "the recording holds no samples"}, {"id": EVIL, "reason": f"cannot be read: {EVIL}"}]
    folder = make_study({"CE": 0.5}, seeds=1, items=20)
    path = folder / "runs/CE/alva----boro/seed-0/data.json"
    about = json.loads(path.read_text())
    about["corpora"][0]["quarantine"] = bad
    path.write_text(json.dumps(about))
    words = page(folder).words("basis")
    assert "Quarantine: 2 items that could not be used" in words
    assert "03a the recording holds no samples" in words
    assert f"cannot be read: {EVIL}" in words
    about["corpora"][0]["quarantine"] = [
        bad[0],
        *[{"id": "03a", "reason": "rating left out: one gave '9'; 1 to 5"}] * 3,
    ]
    path.write_text(json.dumps(about))
    words = page(folder).words("basis")
    assert "Quarantine: 1 item and 3 ratings that could not be used" in words
    assert "1 left out: quarantined: at fault" in words
    assert "3 left out: ratings at fault" in words


def test_what_it_rests_on(full):
    words = full.words("basis")
    for told in (
        "cross_corpus, alva -> boro",
        "CC BY 4.0",
        "Somebody, 2020",
        "0, 1, 2, 3, 4",
        "terms.f_similarity.kind",
    ):
        assert told in words
    assert "affectspace study" in full.words("missing")


def test_a_corpus_has_one_card_however_its_classes_are_counted(make_study):
    folder = make_study({"CE": 0.5}, ("one", "two"), 1, items=20)
    path = folder / "runs/CE/two/seed-0/data.json"
    about = json.loads(path.read_text())
    about["corpora"][0]["classes"] = {"low": 3}
    path.write_text(json.dumps(about))
    assert page(folder).words("basis").count("Somebody, 2020") == 1
    about["corpora"][0]["used"] = 3
    path.write_text(json.dumps(about))
    assert page(folder).words("basis").count("Somebody, 2020") == 2


def test_the_kept_epoch_is_the_studys_choice(full, make_study):
    assert "the one that inner runs on training items chose" in full.words("basis")
    plain = page(make_study({"CE": 0.5}, seeds=1, items=20)).words("basis")
    assert "inner runs" not in plain
    assert "Epoch kept" in plain


def test_limits_are_said(full):
    words = full.words("limits")
    assert "the order of items and, where a recipe has them, dropout, augmentation and triplets" in words
    assert "no interval here holds the luck of that" in words
    assert "tested at p < .05 by itself" in words
    assert "not for other corpora, languages or rooms" in words


def test_nothing_is_loaded_and_nothing_may_be(full):
    policy = next(a["content"] for t, a in full.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy or "")
    assert "script" not in (policy or "")
    assert not {"script", "link", "img", "iframe", "object", "embed"} & {tag for tag, _ in full.tags}
    for name in ("src", "href", "xlink:href", "action", "data"):
        assert all((value or "").startswith("#") for _, a in full.tags for key, value in a.items() if key == name)
    assert "@import" not in full.source
    assert not re.search(r"url\((?!#)", full.source)
    assert not any(name.startswith("on") for _, attributes in full.tags for name in attributes)


def test_identifiers_occur_once_and_references_lead_somewhere(full):
    identifiers = [a["id"] for _, a in full.tags if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', full.source)) <= set(identifiers)


def test_the_same_study_gives_the_same_bytes(full, full_folder, tmp_path):
    again = write_study_report(open_study(full_folder), tmp_path, date=DATE)
    assert again == tmp_path / "report.html"
    assert again.read_text(encoding="utf-8") == full.source


def test_signs_of_the_figure_are_in_plain_words(full):
    assert "a filled dot: shown to differ (p < .05)" in full.words("differences")


def test_one_seed_makes_no_tests(make_study):
    told = page(make_study({"CE": 0.5, "KL": 1.4}, seeds=1, items=100))
    assert "One seed each proves nothing" in told.words("")
    assert "Tukey p" not in told.words()
    assert "↑" not in told.words("table")
    assert "No analysis of variance: one run of each recipe has no spread" in told.words("tests")
    assert "No run recorded its UAR epoch by epoch" in told.words("curves")
    assert "Nothing was searched" in told.words("selection")


def test_an_unfinished_study_says_so_first(make_study):
    folder = make_study(
        {"CE": 0.5, "KL": 1.0}, seeds=3, items=60, without=lambda recipe, _, seed: recipe == "KL" and seed > 0
    )
    told = page(folder)
    assert told.words("").startswith("affectspace study made-up 2 recipes × 1 split × 3 seeds")
    assert "4 of 6 runs are finished" in told.words("")
    assert "KL alva -> boro seeds 1, 2 (not begun)" in told.words("missing")
    assert "let it finish" in told.words("limits")
    assert f"affectspace study {folder}/study.toml --out {folder}" in told.words("missing")


def test_a_study_that_nobody_began(make_study):
    told = page(make_study({"CE": 0.5, "KL": 1.0}, seeds=2, without=lambda *_: True))
    assert "0 of 4 runs are finished" in told.words("")
    assert "no run is finished yet" in told.words("")
    assert "No run is finished yet." in told.words("basis")


def test_recipes_on_other_items_are_not_ranked(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.0}, seeds=3, items=60, epochs=3, details={"KL": {"items": 50}})
    told = page(folder)
    assert "On alva -> boro the recipes cannot be ranked." in told.words("")
    assert "as not judged on the items of CE: KL (without 10 of 60 items: boro/0050, " in told.words("")
    assert "is ahead" not in told.words()
    assert "(best)" not in told.words()
    assert "differences" not in told.sections
    assert "not drawn together" in told.words("curves")


def test_one_recipe_on_other_items_voids_nothing_else(make_study):
    details = {"JS": {"items": 59}}
    told = page(make_study({"CE": 0.5, "KL": 1.8, "JS": 1.0}, seeds=3, items=60, epochs=3, details=details))
    assert "KL is above CE on alva -> boro" in told.words("")
    assert "JS (without 1 of 60 items: boro/0059). Only recipes judged on the same items are compared" in told.words("")
    assert "JS set apart, as judged on other items" in told.words("differences")
    assert "JS, judged on other items, cannot be drawn beside these" in told.words("curves")
    assert "JS" not in told.words("tests")


def test_names_cannot_act(make_study):
    folder = make_study({"CE": 0.5, EVIL: 1.0, "ዝም ያለ": 0.7}, (EVIL,), 3, items=60, epochs=3, corpus=EVIL)
    told = page(folder)
    assert "<script" not in told.source
    assert told.words("").count(EVIL) >= 2
    assert EVIL in told.words("table")
    assert EVIL in told.words("basis")


def test_both_ways_at_once(make_study):
    told = page(make_study({"CE": 0.5, "KL": 1.8, "JS": -0.8}, seeds=5, items=200))
    assert [a["aria-label"] for t, a in told.tags if "verdict" in (a.get("class") or "")] == ["above and below"]
    assert "Below CE is JS (−" in told.words("")
    assert "The recipe that leads is the best of several" in told.words("limits")


def test_unequal_spread_is_said(make_study):
    wild = {"KL": {"by_seed": 1.0}}
    told = page(make_study({"CE": 0.5, "KL": 0.6}, seeds=6, items=300, by_seed=0.0, details=wild))
    assert "more than 3 times as wide in one recipe as in another" in told.words("limits")
    assert "times as wide" not in page(make_study({"CE": 0.5, "KL": 0.6}, seeds=6, items=300)).words("limits")


def test_transduction_is_loud(make_study):
    told = page(make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=40, details={"KL": {"transductive": True}}))
    assert "⚠ TRANSDUCTIVE KL: the recipe normalises test items" in told.words("")
    assert "the order is not fair: KL saw the (unlabelled) test items" in told.words("")


def test_few_speakers_are_said(make_study):
    told = page(make_study({"CE": 0.5, "KL": 1.0}, seeds=3, items=60, speakers=2))
    assert "cannot be told (2 test speakers: too few to speak for others, which takes 5)" in told.words("")
    assert "no interval for other speakers" in told.words("differences")


def test_folds_pooled_and_epochs_that_differ(make_study):
    folder = make_study(
        {"CE": 0.5, "KL": 1.0}, ("folds",), 3, folds=2, items=60, epochs=6, details={"KL": {"chosen": 5}}
    )
    told = page(folder)
    assert "each by the one of 2 folds that never trained on it" in told.words("basis")
    assert "epochs 5 to 12 were kept, the diamond is their median" in told.words("curves")


def test_more_recipes_than_colours(make_study):
    skills = {"CE": 0.5} | {f"recipe {i}": 0.5 + 0.05 * i for i in range(11)}
    told = page(make_study(skills, seeds=3, items=80, epochs=3))
    assert "the baseline and the best 8 others are named, the rest are grey" in told.words("curves")
    assert "recipe 10 ends at" in told.described("Mean test UAR")[0]
    assert "recipe 0 ends at" not in told.described("Mean test UAR")[0]


def test_validation_curves_where_no_test_was_recorded(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=60, epochs=3)
    for path in folder.rglob("metrics.jsonl"):
        path.write_text(path.read_text().replace('"test"', '"validate"'))
    told = page(folder)
    assert "validation items: test was not recorded during training" in told.words("curves")


def test_who_had_more_to_choose_from_is_said(make_study):
    own = {"KL": {"terms.1.weight": [0.1, 1.0, 10.0]}}
    folder = make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=40, own=own)
    selection = {"alva -> boro/all": {**SELECTION["one/all"], "shared": {"set": {}, "epoch": None}}}
    (folder / "selection.json").write_text(json.dumps(selection))
    told = page(folder)
    assert "The search was not even: CE had nothing to choose from, against 2 settings for KL." in told.words("")
    told_each = "For itself alone, each recipe had so many settings to choose from: 1 for CE and 2 for KL."
    assert told_each in told.words("selection")


def test_a_baseline_that_chose_for_all_had_as_much(make_study):
    grid = {"recipe": "CE", "values": {"training.weight_decay": [0.0, 0.001, 0.01]}, "epoch": True}
    folder = make_study(
        {"CE": 0.5, "KL": 1.0}, ("one",), 2, items=40, grid=grid, own={"KL": {"terms.1.weight": [1.0, 10.0]}}
    )
    (folder / "selection.json").write_text(json.dumps(SELECTION))
    told = page(folder)
    assert "not even" not in told.words("")
    assert "as CE does best" not in told.words("")
    assert "CE chose among 2 settings × 5 epochs for all recipes." in told.words("selection")


@pytest.mark.parametrize(
    ("shared", "had", "chose"),
    [
        ({"set": {"training.weight_decay": 0.0}, "epoch": 3}, "4 settings × 5 epochs", "the settings and the epoch"),
        ({"set": {}, "epoch": 3}, "2 settings × 5 epochs", "the epoch"),
        ({"set": {"training.weight_decay": 0.0}, "epoch": None}, "4 settings", "the settings"),
    ],
)
def test_a_choice_for_all_by_another_than_the_baseline_is_a_caution(make_study, shared, had, chose):
    grid = {"recipe": "KL", "values": {"training.weight_decay": [0.0, 0.001]}, "epoch": True}
    folder = make_study({"CE": 0.5, "KL": 1.0}, ("one",), 2, items=40, grid=grid)
    (folder / "selection.json").write_text(json.dumps({"one/all": SELECTION["one/all"] | {"shared": shared}}))
    words = page(folder).words("")
    assert f"The search was not even: CE had nothing to choose from, against {had} for KL." in words
    assert f"KL chose {chose} for all recipes, as KL does best: CE may do better elsewhere" in words


def beside(make_study, skills, changed, **more):
    details = {name: {"changed": {"training": table}} for name, table in changed.items()}
    return page(make_study(skills, ("one",), 2, items=40, details=details, **more)).words("")


def test_what_recipes_differ_in_beside_the_loss_is_said(make_study):
    skills, slow = {"CE": 0.5, "KL": 1.0, "JS": 1.0}, {"epochs": 2, "threads": 1}
    told = beside(make_study, skills, {"CE": slow, "KL": {"epochs": 20, "threads": 2}, "JS": slow})
    assert "Beside the loss, KL differs from CE in training.epochs (20 against 2): what" in told
    told = beside(make_study, skills, {"CE": slow, "KL": {"epochs": 20}, "JS": {"epochs": 20}})
    assert "Beside the loss, KL and JS differ from CE in training.epochs (20 against 2): what" in told
    many = {"epochs": 3, "batch_size": 10, "learning_rate": 0.1, "weight_decay": 0.1}
    told = beside(make_study, skills, {"CE": slow, "KL": many, "JS": slow})
    assert "Beside the loss, KL differs from CE in 4 settings, which the page has under “Settings in which" in told


def test_what_the_study_chose_is_no_other_difference(make_study):
    changed = {"CE": {"epochs": 2, "weight_decay": 0.0}, "KL": {"epochs": 20, "weight_decay": 0.1}}
    grid = {"recipe": "CE", "epoch": True}
    own = {"KL": {"training.weight_decay": [0.0, 0.1]}}
    assert "Beside the loss" not in beside(make_study, {"CE": 0.5, "KL": 1.0}, changed, grid=grid, own=own)
    assert "Beside the loss" not in beside(make_study, {"CE": 0.5, "KL": 1.0}, {})


def test_the_luck_of_choosing_is_in_no_interval(full, make_study):
    assert "A choice is made once and serves all seeds" in full.words("limits")
    assert "luck" not in page(make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=40)).words("limits")
    assert "nothing else" not in full.words()


def test_curves_of_folds_are_not_what_the_table_has(make_study):
    told = page(make_study({"CE": 0.5, "KL": 1.0}, ("folds",), 2, folds=2, items=40, epochs=3))
    words = "means over folds of each fold's UAR, where the table has that of all answers pooled"
    assert words in told.words("curves")
    assert words not in page(make_study({"CE": 0.5}, seeds=1, items=20, epochs=3)).words("curves")


@pytest.mark.parametrize(
    ("selection", "use"),
    [("validation", "chose the epoch of each run that kept its best, so they flatter"), ("last", "were not used to")],
)
def test_what_use_was_made_of_validation_curves(make_study, selection, use):
    run = {"recorded": "validate", "selection": selection}
    words = page(make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=40, epochs=3, **run)).words("curves")
    assert "Curves of test items" not in words
    assert use in words


def test_test_curves_were_never_used(full):
    assert "Curves of test items were recorded and never used to choose anything." in full.words("curves")
    assert "Curves of validation items" not in full.words("curves")


def test_recipes_without_a_test_curve_are_said_to_be_missing(make_study):
    details = {"KL": {"recorded": "validate"}, "JS": {"epochs": 0}}
    folder = make_study({"CE": 0.5, "KL": 1.0, "JS": 0.7}, seeds=2, items=40, epochs=3, details=details)
    words = page(folder).words("curves")
    assert "KL recorded curves of validation items only, and cannot be drawn beside these" in words
    assert "JS recorded no curve" in words


def test_an_unfinished_study_did_not_take_less_than_predicted(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=20, without=lambda r, s, seed: seed == 1)
    (folder / "timing.json").write_text(json.dumps({"predicted_seconds": 600, "seconds": 60, "processes": 2}))
    words = page(folder).words("costs")
    assert "Wall time so far 60 s" in words
    assert "Predicted 10 min" in words
    assert "times that" not in words


def test_settings_that_folds_chose_for_themselves_are_all_shown(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.0}, ("folds",), 1, folds=3, items=30, details={"KL": {"weight": 1.0}})
    run = folder / "runs/KL/folds/seed-0"
    (run / "recipe.toml").unlink()  # as training leaves it: each fold has its own
    for fold, weight in enumerate((1.0, 10.0, 10.0)):
        path = run / f"fold-{fold:02d}/recipe.toml"
        path.write_text(path.read_text().replace("weight = 1.0", f"weight = {weight}"))
    (folder / "runs/CE/folds/seed-0/recipe.toml").unlink()
    assert "terms.f_similarity.weight – 1.0 in 1 fold, 10.0 in 2 folds" in page(folder).words("basis")


def test_runs_of_several_versions_are_told(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=20, details={"KL": {"torch": "2.14.0"}})
    assert (
        "several versions of torch (2.13.0: CE; 2.14.0: KL), so a difference between recipes may be one of versions."
    ) in page(folder).words("")
    assert "Environment of KLaffectspace 0.1.0 torch 2.14.0" in page(folder).words("basis")
    for recipe in ("CE", "KL"):
        path = folder / f"runs/{recipe}/alva----boro/seed-1/environment.txt"
        path.write_text(f"torch 2.{13 if recipe == 'KL' else 14}.0\n")
    assert "which adds to how seeds differ." in page(folder).words("")
    assert "versions" not in page(make_study({"CE": 0.5}, seeds=1, items=20)).words("")


def test_features_and_their_licence_are_told_of_every_recipe(make_study):
    licence = "audEERING Research License: no commercial use"
    details = {
        "CE": {"data": {"features": "log_mel 40", "augment": {"speed": "0.9 to 1.1"}}},
        "KL": {"data": {"features": "eGeMAPSv02", "features_licence": licence, "augment": {}}},
    }
    words = page(make_study({"CE": 0.5, "KL": 1.0}, seeds=1, items=20, details=details)).words("basis")
    assert "Features log_mel 40 (CE)" in words
    assert "Features eGeMAPSv02 (KL)" in words
    assert f"Licence of the features {licence} (KL)" in words
    assert "Training items augmented speed 0.9 to 1.1 (CE)" in words


def test_damage_is_told_before_anything_is_written(make_study):
    folder = make_study({"CE": 0.5, "KL": 1.0}, seeds=2, items=40)
    (folder / "runs/KL/alva----boro/seed-1/predictions.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match=r"predictions\.parquet of run .*seed-1 is damaged"):
        write_study_report(open_study(folder))
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    "names",
    [
        ["CE", "CE + f-SPL, λ = 1,0", "CE + f-SPL, λ = 10,0"],
        ["cross-entropy with f-SPL KL, λ = 1", "cross-entropy with f-SPL JS, λ = 1"],
        ["KL on log-Mel bands of forty", "JS on log-Mel bands of forty"],
        ["a recipe with a long name, 1", "a recipe with a long name, 2"],
        ["the recipe of 2024 that was small", "the recipe of 2025 that was small", "the recipe of 2025 that was large"],
    ],
)
def test_names_that_are_cut_keep_what_tells_them_apart(names):
    for longest in (16, 18):
        cut = [brief(name, longest, [other for other in names if other != name]) for name in names]
        assert len(set(cut)) == len(names)
        assert all(len(each) <= longest for each in cut)
    assert any(each in cut[-1] for each in ("10,0", "JS", "2", "large"))


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_names_at_the_ends_of_lines_never_overlap(count):
    for values in ([0.5] * count, [0.1 * i for i in range(count)], [0.0] * (count - 1) + [1.0]):
        placed = apart(values, 0.1, (0.0, 1.0))
        assert all(b - a > 0.0999 for a, b in pairwise(placed))
        assert all(-1e-9 <= each <= 1 + 1e-9 for each in placed)
