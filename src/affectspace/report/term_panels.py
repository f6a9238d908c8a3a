"""What the terms of a loss say of items with a label and without, epoch by epoch."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from affectspace.report.compare import Comparison
from affectspace.report.panels import Panel
from affectspace.report.phrases import listed
from affectspace.report.style import ACCENT, GREY, figure_style
from affectspace.report.svg import inline_svg
from affectspace.training.run import Run

__all__ = ["TERMS", "term_curve", "term_panels", "term_words", "terms_after_epochs"]

UNLABELLED = "unlabelled."  # what terms of unlabelled items begin with
ACROSS = 2
TERMS = {  # what falls where a term is learned, for those who meet it first here
    "cross_entropy": "how unsure of the label",
    "ordered_emd": "how many levels off",
    "level_regression": "how far off the level",
    "guided_emd": "how far off the label",
    "entropic_emd": "how far off the label",
    "reconstruction": "how unlike features made again",
    "matching": "how far modalities are from matching",
    "pseudo_labels": "how unsure of classes told by itself",
    "consistency": "how unlike two views are told",
}


def term_panels(comparison: Comparison) -> list[Panel]:
    """What every term says after each epoch, a panel a run that has trained on unlabelled items."""
    panels = []
    for place, (run, name) in enumerate(zip(comparison.runs, comparison.names)):
        table = terms_after_epochs(run)
        keys = [str(key) for key in table]
        if not any(key.startswith(UNLABELLED) for key in keys):
            continue
        terms = list(dict.fromkeys(key.removeprefix(UNLABELLED) for key in keys))
        rows = -(-len(terms) // ACROSS)
        with figure_style():
            figure = Figure(figsize=(5.2, 0.25 + 1.45 * rows))
            axes = figure.subplots(rows, ACROSS, squeeze=False).flat
            for ax, term in zip(axes, terms):
                term_curve(ax, term, table)
            for ax in axes[len(terms) :]:
                ax.set_axis_off()
            for ax in axes[max(0, len(terms) - ACROSS) : len(terms)]:
                ax.set_xlabel("epoch")
            told = "; ".join(f"{term_words(key)} {_ends(table[key])}" for key in keys)
            picture = inline_svg(figure, f"terms-{place}", f"Terms of {name} after each epoch: {told}.")
        silent = [term_words(key) for key in keys if table[key].isna().all()]
        none = f"{listed(silent)} learned nothing from any batch, and {'has' if len(silent) == 1 else 'have'} no line"
        notes = [none] if silent else []
        panels.append(Panel(name, picture, "; ".join([*notes, *(["mean of the folds"] if run.folds else [])])))
    return panels


def terms_after_epochs(run: Run) -> pd.DataFrame:
    """Means over a run's folds, a column a term, NaN where it learned nothing from all batches of an epoch.

    There it was 0, which is no figure: nothing was compared.
    """
    parts = []
    for part in run.parts:
        epochs = part.epochs
        values = epochs.filter(regex=r"^terms\.").rename(columns=lambda name: str(name).removeprefix("terms."))
        for key in values:
            empty = epochs.get(f"taught_nothing.{key}.batches")
            if empty is not None and "batches" in epochs:
                values[key] = values[key].mask(empty >= epochs["batches"])
        parts.append(values)
    return pd.concat(parts).groupby(level="epoch").mean()


def term_curve(ax: Axes, term: str, table: pd.DataFrame) -> None:
    """One term after each epoch, in its own unit: solid of labelled items, dashed of unlabelled ones.

    Args:
        ax: where to draw.
        term: its name.
        table: of :func:`terms_after_epochs`.
    """
    drawn = False
    for key, dash, width in ((term, "-", 2.0), (UNLABELLED + term, (0, (4, 2)), 1.5)):
        if key not in table or table[key].isna().all():
            continue
        values = table[key].to_numpy(float)
        single = {"marker": "o", "ms": 3} if np.isfinite(values).sum() == 1 else {}
        ax.plot(table.index.to_numpy(), values, color=ACCENT, lw=width, ls=dash, **single)
        drawn = True
    kind = term.rstrip("0123456789").rstrip("_")
    words = TERMS.get(kind, "")
    ax.set_title(term_words(term), loc="left", fontsize=8.5, fontweight="bold", pad=15 if words else 5)
    ax.annotate(words, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=7.5,
                color="#57606a")  # fmt: skip
    if not drawn:
        ax.annotate("learned nothing", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", color="#57606a")
        ax.set(xticks=[], yticks=[])
        return
    ax.margins(y=0.12)
    low, high = ax.get_ylim()
    if low < 0 < high:
        ax.axhline(0, color=GREY, lw=0.8, zorder=1)
    ax.set_xlim(table.index[0] - 0.5, table.index[-1] + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    ax.grid(axis="y")


def term_words(key: str) -> str:
    """The name of a term, as records have it, for people.

    Example:
        >>> term_words("unlabelled.matching"), term_words("cross_entropy")
        ('matching, unlabelled', 'cross-entropy')
    """
    name = key.removeprefix(UNLABELLED).replace("cross_entropy", "cross-entropy").replace("_", " ")
    return f"{name}, unlabelled" if key.startswith(UNLABELLED) else name


def _ends(values: pd.Series) -> str:
    known = values.dropna()
    return f"ends at {known.iloc[-1]:.3f}".replace("-", "−") if len(known) else "learned nothing"
