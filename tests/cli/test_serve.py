"""Serve as people type it: what it refuses before it listens."""

import importlib.util
import socket

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic
from affectspace.space import Space
from affectspace.training import make_recipe, train

KEY = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("serve")
    make_synthetic(root / "alva", "alva", speakers=2, items_per_speaker=6)
    values = {
        "name": "tiny", "data": str(root), "corpora": [{"path": "alva"}],
        "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
        "features": {"kind": "log_mel", "bands": 20},
        "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 2, "fold": 0, "validate_share": 0.0,
                     "allow": ["script", "session"]},
        "encoder": {"kind": "conv_pool", "channels": 4, "hidden": 4}, "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 1, "batch_size": 8, "selection": "last"},
    }  # fmt: skip
    train(make_recipe(values), root / "run", quiet=True)
    return root


@pytest.fixture
def served(monkeypatch):
    """What would be served: the application, instead of a server that never ends."""
    apps = []

    def at_once(taken, app, stopping, ready):
        ready()
        apps.append(app)

    monkeypatch.setattr("affectspace.app.listen.serve_on", at_once)
    return apps


def test_it_says_where_it_answers_and_what_to_type(run, finished, served):
    code, out, err = run("serve", finished / "run", "--port", "0")
    assert (code, err) == (0, "")
    first, rest = out.split("\n", 1)
    address = first.split()[0]
    assert first == f"{address} answers for {finished / 'run'}; Ctrl-C ends it"
    assert address.startswith("http://127.0.0.1:")
    assert f"  curl --form file=@clip.wav {address}/predict\n" in rest
    assert rest.endswith("stopped; what was in flight has been answered\n")
    code, out, err = run("serve", finished / "run", "--port", "0", "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert '"reads": "audio", "classes": ["angry", "happy", "neutral", "sad"]' in out


@pytest.mark.parametrize(
    ("more", "lacks"),
    [
        ([], "--allow-host NAME, by which clients call it, and an API key, in AFFECTSPACE_API_KEY or --api-key-file"),
        (["--allow-host", "speech.example.org"], "an API key, in AFFECTSPACE_API_KEY or --api-key-file"),
        (["--api-key-file", "key"], "--allow-host NAME, by which clients call it; or leave --host out"),
    ],
)
def test_who_lets_others_in_must_know_whom(run, finished, served, more, lacks, tmp_path, monkeypatch):
    monkeypatch.delenv("AFFECTSPACE_API_KEY", raising=False)
    (tmp_path / "key").write_text(KEY)
    code, out, err = run("serve", finished / "run", "--host", "0.0.0.0", "--port", "0", *more)
    assert (code, out, served) == (2, "", [])
    assert f"error: --host 0.0.0.0 is reached by other machines, so give {lacks}" in err


def test_others_are_let_in_by_name_and_key(run, finished, served, monkeypatch):
    from starlette.testclient import TestClient

    monkeypatch.setenv("AFFECTSPACE_API_KEY", KEY)
    code, out, err = run(
        "serve", finished / "run", "--host", "0.0.0.0", "--port", "0", "--allow-host", "Speech.example"
    )
    assert (code, err) == (0, "")
    assert KEY not in out
    assert '--header "Authorization: Bearer $AFFECTSPACE_API_KEY"' in out
    with TestClient(served[0], base_url="http://speech.example") as client:
        assert client.get("/model").status_code == 401
        known = {"authorization": f"Bearer {KEY}"}
        assert client.get("/model", headers=known).json()["classes"][0] == "angry"
        assert client.get("/health").json() == {"status": "ready"}
        forged = client.get("/model", headers={**known, "host": "evil.example"})
        assert forged.status_code == 421
        assert forged.json()["error"].startswith("the host of this request is 'evil.example'; legal: ")
        assert client.get("/health", headers={"host": "evil.example"}).status_code == 421
        assert client.get("/model", headers=known).headers["x-content-type-options"] == "nosniff"


def test_it_does_not_start_half(run, finished, served, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, out, err = run("serve", finished / "run", "--port", port)
        assert (code, out) == (2, "")
        assert err == (
            f"error: port {port} of 127.0.0.1 is in use; end what listens there, or choose another: --port 0 finds one"
        )
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but no more")
    Space(pd.DataFrame({"id": ["a"]}), np.ones((1, 3)), ()).save(tmp_path / "other.parquet")
    for arguments, told in (
        (["nowhere"], "there is no model in nowhere"),
        ([finished / "run", "--space", "broken.parquet"], "broken.parquet cannot be read as a space"),
        ([finished / "run", "--space", "other.parquet"], "the space other.parquet has 3 dimensions and the model of"),
        ([finished / "run", "--space", "none.parquet"], "there is no space none.parquet"),
        ([finished / "run", "--max-seconds", "100"], "max-seconds is 100; legal: 0.3 to 60"),
        ([finished / "run", "--max-waiting", "0"], "waiting is 0; legal: above 0"),
    ):
        code, out, err = run("serve", *arguments, "--port", "0")
        assert (code, out, served) == (2, "", [])
        assert told in err


def test_what_is_not_installed_is_named(run, finished, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "fastapi" else found(name))
    code, _, err = run("serve", finished / "run")
    assert code == 2
    assert err == ('error: affectspace serve needs fastapi, not installed; pip install "affectspace[serve]"')
