"""EmotionSpace beside an SVM of scikit-learn, by scikit-learn's own cross-validation: EmoDB, one speaker left out.

    python benchmarks/estimator.py [SET ...]      # of openSMILE; default eGeMAPSv02 ComParE_2016

UAR of the answers of all folds, pooled; of nets the mean of three seeds, and the smallest and largest. The settings are
EmotionSpace's own, and those of recipes/functionals.toml but for its clipping of gradients; the SVM is the stronger one
of benchmarks/svm.py.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from affectspace import EmotionSpace
from affectspace.metrics import uar
from affectspace.training.gather import gather
from affectspace.training.recipe_file import load_recipe

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("AFFECTSPACE_DATA", ROOT / "../shared/data")) / "speech"
SEEDS = range(3)
RECIPE = {"dropout": 0.5, "limit": 3.0, "epochs": 30, "learning_rate": 3e-4, "weight_decay": 1e-4}


def machine(cost: float) -> Pipeline:
    return make_pipeline(StandardScaler(), SVC(C=cost, kernel="linear", class_weight="balanced"))


MODELS = {
    "SVM, C 0.001": lambda seed: machine(1e-3),
    "SVM, C 0.01": lambda seed: machine(1e-2),
    "cross_entropy": lambda seed: EmotionSpace("cross_entropy", random_state=seed),
    "f_similarity": lambda seed: EmotionSpace(random_state=seed),
    "cross_entropy, as the recipe": lambda seed: EmotionSpace("cross_entropy", **RECIPE, random_state=seed),
    "f_similarity, as the recipe": lambda seed: EmotionSpace(
        loss_params={"geometry": "fisher_rao"}, **RECIPE, random_state=seed
    ),
}


def main(sets: list[str]) -> None:
    torch.set_num_threads(1)
    for features in sets:
        gathered = gather(load_recipe(ROOT / "recipes/functionals.toml", [f"data={DATA}", f"features.set={features}"]))
        clips = gathered.inputs["features"]
        X = np.concatenate([clips[row] for row in range(len(clips))]).astype(float)
        y, speakers = gathered.targets.argmax(1).numpy(), gathered.items["speaker"].to_numpy(str)
        print(f"{features}: {X.shape[1]:,} features, {len(X)} items, {len(set(speakers))} speakers", flush=True)
        for name, make in MODELS.items():
            started, found = time.perf_counter(), []
            for seed in SEEDS if "SVM" not in name else (0,):
                told = cross_val_predict(make(seed), X, y, groups=speakers, cv=LeaveOneGroupOut())
                found.append(100 * uar(y, told))
            seconds = (time.perf_counter() - started) / len(found) / len(set(speakers))
            spread = f" ({min(found):.1f} to {max(found):.1f})" if len(found) > 1 else ""
            print(f"  {name}: UAR {np.mean(found):.1f} %{spread}, {seconds:.2f} s a fold", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["eGeMAPSv02", "ComParE_2016"])
