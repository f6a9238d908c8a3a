"""The peer of the study of acted speech: linear SVMs on the same functionals, in the same folds.

    python benchmarks/svm.py [STUDY]          # the finished study "speech"; default runs/studies/speech

One class against the rest with C 0.001, the usual baseline; one class against one, which is stronger on few clips; and
that with C chosen in each fold by leaving groups of its training speakers out. An interval tells by how much the mean
of the MLP's seeds is ahead for speakers like those tested (95 %, jackknife).
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.svm import SVC, LinearSVC

from affectspace.metrics import uar
from affectspace.metrics.speaker_intervals import Tally, speaker_interval, tally
from affectspace.studies import open_study
from affectspace.training.cache import DataCache
from affectspace.training.recipe_file import load_recipe
from affectspace.training.run import Run

COSTS = (1e-4, 1e-3, 1e-2)
USUAL = 1e-3
MODELS = ("ComParE, CE", "ComParE, CE + f-SPL")
Answers = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def one_against_rest(values, truth, speakers, train, test) -> np.ndarray:
    machine = LinearSVC(C=USUAL, class_weight="balanced", dual=True, max_iter=3000, random_state=0)
    return machine.fit(values[train], truth[train]).predict(values[test])


def one_against_one(values, truth, speakers, train, test) -> np.ndarray:
    gram = values @ values.T
    return fitted(USUAL, gram, truth, train).predict(gram[np.ix_(test, train)])


def one_against_one_chosen(values, truth, speakers, train, test) -> np.ndarray:
    gram = values @ values.T
    cost = chosen(gram[np.ix_(train, train)], truth[train], speakers[train])
    return fitted(cost, gram, truth, train).predict(gram[np.ix_(test, train)])


MACHINES: dict[str, Answers] = {
    "one class against the rest, C 0.001": one_against_rest,
    "one class against one, C 0.001": one_against_one,
    "one class against one, C chosen within training speakers": one_against_one_chosen,
}


def chosen(gram: np.ndarray, truth: np.ndarray, speakers: np.ndarray) -> float:
    """The C with the highest UAR over five groups of left-out speakers."""
    scores = []
    for cost in COSTS:
        answers = np.empty_like(truth)
        for train, test in GroupKFold(5).split(gram, truth, speakers):
            answers[test] = fitted(cost, gram, truth, train).predict(gram[np.ix_(test, train)])
        scores.append(uar(truth, answers))
    return COSTS[int(np.argmax(scores))]


def fitted(cost: float, gram: np.ndarray, truth: np.ndarray, train: np.ndarray) -> SVC:
    return SVC(kernel="precomputed", C=cost, class_weight="balanced").fit(gram[np.ix_(train, train)], truth[train])


def answers_of(run: Run, cache: DataCache, machine: Answers) -> tuple[Tally, float]:
    """Counted answers of all folds of a study's run, and the UAR of all answers pooled."""
    items, speakers, truths, answers = [], [], [], []
    for fold in run.parts:
        data = cache(load_recipe(fold.path / "recipe.toml"))
        values = np.concatenate([data.clips[row] for row in range(len(data.items))]).astype(float)
        mean, scale = data.normaliser(int(data.split.train[0]))  # one for all: that of the training items
        truth, who = data.targets.argmax(1).numpy(), data.items["speaker"].to_numpy(str)
        train, test = np.asarray(data.split.train), np.asarray(data.split.test)
        answers.append(machine((values - mean) / scale, truth, who, train, test))
        items.append(data.items["key"].to_numpy(str)[test])
        speakers.append(who[test])
        truths.append(truth[test])
    item, speaker, truth, answer = (np.concatenate(each) for each in (items, speakers, truths, answers))
    one_hot = np.eye(truth.max() + 1)
    return tally(item, speaker, one_hot[truth], one_hot[answer]), uar(truth, answer)


def main(folder: Path) -> None:
    study, cache = open_study(folder), DataCache()
    for split in study.splits:
        example = study.example(split, MODELS[0])
        if example is None:
            sys.exit(f"{folder} has no finished run of {MODELS[0]!r} on {split!r}; finish the study first")
        print(split)
        for name, machine in MACHINES.items():
            counted, figure = answers_of(example, cache, machine)
            print(f"  SVM, {name}: UAR {100 * figure:.1f} %")
            for model in MODELS:
                found = speaker_interval([each.tally for each in study.judged(model, split)], [counted])
                mean = study.runs.query("recipe == @model and split == @split")["uar"].mean()
                ends = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}" if found else "not known"
                lead = f"{100 * (mean - figure):+.1f}, with other speakers {ends}"
                print(f"    {model}: {100 * mean:.1f} %, ahead by {lead}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/studies/speech"))
