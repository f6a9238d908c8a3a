"""Exported files against the models that they were made of: their answers, and their time on one core.

    taskset -c 0 python benchmarks/onnx_parity.py CORPORA [RUNS]

CORPORA is a folder with emodb, ravdess, ased and urdu (speech) and ferplus (faces), or with the folders speech and
faces of these. Four nets are trained for an epoch or two, in RUNS: what they know does not matter here, that their
weights have been trained does.

Answers: 200 recordings, 50 of each corpus, half of them cut to a length drawn from 0.3 s on, and 200 pictures.
Each is asked about alone, and beside 15 others of like length, in ONNX Runtime and in the file of torch.export; eager
torch answers through the front end of the package. Told is the largest difference of any number.

Time: the same items, in eager torch and ONNX Runtime by turns, one thread each; CPU seconds of the process, the least
of the rounds, and the median over rounds of the ratio. Files are decoded before.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")  # before torch is loaded

import numpy as np
import torch

from affectspace.corpora import open_corpus
from affectspace.export import Graph, Reads, graph_of, open_onnx, open_torch_export, write_onnx, write_torch_export
from affectspace.features import Faces, LogMel
from affectspace.training import Model, load_model, load_recipe, train_recipe

torch.set_num_threads(1)
RECIPES = Path(__file__).parents[1] / "recipes"
SPEECH = ("emodb", "ravdess", "ased", "urdu")
ITEMS, TOGETHER, ROUNDS = 200, 16, 7
# name, recipe, changes
NETS = (
    ("Conv-Pool", "speaker_independent.toml", ("features.level=-26", "protocol.fold=0", "training.epochs=4")),
    ("SpeechNet", "speech_net.toml", ("features.level=-26", "protocol.fold=0", "training.epochs=2")),
    ("ResNet18, a quarter as wide", "face_space.toml", ("training.epochs=1",)),
)


def found_below(root: Path, name: str) -> Path:
    """A corpus's folder, in ``root`` or one below it."""
    return next(place for place in (root / name, root / "speech" / name, root / "faces" / name) if place.is_dir())


def trained(root: Path, runs: Path) -> dict[str, Model]:
    """The nets, of which those that were trained before are only opened."""
    models = {}
    for name, recipe, changes in NETS:
        data = found_below(root, "ferplus" if recipe.startswith("face") else "emodb").parent
        own = [*changes, f"data={data}", "training.threads=1", "training.precision=32-true"]
        models[name] = load_model(
            train_recipe(load_recipe(RECIPES / recipe, own), runs / recipe[:-5], resume=True).path
        )
    return models


