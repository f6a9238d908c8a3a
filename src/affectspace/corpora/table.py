'''A user's own data: a table of items, perhaps one of ratings, and no code.

A folder is read when it holds one of ``items.parquet``, ``items.csv``, ``utterances.csv``,
``manifest.csv`` or ``metadata.csv``; beside it may lie ``ratings.parquet`` or ``ratings.csv`` and
``corpus.toml``. A table file, or a TOML file under any name, can be given as well. Media paths are
relative to the folder of the table (to ``root``, where the TOML gives one).

**Columns** are those of ``ITEM_COLUMNS`` and ``RATING_COLUMNS``, in any order and case; others are
kept as they are. Without any configuration these names are understood too:

=============  =============================================================================
ours           also known as
=============  =============================================================================
``id``         utterance_id, utt_id; without one, the media path without its ending
``audio``      path, file, filename, file_name, filepath, file_path, wav, audio_path, audio_file,
               name: where the values end like audio files
``image``      the same names, image_path and image_file: where the values end like image files
``text``       transcript, transcription
``label``      emotion, class
``speaker``    speaker_id, actor
``split``      partition, subset
``language``   lang
``start``      start_time
``end``        end_time
``item``       (ratings) id, utterance_id, utt_id, file, filename, path
``rater``      (ratings) annotator, worker, listener; without one, raters are unknown
``dimension``  (ratings) without one, ``emotion``
``value``      (ratings) rating, vote, label, emotion
=============  =============================================================================

Two columns for one of ours are an error that names both; ``corpus.toml`` then says which.

**corpus.toml** may hold, all of it optional::

    name = "mine"                  # else the table's own `corpus` column, or the folder's name
    licence = "CC BY 4.0"
    citation = "..."
    language = "de"                # ISO 639-1, for items that name none
    note = "what a reader of results must know"

    root = "../data"               # relative to this file, or absolute; else this file's folder
    items = "part*.parquet"        # a file, a pattern or a list of them, relative to root and below it
    ratings = "votes.csv"          # likewise; it may be the table of items itself

    [scales.valence]               # a numeric dimension; one without a scale is categorical
    low = 1
    high = 5

    [label_map]                    # own label = shared label; "" leaves the items out
    wut = "angry"

    [columns]                      # our column = theirs; "" says that there is none
    audio = "path"

    [mean_ratings]                 # dimension = item column with a published mean (the rater is "mean")
    valence = "val_mean"

    [ratings_columns]              # item, rater, dimension, value = theirs, in a table of one row a judgement;
    item = "clip"                  # or dimension = column, where each dimension has a column
    valence = "V"

    [vote_counts]                  # category = column, where columns count the votes of a row's item
    anger = "A"

Example: three raters' valence, one column a dimension, and a label named "wut":

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "items.csv").write_text("path,emotion,who\\na.wav,wut,01\\nb.wav,froh,02\\n")
    >>> _ = (folder / "ratings.csv").write_text("clip,V\\na,1\\na,2\\nb,5\\n")
    >>> _ = (folder / "corpus.toml").write_text("""
    ... name = "mine"
    ... [columns]
    ... speaker = "who"
    ... [scales.valence]
    ... low = 1
    ... high = 5
    ... [ratings_columns]
    ... item = "clip"
    ... valence = "V"
    ... [label_map]
    ... wut = "angry"
    ... """)
    >>> corpus = read(folder)
    >>> corpus.items[["id", "corpus", "speaker", "audio", "label"]]
      id corpus speaker  audio label
    0  a   mine      01  a.wav   wut
    1  b   mine      02  b.wav  froh
    >>> corpus.ratings
      item rater dimension value
    0    a  <NA>   valence     1
    1    a  <NA>   valence     2
    2    b  <NA>   valence     5
'''

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.corpora.corpus import ITEM_COLUMNS, RATING_COLUMNS, Card, Corpus, make_items, make_ratings
from affectspace.corpora.corpus_toml import Description, read_description
from affectspace.errors import InputError
from affectspace.files import inside
from affectspace.tables import read_table

