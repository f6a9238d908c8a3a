"""Large corpora to a space in shards: as one file would be, each item once, whatever happens on the way."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from affectspace import __version__
from affectspace.corpora import make_synthetic_world
from affectspace.errors import AffectspaceError, InputError
from affectspace.files import json_text
from affectspace.space import Space, bulk, bulk_plan, bulk_shard
from affectspace.space.bulk import embed_in_shards, here
from affectspace.space.bulk_shard import embed_shard
from affectspace.space.embed import embed
from affectspace.training import load_model, load_recipe, train_recipe

COMMAND = "affectspace embed RUN CORPUS --on local --out space"


@pytest.fixture(scope="module")
def world(tmp_path_factory, lay_tiny):
    """A run on one corpus of two, and another that is one epoch longer."""
    folder = tmp_path_factory.mktemp("bulk")
    make_synthetic_world(folder / "world", speakers=3, items_per_speaker=8)
    lay_tiny(folder, {"recipes": []}, folder / "world")
    for name, epochs in (("run", 1), ("other", 2)):
        recipe = load_recipe(folder / "recipe.toml", [f"training.epochs={epochs}"])
        train_recipe(recipe, folder / name, quiet=True)
    return folder


@pytest.fixture(scope="module")
def spoiled(world):
    """A corpus of which some items cannot be read: the bytes of one are none, one is missing, one has no id."""
    corpus = shutil.copytree(world / "world/boro", world / "spoiled/boro")
    table = pd.read_csv(corpus / "items.csv", dtype="string")
    (corpus / table["audio"][3]).write_bytes(b"no sound at all")
    (corpus / table["audio"][5]).unlink()
    table.loc[7, "id"] = pd.NA
    table.assign(size=np.arange(len(table)), empty=pd.NA).to_csv(corpus / "items.csv", index=False)
    return corpus


@pytest.fixture(scope="module")
def whole(world, spoiled):
    """The space of that corpus as one file has it."""
    return embed(load_model(world / "run"), [spoiled], quiet=True).space(world / "run")


@pytest.fixture
def boro(spoiled, tmp_path):
    """The same corpus, for a test to spoil more of it."""
    return shutil.copytree(spoiled, tmp_path / "boro")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Shards of five items, so that a few clips make several."""
    monkeypatch.setattr(bulk_plan, "SHARD", 5)
    monkeypatch.setattr(bulk_shard, "BLOCK", 3)
    bulk_shard._OPEN.clear()


def in_shards(world, corpus, out, engine=here, run="run"):
    return embed_in_shards(world / run, [corpus], out, engine, command=COMMAND, quiet=True)


def same(space: Space, other: Space) -> None:
    np.testing.assert_allclose(space.vectors, other.vectors, atol=1e-5)
    np.testing.assert_allclose(space.probabilities, other.probabilities, atol=1e-5)
    pd.testing.assert_frame_equal(
        space.items.drop(columns="probabilities"), other.items.drop(columns="probabilities"), check_like=False
    )
    assert (space.classes, space.about) == (other.classes, other.about)


