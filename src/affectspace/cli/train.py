"""``affectspace train``"""

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from affectspace.cli.outputs import new_folder
from affectspace.cli.tell import by_modality, comparison, modalities, next_commands, quoted
from affectspace.errors import AffectspaceError, InputError
from affectspace.files import json_text

if TYPE_CHECKING:
    from affectspace.training.processes import Processes
    from affectspace.training.recipe import Recipe


def train(
    recipe: Path | None = None,
    *overrides: str,
    out: Path | None = None,
    resume: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Train what a recipe describes and leave a run folder behind.

    A protocol with folds trains each of them and pools the answers; protocol.fold=N trains one.
    Several processes train one net: torchrun --nproc-per-node 2 -m affectspace train RECIPE.toml, or srun; see
    docs/many_processes.md.

    Parameters
    ----------
    recipe
        A TOML file; see recipes/ and docs/.
    overrides
        Settings in place of the recipe's, such as training.epochs=10 data=/corpora; a list is quoted as a whole:
        'protocol.source=["en"]'.
    out
        The run folder [default: runs/NAME].
    resume
        A run folder to go on with; it brings its own recipe.
    as_json
        Print the final figures as JSON, for machines.
    """
    from affectspace.training import train_recipe
    from affectspace.training.corrected import changed_since_told
    from affectspace.training.level_names import level_names_told
    from affectspace.training.remarks import remarks
    from affectspace.training.started import goes_on, started
    from affectspace.training.unused import unlabelled_told, unused, unused_told

    asked = _asked(recipe, overrides, out, resume) if started() is None else None  # before torch is loaded
    from affectspace.training.processes import joined

    folder = asked and asked[1]
    with joined() as together:
        try:
            with together.alike():
                loaded, folder = asked or _asked_together(together, recipe, overrides, out, resume)
                run = train_recipe(loaded, folder, resume=resume is not None or goes_on(), quiet=as_json)
        except AffectspaceError as error:
            if error.common and not together.first:
                sys.exit(error.exit_code)
            raise
        except KeyboardInterrupt:
            if not together.first:
                sys.exit(130)
            how = (
                f"go on with: affectspace train --resume {quoted(folder)}"
                if folder is not None and (folder / "recipe.toml").is_file()
                else "run it again; features that were made are kept"
            )
            raise KeyboardInterrupt(how) from None
    if not together.first:
        return
    changed = changed_since_told(run)
    notes = [*remarks(run), *changed]
    if as_json:
        print(json_text({"run": str(folder), **run.metrics, "unused": unused(run.data), "notes": notes}))
        return
    comparison([run])
    by_modality(run.by_modality, not run.pools_modalities)
    if told := unused_told(unused(run.data)):
        print(f"{told}. All are named in {run.data_file}, and by: affectspace report {quoted(folder)}")
    modalities(run.data.get("corpora") or ())
    if told := level_names_told(run):
        print(f"levels {told}")
    for sentence in unlabelled_told([part.data for part in run.parts]):
        print(f"{sentence}.")
    for sentence in notes:
        print(f"note: {sentence}")
    kind = run.recipe.get("features", {}).get("kind")
    if kind == "vectors":
        next_commands(f"affectspace report {quoted(folder)}")  # embed needs recordings
        return
    model = run.parts[0].path  # of several folds, each has a model of its own
    paths = [str(corpus["path"]) for part in run.parts[:1] for corpus in part.data.get("corpora") or ()]
    next_commands(
        f"affectspace report {quoted(folder)}",
        f"affectspace embed {quoted(model, *paths[-1:])} --out embeddings.parquet",
    )


def _asked(
    recipe: Path | None, overrides: tuple[str, ...], out: Path | None, resume: Path | None
) -> tuple["Recipe", Path]:
    """The recipe and the run folder."""
    from affectspace.training import load_recipe

    if recipe is None and resume is None:
        raise InputError("name one recipe, or one run folder with --resume: affectspace train RECIPE.toml")
    if resume is None:
        assert recipe is not None
        loaded = load_recipe(recipe, overrides)
        return loaded, new_folder(out or Path("runs") / loaded.name)
    if recipe is not None or overrides or out:
        raise InputError("--resume goes on with the run's own recipe and folder; leave out recipe, overrides and --out")
    if not (resume / "recipe.toml").is_file():
        raise InputError(f"{resume} holds no run (no recipe.toml); give the folder that affectspace train printed")
    return load_recipe(resume / "recipe.toml"), new_folder(resume)


def _asked_together(together: "Processes", *asked: Any) -> tuple["Recipe", Path]:
    """The same, read by the first process alone, as a run folder may be on no other machine."""
    from affectspace.training import dump_recipe, make_recipe

    loaded, folder = _asked(*asked) if together.first else (None, None)
    text = together.agree(loaded and dump_recipe(loaded))
    path = Path(together.agree(folder and str(folder)))
    return loaded or make_recipe(tomllib.loads(text)), path
