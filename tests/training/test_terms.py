"""Every loss trains as a term, alone and with all others, and goes on to the bit where it was interrupted."""

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from scipy.stats import spearmanr

from affectspace.encoders import Batch, Outputs
from affectspace.errors import InputError
from affectspace.losses import LinearAdversaryLoss
from affectspace.losses.guide import GUIDE
from affectspace.training import make_recipe, train, train_folds
from affectspace.training.objective import make_objective
from affectspace.training.prepare import prepare
from affectspace.training.recipe_terms import Term
from affectspace.training.remarks import remarks
from affectspace.training.terms import AdversaryTerm, MajorityTerm, distance_order
from affectspace.training.terms import Term as TrainedTerm

EVERY = [get_args(entry.model_fields["kind"].annotation)[0] for entry in get_args(get_args(Term)[0])]
KINDS = [kind for kind in EVERY if kind != "reconstruction"]  # which is of several modalities: test_multimodal.py
OF_UNLABELLED = ("pseudo_labels", "consistency")
NEEDS = {
    "f_similarity": {"pairs": "batch", "geometry": "fisher_rao"},
    "guided_emd": {"warm_up": 1},
    "supervised_contrastive": {"groups": "speaker", "across_groups": 2.0},
    "triplet": {"memory": 12},
    "contrastive_pairs": {"memory": 12},
    "hsic": {"groups": "speaker"},
    "mmd": {"groups": "corpus"},
    "pseudo_labels": {"threshold": 0.0},
}
BOTH = {  # training items of both corpora, so that every group has members
    "kind": "grouped_folds", "by": "session", "folds": 3, "fold": 0, "validate_share": 0.34, "allow": ["script"],
}  # fmt: skip
FILES = ("metrics.json", "metrics.jsonl", "model/model.safetensors", "model/terms.safetensors", "predictions.parquet")


def entry(kind: str) -> dict:
    return {"kind": kind, **NEEDS.get(kind, {})}


def with_terms(tiny, *kinds: str, **changes):
    levels = {"kind": "levels", "names": ["angry", "happy", "neutral", "sad"]}
    settings = {"labels": levels, "protocol": BOTH, "terms": [entry(kind) for kind in kinds], **changes}
    training = {"batch_size": 12, "epochs": 3, **settings.pop("training", {})}
    if {*kinds} & {*OF_UNLABELLED}:
        settings["unlabelled"] = {"batch_size": 6}
        training["labelled_share"] = 0.6
    return tiny(training=training, **settings)


