"""Small nets and tests run with one thread: two on a busy machine can be many times slower."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Tests never read or fill the user's feature cache."""
    os.environ["AFFECTSPACE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real corpora; tests that ask for it are skipped where there are none."""
    root = Path(os.environ.get("AFFECTSPACE_DATA", Path(__file__).parents[1] / "../shared/data")).resolve()
    if not (root / "speech").is_dir():
        pytest.skip(f"no real data at {root}; set AFFECTSPACE_DATA")
    return root
