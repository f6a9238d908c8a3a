"""The f-SPL paper's whole protocol on synthetic corpora: 1,008 trainings, killed three times on the way.

    python benchmarks/paper_protocol.py                 all of it
    python benchmarks/paper_protocol.py --seeds 3       a cut-down version: 3 seeds, 1 grid run
    python benchmarks/paper_protocol.py --corpora       only makes the two corpora

The study is sent SIGKILL at random moments, as many times as --kills says, and started again by the same command.
Shown: how long it takes against what was predicted before it began, what the machinery costs beside the trainings,
and that no finished run was touched again.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import tomli_w

HERE = Path(__file__).parent
RECIPES = HERE.parent / "recipes" / "paper_protocol"
PLACE = HERE.parent / "runs" / "paper_protocol"
COMMAND = [sys.executable, "-c", "from affectspace.cli.app import main; main()", "study"]


def make_corpora(root: Path) -> None:
    """Twelve speakers in six sessions each, sixteen items a speaker, judged by five raters."""
    from affectspace.corpora import make_synthetic

    for language in ("alva", "boro"):
        if not (root / language / "items.csv").is_file():
            make_synthetic(root / language, language, speakers=12, items_per_speaker=16)


def study_file(place: Path, seeds: int | None) -> Path:
    """The study as it is, or a cut-down one."""
    if seeds is None:
        return RECIPES / "study.toml"
    values = tomllib.loads((RECIPES / "study.toml").read_text())
    values["seeds"], values["grid"]["runs"] = seeds, 1
    for entry in values["recipes"]:
        entry["path"] = str(RECIPES / entry["path"])
    path = place / "short.toml"
    path.write_text(tomli_w.dumps(values))
    return path


def finished(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """When each finished run was finished, and its figures."""
    runs = (path for top in ("grid", "runs") for path in (folder / top).rglob("metrics.json"))
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in runs}


def children(parent: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=PLACE / "study")
    asked = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    make_corpora(PLACE / "corpora")
    if asked.corpora:
        return
    shutil.rmtree(asked.out, ignore_errors=True)
    words = [
        *COMMAND,
        str(study_file(PLACE, asked.seeds)),
        "--out",
        str(asked.out),
        "--processes",
        str(asked.processes),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    generator = random.Random()
    shares = sorted(generator.uniform(0.03, 0.95) for _ in range(asked.kills))
    kept: dict[Path, tuple[int, bytes]] = {}
    planned, waited, began = None, 0.0, time.monotonic()
    for share in shares:
        study = subprocess.Popen(words, env=environment)
        while study.poll() is None:
            time.sleep(0.2)
            if planned is None and (asked.out / "timing.json").is_file():
                planned = json.loads((asked.out / "timing.json").read_text()).get("planned")
            if planned and len(finished(asked.out)) >= share * planned:
                time.sleep(generator.uniform(0, 1))
                break
        if study.poll() is not None:
            sys.exit(f"the study ended with exit code {study.returncode} before it could be killed")
        workers = children(study.pid)
        study.send_signal(signal.SIGKILL)
        study.wait()
        since = time.monotonic()
        while left := [pid for pid in workers if Path(f"/proc/{pid}").exists()]:
            time.sleep(0.001)
            if time.monotonic() - since > 10:
                sys.exit(f"processes {left} have outlived the study that started them")
        waited = max(waited, time.monotonic() - since)
        now = finished(asked.out)
        check(kept, now)
        kept = now
        print(f"killed with {len(kept):,} of {planned:,} runs finished", flush=True)
    done = subprocess.run(words, env=environment, check=False)
    if done.returncode:
        sys.exit(f"the study ended with exit code {done.returncode}")
    wall = time.monotonic() - began
    now = finished(asked.out)
    check(kept, now)
    timing = json.loads((asked.out / "timing.json").read_text())
    ratio = timing["predicted_seconds"] / timing["seconds"]
    trained = timing["grid_seconds"] + timing["run_seconds"]
    share = trained / (asked.processes * timing["seconds"])
    print(f"{len(now):,} runs, {asked.kills} kills; {len(kept):,} of them finished before the last one, none run again")
    print(f"last process of a killed study gone after at most {1000 * waited:.0f} ms")
    print(f"predicted {timing['predicted_seconds']:.0f} s, took {timing['seconds']:.0f} s: {ratio:.2f}")
    print(f"wall time of all calls {wall:.0f} s, starting, opening data and writing the report included")
    print(f"training {trained:.0f} s on {asked.processes} processes: {100 * share:.0f} % of their time")
    print((asked.out / "table.md").read_text())
    if not 0.8 <= ratio <= 1.25:
        sys.exit("the prediction is off by more than a fifth")


def check(before: dict[Path, tuple[int, bytes]], now: dict[Path, tuple[int, bytes]]) -> None:
    """Every run that was finished is as it was."""
    if touched := [path for path, was in before.items() if now.get(path) != was]:
        sys.exit(f"{len(touched)} finished runs were touched again, such as {touched[0]}")


if __name__ == "__main__":
    main()
