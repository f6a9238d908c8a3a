"""``affectspace doctor``"""

import importlib.util
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from affectspace.cli.tell import next_commands
from affectspace.errors import InputError
from affectspace.files import json_text


def doctor(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Say whether this machine can run affectspace, and what would make it faster.

    Exit code 1 when something essential is missing.

    Parameters
    ----------
    as_json
        Print the findings as JSON, for machines.
    """
    import numpy as np
    import soundfile
    import torch

    from affectspace.training.frontends import cache_folders

    try:
        caches, absent = {cache: _try(cache) for cache in cache_folders()}, ""
    except InputError as error:
        caches, absent = {}, str(error)
    unusable, free = bool(absent) or any(why for why, _ in caches.values()), [free for _, free in caches.values()]
    room = " + ".join(f"{each:.1f}" for each in free) or "no"
    product = torch.ones(2, 2) @ torch.ones(2, 2)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none; training runs on the CPU"
    formats = [name for name in ("WAV", "FLAC", "OGG", "MP3") if name in soundfile.available_formats()]
    unused = [name for name in ("torchaudio", "torchvision") if importlib.util.find_spec(name)]
    findings = [
        ("python", sys.version_info >= (3, 11), f"{platform.python_version()} (3.11 or later is needed)"),
        ("torch", bool((product == 2).all()), f"{version('torch')}, {torch.get_num_threads()} threads by default"),
        ("GPU", None, device),
        ("audio", {"WAV", "FLAC"} <= set(formats), f"reads {', '.join(formats)} and others"),
        ("numpy", int(np.__version__.split(".")[0]) >= 2, f"{np.__version__} (2 or later is needed)"),
        *(
            ("cache", not why, f"{cache}{why} (AFFECTSPACE_CACHE chooses another folder, or several)")
            for cache, (why, _) in caches.items()
        ),
        *([("cache", False, absent)] if absent else ()),
        ("disk", None if unusable else max(free) > 1, f"{room} GiB free for features (at least 1 is needed)"),
        ("cores", None, f"{os.cpu_count()}; small nets train fastest with training.threads = 1 or 2"),
    ]
    functionals = importlib.util.find_spec("opensmile") is not None
    told = f"openSMILE {version('opensmile')}, not for commercial use" if functionals else _NO_FUNCTIONALS
    findings.append(("functionals", None, told))
    findings += [(what, None, _found(package, uses, extra)) for what, package, uses, extra in _MORE]
    if unused:
        findings.append((", ".join(unused), None, "installed, not used; affectspace needs neither"))
    well = all(ok is not False for _, ok, _ in findings)
    if as_json:
        rows = [{"what": what, "ok": ok, "found": found} for what, ok, found in findings]
        print(json_text({"well": well, "findings": rows}))
    else:
        for what, ok, found in findings:
            print(f"{'  ' if ok is None else 'ok' if ok else 'NO'}  {what:20s} {found}")
        next_commands("affectspace demo" if well else "mend the lines that say NO, then: affectspace doctor")
    sys.exit(not well)


_NO_FUNCTIONALS = 'openSMILE is not installed; only functionals need it: pip install "affectspace[functionals]"'


# what it is for, the package, what that does, and the extra that installs it
_MORE = (
    ("pictures", "pillow", "reads PNG, JPEG and others; crops of faces need no more", ""),
    ("videos", "av", "PyAV reads videos, for face_sequence features and affectspace faces", "video"),
    ("pretrained models", "transformers", "opens models of others for speech, texts, faces and pictures", "pretrained"),
    ("face finder cascade", "scikit-image", 'finds faces in pictures: finder = "cascade"', "faces"),
    ("face finder YuNet", "onnxruntime", "runs a YuNet file of your own: finder = its path", "yunet"),
    ("Ray", "ray", "studies and embedding on a cluster: --on ray", "ray"),
    ("SLURM", "submitit", "studies by job arrays: --on slurm", "slurm"),
    ("Milvus", "pymilvus", "an index that others share: --on milvus", "milvus"),
    ("stores", "s3fs", "corpora and spaces in S3, by their URL", "remote"),
)


def _found(package: str, uses: str, extra: str) -> str:
    try:
        return f"{package} {version(package)}: {uses}"
    except PackageNotFoundError:
        return f'{package} is not installed ({uses}): pip install "affectspace[{extra}]"'


def _try(cache: Path) -> tuple[str, float]:
    """Why features cannot be kept there (empty where they can), and GiB free on its disk."""
    unusable = ""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not os.access(cache, os.W_OK | os.X_OK):
            unusable = " cannot be written to"
    except OSError as error:
        unusable = f" cannot be made: {error.strerror}"
    # Where the folder is none, the nearest one above it tells of the same disk.
    there = next(place for place in (cache, *cache.absolute().parents) if place.is_dir())
    return unusable, shutil.disk_usage(there).free / 2**30
