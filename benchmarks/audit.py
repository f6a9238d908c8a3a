"""The audit of many recordings: how long it takes, and whether it finds what was planted and nothing else.

    python benchmarks/audit.py [RECORDINGS, default 10,000]

Recordings of 2 to 3 s are strung together from 600 syllables of synthetic voices, each said faster or slower, higher or
lower, over some noise, so that no two are alike as a whole, and many in a syllable. Half of them train, and speakers
and scripts of either half are its own. Then 50 copies of each kind are put in the place of tested recordings (coded,
softer, at half the rate, with silence, noisy), and 50 tested items are given the speaker of a training item, 50 the
script of one. Seconds are told as the clock's and the processor's, of all processes; the store of fingerprints is new
each time, so that every file is decoded.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded; a process for each core is faster

import numpy as np
import pandas as pd
import soundfile
import soxr

from affectspace.corpora.speakers import LANGUAGES, make_speaker
from affectspace.features import AudioFingerprint, FeatureStore
from affectspace.media import read_audio
from affectspace.media.voice import PHONES, Segment, Voice, speak
from affectspace.protocols import Split, audit
from affectspace.protocols.near_duplicates import near_duplicate_groups

RATE, SYLLABLES, EACH = 16000, 600, 50
OF_SPEAKER, SCRIPTS = 25, 100  # recordings of one speaker, and scripts of either half
CODED = {"ogg": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III")}
CHANGES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "ogg": lambda samples, rng: samples,
    "mp3": lambda samples, rng: samples,
    "softer": lambda samples, rng: samples * rng.uniform(0.05, 0.5),
    "8 kHz": lambda samples, rng: soxr.resample(soxr.resample(samples, RATE, 8000), 8000, RATE),
    "silence": lambda samples, rng: np.pad(samples, rng.integers(800, 6400, 2)),
    "noise": lambda samples, rng: samples + 0.1 * samples.std() * rng.standard_normal(len(samples)),
}


def syllables(rng: np.random.Generator) -> list[np.ndarray]:
    made = []
    for number in range(SYLLABLES):
        language = list(LANGUAGES.values())[number % 3]
        speaker = make_speaker(number, rng)
        phones = [str(rng.choice(kind)) for kind in (language.onsets, language.vowels, language.codas)]
        said = [
            Segment(phone, PHONES[phone].seconds * rng.uniform(0.8, 1.4), speaker.pitch * rng.uniform(0.9, 1.1))
            for phone in phones
            if phone
        ]
        made.append(speak(said, Voice(tract=speaker.tract, breath=0.05), rng))
    return made


def recording(bank: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    wanted, parts = rng.uniform(2, 3) * RATE, []
    while sum(map(len, parts)) < wanted:
        one = bank[rng.integers(len(bank))]
        places = np.arange(0, len(one) - 1, rng.uniform(0.8, 1.25))
        parts += [np.interp(places, np.arange(len(one)), one) * rng.uniform(0.3, 1), np.zeros(rng.integers(1600))]
    samples = np.concatenate(parts)[: int(wanted)]
    return 0.1 * samples + 0.001 * rng.standard_normal(len(samples))


def lay(folder: Path, count: int) -> pd.DataFrame:
    """A corpus of recordings, half of which train, with speakers and scripts of their own."""
    rng, half = np.random.default_rng(0), count // 2
    bank, rows = syllables(rng), []
    for number in range(count):
        path = folder / f"{number}.flac"
        soundfile.write(path, np.clip(recording(bank, rng), -1, 1), RATE)
        part, place = divmod(number, half)
        named = {"speaker": f"{part}-{place // OF_SPEAKER}", "script": f"{part}-{place % SCRIPTS}"}
        rows.append({"id": str(number), "path": str(path), "corpus": "synthetic", **named})
    return pd.DataFrame(rows)


def plant(folder: Path, items: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Copies of training recordings in the place of tested ones; and for each of these how it was changed."""
    rng, half = np.random.default_rng(1), len(items) // 2
    kinds = np.repeat(list(CHANGES), min(EACH, half // len(CHANGES)))
    pairs = zip(kinds, rng.permutation(half), half + rng.permutation(len(items) - half))
    paths, planted = items["path"].tolist(), {}
    for kind, source, place in pairs:
        samples = CHANGES[kind](read_audio(paths[source]), rng)
        path = folder / f"copy-{place}.{kind if kind in CODED else 'flac'}"
        form, subtype = CODED.get(kind, ("FLAC", "PCM_16"))
        soundfile.write(path, np.clip(samples, -1, 1), RATE, format=form, subtype=subtype)
        paths[place], planted[place] = str(path), (kind, source)
    return items.assign(path=paths), pd.Series(planted)


def lend(items: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Names of training speakers and scripts, each given to one tested item; and of how many that is."""
    rng, half, lent = np.random.default_rng(2), len(items) // 2, {}
    items = items.copy()
    for kind in ("speaker", "script"):
        names = rng.permutation(items[kind].iloc[:half].unique())[:EACH]
        items.loc[half + rng.permutation(len(items) - half)[: len(names)], kind] = names
        lent[kind] = len(names)
    return items, lent


def spent() -> tuple[float, float]:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)


def audited(store: Path, items: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The items with their near-copies, and how many groups of each kind cross over."""
    began = spent()
    made = FeatureStore(store).extract(items, AudioFingerprint(), progress=False)
    heard = spent()
    items = items.assign(audio_sha=made.audio_sha, near_audio=near_duplicate_groups(items, list(made)))
    matched = spent()
    half = len(items) // 2
    leaks = audit(items, Split("halves", np.arange(half), [], np.arange(half, len(items))))
    told = spent()
    for what, one, other in (
        ("decoding, hashes and fingerprints", began, heard),
        ("matching", heard, matched),
        ("the audit itself", matched, told),
        ("all", began, told),
    ):
        print(f"  {what}: {other[0] - one[0]:.1f} s, of the processor {other[1] - one[1]:.1f} s")
    for leak in leaks:
        print(f"  {leak.fact}")
    return items, {leak.group: leak.groups for leak in leaks}


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        items = lay(folder, count)
        seconds = sum(soundfile.info(path).duration for path in items["path"])
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        print(f"{count:,} recordings of {seconds / 3600:.1f} h; {cores} cores, load {os.getloadavg()[0]:.1f}")
        print("clean:")
        heard, leaks = audited(folder / "clean", items)
        groups = heard["near_audio"]
        print(f"  groups of more than one: {int((groups.value_counts() > 1).sum())}, leaks: {sum(leaks.values())}")
        items, planted = plant(folder, items)
        items, lent = lend(items)
        print(f"with {len(planted)} copies, {lent['speaker']} speakers and {lent['script']} scripts:")
        heard, leaks = audited(folder / "planted", items)
        groups = heard["near_audio"]
        found = {row: groups[row] == groups[source] for row, (_, source) in planted.items()}
        kinds = pd.Series(found).groupby([kind for kind, _ in planted]).agg(["sum", "count"])
        told = ", ".join(f"{kind} {own['sum']}/{own['count']}" for kind, own in kinds.iterrows())
        members = groups.value_counts()
        wrong = int((members - 1).sum()) - sum(found.values())
        print(f"  found/planted: {sum(found.values())}/{len(planted)} ({told}); found and not planted: {wrong}")
        for kind, count in lent.items():
            print(f"  {kind}s found/planted: {leaks.get(kind, 0)}/{count}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
