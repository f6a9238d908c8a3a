"""A million vectors in both engines: built from shards, searched with and without conditions, and killed while written.

    python benchmarks/vector_engines.py [ITEMS]

128 dimensions, as benchmarks/neighbours.py draws them, in 16 shards of Parquet with conditions that half of the
items, one in a hundred and one in ten thousand meet. One thread. Each part is a process of its own; what of a mapped
file is in memory counts in its "peak", and not in its "own", which is memory that the machine cannot take back.
Last, 100,000 vectors in the local modes of the two engines that could be chosen from, Milvus Lite and Qdrant, by their
own clients; the latter is no dependency, and left out where it is not installed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch and faiss are loaded
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from neighbours import D, blocks, space

SHARDS, QUERIES, K, SMALL, KILLS = 16, 1000, 10, 100_000, 8
SHARES = {"half": 2, "hundredth": 100, "rare": 10_000}  # conditions: name=0 holds for one in so many


class Memory:
    """The most memory that this process has had of its own, looked at all the time."""

    def __init__(self) -> None:
        self.own = 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            self.own = max(self.own, self.of("RssAnon:"))
            time.sleep(0.02)

    def of(self, what: str) -> float:
        """GiB."""
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(what))) / 2**20

    def told(self) -> str:
        return f"peak {self.of('VmHWM:'):.2f} GiB, own {self.own:.2f} GiB"


def table(vectors: np.ndarray, start: int) -> pa.Table:
    places = np.arange(start, start + len(vectors))
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    mixed = places * 7919
    return pa.table(
        {
            "id": [f"world/{place:08d}" for place in places.tolist()],
            "vector": lists,
            "label": [f"c{place % 7}" for place in places.tolist()],
            **{name: pa.array(mixed % share) for name, share in SHARES.items()},
        }
    )


def write(folder: Path, items: int) -> None:
    """Shards and the exact answers."""
    from affectspace.space.engines.scan import exact, told

    folder.mkdir()
    start, shards, held = 0, [], []
    per = -(-items // SHARDS)
    metadata = {b"affectspace": json.dumps({"classes": [f"c{i}" for i in range(7)], "about": {}}).encode()}
    for number in range(SHARDS):
        path = folder / f"part-{number:05d}.parquet"
        vectors = np.concatenate([block for block, _ in blocks(min(per, items - start), number + 10)])
        pq.write_table(table(vectors, start).replace_schema_metadata(metadata), path)
        shards.append({"name": path.name, "bytes": path.stat().st_size})
        held.append(vectors)
        start += len(vectors)
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "items": items, "shards": shards}))
    everything, (queries, _) = np.concatenate(held), space(QUERIES, 1)
    longest = float(np.linalg.norm(everything, axis=1).max())
    places = np.arange(items) * 7919
    truth = {"all": exact(everything, longest, queries, K, None)}
    truth |= {
        name: exact(everything, longest, queries, K, np.flatnonzero(places % share == 0))
        for name, share in SHARES.items()
    }
    np.savez(folder / "truth.npz", queries=queries, **{name: told(squared) for name, (squared, _) in truth.items()})


def build(engine: str, kind: str, folder: str, place: str) -> None:
    from affectspace.space.engines import Source, build_index

    memory = Memory()
    before = memory.told()
    began = time.perf_counter()
    index = build_index(Source(folder), place, engine, None if kind == "auto" else kind)  # pyright: ignore
    took = time.perf_counter() - began
    told = index.manifest
    print(
        f"{engine} {told.kind}: built of {told.items:,} in {took:.1f} s; {memory.told()} ({before} with all imported)"
    )
    index.close()
    size = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
    print(f"  {size / 2**30:.2f} GiB on disk; recall@10 told {told.recall:.4f}; after close {memory.told()}")


def search(engine: str, folder: str, place: str, singles: str) -> None:
    from affectspace.space.engines import open_index

    memory, truth = Memory(), np.load(Path(folder, "truth.npz"))
    queries, one = truth["queries"], int(singles)
    began = time.perf_counter()
    index = open_index(place)
    opened = time.perf_counter() - began
    index.search(queries[:1], K)
    print(f"{engine}: opened in {opened:.2f} s, first answer after {time.perf_counter() - began:.2f} s")
    for name in ("all", *SHARES):
        where = [] if name == "all" else [f"{name}=0"]
        began = time.perf_counter()
        index.search(queries[:1], K, where)
        first = time.perf_counter() - began
        began = time.perf_counter()
        for query in queries[:one]:
            index.search(query[None], K, where)
        single = one / (time.perf_counter() - began)
        many = QUERIES if engine == "faiss" else 10 * one
        began = time.perf_counter()
        found = index.search(queries[:many], K, where)
        batched = many / (time.perf_counter() - began)
        recall = (found.distances <= truth[name][:many, -1:] * (1 + 1e-5)).mean()
        print(
            f"  {name}: first {1000 * first:,.0f} ms, single {single:,.1f}/s, together {batched:,.1f}/s, "
            f"recall@10 {recall:.4f}, searched {found.searched}"
        )
    print(f"  {memory.told()}")
    index.close()


def add(engine: str, place: str, first: str) -> None:
    """Add batches until killed, and say which are in; batch b has items b/0 to b/499."""
    from affectspace.space.engines import open_index

    index = open_index(place)
    for number in range(int(first), 10**6):
        index.add(batch(number))
        print(number, flush=True)


def batch(number: int) -> pa.Table:
    vectors = np.random.default_rng(number).normal(size=(500, D)).astype(np.float32)
    made = table(vectors, 0)
    return made.set_column(0, "id", pa.array([f"{number}/{row}" for row in range(500)]))


def kills(engine: str, place: str) -> None:
    """Kill writers at any moment, and look for what they have said is in."""
    from affectspace.space.engines import open_index

    rng, acknowledged, seconds, half = np.random.default_rng(0), [], [], 0
    index = open_index(place)
    before = index.manifest.items
    index.close()
    first = 0
    for _ in range(KILLS):
        command = [sys.executable, __file__, "add", engine, place, str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            said = [int(writer.stdout.readline())]
            reader = threading.Thread(target=lambda: said.extend(map(int, writer.stdout)), daemon=True)  # noqa: B023
            reader.start()
            time.sleep(float(rng.uniform(0, 2)))
            writer.send_signal(signal.SIGKILL)
            reader.join()
        acknowledged += said
        began = time.perf_counter()
        index = open_index(place)
        seconds.append(time.perf_counter() - began)
        begun = len(index.get([f"{said[-1] + 1}/{row}" for row in range(500)]))
        half += 0 < begun < 500
        kept = index.manifest.items
        expected = before + 500 * len(acknowledged) + begun
        if begun == 500:
            acknowledged.append(said[-1] + 1)
        assert kept == expected, (kept, expected)
        for number in acknowledged[-20:]:
            wanted, got = batch(number), index.get([f"{number}/{row}" for row in range(500)])
            assert got.column("id").to_pylist() == wanted.column("id").to_pylist(), number
            ours, theirs = (np.stack(each.column("vector").to_numpy()) for each in (got, wanted))
            np.testing.assert_array_equal(ours, theirs)
        index.close()
        first = acknowledged[-1] + 1
    print(
        f"{engine}: {KILLS} kills among {len(acknowledged)} additions of 500: nothing acknowledged is lost, "
        f"{half} additions half visible; reopened in {np.median(seconds):.2f} s ({max(seconds):.2f} at most)"
    )


def local(which: str, place: str) -> None:
    """The local modes by their own clients: upserts, searches, conditions, memory, reopening."""
    memory = Memory()
    vectors, (queries, _) = np.concatenate([b for b, _ in blocks(SMALL, 10)]), space(50, 1)
    given = [dict(zip(SHARES, row)) for row in zip(*(np.arange(SMALL) * 7919 % s for s in SHARES.values()))]
    given = [{name: int(value) for name, value in each.items()} for each in given]
    began, step = time.perf_counter(), 5000
    if which == "milvus":
        from pymilvus import DataType, MilvusClient

        client = MilvusClient(f"{place}/milvus.db")
        schema = client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=D)
        for name in SHARES:
            schema.add_field(name, DataType.INT64)
        index = client.prepare_index_params()
        index.add_index("vector", index_type="IVF_FLAT", metric_type="L2", params={"nlist": 1024})
        client.create_collection("items", schema=schema, index_params=index)
        for start in range(0, SMALL, step):
            rows = range(start, start + step)
            client.upsert("items", [{"id": row, "vector": vectors[row], **given[row]} for row in rows])
        client.flush("items")

        def ask(asked: np.ndarray, told: str | None) -> None:
            client.search("items", [asked], limit=K, filter=f"{told} == 0" if told else "", output_fields=[])
    else:
        import warnings

        from qdrant_client import QdrantClient, models

        warnings.simplefilter("ignore")
        client = QdrantClient(path=place)
        client.create_collection("items", vectors_config=models.VectorParams(size=D, distance=models.Distance.EUCLID))
        for start in range(0, SMALL, step):
            rows = range(start, start + step)
            client.upsert(
                "items", [models.PointStruct(id=row, vector=vectors[row].tolist(), payload=given[row]) for row in rows]
            )

        def ask(asked: np.ndarray, told: str | None) -> None:
            match = told and models.FieldCondition(key=told, match=models.MatchValue(value=0))
            client.query_points(
                "items", query=asked, limit=K, query_filter=models.Filter(must=[match]) if match else None
            )

    print(f"{which}, local, {SMALL:,}: upserted in {time.perf_counter() - began:.1f} s; {memory.told()}")
    for name in (None, *SHARES):
        began = time.perf_counter()
        for asked in queries[:10]:
            ask(asked, name)
        print(f"  {name or 'all'}: {10 / (time.perf_counter() - began):.1f} queries/s")
    client.close()
    began = time.perf_counter()
    if which == "milvus":
        client = MilvusClient(f"{place}/milvus.db")
        client.load_collection("items")
    else:
        client = QdrantClient(path=place)
    ask(queries[0], None)
    print(f"  reopened, first answer after {time.perf_counter() - began:.1f} s; {memory.told()}")
    client.close()


PARTS = {"build": build, "search": search, "add": add, "kills": kills, "local": local}


def part(*arguments: str) -> None:
    subprocess.run([sys.executable, __file__, *arguments], check=True)


def main(items: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = str(Path(name, "space"))
        began = time.perf_counter()
        write(Path(folder), items)
        size = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
        print(
            f"{items:,} x {D} in {SHARDS} shards, {size / 2**30:.2f} GiB ({time.perf_counter() - began:.0f} s)",
            flush=True,
        )
        for engine, kind, singles in (
            ("faiss", "auto", "300"), ("faiss", "ivf-pq", "300"), ("faiss", "exact", "20"), ("milvus", "auto", "5"),
        ):  # fmt: skip
            place = str(Path(name, f"{engine}-{kind}.index"))
            part("build", engine, kind, folder, place)
            part("search", engine, folder, place, singles)
            if kind == "auto":
                part("kills", engine, place)
            shutil.rmtree(place)
        for which, package in (("milvus", "pymilvus"), ("qdrant", "qdrant_client")):
            if not find_spec(package):
                print(f"{which}, local: not measured, as {package} is not installed")
                continue
            place = str(Path(name, which))
            os.mkdir(place)
            part("local", which, place)
            shutil.rmtree(place)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        PARTS[sys.argv[1]](*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
