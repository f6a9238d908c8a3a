"""What ``affectspace check`` counts, and what it calls a fault."""

import json

import pytest


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
    assert "note: none of 2 items has a label or a rating: " in out
    assert "affectspace embed RUN mine" in out
