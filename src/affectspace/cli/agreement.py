"""``affectspace agreement``"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from affectspace.cli.tell import next_commands, quoted
from affectspace.files import json_text

if TYPE_CHECKING:  # --help has no use for pandas
    import pandas as pd

    from affectspace.corpora.corpus import Scale
    from affectspace.corpora.corrected_where import Clusters, Group

SHOWN = 8  # of raters, items and groups; --json tells all
FEW = 10  # items shared with others, below which a rater's figures are chance
UNLIKE = 0.05


def agreement(
    path: Path,
    *,
    corrections: Path | None = None,
    adapter: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Say how reliable the raters of a corpus are, and where its labels were corrected.

    Parameters
    ----------
    path
        A corpus folder, a table (CSV or Parquet) or a corpus.toml.
    corrections
        A file of corrections [default: corrections.jsonl beside the corpus, where there is one].
    adapter
        Read the corpus as this one, where its layout does not tell.
    as_json
        Print all figures as JSON, for machines.
    """
    from affectspace.corpora import check, open_corpus
    from affectspace.corpora.corrected_where import corrected_where
    from affectspace.corpora.corrections import FILE, read_corrections
    from affectspace.errors import InputError

    corpus = open_corpus(path, adapter)
    file = corrections or corpus.root / FILE
    if corrections is not None and not file.is_file():
        raise InputError(f"there is no file {file}; --corrections names one that affectspace explore has written")
    written = read_corrections(file)
    wrong = {fault.row - 1 for fault in check(corpus, read_media=False) if fault.column.startswith("ratings.")}
    ratings = corpus.ratings.drop(index=corpus.ratings.index[sorted(wrong)])
    dimensions = [str(name) for name in ratings["dimension"].dropna().unique()]
    told = [_dimension(ratings, name, corpus.card.scales.get(name)) for name in dimensions]
    clusters = corrected_where(corpus, written)
    if as_json:
        about = {"corpus": corpus.name, "items": len(corpus), "ratings": len(corpus.ratings), "left_out": len(wrong)}
        print(json_text({**about, "dimensions": told, "corrections": _corrections(clusters, file, written.unread)}))
        return
    print(f"{corpus.name}: {len(corpus):,} items, {len(corpus.ratings):,} ratings")
    if wrong:
        print(f"note: {len(wrong):,} ratings cannot be used and are left out; affectspace check names them")
    if not told:
        print("There are no ratings, only labels, so nothing tells how far raters agree.")
    for each in told:
        _tell_dimension(each)
    _tell_corrections(clusters, file, written.unread)
    if not clusters.corrected:
        next_commands(f"affectspace check {quoted(path)} --no-media")
        return
    setting = f"corrections={'true' if corrections is None else file.resolve()}"
    next_commands(f"affectspace train RECIPE.toml {quoted(setting)}   (docs/corrections.md)")


def _dimension(ratings: "pd.DataFrame", name: str, scale: "Scale | None") -> dict[str, Any]:
    from affectspace.labels.agreement import agreement as alpha_of
    from affectspace.labels.alpha_interval import alpha_interval
    from affectspace.labels.rater_agreement import class_agreement, divided_items, rater_agreement

    found = alpha_of(ratings, name, scale)
    levels = ["nominal"] if scale is None else ["interval", "ordinal"]
    sure = [alpha_interval(ratings, name, scale, level) for level in levels]  # pyright: ignore[reportArgumentType]
    told: dict[str, Any] = {
        "dimension": name,
        "alpha": [
            {"level": each.level, "alpha": each.alpha, "low": each.low, "high": each.high} for each in sure if each
        ],
        "reason": found.reason,
        "named_raters": found.raters,
        "items": found.items,
        "ratings_per_item": found.ratings_per_item,
        "raters": _records(rater_agreement(ratings, name, scale)),
        "divided": _records(divided_items(ratings, name, scale)),
    }
    if scale is None:
        told["classes"] = _records(class_agreement(ratings, name))
    return told


def _records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _tell_dimension(told: dict[str, Any]) -> None:
    name = told["dimension"]
    if not told["items"]:
        print(f"\n{name}: no alpha, as {told['reason']}")
        return
    print(f"\n{name}: {told['items']:,} items with two ratings or more, {told['ratings_per_item']:.1f} ratings an item")
    if not told["alpha"]:
        print(f"  no alpha: {told['reason']}")
    for each in told["alpha"]:
        print(
            f"  Krippendorff's alpha {each['alpha']:.3f} ({each['low']:.3f} to {each['high']:.3f}), {each['level']}; "
            "1 is perfect, 0 chance"
        )
    if classes := told.get("classes"):
        rows = [
            (
                each["class"],
                f"{each['judgements']:,}",
                _percent(each["agreement"]),
                _percent(each["chance"]),
                f"{each['against']} {_percent(each['against_share'])}" if each["against"] else "-",
            )
            for each in classes[: 2 * SHOWN]
        ]
        _print_table("where one says it, others say", ("class", "ratings", "same %", "chance %", "else most %"), rows)
        _more(len(classes), len(rows), "class", "classes")
    _tell_raters(told)
    if told["divided"]:
        rows = [(each["item"], f"{each['divided']:.2f}", each["votes"]) for each in told["divided"][:SHOWN]]
        _print_table("most divided", ("item", "divided", "votes"), rows)


