"""What is known of a source goes with its crops, and crops of one file are never parted."""

import pandas as pd
import pytest

from affectspace.faces.cropping import Cropped
from affectspace.faces.sources import open_sources
from affectspace.faces.tables import crops_of, face_items
from affectspace.protocols import grouped_k_fold


def crop_rows(source, count):
    place = {"source_time": None, "source_box": "0 0 9 9", "carried": False}
    return Cropped([{"id": f"{source.id}/{at}", "image": f"{source.id}/{at}.png", **place} for at in range(count)])


@pytest.fixture
def items_of(tmp_path):
    """``items_of(rows, crops)``: the items of so many crops of each row of a table."""

    def make(rows, crops):
        for row in rows:
            (tmp_path / row.get("video", row.get("image"))).touch()
        pd.DataFrame(rows).to_csv(tmp_path / "items.csv", index=False)
        found = open_sources(tmp_path)
        done = {source.id: crop_rows(source, count) for source, count in zip(found.sources, crops, strict=True)}
        return face_items(found, crops_of(found, done, "faces"))

    return make


@pytest.mark.parametrize("crops", [1, 3])
def test_clips_of_one_video_are_one_session(items_of, crops):
    rows = [{"id": f"c{at}", "video": f"{'ab'[at % 2]}.mp4", "start": at, "end": at + 1} for at in range(6)]
    items = items_of(rows, [crops] * 6).assign(corpus="mine")
    assert (items["session"] == items["source"]).all()
    split = grouped_k_fold(items, by="session", folds=2, fold=0, validate_share=0)
    assert not set(items["source"].iloc[split.train]) & set(items["source"].iloc[split.test])


def test_boxes_of_one_picture_are_one_session(items_of, tmp_path):
    (tmp_path / "in").mkdir()
    pictures = ["a.jpg", "in/../a.jpg", "b.jpg"]
    rows = [{"id": f"p{at}", "image": image, "box": f"{at} 0 9 9"} for at, image in enumerate(pictures)]
    assert items_of(rows, [1, 1, 1])["session"].tolist() == ["a.jpg", "a.jpg", "b.jpg"]


def test_a_single_face_beside_several_has_a_session_too(items_of):
    rows = [{"id": "one", "image": "one.jpg"}, {"id": "two", "image": "two.jpg"}]
    assert items_of(rows, [1, 2])["session"].tolist() == ["one.jpg", "two.jpg", "two.jpg"]
    assert "session" not in items_of(rows, [1, 1])


def test_sessions_of_the_corpus_hold_all_items_of_a_file(items_of):
    rows = [
        {"id": "p", "video": "v.mp4", "end": 1},
        {"id": "q", "video": "v.mp4", "start": 1, "session": "s1"},
        {"id": "r", "image": "r.jpg", "session": "s1"},
        {"id": "t", "image": "t.jpg"},
    ]
    assert items_of(rows, [2, 1, 1, 1])["session"].tolist() == ["s1", "s1", "s1", "s1", "t.jpg"]
    assert items_of(rows[2:], [1, 1])["session"].fillna("-").tolist() == ["s1", "-"]
