"""``affectspace embed``"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.outputs import new_file
from affectspace.cli.tell import modalities, next_commands, quoted
from affectspace.errors import InputError
from affectspace.files import json_text


def embed(
    run: Path,
    *sources: Path,
    out: Path = Path("embeddings.parquet"),
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
    out
        The Parquet file to write.
    as_json
        Print what was done as JSON, for machines.
    """
    if not sources:
        raise InputError("name what to embed: affectspace embed RUN clip.wav, a folder, or a corpus")
    for path in (run, *sources):
        if not (path.exists() or (path is run and _on_hub(run))):
            raise InputError(f"there is nothing at {path}; embed takes a run, then audio files, folders or corpora")
    new_file(out)
    if out.suffix != ".parquet":
        raise InputError(f"--out {out} ends in {out.suffix!r}; vectors are written as Parquet, so end it in .parquet")

    from affectspace.space.embed import embed as embed_sources
    from affectspace.training import load_model
    from affectspace.training.study_folder import refuse_study
    from affectspace.training.who_has import nobody_has_told

    refuse_study(run)
    model = load_model(run)
    found = embed_sources(model, sources, quiet=as_json)
    found.space(run).save(out)
    about = {"classes": list(model.classes), "model": model.recipe.name}
    quarantine = found.quarantine[["id", "reason"]].to_dict("records")
    notes = [*nobody_has_told(found.corpora), *found.notes]
    if as_json:
        left = {"quarantine": quarantine, "columns_left_out": found.omitted, "notes": notes}
        print(json_text({"out": str(out), "items": len(found.table), **about, **left}))
        return
    classes = ", ".join(model.classes)
    print(f"{len(found.table)} items -> {out} (id, vector, probabilities, prediction; classes: {classes})")
    if "modalities" in found.table:
        counts = found.table["modalities"].value_counts()
        print(f"by modality: {', '.join(f'{count:,} x {names}' for names, count in counts.items())}")
    modalities(found.corpora)
    for row in quarantine:
        print(f"left out: {row['id']}: {row['reason']}")
    for name, why in found.omitted.items():
        print(f"left out: column {name}: {why}")
    for sentence in notes:
        print(f"note: {sentence}")
    labelled = "label" in found.table and found.table["label"].notna().any()
    next_commands(
        f"affectspace {'discover' if labelled else 'summarise'} {quoted(out)}",
        f"affectspace map {quoted(out)}" + ("" if labelled else " --by prediction"),
        f"affectspace search {quoted(out, '--query', str(found.table['id'].iloc[0]))}",
        f"affectspace explore {quoted(out)}",
    )


def _on_hub(run: Path) -> bool:
    from affectspace.training.hub_model import named_on_hub  # loads torch, for which a path that is there has no use

    return named_on_hub(run)
