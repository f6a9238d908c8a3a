"""Rounds of training on classes within classes: what each trains on and is measured by, and that they go on."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from affectspace.cli.embed import embed
from affectspace.cli.evaluate import evaluate
from affectspace.cli.rounds import _undivided, rounds
from affectspace.encoders import Outputs
from affectspace.errors import InputError
from affectspace.metrics import scores
from affectspace.space import Space
from affectspace.space.rounds import _labels, _on_subclasses, _save, _space, train_rounds
from affectspace.space.subclasses import find_subclasses
from affectspace.training import Run, load_model, make_recipe
from affectspace.training.evaluate import predict
from affectspace.training.prepare import prepare
from affectspace.training.recipe_file import dump_recipe
from affectspace.training.train import train
from affectspace.training.transfer import evaluate_on


def draw(root, seed=0):
    """Two classes of pictures, each of two kinds that no label tells: bright above or below, or left or right.

    Three of five raters see what there is.
    """
    root.mkdir()
    rng, rows, votes = np.random.default_rng(seed), [], []
    light = np.linspace(40, 200, 16)
    kinds = [
        np.tile(light[:, None], 16),
        np.tile(light[::-1, None], 16),
        np.tile(light, (16, 1)),
        np.tile(light[::-1], (16, 1)),
    ]
    for number in range(128):
        pixels = kinds[number % 4] + rng.normal(0, 12, (16, 16))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / f"{number}.png")
        split = "test" if number >= 104 else "train"
        names = ["up-down", "across"][:: -1 if number % 4 // 2 else 1]
        rows.append({"id": str(number), "image": f"{number}.png", "label": names[0], "split": split})
        votes += [{"item": str(number), "dimension": "voted", "value": names[vote > 2]} for vote in range(5)]
    pd.DataFrame(rows).to_csv(root / "items.csv", index=False)
    pd.DataFrame(votes).to_csv(root / "ratings.csv", index=False)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    draw(root / "known")
    draw(root / "other", seed=1)
    return root


@pytest.fixture(scope="module")
def recipe(pictures):
    return make_recipe(
        {
            "name": "within",
            "data": str(pictures),
            "corpora": [{"path": "known"}],
            "labels": {"kind": "classes", "names": ["up-down", "across"], "dimension": "label"},
            "features": {"kind": "faces", "side": 16},
            "protocol": {"kind": "published", "validate_share": 0.0},
            "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 4, "probe": True},
            "terms": [{"kind": "gaussian_manifold"}, {"kind": "cross_entropy"}],
            "training": {
                "epochs": 3, "batch_size": 16, "items_per_class": 8, "learning_rate": 5e-3, "selection": "last",
            },
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """Two rounds of it, which all tests only read, and their folder."""
    folder = tmp_path_factory.mktemp("whole") / "rounds"
    return train_rounds(recipe, folder, 2, quiet=True), folder


def test_each_round_trains_on_one_more_sub_class_and_ends_where_it_would_have_ended(
    recipe, whole, tmp_path, monkeypatch
):
    found, folder = whole
    assert [each.trained_on for each in found] == [2, 4]
    assert found[-1].figures["knn_accuracy"] > 0.9
    space = Space.open(folder / "round-02" / "space.parquet")
    assert space.classes == ("up-down", "across")
    assert len(space) == 128
    parts = pd.read_parquet(folder / "round-01" / "subclasses.parquet")
    assert (parts.groupby("subclass")["class"].nunique() == 1).all()
    assert len(parts) == 104  # training items alone
    told = json.loads((folder / "rounds.json").read_text())
    assert [row["round"] for row in told] == [1, 2]

    calls = []

    def ends(*given, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(*given, **named)

    monkeypatch.setattr("affectspace.space.rounds.train", ends)
    with pytest.raises(KeyboardInterrupt):
        train_rounds(recipe, tmp_path / "ended", 2, quiet=True)
    monkeypatch.undo()
    train_rounds(recipe, tmp_path / "ended", 2, resume=True, quiet=True)
    weights = "round-02/model/model.safetensors"
    assert (tmp_path / "ended" / weights).read_bytes() == (folder / weights).read_bytes()
    assert (tmp_path / "ended" / "rounds.json").read_bytes() == (folder / "rounds.json").read_bytes()

    with pytest.raises(InputError, match="already holds a run, or rounds; go on with rounds by --resume"):
        train_rounds(recipe, folder, 2, quiet=True)


@pytest.fixture(scope="module")
def voted(recipe, tmp_path_factory):
    """Two rounds that learn from votes and keep the epoch that validates best."""
    values = recipe.model_dump()
    values["labels"]["dimension"] = "voted"
    values["protocol"] |= {"validate_share": 0.25, "validate_by": "item"}
    values["encoder"]["probe"] = False
    values["terms"] = [{"kind": "cross_entropy"}]
    values["training"] |= {"selection": "validation", "epochs": 8, "learning_rate": 1e-2}
    values["monitor"]["space"] = True
    folder = tmp_path_factory.mktemp("voted") / "rounds"
    train_rounds(make_recipe(values), folder, 2, quiet=True)
    return folder


def test_a_round_is_selected_and_measured_by_the_classes_of_the_recipe(voted):
    run = Run(voted / "round-02")
    assert run.classes == ("up-down", "across")
    for part in ("validate", "test"):
        items = run.evaluated(part)
        assert items is not None
        assert np.allclose(np.sort(items.targets, axis=1), [0.4, 0.6])  # the votes, not shares of sub-classes
        assert np.allclose(items.probabilities.sum(1), 1, atol=1e-5)
        assert run.metrics[part]["uar"] == pytest.approx(scores(items.targets, items.probabilities)["uar"])
    assert run.epochs["validate.uar"].max() == pytest.approx(run.metrics["validate"]["uar"])
    rows = pd.read_parquet(voted / "round-01" / "subclasses.parquet")
    assert rows["subclass"].nunique() == 4  # on which it was trained
    told = json.loads((voted / "rounds.json").read_text())[1]
    assert told["knn_k"] == run.metrics["neighbours"]["k"] == run.metrics["test"]["knn_k"]
    assert run.metrics["test"]["knn_accuracy"] == pytest.approx(told["knn_accuracy"])


def test_validation_items_choose_how_many_vote_though_the_run_has_not_measured_its_space(recipe, tmp_path):
    values = recipe.model_dump()
    values["protocol"] |= {"validate_share": 0.25, "validate_by": "item"}
    values["training"]["epochs"] = 1
    measured = {**values, "monitor": {"space": True}}
    (here,) = train_rounds(make_recipe(values), tmp_path / "here", 1, quiet=True)
    train_rounds(make_recipe(measured), tmp_path / "run", 1, quiet=True)
    run = Run(tmp_path / "run" / "round-01")
    assert Run(here.folder).neighbours is None
    assert here.figures["knn_k"] == run.neighbours[0]
    assert here.figures["knn_macro_f1"] == pytest.approx(run.metrics["test"]["knn_macro_f1"])


def test_eleven_vote_where_nothing_validates(whole):
    assert [each.figures["knn_k"] for each in whole[0]] == [11, 11]


def test_an_item_of_votes_is_measured_by_them_though_its_class_has_more_parts(recipe, tmp_path):
    data = prepare(recipe, quiet=True)
    split = data.split.train
    labels = np.array(data.classes, dtype=object)[data.targets.argmax(1).numpy()[split]]
    parts = [f"up-down {1 + row % 3}" if name == "up-down" else name for row, name in enumerate(labels)]
    table = pd.DataFrame({"id": data.items["key"].to_numpy()[split], "class": labels, "subclass": parts})
    table.to_parquet(tmp_path / "subclasses.parquet")
    votes = data.targets.clone()
    votes[data.split.test[0]] = torch.tensor([0.6, 0.4])
    seen = _on_subclasses(replace(data, targets=votes), tmp_path)
    assert seen.classes == ("up-down 1", "up-down 2", "up-down 3", "across")
    assert seen.targets[split].sum(0).tolist() == table["subclass"].value_counts()[list(seen.classes)].tolist()

    class Sure(torch.nn.Linear):
        """Says 0.2 of each part and 0.4 of the whole class: 0.6 and 0.4."""

        def forward(self, batch):
            logits = torch.tensor([0.2, 0.2, 0.2, 0.4]).log().expand(len(batch.lengths), 4)
            return Outputs(torch.zeros(len(batch.lengths), 2), logits)

    found = predict(Sure(1, 1), seen, data.split.test[:1])
    assert np.allclose(found.targets, [[0.6, 0.4]])
    assert np.allclose(found.probabilities, [[0.6, 0.4]])
    other = table.assign(id=table["id"].to_numpy()[::-1])
    other.to_parquet(tmp_path / "subclasses.parquet")
    with pytest.raises(InputError, match="the training items are no longer those of"):
        _on_subclasses(data, tmp_path)


@pytest.fixture
def torn(recipe):
    """The sixth training item has as many votes for either class; one class leads the seventh's."""
    data = prepare(recipe, quiet=True)
    votes = data.targets.clone()
    votes[data.split.train[5]] = torch.tensor([0.5, 0.5])
    votes[data.split.train[6]] = torch.tensor([0.4, 0.6])
    return replace(data, targets=votes)


