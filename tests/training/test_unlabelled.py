"""Items without a label: which are trained on, what is learned of them, and that none of it reaches what is tested."""

import json
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from affectspace.encoders import Batch, Modality, Outputs
from affectspace.errors import InputError, LeakError
from affectspace.features import VectorTable
from affectspace.losses import ramp_up
from affectspace.samplers import MixedIndices
from affectspace.training import make_recipe, train
from affectspace.training.batches import epoch_batches, make_sampler
from affectspace.training.cache import DataCache
from affectspace.training.gather import gather
from affectspace.training.keys import split_key
from affectspace.training.objective import Objective, make_objective
from affectspace.training.prepare import prepare
from affectspace.training.remarks import remarks
from affectspace.training.terms import Term
from affectspace.training.transfer import evaluate_on
from affectspace.training.unlabelled import labelled_share
from affectspace.training.unlabelled_batches import balance, seen_twice

FILES = ("metrics.json", "metrics.jsonl", "model/model.safetensors", "predictions.parquet")
EVERY_TERM = [
    {"kind": "cross_entropy"},
    {"kind": "pseudo_labels", "threshold": 0.0},
    {"kind": "consistency", "noise": 0.1},
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """72 vectors of six speakers in three sessions; every fourth has no label, and every ninth one of no class."""
    root, random = tmp_path_factory.mktemp("unlabelled"), np.random.default_rng(0)
    rows = np.arange(72)
    label = np.array(["angry", "happy", "sad"], dtype=object)[rows % 3]
    label[rows % 9 == 8] = "bored"
    label[rows % 4 == 3] = None
    table = pd.DataFrame(
        {
            "id": [f"i{row}" for row in rows],
            "speaker": [f"s{row // 3 % 6}" for row in rows],
            "session": [f"d{row // 6 % 3}" for row in rows],
            "script": [f"i{row}" for row in rows],
            "label": label,
        }
    )
    table.to_csv(root / "items.csv", index=False)
    vectors = np.eye(3)[rows % 3] + random.normal(0, 0.3, (72, 3))
    np.savez(root / "v.npz", id=table["id"].to_numpy(str), v=vectors.astype(np.float32))
    return root


def recipe(corpus, terms=EVERY_TERM, **changes):
    values = {
        "name": "few",
        "data": str(corpus),
        "corpora": [{"path": "."}],
        "labels": {"kind": "classes", "names": ["angry", "happy", "sad"], "others": "leave_out"},
        "features": {"kind": "vectors", "path": "v.npz", "id_column": "id"},
        "encoder": {"kind": "mlp", "hidden": 8, "dropout": 0.2},
        "protocol": {"kind": "leave_one_out", "by": "speaker", "within": "session", "fold": 0},
        "unlabelled": {"batch_size": 5},
        "terms": terms,
        "training": {"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "checkpoint_seconds": 0},
    }
    for key, change in changes.items():
        values[key] = {**values[key], **change} if isinstance(change, dict) and key in values else change
    return make_recipe({key: value for key, value in values.items() if value is not None})


def bits(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_those_of_tested_speakers_are_left_out_unless_it_is_transductive(corpus):
    data = prepare(recipe(corpus))
    kept = data.items.iloc[data.unlabelled]
    assert set(kept["session"]) == {"d1", "d2"}
    table = pd.read_csv(corpus / "items.csv")
    without = table[table["label"].isna() | (table["label"] == "bored")]
    assert sorted(kept["id"]) == sorted(without[without["session"] != "d0"]["id"])
    assert data.about["unlabelled"] == {"items": len(kept), "left_out": {"speaker": (without["session"] == "d0").sum()}}
    assert not data.protocol["transductive"]
    all_of_them = prepare(recipe(corpus, unlabelled={"transductive": True}))
    assert sorted(all_of_them.items.iloc[all_of_them.unlabelled]["id"]) == sorted(without["id"])
    assert all_of_them.protocol["transductive"]


def test_without_the_section_nothing_is_different(corpus):
    with_it = prepare(recipe(corpus))
    without = prepare(recipe(corpus, terms=[{"kind": "cross_entropy"}], unlabelled=None))
    assert len(without.unlabelled) == 0
    for part in ("train", "validate", "test"):
        assert np.array_equal(getattr(with_it.split, part), getattr(without.split, part))
    assert torch.equal(with_it.targets[: len(without.targets)], without.targets)
    assert with_it.targets[len(without.targets) :].isnan().all()
    rows = without.split.train
    assert torch.equal(with_it.batch(rows).values, without.batch(rows).values)


def test_no_label_that_is_not_used_changes_anything(corpus, tmp_path):
    """Labels of test items, and those that ``labelled_share`` hides, may be any: the weights are the same bits."""
    chosen = recipe(corpus, training={"labelled_share": 0.5, "selection": "last"})
    data = prepare(chosen)
    table = pd.read_csv(corpus / "items.csv").set_index("id", drop=False)
    used = set(data.items["id"].iloc[np.concatenate([data.split.train, data.split.validate])])
    labelled = table["label"].isin(["angry", "happy", "sad"])
    turned = {"angry": "happy", "happy": "sad", "sad": "angry"}
    other = ~table["id"].isin(used) & labelled & (table["session"] == "d0")
    table.loc[other, "label"] = table.loc[other, "label"].map(turned)
    table.to_csv(tmp_path / "items.csv", index=False)
    (tmp_path / "v.npz").write_bytes((corpus / "v.npz").read_bytes())
    train(chosen, tmp_path / "a", quiet=True)
    train(recipe(tmp_path, training={"labelled_share": 0.5, "selection": "last"}), tmp_path / "b", quiet=True)
    assert other.any()
    for name in ("model/model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_settings_are_chosen_by_labels_that_are_used(corpus):
    few = {"training": {"labelled_share": 0.5}}
    final = prepare(recipe(corpus, **few)).split
    used = {*final.train, *final.validate}
    for fold in (1, 2):  # sessions that train; fold 0 is the one that validates anyhow, and keeps its labels
        inner = {"inner": {"by": "session", "fold": fold}}
        chosen = prepare(recipe(corpus, protocol=inner, **few))
        whole = prepare(recipe(corpus, protocol=inner, training={"labelled_share": 1.0})).split
        assert 0 < len(chosen.split.validate) < len(whole.validate)
        assert {*chosen.split.train, *chosen.split.validate} <= used
        assert not {*chosen.unlabelled} & {*whole.validate}


def test_a_share_that_leaves_nobody_to_choose_by_is_refused(corpus):
    few = recipe(
        corpus,
        protocol={"kind": "leave_one_out", "by": "session", "validate_groups": 0, "within": None, "fold": 0,
                  "inner": {"by": "item", "fold": 0}, "allow": ["speaker", "session"]},
        training={"labelled_share": 0.1},
    )  # fmt: skip
    with pytest.raises(InputError, match=r"labelled_share 0\.1 leaves no item to validate on in the split"):
        prepare(few)


def test_a_smaller_share_is_part_of_a_larger_one_and_holds_every_class():
    rows, classes = np.arange(100, 200), np.repeat([0, 1, 2], [90, 8, 2])
    shares = {share: labelled_share(rows, classes, share, seed=3) for share in (0.01, 0.1, 0.25, 0.5, 1)}
    assert [len(kept) for kept in shares.values()] == [6, 13, 26, 51, 100]
    for small, large in zip(list(shares.values()), list(shares.values())[1:]):
        assert set(small) <= set(large)
    assert all((np.bincount(classes[kept - 100], minlength=3) >= 2).all() for kept in shares.values())
    assert not np.array_equal(shares[0.1], labelled_share(rows, classes, 0.1, seed=4))


def test_hidden_labels_train_without_their_label(corpus):
    whole, half = prepare(recipe(corpus)), prepare(recipe(corpus, training={"labelled_share": 0.5}))
    hidden = np.setdiff1d(whole.split.train, half.split.train)
    assert set(hidden) <= set(half.unlabelled)
    assert len(half.unlabelled) == len(whole.unlabelled) + len(hidden)
    assert half.about["labelled"] == {"share": 0.5, "items": len(half.split.train), "hidden": len(hidden)}
    parts = half.split_table.set_index("key")["part"]
    assert set(parts.loc[half.items["key"].iloc[hidden]]) == {"unlabelled"}


def test_a_limit_takes_so_many_and_no_more(corpus):
    assert len(prepare(recipe(corpus, unlabelled={"limit": 4})).unlabelled) == 4
    first, second = (prepare(recipe(corpus, unlabelled={"limit": 4}, seed=seed)).unlabelled for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_a_batch_holds_labelled_items_first(corpus):
    data = prepare(chosen := recipe(corpus))
    batch = data.training_batch(MixedIndices(np.arange(3), np.array([1, 0])))
    assert (batch.anchors, batch.unlabelled) == (3, 2)
    rows = np.concatenate([data.split.train[:3], data.unlabelled[[1, 0]]])
    assert torch.equal(batch.values, data.batch(rows).values)
    assert batch.targets is not None
    assert batch.targets[3:].isnan().all()
    sampler = make_sampler(chosen, data)
    drawn = list(epoch_batches(sampler, data, None, seed=0))
    assert len(drawn) == -(-len(data.split.train) // 8)
    assert all(batch.unlabelled == 5 for _, _, batch in drawn)


class Counting(Term):
    """Notes how many items it is shown; its value is the mean of their first logit."""

    def __init__(self, learns_of):
        super().__init__()
        self.learns_of = learns_of
        self.seen: list[tuple[int, bool]] = []

    def forward(self, outputs, batch):
        self.seen.append((len(batch.lengths), bool(batch.targets.isnan().any())))
        return outputs.logits[:, 0].mean()


@pytest.mark.parametrize("progress", [0.0, 0.1, 0.25, 1.0])
def test_terms_see_what_they_learn_of_and_unlabelled_items_weigh_less(progress):
    terms = [Counting("labelled"), Counting("both"), Counting("unlabelled")]
    objective = Objective(["a", "b", "c"], terms, [1.0, 2.0, 3.0], unlabelled_weight=0.3, ramp=0.5)
    logits = torch.randn(7, 2, requires_grad=True)
    targets = torch.cat([torch.full((4, 2), 0.5), torch.full((3, 2), torch.nan)])
    batch = Batch(torch.zeros(7, 1), torch.ones(7), targets, anchors=4, unlabelled=3, progress=progress)
    total, values, nothing = objective(Outputs(logits, logits), batch)
    assert [term.seen for term in terms] == [[(4, False)], [(4, False), (3, False)], [(3, False)]]
    assert list(values) == ["a", "b", "unlabelled.b", "unlabelled.c"]
    known, other = logits[:4, 0].mean(), logits[4:, 0].mean()
    assert total.item() == pytest.approx((3 * known + 0.3 * ramp_up(progress, 0.5) * 5 * other).item())
    assert nothing == {}
    total.backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad[:, 1], torch.zeros(7))


def test_the_predicted_class_of_unlabelled_items_has_no_gradient():
    class Targets(Term):
        learns_of = "both"

        def forward(self, outputs, batch):
            return batch.targets.sum() + 0 * outputs.logits.sum()

    logits = torch.randn(4, 2, requires_grad=True)
    batch = Batch(torch.zeros(4, 1), torch.ones(4), torch.rand(4, 2), anchors=2, unlabelled=2)
    Objective(["t"], [Targets()], [1.0])(Outputs(logits, logits), batch)[0].backward()
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_second_view_is_of_the_same_items_under_noise_of_its_own():
    torch.manual_seed(0)
    lengths = torch.tensor([2, 3, 1, 0])
    inside = torch.arange(3) < lengths[:, None]
    values = torch.randn(4, 3, 2) * inside[..., None]
    batch = Batch(
        torch.empty(4, 0), torch.ones(4), torch.rand(4, 2), anchors=2, unlabelled=2,
        groups={"speaker": torch.arange(4)}, modalities={"words": Modality(values, lengths)},
    )  # fmt: skip
    twice = seen_twice(batch, 0.5)
    assert twice.modalities is not None
    assert (twice.anchors, twice.unlabelled) == (2, 4)
    assert twice.groups["speaker"].tolist() == [0, 1, 2, 3, 2, 3]
    seen = twice.modalities["words"]
    assert seen.lengths.tolist() == [2, 3, 1, 0, 1, 0]
    assert torch.equal(seen.values[:2], values[:2])
    for row in (2, 4):  # both views of the third item, of which one frame is true
        assert not torch.equal(seen.values[row, 0], values[2, 0])
        assert torch.equal(seen.values[row, 1:], values[2, 1:])
    assert not torch.equal(seen.values[2], seen.values[4])
    assert not seen.values[[3, 5]].any()
    assert torch.equal(seen_twice(batch, 0.0).modalities["words"].values[2:4], values[2:])


def test_balanced_it_draws_classes_equally_often_and_resumes_to_the_bit(corpus, tmp_path, broken_off):
    plan = {"balance": {"after": 2, "per_class": 6}}
    chosen = recipe(corpus, unlabelled=plan, training={"checkpoint_steps": 1, "epochs": 5})
    run = train(chosen, tmp_path / "whole", quiet=True)
    steps = json.loads((tmp_path / "whole/metrics.jsonl").read_text().splitlines()[0])["batches"]
    for number, place in enumerate((steps + 2, 2 * steps + 2)):  # before and after the classes are told
        broken_off(chosen, tmp_path / f"cut{number}", place)
        train(chosen, tmp_path / f"cut{number}", resume=True, quiet=True)
        assert bits(tmp_path / f"cut{number}") == bits(run.path)


def test_what_was_sure_is_told_with_the_epoch(corpus, tmp_path):
    train(recipe(corpus), tmp_path / "run", quiet=True)
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert set(rows[0]["terms"]) == {"cross_entropy", "unlabelled.pseudo_labels", "unlabelled.consistency"}
    assert rows[0]["figures"] == {"pseudo_labels.sure": 1.0}  # every probability reaches a threshold of 0


def test_what_cannot_be_is_refused(corpus):
    with pytest.raises(
        InputError, match=r"pseudo_labels learns of unlabelled items alone; add a section \[unlabelled\]"
    ):
        recipe(corpus, unlabelled=None)
    with pytest.raises(InputError, match="unlabelled items are given, and no term learns of them; add one of reconstr"):
        recipe(corpus, terms=EVERY_TERM[:1])
    with pytest.raises(
        InputError, match=r"unlabelled\.balance\.after is 4 and training.epochs 4, so that no epoch is left"
    ):
        recipe(corpus, unlabelled={"balance": {"after": 4}})
    with pytest.raises(InputError, match="unlabelled items cannot stand beside triplets"):
        recipe(corpus, terms=[*EVERY_TERM, {"kind": "f_similarity"}])


def test_a_corpus_without_labels_and_none_at_all(corpus, tmp_path):
    table = pd.read_csv(corpus / "items.csv")
    table[table["session"] == "d1"].assign(label=None, id="x" + table["id"]).to_csv(tmp_path / "items.csv", index=False)
    with np.load(corpus / "v.npz") as held:
        ids, vectors = held["id"], held["v"]
    np.savez(tmp_path / "v.npz", id=np.concatenate([ids, np.char.add("x", ids)]), v=np.concatenate([vectors, vectors]))
    (tmp_path / "corpus.toml").write_text('name = "silent"\n')
    paths = [{"path": str(corpus)}, {"path": str(tmp_path)}]
    both = recipe(tmp_path, corpora=paths)
    data = prepare(both)
    assert (data.items["corpus"].iloc[data.unlabelled] == "silent").sum() == 24
    mine = data.items["corpus"].iloc[0]
    assert not data.about["namesakes"]  # of the third session, which the first one's speaker is not of
    table["speaker"] = table["speaker"].replace({"s2": "s0"})
    renamed = table[table["session"] == "d1"].assign(label=None, id="x" + table["id"])
    renamed.to_csv(tmp_path / "items.csv", index=False)
    expected = {"corpus": mine, "train": "silent", "speakers": 1, "of": 1, "example": "s0"}
    assert prepare(both).about["namesakes"] == [expected]
    own = both.features.model_dump(mode="json", exclude_none=True)
    own["normalise"] = {"scope": "corpus", "transductive": True}
    silent = prepare(recipe(tmp_path, corpora=paths, features=own))
    assert set(silent.normaliser.groups) == {mine, "silent"}
    assert not silent.protocol["transductive"]  # by its own, of which nothing is tested
    alone = recipe(tmp_path, corpora=paths[1:])
    words = (
        r"no corpus has an item with a label \(silent: 24 x no label\); a net learns classes of labelled items alone"
    )
    with pytest.raises(InputError, match=words), patch("affectspace.training.gather.gather_corpus") as read:
        prepare(alone)
    read.assert_not_called()  # nobody waits for media of which nothing is learned
    labelled = pd.read_csv(corpus / "items.csv").dropna(subset="label").query("label != 'bored'")
    labelled.to_csv(tmp_path / "items.csv", index=False)
    with pytest.raises(InputError, match="there are no unlabelled items to train on; add a corpus without labels"):
        prepare(alone)


@pytest.mark.parametrize("key", ["train", "test", "unseen"])
def test_a_corpus_without_labels_is_no_part_of_a_protocol(corpus, tmp_path, key):
    for name, label in (("loud", "sad"), ("silent", None), ("third", "sad")):
        (tmp_path / name).mkdir()
        table = pd.DataFrame({"id": [f"{name}{row}" for row in range(3)], "label": label, "split": "train"})
        table.to_csv(tmp_path / name / "items.csv", index=False)
    ids = [f"{name}{row}" for name in ("loud", "silent", "third") for row in range(3)]
    np.savez(tmp_path / "v.npz", id=ids, v=np.zeros((9, 3), np.float32))
    values = recipe(tmp_path).model_dump(mode="json", exclude_none=True)
    values["corpora"] = [{"path": "loud"}, {"path": "silent"}, {"path": "third"}]
    values["protocol"] = {"kind": "cross_corpus", "train": ["loud"], "test": ["third"], "validate_share": 0.0}
    if key == "unseen":
        values["protocol"] = {"kind": "published"}
    values["protocol"][key] = ["third", "silent"] if key == "unseen" else ["silent"]
    values["training"]["selection"] = "last"
    told = rf"corpus 'silent' is named in protocol\.{key} and has no labelled item; leave it out there: with "
    with pytest.raises(InputError, match=told):
        prepare(make_recipe(values))


def test_what_is_shared_by_runs_knows_shares_limits_and_views(corpus):
    keys = {
        split_key(each)
        for each in (
            recipe(corpus),
            recipe(corpus, unlabelled={"limit": 3}),
            recipe(corpus, unlabelled={"transductive": True}),
            recipe(corpus, training={"labelled_share": 0.5}),
            recipe(corpus, training={"labelled_share": 0.5}, seed=1),
        )
    }
    assert len(keys) == 5
    cache = DataCache()
    whole, part = recipe(corpus), recipe(corpus, unlabelled={"limit": 3})
    assert len(cache(part).unlabelled) == 3 < len(cache(whole).unlabelled)
    assert cache(whole) is cache(recipe(corpus, training={"learning_rate": 0.1}))


def test_gradients_reach_the_net_from_unlabelled_items(corpus):
    data = prepare(chosen := recipe(corpus, terms=[EVERY_TERM[0], EVERY_TERM[1]]))
    objective = make_objective(chosen, data, {"embedding": 8, "fc2": 8})
    layer = nn.Linear(3, 3)
    batch = data.training_batch(MixedIndices(np.arange(4), np.arange(6)))
    batch.progress = 1.0
    outputs = Outputs(batch.values, layer(batch.values))
    outputs.logits.retain_grad()
    objective(outputs, batch)[0].backward()
    assert outputs.logits.grad is not None
    assert outputs.logits.grad[4:].abs().sum(1).gt(0).all()


def test_balancing_draws_as_many_of_each_class_that_the_net_tells(corpus):
    data = prepare(chosen := recipe(corpus, unlabelled={"balance": {"after": 1, "per_class": 6}}))
    sampler = make_sampler(chosen, data)

    class Says(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, batch):
            return Outputs(batch.values, 9 * batch.values + self.weight)

    balance(sampler, Says(), data, chosen)
    told = data.batch(data.unlabelled).values.argmax(1).numpy()
    drawn = np.concatenate([indices.unlabelled for _ in range(30) for indices in sampler])
    counts = np.bincount(told[drawn[: 6 * len(np.unique(told))]])
    assert counts.tolist() == [6] * len(counts)


def test_what_unlabelled_items_taught_nobody_is_said_of_them(corpus, tmp_path):
    """All but one batch of unlabelled items are told to be of one class, in which nothing matches anything."""
    terms = [{"kind": "cross_entropy"}, {"kind": "matching", "between": ["embedding", "fc2"]}]
    run = train(recipe(corpus, terms, unlabelled={"batch_size": 2}), tmp_path / "run", quiet=True)
    told = [sentence for sentence in remarks(run) if "unlabelled" in sentence]
    (sentence,) = told
    words = "The term matching, of unlabelled items, learned nothing from 4 of 4 batches of the last epoch; "
    assert sentence.startswith(words)


def test_of_a_corpus_that_is_tested_whole_nobody_trains(corpus, tmp_path):
    table = pd.read_csv(corpus / "items.csv")
    for name, mark in (("one", ""), ("other", "x")):
        (tmp_path / name).mkdir()
        ids = mark + table["id"]
        table.assign(id=ids, script=ids).to_csv(tmp_path / name / "items.csv", index=False)
        (tmp_path / name / "corpus.toml").write_text(f'name = "{name}"\n')
    with np.load(corpus / "v.npz") as held:
        ids, vectors = held["id"], held["v"]
    np.savez(tmp_path / "v.npz", id=[*ids, *np.char.add("x", ids)], v=np.concatenate([vectors, vectors + 1]))
    values = recipe(tmp_path, training={"selection": "last"}).model_dump(mode="json", exclude_none=True)
    values["corpora"] = [{"path": "one"}, {"path": "other"}]
    values["protocol"] = {"kind": "cross_corpus", "train": ["one"], "test": ["other"], "validate_share": 0.0}
    data = prepare(make_recipe(values))
    assert set(data.items["corpus"].iloc[data.unlabelled]) == {"one"}
    assert data.about["unlabelled"]["left_out"] == {"corpus": len(data.unlabelled)}


def test_of_a_published_split_what_is_for_tests_does_not_train(corpus, tmp_path):
    table = pd.read_csv(corpus / "items.csv")
    table["split"] = np.array(["train", "validate", "test"])[table["session"].str[1:].astype(int)]
    table.to_csv(tmp_path / "items.csv", index=False)
    (tmp_path / "v.npz").write_bytes((corpus / "v.npz").read_bytes())
    base = recipe(tmp_path).model_dump(mode="json", exclude_none=True)
    data = prepare(make_recipe({**base, "protocol": {"kind": "published", "allow": ["speaker", "session"]}}))
    assert set(data.items["split"].iloc[data.unlabelled]) == {"train"}
    assert data.about["unlabelled"]["left_out"]["split"] == 18


def test_who_is_put_aside_for_a_choice_does_not_train(corpus):
    base = recipe(corpus).model_dump(mode="json", exclude_none=True)
    inner = {**base["protocol"], "within": None, "by": "session", "inner": {"by": "session", "fold": 0}}
    data = prepare(make_recipe({**base, "protocol": {k: v for k, v in inner.items() if v is not None}}))
    trained = set(data.items["session"].iloc[data.split.train])
    assert len(trained) == 1
    assert set(data.items["session"].iloc[data.unlabelled]) == trained


def test_an_item_that_trained_without_a_label_is_no_test_of_the_run(corpus, tmp_path):
    run = train(recipe(corpus), tmp_path / "run", quiet=True)
    part = run.split.set_index("id")["part"]
    table = pd.read_csv(corpus / "items.csv")
    table = table[table["id"].map(part) == "unlabelled"].assign(label="sad", speaker="new", session="new")
    (tmp_path / "unlabelled").mkdir()
    table.to_csv(tmp_path / "unlabelled/items.csv", index=False)
    (tmp_path / "unlabelled/v.npz").write_bytes((corpus / "v.npz").read_bytes())
    (tmp_path / "unlabelled/corpus.toml").write_text(f'name = "{corpus.name}"\n')
    with pytest.raises(LeakError, match=r"(?s)this corpus is no test of .*18 scripts are in both train"):
        evaluate_on(run, tmp_path / "unlabelled")


def test_who_names_no_speaker_is_left_out_where_speakers_are_kept_apart(corpus, tmp_path):
    table = pd.read_csv(corpus / "items.csv")
    without = table["label"].isna()
    table.loc[without, ["speaker", "session"]] = None
    table.to_csv(tmp_path / "items.csv", index=False)
    (tmp_path / "v.npz").write_bytes((corpus / "v.npz").read_bytes())
    data = prepare(recipe(tmp_path))
    assert set(data.items["label"].iloc[data.unlabelled]) == {"bored"}
    assert data.about["unlabelled"]["left_out"]["speaker"] >= without.sum()


def test_samples_lie_as_the_items_do(world):
    """Of two corpora, one partly without labels: what is heard is each item's own sound."""
    from affectspace.features import LogMel, Waveform

    values = {
        "name": "heard", "data": str(world), "corpora": [{"path": "alva"}, {"path": "boro"}],
        "labels": {"kind": "classes", "names": ["angry", "happy"], "others": "leave_out"},
        "features": {"kind": "log_mel", "bands": 20}, "augment": {"level": 3.0},
        "protocol": {"kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_share": 0.0,
                     "allow": ["script"]},
        "unlabelled": {"batch_size": 4}, "terms": EVERY_TERM, "training": {"selection": "last"},
    }  # fmt: skip
    gathered = gather(make_recipe(values))
    assert len(gathered.unlabelled)
    assert gathered.samples is not None
    front = LogMel(bands=20)
    for row in range(0, len(gathered.clips), 3):
        assert np.allclose(front.compute(Waveform.restore(gathered.samples[row])), gathered.clips[row], atol=0.05)


def test_bins_are_learned_of_labels_that_are_used_alone(tmp_path):
    random = np.random.default_rng(0)
    numbers = random.normal(size=60)
    table = pd.DataFrame({"id": [f"i{row}" for row in range(60)], "speaker": [f"s{row % 6}" for row in range(60)]})
    table["script"] = table["id"]
    np.savez(tmp_path / "v.npz", id=table["id"].to_numpy(str), v=random.normal(size=(60, 3)).astype(np.float32))
    thresholds, hidden = [], np.empty(0, np.int64)
    for change in (0.0, 100.0):
        table["label"] = numbers
        table.loc[hidden, "label"] = numbers[hidden] + change
        table.to_csv(tmp_path / "items.csv", index=False)
        values = recipe(tmp_path).model_dump(mode="json", exclude_none=True)
        values["labels"] = {"kind": "levels", "bins": 3}
        values["protocol"] = {"kind": "grouped_folds", "folds": 3, "fold": 0, "by": "speaker"}
        values["training"] |= {"labelled_share": 0.4}
        data = prepare(make_recipe(values))
        hidden = data.unlabelled
        thresholds.append(data.about["levels"]["thresholds"])
        assert len(hidden)
    assert thresholds[0] == thresholds[1]


def test_levels_balance_where_some_items_have_no_number(tmp_path):
    random = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"i{row}" for row in range(60)], "speaker": [f"s{row % 6}" for row in range(60)]})
    numbers = np.where(np.arange(60) % 4 == 3, np.nan, np.arange(60) % 3 + random.normal(0, 0.1, 60))
    table.assign(script=table["id"], label=numbers).to_csv(tmp_path / "items.csv", index=False)
    np.savez(tmp_path / "v.npz", id=table["id"].to_numpy(str), v=random.normal(size=(60, 3)).astype(np.float32))
    values = recipe(tmp_path, unlabelled={"balance": {"after": 1, "per_class": 5}}).model_dump(mode="json")
    values = {key: value for key, value in values.items() if value is not None}
    values["labels"] = {"kind": "levels", "thresholds": [0.5, 1.5]}
    values["protocol"] = {"kind": "grouped_folds", "folds": 3, "fold": 0, "by": "speaker"}
    assert train(make_recipe(values), tmp_path / "run", quiet=True).finished


def test_features_of_a_test_are_made_of_labelled_items_alone(corpus, tmp_path, monkeypatch):
    run = train(recipe(corpus), tmp_path / "run", quiet=True)
    table = pd.read_csv(corpus / "items.csv")
    (tmp_path / "fresh").mkdir()
    table.assign(script="x" + table["id"]).to_csv(tmp_path / "fresh/items.csv", index=False)
    whole, asked = VectorTable.read, []
    monkeypatch.setattr(VectorTable, "read", lambda self, ids, **how: asked.extend(ids) or whole(self, ids, **how))
    found = evaluate_on(run, tmp_path / "fresh")
    assert sorted(asked) == sorted(table["id"][table["label"].isin(["angry", "happy", "sad"])])
    assert found["items"] == found["data"]["used"] == len(asked)
