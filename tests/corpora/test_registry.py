"""What is found at a path, and what is said when nothing is."""

import pytest

from affectspace.corpora import ADAPTERS, open_corpus
from affectspace.errors import InputError


def test_every_adapter_has_its_name_and_contract():
    for name, module in ADAPTERS.items():
        assert name == module.NAME
        assert callable(module.matches)
        assert callable(module.read)


def test_nothing_matches_an_empty_folder_or_a_stray_file(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "notes.txt"):
        assert [name for name, module in ADAPTERS.items() if module.matches(path)] == []
        with pytest.raises(InputError, match=r"Looked for a table \(items\.parquet.*iemocap.*put an items\.csv"):
            open_corpus(path)


def test_a_table_goes_before_a_layout_unless_the_adapter_is_named(tmp_path):
    (tmp_path / "Actor_01").mkdir()
    (tmp_path / "Actor_01/03-01-05-01-02-01-01.wav").touch()
    assert open_corpus(tmp_path).name == "ravdess"
    (tmp_path / "items.csv").write_text("id,text,label\na,x,sad\n")
    assert len(open_corpus(tmp_path)) == 1
    assert open_corpus(tmp_path).name == tmp_path.name
    assert open_corpus(tmp_path, "ravdess").name == "ravdess"


def test_mistakes_name_the_nearest_and_the_remedy(tmp_path):
    with pytest.raises(InputError, match=r"unknown adapter 'iemocab'; did you mean 'iemocap'\? Legal: table, iemocap"):
        open_corpus(tmp_path, "iemocab")
    with pytest.raises(InputError, match=r"there is no corpus at .*absent; give the path of a folder"):
        open_corpus(tmp_path / "absent")


@pytest.mark.parametrize("name", [name for name in ADAPTERS if name != "table"])
def test_an_adapter_says_what_it_looked_for(tmp_path, name):
    with pytest.raises(InputError, match=r"holds no .*(named like|looked for) "):
        open_corpus(tmp_path, name)
