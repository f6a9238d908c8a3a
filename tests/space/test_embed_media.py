"""Which recordings of files, folders and corpora are embedded, and what becomes of the others."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

from affectspace.errors import InputError
from affectspace.features import LogMel
from affectspace.labels import Cut
from affectspace.media import write_audio
from affectspace.space import Space
from affectspace.space.embed import embed
from affectspace.space.read_media import read_source


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))


def sound(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, np.random.default_rng(seed).normal(0, 0.1, 8000).astype(np.float32), 16000)
    return path


class Model(SimpleNamespace):
    """Embeds an item as its mean level and remembers the groups that it was asked about."""

    classes = ("low", "high")
    frontend = LogMel(bands=8)
    scope = "speaker"
    recipe = None
    cut = None

    def groups_of(self, items: pd.DataFrame) -> list[str] | None:
        return (
            (items["corpus"].astype(str) + "/" + items["speaker"].fillna("").astype(str)).tolist()
            if self.scope
            else None
        )

    def __call__(self, clips, groups=None):
        for place, clip in enumerate(clips):
            self.asked[round(float(clip.mean()), 4)] = groups and groups[place]
        return np.array([[clip.mean()] for clip in clips]), np.tile([0.25, 0.75], (len(clips), 1))


@pytest.mark.parametrize("way", ["../secret.wav", "link.wav", "{}/secret.wav"])
def test_a_path_that_leaves_the_root_is_set_aside_and_never_read(tmp_path, way):
    root = tmp_path / "corpus"
    sound(root / "a.wav")
    sound(tmp_path / "secret.wav")
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    way = way.format(tmp_path)
    (root / "items.csv").write_text(f"id,audio,label\na,a.wav,sad\nb,{way},sad\n")
    media, faulty, *_ = read_source(root)
    assert media["path"].tolist() == [str((root / "a.wav").resolve())]
    assert faulty["id"].tolist() == ["corpus/b"]
    assert ("is absolute" if way.startswith("/") else "leaves its root") in faulty["reason"][0]


def test_every_row_that_cannot_be_heard_is_told_with_its_reason(tmp_path):
    root = tmp_path / "corpus"
    sound(root / "a.wav")
    (root / "empty.wav").write_bytes(b"")
    rows = ["a,a.wav,,", "a,a.wav,,", "gone,gone.wav,,", "empty,empty.wav,,", "late,a.wav,3,2", "mute,,,", ",a.wav,,"]
    (root / "items.csv").write_text("id,audio,start,end\n" + "\n".join(rows) + "\n")
    found = embed(Model(asked={}), [root], quiet=True)
    assert found.table["id"].tolist() == ["corpus/a"]
    reasons = found.quarantine.set_index("id")["reason"]
    told = {
        "a": "also the id of row 1", "gone": "gone.wav", "empty": "has no bytes", "late": "",
        "mute": "has no audio", "row 7": "has no id",
    }  # fmt: skip
    assert set(reasons.index) == {f"corpus/{name}" for name in told}
    for name, words in told.items():
        assert words in reasons[f"corpus/{name}"]


def test_levels_of_numbers_are_led_back_to_numbers(tmp_path):
    found = embed(Model(asked={}, cut=Cut((18.0,), (10.0, 30.0))), [sound(tmp_path / "a.wav")], quiet=True)
    assert found.table["predicted_value"].tolist() == [25.0]  # a quarter of 10 and three of 30
    assert found.space(tmp_path).items["predicted_value"].tolist() == [25.0]
    assert "predicted_value" not in embed(Model(asked={}), [tmp_path / "a.wav"], quiet=True).table


def test_a_broken_table_is_an_error_and_not_a_folder_of_loose_files(tmp_path):
    sound(tmp_path / "corpus/a.wav")
    (tmp_path / "corpus/items.csv").write_bytes("id,audio,label\na,a.wav,Jürgen\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"items\.csv is not UTF-8"):
        read_source(tmp_path / "corpus")
    (tmp_path / "corpus/items.csv").unlink()
    assert len(read_source(tmp_path / "corpus")[0]) == 1


def test_a_folder_without_audio_and_a_file_that_is_none_are_errors(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(InputError, match="holds neither a known corpus nor audio"):
        read_source(tmp_path / "empty")
    with pytest.raises(InputError, match="is no corpus that is known"):
        read_source(tmp_path / "notes.txt")


@pytest.mark.parametrize("ending", [".oga", ".OGG", ".flac", ".w64"])
def test_loose_files_are_read_by_every_ending_that_corpora_have(tmp_path, ending):
    path = tmp_path / "loose" / f"x{ending}"
    path.parent.mkdir()
    kind = {".oga": "OGG", ".w64": "W64"}.get(ending, ending[1:].upper())
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 8000), 16000, format=kind)
    for source in (path, path.parent):
        assert embed(Model(asked={}), [source], quiet=True).table["id"].tolist() == [str(path)]


def test_links_to_folders_are_not_followed_and_told(tmp_path):
    folder, away = tmp_path / "folder", tmp_path / "away"
    inside, outside = sound(folder / "deep/a.wav"), sound(away / "b.wav", 1)
    (folder / "deep/round").symlink_to(folder)  # which never ends for whoever follows it
    (folder / "file.wav").symlink_to(outside)
    found = embed(Model(asked={}), [folder], quiet=True)
    assert found.table["id"].tolist() == [str(inside), str(folder / "file.wav")]
    remedy = f"and links to folders are not followed; name such a folder beside {folder} to embed it"
    assert found.notes == (f"{folder / 'deep/round'} is a link to a folder, {remedy}",)
    (folder / "away").symlink_to(away)
    found = embed(Model(asked={}), [folder, folder / "away"], quiet=True)
    assert found.notes == (f"2 folders in {folder} are links, the first {folder / 'away'}, {remedy}",)
    assert str(folder / "away/b.wav") in found.table["id"].tolist()
    (tmp_path / "links").mkdir()
    (tmp_path / "links/away").symlink_to(away)
    with pytest.raises(
        InputError, match=r"neither a known corpus nor audio; .*\. .*links/away is a link to a folder, and"
    ):
        read_source(tmp_path / "links")


def test_items_given_twice_and_two_items_of_one_id_are_told(tmp_path):
    for number, place in enumerate(("one", "two")):
        root = tmp_path / place / "same"
        sound(root / "a.wav", number)
        (root / "items.csv").write_text("id,audio\na,a.wav\n")
    one, two = tmp_path / "one/same", tmp_path / "two/same"
    found = embed(Model(asked={}), [one, one, two], quiet=True)
    assert found.table["id"].tolist() == ["same/a"]
    assert found.quarantine["id"].tolist() == ["same/a", "same/a"]
    assert "given more than once" in found.quarantine["reason"][0]
    assert f"another item has this id too ({(one / 'a.wav').resolve()})" in found.quarantine["reason"][1]


def test_items_of_corpora_are_asked_by_their_groups_and_loose_files_by_none(tmp_path):
    root = tmp_path / "corpus"
    files = [sound(root / "a.wav", 1), sound(root / "b.wav", 2), sound(tmp_path / "c.wav", 3)]
    (root / "items.csv").write_text("id,audio,speaker\na,a.wav,anna\nb,b.wav,\n")
    model = Model(asked={})
    found = embed(model, [root, files[2]], quiet=True)
    levels = dict(zip(found.table["id"], [round(float(vector[0]), 4) for vector in found.table["vector"]]))
    assert model.asked[levels["corpus/a"]] == "corpus/anna"
    assert model.asked[levels["corpus/b"]] == "corpus/"
    assert model.asked[levels[str(files[2])]] is None
    model = Model(asked={}, scope=None)
    embed(model, [root], quiet=True)
    assert set(model.asked.values()) == {None}


def test_columns_of_the_items_own_can_be_named_in_conditions(tmp_path):
    for name, header, rows in (
        ("one", "id,audio,carried,size,split", ["a,a.wav,yes,3,train", "b,b.wav,no,12,test"]),
        ("two", "id,audio,carried,size", ["a,a.wav,,many"]),
    ):
        for row in rows:
            sound(tmp_path / name / row.split(",")[1], seed=len(row))
        (tmp_path / name / "items.csv").write_text("\n".join([header, *rows]) + "\n")
    found = embed(Model(asked={}), [tmp_path / "one"], quiet=True)
    assert found.omitted == {"split": "the space has a column of that name"}
    found.space(tmp_path).save(tmp_path / "one.parquet")
    space = Space.open(tmp_path / "one.parquet")
    assert space.where("carried=no").items["id"].tolist() == ["one/b"]
    assert space.where("size=12.0").items["id"].tolist() == ["one/b"]
    assert space.where("split=").items["id"].tolist() == ["one/a", "one/b"]  # of this run it had no part
    both = embed(Model(asked={}), [tmp_path / "one", tmp_path / "two", sound(tmp_path / "loose.wav")], quiet=True)
    both.space(tmp_path).save(tmp_path / "both.parquet")  # a column of numbers here and words there is one of words
    space = Space.open(tmp_path / "both.parquet")
    assert space.where("size=3|many").items["id"].tolist() == ["one/a", "two/a"]
    assert len(space.where("carried=")) == 2
