"""Adversaries: whether a fresh classifier still tells the speakers, and what hiding them costs in classes.

*Planted vectors*: 14 speakers and 8 new ones, 4 classes, each a direction of its own, in noise; 1,400 training items of
40 numbers, a net of two layers. *Crossed*: who speaks says nothing of the class. *Confounded*: of each speaker's items
nine in ten are of one class, as in corpora where most speakers are heard in one emotion; the new speakers are not so.

*Synthetic voices*: three invented languages (``affectspace demo``), 8 speakers of 24 items each, emotions alike often;
two languages train, two speakers of each validate, the third is tested. Log-Mel energies, their mean over time, of each
corpus normalised; a small net.

*Real corpora* (``--real``): ``recipes/cross_language.toml``, with and without its adversary, on its four targets.

A probe is ``affectspace.metrics.group_probe``: how well embeddings of items that it was not fitted on tell who speaks,
by linear discriminants or by votes of the nearest (*near*). The terms are ``linear_adversary`` (given the class; *not
given*, of planted vectors, without) and ``adversary``, which is trained. In runs the epoch with the best UAR of
validation speakers is kept.

    python benchmarks/adversaries.py [--seeds 5] [--real] [--only planted|voices|real] [--epochs 60] [--targets de ur]
"""

import argparse
import functools
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from affectspace.corpora.synthetic import make_synthetic_world
from affectspace.losses import AdversaryLoss, LinearAdversaryLoss, reversal_schedule
from affectspace.metrics import group_probe, group_probe_within, uar
from affectspace.training import load_recipe, make_recipe, train

DATA = Path(os.environ.get("AFFECTSPACE_DATA", Path(__file__).parents[2] / "shared/data"))
RECIPE = Path(__file__).parents[1] / "recipes/cross_language.toml"
CLASSES, SPEAKERS, NEW, ITEMS, TESTED, NUMBERS, WIDTH = 4, 14, 8, 1400, 800, 40, 64
EMOTIONS = ["angry", "happy", "neutral", "sad"]
TARGETS = ("de", "ur", "en", "am")

Hide = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def planted(seed: int, confounded: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors, classes and speakers; the last 800 items are of speakers who are only tested on."""
    generator = torch.Generator().manual_seed(100 + seed)
    of_class, of_speaker = (torch.randn(count, NUMBERS, generator=generator) for count in (CLASSES, SPEAKERS + NEW))
    speakers = torch.cat([torch.arange(ITEMS) % SPEAKERS, SPEAKERS + torch.arange(TESTED) % NEW])
    classes = torch.randint(CLASSES, (ITEMS + TESTED,), generator=generator)
    if confounded:
        own = (torch.rand(ITEMS + TESTED, generator=generator) < 0.9) & (speakers < SPEAKERS)
        classes = torch.where(own, speakers % CLASSES, classes)
    noise = torch.randn(ITEMS + TESTED, NUMBERS, generator=generator)
    return 0.8 * of_class[classes] + 0.8 * of_speaker[speakers] + 1.2 * noise, classes, speakers


def none() -> tuple[Hide, list[nn.Parameter]]:
    return lambda z, speakers, classes, progress: z.new_zeros(()), []


def trained(weight: float) -> tuple[Hide, list[nn.Parameter]]:
    loss = AdversaryLoss(WIDTH, SPEAKERS)
    return lambda z, who, _, progress: weight * loss(z, who, reversal_schedule(progress)), list(loss.parameters())


def linear(weight: float, given: bool) -> tuple[Hide, list[nn.Parameter]]:
    loss = LinearAdversaryLoss(WIDTH, SPEAKERS, target_classes=CLASSES if given else 0)
    return lambda z, who, classes, progress: weight * loss(z, who, classes if given else None), []


PLANTED: dict[str, Callable[[], tuple[Hide, list[nn.Parameter]]]] = {
    "none": none,
    "`adversary` 0.1": lambda: trained(0.1),
    "`adversary` 1": lambda: trained(1.0),
    "`linear_adversary` 0.3, not given": lambda: linear(0.3, given=False),
    "`linear_adversary` 1, not given": lambda: linear(1.0, given=False),
    "`linear_adversary` 0.3": lambda: linear(0.3, given=True),
    "`linear_adversary` 1": lambda: linear(1.0, given=True),
}


def of_planted(hide: Callable[[], tuple[Hide, list[nn.Parameter]]], confounded: bool, seed: int) -> list[float]:
    """Speakers told linearly, by neighbours, and linearly within each class; UAR of the new speakers' items."""
    x, classes, speakers = planted(seed, confounded)
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Linear(NUMBERS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
    head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES))
    term, learners = hide()
    optimiser = torch.optim.Adam([*body.parameters(), *head.parameters(), *learners], 1e-3)
    steps, batch = 420, 96
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        rows = torch.randperm(ITEMS)[:batch]
        z = body(x[rows])
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(head(z), classes[rows])
        (value + term(z, speakers[rows], classes[rows], step / steps)).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        z = body(x)
        answers = head(z[ITEMS:]).argmax(1).numpy()
    told, who, what = z[:ITEMS].numpy(), speakers[:ITEMS].numpy(), classes[:ITEMS].numpy()
    probes = (
        group_probe(told, who), group_probe(told, who, classifier="neighbours"), group_probe_within(told, who, what),
    )  # fmt: skip
    return [*(100 * probe.uar if probe else math.nan for probe in probes), 100 * uar(classes[ITEMS:].numpy(), answers)]


