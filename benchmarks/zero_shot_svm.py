"""The peer of the study of languages never heard: a linear SVM on eGeMAPS functionals of the same files.

    python benchmarks/zero_shot_svm.py [STUDY]      # the finished study "zero_shot"; default runs/studies/zero_shot

It trains on the three other languages, standardised by all their items together, one class against the rest, balanced,
C 0.01; nothing of the target is seen. For each recipe of the study it tells by how much the mean of its seeds is ahead,
on each target and on average, with an interval for other speakers and other seeds (95 %, jackknife; the SVM draws
nothing, so that the seeds are those of the recipe).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.svm import LinearSVC

from affectspace.metrics import uar
from affectspace.metrics.speaker_intervals import Tally, mean_speaker_interval, tally
from affectspace.studies import open_study
from affectspace.training.cache import DataCache
from affectspace.training.recipe_file import load_recipe
from affectspace.training.run import Run

COST = 1e-2
HEARS_ALL = "all languages"  # whose runs have the items of every other language to train on


def answers_of(run: Run, cache: DataCache) -> tuple[Tally, float]:
    """Counted answers of the SVM on the items that a run was tested on, and their UAR."""
    data = cache(load_recipe(run.path / "recipe.toml", ['features={ kind = "functionals", set = "eGeMAPSv02" }']))
    values = np.concatenate([data.clips[row] for row in range(len(data.items))]).astype(float)
    train, test = np.asarray(data.split.train), np.asarray(data.split.test)
    values = (values - values[train].mean(0)) / np.maximum(values[train].std(0), 1e-12)
    truth, classes = data.targets.argmax(1).numpy(), len(data.classes)
    machine = LinearSVC(C=COST, class_weight="balanced", max_iter=50_000, random_state=0)
    answer = np.eye(classes)[machine.fit(values[train], truth[train]).predict(values[test])]
    keys, speakers = (data.items[name].to_numpy(str)[test] for name in ("key", "speaker"))
    one_hot = np.eye(classes)[truth[test]]
    return tally(keys, speakers, one_hot, answer), uar(one_hot, answer)


def lead(ones: Sequence[Sequence[Tally]], others: Sequence[Tally]) -> str:
    """Where the mean difference lies over the speakers of these targets and over the seeds of the recipe."""
    # Twice the same answers, as a machine that draws nothing has the same with another seed.
    found = mean_speaker_interval(ones, [[each] * 2 for each in others], seeds=len(ones[0]) > 1)
    return f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if found else "not known"


def main(folder: Path) -> None:
    study, cache = open_study(folder), DataCache()
    found = {}
    for split in study.splits:
        example = study.example(split, HEARS_ALL)
        if example is None:
            sys.exit(f"{folder} has no finished run of {HEARS_ALL!r} on {split!r}; finish the study first")
        found[split] = answers_of(example, cache)
    figures = [100 * figure for _, figure in found.values()]
    print(f"SVM: UAR {' / '.join(f'{each:.1f}' for each in figures)} %, average {np.mean(figures):.1f} %")
    for recipe in study.recipes:
        judged = {split: [each.tally for each in study.judged(recipe, split)] for split in study.splits}
        if not all(judged.values()):
            continue
        print(recipe)
        ahead = study.runs[study.runs["recipe"] == recipe].groupby("split")["uar"].mean()
        for split, (counted, figure) in found.items():
            told = lead([judged[split]], [counted])
            print(f"  {split}: {100 * ahead[split]:.1f} %, ahead by {100 * (ahead[split] - figure):+.1f} ({told})")
        told = lead([*judged.values()], [counted for counted, _ in found.values()])
        mean = 100 * ahead.mean()
        print(f"  average: {mean:.1f} %, ahead by {mean - np.mean(figures):+.1f} ({told})")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/studies/zero_shot"))
