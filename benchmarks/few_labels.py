"""A study of IEMOCAP over all turns and over improvised ones, and with settings that half a session chooses.

    python benchmarks/few_labels.py STUDY [BASELINE]            # tables, each system beside the baseline, by seed
    python benchmarks/few_labels.py STUDY BASELINE --chosen     # settings chosen by the other speaker of the session

Scripted turns are read from the same pages in all sessions, so their words are known from training; others are not.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from affectspace.metrics import uar, weighted_precision
from affectspace.studies.statistics import mean_interval, paired

FIGURES = {"WAP": weighted_precision, "UA": uar}


def predictions(study: Path) -> pd.DataFrame:
    """Every test item of every run: its system, split, seed, speaker, class and answer."""
    parts = []
    for file in sorted(study.glob("runs/*/*/seed-*/**/predictions.parquet")):
        system, split, seed = file.relative_to(study / "runs").parts[:3]
        table = pd.read_parquet(file, columns=["item", "split", "speaker", "target", "probabilities"])
        table = table[table["split"] == "test"]
        parts.append(
            pd.DataFrame(
                {
                    "system": system,
                    "share": split,
                    "seed": int(seed.removeprefix("seed-")),
                    "item": table["item"],
                    "speaker": table["speaker"],
                    "truth": np.stack(table["target"]).argmax(1),
                    "answer": np.stack(table["probabilities"]).argmax(1),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def by_seed(found: pd.DataFrame, figure: str) -> pd.Series:
    """The figure of all folds' test items together, for each system and seed, in percent."""
    groups = found.groupby(["system", "seed"])[["truth", "answer"]]
    return 100 * groups.apply(lambda group: FIGURES[figure](group["truth"], group["answer"]))


def table(found: pd.DataFrame, baseline: str | None) -> str:
    """Mean, 95 % interval of the mean over seeds, and of the difference to the baseline of the same seed."""
    lines = ["| system | seeds | " + " | ".join(f"{name} % | against the baseline" for name in FIGURES) + " |"]
    lines.append("| --- | ---: | " + " | ".join("---: | ---:" for _ in FIGURES) + " |")
    figures = {name: by_seed(found, name) for name in FIGURES}
    for system in sorted(found["system"].unique()):
        cells = []
        for values in figures.values():
            own = values[system]
            cells.append(told(mean_interval(own)))
            other = values[baseline] if baseline else own
            shared = own.index.intersection(other.index)
            cells.append("-" if system == (baseline or system) else told(paired(own[shared], other[shared]), "+"))
        lines.append(f"| {system} | {len(own)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def told(estimate, sign: str = "") -> str:
    """A value and its interval, such as ``52.1 (51.8 to 52.4)``."""
    if estimate.low is None:
        return f"{estimate.value:{sign}.1f}"
    return f"{estimate.value:{sign}.1f} ({estimate.low:{sign}.1f} to {estimate.high:{sign}.1f})"


def chosen(found: pd.DataFrame, baseline: str) -> str:
    """What comes out where the system for each speaker is chosen by the other speaker of the session, over seeds."""
    scores = found.groupby(["system", "speaker"])[["truth", "answer"]].apply(lambda g: uar(g["truth"], g["answer"]))
    best = {}
    for speaker in scores.index.levels[1]:
        partner = speaker[:-1] + ("M" if speaker.endswith("F") else "F")
        best[speaker] = scores.xs(partner, level="speaker").idxmax()
    taken = pd.concat([found[(found["speaker"] == who) & (found["system"] == what)] for who, what in best.items()])
    both = pd.concat([taken.assign(system="chosen"), found[found["system"] == baseline]])
    counts = pd.Series(best).value_counts().to_string()
    return f"{table(both, baseline)}\n\nchosen, of {len(best)} speakers:\n{counts}"


def main(study: Path, baseline: str | None, choose: bool) -> None:
    found = predictions(study)
    for share, of_share in found.groupby("share"):
        improvised = of_share[of_share["item"].str.contains("_impro")]
        for title, part in (("all turns", of_share), ("improvised turns", improvised)):
            print(f"\n## {share}, {title}\n\n{chosen(part, baseline) if choose else table(part, baseline)}")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    main(Path(words[0]), words[1] if len(words) > 1 else None, "--chosen" in sys.argv)
