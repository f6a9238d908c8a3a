"""Embedding shard by shard, as people type it."""

import json
import shlex
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic_world
from affectspace.space import Space, bulk, bulk_plan, bulk_shard
from affectspace.training import load_recipe, train_recipe


@pytest.fixture(scope="module")
def laid(tmp_path_factory, lay_tiny):
    folder = tmp_path_factory.mktemp("embed-on")
    make_synthetic_world(folder / "world", speakers=3, items_per_speaker=8)
    lay_tiny(folder, {"recipes": []}, folder / "world")
    train_recipe(load_recipe(folder / "recipe.toml"), folder / "run", quiet=True)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bulk_plan, "SHARD", 5)
    bulk_shard._OPEN.clear()


def test_a_corpus_is_embedded_to_a_folder_that_every_command_reads(run, laid, monkeypatch):
    model, corpus = laid / "run", laid / "world/boro"
    assert run("embed", model, corpus)[0] == 0
    engine = bulk.here
    monkeypatch.setattr(bulk, "here", lambda job, shards: engine(job, shards[:2]))  # a machine that ends early
    code, _, err = run("embed", model, corpus, "--on", "local")
    assert code == 1
    assert "3 of 5 shards are not there as they were written, the first embeddings/part-00002.parquet; the same" in err
    code, _, err = run("summarise", "embeddings")
    assert code == 2
    again = err.rpartition("what is missing is made by: ")[2]
    assert again.strip() == f"affectspace embed {model} {corpus} --on local --out embeddings"
    monkeypatch.setattr(bulk, "here", engine)
    code, out, _ = run(*shlex.split(again)[1:])
    assert code == 0
    assert out.startswith(
        "24 items in 5 shards, 2 of them from before -> embeddings (id, vector, probabilities, prediction; classes: low"
    )
    first = pd.read_csv(corpus / "items.csv")["id"][0]
    assert f"affectspace search embeddings --query boro/{first}" in out
    np.testing.assert_allclose(Space.open("embeddings").vectors, Space.open("embeddings.parquet").vectors, atol=1e-5)
    for words in (("search", "embeddings", "--query", f"boro/{first}"), ("summarise", "embeddings")):
        assert run(*words)[0] == 0
    told = json.loads(run(*shlex.split(again)[1:], "--json")[1])
    assert (told["items"], told["shards"], told["shards_before"], told["quarantine"]) == (24, 5, 5, [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--on", "spark"), "--on is 'spark'; legal: local, ray, ray://HOST:PORT, slurm"),
        (("--on", "slurm"), "--on is 'slurm', and embed works on local, ray, or ray://HOST:PORT"),
        (("--on", "local", "--out", "v.parquet"), "--out v.parquet names a file, and with --on a folder of files is"),
        (("--on", "local", "--out", "file/x"), "file is a file and no folder"),
        (("--on", "ray://127.0.0.1:1"), "no Ray cluster answers at ray://127.0.0.1:1"),
        (("--on", "ray", "--cpus", "1.5"), "--cpus is 1.5 for each worker; legal: 0 to 1, or a whole number above"),
        (("--on", "local", "--cpus", "0"), "--cpus 0 is of --on ray, where each worker is given so many; leave it out"),
        (("--on", "local", "--gpus", "-1"), "--gpus -1 is of --on ray, where each worker is given so many; leave it"),
        (("--cpus", "2"), "--cpus 2 is of --on ray, where each worker is given so many; leave it out"),
        (("s3://lake/x",), "s3://lake/x lies in a store, which is read shard by shard: add --on local, or --on ray"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_written(run, laid, tmp_path, words, message):
    (tmp_path / "file").write_text("")
    code, _, err = run("embed", laid / "run", laid / "world/boro", *words)
    assert code == 2
    assert message in err
    assert [each.name for each in tmp_path.iterdir() if each.name != "cache"] == ["file"]


def test_shares_that_no_node_has_are_told_before_a_plan_names_the_command(run, laid, tmp_path, monkeypatch):
    monkeypatch.setattr("affectspace.clusters.connect", lambda at: nullcontext())
    monkeypatch.setattr("ray.nodes", lambda: [{"Alive": True, "Resources": {"CPU": 2}}])
    for share, asked in ((("--cpus", "3"), "3 CPUs and 0"), (("--gpus", "1"), "0.9 CPUs and 1")):
        code, _, err = run("embed", laid / "run", laid / "world/boro", "--on", "ray", *share, "--out", "space")
        assert code == 2
        assert f"no node of the cluster has {asked} GPUs for a worker; the most that one has is 2 and 0, so give" in err
        assert not (tmp_path / "space").exists()


def test_one_shard_is_one_shard(run, laid, monkeypatch):
    monkeypatch.setattr(bulk_plan, "SHARD", 512)
    code, out, _ = run("embed", laid / "run", laid / "world/boro", "--on", "local")
    assert (code, out.partition(" ->")[0]) == (0, "24 items in 1 shard")


def test_a_file_that_embed_did_not_write_is_left_as_it_is(run, laid):
    """Such as the table of the corpus that is read."""
    model, corpus = laid / "run", laid / "world/boro"
    assert run("embed", model, corpus, "--out", "mine.parquet")[0] == 0
    assert run("embed", model, corpus, "--out", "mine.parquet")[0] == 0
    pd.DataFrame({"id": ["a"], "note": ["precious"]}).to_parquet("mine.parquet")
    code, out, err = run("embed", model, corpus, "--out", "mine.parquet")
    assert (code, out) == (2, "")
    assert err == (
        "error: mine.parquet is there already, and is no file that affectspace embed wrote; choose another --out, or "
        "remove it"
    )
    assert pd.read_parquet("mine.parquet")["note"].tolist() == ["precious"]
