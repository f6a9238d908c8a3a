"""The training items that a model keeps: which, how, and what they are good for."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from affectspace.errors import InputError
from affectspace.training import load_model, train
from affectspace.training.frontends import make_frontend
from affectspace.training.keep_known import K, drawn
from affectspace.training.known import FILE, load_known
from affectspace.training.prepare import prepare
from affectspace.training.profile import described
from affectspace.training.recipe_protocol import Inner


@pytest.fixture
def trained(tiny, tmp_path):
    recipe = tiny()
    return recipe, train(recipe, tmp_path / "run", quiet=True)


def test_a_model_keeps_its_training_items_and_what_is_far_of_them(trained):
    recipe, run = trained
    known, data, model = load_known(run.path), prepare(recipe), load_model(run.path)
    assert known is not None
    split = run.split.set_index("key")
    assert list(known.ids) == split.index[split["part"] == "train"].tolist()
    assert known.trained_on == len(known) == len(data.split.train)
    items = data.items.set_index("key")
    assert list(known.languages) == items["language"].loc[list(known.ids)].tolist()
    rows = data.split.train
    leading = [data.classes[row.argmax()] if (row == row.max()).sum() == 1 else None for row in data.targets[rows]]
    assert list(known.labels) == leading
    embeddings, _ = model([data.clips[row] for row in rows])
    assert np.allclose(known.embeddings, embeddings, atol=2e-3 * np.abs(embeddings).max())  # half precision

    # the rule is that of the validation items, whose distances are measured here one by one
    frontend, away = make_frontend(recipe), {"embedding": [], "features": []}
    for row in data.split.validate:
        (embedding,), _ = model([data.clips[row]])
        profile = known.profile(described(data.clips[row], frontend)[None])[0]
        for name, kept, own in (("embedding", known.embeddings, embedding), ("features", known.profiles, profile)):
            away[name].append(sorted(np.linalg.norm(kept.astype(float) - own, axis=1))[K - 1])
        told = known.to_kth(known.distances(embedding, described(data.clips[row], frontend)))
        assert told == pytest.approx({name: each[-1] for name, each in away.items()})
    assert (known.far.judged_by, known.far.items, known.far.k) == ("validate", len(data.split.validate), K)
    assert known.far.thresholds == pytest.approx({name: max(each) for name, each in away.items()}, rel=1e-4)
    card = (run.path / "model/README.md").read_text()
    assert f"It keeps all {len(known)} labelled training items" in card
    assert known.far.told in card


def test_the_same_run_keeps_the_same_bits_and_the_folder_of_a_model_is_enough(trained, tiny, tmp_path):
    _, run = trained
    again = train(tiny(), tmp_path / "again", quiet=True)
    kept = [(path / "model" / FILE).read_bytes() for path in (run.path, again.path)]
    assert kept[0] == kept[1]
    (run.path / "model").rename(tmp_path / "lone")
    found = load_known(tmp_path / "lone")
    assert found is not None
    assert found.ids == load_known(again.path).ids
    assert str(tmp_path).encode() not in kept[0]


def test_many_items_are_kept_in_part_balanced_over_classes(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("affectspace.training.keep_known.MOST", 8)
    run = train(tiny(monitor={"space": True}), tmp_path / "run", quiet=True)  # whose answers to all of them are used
    known = load_known(run.path)
    assert known is not None
    assert (len(known), len(known.embeddings), len(known.profiles)) == (8, 8, 8)
    train_items = run.predictions.query("split == 'train'").set_index("item")
    assert known.trained_on == len(train_items) > 8
    own = np.stack(train_items.loc[list(known.ids), "embedding"].tolist())
    assert np.allclose(known.embeddings, own, atol=2e-3 * np.abs(own).max())
    told = f"It keeps 8, drawn by the run's seed so that classes are balanced, of {known.trained_on} labelled"
    assert told in (run.path / "model/README.md").read_text()


def test_classes_are_drawn_from_as_evenly_as_they_go():
    generator = np.random.default_rng(0)
    for most in (1, 6, 25, 39, 60):
        classes = generator.permutation([-1] * 3 + [0] * 30 + [1] * 5 + [2] * 12)
        rows = drawn(classes, most, seed=1)
        counts, there = [np.bincount(each + 1, minlength=4) for each in (classes[rows], classes)]
        assert len(rows) == min(most, 50) == len(set(rows.tolist()))
        assert (np.diff(rows) > 0).all()
        short = counts < there  # who gives fewer than it has gives as many as anybody, but for one
        assert not short.any() or counts[short].min() >= counts.max() - 1
        assert np.array_equal(rows, drawn(classes, most, seed=1))
    assert not np.array_equal(drawn(classes, 25, seed=1), drawn(classes, 25, seed=2))


def test_where_nothing_validates_each_training_item_is_left_out_in_turn(tiny, tmp_path):
    protocol = {"kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_share": 0, "allow": ["script"]}
    run = train(tiny(protocol=protocol, training={"selection": "last"}), tmp_path / "run", quiet=True)
    known = load_known(run.path)
    assert known is not None
    kept = known.embeddings.astype(float)
    away = np.linalg.norm(kept[:, None] - kept[None], axis=2)
    np.fill_diagonal(away, np.inf)
    assert (known.far.judged_by, known.far.items) == ("train", len(known))
    assert known.far.thresholds["embedding"] == pytest.approx(np.sort(away, axis=1)[:, K - 1].max(), rel=1e-4)
    assert "each left out in turn" in (run.path / "model/README.md").read_text()


def test_runs_that_choose_settings_and_models_of_what_is_no_file_keep_none(tiny, numbers, tmp_path):
    recipe = tiny()
    inner = recipe.model_copy(
        update={"protocol": recipe.protocol.model_copy(update={"inner": Inner(by="session", fold=0)})}
    )
    for name, each in (("inner", inner), ("vectors", numbers())):
        run = train(each, tmp_path / name, quiet=True)
        assert load_known(run.path) is None
        assert "known.safetensors" not in (run.path / "model/README.md").read_text()


def test_a_damaged_file_is_told_with_its_remedy(trained, tmp_path):
    _, run = trained
    path = run.path / "model" / FILE
    whole, arrays = path.read_bytes(), load_file(path)
    about = {"affectspace": json.dumps({"ids": ["a"], "languages": [None], "labels": [None]})}
    for content in (whole[: len(whole) // 2], b"junk", b""):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{FILE} is damaged: .*; restore the folder from a copy, or train again"):
            load_known(run.path)
    for written in (lambda: save_file(arrays, path), lambda: save_file(arrays, path, about)):
        written()
        with pytest.raises(InputError, match="is damaged"):
            load_known(run.path)