def bits(folder) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def test_every_loss_of_the_guide_is_a_term():
    assert [row.term for row in GUIDE if row.term not in EVERY] == []
    assert sorted(EVERY) == sorted(row.term for row in GUIDE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_term_trains_alone_and_changes_the_net(tiny, tmp_path, kind):
    recipe = with_terms(tiny, kind)
    run = train(recipe, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert list(rows[0]["terms"]) == [f"unlabelled.{kind}" if kind in OF_UNLABELLED else kind]
    assert run.finished
    assert rows[0]["degenerate_batches"] == 0
    data = prepare(recipe)
    torch.manual_seed(recipe.seed)
    from affectspace.training.model import make_encoder

    begun = make_encoder(recipe, data.dimensions, 4).state_dict()
    ended = load_file(tmp_path / "run/model/model.safetensors")
    assert any(not torch.equal(begun[name], ended[name]) for name in begun)


@pytest.mark.parametrize("kinds", [["triplet"], ["guided_emd"], ["cross_entropy", "adversary"], KINDS])
def test_interrupted_it_ends_with_the_same_bits(tiny, tmp_path, monkeypatch, kinds):
    recipe = with_terms(tiny, *kinds, training={"batch_size": 12, "epochs": 3, "checkpoint_steps": 1})
    train(recipe, tmp_path / "whole")
    module = importlib.import_module("affectspace.training.train")
    written, whole = [], module.save_checkpoint

    def stop(*arguments):
        written.append(whole(*arguments))
        if len(written) == 4:  # within the second epoch
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "cut")
    train(recipe, tmp_path / "cut", resume=True)
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def groups_trained(path):
    """Who trained, as ``with_terms`` has its adversary tell them apart."""
    recipe = tomllib.loads((path / "recipe.toml").read_text())
    (column,) = [term["groups"] for term in recipe["terms"] if term["kind"] == "adversary"]
    return pd.read_parquet(path / "split.parquet").query("part == 'train'")[column].unique()


def test_what_terms_have_learned_is_recorded_and_saved(tiny, tmp_path):
    train(with_terms(tiny, "guided_emd", "adversary"), tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert 0 <= rows[-1]["figures"]["adversary.accuracy"] <= 1
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    figures = rows[metrics["selected_epoch"] - 1]["figures"]
    assert figures["adversary.chance"] == 1 / len(groups_trained(tmp_path / "run"))
    assert metrics["learned"]["adversary.group_accuracy"] == figures["adversary.accuracy"]
    assert metrics["learned"]["adversary.chance_group_accuracy"] == figures["adversary.chance"]
    assert rows[-1]["figures"]["guided_emd.weight"] > 0
    held = load_file(tmp_path / "run/model/terms.safetensors")
    distances = next(value for name, value in held.items() if name.endswith("ground_distance"))
    assert distances.shape == (4, 4)


def test_learned_distances_are_told_in_figures_of_the_run(numbers, tmp_path):
    guided = {"kind": "guided_emd", "warm_up": 1, "targets": "majority"}
    given = {**guided, "ground_distance": [[abs(i - j) / 3 for j in range(4)] for i in range(4)]}
    recipe = numbers(terms=[guided, given], protocol={"fold": "all"})
    run = train_folds(recipe, tmp_path / "run")
    assert list(run.metrics["learned"]) == ["guided_emd.relation_strength", "guided_emd.distance_order"]
    for name, figure in run.scores("learned").items():  # what was given has learned nothing
        assert figure == pytest.approx(np.mean([fold.scores("learned")[name] for fold in run.folds]))
    for fold in run.folds:
        held = load_file(fold.path / "model/terms.safetensors")
        found = {name.rpartition(".")[2]: value for name, value in held.items() if "guided_emd." in name}
        pairs = [(j - i, round(float(found["ground_distance"][i, j]), 6)) for i in range(4) for j in range(i + 1, 4)]
        assert fold.scores("learned") == pytest.approx(
            {
                "guided_emd.relation_strength": float(found["strength"]),
                "guided_emd.distance_order": spearmanr(*zip(*pairs)).statistic,
            }
        )


def test_classes_without_an_order_have_no_order_to_find(tiny, tmp_path):
    classes = {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]}
    run = train(with_terms(tiny, "guided_emd", labels=classes), tmp_path / "run")
    assert list(run.metrics["learned"]) == ["guided_emd.relation_strength"]
    assert "learned" not in train(with_terms(tiny, "hsic"), tmp_path / "other").metrics


def test_the_order_of_distances():
    steps = (torch.arange(6)[:, None] - torch.arange(6)).abs()
    assert distance_order(steps / 6) == pytest.approx(1)
    assert distance_order(steps.float().square()) == pytest.approx(1)  # ranks alone count
    assert distance_order((6 - steps) / 6) == pytest.approx(-1)
    assert distance_order(steps / 6 + 1e-8 * torch.rand(6, 6)) == pytest.approx(1)  # rounding makes no order
    assert np.isnan(distance_order(torch.ones(6, 6)))


def test_two_terms_of_a_kind_are_told_apart(tiny, tmp_path):
    train(with_terms(tiny, "hsic", "hsic"), tmp_path / "run")
    row = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[0])
    assert list(row["terms"]) == ["hsic", "hsic_2"]


def test_a_batch_knows_the_groups_of_its_items(tiny):
    data = prepare(with_terms(tiny, "adversary"))
    rows = torch.arange(5).numpy()
    batch = data.training_batch(rows)
    items = data.items.iloc[data.split.train[rows]]
    assert batch.groups is not None
    for column in ("corpus", "language"):
        assert [data.group_names[column][code] for code in batch.groups[column]] == items[column].tolist()
    speakers = [data.group_names["speaker"][code] for code in batch.groups["speaker"]]
    assert speakers == (items["corpus"] + "/" + items["speaker"]).tolist()


def test_the_weight_of_the_adversary_grows_with_training(tiny):
    data = prepare(recipe := with_terms(tiny, "adversary"))
    objective = make_objective(recipe, data, {"embedding": 8, "fc2": 8})
    batch = data.training_batch(torch.arange(8).numpy())
    norms = []
    for progress in (0.0, 0.3, 1.0):
        embedding = torch.ones(8, 8, requires_grad=True)
        batch.progress = progress
        loss, *_ = objective(Outputs(embedding, torch.zeros(8, 4)), batch)
        loss.backward()
        assert embedding.grad is not None
        norms.append(embedding.grad.norm().item())
    assert norms[0] == 0
    assert norms[0] < norms[1] < norms[2]


def make_terms(tiny, *terms):
    values = tiny().model_dump(mode="json", exclude_none=True)
    return make_recipe({**values, "terms": list(terms)}).terms


