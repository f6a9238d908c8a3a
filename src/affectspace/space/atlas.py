"""A space as a table for embedding-atlas: where each item lies, who is near, what it is, and its media."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from affectspace.errors import MediaError
from affectspace.files import atomic_path, packed
from affectspace.media.audio import read_audio
from affectspace.media.boxes import crop_box
from affectspace.media.images import read_image
from affectspace.neighbours.nearest import Neighbours
from affectspace.space.maps import tsne_maps
from affectspace.space.space import Space
from affectspace.space.space_columns import DISTRIBUTIONS

__all__ = ["write_atlas"]

NEAREST = 15
ROWS = 1_000  # of a row group: whose media are in memory
RATE = 16_000  # of parts of recordings, which are cut anew
# What a browser shows and embedding-atlas knows by its first bytes.
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".bmp"}
SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}
MEDIUM = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # as Hugging Face datasets have it
NEIGHBOURS = pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))])


def write_atlas(space: Space, path: str | Path, media: bool = True) -> list[str]:
    """Write a space as Parquet, whole or not at all, a row an item in the space's order.

    Columns are ``id``; ``x`` and ``y`` of its t-SNE map; ``neighbors``, the item itself and the 15 nearest as
    ``ids`` (rows, from 0) and ``distances`` (Euclidean, of the vectors and not of the map); ``label``, ``prediction``,
    ``confidence`` (the probability of the prediction); ``text``; ``image`` and ``audio`` as ``bytes`` and ``path``;
    and whatever else is known of the items, one value each. Columns without any value are left out.

    Pictures and recordings are copied as they are where a browser plays them; a part of a picture or of a recording is
    cut out, and other formats are written anew as PNG, and as FLAC at 16 kHz.

    Args:
        space: with one item or more.
        path: of the file.
        media: whether pictures and recordings are in it, which may make it large.

    Returns:
        A sentence for each picture or recording that cannot be read; the item is in the table without it.

    Source: the columns that embedding-atlas 0.26 documents and reads: https://github.com/apple/embedding-atlas

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "atlas.parquet"
        >>> space = Space(pd.DataFrame({"id": ["a/1", "a/2", "a/3"]}), np.array([[0.0], [1.0], [3.0]]), ())
        >>> write_atlas(space, path)
        []
        >>> pd.read_parquet(path)["neighbors"][2]["ids"].tolist()
        [2, 1, 0]
    """
    [positions] = tsne_maps([space.vectors])
    near = Neighbours(space.vectors)
    distances, rows = near.of_items(min(NEAREST, max(len(space) - 1, 1)))
    columns: dict[str, pa.Array] = {
        "id": _column(space.items["id"]),
        "x": pa.array(positions[:, 0]),
        "y": pa.array(positions[:, 1]),
        "neighbors": _neighbours(distances, rows),
    }
    known = [name for name in space.items if name not in DISTRIBUTIONS and space.items[name].notna().any()]
    order = ["label", "prediction", "text", *space.items]
    for name in dict.fromkeys(name for name in order if name in known and name not in {"image", "audio", *columns}):
        made = _column(space.items[name])
        if not pa.types.is_nested(made.type):
            columns[str(name)] = made
    if space.probabilities is not None:
        columns["confidence"] = pa.array(space.probabilities.max(1), from_pandas=True)
    read: dict[str, Callable[[dict[str, Any]], bytes]] = {"image": _picture, "audio": _sound}
    kept = [kind for kind in read if media and kind in known]
    schema = pa.schema([*((name, column.type) for name, column in columns.items()), *((kind, MEDIUM) for kind in kept)])
    faults: list[str] = []
    parts = [name for name in ("image", "audio", "start", "end", "box") if name in space.items]
    with atomic_path(path) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for start in range(0, len(space), ROWS):
            block = {name: column.slice(start, ROWS) for name, column in columns.items()}
            cells = space.items[parts].iloc[start : start + ROWS].to_dict("records")
            items = [{str(name): value for name, value in item.items()} for item in cells]
            for kind in kept:
                block[kind] = pa.array([_read(item, kind, read[kind], faults) for item in items], MEDIUM)
            writer.write_table(pa.table(block, schema=schema))
    return faults


def _neighbours(distances: np.ndarray, rows: np.ndarray) -> pa.Array:
    own = np.arange(len(rows))[:, None]  # first, as embedding-atlas writes it and its measures of the graph expect
    rows, distances = np.hstack([own, rows]), np.hstack([np.zeros((len(rows), 1), np.float32), distances])
    there = rows >= 0
    offsets = np.concatenate([[0], there.sum(1).cumsum()]).astype(np.int32)
    ids = pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows[there]))
    far = pa.ListArray.from_arrays(pa.array(offsets), pa.array(distances[there].astype(np.float32)))
    return pa.StructArray.from_arrays([ids, far], fields=list(NEIGHBOURS))


def _column(column: pd.Series) -> pa.Array:
    made = pa.array(column, from_pandas=True)
    made = made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made
    return made.cast(pa.string()) if pa.types.is_large_string(made.type) else made


def _read(
    item: dict[str, Any], kind: str, read: Callable[[dict[str, Any]], bytes], faults: list[str]
) -> dict[str, Any] | None:
    if pd.isna(item[kind]):
        return None
    try:
        return {"bytes": read(item), "path": Path(str(item[kind])).name}
    except MediaError as error:
        faults.append(str(error))
        return None


def _picture(item: dict[str, Any]) -> bytes:
    path, box = str(item["image"]), item.get("box")
    cut = box is not None and not pd.isna(box)
    if not cut and packed(path)[1] is None and Path(path).suffix.lower() in PICTURES:
        return _bytes(path)
    pixels = read_image(path)
    content = io.BytesIO()
    Image.fromarray(crop_box(pixels, str(box)) if cut else pixels).save(content, "PNG")
    return content.getvalue()


def _sound(item: dict[str, Any]) -> bytes:
    path = str(item["audio"])
    start, end = (None if pd.isna(item.get(name)) else float(item[name]) for name in ("start", "end"))
    if start is None and end is None and Path(path).suffix.lower() in SOUNDS:
        return _bytes(path)
    content = io.BytesIO()
    soundfile.write(content, read_audio(path, RATE, start, end), RATE, format="FLAC", subtype="PCM_16")
    return content.getvalue()


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be opened: {getattr(error, 'strerror', error)}") from None
