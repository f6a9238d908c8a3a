"""Broken image files by the thousand: each must be pixels or a sentence, never a crash, a hang or a traceback.

Seeds of every format that Pillow writes, and of a table of images, are broken by flipped bytes, cuts, and parts
of other files spliced in, and read with :func:`affectspace.media.read_image` in a child process with limits of time
and memory; a child that dies or hangs is replaced, and the file that did it is kept::

    python benchmarks/fuzz_images.py --files 10000 --seed 0
"""

import argparse
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SECONDS = 10.0  # for one file
MEMORY = 3 << 30  # bytes of a child: many times what the largest legal image takes
MAX_PIXELS = 4_000_000


def make_seeds() -> dict[str, bytes]:
    """A small file of every format and mode worth breaking."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[0:40, 0:56]
    rgb = np.stack([y * 6, x * 4, generator.integers(0, 256, y.shape)], axis=2).astype(np.uint8)
    colour = Image.fromarray(rgb)
    grey, deep = colour.convert("L"), Image.fromarray(rgb[..., 2].astype(np.uint16) * 257)
    alpha = colour.copy()
    alpha.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = {"save_all": True, "append_images": [grey.convert("RGB")]}
    wanted = {
        "png": (colour, "PNG", {"exif": exif}),
        "png-grey": (grey, "PNG", {}),
        "png-16": (deep, "PNG", {}),
        "png-alpha": (alpha, "PNG", {}),
        "png-palette": (colour.quantize(16), "PNG", {"transparency": 0}),
        "png-frames": (colour, "PNG", frames),
        "jpeg": (colour, "JPEG", {"exif": exif}),
        "jpeg-progressive": (colour, "JPEG", {"progressive": True}),
        "jpeg-cmyk": (colour.convert("CMYK"), "JPEG", {}),
        "mpo": (colour, "MPO", frames),
        "gif": (colour.quantize(16), "GIF", {"transparency": 0}),
        "gif-frames": (colour, "GIF", frames),
        "bmp": (colour, "BMP", {}),
        "bmp-palette": (colour.quantize(16), "BMP", {}),
        "tiff": (colour, "TIFF", {"exif": exif}),
        "tiff-16": (deep, "TIFF", {}),
        "tiff-lzw": (colour, "TIFF", {"compression": "tiff_lzw"}),
        "tiff-deflate": (alpha, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "tiff-jpeg": (colour, "TIFF", {"compression": "jpeg"}),
        "tiff-g4": (grey.convert("1"), "TIFF", {"compression": "group4"}),
        "webp": (colour, "WEBP", {"exif": exif}),
        "webp-lossless": (alpha, "WEBP", {"lossless": True}),
        "webp-frames": (colour, "WEBP", frames),
        "ico": (colour, "ICO", {"sizes": [(32, 32)]}),
        "ppm": (colour, "PPM", {}),
        "pgm": (grey, "PPM", {}),
    }
    seeds = {}
    for name, (image, kind, options) in wanted.items():
        buffer = io.BytesIO()
        image.save(buffer, format=kind, **options)
        seeds[name] = buffer.getvalue()
    table = io.BytesIO()
    pq.write_table(pa.table({"image": [seeds["png"], seeds["jpeg"]] * 2}), table, row_group_size=3)
    return seeds | {"parquet": table.getvalue()}


def mutate(seeds: dict[str, bytes], generator: np.random.Generator) -> tuple[str, bytes]:
    """A broken file, and the name of the seed that it comes from."""
    name = str(generator.choice(list(seeds)))
    content = bytearray(seeds[name])
    how = generator.integers(5)
    # Headers decide most of what a decoder does, so every other mutation hits the first bytes.
    reach = min(len(content), 200) if generator.integers(2) else len(content)
    if how <= 1:
        for place in generator.integers(0, reach, generator.integers(1, 12)):
            content[place] = generator.integers(256)
    elif how == 2:
        for place in generator.integers(0, reach, generator.integers(1, 4)):
            content[place : place + 4] = generator.choice(
                [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\1\0\0\0"]
            )
    elif how == 3:
        del content[generator.integers(0, len(content)) :]
    else:
        other = seeds[str(generator.choice(list(seeds)))]
        start, length = generator.integers(0, len(other)), generator.integers(1, 400)
        place = generator.integers(0, reach)
        content[place : place + int(generator.integers(0, 2)) * length] = other[start : start + length]
    return name, bytes(content)


def child(pipe: Connection) -> None:
    """Read files as they are named, and tell what came of each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes a line for each broken byte
    from affectspace.errors import MediaError
    from affectspace.media import image_info, read_image

    while path := pipe.recv():
        try:
            pixels = read_image(path, max_pixels=MAX_PIXELS)
            right = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size > 0
            info = image_info(path)
            outcome = "an array" if right else f"odd pixels {pixels.dtype} {pixels.shape}"
            if right and sorted((info.height, info.width)) != sorted(pixels.shape[:2]):
                outcome = "an array of another size than its header says"
        except MediaError as error:
            told = str(error).replace(path, "FILE").replace(path.partition("#")[0], "FILE")
            outcome = f"MediaError: {told.partition(':')[0].partition(' pixels')[0].partition(';')[0]}"
        except BaseException as error:
            outcome = f"escaped: {type(error).__name__}: {error}"
        pipe.send(outcome)