def test_groups_that_are_not_there(tiny, tmp_path):
    recipe = tiny().model_copy(update={"terms": make_terms(tiny, {"kind": "mmd"})})
    with pytest.raises(InputError, match="mmd needs training items of two or more by corpus, and they are all of alva"):
        train(recipe, tmp_path / "run")


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ({"kind": "ordered_emd"}, "ordered_emd needs classes that have an order"),
        ({"kind": "level_regression"}, "level_regression needs classes that have an order"),
        ({"kind": "entropic_emd", "ground_distance": [[0, 1], [1, 0]]}, "has rows of 2, 2; 4 classes need 4 rows of 4"),
        ({"kind": "supervised_contrastive", "across_groups": 2.0}, "across_groups is 2 and groups is not given"),
        ({"kind": "tripplet"}, "did you mean 'triplet'"),
        ({"kind": "triplet", "margin": -1}, "margin is -1; legal: at least 0"),
        ({"kind": "guided_emd", "warm_up": 3}, "warm_up is 3 and training.epochs 3, so that it never would"),
        ({"kind": "matching", "between": ["fc2", "fc2"]}, "between names 'fc2' twice"),
        (
            {"kind": "entropic_emd", "ground_distance": [[0] * 4] * 4},
            "must be 0 from each class to itself, and above 0",
        ),
        ({"kind": "adversary", "groups": "gender"}, "legal: 'corpus', 'language', 'speaker'"),
    ],
)
def test_terms_that_do_not_fit(tiny, term, message):
    with pytest.raises(InputError, match=message):
        make_terms(tiny, term)


def test_the_recipe_of_the_docs_is_one(tiny):
    page = (Path(__file__).parents[2] / "docs/losses.md").read_text()
    (block,) = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    assert [term.kind for term in make_terms(tiny, *tomllib.loads(block)["terms"])] == [
        "cross_entropy",
        "supervised_contrastive",
        "linear_adversary",
    ]


def test_the_docs_name_every_key_of_every_term():
    page = (Path(__file__).parents[2] / "docs/losses.md").read_text()
    assert all(f"`{key}`" in page for key in ("weight", "targets"))  # of every term
    rows = dict(re.findall(r"^\| `(\w+)` \| (`\w+.*|none of its own) \|$", page, re.M))
    for kind, model in zip(EVERY, get_args(get_args(Term)[0])):
        keys = [key for key in model.model_fields if key not in {"kind", "weight", "targets"}]
        assert sorted(re.findall(r"`(\w+)(?: = [^`]*)?`", re.sub(r"\([^)]*\)", "", rows[kind]))) == sorted(keys)
        for key in keys:
            default = model.model_fields[key].default
            if default is not None:
                told = json.dumps(list(default) if isinstance(default, tuple) else default)
                assert f"`{key} = {told}`" in rows[kind].replace("1e-4", "0.0001")


def test_items_of_an_unknown_group_weigh_as_those_of_the_same(tiny):
    recipe = with_terms(tiny, "supervised_contrastive")
    data = prepare(recipe)
    objective = make_objective(recipe, data, {"embedding": 8, "fc2": 8})
    batch = data.training_batch(torch.arange(10).numpy())
    outputs = Outputs(torch.randn(10, 8), torch.zeros(10, 4))

    def value(groups: list[int]) -> float:
        batch.groups = {"speaker": torch.tensor(groups)}
        return objective(outputs, batch)[0].item()

    assert value([-1] * 10) == pytest.approx(value([0] * 10))
    assert value([-1] * 5 + [0] * 5) == pytest.approx(value([0] * 10))
    assert value([1] * 5 + [0] * 5) != pytest.approx(value([0] * 10))


def test_of_groups_that_their_class_tells_the_accuracy_is_high_where_the_loss_is_none():
    """Each speaker is heard in one emotion, which the embedding tells."""
    torch.manual_seed(0)
    term = AdversaryTerm(LinearAdversaryLoss(4, 4, target_classes=4), "speaker")
    speakers = torch.arange(400) % 4
    told = torch.nn.functional.one_hot(speakers, 4).float()
    batch = Batch(
        torch.zeros(400, 1), torch.ones(400, dtype=torch.long), targets=told, anchors=400, groups={"speaker": speakers}
    )
    for _ in range(5):
        embeddings = 3 * told + torch.randn(400, 4)
        assert term(Outputs(embeddings, told, {}), batch).item() == pytest.approx(0, abs=1e-5)
    figures = term.epoch_end()
    assert figures["accuracy"] > 0.75  # of the first batch, of which nothing is remembered, it was a guess
    assert figures["chance"] == 0.25


