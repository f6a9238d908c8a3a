"""One small picture per run for each question, as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from affectspace.report.compare import Comparison
from affectspace.report.figures import confusion, learning_curve, reliability, similarity, space_map
from affectspace.report.phrases import counted, percent
from affectspace.report.style import class_colours, figure_style, marker_of, polygon
from affectspace.report.svg import inline_svg
from affectspace.space.maps import bounded_perplexity, tsne_maps
from affectspace.training.evaluated import Evaluated
from affectspace.training.recipe_data import stand_in_order
from affectspace.training.run import Run

__all__ = [
    "Panel",
    "confusion_panels",
    "curve_panels",
    "is_ordered",
    "legend",
    "map_grid",
    "reliability_panels",
    "similarity_panels",
]

MAP_ITEMS = 1000  # more points hide each other, and make a slow page
MAP_EPOCHS = 3
PAIRED_ITEMS = 800
PAGE_POINTS = 12_000  # points of all maps together that stay vectors


@dataclass(frozen=True)
class Panel:
    """A titled picture with a line below; without a picture the line says why."""

    title: str
    picture: Markup | None
    note: str = ""


def curve_panels(comparison: Comparison) -> list[Panel]:
    """UAR against epochs, a panel a run, the other runs' curves faint behind it."""
    curves = [_curve(run) for run in comparison.runs]
    known = [y[np.isfinite(y)] for curve in curves if curve for y in curve[1:] if y is not None]
    known += [np.array([run.scores(s).get("chance_uar", np.nan)]) for run, s in zip(comparison.runs, comparison.splits)]
    values = np.concatenate(known) if known else np.array([])
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    pad = max(0.06 * (high - low), 0.01)
    panels = []
    for row, (run, name, split) in enumerate(zip(comparison.runs, comparison.names, comparison.splits)):
        curve = curves[row]
        if curve is None:
            panels.append(Panel(name, None, "No UAR was recorded epoch by epoch."))
            continue
        epochs, validation, test = curve
        others = [(c[0], c[1] if c[2] is None else c[2]) for i, c in enumerate(curves) if c and i != row]
        chance = run.scores(split).get("chance_uar", float("nan"))
        with figure_style():
            figure = Figure(figsize=(3.5, 2.5))
            ax = figure.add_subplot()
            faint = others if comparison.comparable else []
            learning_curve(ax, epochs, validation, test, run.selected_epochs, chance, faint, (low - pad, high + pad))
            ends = {"validation": validation[-1], "test": np.nan if test is None else test[-1]}
            told = ", ".join(f"{what} ends at {percent(end)}" for what, end in ends.items() if np.isfinite(end))
            about = f"UAR of {name} after each of {len(epochs)} epochs: {told}; {_kept(run)}."
            picture = inline_svg(figure, f"curve-{row}", about)
        note = _kept(run)
        note += " · mean of the folds' UAR, where the table has that of their answers pooled" if run.folds else ""
        note += " · test was not recorded during training" if test is None else ""
        panels.append(Panel(name, picture, note))
    return panels


def map_grid(comparison: Comparison) -> tuple[list[str], list[tuple[str, list[Panel]]], list[str]]:
    """t-SNE maps: headings of the columns, one row of panels a run, and remarks for the caption."""
    remarks: list[str] = []
    runs = [run.parts[0] for run in comparison.runs]
    if any(run.folds for run in comparison.runs):
        remarks.append("Each fold has a space of its own; the maps show the first fold.")
    epochs = _spread(sorted({epoch for run in runs for epoch in run.snapshots}), MAP_EPOCHS)
    if not epochs:
        remarks.append("No snapshots were kept during training (monitor.snapshots), so only the final model is shown.")
    groups = [list(range(len(runs)))] if comparison.comparable else [[row] for row in range(len(runs))]
    if not comparison.comparable:
        remarks.append(
            "As the runs cannot be compared, each has its own start: compare within a row, not between rows."
        )
    final = "selected epoch" if all(run.selection == "validation" for run in runs) else "final model"
    columns = [*(f"epoch {epoch}" for epoch in epochs), final]
    rows: dict[int, list[Panel]] = {}
    shown: list[int] = []
    for group in groups:
        spaces = {(row, column): s for row in group for column, s in enumerate(_spaces(runs[row], epochs)) if s}
        items = _common([space[0] for space in spaces.values()])
        if not len(items):
            for row in group:
                rows[row] = [Panel(column, None, "no items to show") for column in columns]
            continue
        shown.append(len(items))
        picked = {key: _rows_of(space[0], items) for key, space in spaces.items()}
        embeddings = [spaces[key][2][picked[key]] for key in spaces]
        maps = dict(zip(spaces, tsne_maps(embeddings)))
        for row in group:
            rows[row] = []
            for column, heading in enumerate(columns):
                key = (row, column)
                if key not in spaces:
                    rows[row].append(Panel(heading, None, "no snapshot at this epoch"))
                    continue
                targets = spaces[key][1][picked[key]]
                dense = len(items) * len(runs) * len(columns) > PAGE_POINTS
                told = f"t-SNE map of {counted(len(items), 'item')} in the space of {comparison.names[row]}, {heading}."
                picture = _map(maps[key], targets, is_ordered(runs[row]), dense, f"map-{row}-{column}", told)
                note = "every item has the same embedding" if not maps[key].any() else ""
                if heading == final:
                    note = "; ".join(filter(None, [f"epoch {_selected(runs[row])}", note]))
                rows[row].append(Panel(heading, picture, note))
    remarks.insert(0, _shown(shown))
    return columns, [(comparison.names[row], rows[row]) for row in range(len(runs))], remarks