__all__ = ["ITEM_TABLES", "NAME", "RATING_TABLES", "matches", "read"]

NAME = "table"
ITEM_TABLES = ("items.parquet", "items.csv", "utterances.csv", "manifest.csv", "metadata.csv")
RATING_TABLES = ("ratings.parquet", "ratings.csv")
AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64", ".caf")
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")

_LOCATIONS = ("path", "file", "filename", "file_name", "filepath", "file_path", "name")
_ITEM_ALIASES = {
    "id": ("utterance_id", "utt_id"),
    "audio": (*_LOCATIONS, "wav", "audio_path", "audio_file"),
    "image": (*_LOCATIONS, "image_path", "image_file"),
    "text": ("transcript", "transcription"),
    "label": ("emotion", "class"),
    "speaker": ("speaker_id", "actor"),
    "split": ("partition", "subset"),
    "language": ("lang",),
    "start": ("start_time",),
    "end": ("end_time",),
}
_RATING_ALIASES = {
    "item": ("id", "utterance_id", "utt_id", "file", "filename", "path"),
    "rater": ("annotator", "worker", "listener"),
    "value": ("rating", "vote", "label", "emotion"),
}
_ENDINGS = {"audio": AUDIO_ENDINGS, "image": IMAGE_ENDINGS}
_NAMES = ("id", "speaker", "session", "item", "rater")  # identifiers, which are never fractions


def matches(path: Path) -> bool:
    """Whether ``path`` is a table, a TOML file, or a folder that holds one of the usual names."""
    if path.is_file():
        return path.suffix in {".toml", ".csv", ".tsv", ".parquet"}
    return any((path / name).is_file() for name in ("corpus.toml", *ITEM_TABLES))


def read(path: str | Path) -> Corpus:
    """The corpus in a folder, a table file or a TOML file, as the head of this module describes.

    Raises:
        InputError: no table or two of them, an unknown key of the TOML file, a column that is not
            there or is claimed twice, a path that leaves the root, or vote counts that are no counts.
    """
    path = Path(path)
    description = _describe(path)
    table_given = path.is_file() and path.suffix != ".toml"
    files = [path] if table_given else _tables(description, "items", ITEM_TABLES)
    if not files:
        raise InputError(f"there is no table of items in {description.root}; looked for {', '.join(ITEM_TABLES)}")
    where = " + ".join(file.name for file in files)
    rows = pd.concat([read_table(file) for file in files], ignore_index=True)
    renamed = _rename(rows, description.columns, ITEM_COLUMNS, _ITEM_ALIASES, where, "columns")
    ids_are_paths = "id" not in renamed
    if ids_are_paths:
        renamed["id"] = _ids_from_paths(renamed, where)

    card = _complete(
        description.card, renamed, path if table_given and path.name not in ITEM_TABLES else files[0].parent
    )
    ratings = [_means(rows, renamed["id"], description, where)]
    if rating_files := _tables(description, "ratings", RATING_TABLES):
        judged = pd.concat([read_table(file) for file in rating_files], ignore_index=True)
        ratings.append(_judgements(judged, description, " + ".join(file.name for file in rating_files), ids_are_paths))
    elif description.ratings_columns or description.vote_counts:
        raise InputError(
            f"corpus {card.name!r} has [ratings_columns] or [vote_counts], but no ratings table; "
            f'name it, as in ratings = "votes.csv", or put {" or ".join(RATING_TABLES)} into {description.root}'
        )
    return Corpus(description.root, make_items(renamed, card), make_ratings(pd.concat(ratings)), card)


def _describe(path: Path) -> Description:
    if path.is_file():
        card_file = path if path.suffix == ".toml" else path.parent / "corpus.toml"
        folder = path.parent
    else:
        card_file, folder = path / "corpus.toml", path
    return read_description(card_file) if card_file.is_file() else Description(Card(""), folder.resolve())