def test_a_torn_item_is_in_no_mixture(torn, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(len(torn.items), 3)).astype(np.float32)
    elsewhere = vectors.copy()
    elsewhere[torn.split.train[5]] = 1e3
    spaces = [_space(torn, given, _labels(torn), tmp_path).take(torn.split.train) for given in (vectors, elsewhere)]
    found, moved = (find_subclasses(space, 2) for space in spaces)
    assert np.array_equal(found.means, moved.means)
    assert np.flatnonzero(found.assignment < 0).tolist() == np.flatnonzero(moved.assignment < 0).tolist() == [5]
    _save(found, tmp_path)
    table = pd.read_parquet(tmp_path / "subclasses.parquet")
    assert len(table) == len(torn.split.train)
    for column in ("class", "subclass"):
        assert table.index[table[column].isna()].tolist() == [5]


def test_a_torn_item_is_trained_on_by_its_votes(torn, tmp_path):
    rows = torn.split.train
    labels = _labels(torn)[rows]
    assert labels[5] is None
    assert labels[6] == "across"
    parts = [f"up-down {1 + row % 3}" if name == "up-down" else name for row, name in enumerate(labels)]
    table = pd.DataFrame({"id": torn.items["key"].to_numpy()[rows], "class": labels, "subclass": parts})
    table.to_parquet(tmp_path / "subclasses.parquet")
    seen = _on_subclasses(torn, tmp_path)
    assert seen.split.train.tolist() == rows.tolist()
    assert seen.targets[rows[5]].tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    assert seen.targets[rows[6]].tolist() == [0, 0, 0, 1]
    assert torch.equal(seen.measured.targets, torn.targets)


