"""``affectspace label-studio export`` and ``affectspace label-studio import``"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from affectspace.cli.outputs import new_file
from affectspace.cli.spaces import Where, chosen, working
from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.whole import Whole
from affectspace.errors import InputError
from affectspace.files import inside, json_text, packed, write_json, write_text

if TYPE_CHECKING:  # --help has no use for pandas
    import pandas as pd

    from affectspace.corpora import Corpus
    from affectspace.space import Space

label_studio = App(
    name="label-studio", help="Take labels in doubt to Label Studio, and its answers back as corrections."
)
SHOWN = 10  # conflicts; --json tells all


@label_studio.command(name="export")
def export_tasks(
    source: Path,
    *,
    out: Path,
    count: Whole | None = None,
    where: Where = (),
    root: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Write tasks for Label Studio, the labels most in doubt first, and the page to answer them on.

    Parameters
    ----------
    source
        A space (a Parquet file that affectspace embed wrote, or a finished run folder), whose labels in doubt come
        with a suggestion; or a corpus.
    out
        The tasks, a .json file; the page (labelling configuration) is written beside it as .xml.
    count
        How many tasks at most [default: all].
    where
        Only items of a space for which these hold, such as split=train or label=sad|angry.
    root
        The folder that Label Studio may serve files of [default: the one above the folder of all media].
    as_json
        Print what was done as JSON, for machines.
    """
    if new_file(out).suffix.lower() != ".json":
        raise InputError(f"--out {out} ends in {out.suffix!r}; tasks are JSON, so end it in .json")
    if count is not None and count < 1:
        raise InputError(f"--count is {count}; legal: at least 1")

    from affectspace.corpora import open_corpus
    from affectspace.corpora.label_studio_tasks import label_config, make_tasks, served_from

    if _is_space(source):
        space = chosen(source, where)
        items, classes = _of_space(space, as_json)
        corpora = _corpora(space)
    elif where:
        raise InputError("--where chooses items of a space, and this is a corpus; embed it, or leave --where out")
    else:
        items, classes = _of_corpus(open_corpus(source))
        corpora = [str(source)]
    items = items.head(count) if count else items
    root = root.resolve() if root is not None else served_from(items)
    tasks, media = make_tasks(items, root)
    files, gone = _files(items)
    page = out.with_suffix(".xml")
    config = label_config(classes, media, parts=any("part" in task["data"] for task in tasks))
    write_json(out, tasks)
    write_text(page, config + "\n")
    suggested = [task["data"] for task in tasks if "predictions" in task]
    doubted = sum("reasons" in data for data in suggested)  # of the others the model says a class, and gives no reason
    if as_json:
        told = {
            "out": str(out),
            "page": str(page),
            "tasks": len(tasks),
            "suggested": len(suggested),
            "in_doubt": doubted,
            "root": root and str(root),
            "gone": len(gone),
        }
        print(json_text({**told, "media": media, "classes": classes}))
        return
    whose = [f"{doubted:,} of labels in doubt"] * (doubted > 0)
    whose += [f"{len(suggested) - doubted:,} of items without a label, by the model"] * (len(suggested) > doubted)
    apart = f" ({', '.join(whose)})" if whose else ""
    print(f"{len(tasks):,} tasks, {len(suggested):,} with a suggestion{apart} -> {out}; the page to answer on: {page}")
    if gone:
        print(
            f"note: {len(gone):,} of {files:,} files are gone, such as {gone[0]}, so nobody can answer their tasks; "
            "put the corpus back where it was, or embed it anew where it is now"
        )
    if root is not None:
        print(
            "Label Studio serves the files itself: start it with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
            f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={quoted(root)}, and add a folder below that as source storage of "
            "the project without syncing it (docs/corrections.md)."
        )
    next_commands(*(f"affectspace label-studio import EXPORT.json --corpus {quoted(corpus)}" for corpus in corpora))


