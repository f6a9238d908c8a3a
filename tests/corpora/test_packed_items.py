"""Tables that hold their images: items refer to rows, and no byte of an image ends up in them."""

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import check, open_corpus
from affectspace.errors import InputError
from affectspace.media import read_image


@pytest.mark.parametrize("as_struct", [False, True])
def test_a_parquet_column_of_images(tmp_path, picture, as_struct):
    images = [picture(seed) for seed in range(3)]
    cells = [{"bytes": image, "path": f"{k}.png"} for k, image in enumerate(images)] if as_struct else images
    cells.append({"bytes": None, "path": "d.png"} if as_struct else None)
    table = pd.DataFrame({"image": cells, "label": ["sad", "happy", "sad", "sad"], "who": list("abab")})
    table.to_parquet(tmp_path / "faces.parquet")
    items = open_corpus(tmp_path / "faces.parquet").items
    assert items["id"].tolist()[:3] == ["faces#0", "faces#1", "faces#2"]
    assert items["image"].tolist()[:3] == ["faces.parquet#0", "faces.parquet#1", "faces.parquet#2"]
    assert items["image"].isna().tolist() == [False, False, False, True]
    assert items["who"].tolist() == list("abab")
    assert not items.map(lambda cell: isinstance(cell, bytes | dict)).any(axis=None)


def test_a_folder_of_parts_counts_rows_anew_in_each(tmp_path, picture):
    (tmp_path / "data").mkdir()
    for part in range(2):
        table = pd.DataFrame({"image": [picture(part), picture(part + 2)], "label": ["sad", "happy"]})
        table.index = pd.Index([7, 9], name="n")  # an index of pandas' is no row
        table.to_parquet(tmp_path / f"data/part{part}.parquet")
    (tmp_path / "corpus.toml").write_text('items = "data/*.parquet"\n')
    corpus = open_corpus(tmp_path)
    assert corpus.items["image"].tolist() == [f"data/part{part}.parquet#{row}" for part in range(2) for row in range(2)]
    assert check(corpus) == []
    first = read_image(corpus.root / "data/part1.parquet#0", "grey")
    assert np.array_equal(first.ravel(), np.random.default_rng(1).integers(0, 256, (4, 4), dtype=np.uint8).ravel())


def test_a_csv_of_grey_levels(tmp_path):
    lines = ["emotion,pixels,Usage", "3,0 64 128 255,Training", "", "4,,Training", "5,9 9 9 8,PrivateTest"]
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    corpus = open_corpus(tmp_path / "fer2013.csv")
    assert corpus.items["label"].tolist() == ["3", "4", "5"]
    assert corpus.items["image"].isna().tolist() == [False, True, False]
    assert "pixels" not in corpus.items
    assert read_image(corpus.root / corpus.items["image"][2], "grey").ravel().tolist() == [9, 9, 9, 8]


def test_references_that_a_user_writes(tmp_path, picture):
    pd.DataFrame({"image": [picture(0), picture(1)]}).to_parquet(tmp_path / "faces.parquet")
    (tmp_path / "c.png").write_bytes(picture(2))
    (tmp_path / "items.csv").write_text("path,label\nfaces.parquet#1,sad\nc.png,happy\n")
    corpus = open_corpus(tmp_path)
    assert corpus.items["id"].tolist() == ["faces#1", "c"]
    assert corpus.items["image"].tolist() == ["faces.parquet#1", "c.png"]
    assert check(corpus) == []


def test_a_table_that_lies_elsewhere_is_no_part_of_the_corpus(tmp_path, picture):
    pd.DataFrame({"image": [picture(0)], "label": ["sad"]}).to_parquet(tmp_path / "out.parquet")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/items.parquet").symlink_to(tmp_path / "out.parquet")
    assert [fault.problem for fault in check(open_corpus(tmp_path / "root"))] == ["outside-root"]


def test_columns_of_paths_and_of_text_stay(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture())
    pd.DataFrame({"image": ["a.png"], "label": ["sad"]}).to_parquet(tmp_path / "items.parquet")
    assert check(open_corpus(tmp_path)) == []
    (tmp_path / "b.csv").write_text("image,pixels,label\na.png,48,sad\n")
    assert open_corpus(tmp_path / "b.csv").items["pixels"].tolist() == ["48"]


def test_rows_of_another_length_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"emotion,pixels\n1,0 1 2 3\r2,4 5 6 7\n")
    with pytest.raises(InputError, match=r"row 1 of .*a\.csv has 3 cells, its header 2; copy it anew"):
        open_corpus(tmp_path / "a.csv")
