"""Images of a Parquet file in any order, with a few windows of rows in memory."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectspace.errors import MediaError
from affectspace.media import packed_parquet
from affectspace.media.packed_parquet import ParquetImages

random = np.random.default_rng(0)


@pytest.fixture
def small(monkeypatch):
    """Windows of 4 kB, of which 20 kB are kept."""
    monkeypatch.setattr(packed_parquet, "WINDOW", 4_000)
    monkeypatch.setattr(packed_parquet, "KEPT", 20_000)


def table(path, rows=300, group=1000, **options):
    cells = [random.bytes(int(size)) for size in random.integers(1, 1000, rows)]
    pq.write_table(pa.table({"image": cells, "n": range(rows)}), path, row_group_size=group, **options)
    return cells


@pytest.mark.parametrize("group", [1, 7, 100, 1000])
@pytest.mark.parametrize("order", ["forward", "backward", "random", "gaps"])
def test_every_row_in_any_order(tmp_path, small, group, order):
    cells = table(tmp_path / "a.parquet", group=group)
    images = ParquetImages(tmp_path / "a.parquet")
    rows = {
        "forward": range(300),
        "backward": range(299, -1, -10),
        "random": random.integers(0, 300, 60),
        "gaps": range(0, 300, 17),
    }[order]
    assert images.rows == 300
    for row in rows:
        assert images.cell(int(row)) == cells[row]
        assert sum(each.nbytes for each in images._kept.values()) <= 20_000


def test_rows_in_their_order_are_unpacked_once(tmp_path, small, monkeypatch):
    table(tmp_path / "a.parquet")
    images, begun = ParquetImages(tmp_path / "a.parquet"), []

    class Counted:
        def __init__(self, file):
            self.file = file

        def iter_batches(self, *words, **settings):
            begun.append(settings["row_groups"])
            return self.file.iter_batches(*words, **settings)

    monkeypatch.setattr(images, "_file", Counted(images._file))
    for row in range(300):
        images.cell(row)
        images.cell(max(0, row - 3))  # back a little, as workers do
    assert begun == [[0]]
    images.cell(0)
    assert begun == [[0], [0]]


def test_an_image_larger_than_all_that_is_kept(tmp_path, small):
    cells = [b"a" * 50_000, b"b", b"c" * 50_000]
    pq.write_table(pa.table({"image": cells}), tmp_path / "a.parquet", use_dictionary=False)
    images = ParquetImages(tmp_path / "a.parquet")
    assert [images.cell(row) for row in (0, 1, 2, 0)] == [*cells, cells[0]]


def test_an_image_that_many_rows_share_is_not_unpacked_for_all_at_once(tmp_path):
    cells = [random.bytes(20_000) for _ in range(10)]
    pq.write_table(pa.table({"image": [cells[row % 10] for row in range(2_000)]}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000  # each of them is stored once
    images = ParquetImages(tmp_path / "a.parquet")
    assert images.cell(1) == cells[1]
    assert sum(each.nbytes for each in images._kept.values()) < packed_parquet.WINDOW


def test_rows_before_the_damage_are_read_whatever_was_asked_for_first(tmp_path, small):
    cells = table(tmp_path / "a.parquet", use_dictionary=False, data_page_size=2_000, compression="zstd")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[60_000:100_000] = b"\xff" * 40_000
    (tmp_path / "a.parquet").write_bytes(content)
    words = set()

    def told(row, images):
        try:
            return images.cell(row) == cells[row]
        except MediaError as error:
            words.add(str(error))
            return None

    images = ParquetImages(tmp_path / "a.parquet")
    forward = [told(row, images) for row in range(300)]
    assert forward[:50] == [True] * 50
    assert forward[-1] is None
    (sentence,) = words
    assert "a.parquet is truncated or corrupt: " in sentence
    assert [told(row, images) for row in range(0, 300, 29)] == forward[::29]
    fresh = ParquetImages(tmp_path / "a.parquet")
    assert [told(row, fresh) for row in range(299, -1, -29)] == forward[::-29]


@pytest.mark.parametrize("row", [-1, 300, 10**9])
def test_no_row_but_those_that_are_there(tmp_path, small, row):
    cells = table(tmp_path / "a.parquet", group=100)
    images = ParquetImages(tmp_path / "a.parquet")
    for _ in range(2):
        with pytest.raises(
            MediaError, match=rf"there is no row {row} in .*a\.parquet, whose rows run from 0 to 299; check"
        ):
            images.cell(row)
        assert images.cell(299) == cells[299]