@label_studio.command(name="import")
def import_annotations(
    annotations: Path,
    *,
    corpus: Path,
    corrections: Path | None = None,
    adapter: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Append what was answered in Label Studio to a corpus's corrections; nothing twice, and nobody is overwritten.

    Exit code 1 when people disagree.

    Parameters
    ----------
    annotations
        An export from Label Studio, as JSON or JSON-MIN.
    corpus
        A corpus folder, a table (CSV or Parquet) or a corpus.toml.
    corrections
        The file to append to [default: corrections.jsonl beside the corpus].
    adapter
        Read the corpus as this one, where its layout does not tell.
    as_json
        Print what was done as JSON, for machines.
    """
    from affectspace.corpora import open_corpus
    from affectspace.corpora.corrections import FILE
    from affectspace.corpora.label_studio_answers import import_answers, read_answers

    answers = read_answers(annotations)
    opened = open_corpus(corpus, adapter)
    file = corrections or opened.root / FILE
    done = import_answers(answers, opened, file)
    confirmed = sum(each.old == each.new != "" for each in done.appended)
    skipped = {"tasks": dict(answers.skipped), "answers": dict(done.skipped)}
    if as_json:
        told = {"file": str(file), "tasks": answers.tasks, "answers": len(answers.answers)}
        told |= {"corrected": len(done.appended) - confirmed, "confirmed": confirmed, "already": done.already}
        print(json_text({**told, "conflicts": list(done.conflicts), "skipped": skipped}))
        sys.exit(bool(done.conflicts))
    print(
        f"{answers.tasks:,} tasks, {len(answers.answers):,} answers: {len(done.appended) - confirmed:,} corrected, "
        f"{confirmed:,} confirmed, {done.already:,} there already -> {file}"
    )
    for kind, reasons in skipped.items():
        for why, times in reasons.items():
            print(f"left out: {times:,} {kind if times > 1 else kind[:-1]}: {why}")
    for sentence in done.conflicts[:SHOWN]:
        print(f"not written: {sentence}")
    if len(done.conflicts) > SHOWN:
        print(f"... and {len(done.conflicts) - SHOWN:,} more; --json tells all")
    next_commands(
        f"affectspace agreement {quoted(corpus, *(['--corrections', file] if corrections else []))}",
        f"affectspace train RECIPE.toml {quoted('corrections=' + (str(file.resolve()) if corrections else 'true'))}",
    )
    sys.exit(bool(done.conflicts))


def _is_space(path: Path) -> bool:
    from affectspace.training.run import holds_run

    if not path.exists():
        raise InputError(f"there is nothing at {path}; name a space, a finished run folder or a corpus")
    if path.is_dir():
        return holds_run(path) or (path / "fold-00").is_dir()
    if path.suffix != ".parquet":
        return False
    import pyarrow.parquet as pq

    try:
        return "vector" in pq.read_schema(path).names
    except (OSError, ValueError):
        return False


def _files(items: "pd.DataFrame") -> tuple[int, list[str]]:
    """How many media files items have, and which of them are no longer there."""
    kinds = [kind for kind in ("audio", "image", "video") if kind in items]
    paths = [packed(str(path))[0] for kind in kinds for path in items[kind].dropna().unique()]
    files = dict.fromkeys(paths)  # of one table many items may be
    return len(files), [str(path) for path in files if not path.is_file()]


def _corpora(space: "Space") -> list[str]:
    """Where the corpora of a space's items lie; a word that stands for them where that is not known any more."""
    from affectspace.corpora import ADAPTERS

    roots = space.about.get("corpora") or {}
    names = space.items["corpus"].dropna().unique()
    found = [Path(str(roots[name])) for name in names if name in roots]
    there = [root for root in found if root.is_dir() and any(each.matches(root) for each in ADAPTERS.values())]
    return [str(root) for root in there] if len(names) and len(there) == len(names) else ["CORPUS"]


def _of_space(space: "Space", quiet: bool) -> "tuple[pd.DataFrame, list[str]]":
    """Items with suggestions, the labels most in doubt first."""
    import numpy as np
    import pandas as pd

    from affectspace.space.label_errors import suspects
    from affectspace.space.unknown_labels import all_labels

    items = space.items.assign(label=all_labels(space.items))
    found = pd.DataFrame({"id": [], "suggested": [], "score": [], "reasons": []})
    if (space.labels >= 0).sum() > 1:
        with working("looking for labels in doubt", quiet):
            found = suspects(space)[["id", "suggested", "score", "reasons"]]
    probabilities = space.probabilities
    if probabilities is not None:  # what has no label gets what the model says, after the labels in doubt
        rows = np.flatnonzero((space.labels < 0) & ~np.isnan(probabilities).any(1))
        said = np.array(space.classes, dtype=object)[probabilities[rows].argmax(1)]
        names = items["id"].iloc[rows]
        model = pd.DataFrame({"id": names, "suggested": said, "score": probabilities[rows].max(1)})
        found = pd.concat([found, model[~model["id"].isin(found["id"])]], ignore_index=True)
    order = found[["id"]].assign(place=range(len(found)))
    told = items.merge(found.drop_duplicates("id"), on="id", how="left").merge(order, on="id", how="left")
    return told.sort_values("place", kind="stable", na_position="last", ignore_index=True), list(space.classes)


def _of_corpus(corpus: "Corpus") -> "tuple[pd.DataFrame, list[str]]":
    """Items with the labels that hold, in the corpus's shared words."""
    import pandas as pd

    from affectspace.corpora.corrections import FILE, read_corrections
    from affectspace.labels.naming import led
    from affectspace.space.of_corpus import media_of

    items = corpus.items[corpus.items["id"].notna()].drop_duplicates("id")
    labels = {
        f"{corpus.name}/{item}": label if (shared := led(label, corpus.card.label_map)) is None else shared
        for item, label in items[["id", "label"]].dropna().astype(str).itertuples(index=False, name=None)
    }
    held = {item: label for item, label in labels.items() if label}
    held |= {item: entry.new for item, entry in read_corrections(corpus.root / FILE).latest.items()}
    voted = corpus.ratings[~corpus.ratings["dimension"].isin(list(corpus.card.scales))]["value"].dropna()
    classes = [*dict.fromkeys(filter(None, held.values()))] or [*map(str, voted.unique())]
    films = items[items["video"].notna()]
    video = pd.DataFrame(
        {
            "id": corpus.name + "/" + films["id"],
            "video": [str(inside(corpus.root, path).resolve()) for path in films["video"]],
        }
    )
    told = media_of(corpus).merge(video, on="id", how="left")
    return told.assign(label=pd.array([held.get(item) or None for item in told["id"]])), sorted(classes)
