"""``affectspace check``"""

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from affectspace.cli.tell import next_commands, quoted
from affectspace.files import json_text

if TYPE_CHECKING:  # --help has no use for pandas
    import pandas as pd

    from affectspace.corpora import Corpus

SHOWN = 40  # more of them bury the summary
MOST_LABELS = 30


def check(
    path: Path,
    *,
    adapter: str | None = None,
    media: bool = True,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Validate a corpus and list every fault with its row, its value and what is legal.

    Exit code 1 when there is a fault.

    Parameters
    ----------
    path
        A corpus folder, a table (CSV or Parquet) or a corpus.toml.
    adapter
        Read it as this corpus, where the layout does not tell.
    media
        Also decode every recording and picture, and both ends of every video; --no-media looks at the tables only.
    as_json
        Print the faults as JSON, for machines.
    """
    from affectspace.corpora import check as check_corpus
    from affectspace.corpora import notes, odd_lengths, open_corpus
    from affectspace.corpora.corpus import MEDIA_COLUMNS, unlabelled
    from affectspace.protocols.language_codes import language_notes

    corpus = open_corpus(path, adapter, miscounted=True)
    faults = check_corpus(corpus, read_media=media)
    remarks = notes(corpus) + language_notes(corpus.items) + (odd_lengths(corpus) if media else [])
    counts = {medium: int(corpus.items[medium].notna().sum()) for medium in MEDIA_COLUMNS}
    languages = dict(Counter(corpus.items["language"].fillna("")).most_common())
    if as_json:
        without = corpus.items["id"][unlabelled(corpus)].fillna("").tolist()
        told = {"corpus": corpus.name, "items": len(corpus), "media": counts, "unlabelled": without}
        told["languages"] = languages
        told["faults"] = [asdict(fault) for fault in faults]
        told["mapped"], told["unmapped"] = _mapped(corpus)
        print(json_text({**told, "notes": remarks}))
        sys.exit(bool(faults))
    print(
        f"{corpus.name}: {len(corpus)} items{_media(counts, len(corpus))}, "
        f"speakers: {corpus.items['speaker'].nunique()}, ratings: {len(corpus.ratings)}, "
        f"labels: {_labels(corpus.items['label'])}"
    )
    if told := _languages(languages):
        print(told)
    if corpus.card.label_map and (told := _mapped_told(*_mapped(corpus))):
        print(f"by label_map: {told}")
    if faults:
        table = Table()
        for heading in ("row", "item", "column", "problem"):
            table.add_column(heading, overflow="fold")
        table.add_column("what", overflow="fold", ratio=1)
        for fault in faults[:SHOWN]:
            table.add_row(str(fault.row or ""), fault.item, fault.column, fault.problem, fault.message)
        Console(markup=False).print(table)
        if len(faults) > SHOWN:
            print(f"... and {len(faults) - SHOWN} more; --json tells all")
        problems = Counter(fault.problem for fault in faults)
        told = ", ".join(f"{count} x {problem}" for problem, count in problems.most_common())
        print(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}: {told}")
    for note in remarks:
        print(f"note: {note}")
    if faults:
        print(
            "\nTraining refuses a corpus with counts of votes that are none; correct them first."
            if corpus.miscounted
            else "\nTraining sets items and ratings aside that cannot be used, and names them in the run's report."
        )
        print("Rows are counted without the header; those of a column ratings.* are rows of the ratings.")
        sys.exit(1)
    if not len(corpus):
        sys.exit(1)
    print("no faults")
    if unlabelled(corpus).all():
        next_commands(f"affectspace embed RUN {quoted(path)}")
    else:
        next_commands("affectspace train RECIPE.toml   (docs/your-data.md shows a recipe for data of your own)")


def _media(counts: dict[str, int], items: int) -> str:
    """How many items have each medium; nothing where all have the only one that there is."""
    there = {medium: count for medium, count in counts.items() if count}
    if len(there) == 1 and items in there.values():
        return ""
    return "".join(f", {medium}: {count}" for medium, count in there.items())


def _languages(counts: dict[str, int]) -> str:
    """What the items are spoken or written in, with counts where that is not one; nothing where none says."""
    if not any(counts):
        return ""
    told = list(counts) if len(counts) == 1 else [f"{name} {count}" for name, count in counts.items() if name]
    told += [f"none {counts['']}"] if "" in counts else []
    return f"language{'s' * (len([*filter(None, counts)]) > 1)}: {', '.join(told)}"


def _mapped(corpus: "Corpus") -> tuple[dict[str, int], dict[str, int]]:
    """How many items have each shared label by the corpus's own map, ``""`` is left out; and labels not in it."""
    from affectspace.labels.naming import led

    mapped, others = Counter[str](), Counter[str]()
    for label, count in corpus.items["label"].dropna().astype(str).value_counts().items():
        shared = led(str(label), corpus.card.label_map)
        (others if shared is None else mapped)[str(label) if shared is None else shared] += int(count)
    return dict(mapped), dict(others)


def _mapped_told(mapped: dict[str, int], others: dict[str, int]) -> str:
    """What a map makes of the labels, where it changes any; those that it does not name as they are."""
    told = ", ".join(
        [f"{label} {count}" for label, count in mapped.items() if label]
        + ([f"left out {mapped['']}"] if "" in mapped else [])
    )
    named = [f"{label} {count}" for label, count in list(others.items())[:MOST_LABELS]]
    named += [f"and {len(others) - MOST_LABELS} more"] * (len(others) > MOST_LABELS)
    as_they_are = f"not in it, as they are: {', '.join(named)}" if others else ""
    return "; ".join(filter(None, [told, as_they_are]))


def _labels(labels: "pd.Series[str]") -> str:
    """Each label with its count, the most frequent first; of many different numbers, such as ages, their range."""
    import pandas as pd

    counts = labels.value_counts()
    numbers = pd.to_numeric(pd.Series(counts.index), errors="coerce").dropna()
    if len(numbers) > MOST_LABELS:
        numbers = numbers[~numbers.isin([float("inf"), float("-inf")])]  # these are faults
        told = [f"{labels.notna().sum()} of {len(counts)} values, numbers from {numbers.min():g} to {numbers.max():g}"]
    else:
        told = [f"{label} {count}" for label, count in counts.items()][:MOST_LABELS]
        told += [f"and {len(counts) - MOST_LABELS} more"] * (len(counts) > MOST_LABELS)
    return ", ".join(told) or "none"