class Reader:
    """A child that is replaced when it dies or hangs."""

    def __init__(self):
        self.context = multiprocessing.get_context("spawn")
        self.start()

    def start(self) -> None:
        self.pipe, theirs = self.context.Pipe()
        self.process = self.context.Process(target=child, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def read(self, path: str, seconds: float) -> str:
        try:
            self.pipe.send(path)
            if self.pipe.poll(seconds):
                return self.pipe.recv()
            outcome = "hang"
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.process.join()
            outcome = f"crash: exit code {self.process.exitcode}"
        self.process.kill()
        self.process.join()
        self.start()
        return outcome

    def stop(self) -> None:
        self.pipe.send("")
        self.process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_images")
    options = parser.parse_args()
    seeds, generator = make_seeds(), np.random.default_rng(options.seed)
    reader, outcomes, by_seed, slowest = Reader(), Counter(), {name: Counter() for name in seeds}, (0.0, "")
    path = Path(tempfile.mkdtemp()) / "image"
    faults = 0
    path.write_bytes(seeds["png"])
    reader.read(str(path), 60.0)  # the child's imports are no part of the first file's time
    began = time.perf_counter()
    for number in range(options.files):
        name, content = mutate(seeds, generator)
        table = name == "parquet"
        target = path.with_suffix(".parquet") if table else path
        target.write_bytes(content)
        start = time.perf_counter()
        outcome = reader.read(f"{target}#{number % 4}" if table else str(target), SECONDS)
        slowest = max(slowest, (time.perf_counter() - start, f"{name} {outcome}"))
        outcomes[outcome] += 1
        by_seed[name][outcome.partition(":")[0]] += 1
        if not (outcome.startswith("MediaError") or outcome == "an array"):
            faults += 1
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{options.seed}_{number}_{name}").write_bytes(content)
    seconds = time.perf_counter() - began
    reader.stop()
    for outcome, count in outcomes.most_common():
        print(f"{count:6d}  {outcome}")
    about = {
        "files": options.files,
        "seed": options.seed,
        "arrays": outcomes["an array"],
        "sentences": sum(count for outcome, count in outcomes.items() if outcome.startswith("MediaError")),
        "faults": faults,
        "slowest": {"seconds": round(slowest[0], 3), "what": slowest[1]},
        "seconds": round(seconds, 1),
        "arrays_by_seed": {name: f"{found['an array']} of {found.total()}" for name, found in by_seed.items()},
    }
    print(json.dumps(about, indent=1))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
