"""Every block of the documentation runs: its commands, its Python, its recipes and its tables."""

import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from affectspace.cli.app import main
from affectspace.corpora import make_synthetic_world, open_corpus
from affectspace.protocols.split_table import read_folds
from affectspace.tables import read_table
from affectspace.training import make_recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them: small letters, no punctuation, and a hyphen for each blank."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)  # has comments with a #
    headings = re.findall(r"^#+ +(.+?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder as a user has it after ``affectspace demo``, with a smaller synthetic world."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    make_synthetic_world(folder / "runs/demo/corpora", speakers=3, items_per_speaker=8)
    return folder


def run(command: str, monkeypatch) -> int:
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    try:
        main()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def test_commands_of_the_readme(checkout, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    commands = [
        line.split("#")[0].strip() for block in blocks(ROOT / "README.md", "bash") for line in block.splitlines()
    ]
    assert len(commands) >= 8
    for command in commands:
        assert run(command, monkeypatch) == 0, f"{command}\n{capsys.readouterr().err}"
        assert "next:" in capsys.readouterr().out
    assert (checkout / "runs/demo/report.html").is_file()
    assert (checkout / "cirin.parquet").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks(page, checkout, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {"__name__": "block"})


def test_the_page_on_own_data_holds_a_corpus_and_a_recipe(tmp_path):
    page = ROOT / "docs/your-data.md"
    items, ratings, counts = blocks(page, "csv")
    card, counted, elsewhere, recipe = blocks(page, "toml")
    (tmp_path / "items.csv").write_text(items)
    (tmp_path / "ratings.csv").write_text(ratings)
    (tmp_path / "corpus.toml").write_text(card)
    corpus = open_corpus(tmp_path)
    assert (corpus.name, len(corpus), len(corpus.ratings)) == ("mine", 2, 5)
    assert make_recipe(tomllib.loads(recipe)).name == "mine"
    (tmp_path / "counted").mkdir()
    (tmp_path / "counted/items.csv").write_text(counts)
    (tmp_path / "counted/corpus.toml").write_text(counted)
    assert open_corpus(tmp_path / "counted").ratings["value"].value_counts().to_dict() == {
        "happy": 10,
        "angry": 7,
        "sad": 3,
    }
    table = pd.DataFrame({"utterance_id": ["u1"], "label4": ["sad"], "activation": [2.5]})
    (tmp_path / "far").mkdir()
    table.to_parquet(tmp_path / "far/iemocap_session1.parquet")
    (tmp_path / "there.toml").write_text(elsewhere.replace("/corpora/iemocap", str(tmp_path / "far")))
    assert open_corpus(tmp_path / "there.toml").ratings["value"].tolist() == ["2.5"]


def test_the_page_on_audits_holds_a_table_of_folds(tmp_path):
    (table,) = blocks(ROOT / "docs/audit.md", "csv")
    (tmp_path / "lists.csv").write_text(table)
    items = pd.DataFrame({"id": ["s01-00", "s01-01", "s02-00", "s03-00"], "corpus": "voices"})
    folds = read_folds(read_table(tmp_path / "lists.csv"), items)
    assert [fold.counts for fold in folds] == [{"train": 2, "validate": 1, "test": 1}] * 2


def test_the_page_on_faces_holds_recipes():
    classes, ages = (make_recipe(tomllib.loads(block)) for block in blocks(ROOT / "docs/faces.md", "toml"))
    assert (classes.features.kind, ages.features.kind) == ("faces", "faces")
    assert (classes.protocol.kind, ages.labels.kind, ages.terms[0].kind) == ("published", "levels", "ordered_emd")


def test_the_page_on_several_modalities_holds_a_recipe_and_a_table(tmp_path):
    page = ROOT / "docs/multimodal.md"
    (items,) = blocks(page, "csv")
    whole, protocol, faces = (tomllib.loads(block) for block in blocks(page, "toml"))
    (tmp_path / "items.csv").write_text(items)
    has = open_corpus(tmp_path).items[["audio", "video", "text", "label"]].notna()
    assert has.sum().tolist() == [2, 2, 2, 2]
    recipe = make_recipe(whole)
    assert list(recipe.modalities) == ["acoustic", "visual", "lexical"]
    whole["modalities"]["visual"] |= faces
    assert make_recipe(whole | protocol).protocol.within == "session"


def test_the_recipe_of_the_page_on_languages_runs(checkout, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    (block,) = blocks(ROOT / "docs/languages.md", "toml")
    Path("never_heard.toml").write_text(block, encoding="utf-8")
    assert run("affectspace train never_heard.toml training.threads=1", monkeypatch) == 0, capsys.readouterr().err
    assert "qaa + qab -> qac" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        there = page.parent / target if target else page
        assert there.is_file(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"
