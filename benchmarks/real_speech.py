"""Real recordings: four emotions across languages over several seeds, and EmoDB's seven, speaker-independent.

    python benchmarks/real_speech.py CORPORA [RUNS] [SEEDS]

CORPORA is a folder with emodb, ravdess, ased and urdu; see recipes/cross_corpus_speech.toml and
recipes/speaker_independent.toml for the protocols. Prints Markdown; runs that are finished are not run again.
"""

import sys
from pathlib import Path

import numpy as np

from affectspace.training import load_recipe, train, train_folds
from affectspace.training.gather import gather
from affectspace.training.prepare import prepare

RECIPES = Path(__file__).parents[1] / "recipes"
F_SPL = '{{kind = "f_similarity", pairs = "{pairs}", geometry = "{geometry}", weight = {weight}}}'
TERMS = {
    "cross-entropy": "",
    "+ f-SPL, in-batch, Fisher-Rao, weight 1": F_SPL.format(pairs="batch", geometry="fisher_rao", weight=1.0),
    "+ f-SPL, triplets, Fisher-Rao, weight 1": F_SPL.format(pairs="triplets", geometry="fisher_rao", weight=1.0),
    "+ f-SPL, triplets, chord, weight 10 (the paper's)": F_SPL.format(pairs="triplets", geometry="chord", weight=10.0),
}
FIGURES = {
    "UAR %": ("uar", 100),
    "macro F1 %": ("macro_f1", 100),
    "ECE": ("ece", 1),
    "similarity ρ": ("similarity_rho", 1),
}


def across_languages(corpora: Path, runs: Path, seeds: int) -> None:
    print(f"Train RAVDESS + ASED + URDU, test EmoDB, angry / happy / neutral / sad, {seeds} seeds: mean (sd)\n")
    print("| model | " + " | ".join(FIGURES) + " | validation UAR % |\n|" + " --- |" * (len(FIGURES) + 2))
    gathered = None
    for number, (name, term) in enumerate(TERMS.items()):
        terms = ", ".join(['{kind = "cross_entropy"}', *([term] if term else [])])
        found = []
        for seed in range(seeds):
            changes = [
                f"data={corpora}",
                f"seed={seed}",
                f"terms=[{terms}]",
                "training.threads=1",
                "monitor.test_curve=false",
                "monitor.snapshots=[]",
            ]
            recipe = load_recipe(RECIPES / "cross_corpus_speech.toml", changes)
            gathered = gathered or gather(recipe)
            folder = runs / f"across-{number}-seed{seed}"
            found.append(train(recipe, folder, resume=True, data=prepare(recipe, gathered)).metrics)
        cells = [spread([run["test"][key] for run in found], by) for key, by in FIGURES.values()]
        print(
            f"| {name} | " + " | ".join(cells) + f" | {spread([run['validate']['uar'] for run in found], 100)} |",
            flush=True,
        )


def speaker_independent(corpora: Path, runs: Path) -> None:
    recipe = load_recipe(RECIPES / "speaker_independent.toml", [f"data={corpora}", "training.threads=1"])
    metrics = train_folds(recipe, runs / "speaker-independent", resume=True).metrics
    folds = spread([fold["uar"] for fold in metrics["per_fold"]], 100)
    print("\nEmoDB (this copy cut to 2 s), seven emotions, leave one speaker out, cross-entropy, one seed: ")
    print(f"UAR {100 * metrics['test']['uar']:.1f} % of all answers pooled; mean (sd) of ten folds {folds} %.")


def spread(values: list[float], by: int) -> str:
    digits = 1 if by == 100 else 3
    return f"{by * np.mean(values):.{digits}f} ({by * np.std(values, ddof=len(values) > 1):.{digits}f})"


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *("runs/real", "3")[len(sys.argv) - 2 :]]
    corpora, runs, seeds = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    across_languages(corpora, runs, seeds)
    speaker_independent(corpora, runs)
