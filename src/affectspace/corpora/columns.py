"""The columns of a table of items under our names, whatever its owner calls them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from affectspace.corpora.corpus import ITEM_COLUMNS
from affectspace.corpora.layout import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS
from affectspace.errors import InputError
from affectspace.files import packed

__all__ = [
    "column_list",
    "ids_from_paths",
    "refuse_absent",
    "rename_columns",
    "rename_items",
    "told_apart",
    "without_ending",
]

_LOCATIONS = ("path", "file", "filename", "file_name", "filepath", "file_path", "name")
_ITEM_ALIASES = {
    "id": ("utterance_id", "utt_id"),
    "audio": (*_LOCATIONS, "wav", "audio_path", "audio_file"),
    "image": (*_LOCATIONS, "image_path", "image_file"),
    "video": (*_LOCATIONS, "video_path", "video_file"),
    "text": ("transcript", "transcription"),
    "label": ("emotion", "class"),
    "speaker": ("speaker_id", "actor", "person", "person_id", "subject", "subject_id"),
    "split": ("partition", "subset"),
    "language": ("lang",),
    "start": ("start_time",),
    "end": ("end_time",),
}
_ENDINGS = {"audio": AUDIO_ENDINGS, "image": IMAGE_ENDINGS, "video": VIDEO_ENDINGS}
_NAMES = ("id", "speaker", "session", "item", "rater")  # identifiers, which are never fractions


def rename_items(rows: pd.DataFrame, columns: Mapping[str, str | tuple[str, ...]], where: str) -> pd.DataFrame:
    """A table of items under our names; see :func:`rename_columns`.

    Several columns that name something together are joined by ``_``, and stay. Where one of them is missing, so is the
    name.

    Raises:
        InputError: as :func:`rename_columns`, or different values would be joined to one name.

    Example:
        >>> rows = pd.DataFrame({"split": ["dev", "dev", None], "dialogue": [0, 1, 1]})
        >>> rename_items(rows, {"id": ("split", "dialogue")}, "lines.csv")["id"].tolist()
        ['dev_0', 'dev_1', <NA>]
    """
    together = {name: theirs for name, theirs in columns.items() if isinstance(theirs, tuple)}
    for name, several in together.items():
        for each in several:
            refuse_absent(rows, {name: each}, "columns", where)
    joined = {" + ".join(several): _joined(rows[list(several)], where) for several in together.values()}
    names = {name: theirs if isinstance(theirs, str) else " + ".join(theirs) for name, theirs in columns.items()}
    return rename_columns(rows.assign(**joined), names, ITEM_COLUMNS, _ITEM_ALIASES, where, "columns")


def rename_columns(
    rows: pd.DataFrame,
    columns: dict[str, str],
    ours: tuple[str, ...],
    aliases: dict[str, tuple[str, ...]],
    where: str,
    section: str,
) -> pd.DataFrame:
    """``rows`` with their columns under our names: those the user named, else exact names, else aliases.

    A column of theirs that bears one of our names but means something else becomes ``source_<name>``.

    Args:
        rows: the table as its owner has it.
        columns: our name -> theirs, as the owner says; ``""``: there is none.
        ours: the names to look for.
        aliases: our name -> names that mean the same.
        where: what to call the table in an error.
        section: where in ``corpus.toml`` the owner can say which column is meant.

    Raises:
        InputError: a named column that is not there, or two aliases for one name.
    """
    theirs = {str(column).strip().lower(): column for column in reversed(rows.columns)}
    theirs |= {column: column for column in rows.columns}
    chosen = {}
    for column, name in columns.items():
        if name:
            refuse_absent(rows, {column: name}, section, where)
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


def ids_from_paths(rows: pd.DataFrame, where: str) -> pd.Series:
    """Names for items that have none: their audio's path without its ending, else their image's, else their video's.

    Raises:
        InputError: they have none of these.
    """
    for column in ("audio", "image", "video"):
        if column in rows:
            return without_ending(rows[column])
    raise InputError(
        f"{where} has no id column and no media to name its items by; add a column id, or say in corpus.toml "
        f'which one it is: [columns] id = "..."; it has: {column_list(rows)}'
    )


def without_ending(paths: pd.Series) -> pd.Series:
    """Paths without the ending of the file; rows of a table of images keep their number.

    Example:
        >>> without_ending(pd.Series(["a.b/c.wav", "d", "faces.parquet#17"])).tolist()
        ['a.b/c', 'd', 'faces#17']
    """
    return paths.astype("string").str.replace(r"\.(?:(?:parquet|csv)(?=#\d+$)|[^./\\#]+$)", "", regex=True)


def told_apart(short: Sequence[str], long: Sequence[str], alike: Callable[[str], str] = str) -> list[str]:
    """The short name of each, or the long one where another's is alike: none are in the end, if the long ones differ.

    Args:
        short: such as files without their endings.
        long: such as files with them, of which no two are alike.
        alike: what two names have in common that are not to be told apart, such as ``str.casefold``.

    Example:
        >>> told_apart(["a", "b", "a", "a.png"], ["a.png", "b.png", "a.jpg", "a.png.jpg"])
        ['a.png', 'b', 'a.jpg', 'a.png.jpg']
    """
    names = list(short)
    while True:  # a long name may be the short one of another
        times = Counter(map(alike, names))
        longer = [full if times[alike(name)] > 1 else name for name, full in zip(names, long, strict=True)]
        if longer == names:
            return names
        names = longer


def refuse_absent(rows: pd.DataFrame, named: dict[str, str], section: str, where: str) -> None:
    """Raise for a column that the TOML file names and the table does not have."""
    for key, column in named.items():
        if column not in rows:
            known = column_list(rows)
            raise InputError(f"[{section}] {key} = {column!r}, but {where} has no such column; it has: {known}")


def column_list(rows: pd.DataFrame) -> str:
    """The names of the columns, for an error."""
    return ", ".join(map(str, rows.columns))


def _ends_with(values: pd.Series, endings: tuple[str, ...]) -> bool:
    present = values.dropna().astype(str)
    fits = present.str.lower().str.endswith(endings)
    if endings is IMAGE_ENDINGS:
        fits |= present.map(lambda value: packed(str(value))[1] is not None).astype(bool)
    return len(present) > 0 and bool(fits.all())


def _joined(columns: pd.DataFrame, where: str) -> pd.Series:
    texts = columns.apply(lambda values: _plain(values).astype("string"))
    names = texts.iloc[:, 0].str.cat(texts.iloc[:, 1:], sep="_")
    parts = texts.assign(**{"": names}).dropna().drop_duplicates()
    alike = parts[parts[""].duplicated(keep=False)].sort_values("", kind="stable")
    if len(alike):
        one, other = (tuple(row) for row in alike.iloc[:2, :-1].itertuples(index=False))
        raise InputError(
            f"{where}: {one} and {other} would both be named {alike[''].iloc[0]!r}, joined by _; change a value, or "
            "add a column that names them apart"
        )
    return names


def _plain(values: pd.Series) -> pd.Series:
    """Whole numbers without a fraction: a column of numbers with gaps is read as 1.0, 2.0, missing."""
    if pd.api.types.is_float_dtype(values.dtype) and bool((values.dropna() % 1 == 0).all()):
        return values.astype("Int64")
    return values
