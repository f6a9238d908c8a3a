"""The truth is a run of one process; several, each with its share of every batch, must end with the same weights."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import affectspace
from affectspace.errors import InputError
from affectspace.training import make_recipe, train

WORKER = Path(__file__).with_name("process_worker.py")
NAMES = ["angry", "happy", "sad"]
SEQUENCE = {"kind": "sequence", "frames": 4, "heads": 2, "blocks": 1, "convolutions": [[3, 1, 1, 2]], "latent": 4}
F_SIMILARITY = {"kind": "f_similarity", "geometry": "chord", "pairs": "batch"}
AUGMENT = {"noise": [10, 30], "time_masks": 1, "time_width": 5}
WEIGHTS, TERMS = "model/model.safetensors", "model/terms.safetensors"
PROMISED = ("triplets", "manifold", "contrast", "discrepancy")  # by two and by four
BY_FOUR = ("in batch", "plain", "chunked")  # of the others; the rest are trained by one and by two


def lay(root: Path) -> None:
    """Two corpora in two languages: vectors of which words and pictures tell the same, a third without a label."""
    random, tables, vectors = np.random.default_rng(0), [], {}
    for name, language in (("ay", "en"), ("bee", "ur")):
        (root / name).mkdir()
        (root / name / "corpus.toml").write_text(f'name = "{name}"\nlanguage = "{language}"\n')
        rows = np.arange(48)
        label = rows % 3
        table = pd.DataFrame(
            {
                "id": [f"{name}{row}" for row in rows],
                "speaker": [f"s{row // 3 % 4}" for row in rows],
                "session": [f"d{row // 3 % 4}" for row in rows],
                "script": [f"{name}{row}" for row in rows],
                "label": [NAMES[code] if row % 5 < 4 else None for row, code in enumerate(label)],
                "text": [f"so {NAMES[code]} I" if row % 4 else None for row, code in enumerate(label)],
                "image": [f"{row}.png" for row in rows],
            }
        )
        for row, code in enumerate(label):
            light = np.linspace(40, 200, 16) if code else np.linspace(200, 40, 16)
            pixels = light[:, None] + 40 * (code == 2) + random.normal(0, 12, (16, 16))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{row}.png")
        table.to_csv(root / name / "items.csv", index=False)
        tables.append(table)
        vectors |= {f"{name}{row}": random.normal(0, 0.5, 6) + np.eye(6)[code] for row, code in enumerate(label)}
    np.savez(root / "v.npz", id=np.array([*vectors]), v=np.stack([*vectors.values()]).astype(np.float32))
    words = np.array(["so", "i", *NAMES])
    np.savez(root / "words.npz", words=words, vectors=random.normal(size=(len(words), 4)).astype(np.float32))


def recipes(root: Path, world: Path) -> dict[str, dict]:
    """Everything that a step can depend on, in few small runs."""
    vectors = {"kind": "vectors", "path": "v.npz", "id_column": "id"}
    base = {
        "data": str(root),
        "corpora": [{"path": "ay"}, {"path": "bee"}],
        "labels": {"kind": "classes", "names": NAMES, "others": "leave_out"},
        "features": vectors,
        "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 4, "fold": 0, "validate_share": 0.3},
        "encoder": {"kind": "mlp", "hidden": 16},
        "training": {},
    }
    training = {
        "epochs": 2, "batch_size": 13, "learning_rate": 3e-3, "weight_decay": 1e-2, "checkpoint_seconds": 100,
        "selection": "last",
    }  # fmt: skip

    def make(name: str, *terms: dict, **changes) -> dict:
        values = base | {"name": name, "terms": list(terms)} | changes
        values["training"] = training | values["training"]
        return {key: value for key, value in values.items() if value is not None}

    voices = {
        "data": str(world),
        "corpora": [{"path": "alva"}, {"path": "boro"}],
        "labels": {"kind": "classes", "names": ["angry", "happy", "neutral", "sad"]},
        "features": {"kind": "log_mel", "bands": 20, "normalise": {"scope": "item"}},
        "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 16},
        "protocol": {
            "kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_by": "session",
            "validate_share": 0.3, "allow": ["script"],
        },
    }  # fmt: skip
    pictures = {"features": {"kind": "faces", "side": 16}, "views": {"crop": 12, "flip": True}}
    resnet = {"kind": "image", "net": "quick_resnet18", "width": 0.05, "dimensions": 6, "probe": True, "dropout": 0.2}
    entropy, dropout = {"kind": "cross_entropy"}, {"kind": "mlp", "hidden": 16, "dropout": 0.4}
    contrast = {"kind": "supervised_contrastive", "groups": "language", "across_groups": 2.0}
    several = {
        "acoustic": {"features": vectors, "net": {"kind": "linear", "hidden": [8], "latent": 4}},
        "lexical": {"features": {"kind": "words", "path": "words.npz", "words": 4}, "net": SEQUENCE},
    }
    chunked = {"chunk_size": 2, "batch_size": 16}
    made = [
        # the last batch of an epoch has fewer items than there are processes
        make("triplets", entropy, F_SIMILARITY | {"pairs": "triplets"}, training={"clip_gradient": 1.0}),
        make("heard", entropy, F_SIMILARITY | {"pairs": "triplets"}, **voices, augment=AUGMENT),
        make("over frames", entropy, **voices),
        make("in batch", entropy, F_SIMILARITY, encoder=dropout, training={"selection": "validation"}),
        make("no term reads the logits", F_SIMILARITY),
        make("manifold", {"kind": "gaussian_manifold"}, entropy, encoder=dropout,
             training={"items_per_class": 4, "batch_size": 12}),
        make("normalised", {"kind": "gaussian_manifold"}, entropy, **pictures, encoder=resnet,
             training={"items_per_class": 4, "batch_size": 12}),
        make("contrast", entropy, contrast, {"kind": "adversary", "groups": "speaker"},
             {"kind": "linear_adversary", "groups": "corpus"}, {"kind": "guided_emd", "warm_up": 1},
             training={"items_per_class": 3, "batch_size": 18, "across": "language", "momentum": 0.9,
                       "optimiser": "sgd"}),
        make("discrepancy", entropy, {"kind": "mmd", "groups": "corpus"}, {"kind": "hsic", "groups": "speaker"}),
        make("matching", entropy, {"kind": "reconstruction"}, {"kind": "matching", "between": ["acoustic", "lexical"]},
             features=None, modalities=several, unlabelled={"batch_size": 6, "balance": {"after": 1, "per_class": 7}},
             encoder={"kind": "multimodal", "modality_dropout": 0.3, "dropout": 0.2}),
        make("seen twice", entropy, {"kind": "consistency", "noise": 0.1}, {"kind": "pseudo_labels", "threshold": 0.0},
             encoder=dropout, unlabelled={"batch_size": 5}, training={"chunk_size": 3}),
        make("plain", entropy, F_SIMILARITY, encoder=dropout, training={"batch_size": 16}),
        make("chunked", entropy, F_SIMILARITY, encoder=dropout, training=chunked),
        make("half", entropy, F_SIMILARITY, encoder=dropout, training={"precision": "bf16-mixed"}),
    ]  # fmt: skip
    cases = {values["name"]: {"recipe": values | {"name": values["name"].replace(" ", "-")}} for values in made}
    for name in {*cases} - {*PROMISED}:
        cases[name]["counts"] = [1, 4] if name in BY_FOUR else [1, 2]
    for name in ("manifold", "contrast", "discrepancy", "no term reads the logits", *BY_FOUR, "half"):
        cases[name]["shares"] = True
    cases["normalised"]["double"] = True
    cases["over frames"]["drops"] = True
    stops = training | {"checkpoint_steps": 2, "checkpoint_seconds": 0, "selection": "validation"}
    broken = cases["in batch"]["recipe"] | {"name": "broken", "training": stops}
    wild = cases["in batch"]["recipe"] | {
        "name": "wild",
        "training": training | {"learning_rate": 10.0, "epochs": 60, "optimiser": "sgd"},
    }
    refused = cases["normalised"]["recipe"] | {"name": "refused", "training": training | {"chunk_size": 4}}
    return cases | {
        "broken off": {"recipe": broken, "breaks": 6, "shares": True, "counts": [1, 2]},
        "more go on": {"recipe": broken, "goes_on": [1, 0, "broken off"], "shares": True, "counts": [2]},
        "others go on": {"recipe": broken, "goes_on": [2, 0, "broken off"], "shares": True, "counts": [4]},
        # each machine has a disk of its own, and the one that is first now is not the one that was
        "newer elsewhere": {"recipe": broken, "goes_on": [2, 0, "broken off"], "at": 3, "counts": [4]},
        "other labels": {"recipe": broken, "other": [2, broken | {"data": str(root / "other")}], "counts": [4]},
        "other version": {"recipe": broken, "version": [1, "0.0.1"], "counts": [4]},
        "other recipe": {"recipe": broken, "other": [3, broken | {"seed": 7}], "counts": [4]},
        "first is lost": {"recipe": broken, "goes_on": [2, 1, "broken off"], "counts": [4]},
        "used": {"recipe": wild, "goes_on": [2, 0, "triplets"], "counts": [4]},
        "diverged": {"recipe": wild, "shares": True, "counts": [1, 4]},
        "refused": {"recipe": refused, "counts": [1, 4]},
        "leaks": {"recipe": broken | {"protocol": base["protocol"] | {"by": "item"}}, "counts": [1, 4]},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, world) -> Path:
    """Where the processes left their runs; they are started once for all tests."""
    root, folder = tmp_path_factory.mktemp("corpora"), tmp_path_factory.mktemp("processes")
    lay(root)
    shutil.copytree(root, root / "other")
    table = pd.read_csv(root / "other/ay/items.csv")
    table.assign(label=table["label"].replace({"sad": "happy", "happy": "sad"})).to_csv(
        root / "other/ay/items.csv", index=False
    )
    (folder / "cases.json").write_text(json.dumps(recipes(root, world)))
    done = subprocess.run(
        [sys.executable, WORKER, folder / "cases.json", folder],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=900,
        check=False,
    )
    assert not done.returncode, done.stderr.decode()[-4000:]
    return folder


@pytest.fixture(scope="module")
def found(folder) -> dict[tuple[int, int], dict]:
    """What each process told of its runs, by how many they were and which of them it was."""
    every = [(count, rank) for count in (1, 2, 4) for rank in range(count)]
    return {(count, rank): json.loads((folder / f"{count}.{rank}.json").read_text()) for count, rank in every}


def apart(one: Path, other: Path) -> float:
    """The largest difference between two runs' weights of the net and of their terms."""
    differences = [0.0]
    for name in (WEIGHTS, TERMS):
        assert (one / name).exists() == (other / name).exists()
        if (one / name).exists():
            a, b = load_file(one / name), load_file(other / name)
            assert a.keys() == b.keys()
            differences += [float((a[key].double() - b[key].double()).abs().max()) for key in a if a[key].numel()]
    return max(differences)


