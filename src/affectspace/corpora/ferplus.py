"""FER+: ten raters' votes on the 48 x 48 grey faces of FER2013, some 35,700 images.

Layouts: ``fer2013new.csv`` (github.com/microsoft/FERPlus: Usage, Image name, and the votes for neutral to
contempt, unknown and NF, "not a face") beside ``fer2013.csv`` or ``icml_face_data.csv`` (the FER2013 challenge:
emotion, Usage, pixels; row for row the same images) or above folders with ``fer0000000.png`` and so on; or
Parquet files with image_name, split, the ten counts and image.

Rows without an image name show no face and are left out, as its authors do. What is made of the rest:

- ``emotion`` has every vote, by unknown raters. The label map leaves *unknown* and *NF* out: an image on which
  one of them leads has no target, and single votes for them are dropped from the others.
- ``emotion_kept`` has the votes that the authors train on, see :func:`affectspace.corpora.ferplus_votes`; a
  recipe asks for it by ``labels.dimension = "emotion_kept"``.
- The label is the class with most votes, the first of several. ``session`` is one for identical images, of
  which FER2013 has hundreds, so that a split by session keeps them apart from each other.
- ``usage`` is Training, PublicTest or PrivateTest: train, validate and test. Where PrivateTest is not there,
  PublicTest is the test split.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from affectspace.corpora.corpus import RATING_COLUMNS, Card, Corpus
from affectspace.corpora.ferplus_votes import ferplus_votes
from affectspace.corpora.judgements import counted_votes
from affectspace.corpora.layout import image_by_name, make_corpus, nearby, refuse_no_items, require_columns
from affectspace.corpora.packed_items import image_digests, parquet_with, read_items, row_references
from affectspace.errors import InputError
from affectspace.media.packed import csv_rows
from affectspace.tables import read_table

__all__ = ["NAME", "matches", "read"]

NAME = "ferplus"
_VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
_RELEASE = "fer2013new.csv"
_PIXELS = ("fer2013.csv", "icml_face_data.csv")
_SPLITS = {"Training": "train", "PublicTest": "validate", "PrivateTest": "test"}
_JOINED = ("image_name", "split", *(name.lower() for name in _VOTES))
_CARD = Card(
    name=NAME,
    licence="MIT for the votes; the images of FER2013 come from web searches and carry no licence",
    citation="Barsoum, Zhang, Canton Ferrer & Zhang, Training Deep Networks for Facial Expression Recognition with "
    "Crowd-Sourced Label Distribution, ICMI 2016; Goodfellow et al., Challenges in Representation Learning: A report "
    "on three machine learning contests, 2013 (FER2013)",
    label_map={
        "neutral": "neutral",
        "happiness": "happy",
        "surprise": "surprised",
        "sadness": "sad",
        "anger": "angry",
        "disgust": "disgusted",
        "fear": "fearful",
        "contempt": "contemptuous",
        "unknown": "",
        "NF": "",
    },
    note="Hundreds of images occur twice or more, also across the published splits and with other votes: session is "
    "one for identical images. Who is shown is not known, so nothing keeps people apart. Contempt, disgust and fear "
    "are rare.",
)


def matches(path: Path) -> bool:
    """Whether ``path`` holds the table of votes, or Parquet files of votes and images."""
    return bool(nearby(path, _RELEASE)) or (path.is_dir() and bool(parquet_with(path, _JOINED)))


def read(path: Path) -> Corpus:
    """FER+ at ``path``, a folder in one of the layouts or a Parquet file: those splits that are there.

    Raises:
        InputError: no votes, votes without images, or pixels and votes that are not row for row the same.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    files = parquet_with(path, _JOINED)
    votes = nearby(path, _RELEASE).get(_RELEASE)
    if files:
        rows = pd.concat([_joined(file, root) for file in files], ignore_index=True)
    else:
        refuse_no_items([votes] if votes else [], path, "FER+", f"{_RELEASE}, or Parquet files with {_JOINED[0]}")
        assert votes is not None
        rows = _released(votes, root)
    rows = rows.dropna(subset=["id"]).reset_index(drop=True)
    splits = dict(_SPLITS)
    if "PrivateTest" not in set(rows["usage"]):
        splits["PublicTest"] = "test"
    where = votes.name if votes else files[0].name
    keys = pd.DataFrame({"item": rows["id"], "rater": pd.NA, "dimension": "emotion"})
    every = counted_votes(keys, rows, {name: name for name in _VOTES}, where)
    counts = rows[list(_VOTES)].apply(pd.to_numeric).fillna(0).to_numpy(np.int64)
    kept = pd.DataFrame(ferplus_votes(counts), columns=list(_VOTES[:8]))
    trained = counted_votes(keys.assign(dimension="emotion_kept"), kept, {name: name for name in _VOTES[:8]}, where)
    items = rows.drop(columns=list(_VOTES)).assign(
        label=np.array(_VOTES, object)[counts.argmax(1)], split=rows["usage"].map(splits)
    )
    return make_corpus(root, items, _CARD, pd.concat([every, trained])[list(RATING_COLUMNS)])