def confusion_panels(comparison: Comparison) -> list[Panel]:
    """Confusion matrices, a panel a run."""
    rows = "label" if comparison.one_hot else "raters' choice"
    panels = []
    for row, (run, name, items) in enumerate(zip(comparison.runs, comparison.names, comparison.evaluated)):
        if items is None:
            panels.append(Panel(name, None, "No predictions were kept."))
            continue
        with figure_style():
            side = 3.5 if len(run.classes) <= 5 else 5.2
            figure = Figure(figsize=(side, 0.82 * side))
            confusion(figure.add_subplot(), items.targets, items.probabilities, run.classes, rows)
            told = f"Confusion matrix of {name} over {counted(len(items), 'item')}, classes {', '.join(run.classes)}."
            panels.append(Panel(name, inline_svg(figure, f"confusion-{row}", told), counted(len(items), "item")))
    return panels


def similarity_panels(comparison: Comparison) -> list[Panel]:
    """Similarity of embeddings against that of labels, a panel a run."""
    panels = []
    for row, (run, name, split) in enumerate(zip(comparison.runs, comparison.names, comparison.splits)):
        items, geometry = comparison.evaluated[row], run.metrics.get("geometry") or "fisher_rao"
        pairs = _pairs(items, geometry) if items is not None else "No predictions were kept."
        if isinstance(pairs, str):
            panels.append(Panel(name, None, pairs))
            continue
        label, embedding = pairs
        figures = run.scores(split)
        rho, error = figures.get("similarity_rho", np.nan), figures.get("similarity_error", np.nan)
        error = float(np.abs(label - embedding).mean()) if np.isnan(error) else error
        with figure_style():
            figure = Figure(figsize=(3.5, 3.3))
            similarity(figure.add_subplot(), label, embedding)
            told = (
                f"Similarity of embeddings against similarity of labels for {len(label):,} pairs of items of {name}: "
                f"rank correlation {rho:.2f}, mean difference {error:.2f}."
            )
            picture = inline_svg(figure, f"similarity-{row}", told)
        correlation = "ρ undefined" if np.isnan(rho) else f"ρ {rho:.2f}"
        panels.append(Panel(name, picture, f"{correlation} · mean |S − C| {error:.2f} · geometry {geometry}"))
    return panels


def reliability_panels(comparison: Comparison) -> list[Panel]:
    """Reliability diagrams, a panel a run."""
    panels = []
    for row, (run, name, split) in enumerate(zip(comparison.runs, comparison.names, comparison.splits)):
        items = comparison.evaluated[row]
        if items is None:
            panels.append(Panel(name, None, "No predictions were kept."))
            continue
        with figure_style():
            figure = Figure(figsize=(3.5, 3.4))
            upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
            reliability(upper, lower, items.targets, items.probabilities)
            error = run.scores(split).get("ece", float("nan"))
            told = f"Reliability diagram of {name}: expected calibration error {error:.3f}."
            panels.append(Panel(name, inline_svg(figure, f"reliability-{row}", told), f"ECE {error:.3f}"))
    return panels


def legend(run: Run) -> list[tuple[Markup, str]]:
    """Sign and name of each class, as the maps draw them."""
    ordered, classes = is_ordered(run), len(run.classes)
    colours = class_colours(np.eye(classes), ordered)
    signs = []
    for row, name in enumerate(run.classes):
        paths = "".join(
            f"<polygon points='{' '.join(f'{x},{y}' for x, y in part)}'/>"
            for part in polygon(marker_of(row, classes, ordered))
        )
        fill = "#{:02x}{:02x}{:02x}".format(*(round(255 * float(c)) for c in colours[row]))
        sign = f"<svg class='sign' viewBox='-0.65 -0.65 1.3 1.3' aria-hidden='true' fill='{fill}'>{paths}</svg>"
        signs.append((Markup(sign), name))
    return signs


