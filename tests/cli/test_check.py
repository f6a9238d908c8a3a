"""What ``affectspace check`` counts, and what it calls a fault."""

import json
from collections import Counter

import pytest

from affectspace.corpora import open_corpus
from affectspace.errors import InputError
from affectspace.labels.naming import resolve


@pytest.fixture
def lay(tmp_path):
    """``lay(header, *rows)``: a table of items in the folder ``mine``."""

    def write(*lines):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/items.csv").write_text("\n".join(lines) + "\n")

    return write


def test_items_without_a_label_are_a_note_and_leave_the_exit_code(run, lay):
    lay("id,text,speaker,label", "a,one,x,sad", "b,two,y,", "c,three,x,sad", "d,four,y,")
    code, out, _ = run("check", "mine")
    assert code == 0
    assert "note: 2 of 4 items have neither a label nor a rating, such as b in row 2; fill" in out
    assert out.index("note: ") < out.index("no faults")
    assert "affectspace train" in out
    code, out, _ = run("check", "mine", "--json")
    told = json.loads(out)
    assert (code, told["faults"], told["unlabelled"]) == (0, [], ["b", "d"])
    assert told["notes"][0].startswith("2 of 4 items have neither")


def test_a_corpus_without_any_label_can_be_embedded(run, lay):
    lay("id,text,speaker", "a,one,x", "b,two,y")
    code, out, _ = run("check", "mine")
    assert code == 0
    assert "note: no item (of 2) has a label or a rating: " in out
    assert "affectspace embed RUN mine" in out


def test_media_are_counted_where_an_item_may_have_several(run, lay):
    lay("id,audio,video,text,speaker,label", "a,a.wav,a.mp4,one,x,sad", "b,b.wav,,two,y,sad", "c,,,,y,sad")
    _, out, _ = run("check", "mine", "--no-media")
    assert out.startswith("mine: 3 items, audio: 2, video: 1, text: 2, speakers: 2, ratings: 0, labels: sad 3\n")
    told = json.loads(run("check", "mine", "--no-media", "--json")[1])
    assert (told["items"], told["media"]) == (3, {"audio": 2, "image": 0, "video": 1, "text": 2})


@pytest.mark.parametrize(
    ("header", "rows", "counts"),
    [
        ("id,text,label", ["a,one,sad", "b,two,sad"], ""),  # all have the only one
        ("id,text,label", ["a,one,sad", "b,,sad"], ", text: 1"),
        ("id,text,image,label", ["a,one,a.png,sad", "b,two,b.png,sad"], ", image: 2, text: 2"),
    ],
)
def test_a_single_medium_is_counted_where_items_lack_it(run, lay, header, rows, counts):
    lay(header, *rows)
    _, out, _ = run("check", "mine", "--no-media")
    assert out.startswith(f"mine: 2 items{counts}, speakers: 0, ratings: 0, labels: sad 2\n")


def test_what_a_corpus_makes_of_its_own_labels_is_counted(run, lay, tmp_path):
    labels = ["Wut", "Wut", "Freude", "neutral", "Langeweile", "Ekel"]
    lay("id,text,speaker,label", *(f"{place},one,x{place},{label}" for place, label in enumerate(labels)))
    card = 'name = "mine"\n[label_map]\nWut = "angry"\nFreude = "happy"\nLangeweile = ""\nTrauer = "sad"\n'
    (tmp_path / "mine/corpus.toml").write_text(card)
    out = run("check", "mine")[1].splitlines()
    assert out[1] == "by label_map: angry 2, happy 1, left out 1; not in it, as they are: neutral 1, Ekel 1"
    told = json.loads(run("check", "mine", "--json")[1])
    assert told["mapped"] == {"angry": 2, "happy": 1, "": 1}
    assert told["unmapped"] == {"neutral": 1, "Ekel": 1}


def test_a_corpus_without_a_map_says_nothing_of_it(run, lay):
    lay("id,text,speaker,label", "a,one,x,sad", "b,two,y,sad")
    assert "label_map" not in run("check", "mine")[1]
    assert json.loads(run("check", "mine", "--json")[1])["unmapped"] == {"sad": 2}


@pytest.mark.parametrize(
    ("card", "cells", "line", "notes"),
    [
        ('language = "de"', ["", "", ""], "language: de", []),
        ('language = "de-AT"', ["", "en", ""], "languages: de-AT 2, en 1", []),
        (
            "",
            ["ur", "", "ur"],
            "language: ur 2, none 1",
            ["1 of 3 items names no language, such as 1; fill the column language, or give corpus.toml one for them"],
        ),
        (
            "",
            ["", "", ""],
            None,
            [
                "no item names its language, by which languages that were never heard are tested; write it into "
                'corpus.toml, such as language = "de" for German'
            ],
        ),
        (
            'language = "zz"',
            ["", "", ""],
            "language: zz",
            ["language 'zz' is no code of ISO 639; write its code, such as 'de' for German, as other corpora will"],
        ),
        (
            "",
            ["German", "zz", "qaa"],
            "languages: German 1, zz 1, qaa 1",
            [
                f"language {name!r} is no code of ISO 639; write its code, such as 'de' for German, as other corpora "
                "will"
                for name in ("German", "zz")
            ],
        ),
    ],
)
def test_what_a_corpus_is_spoken_in_is_told(run, lay, tmp_path, card, cells, line, notes):
    lay("id,text,speaker,label,language", *(f"{at},one,x{at},sad,{cell}" for at, cell in enumerate(cells)))
    (tmp_path / "mine/corpus.toml").write_text(f'name = "mine"\n{card}\n')
    code, out, _ = run("check", "mine")
    assert code == 0
    lines = out.splitlines()
    assert [each for each in lines if each.startswith("language")] == ([line] if line else [])
    assert line is None or lines[1] == line
    assert [each.removeprefix("note: ") for each in lines if "language" in each and "note" in each] == notes
    told = json.loads(run("check", "mine", "--json")[1])
    assert sum(told["languages"].values()) == 3
    assert told["languages"].get("", 0) == (3 if line is None else 1 if "none" in line else 0)


