"""What an hour of speech costs at each step, on one core: the rates from which docs/scale.md is worked out.

    python benchmarks/scale_rates.py FOLDER [RESULT.json]

FOLDER holds recordings (FLAC or WAV), of which some minutes are taken, drawn by a fixed seed. CPU seconds are those
of one thread, per hour of audio; steps take turns over the rounds, so that a busy machine slows all, and the median
over the rounds is told with the least and the most. Sizes are of files as they are written. Nets with random weights
do the work of trained ones; the pretrained one is looked at on every tenth recording. No graphics card is measured:
operations are counted (two for each multiplication and addition, as PyTorch's counter does), by which one can be
worked out.
"""

import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import numpy as np
import pandas as pd
import soundfile
import torch
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode
from transformers import WavLMConfig, WavLMModel

from affectspace.encoders import Batch, ConvPool, SpeechNet, pad
from affectspace.features import FeatureStore, LogMel
from affectspace.media import read_audio
from affectspace.space import Space

ROUNDS, MINUTES, CLASSES, BATCH, DIMENSIONS = 5, 12.0, 4, 32, 128
TENTH = 10
HOUR = 3600.0


def drawn(folder: Path) -> list[Path]:
    """Recordings of about :data:`MINUTES` altogether, the same ones each time."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".flac", ".wav"})
    kept, seconds = [], 0.0
    for place in np.random.default_rng(0).permutation(len(files)):
        kept.append(files[place])
        seconds += soundfile.info(files[place]).duration
        if seconds >= 60 * MINUTES:
            break
    return kept


def encoded(clips: list[np.ndarray], kind: str, subtype: str | None = None) -> list[bytes]:
    made = []
    for clip in clips:
        file = io.BytesIO()
        soundfile.write(file, clip, 16000, format=kind, subtype=subtype)
        made.append(file.getvalue())
    return made


def forward(net: torch.nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], object]:
    def run() -> None:
        net.eval()
        with torch.inference_mode():
            for values, lengths in batches:
                net(Batch(values, lengths))

    return run


def wavlm(clips: list[np.ndarray]) -> Callable[[], object]:
    """The size of WavLM Base, clip by clip, as its layers are kept as features."""
    net = WavLMModel(WavLMConfig()).eval()
    parametrize.remove_parametrizations(net.encoder.pos_conv_embed.conv, "weight")  # the counter cannot look through it

    def run() -> None:
        with torch.inference_mode():
            for clip in clips:
                net(torch.from_numpy(clip)[None])

    return run


def epoch(net: torch.nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], object]:
    optimiser = torch.optim.Adam(net.parameters(), 1e-4, fused=True)

    def run() -> None:
        net.train()
        for values, lengths in batches:
            optimiser.zero_grad()
            targets = torch.arange(len(lengths)) % CLASSES
            functional.cross_entropy(net(Batch(values, lengths)).logits, targets).backward()
            optimiser.step()

    return run


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    files = drawn(Path(sys.argv[1]))
    clips = [read_audio(path) for path in files]
    hours = sum(map(len, clips)) / 16000 / HOUR
    mel = LogMel()
    frames = sorted((mel.compute(clip) for clip in clips), key=len)
    parts = [frames[start : start + BATCH] for start in range(0, len(frames), BATCH)]
    batches = [pad([torch.from_numpy(clip) for clip in part]) for part in parts]
    wavs, flacs = encoded(clips, "WAV", "PCM_16"), encoded(clips, "FLAC", "PCM_16")
    mp3s = encoded(clips, "MP3")
    nets = {"Conv-Pool": ConvPool(40, CLASSES), "SpeechNet": SpeechNet(40, CLASSES)}

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        named = {".wav": wavs, ".flac": flacs, ".mp3": mp3s}
        paths: dict[str, list[Path]] = {}
        for ending, contents in named.items():
            paths[ending] = [place / f"{number}{ending}" for number in range(len(contents))]
            for path, content in zip(paths[ending], contents):
                path.write_bytes(content)
        media = pd.DataFrame({"id": [str(n) for n in range(len(clips))], "path": [str(p) for p in paths[".flac"]]})
        stores = iter(range(1000))

        def stored() -> None:
            FeatureStore(place / f"store-{next(stores)}").extract(media, mel, workers=1, progress=False)

        steps: dict[str, Callable[[], object]] = {
            "read WAV": lambda: [read_audio(path) for path in paths[".wav"]],
            "read FLAC": lambda: [read_audio(path) for path in paths[".flac"]],
            "read MP3": lambda: [read_audio(path) for path in paths[".mp3"]],
            "log-Mel energies": lambda: [mel.compute(clip) for clip in clips],
            "FLAC to log-Mel energies in the feature store": stored,
            **{f"embed by {name}, of log-Mel energies": forward(net, batches) for name, net in nets.items()},
            "WavLM Base, 94 million weights": wavlm(clips[::TENTH]),
            **{f"an epoch of {name} by cross-entropy": epoch(net, batches) for name, net in nets.items()},
        }
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        looked_at = {name: sum(map(len, clips[::TENTH])) / 16000 / HOUR for name in steps if "WavLM" in name}
        for turn in range(ROUNDS + 1):
            for name, step in steps.items():
                began = time.process_time()
                step()
                if turn:  # the first warms up
                    seconds[name].append((time.process_time() - began) / looked_at.get(name, hours))
        operations = {}
        for name, step in steps.items():
            if any(word in name for word in ("embed", "WavLM")):
                with FlopCounterMode(display=False) as counter:
                    step()
                operations[name] = counter.get_total_flops() / looked_at.get(name, hours)
        vectors = np.random.default_rng(0).standard_normal((len(clips), DIMENSIONS)).astype(np.float32)
        items = pd.DataFrame({"id": [f"corpus/{path.stem}" for path in files], "corpus": "corpus", "label": "sad"})
        items["probabilities"] = list(np.full((len(clips), CLASSES), 1 / CLASSES, np.float32))
        rows = np.arange(100_000) % len(clips)
        many = items.iloc[rows].assign(id=[f"corpus/{number:09d}" for number in range(len(rows))])
        Space(many.reset_index(drop=True), vectors[rows], ["sad", "happy", "angry", "neutral"]).save(place / "space")
        space = (place / "space").stat().st_size / len(rows)
        entry = next((place / "store-0").glob("*/values.npy"))
        sizes = {
            "WAV, 16 bit, 16 kHz": sum(map(len, wavs)) / hours,
            "FLAC": sum(map(len, flacs)) / hours,
            "MP3": sum(map(len, mp3s)) / hours,
            "log-Mel energies in the feature store": entry.stat().st_size / hours,
            f"a space of {DIMENSIONS} dimensions": space * len(clips) / hours,
        }

    print(f"{len(clips)} recordings, {hours * 60:.1f} minutes, mean {hours * HOUR / len(clips):.2f} s; one thread")
    print(f"{'CPU seconds an hour of audio':50} {'median':>8}  (least to most of {ROUNDS} rounds)")
    spread: dict[str, dict[str, float]] = {}
    for name, each in seconds.items():
        print(f"{name:50} {np.median(each):8.2f}  ({min(each):.2f} to {max(each):.2f})")
        figures = {"median": np.median(each), "least": min(each), "most": max(each)}
        spread[name] = {word: round(float(figure), 3) for word, figure in figures.items()}
    print("\nMB an hour of audio")
    for name, size in sizes.items():
        print(f"{name:50} {size / 1e6:8.2f}")
    print("\nGFLOP an hour of audio")
    for name, count in operations.items():
        print(f"{name:50} {count / 1e9:8.1f}")
    told = {
        "cpu_seconds_an_hour": spread,
        "flop_an_hour": {name: round(count) for name, count in operations.items()},
        "bytes_an_hour": {name: round(size) for name, size in sizes.items()},
        "bytes_an_item": {"space": round(space, 1)},
    }
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
