"""A small space with sound, pictures and words, and a client that has the explorer's token."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from affectspace.app.explored import explore_spaces
from affectspace.app.explorer import make_explorer
from affectspace.space import Space

CLASSES = ("happy", "sad")
PORT = 8765
HOME = f"http://127.0.0.1:{PORT}"
TOKEN = "told-to-the-owner"


@pytest.fixture
def corpus(tmp_path):
    """A folder with media; rows 0 to 19 of the space are recordings, 20 to 23 pictures."""
    folder = tmp_path / "mine"
    folder.mkdir()
    tone = np.sin(np.arange(16_000) / 10) / 2
    for row in range(20):
        soundfile.write(folder / f"{row}.wav", tone, 16_000)
    for row in range(20, 24):
        Image.new("RGB", (30, 20), (row, 0, 255)).save(folder / f"{row}.png")
    return folder


@pytest.fixture
def space(corpus):
    """Two clouds; item 3 lies among the others' and bears their opposite label."""
    rows = np.arange(24)
    labels = np.where(rows < 12, "happy", "sad").astype(object)
    labels[3] = "sad"
    labels[5] = None
    target = [[0.5, 0.5] if row == 5 else [float(label == "happy"), float(label == "sad")]
              for row, label in enumerate(labels)]  # fmt: skip
    items = pd.DataFrame(
        {
            "id": [f"mine/{row:02}" for row in rows],
            "corpus": "mine",
            "label": labels,
            "target": target,
            "prediction": ["happy" if row < 12 else "sad" for row in rows],
            "probabilities": [[0.75, 0.25] if row < 12 else [0.125, 0.875] for row in rows],
            "speaker": [f"<img src=x onerror=alert({row % 3})>" for row in rows],
            "audio": [str(corpus / f"{row}.wav") if row < 20 else None for row in rows],
            "image": [str(corpus / f"{row}.png") if row >= 20 else None for row in rows],
            "text": [f"words of {row}" if row % 2 else None for row in rows],
            "age": [20.5 + row for row in rows],
            "take": [row % 4 for row in rows],
        }
    )
    vectors = np.random.default_rng(0).normal(size=(24, 6)) + 6 * (rows < 12)[:, None]
    return Space(items, vectors, CLASSES, {"corpora": {"mine": str(corpus)}})


@pytest.fixture
def explored(space, tmp_path):
    return explore_spaces([space], ["mine"], None, "ann", tmp_path / "maps")


@pytest.fixture
def stranger(explored, tmp_path):
    """A client of the explorer without its token."""
    library = tmp_path / "points.js"
    library.write_text("// draws")
    return TestClient(make_explorer(explored, TOKEN, PORT, library), base_url=HOME)


@pytest.fixture
def client(stranger):
    stranger.get("/", params={"token": TOKEN})
    stranger.headers["origin"] = HOME
    return stranger