def _tables(description: Description, key: str, usual: tuple[str, ...]) -> list[Path]:
    """The tables that the TOML file names, else the one of the usual names that is there."""
    root = description.root
    files = []
    for pattern in getattr(description, key):
        inside(root, pattern)
        found = [inside(root, str(file.relative_to(root))) for file in sorted(root.glob(pattern)) if file.is_file()]
        if not found:
            raise InputError(f"{key} = {pattern!r} matches no file in {root}; paths are relative to root")
        files += [file for file in found if file not in files]
    if files:
        return files
    found = [root / name for name in usual if (root / name).is_file()]
    if len(found) > 1:
        raise InputError(
            f"{root} holds both {found[0].name} and {found[1].name}; "
            f'say which one in corpus.toml, as in {key} = "{found[0].name}"'
        )
    return found


def _rename(
    rows: pd.DataFrame,
    columns: dict[str, str],
    ours: tuple[str, ...],
    aliases: dict[str, tuple[str, ...]],
    where: str,
    section: str,
) -> pd.DataFrame:
    """``rows`` with their columns under our names: those the user named, else exact names, else aliases.

    A column of theirs that bears one of our names but means something else becomes ``source_<name>``.
    """
    theirs = {str(column).strip().lower(): column for column in reversed(rows.columns)}
    theirs |= {column: column for column in rows.columns}
    chosen = {}
    for column, name in columns.items():
        if name and name not in rows:
            raise InputError(f"[{section}] {column} = {name!r}, but {where} has no such column; it has: {_list(rows)}")
        chosen[column] = name
    free = [name for name in ours if name not in chosen]
    chosen |= {name: theirs[name] for name in free if name in theirs and theirs[name] not in chosen.values()}
    for name in free:
        if name in chosen:
            continue
        found = [theirs[alias] for alias in aliases.get(name, ()) if alias in theirs]
        found = [column for column in found if column not in chosen.values()]
        if name in _ENDINGS:
            found = [column for column in found if _ends_with(rows[column], _ENDINGS[name])]
        if len(found) > 1:
            raise InputError(
                f"{where}: columns {found[0]!r} and {found[1]!r} could both be {name!r}; "
                f'say which one in corpus.toml: [{section}] {name} = "{found[0]}"'
            )
        if found:
            chosen[name] = found[0]
    result = rows.rename(columns={column: f"source_{column}" for column in rows if column in ours})
    for name, column in chosen.items():
        if column:
            result[name] = _plain(rows[column]) if name in _NAMES else rows[column]
    used = {column for column in chosen.values() if column and column not in ours}
    used |= {f"source_{column}" for column in chosen.values() if column in ours}
    return result.drop(columns=used)


def _list(rows: pd.DataFrame) -> str:
    return ", ".join(map(str, rows.columns))


def _ends_with(values: pd.Series, endings: tuple[str, ...]) -> bool:
    present = values.dropna()
    return len(present) > 0 and bool(present.astype(str).str.lower().str.endswith(endings).all())


def _plain(values: pd.Series) -> pd.Series:
    """Whole numbers without a fraction: a column of numbers with gaps is read as 1.0, 2.0, missing."""
    if pd.api.types.is_float_dtype(values.dtype) and bool((values.dropna() % 1 == 0).all()):
        return values.astype("Int64")
    return values


def _ids_from_paths(rows: pd.DataFrame, where: str) -> pd.Series:
    for column in ("audio", "image"):
        if column in rows:
            return _without_ending(rows[column])
    raise InputError(
        f"{where} has no id column and no media to name its items by; add a column id, or say in corpus.toml "
        f'which one it is: [columns] id = "..."; it has: {_list(rows)}'
    )


def _without_ending(paths: pd.Series) -> pd.Series:
    return paths.astype("string").str.replace(r"\.[^./\\]+$", "", regex=True)


