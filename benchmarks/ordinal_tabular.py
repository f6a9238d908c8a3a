"""Losses for ordered classes on six tables with an ordered response, beside two losses of others and the ordered logit.

    python benchmarks/ordinal_tabular.py [splits, default 20] [processes, default 2] [OUT, default runs/ordinal_tabular]

The tables lie in $AFFECTSPACE_DATA/ordinal/ordinal_tabular (default ../shared/data). For each split, drawn at random
and stratified by level, a quarter of the rows is tested; a fifth of the others validates. Inputs are standardised on
the training rows and cut at 5 standard deviations. All losses train the same net (affectspace.encoders.MLP, 32 units)
from the same start weights on the same batches, by Adam at each of three learning rates for 60 epochs of some 12 steps;
the rate and the epoch with the least validation MAE are kept, training stops 12 epochs after it. The ordered logit,
which has nothing to choose, is fitted to training and validation rows together.

OUT/runs.csv has a row a run, and splits of which it holds all methods are not run again; the tables and the diagram
(OUT/ranks.svg, OUT/ranks.png) are of its means.
"""

import math
import multiprocessing
import os
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.model_selection import StratifiedShuffleSplit
from torch import Tensor, nn

from affectspace.encoders import MLP, Batch
from affectspace.files import atomic_path
from affectspace.losses import (
    EntropicEMDLoss,
    GuidedEMDLoss,
    LevelRegressionLoss,
    OrderedEMDLoss,
    SoftCrossEntropyLoss,
)
from affectspace.metrics.ordered import exact_match, mean_absolute_error, spearman, within_one
from affectspace.report.critical_difference import rank_diagram
from affectspace.report.style import figure_style
from affectspace.studies.critical_difference import (
    average_ranks,
    critical_difference,
    friedman,
    indistinct,
    wilcoxon_holm,
)
from affectspace.studies.resampled import resampled

