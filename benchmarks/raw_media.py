"""Sound, film and words of invented people, from files to scores by what of them is shown.

    python benchmarks/raw_media.py [OUT, default runs/raw-media]

Two corpora are generated: 240 items of twelve people, whose faces train a net for faces, and 480 of eight others, each
modality missing from a third of the items. These train with half of the training labels, the other items without, and
each person is tested once while the other of their session validates; three seeds. What is there is not made again.
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import tomli_w

from affectspace.corpora import make_synthetic_multimodal
from affectspace.studies.statistics import mean_interval
from affectspace.training import load_recipe

HERE = Path(__file__).resolve().parent
SYSTEMS = {
    "labels alone": {"terms": [{"kind": "cross_entropy"}], "unlabelled": {"weight": 0.0, "batch_size": 16}},
    "supervised": {"unlabelled": {"weight": 0.0, "batch_size": 16}},
    "semi-supervised": {},
}


def affectspace(*arguments: object) -> None:
    """Run a command as a user would, and stop where it fails."""
    command = [str(Path(sys.executable).parent / "affectspace"), *map(str, arguments)]
    print(" ".join(["affectspace", *command[1:]]), file=sys.stderr)
    subprocess.run(command, check=True)


def prepare(out: Path) -> None:
    """Both corpora, the crops of faces of the first, and the net that is trained on them."""
    for name, items, speakers, missing, seed in (("others", 240, 12, 0.0, 1), ("trio", 480, 8, 1 / 3, 0)):
        if not (out / name).exists():
            make_synthetic_multimodal(out / name, items=items, speakers=speakers, missing=missing, seed=seed)
    if not (out / "others-faces").exists():
        affectspace("faces", out / "others")
    if not (out / "faces" / "model").exists():
        affectspace("train", HERE / "studies/recipes/drawn_faces.toml", f"data={out}", "--out", out / "faces")


def write_study(out: Path) -> Path:
    """The recipe of the repository with the net for faces, for every person in turn, as a study of three seeds."""
    recipe = load_recipe(HERE.parent / "recipes/synthetic_multimodal.toml").model_dump(exclude_unset=True, mode="json")
    recipe["data"] = str(out)
    recipe["protocol"]["fold"] = "all"
    recipe["modalities"]["visual"]["features"] = {"kind": "face_sequence", "frames": 6, "run": "faces", "side": 48}
    (out / "trio.toml").write_bytes(tomli_w.dumps(recipe).encode())
    recipes = [{"name": name, "path": "trio.toml", "set": changed} for name, changed in SYSTEMS.items()]
    study = {"name": "raw_media", "seeds": 3, "baseline": "labels alone", "recipes": recipes}
    (out / "study.toml").write_bytes(tomli_w.dumps(study).encode())
    return out / "study.toml"


def table(runs: pd.DataFrame) -> str:
    """UA of the test items by what of them is shown: mean and 95 % interval of the mean over seeds."""
    lines = ["| shown | items | " + " | ".join(SYSTEMS) + " |", "| --- | ---: |" + " ---: |" * len(SYSTEMS)]
    columns = [str(column) for column in runs if str(column).startswith("by_modality.")]
    for part in [column.removesuffix(".items") for column in columns if column.endswith(".items")]:
        cells = []
        for name in SYSTEMS:
            mean = mean_interval(100 * runs.loc[runs["recipe"] == name, f"{part}.uar"])
            cells.append(f"{mean.value:.1f} ({mean.low:.1f} to {mean.high:.1f})")
        items = int(runs[f"{part}.items"].iloc[0])
        lines.append(f"| {part.removeprefix('by_modality.')} | {items} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    prepare(out)
    affectspace("study", write_study(out), "--out", out / "study")
    print(table(pd.read_parquet(out / "study" / "runs.parquet")))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/raw-media").resolve())