def test_a_linear_adversary_is_asked_what_it_tells_beside_the_class(tiny):
    recipe = with_terms(tiny, "linear_adversary")
    data = prepare(recipe)
    objective = make_objective(recipe, data, {"embedding": 8, "fc2": 8})
    batch = data.training_batch(torch.arange(12).numpy())
    batch.groups, z = {"speaker": torch.arange(12) // 2 % 3}, torch.randn(12, 8)
    value = objective(Outputs(z, torch.zeros(12, 4)), batch)[0].item()
    truth = LinearAdversaryLoss(8, len(data.group_names["speaker"]), target_classes=len(data.classes))
    assert value == pytest.approx(truth(z, batch.groups["speaker"], batch.targets).item())
    assert value != pytest.approx(LinearAdversaryLoss(8, truth.classes)(z, batch.groups["speaker"]).item())


def test_a_checkpoint_of_a_loss_of_before_is_told_with_what_does_not_fit_and_a_remedy(tiny, tmp_path, monkeypatch):
    """Of before the class was partialled out: fewer columns of what it remembers."""

    class Before(LinearAdversaryLoss):
        def __init__(self, *given: int, target_classes: int):
            super().__init__(*given)

    recipe, run = with_terms(tiny, "cross_entropy", "linear_adversary"), tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("affectspace.training.objective"), "LinearAdversaryLoss", Before)
        train(recipe, run)
    (run / "metrics.json").unlink()
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    groups = len(prepare(recipe).group_names["speaker"])
    told = (
        f"{run} cannot go on: its checkpoint has terms.linear_adversary.loss.means of shape ({groups}, 8), and the "
        f"terms here have one of shape ({groups}, 11) (1 more does not fit); another version of affectspace began it, "
        "so begin the run anew with --out, or go on with that version, which environment.txt names"
    )
    with pytest.raises(InputError, match=f"^{re.escape(told)}$"):
        train(recipe, run, resume=True)
    assert {path: path.read_bytes() for path in kept} == kept
    train(recipe, tmp_path / "anew")


def test_a_published_model_holds_no_training_items(tiny, tmp_path):
    train(with_terms(tiny, "triplet", "adversary"), tmp_path / "run")
    held = load_file(tmp_path / "run/model/terms.safetensors")
    assert held
    assert not [name for name in held if "memory" in name]


def test_a_memory_that_would_hold_copies_is_refused(tiny, tmp_path):
    with pytest.raises(InputError, match=r"memory is 1000 and \d+ items train, .* legal: 0 to \d+"):
        train(
            tiny().model_copy(update={"terms": make_terms(tiny, {"kind": "triplet", "memory": 1000})}), tmp_path / "r"
        )


def test_what_taught_a_term_nothing_is_counted_and_told(tiny, tmp_path, capsys):
    run = train(with_terms(tiny, "hsic", training={"batch_size": 3, "epochs": 1}), tmp_path / "run")
    row = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert row["taught_nothing"] == {"hsic": {"batches": row["batches"], "items": 0}}
    nobody, nothing = remarks(run)
    assert nobody.startswith("No term taught the classifier")
    count = f"{row['batches']} of {row['batches']} batches of the last epoch"
    assert nothing == f"The term hsic learned nothing from {count}; a larger training.batch_size may help."


def test_a_run_that_learned_from_everything_has_no_remarks(tiny, tmp_path):
    assert remarks(train(with_terms(tiny, "cross_entropy"), tmp_path / "run")) == []


def test_a_term_may_be_shown_the_majority_in_place_of_the_votes():
    seen = []

    class Listens(TrainedTerm):
        def forward(self, outputs, batch):
            seen.append(batch.targets)
            return outputs.logits.sum()

        def epoch_end(self):
            return {"ended": 1.0}

    votes = torch.tensor([[0.6, 0.3, 0.1], [0.4, 0.4, 0.2], [0.0, 0.0, 1.0]])
    batch = Batch(torch.zeros(3, 2), torch.ones(3), votes)
    term = MajorityTerm(Listens())
    term(Outputs(torch.zeros(3, 2), torch.zeros(3, 3)), batch)
    assert seen[0].tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]]
    assert torch.equal(batch.targets, votes)  # other terms still see them
    assert term.epoch_end() == {"ended": 1.0}


def test_triplets_drawn_by_votes_are_not_scored_by_the_majority(tiny):
    with pytest.raises(InputError, match='targets is "majority", and triplets are drawn by the votes'):
        make_terms(tiny, {"kind": "f_similarity", "pairs": "triplets", "targets": "majority"})


def test_class_weights_are_of_what_the_term_is_shown(tiny):
    recipe = tiny().model_copy(update={"terms": make_terms(tiny, {"kind": "cross_entropy", "targets": "majority"})})
    data = prepare(recipe)
    votes = torch.tensor([[0.6, 0.4, 0.0, 0.0], [0.4, 0.6, 0.0, 0.0], [0.0, 0.0, 0.6, 0.4], [0.0, 0.1, 0.1, 0.8]])
    data.targets[:] = votes[torch.arange(len(data.targets)) % 4]
    term = make_objective(recipe, data, {"embedding": 8, "fc2": 8}).terms["cross_entropy"]
    counts = torch.bincount(data.targets[torch.tensor(data.split.train)].argmax(1), minlength=4)
    weights = term.term.loss.class_weights
    assert torch.allclose(weights * counts, (weights * counts).mean().expand(4))
