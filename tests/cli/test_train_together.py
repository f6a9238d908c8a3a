"""``affectspace train`` as torchrun starts it, and restarts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import tomli_w
from safetensors.torch import load_file

from affectspace.training import load_recipe, train

KILLED = Path(__file__).with_name("killed_rank.py")
RECIPE = {
    "name": "together",
    "corpora": [{"path": "mine"}],
    "labels": {"kind": "classes", "names": ["angry", "happy", "sad"]},
    "features": {"kind": "vectors", "path": "v.npz", "id_column": "id"},
    "encoder": {"kind": "mlp", "hidden": 16, "dropout": 0.3},
    "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 3, "fold": 0},
    "terms": [{"kind": "cross_entropy"}, {"kind": "f_similarity", "pairs": "batch"}],
    "training": {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "checkpoint_steps": 2, "checkpoint_seconds": 0},
}


def test_a_rank_that_is_killed_mid_epoch_restarts_and_ends_with_the_weights_of_one_process(tmp_path):
    random, rows = np.random.default_rng(0), np.arange(60)
    (tmp_path / "mine").mkdir()
    table = pd.DataFrame({"id": [f"i{row}" for row in rows], "speaker": [f"s{row // 3 % 6}" for row in rows]})
    table.assign(label=np.array(RECIPE["labels"]["names"])[rows % 3]).to_csv(tmp_path / "mine/items.csv", index=False)
    vectors = np.eye(3)[rows % 3] + random.normal(0, 0.5, (60, 3))
    np.savez(tmp_path / "v.npz", id=table["id"].to_numpy(str), v=vectors.astype(np.float32))
    (tmp_path / "together.toml").write_text(tomli_w.dumps(RECIPE))
    train(load_recipe(tmp_path / "together.toml"), tmp_path / "one", quiet=True)

    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", "1", str(KILLED), "1", "8"]  # the eighth of five batches an epoch
    command += ["train", str(tmp_path / "together.toml"), "--out", str(tmp_path / "two"), "--json"]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=900, check=False
    )
    assert not done.returncode, done.stderr[-4000:]
    assert "exitcode: -9" in done.stderr
    assert "error: process 0 of 2 ends, since another has ended, which tells why" in done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("{"))  # of the first process alone
    assert (
        json.loads(line)["selected_epoch"] == json.loads((tmp_path / "one/metrics.json").read_text())["selected_epoch"]
    )
    one, two = (load_file(tmp_path / run / "model/model.safetensors") for run in ("one", "two"))
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-5
    assert "resumed with" not in (tmp_path / "two/environment.txt").read_text()  # by the same version, on this machine
