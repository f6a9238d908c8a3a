"""The run folder: held by one process, begun once, and gone on with only as it was begun."""

import json
import os
import platform
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import pandas as pd

import affectspace
from affectspace.errors import InputError
from affectspace.features.functionals import FUNCTIONALS_LICENCE
from affectspace.files import atomic_path, held, json_text, sweep, write_json, write_text
from affectspace.training.data import Data
from affectspace.training.digests import digest_of_encoder
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_file import dump_recipe, load_recipe

__all__ = ["begun_with", "changes", "hold", "record"]

TRAINED = ("checkpoints", "metrics.json", "metrics.jsonl")  # of which a run, or a fold, that has trained has some


@contextmanager
def hold(folder: Path, recipe: Recipe, resume: bool) -> Iterator[None]:
    """Keep the folder for this process alone; the lock goes with the process, however it ends.

    What is begun here and refused before anything was trained is taken back, so that the mended recipe can use the
    folder.

    Raises:
        InputError: another process holds it; it holds a run and ``resume`` is false, or a run of
            another recipe.
    """
    with held(folder, f"another process is training in {folder}; wait for it, or choose another folder"):
        sweep(folder)
        begun = False
        if (folder / "recipe.toml").exists():
            if not resume and any(folder.rglob("diverged/batch.json")):
                raise InputError(
                    f"{folder} holds a run that diverged; mend its recipe, then remove the folder or choose another "
                    "with --out"
                )
            if not resume:
                raise InputError(
                    f"{folder} already holds a run; go on with it by: "
                    f"affectspace train --resume {shlex.quote(str(folder))}, or choose another folder with --out"
                )
            before = load_recipe(folder / "recipe.toml")
            if not before.same_as(recipe):
                raise InputError(
                    f"the recipe differs from the one {folder} was begun with ({before.difference(recipe)}); choose "
                    "another folder with --out"
                )
            begun = True
        elif (folder / "metrics.json").exists():  # pooled figures of folds, which are no run of their own
            raise InputError(f"{folder} holds figures without their recipe.toml; choose another folder with --out")
        try:
            yield
        except InputError:
            if not begun and not any(next(folder.rglob(name), None) for name in TRAINED):
                _take_back(folder)
            raise


def _take_back(folder: Path) -> None:
    """Undo the beginning of a run that has trained nothing, and of its folds."""
    (folder / "recipe.toml").unlink(missing_ok=True)
    for fold in folder.glob("fold-*"):
        if {path.name for path in fold.iterdir()} <= {".lock"}:  # nobody holds it, as the run itself is held
            (fold / ".lock").unlink(missing_ok=True)
            fold.rmdir()


def begun_with(folder: Path) -> str | None:
    """The commit of a pretrained model on the hub with which the run in ``folder`` began; None where none is told."""
    if not (folder / "recipe.toml").exists():
        return None
    return json.loads((folder / "data.json").read_text(encoding="utf-8")).get("pretrained_revision")


def record(folder: Path, recipe: Recipe, data: Data, revision: str | None = None) -> None:
    """Write down what the run is given; on going on, refuse when that has changed since.

    ``recipe.toml`` comes last: a start that failed before it has not begun a run.

    Raises:
        InputError: a corpus, a recording, a file of which features or the net are made or the split is no longer what
            the run was begun with.
    """
    environment = _environment(recipe)
    split = data.split_table
    made_by = {**data.about["files_sha256"], **digest_of_encoder(recipe)}
    if (folder / "recipe.toml").exists():
        _refuse_changes(folder, json.loads(json_text({**data.about, "files_sha256": made_by})), split)
        before = (folder / "environment.txt").read_text(encoding="utf-8")
        if not before.endswith(environment):
            write_text(folder / "environment.txt", f"{before}\nresumed with\n{environment}")
        return
    write_text(folder / "environment.txt", environment)
    functionals = any(view.features.kind.endswith("functionals") for view in recipe.per_modality().values())
    licence = FUNCTIONALS_LICENCE if functionals else None
    about = {**data.about, "files_sha256": made_by, "augment": recipe.augment.told, "features_licence": licence}
    if revision:  # the newest one may be another when the run goes on
        about["pretrained_revision"] = revision
    write_json(folder / "data.json", about)
    with atomic_path(folder / "split.parquet") as path:
        split.to_parquet(path)
    write_text(folder / "recipe.toml", dump_recipe(recipe))


