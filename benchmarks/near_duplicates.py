"""From which likeness on recordings are copies: other takes against copies under changes, on real corpora.

    python benchmarks/near_duplicates.py CORPORA [RECORDINGS]

CORPORA is a folder with ravdess, emodb, ased and urdu; RECORDINGS of them (default 300, drawn by a seed) are changed in
every way. Prints Markdown: how alike takes of one sentence by one actor are, whole and in parts; how alike
copies are, and how many are found among all recordings; and which recordings of the corpora are near-duplicates.
"""

import io
import re
import sys
import time
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import soundfile
import soxr

from affectspace.corpora import open_corpus
from affectspace.features import AudioFingerprint
from affectspace.features.fingerprints import FRAMES_PER_SECOND
from affectspace.media import read_audio
from affectspace.protocols.near_duplicates import alike, likeness, near_duplicates, overlap

RATE = 16000
# what two takes share: the name without the number of the take
TAKES = {
    "ravdess": r"(.*)-\d\d(-\d\d)$",
    "emodb": r"(.*)[a-z]$",
    "ased": r"(.*)-\d\d(-\d\d-\d\d)$",
}
LENGTHS = (0.51, 0.75, 1.0, 1.5, 2.0)  # seconds
SPREADS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def coded(kind: str, subtype: str, **how) -> Callable[[np.ndarray], np.ndarray]:
    def change(samples: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format=kind, subtype=subtype, **how)
        file.seek(0)
        return soundfile.read(file, dtype="float32")[0]

    return change


def noisy(decibels: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(samples: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(len(samples)).standard_normal(len(samples)).astype(np.float32)
        return samples + noise * samples.std() * 10 ** (-decibels / 20)

    return change


def resampled(rate: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda samples: soxr.resample(soxr.resample(samples, RATE, rate), rate, RATE)


def padded(before: float, behind: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda samples: np.pad(samples, (round(before * RATE), round(behind * RATE)))


def trimmed(before: float, behind: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda samples: samples[round(before * RATE) : len(samples) - round(behind * RATE)]


def peak(samples: np.ndarray) -> np.ndarray:
    return samples * (0.99 / np.abs(samples).max())


def several(samples: np.ndarray) -> np.ndarray:
    return coded("MP3", "MPEG_LAYER_III")(padded(0.25, 0.1)(resampled(8000)(0.3 * samples)))


MP3, LEAST = ("MP3", "MPEG_LAYER_III"), {"compression_level": 0.95, "bitrate_mode": "VARIABLE"}
CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "20 dB softer, in 16 bits": lambda samples: np.rint(samples * 3276.8).astype(np.float32) / 32768,
    "brought to its peak": peak,
    "Ogg Vorbis": coded("OGG", "VORBIS"),
    "Ogg Vorbis, lowest quality": coded("OGG", "VORBIS", compression_level=1.0),
    "MP3": coded(*MP3),
    "MP3, nearly lowest quality": coded(*MP3, **LEAST),
    "mu-law": coded("WAV", "ULAW"),
    "8 bits, brought to its peak": lambda samples: coded("WAV", "PCM_U8")(peak(samples)),
    "8 bits as it is": coded("WAV", "PCM_U8"),
    "8 kHz and back": resampled(8000),
    "11.025 kHz and back": resampled(11025),
    "0.3 s of silence before, 0.207 s behind": padded(0.3, 0.207),
    "1 s of silence before, 0.5 s behind": padded(1.0, 0.5),
    "53 ms less before, 47 ms behind": trimmed(0.053, 0.047),
    "203 ms less before, 100 ms behind": trimmed(0.203, 0.1),
    "white noise at -30 dB": noisy(30),
    "white noise at -20 dB": noisy(20),
    "white noise at -15 dB": noisy(15),
    "10 dB softer, 8 kHz, silence, MP3": several,
}


def takes(names: list[str], corpora: list[str]) -> Iterator[tuple[int, int]]:
    """Places of recordings of one sentence by one actor, feeling and strength, and different takes of it."""
    alike_named: dict[tuple[str, ...], list[int]] = {}
    for place, (name, corpus) in enumerate(zip(names, corpora)):
        if fit := re.match(TAKES.get(corpus, "$"), name):
            alike_named.setdefault((corpus, *fit.groups()), []).append(place)
    for places in alike_named.values():
        yield from combinations(places, 2)


def parts(one: np.ndarray, other: np.ndarray) -> Iterator[tuple[float, float]]:
    """Likeness and spread of two takes in all parts of half a second and more, as they lie best as a whole."""
    one, other = overlap(one, other)
    for seconds in LENGTHS:
        frames = round(seconds * FRAMES_PER_SECOND)
        for start in range(0, len(one) - frames + 1, 24):
            yield likeness(one[start : start + frames], other[start : start + frames])


def main(root: Path, drawn: int) -> None:
    frontend = AudioFingerprint()
    names, corpora, samples = [], [], []
    for name in ("ravdess", "emodb", "ased", "urdu"):
        corpus = open_corpus(root / name)
        names += corpus.items["id"].tolist()
        corpora += [name] * len(corpus)
        samples += [read_audio(corpus.root / path) for path in corpus.items["audio"]]
    began = time.process_time()
    made = [frontend.compute(each) for each in samples]
    printed = time.process_time()
    first = near_duplicates(made)
    took = f"{printed - began:.1f} s for fingerprints, {time.process_time() - printed:.1f} s to match"
    without = sum(len(each) == 1 for each in made)
    print(f"{len(made):,} recordings, {without} without a fingerprint; CPU: {took}\n")

    pairs = [(one, other) for one, other in takes(names, corpora) if first[one] != first[other] >= 0 <= first[one]]
    whole = np.sort([alike(made[one], made[other])[0] for one, other in pairs])
    print(f"{len(pairs):,} pairs of takes: median {np.median(whole):.3f}, most {whole[-3:][::-1].round(3).tolist()}")
    found = np.array([each for one, other in pairs for each in parts(made[one], made[other])])
    for low, high in pairwise(SPREADS):
        within = found[(found[:, 1] >= low) & (found[:, 1] < high), 0]
        print(f"  parts spread over {low:g} to {high:g} s: {len(within):,}, most {within.max():.3f}")

    chosen = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(first >= 0))[:drawn])
    print(f"\n| change of {drawn} recordings | lowest | of 5 % | of half | found |\n| --- | --- | --- | --- | --- |")
    for name, change in CHANGES.items():
        copies = [frontend.compute(np.asarray(change(samples[place]), np.float32)) for place in chosen]
        found = np.array([alike(made[place], each)[0] if len(each) > 1 else 0 for place, each in zip(chosen, copies)])
        label = near_duplicates([*made, *copies])
        share = (label[len(made) :] == label[chosen]).mean()
        low, some, half = np.quantile(found, [0, 0.05, 0.5])
        print(f"| {name} | {low:.2f} | {some:.2f} | {half:.2f} | {share:.1%} |", flush=True)

    print("\nnear-duplicates in the corpora:")
    for place in np.unique(first[first >= 0]):
        members = np.flatnonzero(first == place)
        one = members[0]
        for other in members[1:]:
            how, over = alike(made[one], made[other])
            print(
                f"  {corpora[one]}/{names[one]}, {corpora[other]}/{names[other]}: {how:.3f}, spread over {over:.2f} s"
            )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300)