DATA = (
    Path(os.environ.get("AFFECTSPACE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "ordinal/ordinal_tabular"
)
SETS = ("abalone_ord", "affairs", "auto_riskness", "cement_strength", "skill", "winequality-red")
RATES, EPOCHS, PATIENCE, HIDDEN, STEPS, LIMIT = (1e-3, 3e-3, 1e-2), 60, 12, 32, 12, 5.0
MEASURES = {"AEM": "higher", "AEO": "higher", "rho": "higher", "MAE": "lower"}


@dataclass
class Rows:
    """Inputs, standardised, and levels from 0."""

    inputs: Tensor
    levels: Tensor


class Corn(nn.Module):
    """The peer's CORN loss of the first ``classes - 1`` outputs, so that the net is that of the others."""

    def __init__(self, classes: int):
        super().__init__()
        from dlordinal.losses import CORNLoss  # pyright: ignore[reportMissingImports]

        self.loss = CORNLoss(classes)

    def forward(self, logits: Tensor, levels: Tensor) -> Tensor:
        return self.loss(logits[:, :-1], levels)


def make_loss(name: str, classes: int) -> nn.Module:
    steps = (torch.arange(classes)[:, None] - torch.arange(classes)).abs()
    match name:
        case "XE":
            return SoftCrossEntropyLoss()
        case "REG":
            return LevelRegressionLoss()
        case "EMD":
            return OrderedEMDLoss()
        case "XEMD1" | "XEMD2":
            return GuidedEMDLoss(classes, HIDDEN, "xemd1" if name == "XEMD1" else "xemd2")
        case "A-EMD":
            return EntropicEMDLoss(steps)
        case "CORN":
            return Corn(classes)
        case "CDW-CE":
            from dlordinal.losses import CDWCELoss  # pyright: ignore[reportMissingImports]

            return CDWCELoss(classes)
    raise ValueError(f"there is no loss {name}")


LOSSES = ("XE", "REG", "EMD", "XEMD1", "XEMD2", "A-EMD", "CORN", "CDW-CE")


def predicted(name: str, logits: Tensor) -> Tensor:
    """Levels: the most likely class; CORN counts the levels that are more likely passed than not."""
    if name == "CORN":
        return (logits[:, :-1].sigmoid().cumprod(-1) > 0.5).sum(-1)
    return logits.argmax(-1)


def split_rows(name: str, split: int) -> tuple[list[Rows], int]:
    """Training, validation and test rows of a set, and how many levels it has."""
    table = pd.read_parquet(DATA / f"{name}.parquet")
    levels = np.unique(table["response"], return_inverse=True)[1]
    inputs = table.drop(columns="response").to_numpy(np.float64)
    kept, test = next(StratifiedShuffleSplit(1, test_size=0.25, random_state=split).split(inputs, levels))
    train, validate = next(StratifiedShuffleSplit(1, test_size=0.2, random_state=split).split(kept, levels[kept]))
    train, validate = kept[train], kept[validate]
    mean, sd = inputs[train].mean(0), inputs[train].std(0)
    inputs = np.clip((inputs - mean) / np.where(sd > 0, sd, 1), -LIMIT, LIMIT)
    parts = [
        Rows(torch.tensor(inputs[rows], dtype=torch.float32), torch.tensor(levels[rows]))
        for rows in (train, validate, test)
    ]
    return parts, int(levels.max()) + 1


def batch_of(inputs: Tensor) -> Batch:
    return Batch(inputs, torch.ones(len(inputs)))


def answers(net: MLP, name: str, rows: Rows) -> np.ndarray:
    with torch.no_grad():
        return predicted(name, net(batch_of(rows.inputs)).logits).numpy()


def train_net(name: str, parts: list[Rows], classes: int, rate: float, seed: int) -> tuple[float, int, np.ndarray]:
    """Least validation MAE, the epoch that had it, and what the net then said of the test rows."""
    train, validate, test = parts
    torch.manual_seed(seed)
    net, loss = MLP(train.inputs.shape[1], classes, HIDDEN), make_loss(name, classes)
    optimiser = torch.optim.Adam(net.parameters(), lr=rate, fused=True)
    generator = torch.Generator().manual_seed(seed)
    size = max(16, math.ceil(len(train.levels) / STEPS))
    best, chosen, told = math.inf, 0, np.array([])
    for epoch in range(1, EPOCHS + 1):
        for rows in torch.randperm(len(train.levels), generator=generator).split(size):
            outputs, levels = net(batch_of(train.inputs[rows])), train.levels[rows]
            extra = (outputs.layers["fc2"],) if isinstance(loss, GuidedEMDLoss) else ()
            value = loss(outputs.logits, levels, *extra)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        if isinstance(loss, GuidedEMDLoss):
            loss.epoch_end()
        error = float(np.abs(answers(net, name, validate) - validate.levels.numpy()).mean())
        if error < best:
            best, chosen, told = error, epoch, answers(net, name, test)
        if epoch - chosen >= PATIENCE:
            break
    return best, chosen, told


def independent(inputs: np.ndarray) -> list[int]:
    """Columns that are no sum of a constant and earlier ones; of a set of dummies the last is not needed."""
    columns: list[int] = []
    design = np.ones((len(inputs), 1))
    for column in range(inputs.shape[1]):
        wider = np.column_stack([design, inputs[:, column]])
        if np.linalg.matrix_rank(wider, tol=1e-4 * len(inputs) ** 0.5) == wider.shape[1]:
            design = wider
            columns.append(column)
    return columns


def ordered_logit(parts: list[Rows], classes: int) -> tuple[np.ndarray, str]:
    """Levels of the test rows by statsmodels' proportional odds model, and a word on its fit."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel  # pyright: ignore[reportMissingImports]

    train, validate, test = parts
    inputs, levels = (torch.cat([getattr(train, k), getattr(validate, k)]).numpy() for k in ("inputs", "levels"))
    columns = independent(inputs.astype(np.float64))
    model = OrderedModel(levels, inputs[:, columns].astype(np.float64), distr="logit")
    fitted = model.fit(method="bfgs", maxiter=2000, disp=False)
    odds = np.asarray(model.predict(fitted.params, test.inputs.numpy()[:, columns].astype(np.float64)))
    assert odds.shape == (len(test.levels), classes)
    return odds.argmax(1), "" if fitted.mle_retvals["converged"] else "not converged"


def figures(truth: np.ndarray, guess: np.ndarray, classes: int) -> dict[str, float]:
    """Spearman's of predicted levels, as not every method predicts more than those; 0 where all are alike."""
    rho = spearman(truth, guess)
    return {
        "AEM": exact_match(truth, guess, classes),
        "AEO": within_one(truth, guess, classes),
        "rho": 0.0 if math.isnan(rho) else rho,
        "MAE": mean_absolute_error(truth, guess, np.arange(classes)),
    }


def run(job: tuple[str, int]) -> list[dict]:
    """All methods on one split of one set."""
    name, split = job
    torch.set_num_threads(1)
    parts, classes = split_rows(name, split)
    truth, found = parts[2].levels.numpy(), []
    for method in LOSSES:
        began = time.perf_counter()
        tried = [(*train_net(method, parts, classes, rate, split), rate) for rate in RATES]
        _, epoch, told, rate = min(tried, key=lambda each: each[0])
        row = {"set": name, "split": split, "method": method, **figures(truth, told, classes)}
        found.append({**row, "epoch": epoch, "rate": rate, "note": "", "seconds": time.perf_counter() - began})
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it converged is noted
        told, note = ordered_logit(parts, classes)
    row = {"set": name, "split": split, "method": "ordered logit", **figures(truth, told, classes)}
    return [*found, {**row, "note": note, "seconds": time.perf_counter() - began}]


METHODS = (*LOSSES, "ordered logit")


def means(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Mean over splits: a row a set, a column a method."""
    return runs.pivot_table(index="set", columns="method", values=measure)[list(METHODS)]


def cell(values: pd.Series, measure: str, best: bool) -> str:
    scale, digits = (100, 1) if measure in ("AEM", "AEO") else (1, 3)
    told = f"{scale * values.mean():.{digits}f} ({scale * values.std():.{digits}f})"
    return f"**{told}**" if best else told


def p_told(p: float, digits: int) -> str:
    """``p = 0.012``, or ``p < 0.001`` of one that would be rounded to nothing."""
    return f"p = {p:.{digits}f}" if round(p, digits) > 0 else f"p < {10**-digits:.{digits}f}"


def tables(runs: pd.DataFrame) -> str:
    """Mean (standard deviation over splits), the best in bold, and what each method's ranks say."""
    parts = []
    for measure, better in MEASURES.items():
        higher, mean = better == "higher", means(runs, measure)
        parts += [f"### {measure}\n", f"| set | {' | '.join(METHODS)} |", "| --- |" + " ---: |" * len(METHODS)]
        for name, row in mean.iterrows():
            best = row.max() if higher else row.min()
            of_set = runs[runs["set"] == name].groupby("method")[measure]
            cells = [cell(of_set.get_group(method), measure, row[method] == best) for method in METHODS]
            parts.append(f"| {name} | {' | '.join(cells)} |")
        ranks = average_ranks(mean.to_numpy(), higher)
        parts.append(f"| *average rank* | {' | '.join(f'{rank:.1f}' for rank in ranks)} |\n")
        test, adjusted = friedman(mean.to_numpy()), wilcoxon_holm(mean.to_numpy())
        parts.append(
            f"Friedman: χ² = {test.chi_squared:.1f}, {p_told(test.p, 3)}; Iman-Davenport F = {test.f:.2f}, "
            f"{p_told(test.p_f, 4)}. Least p of a pair by Wilcoxon and Holm: {adjusted.min():.2f}.\n"
        )
    return "\n".join(parts)


def against_xe(runs: pd.DataFrame) -> str:
    """Within each set, over its splits: which methods differ from cross-entropy, by Nadeau and Bengio's test."""
    parts = [f"| set | measure | {' | '.join(METHODS[1:])} |", "| --- | --- |" + " ---: |" * (len(METHODS) - 1)]
    for name, of_set in runs.groupby("set"):
        for measure, better in MEASURES.items():
            wide = of_set.pivot_table(index="split", columns="method", values=measure)
            cells = []
            for method in METHODS[1:]:
                found = resampled(wide[method], wide["XE"], 1 / 3)
                scale, digits = (100, 1) if measure in ("AEM", "AEO") else (1, 3)
                gain = (found.value or 0.0) * (1 if better == "higher" else -1)
                mark = "" if found.p is None or found.p >= 0.05 else " ↑" if gain > 0 else " ↓"
                cells.append(f"{scale * (found.value or 0.0):+.{digits}f}{mark}")
            parts.append(f"| {name} | {measure} | {' | '.join(cells)} |")
    return "\n".join(parts)


def draw(runs: pd.DataFrame, out: Path) -> None:
    """A diagram of ranks a measure, in one picture."""
    words = {
        "AEM": "Exact matches (AEM)",
        "AEO": "Within one level (AEO)",
        "rho": "Spearman's rank correlation",
        "MAE": "Mean absolute error",
    }
    sets = runs["set"].nunique()
    difference = critical_difference(len(METHODS), sets)
    with figure_style():
        figure = Figure(figsize=(7.2, 9.4))
        panels = figure.subplots(len(words), 1)
        for ax, (measure, title) in zip(panels, words.items()):
            ranks = average_ranks(means(runs, measure).to_numpy(), MEASURES[measure] == "higher")
            groups = indistinct(ranks, abs(ranks[:, None] - ranks) >= difference)
            rank_diagram(ax, METHODS, ranks, groups, difference)
            ax.set_title(title, loc="left", fontsize=10, fontweight="bold")
        figure.supxlabel(
            f"Average rank over {sets} data sets: 1, on the left, is the best. An orange bar joins methods whose\n"
            "ranks differ by less than the critical difference (Nemenyi, 95 %): with so few data sets, maybe chance.",
            fontsize=8.5,
        )
        figure.savefig(out / "ranks.svg", metadata={"Date": None}, transparent=False)
        figure.savefig(out / "ranks.png", dpi=130, transparent=False)


def tell(runs: pd.DataFrame, out: Path) -> None:
    """The tables, printed and kept beside the runs, and the diagram."""
    hours = f"{len(runs)} rows, {runs['seconds'].sum() / 60:.0f} minutes of one core"
    notes = runs.loc[runs["note"].fillna("") != "", ["set", "note"]].value_counts().to_dict()
    chosen = runs[runs["method"] != "ordered logit"].groupby("method")[["epoch", "seconds"]].mean().round(2)
    text = "\n".join(
        [hours, f"ordered logit: {notes or 'always converged'}", tables(runs), against_xe(runs), chosen.to_string()]
    )
    (out / "tables.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    draw(runs, out)


def runs_of(path: Path) -> list[dict]:
    """The rows of ``runs.csv`` that belong to splits of which all methods are there."""
    if not path.exists():
        return []
    runs = pd.read_csv(path)
    whole = runs.groupby(["set", "split"])["method"].transform(lambda methods: set(METHODS) <= set(methods))
    return runs[whole.astype(bool)].to_dict("records")


def keep_runs(rows: list[dict], path: Path) -> None:
    """Write ``runs.csv``; who is stopped meanwhile keeps the one before."""
    with atomic_path(path) as aside:
        pd.DataFrame(rows).sort_values(["set", "split"], kind="stable").to_csv(aside, index=False)


def main() -> None:
    splits, processes = (int(word) for word in (*sys.argv[1:3], *("20", "2")[len(sys.argv[1:3]) :]))
    out = Path(sys.argv[3] if len(sys.argv) > 3 else "runs/ordinal_tabular")
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(name, split) for split in range(splits) for name in SETS]
    began, rows = time.perf_counter(), runs_of(out / "runs.csv")
    done = {(row["set"], row["split"]) for row in rows}
    jobs = [job for job in jobs if job not in done]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for count, found in enumerate(pool.imap_unordered(run, jobs), 1):
            rows += found
            keep_runs(rows, out / "runs.csv")
            print(f"{count} of {len(jobs)} splits, {time.perf_counter() - began:.0f} s", flush=True)
    tell(pd.DataFrame(rows), out)


if __name__ == "__main__":
    main()