def _refuse_changes(folder: Path, about: dict, split: pd.DataFrame) -> None:
    begun = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    remedy = "restore it, or begin anew with --out"
    was, now = begun.get("files_sha256") or {}, about["files_sha256"]
    if files := [path for path in was if now.get(path) != was[path]]:
        raise InputError(
            f"{', '.join(files)}, of which features or the net are made, has changed since {folder} was begun; {remedy}"
        )
    if changed := changes(begun["corpora"], about["corpora"]):
        raise InputError(f"{changed} since {folder} was begun; {remedy}")
    stored = pd.read_parquet(folder / "split.parquet")
    columns = ["key", "part"]
    same = stored[columns].astype("string").equals(split[columns].astype("string"))
    if not same or not _same_media(stored["audio_sha"], split["audio_sha"]):
        raise InputError(f"recordings, or which of them can be read, have changed since {folder} was begun; {remedy}")


def _same_media(begun: pd.Series, now: pd.Series) -> bool:
    """Whether items are of the media they were of; runs once kept the hash of one medium where an item has several."""
    if not (begun.isna().to_numpy() == now.isna().to_numpy()).all():
        return False
    pairs = zip(begun.dropna(), now.dropna(), strict=True)
    return all({*str(was).split()} <= {*str(own).split()} for was, own in pairs)


def changes(begun: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> str:
    """What has changed in the corpora of a run, by the records of ``data.json``; empty where nothing has.

    What a record of before does not tell is taken as equal.

    Example:
        >>> was = {"name": "alva", "sha256": "1", "items_sha256": "2"}
        >>> changes([was], [{**was, "path": "/elsewhere"}]), changes([{"name": "alva", "sha256": "1"}], [was])
        ('', '')
        >>> changes([was], [{**was, "sha256": "3"}])
        'the tables of corpus alva have changed'
    """
    before = {str(corpus["name"]): corpus for corpus in begun}
    if names := sorted(before.keys() ^ {str(corpus["name"]) for corpus in now}):
        return f"which corpora there are ({', '.join(names)}) has changed"
    for key, told in (
        ("sha256", "the tables of corpus {}"),
        ("items_sha256", "recordings of corpus {}, or the features made of them,"),
    ):
        if names := [
            str(corpus["name"]) for corpus in now if before[str(corpus["name"])].get(key, corpus[key]) != corpus[key]
        ]:
            return f"{told.format(', '.join(names))} have changed"
    if names := [
        str(corpus["name"])
        for corpus in now
        if "corrections" in corpus
        and (before[str(corpus["name"])].get("corrections") or {}).get("sha256") != corpus["corrections"]["sha256"]
    ]:
        return f"the corrections of corpus {', '.join(names)} have changed"
    return ""


def _environment(recipe: Recipe) -> str:
    told = [
        f"affectspace {affectspace.__version__}",
        f"python {platform.python_version()}",
        f"platform {platform.platform()}",
        f"machine {platform.machine()}, {os.cpu_count()} cores, {recipe.training.threads} used",
    ]
    return "\n".join([*told, *_versions()]) + "\n"


@lru_cache(maxsize=1)  # reading them takes a tenth of a second, and one process trains many runs
def _versions() -> tuple[str, ...]:
    try:
        lines = [line for line in requires("affectspace") or () if "extra ==" not in line]
    except PackageNotFoundError:  # run from a checkout that is not installed
        lines = []
    versions = []
    for name in sorted({re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines}):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return tuple(versions)
