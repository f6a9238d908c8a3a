"""Runs on pictures: what training and tests see of them, that a run goes on as it was, and what is refused."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from affectspace.errors import InputError
from affectspace.features import Views
from affectspace.training import load_model, make_recipe, train
from affectspace.training.cache import DataCache
from affectspace.training.evaluate import predict
from affectspace.training.prepare import prepare
from affectspace.training.transfer import evaluate_on

SIDE, CROP = 16, 12
LONGER = {"epochs": 12, "learning_rate": 1e-2}
RECIPE = {
    "name": "faces",
    "labels": {"kind": "classes", "names": ["down", "up"], "others": "leave_out"},
    "features": {"kind": "faces", "side": SIDE},
    "views": {"crop": CROP, "flip": True},
    "protocol": {"kind": "published", "validate_by": "item", "validate_share": 0.25},
    "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 6},
    "training": {"epochs": 4, "batch_size": 8, "learning_rate": 5e-3, "checkpoint_seconds": 0},
}


def draw(folder, count=36, seed=0):
    """Faces that are brighter above or below, with votes on it, twelve of them to be tested."""
    rng = np.random.default_rng(seed)
    rows, votes = [], []
    for number in range(count):
        up = number % 2
        light = np.linspace(40, 200, 20)[:: -1 if up else 1]
        pixels = light[:, None] + rng.normal(0, 12, (20, 20))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        rows.append({"id": str(number), "image": f"{number}.png", "split": "test" if number >= count - 12 else "train"})
        votes += [{"item": str(number), "value": ["down", "up"][up]}] * 4
        votes.append({"item": str(number), "value": ["up", "down", "nobody"][number % 3]})
    pd.DataFrame(rows).to_csv(folder / "items.csv", index=False)
    pd.DataFrame(votes).to_csv(folder / "ratings.csv", index=False)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for name, seed in (("known", 0), ("other", 1)):
        (root / name).mkdir()
        draw(root / name, seed=seed)
    return root


@pytest.fixture(scope="module")
def faces(pictures):
    def make(**changes):
        values = copy.deepcopy(RECIPE) | {"data": str(pictures), "corpora": [{"path": "known"}]}
        for key, change in changes.items():
            values[key] = {**values.get(key, {}), **change} if isinstance(change, dict) else change
        return make_recipe(values)

    return make


@pytest.fixture(scope="module")
def run(faces, opened, tmp_path_factory):
    """A run of it, which all tests only read."""
    return train(faces(), tmp_path_factory.mktemp("faces") / "run", data=opened(faces()), quiet=True)


@pytest.fixture(scope="module")
def longer(faces, opened, tmp_path_factory):
    """One that has learned, and measures its space; all tests only read it."""
    recipe = faces(training=LONGER, monitor={"space": True})
    return train(recipe, tmp_path_factory.mktemp("longer") / "run", data=opened(recipe), quiet=True)


def test_a_space_of_pictures_is_learned(longer):
    assert longer.metrics["test"]["uar"] > 0.9
    assert longer.metrics["counts"] == {"train": 18, "validate": 6, "test": 12}


def test_published_pictures_that_are_identical_are_not_tested_on_what_was_trained(faces, tmp_path):
    folder = tmp_path / "known"
    folder.mkdir()
    draw(folder)
    for copied, number in ((0, 24), (1, 35)):  # the first is trained on and the second tested
        (folder / f"{number}.png").write_bytes((folder / f"{copied}.png").read_bytes())
    data = prepare(faces(data=str(tmp_path)))
    assert data.split.sizes == {"train": 17, "validate": 5, "test": 12}
    assert data.about["protocol"] == "published split, without 2 training items identical to others"
    assert {"known/0", "known/1"}.isdisjoint(data.split_table["key"])
    kept = faces(data=str(tmp_path), protocol={"allow": ["audio"]})
    assert sum(prepare(kept).split.sizes.values()) == 36


def test_training_sees_views_and_nothing_else_does(faces):
    data = prepare(faces())
    assert data.views == Views(crop=CROP, flip=True)
    batch = data.training_batch(np.arange(5), epoch=2, seed=7)
    rows = data.split.train[:5]
    plain = data.batch(rows).values
    assert plain.shape == (5, SIDE * SIDE, 1)
    keys = data.items["key"].iloc[rows].tolist()
    assert torch.equal(batch.values, data.views.training(plain, keys, 7, 2))
    assert not torch.equal(batch.values, data.training_batch(np.arange(5), epoch=3, seed=7).values)
    alone = data.training_batch(np.array([3]), epoch=2, seed=7)
    assert torch.equal(alone.values[0], batch.values[3])  # whatever batch an item is in


def test_the_answer_is_the_mean_over_the_middle_and_its_mirror_image(faces):
    data = prepare(faces())
    torch.manual_seed(0)
    from affectspace.training.model import make_encoder

    encoder = make_encoder(faces(), data.dimensions, 2)
    rows = data.split.test
    found = predict(encoder, data, rows)
    images = data.batch(rows).values.view(len(rows), SIDE, SIDE, 1)[:, 2:14, 2:14]
    with torch.no_grad():
        both = [
            encoder(type(data.batch(rows))(each.reshape(len(rows), -1, 1), torch.ones(len(rows))))
            for each in (images, images.flip(2))
        ]
    mean = torch.stack([each.logits.softmax(-1) for each in both]).mean(0)
    assert np.allclose(found.probabilities, mean.numpy(), atol=1e-6)
    assert np.allclose(found.embeddings, torch.stack([each.embedding for each in both]).mean(0).numpy(), atol=1e-5)


def test_a_run_that_broke_off_goes_on_seeing_what_it_would_have_seen(faces, tmp_path, goes_on):
    recipe = faces(views={"rotation": 10}, training={"checkpoint_steps": 2, "items_per_class": 3, "schedule": "cosine"})
    goes_on(recipe, tmp_path, batches=10)


@pytest.mark.parametrize("optimiser", [{"optimiser": "sgd"}, {"optimiser": "sgd", "momentum": 0.9}])
def test_sgd_goes_on_too(faces, opened, tmp_path, broken_off, optimiser):
    recipe = faces(training={**optimiser, "learning_rate": 0.05, "epochs": 3})
    train(recipe, tmp_path / "undisturbed", data=opened(recipe), quiet=True)
    broken_off(recipe, tmp_path / "run", batches=8)
    train(recipe, tmp_path / "run", resume=True, quiet=True)
    weights = [tmp_path / name / "model" / "model.safetensors" for name in ("run", "undisturbed")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_model_of_pictures_answers_for_files_as_in_training(run, pictures):
    model = load_model(run.path)
    assert model.medium == "image"
    table = run.predictions.query("split == 'test'").set_index("item")
    clip = model.frontend.compute(model.frontend.read(str(pictures / "known" / "30.png"), None, None))
    vectors, chances = model([clip])
    assert np.allclose(vectors[0], table.loc["known/30", "embedding"], atol=1e-5)
    assert np.allclose(chances[0], table.loc["known/30", "probabilities"], atol=1e-6)


def test_a_model_of_pictures_is_measured_on_another_corpus(longer, pictures):
    found = evaluate_on(longer, pictures / "other")["scores"]
    assert found["uar"] > 0.9
    assert found["knn_accuracy"] > 0.9  # whose neighbours are the run's own training items


def test_a_corpus_of_which_training_sees_nothing_has_figures_of_its_own(faces, pictures, tmp_path):
    changes = {"monitor": {"space": True}}
    corpora = [{"path": "known"}, {"path": "other"}]
    run = train(faces(**changes, corpora=corpora, protocol={"unseen": ["other"]}), tmp_path / "run", quiet=True)
    alone = train(faces(**changes), tmp_path / "alone", quiet=True)
    assert run.metrics["counts"] == {"train": 18, "validate": 6, "test": 12, "unseen": 36}
    assert run.metrics["protocol"] == "published split; unseen: other"
    assert run.metrics["test"] == alone.metrics["test"]  # which another corpus to be tested does not change
    assert list(run.unseen) == ["other"]
    elsewhere = evaluate_on(alone, pictures / "other")["scores"]
    assert run.unseen["other"] == pytest.approx(elsewhere, abs=1e-6)
    assert set(run.unseen["other"]) == set(run.metrics["test"])
    assert {"nmi", "knn_accuracy", "within_knn_accuracy", "recall_at_1"} <= set(run.unseen["other"])
    assert run.predictions["split"].value_counts()["unseen"] == 36


def test_a_run_measures_its_space_when_asked(longer):
    run = longer
    assert run.metrics["test"]["knn_accuracy"] > 0.9
    assert {"nmi", "recall_at_1", "accuracy_at_8", "rater_agreement", "map_accuracy"} <= set(run.metrics["test"])
    assert set(run.metrics["validate"]) == set(run.metrics["test"])
    k, curve = run.neighbours
    assert curve[k] == max(curve.values()) == run.metrics["validate"]["knn_macro_f1"]
    assert run.metrics["test"]["knn_k"] == k
    assert run.predictions["split"].value_counts().to_dict() == {"train": 18, "test": 12, "validate": 6}


def test_without_validation_items_as_many_neighbours_vote_as_in_the_paper(faces, tmp_path):
    changes = {"protocol": {"validate_share": 0}, "training": {"epochs": 1, "selection": "last"}}
    run = train(faces(**changes, monitor={"space": True}), tmp_path / "run", quiet=True)
    assert run.neighbours is None
    assert run.metrics["test"]["knn_k"] == 11


def test_systems_with_one_seed_begin_with_one_space(faces, tmp_path):
    recipes = [faces(labels={"names": names}) for names in (["down", "up"], ["down", "nobody", "up"])]
    from affectspace.training.model import make_encoder

    states = []
    for recipe in recipes:
        torch.manual_seed(3)
        states.append(make_encoder(recipe, 1, len(recipe.labels.names)).state_dict())
    shared = [name for name in states[0] if "output" not in name]
    assert len(shared) > 10
    assert all(torch.equal(states[0][name], states[1][name]) for name in shared)


def test_training_may_begin_with_weights_that_fit(faces, run, opened, tmp_path):
    start = load_model(run.path).encoder.state_dict()
    still = faces(name="still", training={"learning_rate": 1e-12, "epochs": 1})
    kept = load_model(
        train(still, tmp_path / "second", start=start, data=opened(still), quiet=True).path
    ).encoder.state_dict()
    weights = [name for name in start if "running" not in name and "batches" not in name]
    assert all(torch.allclose(kept[name], start[name], atol=1e-9) for name in weights)
    three = faces(
        name="three", labels={"names": ["down", "nobody", "up"]}, training={"learning_rate": 1e-12, "epochs": 1}
    )
    other = load_model(train(three, tmp_path / "third", start=start, quiet=True).path).encoder.state_dict()
    assert other["head.output.weight"].shape == (3, 6)  # of another shape, so its own
    assert torch.allclose(other["head.embedding.weight"], start["head.embedding.weight"], atol=1e-9)


def test_a_broken_picture_is_set_aside_and_an_item_without_one_too(faces, pictures, tmp_path):
    folder = tmp_path / "known"
    folder.mkdir()
    draw(folder)
    (folder / "3.png").write_bytes((folder / "3.png").read_bytes()[:80])
    items = pd.read_csv(folder / "items.csv", dtype=str)
    items.loc[5, "image"] = None
    items.to_csv(folder / "items.csv", index=False)
    recipe = make_recipe({**faces().model_dump(), "data": str(tmp_path)})
    data = prepare(recipe)
    set_aside = {row["id"]: row["reason"] for row in data.about["corpora"][0]["quarantine"]}
    assert set(set_aside) == {"3", "5"}
    assert "3.png" in set_aside["3"]
    assert set_aside["5"] == "the item has no image"


def test_levels_are_measured_as_levels(faces, pictures, tmp_path):
    values = {**faces().model_dump(), "terms": [{"kind": "ordered_emd"}]}
    values["labels"] = {"kind": "levels", "names": ["down", "up"], "dimension": "label"}
    folder = tmp_path / "known"
    folder.mkdir()
    draw(folder)
    items = pd.read_csv(folder / "items.csv", dtype=str)
    items["label"] = ["down" if i % 2 == 0 else "up" for i in range(len(items))]
    items.to_csv(folder / "items.csv", index=False)
    (folder / "ratings.csv").unlink()
    run = train(make_recipe({**values, "data": str(tmp_path)}), tmp_path / "run", quiet=True)
    assert run.metrics["test"]["within_one"] == 1.0
    assert 0 <= run.metrics["test"]["mean_absolute_error"] < 0.5
    assert run.metrics["test"]["spearman"] > 0.5
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"views": {"crop": 20}}, "views.crop is 20 and features.side 16; legal: 8 to 16"),
        ({"encoder": {"kind": "mlp"}}, "encoder.kind 'mlp' cannot read pictures"),
        ({"augment": {"level": 3.0}}, "augment changes sound, and pictures have none"),
        ({"terms": [{"kind": "f_similarity", "pairs": "batch"}]}, "set encoder.non_negative = true"),
        ({"training": {"items_per_class": 5}}, "items_per_class is 5 and batch_size 8"),
        ({"training": {"momentum": 0.9}}, "momentum belongs to optimiser"),
        ({"training": {"items_per_class": 2, "length_pool": 2}}, "a run draws its batches in one way"),
        ({"features": {"kind": "log_mel"}}, 'encoder.kind "image" reads pictures'),
    ],
)
def test_what_does_not_fit_together_is_refused(faces, changes, message):
    values = faces().model_dump()
    for key, change in changes.items():
        replaced = isinstance(change, dict) and "kind" in change
        values[key] = change if replaced or isinstance(change, list) else {**values[key], **change}
    with pytest.raises(InputError, match=message):
        make_recipe(values)


def test_a_net_that_there_is_not_is_named(faces, tmp_path):
    with pytest.raises(InputError, match="there is no image net 'resnet81'; did you mean 'resnet18'"):
        train(faces(encoder={"net": "resnet81"}), tmp_path / "run", quiet=True)


def test_runs_that_share_their_data_keep_views_of_their_own(faces):
    cache = DataCache()
    flipped, plain = cache(faces()), cache(faces(views={"crop": None, "flip": False}))
    assert flipped.views == Views(CROP, True)
    assert plain.views is None
    assert plain.inputs is not flipped.inputs
