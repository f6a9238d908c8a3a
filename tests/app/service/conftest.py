"""Tiny models of recordings, of pictures and of texts, and clients of a service of theirs."""

import io
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image
from starlette.testclient import TestClient

from affectspace.app.service.asked_model import AskedModel
from affectspace.app.service.routes import make_service
from affectspace.corpora import make_synthetic
from affectspace.training import make_recipe, train

CLASSES = ["angry", "happy", "neutral", "sad"]
SPLIT = {"kind": "grouped_folds", "by": "speaker", "folds": 2, "fold": 0, "allow": ["script", "session"]}


def recipe(data, features, **more):
    return make_recipe(
        {
            "name": "tiny", "data": str(data), "corpora": [{"path": "."}],
            "labels": {"kind": "classes", "names": CLASSES},
            "features": features, "protocol": SPLIT, "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
            "terms": [{"kind": "cross_entropy"}], "training": {"epochs": 1, "batch_size": 16},
            **more,
        }
    )  # fmt: skip


@pytest.fixture(scope="session")
def heard(tmp_path_factory):
    """The run of a model that hears; its corpus lies beside it, in ``alva``."""
    root = tmp_path_factory.mktemp("heard")
    make_synthetic(root / "alva", "alva", speakers=4, items_per_speaker=6)
    log_mel = {"kind": "log_mel", "bands": 20, "normalise": {"scope": "item"}}
    train(recipe(root / "alva", log_mel), root / "run", quiet=True)
    return root


@pytest.fixture(scope="session")
def seen(tmp_path_factory):
    """The run of a model that sees."""
    root = tmp_path_factory.mktemp("seen")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(16):
        name = f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(root / name)
        rows.append({"id": number, "image": name, "label": CLASSES[number % 4], "speaker": f"s{number // 4}"})
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)
    net = {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 6}
    train(recipe(root, {"kind": "faces", "side": 16}, encoder=net), root / "run", quiet=True)
    return root


@pytest.fixture(scope="session")
def read(tmp_path_factory):
    """The run of a model that reads."""
    root = tmp_path_factory.mktemp("read")
    words = [f"w{number}" for number in range(8)]
    rng = np.random.default_rng(0)
    np.savez(root / "words.npz", words=np.array(words), vectors=rng.normal(size=(8, 5)).astype(np.float32))
    rows = [
        {"id": n, "text": f"{words[n % 8]} {words[n // 2]}", "label": CLASSES[n % 4], "speaker": f"s{n // 4}"}
        for n in range(16)
    ]
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)
    words_of = {"kind": "words", "path": "words.npz"}
    net = {"kind": "conv_pool", "channels": 8, "hidden": 8, "kernel": 2}
    train(recipe(root, words_of, encoder=net), root / "run", quiet=True)
    return root


@pytest.fixture(scope="session")
def ears(heard):
    return AskedModel(heard / "run")


@pytest.fixture
def client(ears):
    """``with client(limits=...) as asks:`` a client of a service of the model that hears, or of another."""

    @contextmanager
    def begin(asked=None, **more):
        with TestClient(make_service(asked or ears, **more), base_url="http://127.0.0.1:8000") as asks:
            yield asks

    return begin


def sound(seconds=1.0, seed=0, rate=16000, kind="WAV", channels=1):
    """A recording of noise, as its bytes."""
    noise = np.random.default_rng(seed).normal(0, 0.1, (int(seconds * rate), channels))
    held = io.BytesIO()
    soundfile.write(held, noise, rate, format=kind)
    return held.getvalue()


def picture(width=16, height=16, kind="PNG"):
    """A picture of noise, as its bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, kind)
    return held.getvalue()


@pytest.fixture(scope="session")
def make_sound():
    return sound


@pytest.fixture(scope="session")
def make_picture():
    return picture
