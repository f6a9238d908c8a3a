"""How well adversaries tell the groups that embeddings are to hide, epoch by epoch."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from affectspace.report.compare import Comparison
from affectspace.report.panels import Panel
from affectspace.report.style import ACCENT, GREY, figure_style
from affectspace.report.svg import inline_svg
from affectspace.report.term_panels import term_words
from affectspace.training.run import Run

__all__ = ["adversary_panels"]

BEGINS, ENDS = "figures.", ".chance"
PLURALS = {"speaker": "speakers", "language": "languages", "corpus": "corpora"}


def adversary_panels(comparison: Comparison) -> list[Panel]:
    """The accuracy of each adversary after each epoch, with that of chance; a panel for each one of a run."""
    panels = []
    for place, (run, name) in enumerate(zip(comparison.runs, comparison.names)):
        for term in _adversaries(run):
            table = pd.concat([part.epochs for part in run.parts]).groupby(level="epoch").mean()
            accuracy, chance = (table[f"{BEGINS}{term}.{told}"] for told in ("accuracy", "chance"))
            known = accuracy.dropna()
            with figure_style():
                figure = Figure(figsize=(3.4, 2.1))
                ax = figure.subplots()
                ax.plot(chance.index, chance, color=GREY, lw=1.2, ls=(0, (1.5, 2)))
                ax.plot(
                    known.index, known, color=ACCENT, lw=2.0, **({"marker": "o", "ms": 3} if len(known) == 1 else {})
                )
                ax.set_ylim(0, 1.08 * max(accuracy.max(), chance.max()))
                ax.set_xlim(chance.index[0] - 0.5, chance.index[-1] + 0.5)
                ax.set_xlabel("epoch")
                ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
                ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
                ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
                ax.grid(axis="y")
                ends = f"ends at {100 * known.iloc[-1]:.1f} %, chance {100 * chance.iloc[-1]:.1f} %"
                told = f"{term_words(term)} of {name}: accuracy after each epoch {ends}."
                picture = inline_svg(figure, f"adversary-{place}-{len(panels)}", told)
            groups = _groups(run, term)
            note = f"{ends}{', the mean of the folds' if run.folds else ''}"
            panels.append(
                Panel(f"{name}: {term_words(term)}{f' of {PLURALS[groups]}' if groups else ''}", picture, note)
            )
    return panels


def _adversaries(run: Run) -> list[str]:
    """Names of the terms whose accuracy and chance every fold has recorded."""
    tables = [part.epochs for part in run.parts]
    names = [str(key).removeprefix(BEGINS).removesuffix(ENDS) for key in tables[0] if str(key).startswith(BEGINS)]
    wanted = [name for name in dict.fromkeys(names) if f"{BEGINS}{name}{ENDS}" in tables[0]]
    return [name for name in wanted if all(f"{BEGINS}{name}.accuracy" in table for table in tables)]


def _groups(run: Run, term: str) -> str:
    """What the adversary tells, by the recipe: speaker, language or corpus."""
    entries = [entry for entry in run.recipe.get("terms", ()) if entry.get("kind") == term]
    return str(entries[0].get("groups", "")) if len(entries) == 1 else ""