def _joined(file: Path, root: Path) -> pd.DataFrame:
    table = read_items(file, root)
    if "dup_group" in table:
        groups = table["dup_group"].astype("string")
    else:
        groups = pd.Series(image_digests(_contents(file)), dtype="string")
    rows = table[[name.lower() for name in _VOTES]].set_axis(list(_VOTES), axis=1)
    names = table["image_name"].astype("string").str.removesuffix(".png")
    return rows.assign(id=names, image=table["image"], usage=table["split"], session=groups)


def _contents(file: Path) -> Iterator[bytes]:
    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(1000, columns=["image"]):
            for cell in batch.column("image").to_pylist():
                yield (cell.get("bytes") if isinstance(cell, dict) else cell) or b""


def _released(votes: Path, root: Path) -> pd.DataFrame:
    table = read_table(votes)
    require_columns(table, ("Usage", "Image name", *_VOTES), votes)
    names = table["Image name"].str.removesuffix(".png")
    rows = table[list(_VOTES)].assign(id=names, usage=table["Usage"])
    if pixels := next(iter(nearby(root, *_PIXELS).values()), None):
        usages, groups = _usages_and_groups(pixels)
        if len(usages) != len(rows) or (np.array(usages) != rows["usage"].to_numpy(object)).any():
            short = min(len(usages), len(rows))
            first = next((k for k in range(short) if usages[k] != rows["usage"].iloc[k]), short)
            raise InputError(
                f"{pixels} and {votes.name} are not row for row the same images: row {first + 1} is "
                f"{usages[first] if first < len(usages) else 'missing'!r} in one and "
                f"{rows['usage'].iloc[first] if first < len(rows) else 'missing'!r} in the other; "
                f"{len(usages)} and {len(rows)} rows; use the original files"
            )
        return rows.assign(image=row_references(pixels, root, len(rows)), session=groups)
    images = image_by_name(root)
    rows["image"] = names.map(images).astype("string")
    rows = rows.dropna(subset=["image"])
    if rows.empty:
        raise InputError(
            f"{root} holds the votes of FER+, but no images; looked for {' and '.join(_PIXELS)}, and for "
            "fer0000000.png and so on in its folders"
        )
    return rows.assign(session=image_digests((root / image).read_bytes() for image in rows["image"]))


def _usages_and_groups(pixels: Path) -> tuple[list[str], list[str]]:
    rows = csv_rows(pixels)
    header = next(rows, [])
    if not {"pixels", "Usage"} <= set(header):
        raise InputError(f"{pixels} lacks pixels or Usage; it should have emotion, pixels and Usage")
    levels, usage = header.index("pixels"), header.index("Usage")
    found = [(cells[usage], image_digests([cells[levels].encode()])[0]) for cells in rows]
    return [usage for usage, _ in found], [group for _, group in found]
