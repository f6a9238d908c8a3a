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
``video``      the same names, video_path and video_file: where the values end like videos
``text``       transcript, transcription
``label``      emotion, class
``speaker``    speaker_id, actor, person, person_id, subject, subject_id
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

**Images in the table itself**: a column ``image`` of a Parquet file may hold encoded images instead of paths
(bytes, or structs with ``bytes``), and a column ``pixels`` of a CSV file the grey levels of squares, as in
fer2013.csv. Each item's image is then its row of that very table, such as ``faces.parquet#17``.

**corpus.toml** may hold, all of it optional::

    name = "mine"                  # else the table's own `corpus` column, or the folder's name
    licence = "CC BY 4.0"
    citation = "..."
    language = "de"                # ISO 639-1, for items that name none; other rows do not tell theirs
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
    id = ["dialogue", "line"]      # together: joined by _; so for speaker, session and script

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

import pandas as pd

from affectspace.corpora import ordinal_tabular
from affectspace.corpora.columns import ids_from_paths, rename_items
from affectspace.corpora.corpus import Card, Corpus, make_items, make_ratings
from affectspace.corpora.corpus_toml import Description, read_description
from affectspace.corpora.judgements import judgements, means
from affectspace.corpora.packed_items import read_items
from affectspace.errors import InputError
from affectspace.files import inside
from affectspace.tables import TABLE_SUFFIXES, read_table

__all__ = ["ITEM_TABLES", "NAME", "RATING_TABLES", "matches", "read"]

NAME = "table"
ITEM_TABLES = ("items.parquet", "items.csv", "utterances.csv", "manifest.csv", "metadata.csv")
RATING_TABLES = ("ratings.parquet", "ratings.csv")


def matches(path: Path) -> bool:
    """Whether ``path`` is a table of items, a TOML file, or a folder that holds one of the usual names."""
    if path.is_file():
        if path.suffix == ".toml" or (path.parent / "corpus.toml").is_file():
            return path.suffix in {".toml", *TABLE_SUFFIXES}
        return path.suffix in TABLE_SUFFIXES and not ordinal_tabular.is_one(path)
    return any((path / name).is_file() for name in ("corpus.toml", *ITEM_TABLES))


def read(path: str | Path) -> Corpus:
    """The corpus in a folder, a table file or a TOML file, as the head of this module describes.

    Raises:
        InputError: no table or two of them, an unknown key of the TOML file, a column that is not
            there or is claimed twice, or a path that leaves the root.
    """
    path = Path(path)
    description = _describe(path)
    table_given = path.is_file() and path.suffix != ".toml"
    files = [path] if table_given else _tables(description, "items", ITEM_TABLES)
    if not files:
        raise InputError(f"there is no table of items in {description.root}; looked for {', '.join(ITEM_TABLES)}")
    where = " + ".join(file.name for file in files)
    rows = pd.concat([read_items(file, description.root) for file in files], ignore_index=True)
    renamed = rename_items(rows, description.columns, where)
    ids_are_paths = "id" not in renamed
    if ids_are_paths:
        renamed["id"] = ids_from_paths(renamed, where)

    named_after = path if table_given and path.name not in ITEM_TABLES else files[0].parent
    card = _complete(description.card, renamed, named_after)
    ratings, miscounted = [means(rows, renamed["id"], description, where)], []
    if rating_files := _tables(description, "ratings", RATING_TABLES):
        judged = pd.concat([read_table(file) for file in rating_files], ignore_index=True)
        own = renamed["id"] if [f.resolve() for f in rating_files] == [f.resolve() for f in files] else None
        told = " + ".join(file.name for file in rating_files)
        made, miscounted = judgements(judged, description, told, ids_are_paths, own)
        ratings.append(made)
    elif description.ratings_columns or description.vote_counts:
        raise InputError(
            f"corpus {card.name!r} has [ratings_columns] or [vote_counts], but no ratings table; "
            f'name it, as in ratings = "votes.csv", or put {" or ".join(RATING_TABLES)} into {description.root}'
        )
    return Corpus(
        description.root, make_items(renamed, card), make_ratings(pd.concat(ratings)), card, tuple(miscounted)
    )


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
        try:
            found = [inside(root, str(file.relative_to(root))) for file in sorted(root.glob(pattern)) if file.is_file()]
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{key} = {pattern!r} is no pattern of files: {error}") from error
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


def _complete(card: Card, rows: pd.DataFrame, place: Path) -> Card:
    """The card with its name and language, from the table where the table agrees with itself.

    The language is that of items that name none, so a table of which some cells are blank does not tell it: nobody has
    said what these items are spoken in.
    """
    found = {"name": "", "language": ""}
    for field, column in (("name", "corpus"), ("language", "language")):
        cells = rows[column].astype("string") if column in rows else pd.Series(dtype="string")
        blank = cells.str.strip().eq("").fillna(True)
        values = cells[~blank].unique()
        if len(values) == 1 and (field == "name" or not blank.any()):
            found[field] = str(values[0])
    name = card.name or found["name"] or (place.stem if place.is_file() else place.resolve().name)
    return dataclasses.replace(card, name=name, language=card.language or found["language"])
