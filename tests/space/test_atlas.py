"""The table for embedding-atlas: its neighbours by a loop, its media as a browser reads them."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from affectspace.space import Space
from affectspace.space import atlas as module
from affectspace.space.atlas import write_atlas
from affectspace.space.maps import tsne_maps


@pytest.fixture
def space():
    generator = np.random.default_rng(0)
    items = pd.DataFrame(
        {
            "id": [f"a/{row}" for row in range(25)],
            "label": np.where(np.arange(25) % 2, "happy", None),
            "probabilities": list(generator.dirichlet(np.ones(2), 25)),
            "age": np.where(np.arange(25) == 3, np.nan, np.arange(25.0)),
            "text": ["words <b>", *[None] * 24],
        }
    )
    return Space(items, generator.normal(size=(25, 3)), ("happy", "sad"))


def test_columns_are_those_that_embedding_atlas_reads(space, tmp_path):
    assert write_atlas(space, tmp_path / "t.parquet") == []
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert schema.names == ["id", "x", "y", "neighbors", "label", "text", "age", "confidence"]
    assert schema.field("neighbors").type == pa.struct(
        [("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))]
    )
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert np.array_equal(table[["x", "y"]].to_numpy(), tsne_maps([space.vectors])[0])
    assert table["label"].isna().sum() == 13
    assert table["confidence"].tolist() == space.probabilities.max(1).tolist()


def test_neighbours_are_those_of_a_loop_and_the_item_itself_first(space, tmp_path):
    write_atlas(space, tmp_path / "t.parquet")
    table = pd.read_parquet(tmp_path / "t.parquet")
    for row, told in enumerate(table["neighbors"]):
        away = np.linalg.norm(space.vectors - space.vectors[row], axis=1)
        others = [other for other in np.argsort(away, kind="stable") if other != row][:15]
        assert told["ids"].tolist() == [row, *others]
        assert told["distances"] == pytest.approx([0, *away[others]], abs=1e-6)
    assert np.stack([told["ids"] for told in table["neighbors"]]).shape == (25, 16)  # as it stacks them


def test_media_are_copied_or_cut(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[2:6, 1:5] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    Image.fromarray(pixels).save(tmp_path / "p.webp", lossless=True)
    soundfile.write(tmp_path / "s.flac", np.sin(np.arange(16000) / 9), 16000)
    files = {name: str(tmp_path / name) for name in ("p.png", "p.webp", "s.flac", "none.wav")}
    items = pd.DataFrame(
        {
            "id": ["a/1", "a/2", "a/3", "a/4"],
            "image": [files["p.png"], files["p.png"], files["p.webp"], None],
            "box": [None, "1 2 4 4", None, None],
            "audio": [files["s.flac"], files["s.flac"], None, files["none.wav"]],
            "start": [None, 0.25, None, None],
            "end": [None, 0.75, None, None],
        }
    )
    faults = write_atlas(Space(items, np.eye(4), ()), tmp_path / "t.parquet")
    assert faults == [f"{files['none.wav']} cannot be opened: No such file or directory"]
    table = pd.read_parquet(tmp_path / "t.parquet")
    whole, cut, webp = (table["image"][row] for row in range(3))
    assert (whole["bytes"], whole["path"]) == ((tmp_path / "p.png").read_bytes(), "p.png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(cut["bytes"]))), pixels[2:6, 1:5])
    assert webp["bytes"].startswith(b"\x89PNG")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(webp["bytes"]))), pixels)
    assert table["audio"][0]["bytes"] == (tmp_path / "s.flac").read_bytes()
    assert len(soundfile.read(io.BytesIO(table["audio"][1]["bytes"]))[0]) == 8000
    assert table["image"][3] is None
    assert table["audio"][[2, 3]].isna().all()
    write_atlas(Space(items, np.eye(4), ()), tmp_path / "bare.parquet", media=False)
    assert not {"image", "audio"} & {*pq.read_schema(tmp_path / "bare.parquet").names}


def test_blocks_change_nothing(space, tmp_path, monkeypatch):
    write_atlas(space, tmp_path / "whole.parquet")
    monkeypatch.setattr(module, "ROWS", 7)
    write_atlas(space, tmp_path / "parts.parquet")
    assert pq.read_table(tmp_path / "whole.parquet").equals(pq.read_table(tmp_path / "parts.parquet"))


def test_one_item_is_a_table_of_one(tmp_path):
    write_atlas(Space(pd.DataFrame({"id": ["a/1"]}), np.ones((1, 2)), ()), tmp_path / "t.parquet")
    (told,) = pd.read_parquet(tmp_path / "t.parquet")["neighbors"]
    assert (told["ids"].tolist(), told["distances"].tolist()) == ([0], [0.0])
