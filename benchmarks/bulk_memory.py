"""The memory of one process that embeds the same shards over and over, as a worker of a cluster goes on for days.

    python benchmarks/bulk_memory.py RUN CORPUS FOLDER

RUN and CORPUS are those of ``bulk_embedding.py``, or any; FOLDER is an empty one. Of each of four passes over the first
ten shards, the MiB after each shard.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

from affectspace.space.bulk import embed_in_shards
from affectspace.space.bulk_job import Job
from affectspace.space.bulk_shard import embed_shard
from affectspace.space.sharded import note_name, tries_name

PASSES, SHARDS = 4, 10


def over_and_over(job: Job, shards: Sequence[int]) -> Iterator[dict]:
    """An engine that makes nothing else, and says what it needs."""
    for turn in range(1, PASSES + 1):
        told = []
        for shard in shards[:SHARDS]:
            for name in (note_name(shard), tries_name(shard)):
                Path(job.out, name).unlink(missing_ok=True)
            told.append(f"{embed_shard(job, shard)['rss'] / 2**20:.0f}")
        print(f"pass {turn}: {' '.join(told)}", flush=True)
    raise SystemExit
    yield {}


if __name__ == "__main__":
    embed_in_shards(sys.argv[1], [sys.argv[2]], sys.argv[3], over_and_over, command="", quiet=True)
