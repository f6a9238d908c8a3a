"""The page holds what it should, loads nothing, lets no data act, and is honest about what it cannot say."""

import datetime
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.report import write_report
from affectspace.report.style import class_colours
from affectspace.training.run import Run

DATE = datetime.date(2026, 11, 21)
EVIL = "<script>alert('x')</script>"
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether every tag is closed in order."""

    def __init__(self, source: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
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

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data
            self.sections[self._section] = self.sections.get(self._section, "") + data

    def words(self, section: str | None = None) -> str:
        return " ".join((self.text if section is None else self.sections[section]).split())

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.tags for key, value in attributes.items() if key == name]


def report(paths, folder) -> tuple[str, Page]:
    source = write_report([Run(path) for path in paths], folder / "report.html", date=DATE).read_text(encoding="utf-8")
    return source, Page(source)


@pytest.fixture(scope="module")
def page(three, tmp_path_factory) -> tuple[str, Page]:
    return report(three, tmp_path_factory.mktemp("three"))


FEW = {"items": 60, "snapshots": ()}  # enough for every figure, and quick to draw


@pytest.fixture(scope="module")
def plain(make_run) -> Path:
    """One run of which there is nothing special to tell."""
    return make_run("plain", "plain", **FEW)


@pytest.fixture(scope="module")
def plain_page(plain, tmp_path_factory) -> Page:
    return report([plain], tmp_path_factory.mktemp("plain"))[1]


def test_the_answer_comes_first_with_chance_and_doubt(page, three):
    words = page[1].words()
    uar = {run.name: 100 * run.scores()["uar"] for run in map(Run, three)}
    best, second = sorted(uar, key=lambda name: -uar[name])[:2]
    gap = round(uar[best], 1) - round(uar[second], 1)
    assert f"{best} is ahead with {uar[best]:.1f} % UAR on 300 test items, {gap:.1f} points above {second}" in words
    assert "random predictions reach" in words
    assert "one run proves nothing" in words
    assert re.search(r"as these 10 tell, it lies between −?[\d.]+ and [\d.]+ points", words)
    assert words.index("is ahead") < words.index("Scores")


def test_every_section_is_there_in_order(page):
    headings = [attributes["id"] for tag, attributes in page[1].tags if tag == "h2"]
    assert headings == ["scores", "curves", "maps", "confusions", "similarity", "reliability", "corpora", "repeat"]


def test_scores_of_every_run_with_directions_and_the_best_marked_in_words(page, three):
    source, parsed = page
    words = parsed.words("scores")
    for heading in ("UAR ↑", "chance", "accuracy ↑", "macro F1 ↑", "Jensen-Shannon ↓", "ECE ↓", "similarity error ↓"):
        assert heading in words
    for run in map(Run, three):
        assert f"{100 * run.scores()['uar']:.1f} %" in words
        assert f"validation {100 * run.scores('validate')['uar']:.1f} %" in words
        assert f"{run.scores()['similarity_rho']:.3f}" in words
    best = max(Run(path).scores()["uar"] for path in three)
    assert f"<strong>{100 * best:.1f}\u202f%</strong>" in source
    assert "(best)" in words


def test_columns_of_classes_without_an_order_have_room(page):
    assert "scores" in page[1].attributes("class")
    assert "scores many" not in page[1].attributes("class")


def test_a_figure_for_every_run_and_a_map_for_every_epoch(page):
    described = [a["aria-label"] for t, a in page[1].tags if t == "svg" and a.get("role") == "img"]
    for start, count in (("UAR of", 3), ("t-SNE map", 12), ("Confusion", 3), ("Similarity", 3), ("Reliability", 3)):
        assert sum((text or "").startswith(start) for text in described) == count
    assert len(described) == 24


def test_corpora_tell_what_was_left_out_and_why(page):
    words = page[1].words("corpora")
    for text in (
        "600 items used of 640", "37 left out: label 'bored' is left out by the recipe", "α 0.48 (nominal, 20 raters",
        "no α: one rating an item", "CC BY 4.0", "Burkhardt et al.", "this copy is cut to 2 s", "03a01Fa",
        "the recording holds no samples", "Quarantine: 3 items",
    ):  # fmt: skip
        assert text in words
    assert "/somewhere/private" not in page[0]


def test_recipes_differences_and_commands(page, three):
    words = page[1].words("repeat")
    assert "terms.f_similarity.weight" in words
    assert "training.epochs" not in words.split("affectspace train")[0]
    for path in three:
        assert f"affectspace train {path}/recipe.toml" in words
    assert "affectspace report" in words
    assert 'name = "kl-batch"' in words
    assert "torch 2.13.0" in words
    assert "2026-11-21" in page[1].words()


def test_nothing_is_loaded_and_nothing_may_be(page):
    source, parsed = page
    policy = next(a["content"] for t, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy or "")
    assert "script" not in (policy or "")
    assert not {"script", "link", "img", "iframe", "object", "embed", "a"} & {tag for tag, _ in parsed.tags}
    for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
        assert all(value.startswith(("#", "data:image/png;base64,")) for value in parsed.attributes(name))
    assert "@import" not in source
    assert not re.search(r"url\((?!#|'#|\"#)", source)
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)


def test_identifiers_occur_once_and_references_lead_somewhere(page):
    source, parsed = page
    identifiers = parsed.attributes("id")
    assert len(identifiers) == len(set(identifiers))
    referred = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', source)) | set(parsed.attributes("aria-labelledby"))
    assert referred <= set(identifiers)


def test_size(page):
    assert len(page[0].encode()) < 2_000_000


def test_data_cannot_act(make_run, tmp_path):
    classes = (EVIL, "_hidden", "$x^2$", "ዝም ያለ", "a&b]]>\"'")
    path = make_run("odd", EVIL, classes=classes, corpus=EVIL, protocol=EVIL, snapshots=(), items=60)
    source, parsed = report([path], tmp_path)
    assert "<script" not in source
    assert not any(tag == "script" for tag, _ in parsed.tags)
    for name in classes:
        assert name in parsed.words("maps")
    assert f"cannot be read: {EVIL}" in parsed.words("corpora")
    assert "ዝም ያለ" in parsed.words("confusions")
    assert "_hidden" in parsed.words("confusions")


def test_transduction_is_loud(plain, plain_page, make_run, tmp_path):
    path = make_run("seen", "seen", transductive=True, **FEW)
    _, parsed = report([plain, path], tmp_path)
    words = parsed.words()
    assert "⚠ TRANSDUCTIVE" in words
    assert "seen: the recipe normalises test items by means and variances of the test data itself" in words
    assert "The order is not fair: seen saw the (unlabelled) test items" in words
    assert "TRANSDUCTIVE" not in plain_page.words()


def test_speakers_are_kept_apart_within_their_corpus_where_names_are_shared(plain, plain_page, tmp_path):
    run = shutil.copytree(plain, tmp_path / "run")
    record = json.loads((run / "data.json").read_text())
    found = {"corpus": "emodb", "train": "ased", "speakers": 2, "of": 10, "example": "03"}
    apart = "speaker, identical recordings or pictures: none occurs on both sides"
    told = f"{apart}, a speaker being one of its own corpus whatever the names in others"
    assert apart in plain_page.words()
    assert told not in plain_page.words()
    (run / "data.json").write_text(json.dumps({**record, "namesakes": [found]}))
    words = report([run], tmp_path)[1].words()
    assert told in words
    assert "2 of 10 speakers of emodb bear the name of a speaker of ased" in words


def test_what_is_true_of_all_runs_is_said_once(make_run, tmp_path):
    paths = [make_run(name, name, absent={"test": ["sad"]}, **FEW) for name in ("ce", "kl")]
    told = "No test item is of class sad: UAR, chance and F1 of them are means over the other 3 classes."
    words = report(paths, tmp_path)[1].words()
    assert words.count(told) == 1
    assert f"ce: {told}" not in words
    paths.append(make_run("js", "js", **FEW))
    assert f"ce and kl: {told}" in report(paths, tmp_path)[1].words()


def test_runs_of_different_classes_are_shown_but_not_ranked(make_run, tmp_path):
    base = make_run("ce", "ce", snapshots=(), items=60)
    path = make_run("other", "other", classes=("angry", "happy", "sad"), snapshots=(), items=60)
    _, parsed = report([base, path], tmp_path)
    words = parsed.words()
    assert "These runs cannot be ranked" in words
    assert "ce tells angry, happy, neutral and sad apart, other angry, happy and sad." in words
    assert "leaves out who is ahead" in words
    assert "(best)" not in words
    assert "compare within a row, not between rows" in words
    assert sum((a.get("aria-label") or "").startswith("Confusion") for _, a in parsed.tags) == 2
    assert "is ahead with" not in words


def test_runs_on_different_items_are_not_ranked(make_run, tmp_path):
    base = make_run("ce", "ce", snapshots=(), items=60)
    path = make_run("elsewhere", "elsewhere", corpus="urdu", snapshots=(), items=60)
    words = report([base, path], tmp_path)[1].words()
    assert "ce and elsewhere were not judged on the same items: 60 and 60 items, 0 of them shared." in words


def test_without_a_test_set_the_page_says_that_its_figures_flatter(make_run, tmp_path):
    path = make_run("untested", "untested", tested=False, test_curve=False, snapshots=(), items=60)
    words = report([path], tmp_path)[1].words()
    assert "Nothing was tested" in words
    assert "the figures flatter" in words
    assert "on 60 validation items" in words
    assert "No snapshots were kept during training" in words


def test_seeds_of_one_model_are_averaged(make_run, tmp_path):
    paths = [make_run(f"seed{s}", "twin", seed=s, snapshots=(), items=120) for s in (1, 2)]
    base = make_run("base", "base", sharpness=0.8, structure=0.2, snapshots=(), items=120)
    words = report([*paths, base], tmp_path)[1].words()
    mean = 50 * sum(Run(path).scores()["uar"] for path in paths)
    assert f"twin is ahead with {mean:.1f} % UAR" in words
    assert "Means over seeds (2 of twin, 1 of base)" in words
    assert "twin (seed 1)" in words


def test_folds_are_pooled_and_shown_as_such(make_run, tmp_path):
    folder = tmp_path / "folds"
    for fold in range(2):
        shutil.copytree(
            make_run("fold", "kl", corpus=f"part{fold}", items=80, snapshots=(12,)), folder / f"fold-{fold:02d}"
        )
    first = Run(folder / "fold-00").metrics
    pooled = {**first, "folds": 2, "selected_epoch": [3, 9], "counts": {"test": 160}}
    (folder / "metrics.json").write_text(json.dumps(pooled))
    words = report([folder], tmp_path)[1].words()
    assert "160 items of 20 speakers, each by the one of 2 folds that never trained on it" in words
    assert "2 folds pooled" in words
    assert "epoch 3 to 9" in words
    assert "the maps show the first fold" in words


def test_one_epoch_and_two_hard_classes(make_run, tmp_path):
    path = make_run("small", "small", classes=("no", "yes"), hard=True, epochs=1, snapshots=(1,), items=12)
    assert "small reaches" in report([path], tmp_path)[1].words()


def test_levels_have_their_figures_and_a_ramp_to_its_last_colour(make_run, tmp_path):
    path = make_run("ages", "ages", classes=("child", "adult", "old"), labels="levels", items=40, snapshots=())
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["geometry"] = None
    metrics["test"] |= {"within_one": 0.75, "mean_absolute_error": 0.5, "spearman": 0.25}
    (path / "metrics.json").write_text(json.dumps(metrics))
    source, page = report([path], tmp_path)
    assert "within one ↑ levels off ↓ order ρ ↑" in page.words("scores")
    assert "75.0 % 0.500 0.250" in page.words("scores")
    assert "geometry None" not in page.words()
    assert "scores many" in page.attributes("class")  # narrower, so that all columns are in sight
    last = "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in class_colours(np.eye(3), ordered=True)[-1]))
    assert f"{last})" in source


@pytest.mark.parametrize("labels", ["classes", "levels"])
def test_labels_that_never_had_raters_are_not_said_to_be_theirs(make_run, tmp_path, labels):
    run = make_run("ages", "ages", classes=("child", "adult", "old"), labels=labels, hard=True, **FEW)
    record = json.loads((run / "data.json").read_text())
    without = [{**about, "agreement": {}} for about in record["corpora"]]
    (run / "data.json").write_text(json.dumps({"corpora": without}))
    source, page = report([run], tmp_path)
    assert "rater" not in page.words().replace("Krippendorff", "")
    assert "rater" not in source
    assert "Rows are the labels, columns what the model says" in page.words("confusions")
    voted = report([make_run("votes", "votes", labels=labels, **FEW)], tmp_path)[1].words()
    assert "raters' choice" in voted
    assert "Rows are what the raters say" in voted


def test_a_folder_gets_a_report_inside(make_run, tmp_path):
    assert (
        write_report([Run(make_run("in", "in", items=20, snapshots=()))], tmp_path, date=DATE)
        == tmp_path / "report.html"
    )


def test_errors(make_run, tmp_path):
    path = make_run("halfway", "halfway", snapshots=(), items=20)
    with pytest.raises(InputError, match="was given more than once"):
        write_report([Run(path), Run(path)], tmp_path)
    with pytest.raises(InputError, match="25 runs are too many for one page; give at most 24"):
        write_report([Run(path)] * 25, tmp_path)
    (path / "metrics.json").unlink()
    with pytest.raises(
        InputError, match=r"is not finished \(12 epochs done\); finish it with: affectspace train --resume"
    ):
        write_report([Run(path)], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def last(make_run, tmp_path_factory) -> Page:
    run = make_run("last", "last", items=60, snapshots=(2,), selection="last")
    return report([run], tmp_path_factory.mktemp("last"))[1]


def test_a_run_that_kept_its_last_epoch_is_not_said_to_be_selected(last, page):
    words = last.words()
    assert "select" not in words.replace("never used for selection", "").split("Recipes, and how")[0].lower()
    assert "measured once, with the last epoch." in words
    assert "the last one, whatever its figures; the test items had no say" in words
    assert "kept, the last one: epoch" in words
    words = page[1].words()
    assert "with the epoch that validation selected." in words
    assert "the one with the best validation UAR" in words


@pytest.fixture(scope="module")
def two(make_run) -> list[Path]:
    """Two runs, of which the first kept its last epoch, and the other the one that was best in validation."""
    kinds = {"a": "last", "b": "validation"}
    return [make_run(name, name, items=60, snapshots=(6,), selection=kind) for name, kind in kinds.items()]


@pytest.fixture(scope="module")
def page_of_two(two, tmp_path_factory) -> tuple[str, Page]:
    return report(two, tmp_path_factory.mktemp("two"))


def test_same_runs_same_bytes(two, page_of_two, tmp_path):
    assert report(two, tmp_path)[0] == page_of_two[0]


def test_runs_that_chose_their_epochs_differently(page_of_two):
    words = page_of_two[1].words()
    assert "with the epoch that each recipe says: selected by validation, the last, or a given one." in words
    assert "the last one, whatever its figures; the test items had no say (a)" in words


def test_a_run_with_a_given_epoch_and_nothing_to_validate_on(make_run, tmp_path):
    """As a study trains it: the epoch was chosen before, and all training items train."""
    path = make_run("given", "given", items=60, snapshots=(), selection="given")
    metrics = json.loads((path / "metrics.json").read_text())
    del metrics["validate"]
    (path / "metrics.json").write_text(json.dumps(metrics))
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    rows = [{key: value for key, value in line.items() if key != "validate"} for line in lines]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source, parsed = report([path], tmp_path)
    assert "measured once, with the epoch that the recipe names." in parsed.words("scores")
    assert "validation –" not in parsed.words("scores")
    assert "dashed" not in parsed.words("curves")
    assert "only recorded, never used." in parsed.words("curves")
    assert "nan" not in source.split("</style>")[1].lower().replace("nant", "")


def test_a_curve_of_folds_is_told_from_the_tables_figure(make_run, tmp_path):
    for fold in range(2):
        made = make_run("fold", "kl", corpus=f"part{fold}", items=40, snapshots=(), epochs=6 + 2 * fold)
        shutil.copytree(made, tmp_path / "folds" / f"fold-{fold:02d}")
    first = Run(tmp_path / "folds/fold-00").metrics
    (tmp_path / "folds/metrics.json").write_text(json.dumps({**first, "folds": 2, "selected_epoch": [3, 5]}))
    parsed = report([tmp_path / "folds"], tmp_path)[1]
    assert "mean of the folds' UAR, where the table has that of their answers pooled" in parsed.words("curves")
    assert any((a.get("aria-label") or "").startswith("UAR of kl after each of 6 epochs") for _, a in parsed.tags)


@pytest.mark.parametrize(("items", "told"), [(60, "19.7"), (91, "30")])
def test_the_caption_tells_the_perplexity_that_was_used(make_run, tmp_path, items, told):
    words = report([make_run("few", "few", items=items, snapshots=())], tmp_path)[1].words("maps")
    assert f"{items} items are shown (perplexity {told})." in words


def test_three_items_have_no_tsne(make_run, tmp_path):
    run = make_run("few", "few", items=3, snapshots=())
    assert "too few for t-SNE" in report([run], tmp_path)[1].words("maps")


def test_a_record_of_another_shape_is_said_to_be_damaged(make_run, tmp_path):
    run = make_run("bad", "bad", items=20, snapshots=())
    (run / "data.json").write_text('{"corpora": ["emodb"]}')
    with pytest.raises(InputError, match=r"data\.json of run .* is damaged \(corpora\.0: "):
        write_report([Run(run)], tmp_path / "x.html")


def test_paths_in_commands_are_quoted(make_run, tmp_path):
    words = report([make_run("my run;x", "odd", items=20, snapshots=())], tmp_path)[1].words("repeat")
    assert re.search(r"affectspace train '[^']*/my run;x/recipe\.toml' --out '[^']*/my run;x-again'", words)
    assert re.search(r"affectspace report '[^']*/my run;x-again'", words)
