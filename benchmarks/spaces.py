"""The README's picture: activation of synthetic voices in a language never heard, without and with f-SPL.

    python benchmarks/spaces.py [FOLDER]

Trains on two invented languages (12 speakers x 48 items each) and tests on the third; labels are the raters'
votes for calm and excited. Writes docs/spaces.png and prints the scores. One seed: a picture, not evidence.
"""

import sys
from pathlib import Path

from affectspace.corpora import make_synthetic_world
from affectspace.report import compare_spaces
from affectspace.training import make_recipe, train
from affectspace.training.gather import gather
from affectspace.training.prepare import prepare

MODELS = {
    "cross-entropy": [{"kind": "cross_entropy"}],
    "cross-entropy+f-SPL": [
        {"kind": "cross_entropy"},
        {"kind": "f_similarity", "geometry": "angle", "pairs": "batch", "weight": 10.0},
    ],
}


def main(folder: Path) -> None:
    if not (folder / "corpora").is_dir():
        make_synthetic_world(folder / "corpora", speakers=12, items_per_speaker=48)
    runs, gathered = [], None
    for name, terms in MODELS.items():
        recipe = make_recipe(
            {
                "name": name,
                "data": str((folder / "corpora").resolve()),
                "corpora": [{"path": language} for language in ("alva", "boro", "cirin")],
                "labels": {"kind": "poles", "dimension": "activation", "names": ["calm", "excited"]},
                "features": {"kind": "log_mel", "level": -26.0, "normalise": {"scope": "item"}},
                "protocol": {
                    "kind": "cross_corpus",
                    "train": ["alva", "boro"],
                    "test": ["cirin"],
                    "validate_by": "session",
                    "allow": ["script"],
                },
                "terms": terms,
                "training": {"epochs": 25, "batch_size": 64, "learning_rate": 5e-4, "clip_gradient": 1.0},
            }
        )
        gathered = gathered or gather(recipe)
        runs.append(train(recipe, folder / name, resume=True, data=prepare(recipe, gathered)))
        test = runs[-1].metrics["test"]
        print(
            f"{name}: UAR {test['uar']:.3f}, chance {test['chance_uar']:.3f}, similarity {test['similarity_rho']:.3f}"
        )
    print(compare_spaces(runs, Path(__file__).parents[1] / "docs/spaces.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/spaces"))
