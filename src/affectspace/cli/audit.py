"""``affectspace audit``"""

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from affectspace.cli.tell import next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text

if TYPE_CHECKING:  # --help has no use for pandas
    import pandas as pd

    from affectspace.corpora import Corpus
    from affectspace.protocols import Leak
    from affectspace.protocols.copies import CopyGroup
    from affectspace.protocols.split_table import Fold
    from affectspace.training.heard import Heard

SHOWN = 12  # groups of copies


def audit(
    *corpora: Path,
    split: Path | None = None,
    allow: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="", show_default=False)] = (),
    adapter: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Find recordings that are copies of each other, and every leak of a published split.

    All recordings are heard: a copy is found at another level, in another coding or rate, with silence before or
    behind, trimmed, or with slight noise. Pictures and videos are not compared.

    Exit code 1 when a split leaks what is not allowed.

    Parameters
    ----------
    corpora
        Corpus folders, tables (CSV or Parquet) or corpus.toml files.
    split
        A table (CSV or Parquet) with the columns id and part (train, validate or dev, test), and fold where there are
        several. What leaks by speaker, session, script, identical or near-identical recording is told fold by fold.
    allow
        What may be on two sides of the split, as a recipe's protocol.allow: speaker, session, script, audio,
        near_audio. It is counted and told, and is no leak.
    adapter
        Read the corpora as this one, where their layout does not tell.
    as_json
        Print what is found as JSON, for machines.
    """
    if not corpora:
        raise InputError("name at least one corpus: affectspace audit CORPUS")
    if allow and split is None:
        raise InputError("--allow speaks of a split; name its list with --split")

    from affectspace.corpora import open_corpus
    from affectspace.protocols.audit import legal_kinds
    from affectspace.protocols.split_table import read_folds
    from affectspace.tables import read_table
    from affectspace.training.heard import hear, own_items

    allowed = legal_kinds(allow)
    opened = [open_corpus(path, adapter) for path in corpora]
    if twice := [name for name, times in Counter(corpus.name for corpus in opened).items() if times > 1]:
        raise InputError(f"two corpora are named {twice[0]!r}; give one of them another name in its corpus.toml")
    # before anything is heard, which may take minutes
    folds = None if split is None else read_folds(read_table(split), own_items(opened), str(split))
    heard = hear(opened, quiet=as_json)
    if not as_json:
        _tell_heard(opened, heard)
    found = _copies(heard, as_json) if folds is None else _leaks(heard, folds, allowed, as_json)
    if as_json:
        about = {"corpora": [{"name": corpus.name, "items": len(corpus)} for corpus in opened]}
        read = {"named": heard.recordings, "without_fingerprint": heard.without_fingerprint, "unheard": heard.unheard}
        print(json_text({**about, "recordings": read, **found}))
    elif split is None:
        next_commands(f"affectspace audit {quoted(*corpora)} --split LISTS.csv   (docs/audit.md tells of its columns)")
    elif any(fold["leaks"] for fold in found["folds"]):
        next_commands(f"affectspace audit {quoted(*corpora)}   (lists the copies)")
    else:
        crossing = {leak["group"]: None for fold in found["folds"] for leak in fold["allowed"]}
        words = ", ".join(f'"{kind}"' for kind in crossing)
        needs = f", and its protocol needs allow = [{words}]" if crossing else ""
        next_commands(f"affectspace train RECIPE.toml   (docs/audit.md tells how a recipe takes this split{needs})")
    sys.exit(any(fold["leaks"] for fold in found.get("folds", ())))


def _tell_heard(corpora: "Sequence[Corpus]", heard: "Heard") -> None:
    for corpus in corpora:
        speakers, recordings = corpus.items["speaker"].nunique(), corpus.items["audio"].notna().sum()
        print(f"{corpus.name}: {len(corpus):,} items, speakers: {speakers:,}, recordings: {recordings:,}")
    if heard.nameless:
        have = "item has" if heard.nameless == 1 else "items have"
        print(
            f"note: {heard.nameless:,} {have} no id, or that of another, and are left out; affectspace check names them"
        )
    if heard.unheard:
        first = heard.unheard[0]
        print(f"note: {len(heard.unheard):,} recordings are not compared, such as {first['id']}: {first['reason']}")
    if heard.without_fingerprint:
        few = "recording has" if heard.without_fingerprint == 1 else "recordings have"
        print(
            f"note: {heard.without_fingerprint:,} {few} too little sound for a fingerprint, so that identical copies "
            "alone can be found"
        )


def _copies(heard: "Heard", quiet: bool) -> dict[str, Any]:
    """What recordings and speakers of the corpora have in common, told unless ``quiet``."""
    from affectspace.protocols import namesakes
    from affectspace.protocols.copies import copy_groups

    items = heard.items
    names = items["corpus"] + "/" + items["id"]
    groups = copy_groups(items)
    sources = dict(iter(items.groupby(_sources(items), sort=False)))
    same = [
        {"one": one, "other": other, **{key: told[key] for key in ("speakers", "of", "example")}}
        for one, other in combinations(sources, 2)
        for told in namesakes(sources[other].assign(corpus=other), sources[one].assign(corpus=one))
    ]
    if not quiet:
        _tell_copies(groups, names, heard.recordings)
        for each in same:
            print(
                f"{each['speakers']} of {each['of']} speakers of {each['one']} bear{'s' * (each['speakers'] == 1)} the "
                f"name of one of {each['other']}, such as {each['example']!r}: if they are the same people, do not "
                "train on one and test on the other"
            )
        if len(sources) > 1 and not same:
            print(f"no speaker bears the name of one of another corpus ({', '.join(sources)})")
    told = [
        {"identical": group.identical, "items": names.iloc[group.rows].tolist(), "differ": list(group.differ)}
        for group in groups
    ]
    return {"copies": told, "namesakes": same}


def _sources(items: "pd.DataFrame") -> "pd.Series[str]":
    """Each item's corpus, and its language where the corpus has several: names may be of other people there."""
    several = items.groupby("corpus")["language"].transform("nunique") > 1
    language = items["language"].fillna("no language")
    return items["corpus"].where(~several, items["corpus"] + " (" + language + ")")