def recordings(root: Path, frontend: LogMel) -> list[np.ndarray]:
    """Samples of 200 recordings, of which every other one is cut."""
    random, clips = np.random.default_rng(0), []
    for name in SPEECH:
        corpus = open_corpus(found_below(root, name))
        items = corpus.items.dropna(subset=["audio"]).sample(ITEMS // len(SPEECH), random_state=0)
        for place, row in enumerate(items.itertuples()):
            samples = frontend.read(corpus.root / str(row.audio))
            least = int(0.3 * frontend.sample_rate)
            clips.append(samples[: random.integers(least, max(least + 1, len(samples)))] if place % 2 else samples)
    return clips


def pictures(root: Path, frontend: Faces) -> list[np.ndarray]:
    """Pixels of 200 faces."""
    corpus = open_corpus(found_below(root, "ferplus"))
    items = corpus.items.dropna(subset=["image"]).sample(ITEMS, random_state=0)
    return [frontend.restore(frontend(corpus.root / str(path))) for path in items["image"]]


def side_by_side(items: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """Items of like length in groups."""
    ordered = sorted(items, key=len)
    return [ordered[start : start + TOGETHER] for start in range(0, len(ordered), TOGETHER)]


def apart(asked: Callable, truth: Callable, groups: Sequence[Sequence[np.ndarray]]) -> tuple[float, float, float]:
    """Largest differences of embeddings and probabilities, and the largest number of an embedding."""
    most = np.zeros(3)
    for group in groups:
        ours, theirs = asked(group), truth(group)
        gaps = [np.abs(one - other).max() for one, other in zip(ours, theirs)]
        most = np.maximum(most, [*gaps, np.abs(theirs[0]).max()])
    return tuple(most)


def timed(one: Callable, other: Callable, groups: Sequence[Sequence[np.ndarray]]) -> tuple[float, float, float]:
    """Milliseconds an item of each, and how many times faster the other one is; by turns."""
    seconds = np.empty((ROUNDS, 2))
    for turn in range(-1, ROUNDS):  # the first is to warm up
        for place, ask in enumerate((one, other)):
            began = time.process_time()
            for group in groups:
                ask(group)
            seconds[turn, place] = time.process_time() - began
    items = sum(map(len, groups))
    return *(1e3 * seconds.min(0) / items), float(np.median(seconds[:, 0] / seconds[:, 1]))


def compare(name: str, model: Model, graph: Graph, items: Sequence[np.ndarray], features: Callable) -> None:
    """Print a row of answers and rows of times."""

    def eager(group: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return model([features(item) for item in group])

    with tempfile.TemporaryDirectory() as folder:
        onnx, torch_export = Path(folder, "model.onnx"), Path(folder, "model.pt2")
        write_onnx(onnx, model, graph)
        write_torch_export(torch_export, model, graph)
        by_onnx, by_torch = open_onnx(onnx)[0], open_torch_export(torch_export)[0]
        alone, together = [[item] for item in items], side_by_side(items)
        for kind, asked in (("ONNX Runtime", by_onnx), ("torch.export", by_torch)):
            gaps = apart(lambda group: asked(graph.batch(group)), eager, [*alone, *together])  # noqa: B023
            print(f"| {name} | {kind} | {gaps[0]:.1e} | {gaps[2]:.3g} | {gaps[1]:.1e} |", flush=True)
        for kind, groups in (("one", alone), (f"{TOGETHER} alike", together), (f"{TOGETHER} as drawn", drawn(items))):
            times = timed(eager, lambda group: by_onnx(graph.batch(group)), groups)
            TIMES.append(f"| {name} | {kind} | {times[0]:.2f} | {times[1]:.2f} | {times[2]:.2f} |")
            print(TIMES[-1], file=sys.stderr, flush=True)


def drawn(items: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """Items of any length in groups, so that much of a batch is padding."""
    return [list(items[start::13]) for start in range(13)]


TIMES: list[str] = []


def main() -> None:
    root = Path(sys.argv[1])
    runs = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp())
    models = trained(root, runs)
    print("| net | asked in | embeddings | of numbers up to | probabilities |\n| --- | --- | ---: | ---: | ---: |")
    for name, model in models.items():
        frontend = model.frontend
        if isinstance(frontend, LogMel):
            clips = recordings(root, frontend)
            compare(f"{name}, samples in", model, graph_of(model), clips, frontend.compute)
            reads = Reads("features", ("items", "frames", frontend.bands), torch.float32, "frames", 1, "energies")
            energies = [frontend.compute(clip) for clip in clips]
            compare(f"{name}, energies in", model, Graph(model, reads), energies, lambda energies: energies)
            lengths = sorted(len(clip) / frontend.sample_rate for clip in clips)
        else:
            assert isinstance(frontend, Faces)
            pixels = lambda item: item.reshape(-1, item.shape[-1])  # noqa: E731
            compare(f"{name}, pixels in", model, graph_of(model), pictures(root, frontend), pixels)
    print("\n| net | side by side | eager, ms an item | ONNX Runtime, ms an item | times as fast |")
    print("| --- | --- | ---: | ---: | ---: |", *TIMES, sep="\n")
    median = lengths[len(lengths) // 2]
    print(f"\n{len(lengths)} recordings of {lengths[0]:.2f} to {lengths[-1]:.2f} s, half of them below {median:.2f} s")


if __name__ == "__main__":
    main()
