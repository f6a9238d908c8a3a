"""What 100,000 hours of speech cost at each step: storage, core or GPU hours and money, by measured rates.

    python benchmarks/scale_plan.py [RATES.json]

prints the tables of docs/scale.md. RATES.json is what ``scale_rates.py`` has measured, by default
``results/scale-rates.json``. Prices, and what a GPU does, are assumptions, listed first; change them to yours.
"""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

HOURS, ITEM_SECONDS, DIMENSIONS, EPOCHS = 100_000, 4.0, 128, 30
PRICES = {
    "a core hour": 0.04,
    "a GPU hour": 2.0,
    "a TB in an object store, a month": 23.0,
    "a TB on a fast disk, a month": 80.0,
    "a million requests to an object store": 0.4,
}
GPU_FLOPS = 2e13
"""Operations a second that a GPU is taken to sustain on these nets; assumed, not measured."""
INDEX_SECONDS, INDEX_BYTES, INDEX_ITEMS = 73.8, 0.58 * 2**30, 1e6
"""A million vectors of 128 in lists of compressed ones: results/2026-11-23-vector-engines.md."""


@dataclass(frozen=True)
class Step:
    """One step over all hours.

    Args:
        name: of the step.
        read, written: bytes.
        core_seconds: of all cores together, everything on cores.
        fed_seconds: of cores, where the net is on a GPU; what remains is to read and to compute features.
        operations: of the net, in all.
        kept: what is kept of it, as :data:`PRICES` calls it; empty where it can be made again.
        requests: to a store of single files.
    """

    name: str
    read: float = 0.0
    written: float = 0.0
    core_seconds: float = 0.0
    fed_seconds: float = 0.0
    operations: float = 0.0
    kept: str = ""
    requests: float = 0.0

    @property
    def asked(self) -> float:
        """Money for requests."""
        return self.requests / 1e6 * PRICES["a million requests to an object store"]

    @property
    def on_cores(self) -> float:
        """Money for doing it on cores."""
        return self.core_seconds / 3600 * PRICES["a core hour"] + self.asked

    @property
    def gpu_hours(self) -> float:
        return self.operations / GPU_FLOPS / 3600

    @property
    def on_gpus(self) -> float:
        """Money for doing it with the net on GPUs, fed by cores."""
        if not self.operations:
            return 0.0
        fed = self.fed_seconds / 3600 * PRICES["a core hour"]
        return self.gpu_hours * PRICES["a GPU hour"] + fed + self.asked

    @property
    def monthly(self) -> float:
        """Money for keeping what it writes."""
        return self.written / 1e12 * PRICES[self.kept] if self.kept else 0.0


def steps(rates: dict) -> list[Step]:
    """The steps in their order."""
    seconds = {name: figures["median"] for name, figures in rates["cpu_seconds_an_hour"].items()}
    sizes, operations = rates["bytes_an_hour"], rates["flop_an_hour"]
    items = HOURS * 3600 / ITEM_SECONDS
    read, mel = seconds["read FLAC"], seconds["log-Mel energies"]
    store, fast = "a TB in an object store, a month", "a TB on a fast disk, a month"
    flac, features = HOURS * sizes["FLAC"], HOURS * sizes["log-Mel energies in the feature store"]
    space = items * rates["bytes_an_item"]["space"]
    stored, wavlm = "FLAC to log-Mel energies in the feature store", "WavLM Base, 94 million weights"
    by_conv_pool = "embed by Conv-Pool, of log-Mel energies"

    def trained(net: str) -> Step:
        epoch = f"an epoch of {net} by cross-entropy"
        work = EPOCHS * HOURS * seconds[epoch]
        # A gradient takes twice the operations of what it is the gradient of.
        count = 3 * EPOCHS * HOURS * operations[f"embed by {net}, of log-Mel energies"]
        return Step(f"train {net}, {EPOCHS} epochs", EPOCHS * features, 0, work, 0, count)

    def embedded(name: str, before: float, net: str) -> Step:
        work, fed, count = HOURS * (before + seconds[net]), HOURS * before, HOURS * operations[net]
        return Step(name, flac, space, work, fed, count, store, items)

    millions = items / INDEX_ITEMS  # of vectors; an item is compared with 4 sqrt(items) lists
    return [
        Step("keep the recordings, as FLAC", 0, flac, kept=store),
        Step("check that all can be read", flac, 0, HOURS * read, requests=items),
        Step("features, log-Mel", flac, features, HOURS * seconds[stored], kept=fast, requests=items),
        trained("Conv-Pool"),
        trained("SpeechNet"),
        embedded("embed by Conv-Pool, from FLAC", read + mel, by_conv_pool),
        embedded("embed by WavLM Base, from FLAC", read, wavlm),
        Step(
            "index the vectors, `ivf-pq`",
            space,
            millions * INDEX_BYTES,
            millions * math.sqrt(millions) * INDEX_SECONDS,
            kept=fast,
        ),
    ]


def rates_table(rates: dict) -> str:
    """What was measured, as Markdown."""
    lines = ["| step | CPU seconds an hour of speech | GFLOP |", "| --- | ---: | ---: |"]
    for name, each in rates["cpu_seconds_an_hour"].items():
        count = rates["flop_an_hour"].get(name)
        told = f"{each['median']:.2f} ({each['least']:.2f} to {each['most']:.2f})"
        lines.append(f"| {name} | {told} | {f'{count / 1e9:,.0f}' if count else ''} |")
    lines += ["", "| kept | MB an hour of speech |", "| --- | ---: |"]
    lines += [f"| {name} | {size / 1e6:.1f} |" for name, size in rates["bytes_an_hour"].items()]
    return "\n".join(lines)


def table(rates: dict) -> str:
    """The steps as Markdown."""
    lines = [
        "| step | read, TB | written, TB | core hours | on cores, $ | or GPU hours | with GPUs, $ | kept a month, $ |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for step in steps(rates):
        bytes_ = [step.read / 1e12, step.written / 1e12]
        work = [step.core_seconds / 3600, step.on_cores, step.gpu_hours, step.on_gpus, step.monthly]
        told = [f"{figure:,.1f}" if figure < 100 else f"{figure:,.0f}" for figure in bytes_ + work]
        lines.append(f"| {step.name} | {' | '.join('' if each == '0.0' else each for each in told)} |")
    return "\n".join(lines)


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results" / "scale-rates.json"
    rates = json.loads(path.read_text(encoding="utf-8"))
    print("\n".join(f"{name}: ${price:g}" for name, price in PRICES.items()))
    print(f"a GPU: {GPU_FLOPS / 1e12:g} TFLOP/s\n")
    print(rates_table(rates), table(rates), sep="\n\n")


if __name__ == "__main__":
    main()
