"""The explorer starts, answers on the loopback interface alone, writes corrections at once, and ends by Ctrl-C."""

import importlib.util
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from affectspace.cli import explore
from affectspace.errors import InputError
from affectspace.space import Space

httpx = pytest.importorskip("httpx")


@pytest.fixture
def space(tmp_path):
    (tmp_path / "mine").mkdir()
    rows = np.arange(30)
    labels = np.where(rows < 15, "happy", "sad")
    items = pd.DataFrame({"id": [f"mine/{row}" for row in rows], "corpus": "mine", "label": labels})
    vectors = np.random.default_rng(0).normal(size=(30, 4)) + 4 * (rows < 15)[:, None]
    path = tmp_path / "space.parquet"
    Space(items, vectors, ("happy", "sad"), {"corpora": {"mine": str(tmp_path / "mine")}}).save(path)
    return path


@pytest.fixture
def start(tmp_path):
    """Start the command, and end it with the test."""
    begun = []

    def start(*words):
        command = [sys.executable, "-m", "affectspace", "explore", *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_it_starts_answers_and_ends(space, start, tmp_path):
    process = start(space, "--port", "0", "--by", "ann", "--no-browser")
    lines = [process.stdout.readline() for _ in range(2)]
    assert lines[0] == "30 items of space\n"
    address = lines[1].split()[1]
    with httpx.Client(follow_redirects=True) as client:
        home = address.split("/?")[0]
        assert client.get(home).status_code == 403
        assert client.get(address).status_code == 200
        assert client.get(f"{home}/api/about").json()["items"] == 30
        said = {"item": json.loads(client.get(f"{home}/api/ids").text)[3], "old": "happy", "new": "sad"}
        assert client.post(f"{home}/api/corrections", json=said, headers={"origin": home}).status_code == 200
    assert json.loads((tmp_path / "mine" / "corrections.jsonl").read_text())["by"] == "ann"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert f"1 correction added to {tmp_path}/mine/corrections.jsonl" in out
    assert "affectspace train RECIPE.toml corrections=true" in out
    assert "Traceback" not in err


def test_machines_are_told_the_address_as_json_and_may_end_it_by_sigterm(space, run, monkeypatch):
    from affectspace.app.listen import serve_on

    def told_at_once(ready):
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "flush", lambda: flushed.append(True))
            ready()
        signal.raise_signal(signal.SIGTERM)

    def end_once_ready(taken, app, stopping, ready):
        serve_on(taken, app, stopping, lambda: told_at_once(ready))

    flushed = []
    monkeypatch.setattr("affectspace.app.listen.serve_on", end_once_ready)
    code, out, _ = run("explore", space, "--json", "--port", "0")
    assert flushed, "who waits for the address at a pipe hears it"
    told = json.loads(out)
    assert (code, told["items"]) == (0, 30)
    assert told["url"].startswith("http://127.0.0.1:")


def test_a_port_in_use_is_told(space, run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("explore", space, "--port", port)
    assert (code, out) == (2, "")
    assert err == (
        f"error: port {port} of 127.0.0.1 is in use; end what listens there, or choose another: --port 0 finds one"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "name at least one space: affectspace explore runs/synthetic"),
        (("nowhere",), "there is no space nowhere"),
        (("space.parquet", "--port", "70000"), "--port is 70000; legal: 0 (any that is free) to 65535"),
        (("space.parquet", "--by", ""), "--by is empty; give a name"),
        (("space.parquet", "--corrections", "mine"), "--corrections mine is a folder"),
        (("space.parquet", "--where", "label=angry"), "angry"),
    ],
)
def test_what_cannot_be_used_is_told(space, run, words, why):
    code, out, err = run("explore", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert why in err


def test_what_is_not_installed_is_named_before_anything_is_opened(run, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else found(name))
    code, _, err = run("explore", "nowhere")
    assert (code, err) == (
        2,
        'error: affectspace explore needs uvicorn, not installed; pip install "affectspace[explore]"',
    )


@pytest.mark.parametrize(
    ("named", "setting"), [(None, "true"), ("own/corrections.jsonl", "{here}/own/corrections.jsonl")]
)
def test_at_the_end_it_tells_what_was_added_here_and_how_to_go_on_with_it(
    tmp_path, monkeypatch, capsys, named, setting
):
    """A file of the usual name is not one that recipes find by themselves."""
    monkeypatch.chdir(tmp_path)
    corrections = named and Path(named)
    written = {corrections or tmp_path / "mine/corrections.jsonl": 2}
    explore._tell(SimpleNamespace(judgements=SimpleNamespace(written=written)), Path("space.parquet"), corrections)
    told = capsys.readouterr().out
    assert told.startswith(f"\n2 corrections added to {corrections or tmp_path / 'mine/corrections.jsonl'}\n")
    assert f"affectspace train RECIPE.toml corrections={setting.format(here=tmp_path)}\n" in told
    assert told.endswith(f"affectspace explore space.parquet{f' --corrections {named}' if named else ''}\n")


def test_where_nobody_names_a_port_the_next_free_one_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(explore, "PORT", taken.getsockname()[1])
        with explore._listening(None) as next_one:
            assert taken.getsockname()[1] < next_one.getsockname()[1] < taken.getsockname()[1] + explore.TRIED
            with pytest.raises(InputError, match="is in use"):
                explore._listening(next_one.getsockname()[1])