def test_raters_who_are_torn_on_all_are_refused_before_anything_is_trained(recipe, pictures, tmp_path):
    shutil.copytree(pictures / "known", tmp_path / "known")
    votes = pd.read_csv(tmp_path / "known/ratings.csv", dtype=str)
    votes.groupby("item").head(4).assign(value=["up-down", "across"] * 256).to_csv(
        tmp_path / "known/ratings.csv", index=False
    )
    values = recipe.model_dump()
    values["data"], values["labels"]["dimension"] = str(tmp_path), "voted"
    with pytest.raises(InputError, match="the raters of all 104 training items are torn between classes"):
        train_rounds(make_recipe(values), tmp_path / "rounds", 2, quiet=True)
    assert not list((tmp_path / "rounds").glob("round-*"))


def test_the_model_of_a_round_answers_for_the_classes_of_the_recipe(voted, pictures, tmp_path, capsys):
    place = voted / "round-02"
    model = load_model(place)
    assert model.classes == ("up-down", "across")
    assert len(model.encoder.state_dict()["head.output.bias"]) == 4
    assert json.loads((place / "model" / "config.json").read_text())["parents"] == [0, 0, 1, 1]
    assert "parents" not in json.loads((voted / "round-01" / "model" / "config.json").read_text())
    card = (place / "model" / "README.md").read_text()
    assert "Classes: up-down, across (trained on 4 sub-classes of them)" in card
    assert "the face in a picture" in card
    assert "microphones" not in card

    found = evaluate_on(Run(place), pictures / "other")["scores"]
    assert found["uar"] > 0.8
    evaluate(place, corpus=pictures / "other")
    assert "uar" in capsys.readouterr().out
    out = tmp_path / "other.parquet"
    embed(place, pictures / "other", out=out)
    assert "classes: up-down, across" in capsys.readouterr().out
    space = Space.open(out)
    assert space.classes == ("up-down", "across")
    assert (space.items["prediction"] == space.items["label"]).mean() > 0.8
    assert Space.open(place).classes == space.classes  # the run itself, as a space


