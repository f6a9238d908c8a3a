"""A tiny corpus of synthetic voices, and a recipe that trains on it in about a second."""

import copy
import shutil

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic_world
from affectspace.training import Run, make_recipe, train
from affectspace.training.cache import DataCache
from affectspace.training.data import Data

TINY = {
    "name": "tiny",
    "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
    "features": {"kind": "log_mel", "bands": 20, "normalise": {"scope": "item"}},
    "protocol": {
        "kind": "cross_corpus",
        "train": ["alva"],
        "test": ["boro"],
        "validate_share": 0.3,
        "validate_by": "session",
        "allow": ["script"],
    },
    "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
    "training": {"epochs": 3, "batch_size": 5, "learning_rate": 3e-3, "checkpoint_seconds": 0},
    "monitor": {"snapshots": [1, 3], "snapshot_items": 10},
}
TERMS = {
    "ce": [{"kind": "cross_entropy"}],
    "triplets": [{"kind": "cross_entropy"}, {"kind": "f_similarity", "pairs": "triplets"}],
    "batch": [{"kind": "cross_entropy"}, {"kind": "f_similarity", "pairs": "batch", "geometry": "fisher_rao"}],
}


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    make_synthetic_world(root, ("alva", "boro"), speakers=3, items_per_speaker=8)
    return root


@pytest.fixture(scope="session")
def tiny(world):
    """``tiny(terms="ce", training={...})``: the tiny recipe, its sections changed; terms by name or as a list."""

    def make(terms="ce", **changes):
        values = copy.deepcopy(TINY) | {"data": str(world), "corpora": [{"path": "alva"}, {"path": "boro"}]}
        values["terms"] = TERMS[terms] if isinstance(terms, str) else terms
        for key, change in changes.items():
            values[key] = (
                {**values.get(key, {}), **change} if isinstance(change, dict) and "kind" not in change else change
            )
        return make_recipe(values)

    return make


@pytest.fixture(scope="session")
def opened():
    """``opened(recipe)``: its data, the same for all tests that ask for them, so that none may change them."""
    return DataCache()


@pytest.fixture(scope="session")
def tiny_run(tiny, tmp_path_factory) -> Run:
    """The tiny recipe's run, the same for all tests: one that changes its folder copies it first."""
    return train(tiny(), tmp_path_factory.mktemp("tiny") / "run", quiet=True)


@pytest.fixture
def broken_off(monkeypatch):
    """``broken_off(recipe, folder, batches)``: a run that ends before so many batches are drawn."""

    def begin(recipe, folder, batches):
        whole, drawn = Data.training_batch, []

        def breaks_off(self, *given):
            drawn.append(1)
            if len(drawn) == batches:
                raise KeyboardInterrupt
            return whole(self, *given)

        with monkeypatch.context() as patched:
            patched.setattr(Data, "training_batch", breaks_off)
            with pytest.raises(KeyboardInterrupt):
                train(recipe, folder, quiet=True)

    return begin


@pytest.fixture
def goes_on(broken_off):
    """``goes_on(recipe, folder, batches)``: a run that broke off there ends with the bits of one that did not."""

    def compare(recipe, folder, batches):
        train(recipe, folder / "undisturbed", quiet=True)
        broken_off(recipe, folder / "run", batches)
        assert list((folder / "run/checkpoints").iterdir())
        train(recipe, folder / "run", resume=True, quiet=True)
        for name in ("metrics.json", "metrics.jsonl", "predictions.parquet", "model/model.safetensors"):
            assert (folder / "run" / name).read_bytes() == (folder / "undisturbed" / name).read_bytes()

    return compare


@pytest.fixture(scope="session")
def few_voices(tmp_path_factory):
    """Two corpora of 18 items each, for nets that take long for an item."""
    root = tmp_path_factory.mktemp("few")
    make_synthetic_world(root, ("alva", "boro"), speakers=3, items_per_speaker=6)
    return root


