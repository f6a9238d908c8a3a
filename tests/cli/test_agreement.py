"""``affectspace agreement``: who is careless, where corrections cluster, and what is said where there is little."""

import json

import pandas as pd
import pytest

from affectspace.corpora import make_synthetic
from affectspace.corpora.corrections import FILE, Correction, append_correction


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    return make_synthetic(tmp_path_factory.mktemp("agreement") / "alva", speakers=4, items_per_speaker=12).root


@pytest.fixture
def corpus(tmp_path):
    rows = [{"id": f"i{row}", "label": "sad" if row % 2 else "angry", "text": f"words {row}"} for row in range(30)]
    pd.DataFrame(rows).assign(speaker=[f"s{row // 10}" for row in range(30)]).to_csv(
        tmp_path / "items.csv", index=False
    )
    (tmp_path / "corpus.toml").write_text('name = "toy"')
    return tmp_path


def correct(corpus, wrong, right=()):
    for row in (*wrong, *right):
        old = "sad" if row % 2 else "angry"
        new = {"sad": "angry", "angry": "sad"}[old] if row in wrong else old
        append_correction(corpus / FILE, Correction("", "ann", f"toy/i{row}", old, new))


def test_the_careless_rater_comes_first(run, voices):
    code, out, err = run("agreement", voices, "--json")
    assert code == 0, err
    told = json.loads(out)
    dimensions = {each["dimension"]: each for each in told["dimensions"]}
    assert [each["level"] for each in dimensions["valence"]["alpha"]] == ["interval", "ordinal"]
    assert [each["level"] for each in dimensions["emotion"]["alpha"]] == ["nominal"]
    for each in dimensions.values():
        assert each["raters"][0]["rater"] == "r05"  # votes at random
        assert all(alpha["low"] < alpha["alpha"] < alpha["high"] for alpha in each["alpha"])
    assert {each["class"] for each in dimensions["emotion"]["classes"]} == set(
        pd.read_csv(voices / "ratings.csv").query("dimension == 'emotion'")["value"]
    )
    code, out, err = run("agreement", voices)
    assert code == 0, err
    assert "Krippendorff's alpha" in out
    assert "Nobody has corrected or confirmed a label" in out


def test_corrections_are_told_where_there_are_no_ratings(run, corpus):
    correct(corpus, wrong=range(8), right=[8, 10, 11, 12, 13, 14, 21, 22, 23, 24, 25])
    code, out, err = run("agreement", corpus)
    assert code == 0, err
    assert "There are no ratings, only labels" in out
    assert "8 labels corrected; 11 looked at and confirmed" in out
    assert "Shares are of the 19 items that were looked at" in out
    assert "more often than chance gives: speaker s0 (p = " in out
    told = json.loads(run("agreement", corpus, "--json")[1])["corrections"]
    assert (told["corrected"], told["of"], told["looked_at"]) == (8, 19, True)
    assert told["changes"] == [{"old": "angry", "new": "sad", "items": 4}, {"old": "sad", "new": "angry", "items": 4}]


def test_without_confirmations_shares_are_of_all_items_and_that_is_said(run, corpus):
    correct(corpus, wrong=[0, 13])
    out = run("agreement", corpus)[1]
    assert "shares are of all 30 items, and what nobody has looked at counts as right" in out
    assert "No group was corrected more or less often than chance gives." in out


def test_labels_that_are_no_classes_are_told(run, corpus):
    correct(corpus, wrong=[0])
    for row, new in ((2, "hapy"), (4, "hapy"), (6, "sadd")):
        append_correction(corpus / FILE, Correction("", "ann", f"toy/i{row}", "angry", new))
    out = run("agreement", corpus)[1]
    assert (
        f"note: 3 corrections of {corpus / FILE} give a label that is none of the corpus's ('hapy' 2, 'sadd' 1); a "
        "recipe without such a class refuses to train on them, so correct slips anew"
    ) in out
    told = json.loads(run("agreement", corpus, "--json")[1])["corrections"]
    assert told["unknown_labels"] == [{"label": "hapy", "items": 2}, {"label": "sadd", "items": 1}]


def test_another_file_of_corrections(run, corpus, tmp_path):
    correct(corpus, wrong=[0])
    (corpus / FILE).rename(tmp_path / "mine.jsonl")
    assert "Nobody has corrected" in run("agreement", corpus)[1]
    assert "1 label corrected" in run("agreement", corpus, "--corrections", "mine.jsonl")[1]
    code, _, err = run("agreement", corpus, "--corrections", "none.jsonl")
    assert (code, err) == (
        2,
        "error: there is no file none.jsonl; --corrections names one that affectspace explore has written",
    )


@pytest.mark.real
def test_real_votes(run, real_data):
    code, out, err = run("agreement", real_data / "faces/ferplus", "--json")
    assert code == 0, err
    emotion = json.loads(out)["dimensions"][0]
    assert emotion["alpha"][0]["alpha"] == pytest.approx(0.511, abs=5e-4)
    assert emotion["raters"] == []
    assert emotion["classes"][0]["class"] == "neutral"