def test_every_cell_that_is_no_count_is_told_in_one_table(run, lay, tmp_path):
    rows = ["a,one,x,NaN,1,3", "b,,x,2,-2,1.5", "c,three,y,4,,0", "d,four,y,20000,1,1"]
    lay("id,text,speaker,v_a,v_h,v_s", *rows)
    card = 'ratings = "items.csv"\n[vote_counts]\nangry = "v_a"\nhappy = "v_h"\nsad = "v_s"\n'
    (tmp_path / "mine/corpus.toml").write_text(card)
    code, out, _ = run("check", "mine", "--json")
    legal = "vote counts are whole numbers from 0 to 10,000"
    expected = [(1, "v_a", "NaN"), (2, "v_h", "-2"), (2, "v_s", "1.5"), (4, "v_a", "20000")]
    faults = json.loads(out)["faults"]
    counts = [fault for fault in faults if fault["problem"] == "bad-count"]
    assert [(fault["row"], fault["column"], fault["value"]) for fault in counts] == expected
    assert [fault["message"] for fault in counts] == [
        f"items.csv row {row}: {column} is {value!r}; {legal}" for row, column, value in expected
    ]
    assert [fault["row"] for fault in faults] == [1, 2, 2, 2, 4]  # and what else is wrong, by row
    assert code == 1
    assert json.loads(out)["unlabelled"] == []  # what counts for them is at fault, and not forgotten
    out = run("check", "mine")[1]
    assert "5 faults: 4 x bad-count, 1 x no-media" in out
    assert "Training refuses a corpus with counts of votes that are none; correct them first." in out
    told = rf"^items\.csv row 1: v_a is 'NaN'; {legal} \(3 more such cells: affectspace check lists all\)$"
    with pytest.raises(InputError, match=told):
        open_corpus(tmp_path / "mine")
    kept = open_corpus(tmp_path / "mine", miscounted=True).ratings
    assert kept["item"].tolist() == ["c"] * 4  # no vote of a row of which one is not known
    (tmp_path / "mine/corpus.toml").write_text(card.replace("items.csv", "votes.csv"))
    (tmp_path / "mine/votes.csv").write_text("id,v_a,v_h,v_s\nb,1,x,1\n")
    [fault] = [
        each for each in json.loads(run("check", "mine", "--json")[1])["faults"] if each["problem"] == "bad-count"
    ]
    assert (fault["row"], fault["item"], fault["column"]) == (1, "b", "ratings.v_h")


def test_pictures_are_asked_for_no_language(run, lay):
    lay("id,image,speaker,label", "a,a.png,x,sad", "b,b.png,y,sad")
    assert "language" not in run("check", "mine", "--no-media")[1]


@pytest.mark.parametrize(
    ("card", "told"),
    [
        # by the shared name of an emotion, as it has none of its own
        ('angry = "angry"', "by label_map: angry 1; not in it, as they are: sad 1"),
        ('anger = "angry"\nsad = ""', "by label_map: angry 1, left out 1"),
        ('joy = "happy"', "by label_map: not in it, as they are: anger 1, sad 1"),
        # on through labels that are no classes
        ('anger = "rage"\nrage = "fury"\nfury = "angry"', "by label_map: angry 1; not in it, as they are: sad 1"),
        ('anger = "rage"\nrage = ""\nsad = "sad"', "by label_map: sad 1, left out 1"),
        # round: what was sad is angry, and the other way about
        ('angry = "sad"\nsad = "angry"', "by label_map: sad 1, angry 1"),
    ],
)
def test_labels_follow_a_map_as_training_follows_it(run, lay, tmp_path, card, told):
    lay("id,text,speaker,label", "a,one,x,anger", "b,two,y,sad")
    (tmp_path / "mine/corpus.toml").write_text(f'name = "mine"\n[label_map]\n{card}\n')
    assert run("check", "mine")[1].splitlines()[1] == told
    corpus, names = open_corpus(tmp_path / "mine"), ["angry", "sad", "happy"]
    found, _ = resolve(corpus.items["label"], names, corpus.card.label_map)
    counts = Counter(names[place] for place in found if place >= 0)
    mapped = json.loads(run("check", "mine", "--json")[1])
    alone, _ = resolve(mapped["unmapped"], names, {})
    own = Counter({name: count for name, count in mapped["mapped"].items() if name})
    own.update(Counter(names[place] for place in alone if place >= 0))
    assert own == counts
