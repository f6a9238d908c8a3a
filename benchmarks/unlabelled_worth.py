"""What items without labels could tell: whether pseudo-labels are right, classes are clusters, and modalities agree.

    python benchmarks/unlabelled_worth.py STUDY [SPLIT, default 10---of-the-labels]

STUDY is a finished few_labels: nets of "labels alone" are asked about the items that "pseudo-labels" trained on without
their labels. Some of these are of the four classes, and their labels were hidden; of others most raters said something
else, frustrated in most cases; and of the rest no majority said one thing, which pseudo-labels may get right in part.
What the nets are sure of is told by threshold. Then the features, without any net.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from affectspace.metrics import chance_linear_cka, linear_cka
from affectspace.studies.statistics import mean_interval
from affectspace.training import load_model, load_recipe
from affectspace.training.evaluate import predict
from affectspace.training.gather import Gathered, gather
from affectspace.training.prepare import prepare

THRESHOLDS = (0.0, 0.6, 0.8, 0.95)
CLUSTERS = (4, 20, 100)


def told(values: list[float]) -> str:
    mean = mean_interval(100 * np.asarray(values))
    return f"{mean.value:.1f}" if mean.low is None else f"{mean.value:.1f} ({mean.low:.1f} to {mean.high:.1f})"


def pseudo_labels(study: Path, split: str) -> str:
    """Of the items of which a net is sure: how many are of no class, and of the others how many it tells right."""
    runs = sorted((study / "runs/pseudo-labels" / split).glob("seed-*/fold-*"))
    gathered = gather(load_recipe(runs[0] / "recipe.toml"), quiet=True)
    rows = []
    for run in runs:
        data = prepare(load_recipe(run / "recipe.toml"), gathered, quiet=True)
        net = load_model(study / "runs/labels-alone" / split / run.parent.name / run.name / "model").encoder
        said = predict(net, data, data.unlabelled).probabilities
        truth = data.targets.numpy()[data.unlabelled]
        known = np.isfinite(truth).all(1)
        undecided = (data.items["emotion_code"].iloc[data.unlabelled] == "xxx").to_numpy(bool) & ~known
        right = said.argmax(1) == np.nan_to_num(truth).argmax(1)
        for threshold in THRESHOLDS:
            sure = said.max(1) >= threshold
            rows.append(
                {
                    "seed": run.parent.name,
                    "threshold": threshold,
                    "sure": sure.mean(),
                    "other": (~known & ~undecided)[sure].mean(),
                    "undecided": undecided[sure].mean(),
                    "right": right[sure & known].mean() if (sure & known).any() else np.nan,
                }
            )
    means = pd.DataFrame(rows).groupby(["threshold", "seed"]).mean().reset_index()
    lines = ["| surer than | share of items % | another emotion % | no majority % | of the four classes, right % |"]
    lines.append("| ---: | ---: | ---: | ---: | ---: |")
    for threshold, group in means.groupby("threshold"):
        cells = [told(group[name].dropna().tolist()) for name in ("sure", "other", "undecided", "right")]
        lines.append(f"| {threshold} | " + " | ".join(cells) + " |")
    improvised = gathered.items["id"].str.contains("_impro").to_numpy(bool)
    parts = {"All turns": np.ones(len(improvised), dtype=bool), "Improvised turns": improvised}
    return "\n".join([*lines, *(f"\n{name}\n\n{geometry(gathered, rows)}" for name, rows in parts.items())])


def geometry(gathered: Gathered, asked: np.ndarray) -> str:
    """Classes as neighbours and as clusters of the standardised features, and alignment of the two modalities."""
    count = len(gathered.items)
    kept = np.flatnonzero(asked & np.all([clips.lengths[:count] > 0 for clips in gathered.inputs.values()], axis=0))
    classes = gathered.targets.argmax(1).numpy()[kept]
    sessions = gathered.items["session"].to_numpy()[kept]
    tables = {name: np.stack([clips[row] for row in kept]) for name, clips in gathered.inputs.items()}
    tables = {name: table.reshape(len(classes), -1).astype(np.float64) for name, table in tables.items()}
    tables = {name: (table - table.mean(0)) / np.maximum(table.std(0), 1e-9) for name, table in tables.items()}
    both = np.hstack([table / table.shape[1] ** 0.5 for table in tables.values()])
    shares = np.bincount(classes) / len(classes)
    heads = ["features", "nearest of another session agrees %", *[f"{count} clusters %" for count in CLUSTERS]]
    lines = ["| " + " | ".join(heads) + " |", "| --- | ---: |" + " ---: |" * len(CLUSTERS)]
    random = np.random.default_rng(0)
    for name, table in [*tables.items(), ("both", both), ("both, shuffled", both[random.permutation(len(both))])]:
        agree = np.zeros(len(classes), dtype=bool)
        for session in np.unique(sessions):
            own = sessions == session
            index = NearestNeighbors(n_neighbors=1).fit(table[~own])
            agree[own] = classes[~own][index.kneighbors(table[own])[1][:, 0]] == classes[own]
        purities = []
        for count in CLUSTERS:
            found = KMeans(count, n_init=3, random_state=0).fit_predict(table)
            purities.append(sum(np.bincount(classes[found == one]).max() for one in np.unique(found)) / len(classes))
        lines.append(f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in (agree.mean(), *purities)) + " |")
    lines.append(
        f"\nThe largest class has {100 * shares.max():.1f} %; two items drawn agree in {100 * (shares**2).sum():.1f} %."
    )
    one, other = tables.values()
    within = [f"{linear_cka(one[classes == code], other[classes == code]):.4f}" for code in range(len(gathered.names))]
    lines.append(
        f"\nLinear CKA of the modalities: {linear_cka(one, other):.4f}, of shuffled pairs "
        f"{chance_linear_cka(one, other):.4f}; within {', '.join(gathered.names)} {', '.join(within)}."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    print(pseudo_labels(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "10---of-the-labels"))
