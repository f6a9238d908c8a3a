"""Small nets and tests run with one thread: two on a busy machine can be many times slower."""

import copy
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


# ---- studies that are trained in tests of the package and of its command

TINY = {
    "name": "tiny",
    "corpora": [{"path": "alva"}, {"path": "boro"}],
    "labels": {"kind": "poles", "dimension": "activation"},
    "features": {"kind": "log_mel", "bands": 20, "normalise": {"scope": "item"}},
    "protocol": {
        "kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_by": "session", "allow": ["script"],
    },
    "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
    "terms": [{"kind": "cross_entropy"}],
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.02},
}  # fmt: skip


@pytest.fixture(scope="session")
def lay_tiny():
    """``lay_tiny(folder, study, world, {"training.epochs": 2})``: the path of a study file beside a tiny recipe.

    ``study`` are its values, of which None is left out; the recipe is changed by dotted keys.
    """
    import tomli_w

    from affectspace.training.dotted import put

    def lay(folder: Path, study: dict, world: Path, recipe: dict | None = None) -> Path:
        base = copy.deepcopy(TINY) | {"data": str(world)}
        for key, value in (recipe or {}).items():
            put(base, key, value)
        folder.mkdir(exist_ok=True)
        (folder / "recipe.toml").write_text(tomli_w.dumps(base))
        path = folder / "study.toml"
        path.write_text(tomli_w.dumps({key: value for key, value in study.items() if value is not None}))
        return path

    return lay


@pytest.fixture(scope="session")
def here():
    """A pool that trains in the test's own process, one run after another, with nothing opened yet."""
    from affectspace.studies.pool import Answer, Pool
    from affectspace.studies.worker import perform
    from affectspace.training.cache import DataCache

    class Here(Pool):
        def __init__(self, processes: int):
            super().__init__(processes)
            self.cache = DataCache()

        def run(self, jobs, tell):
            for job in jobs:
                tell(job, Answer(**perform(job.asked, self.cache)))

    return Here
