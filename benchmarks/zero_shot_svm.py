"""The peers of the study of languages never heard: a linear SVM on eGeMAPS functionals of the same files, twice.

    python benchmarks/zero_shot_svm.py [STUDY]      # the finished study "zero_shot"; default runs/studies/zero_shot

"as set" is the bar that was set before the study: recordings as loud as they are, standardised by all that train
together. "hears as the recipe" is the same SVM of recordings at the recipe's level, each corpus that trains normalised
by itself and the target by all of these: what is between the two SVMs is of level and normalisation, and a lead over
the second is of the net and its terms, of relative features and of steady weights. Either trains on the three other
languages, one class against the rest, balanced, with C 0.01; nothing of the target is seen. That C is the one usual
for eGeMAPS, part of the bar as it was set; none was searched for, so that another may do better.

For each recipe it tells by how much the mean of its seeds is ahead of either, on each target and on average, over the
seeds that it has finished on all targets, with an interval for other speakers and other seeds (95 %, jackknife; the
SVM draws nothing, so that the seeds are those of the recipe). A recipe that was judged on other items is not compared.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.svm import LinearSVC

from affectspace.metrics import uar
from affectspace.metrics.speaker_intervals import Tally, mean_speaker_interval, tally
from affectspace.studies import open_study
from affectspace.studies.answers import Judged, judge, tested_items
from affectspace.studies.results import StudyResults
from affectspace.training.cache import DataCache
from affectspace.training.data import Data
from affectspace.training.recipe_file import load_recipe
from affectspace.training.run import Run

COST = 1e-2
HEARS_ALL = "all languages"  # whose runs have the items of every other language to train on
EGEMAPS = 'kind = "functionals", set = "eGeMAPSv02"'
HEARD = {
    "as set": f'features={{ {EGEMAPS}, normalise = {{ scope = "train" }} }}',
    "hears as the recipe": f'features={{ {EGEMAPS}, level = -26.0, normalise = {{ scope = "corpus" }} }}',
}


def answers_of(run: Run, cache: DataCache, features: str) -> tuple[Tally, float]:
    """Counted answers of the SVM on the items that a run was tested on, and their UAR."""
    data = cache(load_recipe(run.path / "recipe.toml", [features]))
    keys, speakers = (data.items[name].to_numpy(str) for name in ("key", "speaker"))
    train, test = np.asarray(data.split.train), np.asarray(data.split.test)
    if sorted(keys[test]) != tested_items(run):
        sys.exit(f"{run.path} was not tested on the items that its recipe gives here; were the corpora changed?")
    values = np.concatenate([_normalised(data, row) for row in range(len(data.items))])
    truth, classes = data.targets.argmax(1).numpy(), len(data.classes)
    machine = LinearSVC(C=COST, class_weight="balanced", max_iter=50_000, random_state=0)
    answer = np.eye(classes)[machine.fit(values[train], truth[train]).predict(values[test])]
    targets = data.targets.numpy()[test]
    return tally(keys[test], speakers[test], targets, answer), uar(targets, answer)


def _normalised(data: Data, row: int) -> np.ndarray:
    mean, scale = data.normaliser(row)
    return (np.asarray(data.clips[row], dtype=float) - mean) / scale


def by_split(study: StudyResults, recipe: str) -> dict[str, list[tuple[Judged, float]]]:
    """What the runs of a recipe answered and their UAR, for each split in the order of the seeds finished on all."""
    table = study.runs[study.runs["recipe"] == recipe]
    found = {}
    for split in study.splits:
        own = table[table["split"] == split]
        found[split] = dict(zip(own["seed"], zip(study.judged(recipe, split), own["uar"]), strict=True))
    seeds = [seed for seed in study.seeds if all(seed in its for its in found.values())]
    return {split: [its[seed] for seed in seeds] for split, its in found.items()}


def lead(ones: Sequence[Sequence[Tally]], others: Sequence[Tally]) -> str:
    """Where the mean difference lies over the speakers of these targets and over the seeds of the recipe."""
    # Twice the same answers, as a machine that draws nothing has the same with another seed.
    found = mean_speaker_interval(ones, [[each] * 2 for each in others], seeds=len(ones[0]) > 1)
    return f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if found else "not known"


def main(folder: Path) -> None:
    study, cache = open_study(folder), DataCache()
    found, digests = {name: {} for name in HEARD}, {}
    for split in study.splits:
        example = study.example(split, HEARS_ALL)
        if example is None:
            sys.exit(f"{folder} has no finished run of {HEARS_ALL!r} on {split!r}; finish the study first")
        digests[split] = judge([example]).digest
        for name, features in HEARD.items():
            found[name][split] = answers_of(example, cache, features)
    for name, answers in found.items():
        figures = [100 * figure for _, figure in answers.values()]
        told = " / ".join(f"{each:.1f}" for each in figures)
        print(f"SVM, {name}: UAR {told} %, average {np.mean(figures):.1f} %")
    for recipe in study.recipes:
        runs = by_split(study, recipe)
        if not all(runs.values()):
            print(f"{recipe}: no seed is finished on every target")
            continue
        if any(each.digest != digests[split] for split, its in runs.items() for each, _ in its):
            print(f"{recipe}: judged on other items, not compared")
            continue
        tallies = {split: [each.tally for each, _ in its] for split, its in runs.items()}
        reached = {split: float(np.mean([figure for _, figure in its])) for split, its in runs.items()}
        print(f"{recipe}, {len(next(iter(runs.values())))} seeds")
        for where in (*([split] for split in study.splits), study.splits):
            mean = 100 * np.mean([reached[split] for split in where])
            print(f"  {where[0] if len(where) == 1 else 'average'}: {mean:.1f} %")
            for name, answers in found.items():
                ahead = mean - 100 * np.mean([answers[split][1] for split in where])
                told = lead([tallies[split] for split in where], [answers[split][0] for split in where])
                print(f"    ahead of the SVM, {name}, by {ahead:+.1f} ({told})")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/studies/zero_shot"))