@pytest.fixture
def beside_model(few_voices, lay_speech_model, tmp_path):
    """``beside_model("wavlm layer")``: data of one's own, two tiny corpora, and a speech model of a kind below them."""

    def lay(kind):
        for name in ("alva", "boro"):
            (tmp_path / name).symlink_to(few_voices / name)
        shutil.copytree(lay_speech_model(kind), tmp_path / "models/wavlm")
        return tmp_path

    return lay


@pytest.fixture
def with_short_clip():
    """``with_short_clip(place)``: alva is as boro then, but that its first item lasts 2 ms, whose id is returned."""

    def lay(place):
        (place / "alva").unlink()
        shutil.copytree(place / "boro", place / "alva")  # a folder that may be changed
        (place / "alva/corpus.toml").write_text((place / "boro/corpus.toml").read_text().replace("boro", "alva"))
        items = pd.read_csv(place / "alva/items.csv")
        items.loc[0, ["start", "end"]] = [0.1, 0.102]
        items.to_csv(place / "alva/items.csv", index=False)
        return items["id"][0]

    return lay


@pytest.fixture(scope="session")
def lay_languages():
    """``lay_languages(root, corpora, names, items, speakers, hears)``: corpora of vectors, by name and language.

    The classes ``names`` and the speakers take turns. ``hears(place)`` gives, for a corpus by its place, what makes a
    vector of the number of a class and of a speaker.
    """

    def lay(root, corpora, names, items, speakers, hears):
        vectors = {}
        for place, (name, language) in enumerate(corpora.items()):
            (root / name).mkdir()
            (root / name / "corpus.toml").write_text(f'name = "{name}"\nlanguage = "{language}"\n')
            rows = [(f"i{k}", names[k % len(names)], f"s{k // 3 % speakers}") for k in range(items)]
            pd.DataFrame(rows, columns=["id", "label", "speaker"]).to_csv(root / name / "items.csv", index=False)
            vector = hears(place)
            vectors |= {f"{name}/i{k}": vector(k % len(names), k // 3 % speakers) for k in range(items)}
        table = pd.DataFrame(np.stack(list(vectors.values()))).rename(columns=str).assign(id=list(vectors))
        table.to_parquet(root / "v.parquet")

    return lay


@pytest.fixture
def numbers(tmp_path):
    """``numbers(labels={...}, protocol={...})``: a recipe of numbers (``value``, 0 to 10) in two small corpora."""
    generator = np.random.default_rng(0)
    vectors = []
    for name, count in (("mine", 60), ("other", 20)):
        x = generator.normal(size=(count, 3))
        value = np.clip(5 + 2 * x[:, 0] + x[:, 1] ** 2, 0, 10).round(2)
        ids = [f"{name}{place}" for place in range(count)]
        (tmp_path / name).mkdir()
        table = pd.DataFrame({"id": ids, "speaker": [f"{name}{place % 6}" for place in range(count)], "value": value})
        table.to_csv(tmp_path / name / "items.csv", index=False)
        vectors.append(pd.DataFrame(x, columns=["a", "b", "c"]).assign(id=ids))
    pd.concat(vectors).to_parquet(tmp_path / "vectors.parquet")

    def make(**changes):
        values = {
            "name": "numbers",
            "data": str(tmp_path),
            "corpora": [{"path": "mine"}],
            "labels": {"kind": "levels", "dimension": "value", "bins": 4},
            "features": {"kind": "vectors", "path": "vectors.parquet", "id_column": "id"},
            "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 3, "fold": 0},
            "encoder": {"kind": "mlp", "hidden": 8},
            "terms": [{"kind": "ordered_emd"}],
            "training": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "checkpoint_seconds": 100},
        }
        for key, change in changes.items():
            changed = isinstance(change, dict) and "kind" not in change
            values[key] = values.get(key, {}) | change if changed else change
        return make_recipe(values)

    return make
