"""``affectspace embed``"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.outputs import new_file, new_folder
from affectspace.cli.tell import modalities, next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text
from affectspace.places import is_url

SHOWN = 20  # items of a large corpus that are named one by one


def embed(
    run: Path,
    *sources: str,
    out: str | None = None,
    on: str | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Write the vectors and class probabilities of audio files, pictures or a corpus: a space, in one Parquet file.

    Columns: id, vector, probabilities (in the order of the classes kept in the file's metadata under
    "affectspace"), prediction, then what is known of the items: corpus, split, speaker, label, target, where
    their media lie, and columns of their own of text or numbers, which --where of other commands can name. Files that
    cannot be read are listed and left out.

    Parameters
    ----------
    run
        A finished run folder, a model folder, or hf:OWNER/NAME, a model on the hub.
    sources
        Audio files (or pictures, as the model reads them), folders of them, or corpora; a model of several
        modalities, of videos or of words reads corpora alone.
        With --on also corpora with a table in a store, such as s3://bucket/corpus.
    out
        The Parquet file to write, by default embeddings.parquet; with --on the folder, by default embeddings, or its
        URL in a store.
    on
        Embed shard by shard to a folder, where the same command goes on after an interruption: "local", on this
        machine; "ray", the Ray cluster that this machine is of or that RAY_ADDRESS names; "ray://HOST:PORT", another.
    cpus
        With --on ray: CPUs of each worker, by default 0.9, or such as 2. Less than 1 where nodes have one core.
    gpus
        With --on ray: GPUs of each worker, by default none, or such as 0.25, so that four share one.
    as_json
        Print what was done as JSON, for machines.
    """
    if not sources:
        raise InputError("name what to embed: affectspace embed RUN clip.wav, a folder, or a corpus")
    for path in (str(run), *sources):
        stored = on is not None and is_url(path)
        if not (Path(path).exists() or stored or (path == str(run) and _on_hub(run))):
            raise InputError(_nowhere(path, on))
    shares = {name: share for name, share in (("cpus", cpus), ("gpus", gpus)) if share is not None}
    if on is not None:
        _in_shards(run, sources, out or "embeddings", on, shares, as_json)
        return
    _refuse_shares(shares)
    file = new_file(Path(out or "embeddings.parquet"))
    if file.suffix != ".parquet":
        raise InputError(f"--out {out} ends in {file.suffix!r}; vectors are written as Parquet, so end it in .parquet")

    from affectspace.space.embed import embed as embed_sources
    from affectspace.space.space_file import refuse_other_file
    from affectspace.training import load_model
    from affectspace.training.study_folder import refuse_study
    from affectspace.training.who_has import nobody_has_told

    refuse_study(run)
    refuse_other_file(file)
    model = load_model(run)
    found = embed_sources(model, sources, quiet=as_json)
    found.space(run).save(file)
    about = {"classes": list(model.classes), "model": model.recipe.name}
    quarantine = found.quarantine[["id", "reason"]].to_dict("records")
    notes = [*nobody_has_told(found.corpora), *found.notes]
    if as_json:
        left = {"quarantine": quarantine, "columns_left_out": found.omitted, "notes": notes}
        print(json_text({"out": str(file), "items": len(found.table), **about, **left}))
        return
    classes = ", ".join(model.classes)
    print(f"{len(found.table)} items -> {file} (id, vector, probabilities, prediction; classes: {classes})")
    if "modalities" in found.table:
        counts = found.table["modalities"].value_counts()
        print(f"by modality: {', '.join(f'{count:,} x {names}' for names, count in counts.items())}")
    modalities(found.corpora)
    for row in quarantine:
        print(f"left out: {row['id']}: {row['reason']}")
    _tell_left_out(found.omitted, notes)
    labelled = "label" in found.table and found.table["label"].notna().any()
    _go_on(str(file), bool(labelled), str(found.table["id"].iloc[0]))


def _refuse_shares(shares: Mapping[str, float]) -> None:
    for name, share in shares.items():
        raise InputError(f"--{name} {share:g} is of --on ray, where each worker is given so many; leave it out")


def _in_shards(
    run: Path, sources: tuple[str, ...], out: str, on: str, shares: Mapping[str, float], as_json: bool
) -> None:
    """To a folder of shards, here or on a cluster."""
    from affectspace.clusters import Local, RayAt, connect, where

    if Path(out).suffix == ".parquet":
        raise InputError(f"--out {out} names a file, and with --on a folder of files is written; leave .parquet out")
    if not is_url(out):
        new_folder(Path(out))
    at = where(on)
    if not isinstance(at, Local | RayAt):
        raise InputError(f"--on is {on!r}, and embed works on local, ray, or ray://HOST:PORT")
    words = ["affectspace", "embed", str(run), *sources, "--on", on, "--out", out]
    for name, share in shares.items():
        words += [f"--{name}", f"{share:g}"]
    if isinstance(at, Local):
        _refuse_shares(shares)

    from affectspace.space.bulk import embed_in_shards, here
    from affectspace.studies.words import counted
    from affectspace.training.study_folder import refuse_study

    refuse_study(run)
    given = {"command": quoted(*words), "quiet": as_json}
    try:
        if isinstance(at, Local):
            made = embed_in_shards(run, sources, out, here, **given)
        else:
            from affectspace.space.bulk_ray import OnRay

            engine = OnRay(**shares)
            with connect(at):
                engine.room()  # where none ever has, no plan is written that names this command
                made = embed_in_shards(run, sources, out, engine, device=engine.device, **given)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on") from None
    bad = made.quarantine.to_dict("records")
    if as_json:
        left = {"quarantine": bad, "columns_left_out": made.omitted, "notes": list(made.notes)}
        told = {"out": out, "items": made.items, "shards": made.shards, "shards_before": made.before}
        print(json_text({**told, "classes": list(made.classes), **left}))
        return
    before = f", {made.before} of them from before" if made.before else ""
    print(
        f"{counted(made.items, 'item')} in {counted(made.shards, 'shard')}{before} -> {out} "
        f"(id, vector, probabilities, prediction; classes: {', '.join(made.classes)})"
    )
    for row in bad[:SHOWN]:
        print(f"left out: {row['id']}: {row['reason']}")
    if len(bad) > SHOWN:
        print(f"left out: {len(bad) - SHOWN:,} more; {out.rstrip('/')}/quarantine.parquet names all {len(bad):,}")
    _tell_left_out(made.omitted, made.notes)
    if not is_url(out):
        _go_on(out, made.labelled, made.first)


def _tell_left_out(omitted: Mapping[str, str], notes: Iterable[str]) -> None:
    for name, why in omitted.items():
        print(f"left out: column {name}: {why}")
    for sentence in notes:
        print(f"note: {sentence}")


def _go_on(out: str, labelled: bool, first: str) -> None:
    next_commands(
        f"affectspace {'discover' if labelled else 'summarise'} {quoted(out)}",
        f"affectspace map {quoted(out)}" + ("" if labelled else " --by prediction"),
        f"affectspace search {quoted(out, '--query', first)}",
        f"affectspace explore {quoted(out)}",
    )


def _nowhere(path: str, on: str | None) -> str:
    if is_url(path) and on is None:
        return f"{path} lies in a store, which is read shard by shard: add --on local, or --on ray"
    return f"there is nothing at {path}; embed takes a run, then audio files, folders or corpora"


def _on_hub(run: Path) -> bool:
    from affectspace.training.hub_model import named_on_hub  # loads torch, for which a path that is there has no use

    return named_on_hub(run)
