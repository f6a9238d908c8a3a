"""``python -m benchmarks``: every benchmark in a process of its own; the table is kept under results/, dated.

What needs real corpora or hours is run by itself: ``paper_protocol.py``, ``real_speech.py``, ``real_studies.py``;
``spaces.py`` draws the picture of the README.
"""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "losses.py", "cached_gradients.py", "planted_order.py", "log_mel.py", "triplets.py", "conv_pool.py", "buckets.py",
    "training_cost.py", "theorem.py", "speaker_intervals.py",
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
    pages = [f"# Benchmarks, {datetime.date.today()}\n\n{machine()}\n"]
    for script in SCRIPTS:
        print(f"{script} ...", file=sys.stderr)
        done = subprocess.run([sys.executable, str(HERE / script)], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{script} failed:\n{done.stderr}")
        pages.append(f"## {script}\n\n```text\n{done.stdout.rstrip()}\n```\n")
    path = HERE / "results" / f"{datetime.date.today()}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(pages), encoding="utf-8")
    print("\n".join(pages))
    print(f"kept in {path}")


if __name__ == "__main__":
    main()