def _complete(card: Card, rows: pd.DataFrame, place: Path) -> Card:
    """The card with its name and language, from the table where the table agrees with itself."""
    found = {}
    for field, column in (("name", "corpus"), ("language", "language")):
        values = rows[column].dropna().unique() if column in rows else []
        found[field] = str(values[0]) if len(values) == 1 else ""
    name = place.stem if place.is_file() else place.resolve().name
    return dataclasses.replace(
        card, name=card.name or found["name"] or name, language=card.language or found["language"]
    )


def _means(rows: pd.DataFrame, ids: pd.Series, description: Description, where: str) -> pd.DataFrame:
    _refuse_absent(rows, description.mean_ratings, "mean_ratings", where)
    parts = [
        pd.DataFrame({"item": ids, "rater": "mean", "dimension": dimension, "value": rows[column]}).dropna(
            subset="value"
        )
        for dimension, column in description.mean_ratings.items()
    ]
    return _stack(parts)


def _judgements(rows: pd.DataFrame, description: Description, where: str, ids_are_paths: bool) -> pd.DataFrame:
    """A table of ratings as one row a judgement, however it is laid out."""
    named = {column: name for column, name in description.ratings_columns.items() if column in RATING_COLUMNS}
    wide = {column: name for column, name in description.ratings_columns.items() if column not in RATING_COLUMNS}
    _refuse_absent(rows, wide, "ratings_columns", where)
    _refuse_absent(rows, description.vote_counts, "vote_counts", where)
    if sum([bool(wide), bool(description.vote_counts), "value" in named]) > 1:
        raise InputError(
            f"{where}: value, columns per dimension and vote counts are three layouts of one table; choose one of them"
        )
    layout = wide or description.vote_counts
    ours = tuple(column for column in RATING_COLUMNS if not (layout and column == "value"))
    # A column that the layout speaks for is no candidate for another role.
    long = _rename(rows.drop(columns=set(layout.values())), named, ours, _RATING_ALIASES, where, "ratings_columns")
    if "item" not in long:
        raise InputError(f'{where} has no column that names the item; say which one: [ratings_columns] item = "..."')
    if ids_are_paths:
        long["item"] = _without_ending(long["item"])
    for column, default in (("rater", pd.NA), ("dimension", "emotion")):
        if column not in long:
            long[column] = default
    keys = ["item", "rater", "dimension"]
    if wide:
        parts = [long[keys].assign(dimension=name, value=rows[column]) for name, column in wide.items()]
        return _stack([part.dropna(subset="value") for part in parts])
    if description.vote_counts:
        parts = [
            long[keys].assign(value=category).loc[np.repeat(long.index, _counts(rows[column], column, where))]
            for category, column in description.vote_counts.items()
        ]
        return _stack(parts)
    if "value" not in long:
        raise InputError(
            f'{where} has no column of values; it has: {_list(rows)}. Say which one: [ratings_columns] value = "...", '
            f"or name a column per dimension"
        )
    return long[list(RATING_COLUMNS)]


def _stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Judgements of several columns as one table, an item's judgements together."""
    if not parts:
        return make_ratings(None)
    return pd.concat([make_ratings(part.sort_index()).set_axis(part.index) for part in parts]).sort_index(kind="stable")


def _counts(values: pd.Series, column: str, where: str) -> np.ndarray:
    numbers = pd.to_numeric(values, errors="coerce").fillna(0 if values.isna().any() else np.nan)
    bad = numbers.isna() | (numbers < 0) | (numbers % 1 != 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{where} row {row + 1}: {column} is {values.iloc[row]!r}; vote counts are whole numbers from 0"
        )
    return numbers.astype(int).to_numpy()


def _refuse_absent(rows: pd.DataFrame, named: dict[str, str], section: str, where: str) -> None:
    for key, column in named.items():
        if column not in rows:
            raise InputError(f"[{section}] {key} = {column!r}, but {where} has no such column; it has: {_list(rows)}")