def is_ordered(run: Run) -> bool:
    """Whether the classes are levels or poles of one thing."""
    return stand_in_order(run.recipe.get("labels", {}))


def _map(positions: np.ndarray, targets: np.ndarray, ordered: bool, dense: bool, name: str, told: str) -> Markup:
    with figure_style():
        figure = Figure(figsize=(2.6, 2.6), dpi=160, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02))
        ax = figure.add_subplot()
        space_map(ax, positions, targets, ordered, dense)
        ax.set_axis_off()  # the card around it is its frame
        return inline_svg(figure, name, told)


def _curve(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray | None] | None:
    table = run.epochs
    if run.folds:  # beyond the shortest fold it would be the mean of other folds
        table = table[table.index <= min(len(fold.epochs) and fold.epochs.index.max() for fold in run.folds)]
    drawn = {part: table[f"{part}.uar"].to_numpy(float) for part in ("validate", "test") if f"{part}.uar" in table}
    drawn = {part: values for part, values in drawn.items() if np.isfinite(values).any()}
    if not drawn:
        return None
    validation = drawn.get("validate", np.full(len(table), np.nan))
    return table.index.to_numpy(), validation, drawn.get("test")


def _shown(counts: Sequence[int]) -> str:
    """How many items the maps show, and the perplexity that so many allow."""
    few, many = (min(counts), max(counts)) if counts else (0, 0)
    ends = [bounded_perplexity(count) for count in (few, many)]
    told = [f"{count:,}" for count in dict.fromkeys((few, many))]
    used = [f"{end:.3g}" for end in dict.fromkeys(ends) if end is not None]
    how = (
        f"perplexity {' to '.join(used)}" if used else "too few for t-SNE, so they stand at their principal components"
    )
    return f"{' to '.join(told)} items are shown ({how})."


def _kept(run: Run) -> str:
    how = {"validation": "selected", "given": "kept, as the recipe says"}.get(run.selection, "kept, the last one")
    return f"{how}: epoch {_selected(run)}"


def _selected(run: Run) -> str:
    epochs = sorted(set(run.selected_epochs))
    return "unknown" if not epochs else str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}"


def _spread(epochs: Sequence[int], count: int) -> list[int]:
    """The first, the last, and what lies evenly between."""
    if len(epochs) <= count:
        return list(epochs)
    return [epochs[round(i * (len(epochs) - 1) / (count - 1))] for i in range(count)]


def _spaces(run: Run, epochs: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray] | None]:
    """Items, targets and embeddings at each epoch and at the selected one; None where nothing was kept."""
    spaces = [run.snapshots.embeddings(epoch) if epoch in run.snapshots else None for epoch in epochs]
    final = run.evaluated("test" if run.scores("test") else "validate")
    return [*spaces, (final.items, final.targets, final.embeddings) if final else None]


def _common(item_lists: Sequence[np.ndarray]) -> np.ndarray:
    """Items in all lists, at most as many as a map can show, in a fixed order."""
    if not item_lists:
        return np.array([], dtype=object)
    items = np.array(sorted(set.intersection(*(set(each) for each in item_lists))), dtype=object)
    if len(items) > MAP_ITEMS:
        items = items[np.sort(np.random.default_rng(0).permutation(len(items))[:MAP_ITEMS])]
    return items


def _rows_of(items: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    row = {item: place for place, item in enumerate(items)}
    return np.array([row[item] for item in wanted])


def _pairs(items: Evaluated, name: str) -> tuple[np.ndarray, np.ndarray] | str:
    """Label and embedding similarity of pairs of different items of the same fold; or why there are none."""
    import torch

    from affectspace.labels.geometry import geometry

    try:
        chosen = geometry(name)
    except ValueError as error:
        return f"{error}."
    label, embedding = [], []
    folds = np.unique(items.folds)
    for fold in folds:
        rows = np.flatnonzero(items.folds == fold)
        rows = np.random.default_rng(0).permutation(rows)[: max(PAIRED_ITEMS // len(folds), 50)]
        if len(rows) < 2:
            continue
        upper = np.triu_indices(len(rows), 1)
        targets = torch.from_numpy(items.targets[rows]).float()
        try:
            vectors = torch.from_numpy(items.embeddings[rows]).float()
            embedding.append(chosen.embedding_similarity_matrix(vectors, vectors).numpy()[upper])
        except ValueError as error:
            remedy = " (in a recipe: encoder.non_negative = true)" if items.embeddings.min() < 0 else ""
            return f"No similarity: {error}{remedy}."
        label.append(chosen.label_similarity_matrix(targets, targets).numpy()[upper])
    if not label:
        return "Fewer than two items: there are no pairs."
    return np.concatenate(label), np.concatenate(embedding)