def of_voices(terms: Sequence[dict], epochs: int, folder: Path, seed: int) -> list[float]:
    """What a run of synthetic voices tells; the voices are drawn anew by each seed."""
    world = folder / f"voices-{seed}"
    if not world.exists():
        make_synthetic_world(world, speakers=8, items_per_speaker=24, seed=seed)
    values = {
        "name": "voices", "data": str(world), "seed": seed,
        "corpora": [{"path": name} for name in ("alva", "boro", "cirin")],
        "labels": {"kind": "classes", "names": EMOTIONS},
        "features": {"kind": "log_mel", "level": -26.0, "normalise": {"scope": "corpus"}},
        "protocol": {"kind": "cross_corpus", "train": ["alva", "boro"], "test": ["cirin"],
                     "validate_by": "session", "allow": ["script"]},
        "encoder": {"kind": "mlp"},
        "terms": [{"kind": "cross_entropy"}, *terms],
        "training": {"epochs": epochs, "batch_size": 64, "learning_rate": 1e-3},
    }  # fmt: skip
    return of_run(values, folder)


def of_real(terms: Sequence[dict], target: str, folder: Path, seed: int) -> list[float]:
    """What a run of the recipe tells, with these terms in place of its adversary."""
    values = load_recipe(RECIPE).model_dump(mode="json", exclude_none=True)
    values |= {"seed": seed, "data": str(DATA / "speech")}
    values["protocol"]["target"] = target
    values["terms"] = [*values["terms"][:2], *terms]
    return of_run(values, folder)


def of_run(values: dict, folder: Path) -> list[float]:
    """Speakers of training, and of the test, before the net and after it, linearly and by neighbours; and both UARs."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        metrics = train(make_recipe(values), Path(place) / "run", quiet=True).metrics
    found = []
    for name in ("speaker", "tested_speaker"):
        for when in ("before", "after", "before_by_neighbours", "after_by_neighbours", "chance"):
            found.append(metrics["probes"].get(name, {}).get(when, math.nan))
    found += [metrics["validate"]["uar"], metrics["test"]["uar"]]
    return [100 * each for each in found]


OF_RUN = (
    "speakers, features", "embeddings", "features, near", "embeddings, near", "chance",
    "tested speakers, features", "embeddings", "features, near", "embeddings, near", "chance",
    "validation UAR", "test UAR",
)  # fmt: skip
OF_PLANTED = ("speakers", "near", "within a class", "new speakers' UAR")


def weighed(kind: str, weights: Iterable[float]) -> dict[str, list[dict]]:
    return {f"`{kind}` {weight:g}": [{"kind": kind, "groups": "speaker", "weight": weight}] for weight in weights}


def table(columns: Sequence[str], systems: dict[str, Callable[[int], list[float]]], seeds: range) -> None:
    """Prints a row a system as soon as it is known: the mean over seeds, and their standard deviation."""
    print(f"\n| | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for name, run in systems.items():
        each = np.array([run(seed) for seed in seeds])
        spread = each.std(0, ddof=1) if len(seeds) > 1 else np.full(each.shape[1], math.nan)
        cells = [f"{mean:.1f} ({sd:.1f})" for mean, sd in zip(each.mean(0), spread)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60, help="of the nets of synthetic voices")
    parser.add_argument("--real", action="store_true", help="real corpora, too")
    parser.add_argument("--targets", nargs="+", default=TARGETS, help="of the real corpora")
    parser.add_argument("--only", choices=("planted", "voices", "real"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(given.seeds)
    parts = [given.only] if given.only else ["planted", "voices", *(["real"] if given.real else [])]
    systems = {"none": [], **weighed("linear_adversary", (0.1, 0.3, 1)), **weighed("adversary", (1,))}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for confounded in (False, True) if "planted" in parts else ():
            print(
                f"\n## Planted vectors, {'confounded' if confounded else 'crossed'}; mean (sd) of {given.seeds} seeds"
            )
            runs = {name: functools.partial(of_planted, hide, confounded) for name, hide in PLANTED.items()}
            table(OF_PLANTED, runs, seeds)
        if "voices" in parts:
            print(f"\n## Synthetic voices, {given.epochs} epochs; mean (sd) of {given.seeds} seeds")
            runs = {name: functools.partial(of_voices, terms, given.epochs, folder) for name, terms in systems.items()}
            table(OF_RUN, runs, seeds)
        if "real" in parts:
            systems = {"none": [], **weighed("linear_adversary", (0.3, 1, 3)), **weighed("adversary", (1,))}
            for target in given.targets:
                print(f"\n## Target {target}; mean (sd) of {given.seeds} seeds")
                runs = {name: functools.partial(of_real, terms, target, folder) for name, terms in systems.items()}
                table(OF_RUN, runs, seeds)


if __name__ == "__main__":
    main()