def test_a_folder_of_shards_is_the_space_that_one_file_would_be(world, spoiled, whole, tmp_path):
    whole.save(tmp_path / "whole.parquet")
    made = in_shards(world, spoiled, tmp_path / "space")
    space = Space.open(tmp_path / "space")
    same(space, Space.open(tmp_path / "whole.parquet"))
    assert made.items == len(space) == len(whole)
    assert made.shards == -(-24 // 5)


def test_every_item_is_in_a_shard_or_in_quarantine_and_the_manifest_tells_of_both(world, boro, tmp_path):
    made, out = in_shards(world, boro, tmp_path / "space"), tmp_path / "space"
    manifest = json.loads((out / "manifest.json").read_text())
    parts = [pd.read_parquet(out / shard["name"]) for shard in manifest["shards"]]
    told = pd.read_parquet(out / "quarantine.parquet")
    items = pd.read_csv(boro / "items.csv", dtype="string")
    bad = {f"boro/{items['id'][3]}": "begins as", f"boro/{items['id'][5]}": "there is no file", "boro/row 8": "no id"}
    assert sorted(told["id"]) == sorted(bad) == sorted(made.quarantine["id"])
    for name, reason in zip(told["id"], told["reason"]):
        assert bad[name] in reason or "not audio" in reason
    ids = [name for part in parts for name in part["id"]]
    assert ids == [f"boro/{name}" for name in items["id"].dropna() if f"boro/{name}" not in bad]  # in their order
    assert [len(part) for part in parts] == [shard["rows"] for shard in manifest["shards"]]
    assert manifest["items"] == len(ids)
    assert manifest["quarantine"] == {"name": "quarantine.parquet", "items": 3}
    schemas = {str(pd.read_parquet(out / shard["name"]).dtypes) for shard in manifest["shards"]}
    assert len(schemas) == 1
    assert "empty" not in parts[0]  # a column without any value


class Killed(BaseException):
    """What ends a process at once, as far as a test can."""


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4, 5, 6, 10, 17, 18, 19])  # of 20
def test_a_call_that_is_killed_before_any_write_goes_on_with_what_is_there(
    world, spoiled, whole, tmp_path, monkeypatch, writes
):
    from affectspace.places import Place

    write, out, left = Place.write, tmp_path / "space", [writes]

    def mortal(self, name, content):
        if not left[0]:
            raise Killed
        left[0] -= 1
        write(self, name, content)

    monkeypatch.setattr(Place, "write", mortal)
    with pytest.raises(Killed):
        in_shards(world, spoiled, out)
    monkeypatch.setattr(Place, "write", write)
    assert not (out / "manifest.json").exists()
    if writes >= 3:  # the plan takes three
        with pytest.raises(InputError) as told:
            Space.open(out)
        done = max(0, (writes - 3) // 3)
        assert str(told.value) == (
            f"{out} is no whole space yet: {min(done, 5)} of its 5 shards are there; what is missing is made by: "
            f"{COMMAND}"
        )
    made = in_shards(world, spoiled, out)
    assert made.before == min(max(0, (writes - 3) // 3), 5)
    same(Space.open(out), whole)
    again = in_shards(world, spoiled, out, engine=None)  # nothing is left for an engine
    assert (again.before, again.items) == (5, made.items)


def test_a_shard_that_was_damaged_or_lost_is_told_and_made_anew(world, boro, tmp_path):
    out = tmp_path / "space"
    in_shards(world, boro, out)
    space = Space.open(out)
    content = (out / "part-00001.parquet").read_bytes()
    for damaged in (None, content[:-1], bytes([content[0] ^ 1]) + content[1:]):
        (out / "part-00001.parquet").unlink()
        if damaged is not None:
            (out / "part-00001.parquet").write_bytes(damaged)
        if damaged is None or len(damaged) < len(content):
            has = "is not there" if damaged is None else f"has {len(damaged):,} bytes"
            with pytest.raises(InputError) as told:
                Space.open(out)
            assert str(told.value) == (
                f"{out / 'part-00001.parquet'} {has}, and manifest.json tells of {len(content):,} bytes; what is "
                f"missing is made by: {COMMAND}"
            )
        assert in_shards(world, boro, out).before == 4
        same(Space.open(out), space)


def test_another_model_corpus_or_file_is_refused_with_the_difference(world, boro, tmp_path):
    out = tmp_path / "space"
    in_shards(world, boro, out)
    before = (out / "manifest.json").read_bytes()

    def refused(run="run") -> str:
        with pytest.raises(InputError) as told:
            in_shards(world, boro, out, run=run)
        begun, _, remedy = str(told.value).rpartition("; ")
        assert remedy == "give what it was begun with, or another --out"
        return begun.removeprefix(f"{out} was begun with ")

    one, other = (bulk_plan.model_sha256(world / name)[:12] for name in ("run", "other"))
    assert refused("other") == f"the model {world / 'run'} ({one}), and {world / 'other'} is {other}"
    items = pd.read_csv(boro / "items.csv", dtype="string")
    items.drop(index=[0, 1]).to_csv(boro / "items.csv", index=False)
    assert refused() == f"22 items that could be tried, and now there are 20: 2 gone, the first boro/{items['id'][0]}"
    items.iloc[::-1].to_csv(boro / "items.csv", index=False)
    assert refused() == "22 items that could be tried, and now there are 22: in another order"
    items.assign(size="1").to_csv(boro / "items.csv", index=False)
    assert refused() == f"other items: size of boro/{items['id'][0]} was 0 and is 1"
    items.to_csv(boro / "items.csv", index=False)
    path = boro / items["audio"][0]
    path.write_bytes(path.read_bytes() + b"\0")
    assert (
        refused()
        == f"other files: boro/{items['id'][0]} has changed, or lies elsewhere, or is another part of its file"
    )
    assert (out / "manifest.json").read_bytes() == before


def test_a_folder_that_was_not_begun_by_embedding_stays_as_it_is(world, boro, tmp_path):
    kept = sorted(boro.rglob("*"))
    with pytest.raises(InputError) as told:
        in_shards(world, boro, boro)
    said, _, remedy = str(told.value).partition(", which is nothing that embed begins with; ")
    assert remedy == "choose another path, or remove it first"
    taken, _, holds = said.partition(" is there already, and holds ")
    assert taken == str(boro)
    assert boro / holds in kept
    assert sorted(boro.rglob("*")) == kept
    shards = tmp_path / "shards"
    (shards / "plan").mkdir(parents=True)
    (shards / "plan/part-00000.json").write_text("{}")  # of a plan that somebody removed
    with pytest.raises(InputError, match=r"is there already, and holds plan/part-00000\.json, which is nothing"):
        in_shards(world, boro, shards)
    (shards / "plan/part-00000.json").unlink()
    (shards / "plan/.items.parquet.x.partial").write_bytes(b"")  # of a call that was killed
    (shards / ".lock").write_bytes(b"")
    assert in_shards(world, boro, shards).items == 21


def test_a_shard_that_is_embedded_twice_is_there_once(world, boro, tmp_path):
    def twice(job, shards):
        for shard in shards:
            one = embed_shard(job, shard)
            (tmp_path / "space/plan" / f"part-{shard:05d}.json").unlink()  # of a machine that was lost before it
            yield embed_shard(job, shard)
            assert {**one, "rows": 0} != {}

    made = in_shards(world, boro, tmp_path / "space", twice)
    assert Space.open(tmp_path / "space").items["id"].is_unique
    assert made.items == 21


def test_a_machine_without_the_media_stops_all_and_quarantines_nothing(world, boro, tmp_path):
    def elsewhere(job, shards):
        hidden = boro.rename(tmp_path / "hidden")
        try:
            yield from here(job, shards)
        finally:
            hidden.rename(boro)

    def empty(job, shards):
        (boro / "audio").rename(tmp_path / "hidden")
        try:
            yield from here(job, shards)
        finally:
            (tmp_path / "hidden").rename(boro / "audio")

    node, out = bulk_shard.socket.gethostname(), tmp_path / "space"
    with pytest.raises(InputError) as told:
        in_shards(world, boro, out, elsewhere)
    assert str(told.value) == (
        f"{node} has no folder {boro}, in which media lie; mount it there as on all other nodes, or give the corpus by "
        "its URL in a store"
    )
    bulk_shard._OPEN.clear()
    with pytest.raises(
        InputError, match=rf"{node} sees none of 5 files that were there when they were planned, the first"
    ):
        in_shards(world, boro, out, empty)
    assert not (out / "manifest.json").exists()
    assert not list((out / "plan").glob("part-*.json"))
    bulk_shard._OPEN.clear()
    assert in_shards(world, boro, out).items == 21


def test_a_machine_that_sees_another_folder_or_model_stops_all(world, boro, tmp_path):
    def elsewhere(job, shards):
        (tmp_path / "space/plan/plan.json").rename(tmp_path / "plan.json")
        try:
            yield from here(job, shards)
        finally:
            (tmp_path / "plan.json").rename(tmp_path / "space/plan/plan.json")

    def other(job, shards):
        from dataclasses import replace

        yield from here(replace(job, run=str(world / "other")), shards)

    with pytest.raises(InputError, match=r"does not see the plan in .*space; every node writes there, so mount it on"):
        in_shards(world, boro, tmp_path / "space", elsewhere)
    with pytest.raises(
        InputError, match=r"has another model in .*other than was planned with; mount the same run there"
    ):
        in_shards(world, boro, tmp_path / "space", other)


def test_a_full_disk_is_told_and_the_same_command_goes_on(world, boro, tmp_path, monkeypatch):
    import errno
    import os

    from affectspace.places import Place

    write = Place.write

    def full(self, name, content):
        if name == "part-00002.parquet":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, name, content)

    monkeypatch.setattr(Place, "write", full)
    with pytest.raises(AffectspaceError, match=r"cannot write .*part-00002\.parquet: No space left on device; see to"):
        in_shards(world, boro, tmp_path / "space")
    monkeypatch.setattr(Place, "write", write)
    assert in_shards(world, boro, tmp_path / "space").before == 2


def test_a_shard_that_ends_every_worker_is_told_and_not_tried_for_ever(world, boro, tmp_path, monkeypatch):
    def crash(self, rows):
        raise Killed  # as a decoder that takes its process along

    def again_and_again(job, shards):
        while True:
            bulk_shard._OPEN.clear()
            try:
                yield embed_shard(job, shards[0])
            except Killed:
                tried.append(shards[0])

    embedded, tried = bulk_shard._Embedder._embedded, []
    monkeypatch.setattr(bulk_shard._Embedder, "_embedded", crash)
    items = pd.read_csv(boro / "items.csv", dtype="string")["id"]
    for calls in (1, 2):
        with pytest.raises(AffectspaceError) as told:
            in_shards(world, boro, tmp_path / "space", again_and_again)
        assert len(tried) == 5 * calls
    assert str(told.value) == (
        f"5 workers, one after another, have ended while they embedded shard 0, the items boro/{items[0]} to "
        f"boro/{items[4]}: nodes are lost that often, or have too little memory, or one of these files ends whoever "
        "reads it; the same command tries again"
    )
    monkeypatch.setattr(bulk_shard._Embedder, "_embedded", embedded)
    assert in_shards(world, boro, tmp_path / "space").items == 21


def test_nothing_that_can_be_read_is_no_space(world, boro, tmp_path):
    for file in (boro / "audio").iterdir():
        file.write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"none of the 24 files can be read; the first: boro/"):
        in_shards(world, boro, tmp_path / "space")
    assert not (tmp_path / "space/manifest.json").exists()


def test_two_at_once_and_models_of_several_modalities_are_refused(world, boro, tmp_path, monkeypatch):
    def second(job, shards):
        in_shards(world, boro, tmp_path / "space")
        yield from ()

    with pytest.raises(
        InputError, match=r"another process is writing to .*space; wait for it, or choose another --out"
    ):
        in_shards(world, boro, tmp_path / "space", second)
    monkeypatch.setattr(bulk_plan, "reads_corpora", lambda recipe: True)
    with pytest.raises(
        InputError, match="run reads audio, and shards are made of recordings or of pictures; leave --on out"
    ):
        in_shards(world, boro, tmp_path / "other")
    assert not (tmp_path / "other").exists() or not any((tmp_path / "other").glob("*/*"))


# ---- stores


@pytest.fixture
def forgetful():
    """A store in memory that lists nothing, and shows what was written only when it is asked a third time."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    asked: dict[str, int] = {}

    class Forgetful(MemoryFileSystem):
        protocol = "forgetful"
        store, pseudo_dirs = {}, [""]

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.replace("forgetful://", "memory://"))

        def ls(self, path, detail=True, **kwargs):
            raise AssertionError(f"somebody asks for a list of {path}")

        find = glob = walk = ls

        def info(self, path, **kwargs):
            path = self._strip_protocol(path)
            asked[path] = asked.get(path, 0) + 1
            if path.endswith(".parquet") and "part-" in path and asked[path] < 3:
                raise FileNotFoundError(path)
            return super().info(path, **kwargs)

    fsspec.register_implementation("forgetful", Forgetful, clobber=True)
    Forgetful.clear_instance_cache()
    return Forgetful()


def uploaded(store, corpus, at):
    for file in corpus.rglob("*"):
        if file.is_file():
            store.pipe_file(f"{at}/{file.relative_to(corpus).as_posix()}", file.read_bytes())


def test_a_store_that_lists_nothing_and_is_late_loses_nothing(world, boro, tmp_path, monkeypatch, forgetful):
    waited = []
    monkeypatch.setattr(bulk.time, "sleep", waited.append)
    monkeypatch.setattr("affectspace.space.bulk_shard.tempfile.tempdir", str(tmp_path))
    uploaded(forgetful, boro, "/lake/boro")
    items = pd.read_csv(boro / "items.csv", dtype="string")
    bad = [f"boro/{items['id'][row]}" for row in (3, 5)]
    out = "forgetful://lake/space"
    before = {*tmp_path.iterdir()}
    made = in_shards(world, "forgetful://lake/boro", out)
    assert {*tmp_path.iterdir()} == before  # what was fetched is gone
    assert sorted(made.quarantine["id"]) == sorted([*bad, "boro/row 8"])
    reasons = made.quarantine.set_index("id")["reason"]
    assert reasons[bad[1]] == f"there is no file forgetful://lake/boro/{items['audio'][5]}; check the path in the table"
    assert reasons[bad[0]].startswith(f"forgetful://lake/boro/{items['audio'][3]} is not audio")
    assert len(waited) == 15  # three looks a shard
    for name in forgetful.store:
        if "/space/" in name:
            target = tmp_path / "fetched" / name.partition("/space/")[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(forgetful.cat_file(name))
    space, local = Space.open(tmp_path / "fetched"), embed(load_model(world / "run"), [boro], quiet=True)
    local = local.space(world / "run")
    np.testing.assert_allclose(space.vectors, local.vectors, atol=1e-5)
    assert space.items["id"].tolist() == local.items["id"].tolist()
    assert space.items["audio"][0] == f"forgetful://lake/boro/{items['audio'][0]}"
    assert space.about["corpora"] == {"boro": "forgetful://lake/boro"}
    assert in_shards(world, "forgetful://lake/boro", out, engine=None).before == 5


def test_a_store_that_keeps_nothing_is_told_of(world, boro, tmp_path, monkeypatch, forgetful):
    monkeypatch.setattr(bulk.time, "sleep", lambda seconds: None)
    lost = type(forgetful).info
    monkeypatch.setattr(
        type(forgetful), "info", lambda self, path, **more: lost(self, "/nowhere" if "part-00001" in path else path)
    )
    with pytest.raises(AffectspaceError) as told:
        in_shards(world, boro, "forgetful://lake/lost")
    assert (
        " bytes to forgetful://lake/lost/part-00001.parquet, and 29.4 s later it is not to be seen there; see to the"
        in (str(told.value))
    )
    assert "/lake/lost/manifest.json" not in forgetful.store


def test_corpora_in_a_store_are_known_by_their_table(world, boro, forgetful):
    def refused(at: str) -> str:
        with pytest.raises(InputError) as told:
            in_shards(world, at, "forgetful://lake/never")
        return str(told.value)

    assert refused("forgetful://lake/nothing") == (
        "forgetful://lake/nothing holds no table; looked for corpus.toml, items.parquet, items.csv, utterances.csv, "
        "manifest.csv, metadata.csv; a corpus in a store is known by its table, so put an items.csv there"
    )
    assert refused("nonsense://lake/boro").startswith(
        "nonsense://lake/boro is of no kind of store that is known (nonsense)"
    )
    forgetful.pipe_file("/lake/wild/corpus.toml", b'items = "part*.csv"\n')
    assert refused("forgetful://lake/wild") == (
        "forgetful://lake/wild/corpus.toml has items = 'part*.csv', and of a store no list is asked for; name each "
        "table there"
    )
    forgetful.pipe_file("/lake/away/corpus.toml", b'root = "../data"\n')
    assert refused("forgetful://lake/away") == (
        "forgetful://lake/away/corpus.toml has a root, and in a store media lie beside it; leave root out"
    )
    forgetful.pipe_file("/lake/packed/items.csv", b"id,image,label\na,faces.parquet#3,sad\n")
    assert "images in the rows of a table" in refused("forgetful://lake/packed")


# ---- what a worker loads

PASSES_ON = ("torch", "pandas", "pyarrow", "numpy", "ray", "affectspace.training", "affectspace.features")
EMBEDS = (
    "affectspace.corpora", "affectspace.losses", "affectspace.metrics", "affectspace.neighbours",
    "affectspace.space.space", "faiss", "lightning_fabric", "matplotlib", "openTSNE", "ray", "scipy", "skimage",
    "sklearn", "torch._dynamo", "transformers",
)  # fmt: skip
WORKER = """
import json, sys
import affectspace.space.bulk_worker
first = [*sys.modules]
from affectspace.space.bulk_job import Job
from affectspace.space.bulk_shard import embed_shard
job, shards = json.loads(sys.argv[1])
notes = [embed_shard(Job(**job), shard) for shard in shards]
print(json.dumps([notes, first, [*sys.modules]]))
"""


def test_a_worker_loads_what_it_embeds_with_and_who_passes_it_on_nothing(world, boro, tmp_path):
    told = []

    def process(job, shards):
        words = [sys.executable, "-c", WORKER, json_text([asdict(job), shards])]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        notes, *loaded = json.loads(done.stdout)
        told.extend(loaded)
        return iter(notes)

    assert in_shards(world, boro, tmp_path / "space", process).items == 21
    passes_on, embeds = map(set, told)
    assert not passes_on.intersection(PASSES_ON)
    assert not embeds.intersection(EMBEDS)
    assert "torch" in embeds


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"versions": {"affectspace": "0.0.1"}}, f"has affectspace {__version__}, and this was planned with 0.0.1; "),
        ({"features": "another front end"}, r"makes features .+, and another front end were planned; "),
    ],
)
def test_a_machine_that_would_embed_otherwise_embeds_nothing(world, boro, tmp_path, other, what):
    def elsewhere(job, shards):
        yield embed_shard(replace(job, **other), shards[0])

    with pytest.raises(InputError, match=what + "install the same there, or take it out of the cluster"):
        in_shards(world, boro, tmp_path / "space", elsewhere)
    assert not list((tmp_path / "space").glob("part-*"))
