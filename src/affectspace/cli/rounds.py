"""``affectspace rounds``"""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from affectspace.cli.tell import next_commands, quoted
from affectspace.cli.whole import Whole
from affectspace.files import json_text

COLUMNS = {  # besides k, which is no share
    "kNN acc. %": "knn_accuracy",
    "kNN F1 %": "knn_macro_f1",
    "NMI %": "nmi",
    "Recall@1 %": "recall_at_1",
    "Acc@8 %": "accuracy_at_8",
    "raters %": "rater_agreement",
}


def rounds(
    recipe: Path,
    *overrides: str,
    count: Annotated[Whole, Parameter(name="--rounds")] = 5,
    out: Path | None = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Learn classes within the classes: train, find sub-classes, train on those, and so on.

    Round l is trained on l sub-classes of each class, those that the round before has found; the first on the
    classes. Every round is a run folder; its space.parquet holds all items, its subclasses.parquet what is found in
    that space, one more of each class, on which a next round would be trained. Figures are of the test items, by the
    original classes, and its model answers for those. The same call with --resume goes on where it was ended.

    Parameters
    ----------
    recipe
        A TOML file with a term that makes classes Gaussian, such as recipes/face_subclasses.toml.
    overrides
        Settings in place of the recipe's, such as training.epochs=10 data=/corpora.
    count
        How many rounds. Round l is trained on l sub-classes of each class, those found after the round before (the
        first on the classes); what is found after it has one more, on which a next round would be trained.
    out
        The folder of the rounds [default: runs/NAME-rounds].
    resume
        Go on with the rounds in the folder.
    as_json
        Print the figures as JSON, for machines.
    """
    from affectspace.space.rounds import train_rounds
    from affectspace.training import load_recipe

    loaded = load_recipe(recipe, overrides)
    folder = out or Path("runs") / f"{loaded.name}-rounds"
    try:
        done = train_rounds(loaded, folder, count, resume=resume, quiet=as_json)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("go on with the same command and --resume") from None
    if as_json:
        lines = json.loads((folder / "rounds.json").read_text(encoding="utf-8"))
        print(json_text([line for line in lines if line["round"] <= count], indent=1))
        return
    table = Table(title="test items by the original classes", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("round", "trained on", "k", *COLUMNS, "found", "stability"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in done:
        cells = [f"{100 * each.figures[key]:.1f}" if key in each.figures else "-" for key in COLUMNS.values()]
        voters = f"{each.figures['knn_k']:.0f}" if "knn_k" in each.figures else "-"
        steady = "-" if each.stability != each.stability else f"{each.stability:.2f}"
        table.add_row(str(each.number), str(each.trained_on), voters, *cells, str(each.found), steady)
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 112)  # all headings whole
    console.print(table)
    last = done[-1]
    learned = (
        f"{done[-2].found} sub-classes, in {done[-2].folder / 'subclasses.parquet'}"
        if len(done) > 1
        else "the classes themselves"
    )
    console.print(
        f"The net of round {last.number} has learned {learned}. The {last.found} found in its space, in "
        f"{last.folder / 'subclasses.parquet'}, are what a next round would be trained on."
    )
    console.print(
        "kNN: k training items vote, as many as tell validation items best (11 where nothing validates); raters: how "
        "far the votes on neighbours agree with those on the item; stability: adjusted Rand index of the sub-classes "
        "found in that space from several seeds (1: always the same)."
    )
    if whole := _undivided(last.folder):
        console.print(f"Of so few training items of their own no sub-classes can be found: {', '.join(whole)}.")
    space = quoted(last.folder / "space.parquet")
    next_commands(f"affectspace discover {space} --subclasses {count + 1}", f"affectspace map {space}")


def _undivided(folder: Path) -> list[str]:
    """The classes with one training item, or none, each with how many; they stay whole in every round."""
    import pandas as pd

    from affectspace.training.run import Run

    items = pd.read_parquet(folder / "subclasses.parquet", columns=["class"])["class"].value_counts()
    counts = {name: int(items.get(name, 0)) for name in Run(folder).classes}
    return [f"{name} ({count or 'none'})" for name, count in counts.items() if count < 2]