def test_a_finished_round_is_read_and_others_are_left_as_they_are(recipe, whole, monkeypatch):
    first, folder = whole
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def no(*given, **named):
        raise AssertionError("a finished round was embedded anew")

    monkeypatch.setattr("affectspace.space.rounds.predict", no)
    assert train_rounds(recipe, folder, 1, resume=True, quiet=True) == first[:1]
    assert train_rounds(recipe, folder, 2, resume=True, quiet=True) == first
    assert {path: path.read_bytes() for path in kept} == kept
    assert [row["round"] for row in json.loads((folder / "rounds.json").read_text())] == [1, 2]


def test_what_the_rounds_have_learned_and_found_is_told(recipe, tmp_path, capsys):
    path = tmp_path / "within.toml"
    path.write_text(dump_recipe(recipe))
    out = tmp_path / "rounds"
    rounds(path, count=2, out=out)
    told = " ".join(capsys.readouterr().out.split())
    assert "The net of round 2 has learned 4 sub-classes" in told
    assert "The 6 found in its space" in told
    assert "trained on k kNN acc. % kNN F1 % NMI % Recall@1 % Acc@8 % raters % found stability" in told
    assert "Of so few training items" not in told
    assert "--subclasses 3" in told  # as many of each class as were found
    assert [(row["trained_on"], row["found"]) for row in json.loads((out / "rounds.json").read_text())] == [
        (2, 4),
        (4, 6),
    ]


def test_classes_too_small_to_be_divided_are_told(tmp_path):
    (tmp_path / "recipe.toml").write_text('name = "few"')
    (tmp_path / "metrics.json").write_text(json.dumps({"classes": ["sad", "glad", "calm"]}))
    table = pd.DataFrame({"id": list("abcd"), "class": ["sad", "glad", "sad", None], "subclass": ["sad-1"] * 4})
    table.to_parquet(tmp_path / "subclasses.parquet")
    assert _undivided(tmp_path) == ["glad (1)", "calm (none)"]


def test_rounds_need_named_classes_and_terms_that_know_sub_classes(recipe, tmp_path):
    values = recipe.model_dump()
    levels = {"kind": "levels", "names": ["low", "high"], "dimension": "label", "thresholds": [1.0]}
    with pytest.raises(InputError, match=r"labels.kind is 'levels'.*legal here: .classes"):
        train_rounds(make_recipe({**values, "labels": levels}), tmp_path / "levels", 2)
    with pytest.raises(InputError, match="guided_emd keeps a distance for each two classes"):
        train_rounds(
            make_recipe({**values, "terms": [{"kind": "guided_emd", "warm_up": 1, "layer": "features"}]}),
            tmp_path / "distances",
            2,
        )


def test_there_is_at_least_one_round(recipe, tmp_path):
    with pytest.raises(InputError, match="rounds is 0; train for at least 1"):
        train_rounds(recipe, tmp_path / "none", 0)
