"""Clips for ``bulk_embedding.py``: real recordings at another speed and loudness, with noise; some cannot be read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import soxr

from affectspace.corpora import open_corpus
from affectspace.files import inside
from affectspace.media import read_audio

__all__ = ["BAD", "make_clips"]

CORPORA = ("emodb", "ravdess", "urdu", "ased")
BAD = 10  # files of each kind
RATE = 16000


def broken(path: Path, kind: str, whole: bytes) -> None:
    """A file of which no feature can be made."""
    path.unlink(missing_ok=True)
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_bytes(b"this is no sound\n" * 50)
        case "cut":
            path.write_bytes(whole[: len(whole) // 3])
        case "silent":
            soundfile.write(path, np.zeros(RATE), RATE)
        case "short":
            soundfile.write(path, np.full(200, 0.1), RATE)


def make_clips(folder: Path, speech: Path, count: int) -> None:
    """The corpus: items.csv, bad.json, and audio/ in folders of a thousand."""
    generator = np.random.default_rng(0)
    real = [inside(corpus.root, path) for corpus in (open_corpus(speech / name) for name in CORPORA)
            for path in corpus.items["audio"].dropna()]  # fmt: skip
    kinds = ["missing", "empty", "text", "cut", "silent", "short"]
    planted = dict(zip(generator.choice(count, BAD * len(kinds), replace=False).tolist(), kinds * BAD))
    rows, bad = [], {}
    for place in range(count):
        name = f"audio/{place // 1000:02d}/{place:05d}.flac"
        rows.append((f"{place:05d}", name, f"s{place % 97}"))
        if kind := planted.get(place):
            bad[f"clips/{place:05d}"] = kind
        if (folder / name).exists() or kind == "missing":
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        generator = np.random.default_rng(place)
        samples = read_audio(real[place % len(real)], RATE)[: 4 * RATE]
        speed, gain, noise = generator.uniform(0.85, 1.15), generator.uniform(0.3, 0.9), generator.uniform(0, 0.01)
        samples = soxr.resample(samples, RATE, RATE / speed)
        samples = samples / max(np.abs(samples).max(), 1e-3) * gain
        samples += generator.normal(0, noise, len(samples)).astype(np.float32)
        soundfile.write(folder / name, np.clip(samples, -1, 1), RATE)
        if kind:
            broken(folder / name, kind, (folder / name).read_bytes())
    (folder / "bad.json").write_text(json.dumps(bad))
    pd.DataFrame(rows, columns=["id", "audio", "speaker"]).to_csv(folder / "items.csv", index=False)
