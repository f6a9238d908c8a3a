"""``python -m benchmarks``: every benchmark in a process of its own; the table is kept under results/, dated.

What needs real corpora or hours is run by itself: ``ordinal_tabular.py``, ``paper_protocol.py``, ``real_speech.py``,
``real_studies.py``; ``spaces.py`` draws the picture of the README.
"""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "losses.py", "cached_gradients.py", "planted_order.py", "log_mel.py", "augmentation.py", "triplets.py",
    "conv_pool.py", "speech_nets.py", "buckets.py", "training_cost.py", "theorem.py", "speaker_intervals.py",
)  # fmt: skip


def machine() -> str:
    """Processor, cores, and how busy they are: timings drift by a factor of two, ratios do not."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    name = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name or platform.machine()}, {os.cpu_count()} cores{load}; Python {platform.python_version()}"


def main() -> None:
    path = HERE / "results" / f"{datetime.date.today()}.md"
    path.parent.mkdir(exist_ok=True)
    pages = [f"# Benchmarks, {datetime.date.today()}\n\n{machine()}\n"]
    failed: list[str] = []
    for script in SCRIPTS:
        print(f"{script} ...", file=sys.stderr)
        done = subprocess.run([sys.executable, str(HERE / script)], capture_output=True, text=True, check=False)
        told = done.stdout.rstrip()
        if done.returncode:
            failed.append(f"{script} failed:\n{done.stderr}")
            told = f"{told}\nfailed".lstrip()
        pages.append(f"## {script}\n\n```text\n{told}\n```\n")
        # After each, so that half an hour's figures are not lost with a later one's failure.
        path.write_text("\n".join(pages), encoding="utf-8")
    print("\n".join(pages))
    print(f"kept in {path}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