def _tell_copies(groups: "Sequence[CopyGroup]", names: "pd.Series[str]", recordings: int) -> None:
    if not groups:
        print("no recording is a copy of another" if recordings else "there are no recordings to compare")
        return
    copies, identical = sum(len(group.rows) for group in groups), sum(group.identical for group in groups)
    several = "s" * (len(groups) > 1)
    print(
        f"{copies:,} of {recordings:,} recordings are copies of others, in {len(groups):,} group{several}: "
        f"{identical:,} identical, {len(groups) - identical:,} near-identical"
    )
    for group in sorted(groups, key=lambda group: -len(group.differ))[:SHOWN]:
        members = names.iloc[group.rows].tolist()
        more = f" and {len(members) - 4} more" if len(members) > 4 else ""
        differ = f", though of another {' and '.join(group.differ)}" if group.differ else ""
        print(f"  {'identical' if group.identical else 'near-identical'}{differ}: {', '.join(members[:4])}{more}")
    if len(groups) > SHOWN:
        print(f"  ... and {len(groups) - SHOWN:,} more groups; --json tells all")
    if apart := sum("speaker" in group.differ for group in groups):
        have = "has" if apart == 1 else "have"
        print(f"{apart:,} of these groups {have} several speakers, so a split by speaker may leak: remove all but one")


def _leaks(heard: "Heard", folds: "Sequence[Fold]", allow: frozenset[str], quiet: bool) -> dict[str, Any]:
    """What each fold leaks, and what of it is allowed, told unless ``quiet``."""
    from affectspace.protocols import GROUPS, groups_of

    items = heard.items
    crossing = [fold.leaks(items) for fold in folds]
    found = [[leak for leak in leaks if leak.group not in allow] for leaks in crossing]
    allowed = [[leak for leak in leaks if leak.group in allow] for leaks in crossing]
    used = sorted({int(row) for fold in folds for rows in fold.rows.values() for row in rows})
    unnamed = {kind: int(groups_of(items, kind).iloc[used].isna().sum()) for kind in GROUPS if kind != "audio"}
    if not quiet:
        for fold, leaks, accepted in zip(folds, found, allowed):
            counts = ", ".join(f"{part} {count:,}" for part, count in fold.counts.items())
            how_many = f"{len(leaks) or 'no'} leak{'' if len(leaks) < 2 else 's'}"
            print(f"{_title(fold)}: {counts}; {how_many}{f', {len(accepted)} allowed' if accepted else ''}")
            for leak in leaks:
                print(f"  - {leak.fact}; {leak.remedy_in_list}")
            for leak in accepted:
                print(f"  - allowed: {leak.fact}")
        if len(folds) > 1:
            kinds, others = _kinds(found), _kinds(allowed)
            told = f"{sum(map(bool, found))} of {len(folds)} folds leak{f': {kinds}' if kinds else ''}"
            print(f"{told}{f'; allowed: {others}' if others else ''}")
        for kind, count in unnamed.items():
            what = "recording that can be compared" if kind == "near_audio" else kind
            fill = "" if kind == "near_audio" else f"; fill the column {kind!r}, where it is known"
            if count:
                told = f"note: {count:,} of these {len(used):,} items have no {what}"
                print(f"{told}; leaks by it cannot be seen there{fill}")
        if without := len(items) - len(used):
            print(f"note: {without:,} of {len(items):,} items are in no part")
    told = [
        {
            "fold": fold.name,
            "items": fold.counts,
            "leaks": [_leak(leak, f"{leak.fact}; {leak.remedy_in_list}") for leak in leaks],
            "allowed": [_leak(leak, leak.fact) for leak in accepted],
        }
        for fold, leaks, accepted in zip(folds, found, allowed)
    ]
    return {"folds": told, "unnamed": unnamed, "in_no_part": len(items) - len(used)}


def _title(fold: "Fold") -> str:
    return "the split" if not fold.name else fold.name if fold.name.startswith("fold") else f"fold {fold.name}"


def _kinds(found: "Sequence[Sequence[Leak]]") -> str:
    """In how many folds something of each kind crosses; empty where nothing does."""
    kinds = Counter(kind for leaks in found for kind in {leak.group for leak in leaks})
    return ", ".join(f"{kind} in {count}" for kind, count in kinds.most_common())


def _leak(leak: "Leak", told: str) -> dict[str, Any]:
    return {
        "group": leak.group,
        "parts": leak.parts,
        "groups": leak.groups,
        "items": leak.items,
        "example": [item.strip("'") for item in leak.example_items],
        "told": told,
    }
