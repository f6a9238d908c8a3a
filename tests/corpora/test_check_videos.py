"""Videos that items name: there, below the root, open, and as long as the items need them."""

import importlib.util

import numpy as np
import pytest

from affectspace.corpora import check, notes, open_corpus
from affectspace.corpora.corpus import video_times

HEADER = "id,video,audio,label,start,end,video_start,video_end"


@pytest.fixture
def corpus_of(tmp_path):
    """``corpus_of("a,clip.mp4,,sad,,,,")``: a corpus of these rows, beside whatever lies in the folder."""

    def make(*rows):
        (tmp_path / "items.csv").write_text("\n".join([HEADER, *rows]) + "\n")
        return open_corpus(tmp_path)

    return make


@pytest.fixture
def clip(tmp_path):
    """Two seconds of noise, 20 pictures."""
    pytest.importorskip("av")
    from affectspace.media import write_video

    random = np.random.default_rng(0)
    write_video(tmp_path / "clip.avi", random.integers(0, 256, (20, 48, 64, 3), dtype=np.uint8), per_second=10)
    return tmp_path / "clip.avi"


def seen(corpus, **options):
    return [(fault.row, fault.column, fault.problem) for fault in check(corpus, **options)]


def test_a_video_alone_is_enough_and_columns_have_their_aliases(tmp_path, clip):
    (tmp_path / "items.csv").write_text("file,emotion\nclip.avi,sad\n")
    corpus = open_corpus(tmp_path)
    assert corpus.items[["id", "video", "label"]].values.tolist() == [["clip", "clip.avi", "sad"]]
    assert check(corpus) == []


def test_the_times_of_the_video_go_before_those_of_the_sound(corpus_of):
    rows = ["a,v.avi,,,1,2,,", "b,v.avi,,,1,2,7.5,8", "c,v.avi,,,1,2,7.5,", "d,v.avi,,,1,2,,8", "e,v.avi,,,,,,"]
    times = video_times(corpus_of(*rows).items)
    assert times.values.tolist() == [[1, 2], [7.5, 8], [7.5, None], [None, 8], [None, None]]


def test_what_is_wrong_with_a_path(tmp_path, corpus_of):
    (tmp_path / "empty.mp4").touch()
    corpus = corpus_of("a,gone.mp4,,sad,,,,", "b,../out.mp4,,sad,,,,", "c,empty.mp4,,sad,,,,", "d,,,sad,,,,")
    assert seen(corpus, read_media=False) == [
        (1, "video", "missing-file"),
        (2, "video", "outside-root"),
        (3, "video", "empty-file"),
        (4, "audio", "no-media"),
    ]


def test_times_that_are_no_part_of_the_video(clip, corpus_of):
    corpus = corpus_of(
        "good,clip.avi,,sad,,,0.5,1.5",
        "whole,clip.avi,,sad,,,,",
        "slack,clip.avi,,sad,,,1.9,2.05",
        "turned,clip.avi,,sad,,,1.5,0.5",
        "late,clip.avi,,sad,,,2.5,",
        "long,clip.avi,,sad,0.5,3,,",
    )
    faults = check(corpus)
    assert [(fault.item, fault.problem, fault.message) for fault in faults] == [
        ("turned", "bad-times", "end 0.5 is not after start 1.5"),
        ("late", "bad-times", "start is 2.5; the video has 2 seconds"),
        ("long", "bad-times", "end is 3; the video has 2 seconds"),
    ]
    assert {fault.column for fault in faults} == {"video"}  # the sound may be as long as it should be
    assert [fault.item for fault in check(corpus, read_media=False)] == ["turned"]


def test_a_box_is_that_of_the_video_where_there_is_no_image(tmp_path, clip):
    rows = ["a,clip.avi,32 0 32 48", "b,clip.avi,1 2 3", "c,clip.avi,64 0 9 9"]
    (tmp_path / "items.csv").write_text("\n".join(["id,video,box", *rows]) + "\n")
    corpus = open_corpus(tmp_path)
    assert seen(corpus, read_media=False) == [(2, "box", "bad-box")]
    assert seen(corpus) == [(2, "box", "bad-box"), (3, "box", "bad-box")]
    assert "lies outside a picture of 64 x 48 pixels" in check(corpus)[1].message


def test_a_file_that_is_no_video_and_one_that_is_cut(tmp_path, clip, corpus_of):
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "cut.avi").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    corpus = corpus_of("a,text.mp4,,sad,,,,", "b,cut.avi,,sad,,,,")
    faults = check(corpus)
    assert [(fault.item, fault.problem) for fault in faults] == [("a", "unreadable"), ("b", "unreadable")]
    assert "is not video that can be read" in faults[0].message
    assert "truncated" in faults[1].message
    assert check(corpus, read_media=False) == []


def test_an_hour_is_looked_at_by_its_ends(tmp_path, corpus_of):
    """More pictures than a front end would take at once are no fault of the corpus."""
    pytest.importorskip("av")
    from affectspace.media import write_video

    write_video(tmp_path / "long.mkv", [np.full((16, 16, 3), 9, np.uint8)] * 700, per_second=1)
    assert check(corpus_of("a,long.mkv,,sad,,,,")) == []


def test_without_pyav_videos_are_looked_for_and_a_note_says_so(tmp_path, corpus_of, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "av" else find(name))
    (tmp_path / "text.mp4").write_text("not a video")
    corpus = corpus_of("a,text.mp4,,sad,,,,", "b,gone.mp4,,sad,,,,")
    assert seen(corpus) == [(2, "video", "missing-file")]
    assert any(note.startswith("videos are looked for and not opened, since PyAV is missing") for note in notes(corpus))
