"""Which part of which medium an item's modality is made of, and who lacks it."""

import pandas as pd

from affectspace.corpora import check, open_corpus
from affectspace.training import read_modality
from affectspace.training.set_aside import unusable


class Store:
    """Gives back what it is to make features of."""

    def __init__(self, _):
        pass

    def extract(self, media, *_, **__):
        return media


def corpus(root, rows):
    root.mkdir()
    (root / "a.wav").write_bytes(b"RIFF")
    (root / "a.mp4").write_bytes(b"film")
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)
    return open_corpus(root)


def test_a_video_is_cut_by_its_own_times_or_else_by_those_of_the_sound(tmp_path, monkeypatch):
    monkeypatch.setattr(read_modality, "FeatureStore", Store)
    shared = {"audio": "a.wav", "video": "a.mp4", "start": 1.0, "end": 2.0}
    found = corpus(tmp_path / "c", [{"id": "own", **shared, "video_start": 7.5}, {"id": "shared", **shared}])
    media, ids = read_modality.extract(found, found.items, None, True, "video")
    assert ids == ["own", "shared"]
    assert media[["start", "end"]].to_numpy().tolist() == [[7.5, None], [1.0, 2.0]]
    assert "box" not in media  # as the corpus has none


def test_a_box_is_of_the_video_where_the_item_has_no_image(tmp_path, monkeypatch):
    monkeypatch.setattr(read_modality, "FeatureStore", Store)
    rows = [
        {"id": "film", "video": "a.mp4", "box": "360 0 360 480"},
        {"id": "photo", "video": "a.mp4", "image": "a.png", "box": "1 2 3 4"},
        {"id": "whole", "video": "a.mp4"},
    ]
    found = corpus(tmp_path / "c", rows)
    film, _ = read_modality.extract(found, found.items, None, True, "video")
    assert film["box"].isna().tolist() == [False, True, True]
    assert film["box"][0] == "360 0 360 480"
    photo, _ = read_modality.extract(found, found.items[1:2], None, True, "image")
    assert photo["box"].tolist() == ["1 2 3 4"]


def test_of_videos_and_words_those_at_fault_are_told_as_of_sound(tmp_path):
    rows = [
        {"id": "good", "audio": "a.wav", "video": "a.mp4", "text": "yes"},
        {"id": "gone", "audio": "gone.wav", "video": "a.mp4", "text": "no"},
        {"id": "film", "audio": "a.wav", "video": "gone.mp4", "text": None},
    ]
    found = corpus(tmp_path / "c", rows)
    faults = check(found, read_media=False)
    assert sorted(unusable(found, faults, "audio")) == [1]
    assert sorted(unusable(found, faults, "video")) == [2]
    assert unusable(found, faults, "text") == {2: "the item has no text"}


def test_a_box_that_is_none_is_a_fault_of_what_it_is_the_box_of(tmp_path):
    rows = [
        {"id": "film", "video": "a.mp4", "box": "1 2 3"},
        {"id": "photo", "video": "a.mp4", "image": "a.png", "box": "1 2 3"},
        {"id": "whole", "video": "a.mp4", "audio": "a.wav"},
        {"id": "sound", "audio": "a.wav", "box": "1 2 3"},
    ]
    found = corpus(tmp_path / "c", rows)
    (tmp_path / "c" / "a.png").write_bytes(b"photo")
    faults = check(found, read_media=False)
    assert [(fault.item, fault.problem) for fault in faults if fault.column == "box"] == [
        ("film", "bad-box"), ("photo", "bad-box"),
    ]  # fmt: skip
    assert "1 2 3" in unusable(found, faults, "video")[0]
    assert unusable(found, faults, "video").keys() == {0, 3}  # the last has no video
    images = unusable(found, faults, "image")
    assert "1 2 3" in images[1]
    assert {row: reason for row, reason in images.items() if row != 1} == dict.fromkeys(
        [0, 2, 3], "the item has no image"
    )
    assert unusable(found, faults, "audio").keys() == {0, 1}
