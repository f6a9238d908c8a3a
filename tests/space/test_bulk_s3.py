"""A corpus and its space in S3, of which a server on this machine plays the part."""

import numpy as np
import pytest

from affectspace.corpora import make_synthetic_world
from affectspace.errors import AffectspaceError, InputError
from affectspace.places import Place
from affectspace.space import Space, bulk_plan, bulk_shard
from affectspace.space.bulk import embed_in_shards
from affectspace.space.embed import embed
from affectspace.training import load_model, load_recipe, train_recipe


@pytest.fixture(scope="module")
def s3():
    """The address of the server, with a bucket; keys and address are where the tools of S3 look for them."""
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("lake")
        yield s3fs.S3FileSystem(use_listings_cache=False)
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory, lay_tiny, s3):
    folder = tmp_path_factory.mktemp("bulk-s3")
    make_synthetic_world(folder / "world", speakers=3, items_per_speaker=4)
    lay_tiny(folder, {"recipes": []}, folder / "world")
    train_recipe(load_recipe(folder / "recipe.toml"), folder / "run", quiet=True)
    for file in (folder / "world/boro").rglob("*"):
        if file.is_file():
            s3.pipe_file(f"lake/corpora/{file.relative_to(folder / 'world').as_posix()}", file.read_bytes())
    return folder


def test_a_place_in_s3_keeps_files_whole(s3):
    place = Place("s3://lake/some/where/")
    place.write("a/b.txt", b"whole")
    place.write("a/b.txt", b"anew")
    assert (place.read("a/b.txt"), place.size("a/b.txt"), place.size("c.txt")) == (b"anew", 4, None)
    assert place.read_many(["c.txt", "a/b.txt", "a/b[1].txt"]) == [None, b"anew", None]
    with place.open("a/b.txt") as file:
        file.seek(2)
        assert file.read() == b"ew"
    place.remove("a/b.txt")
    place.remove("a/b.txt")
    with pytest.raises(FileNotFoundError):
        place.read("a/b.txt")


def test_a_corpus_in_s3_is_embedded_to_s3(world, tmp_path, monkeypatch, s3):
    monkeypatch.setattr(bulk_plan, "SHARD", 5)
    bulk_shard._OPEN.clear()
    given = {"command": "again", "quiet": True}
    made = embed_in_shards(world / "run", ["s3://lake/corpora/boro"], "s3://lake/space", **given)
    for name in s3.find("lake/space"):
        target = tmp_path / name.removeprefix("lake/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(s3.cat_file(name))
    space = Space.open(tmp_path / "space")
    local = embed(load_model(world / "run"), [world / "world/boro"], quiet=True).space(world / "run")
    np.testing.assert_allclose(space.vectors, local.vectors, atol=1e-5)
    assert space.items["id"].tolist() == local.items["id"].tolist()
    assert space.items["audio"].str.startswith("s3://lake/corpora/boro/").all()
    assert made.items == len(local)
    s3.rm_file("lake/space/part-00001.parquet")
    bulk_shard._OPEN.clear()
    again = embed_in_shards(world / "run", ["s3://lake/corpora/boro/items.csv"], "s3://lake/space", **given)
    assert (again.before, again.items) == (2, made.items)


def test_a_bucket_that_is_not_there_is_told_of(world):
    with pytest.raises(AffectspaceError, match=r"^s3://nobodys/space cannot be asked: there is no such bucket; see"):
        embed_in_shards(world / "run", ["s3://lake/corpora/boro"], "s3://nobodys/space", command="again", quiet=True)
    with pytest.raises(InputError, match=r"s3://nobodys/boro holds no table; looked for corpus.toml"):
        embed_in_shards(world / "run", ["s3://nobodys/boro"], "s3://lake/other", command="again", quiet=True)