def by_several(name: str) -> str:
    """Whose folder holds the run that several processes have trained."""
    return "4.0" if name in BY_FOUR else "2.0"


def rows(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", PROMISED)
def test_weights_are_those_of_one_process(folder, name, count):
    one, several = folder / "1.0" / name, folder / f"{count}.0" / name
    assert apart(one, several) < 1e-5
    for before, now in zip(rows(one), rows(several), strict=True):
        assert now["loss"] == pytest.approx(before["loss"], rel=1e-4)
        assert now["validate"]["uar"] == pytest.approx(before["validate"]["uar"])
    a, b = (json.loads((run / "metrics.json").read_text()) for run in (one, several))
    assert a["selected_epoch"] == b["selected_epoch"]
    assert a["test"]["uar"] == pytest.approx(b["test"]["uar"])


@pytest.mark.parametrize(
    "name",
    ["heard", "over frames", "in batch", "no term reads the logits", "matching", "seen twice", "plain", "chunked"],
)
def test_so_are_those_of_other_recipes(folder, name):
    assert apart(folder / "1.0" / name, folder / by_several(name) / name) < 1e-5


def test_batch_normalisation_is_that_of_the_whole_batch(folder):
    """In single precision rounding hides it: Adam makes whole steps of gradients that are next to nothing."""
    assert apart(folder / "1.0/normalised", folder / "2.0/normalised") < 1e-9


def test_layers_that_no_term_reads_are_left_alone(folder):
    begun, several = (load_file(folder / place / "no term reads the logits" / WEIGHTS) for place in ("1.0", "2.0"))
    for layer in ("output.weight", "output.bias", "fc2.weight"):  # weight decay would have moved them
        assert torch.equal(begun[layer], several[layer])


def test_in_low_precision_they_differ_by_its_rounding(folder):
    assert apart(folder / "1.0/half", folder / "2.0/half") < 5e-3


@pytest.mark.parametrize("count", [1, 4])
def test_chunks_change_nothing_but_memory(folder, count):
    """Dropout leaves out the same, whoever encodes an item, and beside which others."""
    assert apart(folder / f"{count}.0/plain", folder / f"{count}.0/chunked") < 1e-5


def test_processes_stay_in_step_to_the_bit(found):
    put_back = (
        "in batch",
        "more go on",
        "others go on",
    )  # of these the first has put back the weights of the best epoch
    runs = [(key, name) for key in found for name, told in found[key].items() if "error" not in told]
    assert len(runs) > 40
    for (count, rank), name in runs:
        first, own = found[count, 0][name], found[count, rank][name]
        for what in ("random",) if name in put_back else ("random", "encoder", "terms"):
            assert own[what] == first[what], (name, what)


@pytest.mark.parametrize(("name", "count"), [("more go on", 2), ("others go on", 4)])
def test_a_run_goes_on_with_any_number_of_processes(folder, found, name, count):
    assert all(process["broken off"]["interrupted"] for (of, _), process in found.items() if of < 4)
    assert apart(folder / "1.0/in batch", folder / f"{count}.0" / name) < 1e-5


def test_the_first_alone_writes_but_for_a_word_where_the_run_is(folder):
    for count in (2, 4):
        for rank in range(1, count):
            own = [path for path in (folder / f"{count}.{rank}").rglob("*") if path.is_file()]
            assert {path.name for path in own if "newer elsewhere" not in path.parts} == {"elsewhere.json"}


def test_who_is_left_alone_does_not_begin_a_run_anew(folder, tmp_path):
    """The machine of the first process is lost, and with it the only folder that holds the run."""
    case = json.loads((folder / "cases.json").read_text())["broken off"]
    own = tmp_path / "own"
    shutil.copytree(folder / "2.1/broken off", own)
    words = rf"has got to step 4 on .* begin anew by removing {own}/elsewhere\.json"
    with pytest.raises(InputError, match=words):
        train(make_recipe(case["recipe"]), own, resume=True, quiet=True)
    (own / "elsewhere.json").unlink()
    with pytest.raises(InputError, match="no corpus"):  # it begins
        train(make_recipe(case["recipe"] | {"data": str(tmp_path)}), own, resume=True, quiet=True)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("used", "InputError", "the recipe differs from the one"),
        ("diverged", "DivergedError", "is not finite in epoch"),
        ("refused", "InputError", "training.chunk_size is 4, and this net normalises by the whole batch"),
        ("leaks", "LeakError", "speakers are in both train"),
        ("newer elsewhere", "InputError", "where the first process is now, no checkpoint: it would train that again"),
        ("other labels", "InputError", "has another set of tables of corpus ay than process 0 on "),
        ("other version", "InputError", f"(0.0.1, not {affectspace.__version__}), and they are to train one net"),
        ("other recipe", "InputError", "has another recipe than process 0 on "),
        ("first is lost", "InputError", "this run has got to step 4 on"),
    ],
)
def test_what_ends_the_first_ends_all_with_the_same_error(found, name, kind, words):
    told = [found[4, rank][name] for rank in range(4)]
    assert told[0]["error"] == kind
    assert words in told[0]["told"]
    assert all(each["common"] for each in told)
    assert len({(each["error"], each["told"]) for each in told}) == 1
    if name in found[1, 0]:
        assert not found[1, 0][name]["common"]


def test_the_batch_that_diverged_is_kept_whole(folder):
    one, several = (load_file(folder / place / "diverged/diverged/batch.safetensors") for place in ("1.0", "4.0"))
    assert several["values"].shape[0] == len(several["targets"])
    assert several["values"].shape[1:] == one["values"].shape[1:]
