"""``affectspace rounds``"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from affectspace.cli.tell import next_commands, quoted
from affectspace.files import json_text

COLUMNS = {
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
    count: Annotated[int, Parameter(name="--rounds")] = 5,
    out: Path | None = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Learn classes within the classes: train, find sub-classes, train on those, and so on.

    Every round is a run folder; its space.parquet holds all items. Figures are of the test items, by the original
    classes. The same call with --resume goes on where it was ended.

    Parameters
    ----------
    recipe
        A TOML file with a term that makes classes Gaussian, such as gaussian_manifold.
    overrides
        Settings in place of the recipe's, such as training.epochs=10 data=/corpora.
    count
        How many rounds; the last is trained on as many sub-classes of each class.
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
        print((folder / "rounds.json").read_text(encoding="utf-8").strip() or json_text([]))
        return
    table = Table(title="test items by the original classes", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("round", "trained on", *COLUMNS, "stability"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in done:
        cells = [f"{100 * each.figures[key]:.1f}" if key in each.figures else "-" for key in COLUMNS.values()]
        steady = "-" if each.stability != each.stability else f"{each.stability:.2f}"
        table.add_row(str(each.number), f"{each.trained_on} classes", *cells, steady)
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 96)
    console.print(table)
    console.print(
        "kNN: 11 training items vote; raters: how far the votes on neighbours agree with those on the item; stability: "
        "adjusted Rand index of the sub-classes found in this space from several seeds (1: always the same)."
    )
    last = done[-1].folder
    next_commands(
        f"affectspace discover {quoted(last / 'space.parquet')} --subclasses {count}",
        f"affectspace map {quoted(last / 'space.parquet')}",
    )