def _tell_raters(told: dict[str, Any]) -> None:
    if not told["raters"]:
        print("  Raters are not named, so nothing tells who agrees with whom.")
        return
    known = [each for each in told["raters"] if each["shared"] >= FEW]
    few = len(told["raters"]) - len(known)
    if known and "kappa" in known[0]:
        rows = [
            (
                each["rater"],
                f"{each['items']:,}",
                _percent(each["agreement"]),
                _percent(each["chance"]),
                "-" if each["kappa"] != each["kappa"] else f"{each['kappa']:.2f}",
                f"{each['says']}, others {each['others_say']}: {each['times']}" if each["times"] else "-",
            )
            for each in known[:SHOWN]
        ]
        headings = ("rater", "items", "agrees %", "chance %", "kappa", "most often")
    else:
        rows = [
            (
                each["rater"],
                f"{each['items']:,}",
                f"{each['bias']:+.2f}",
                "-" if each["correlation"] != each["correlation"] else f"{each['correlation']:.2f}",
            )
            for each in known[:SHOWN]
        ]
        headings = ("rater", "items", "bias", "correlation")
    if rows:
        _print_table("raters beside the others, those who agree least first", headings, rows)
        _more(len(known), len(rows), "rater", "raters")
    if few:
        print(f"  {few:,} rater{'s share' if few > 1 else ' shares'} fewer than {FEW} items with others: not shown")


def _corrections(clusters: "Clusters", file: Path, unread: Sequence[int]) -> dict[str, Any]:
    names = ("corrected", "confirmed", "left_out", "of", "looked_at", "not_here")
    return {
        "file": str(file),
        **{name: getattr(clusters, name) for name in names},
        "unknown_labels": [{"label": label, "items": count} for label, count in clusters.unknown],
        "unread_lines": list(unread),
        "changes": [{"old": old, "new": new, "items": count} for old, new, count in clusters.changes],
        "groups": [
            {
                "by": each.by, "name": each.name, "of": each.of, "corrected": each.corrected, "share": each.share,
                "low": each.low, "high": each.high, "others": each.others, "p": each.p,
            }
            for each in clusters.groups
        ],
    }  # fmt: skip


def _tell_corrections(clusters: "Clusters", file: Path, unread: Sequence[int]) -> None:
    print()
    if unread:
        print(f"note: line {', '.join(map(str, unread))} of {file} cannot be read and is left out")
    if clusters.not_here:
        print(f"note: {clusters.not_here:,} items of {file} are not in this corpus")
    if clusters.unknown:
        times = sum(count for _, count in clusters.unknown)
        named = ", ".join(f"{label!r} {count:,}" for label, count in clusters.unknown[:SHOWN])
        named += f" and {len(clusters.unknown) - SHOWN} more" if len(clusters.unknown) > SHOWN else ""
        print(
            f"note: {times:,} correction{'s' * (times != 1)} of {file} give{'s' * (times == 1)} a label that is none "
            f"of the corpus's ({named}); a recipe without such a class refuses to train on them, so correct slips anew"
        )
    if not clusters.corrected and not clusters.confirmed:
        print(f"Nobody has corrected or confirmed a label: nothing of this corpus in {file}")
        return
    left = f", {clusters.left_out:,} of them to be left out" if clusters.left_out else ""
    several = "s" * (clusters.corrected != 1)
    print(f"{clusters.corrected:,} label{several} corrected{left}; {clusters.confirmed:,} looked at and confirmed")
    if not clusters.corrected:
        return
    for old, new, count in clusters.changes[:SHOWN]:
        print(f"  {old} -> {new}: {count:,}")
    _more(len(clusters.changes), SHOWN, "change", "changes")
    if clusters.looked_at:
        print(
            f"Shares are of the {clusters.of:,} items that were looked at, and tell of these, not of the corpus: "
            "whoever goes through doubtful labels finds more wrong ones than there are elsewhere."
        )
    else:
        print(
            f"Nobody has confirmed a label, so what was looked at is not known: shares are of all {clusters.of:,} "
            "items, and what nobody has looked at counts as right."
        )
    for by in dict.fromkeys(each.by for each in clusters.groups):
        groups = [each for each in clusters.groups if each.by == by]
        if len(groups) > 1 or by == "by":
            shown = [each for each in groups if each.corrected or each.p < UNLIKE][:SHOWN]
            _print_table(
                "corrected by" if by == "by" else f"corrected, by {by}",
                (by if by != "by" else "who", "corrected", "of", "%", "95 %", "others %", "p"),
                [_row(each) for each in shown],
            )
            _more(len(groups), len(shown), "group", "groups")
    unlike = [each for each in clusters.groups if each.p < UNLIKE]
    if unlike:
        for each in unlike[:SHOWN]:
            how = "more" if each.share > each.others else "less"
            print(f"{how} often than chance gives: {_named(each)} (p = {each.p:.2g})")
        _more(len(unlike), SHOWN, "group", "groups")
    else:
        print("No group was corrected more or less often than chance gives.")
    print("p: Fisher's exact test of a group and all others, corrected for how many groups are looked at (Holm).")


def _row(group: "Group") -> tuple[str, ...]:
    return (
        group.name,
        f"{group.corrected:,}",
        f"{group.of:,}",
        _percent(group.share),
        f"{_percent(group.low)} to {_percent(group.high)}",
        _percent(group.others),
        "-" if group.p != group.p else f"{group.p:.2g}",
    )


def _named(group: "Group") -> str:
    return f"{'corrections by' if group.by == 'by' else group.by} {group.name}"


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.0f}"


def _more(there: int, shown: int, one: str, many: str) -> None:
    if there > shown:
        print(f"  ... and {there - shown:,} more {one if there - shown == 1 else many}; --json tells all")


def _print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        words = place == 0 or heading in {"votes", "most often", "else most %"}
        table.add_column(heading, justify="left" if words else "right", overflow="fold", no_wrap=not words)
    for row in rows:
        table.add_row(*map(str, row))
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 88)
    console.print(table)
