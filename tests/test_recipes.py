"""Every recipe runs as it is, on a tiny corpus under each name that it asks for."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from affectspace.corpora import make_synthetic, make_synthetic_multimodal
from affectspace.encoders import SequenceAutoencoder
from affectspace.studies.recipes import StudyRecipes
from affectspace.studies.study import load_study
from affectspace.training import load_recipe, make_recipe, train, train_recipe
from affectspace.training.cache import DataCache
from affectspace.training.dotted import put
from affectspace.training.recipe_features import VectorFeatures
from affectspace.training.recipe_protocol import all_folds

FILES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
STUDIES = [path for path in FILES if "recipes" in tomllib.loads(path.read_text())]
SEVERAL = [path for path in FILES if "modalities" in tomllib.loads(path.read_text())]
RECIPES = [path for path in FILES if path not in STUDIES + SEVERAL]
VOICES = ("alva", "boro", "cirin", "alva")  # languages of the made-up voices, by the place of a corpus in a recipe
PLACES = {"emodb": 0, "urdu": 1, "ravdess": 2, "ased": 3}  # of corpora that several recipes name, the same in all
SPOKEN = {"emodb": "de", "ravdess": "en", "urdu": "ur", "ased": "am"}


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """``voices(place)``: the folder of a corpus of made-up voices, of other people in each of four places."""
    folder = tmp_path_factory.mktemp("voices")

    def lay(place: int) -> Path:
        name = f"voices{place}"
        if not (folder / name).exists():
            make_synthetic(folder / name, VOICES[place], name=name, speakers=5, items_per_speaker=4)
        return folder / name

    return lay


@pytest.fixture(scope="module")
def corpora_of(voices, tmp_path_factory):
    """``corpora_of(recipe)``: the folder with its corpora; who asks for the same finds the same, and features of it."""
    folders: dict[tuple, Path] = {}

    def lay(recipe) -> Path:
        sessions = "session" in {getattr(recipe.protocol, name, None) for name in ("by", "validate_by")}
        # Labels that this recipe names beyond the four of the synthetic voices are given to some items.
        others = [c for c in recipe.labels.names if c not in {"angry", "happy", "neutral", "sad"}]
        others = others if recipe.labels.kind == "classes" else []
        key = sessions, *others, *(entry.path for entry in recipe.corpora if Path(entry.path).suffix)
        root = folders.get(key) or folders.setdefault(key, tmp_path_factory.mktemp("corpora"))
        for number, entry in enumerate(recipe.corpora):
            name = Path(entry.path).stem
            if not (root / name).exists():
                corpus_of(recipe, root, entry.path, voices(PLACES.get(name, number)), sessions, others)
        return root

    return lay


def corpus_of(recipe, root: Path, path: str, made: Path, sessions: bool, others: list[str]) -> None:
    """Made-up voices under the name that a recipe has for them, with what it asks of their table."""
    name = Path(path).stem
    folder = shutil.copytree(made, root / name)
    card = folder / "corpus.toml"
    card.write_text(card.read_text().replace(made.name, name))
    items = pd.read_csv(folder / "items.csv")
    if name in SPOKEN:
        items["language"] = SPOKEN[name]
    if not sessions:
        items = items.drop(columns="session")  # such corpora know none
    for row in items.index[items.index % 8 < len(others)]:
        items.loc[row, "label"] = others[row % 8]
    items.to_csv(folder / "items.csv", index=False)
    if isinstance(recipe.features, VectorFeatures):
        rng = np.random.default_rng(0)
        vectors = {f"{kind}_{i}": rng.normal(size=len(items)) for kind in "apd" for i in range(2)}
        table = pd.DataFrame({recipe.features.id_column: items["id"], **vectors})
        table.to_parquet(root / str(recipe.features.path).replace("*", "1"))
        (root / path).write_text(
            f'name = "{name}"\nroot = "{name}"\nitems = "items.csv"\nratings = "ratings.csv"\n'
            "[scales.activation]\nlow = 1\nhigh = 5\n[scales.valence]\nlow = 1\nhigh = 5\n"
        )


def pictures_for(recipe, folder: Path, seed: int = 0) -> None:
    """Pictures as bright as their class is high; one item in four is tested."""
    folder.mkdir(parents=True)
    rng, names = np.random.default_rng(seed), recipe.labels.names
    rows, votes = [], []
    for number in range(12 * len(names)):
        place = number % len(names)
        pixels = rng.normal(40 + 160 * place / len(names), 12, (recipe.features.side,) * 2)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        cuts = getattr(recipe.labels, "thresholds", None)
        label = names[place] if cuts is None else ([1.0, *cuts])[place]
        split = "test" if number // len(names) % 4 == 0 else "train"
        rows.append({"id": str(number), "image": f"{number}.png", "label": label, "split": split})
        votes += [(str(number), recipe.labels.dimension, names[(place + shift) % len(names)]) for shift in (0, 0, 1)]
    pd.DataFrame(rows).to_csv(folder / "items.csv", index=False)
    if recipe.labels.kind == "classes":
        pd.DataFrame(votes, columns=["item", "dimension", "value"]).to_csv(folder / "ratings.csv", index=False)


SHORT = {"training.epochs": 2, "monitor.snapshots": [1], "training.batch_size": 16, "training.threads": 1}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_runs(path, corpora_of, tmp_path, lay_speech_model):
    short = [f"{key}={value}" for key, value in SHORT.items()]
    if "items_per_class" in tomllib.loads(path.read_text())["training"]:
        short.append("training.items_per_class=4")
    recipe = load_recipe(path, short)
    if recipe.features.kind.endswith("functionals"):
        pytest.importorskip("opensmile")
    if recipe.features.kind == "faces":
        pictures_for(recipe, tmp_path / recipe.corpora[0].path)
    root = tmp_path if recipe.features.kind == "faces" else corpora_of(recipe)
    for section in (recipe.features, recipe.encoder):
        if section.kind == "pretrained_speech":  # in place of the model of others, which is not here
            shutil.copytree(lay_speech_model("wavlm group"), root / section.source, dirs_exist_ok=True)
    fold = ["protocol.fold=0"] if all_folds(recipe.protocol) else []
    recipe = load_recipe(path, [*short, *fold, f"data={root}"])
    run = train_recipe(recipe, tmp_path / "run", quiet=True)
    assert run.metrics["name"] == path.stem
    assert 0 <= run.metrics["test"]["uar"] <= 1
    assert not run.metrics["transductive"] or recipe.features.normalise.transductive


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    """A corpus with voices, faces and words, two speakers to a session; some items lack some of these."""
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp("several") / "trio"
    make_synthetic_multimodal(folder, items=24, speakers=6, missing=0.1)
    return folder


def several_for(recipe, root: Path, trio: Path) -> None:
    """The corpora of a recipe, the first with labels (some outside of its classes), the others with none."""
    for number, entry in enumerate(recipe.corpora):
        name = Path(entry.path).stem
        shutil.copytree(trio, root / name)
        (root / name / "ratings.csv").unlink()
        items = pd.read_csv(root / name / "items.csv")
        if number:
            items = items[:8].assign(label=np.nan)
        elif recipe.protocol.kind == "published":
            items["label"] = np.take(recipe.labels.names, items.groupby("session").cumcount() % 7)
            items["split"] = items["session"].map({"session1": "train", "session2": "validate", "session3": "test"})
        elif recipe.labels.others == "leave_out":
            items["label"] = items["label"].where(items.index % 7 > 0, "bored")
        items.to_csv(root / name / "items.csv", index=False)
        (root / name / "corpus.toml").write_text(f'name = "{name}"\nlanguage = "qaa"\n')
        if Path(entry.path).suffix:
            (root / entry.path).write_text(f'name = "{name}"\nroot = "{name}"\nitems = "items.csv"\n')
    rng = np.random.default_rng(0)
    for modality in recipe.modalities.values():
        features = modality.features
        if features.kind == "words":
            shutil.copy(trio / "words.npz", root / features.path)
        elif features.kind == "vectors" and features.path.endswith(".npz"):
            vectors = {features.columns[0]: rng.normal(size=(len(items), 6))}
            np.savez(root / features.path.replace("*", "6"), **{features.id_column: items["id"].tolist()}, **vectors)
        elif features.kind == "vectors":
            table = {name.replace("*", end): rng.normal(size=len(items)) for name in features.columns for end in "12"}
            pd.DataFrame({features.id_column: items["id"], **table}).to_parquet(root / features.path.replace("*", "1"))


def net_for_faces(root: Path, features) -> None:
    """A run on faces, as the recipe's first lines have it, below ``data``."""
    path = next(path for path in RECIPES if path.stem == "face_space")
    small = ["encoder.width=0.1", f"features.side={features.side}", "views.crop=60", "encoder.dimensions=342"]
    recipe = load_recipe(path, [f"data={root}", *small, "training.epochs=1", "training.precision=32-true"])
    pictures_for(recipe, root / recipe.corpora[0].path)
    train(recipe, root / features.run, quiet=True)


@pytest.mark.parametrize("path", SEVERAL, ids=lambda path: path.stem)
def test_recipe_of_several_modalities_runs(path, trio, tmp_path):
    given = tomllib.loads(path.read_text())
    for features in (modality["features"] for modality in given["modalities"].values()):
        if features["kind"] == "functionals":
            pytest.importorskip("opensmile")
        if features["kind"] == "face_sequence":
            pytest.importorskip("skimage")
        if features["kind"] == "pretrained_text":  # whose model is not here
            features |= {"kind": "words", "path": "words.npz"}
            del features["source"]
    given |= {"data": str(tmp_path)}
    shorter = {"protocol.fold": 0} if given["protocol"]["kind"] == "leave_one_out" else {}
    shorter |= {"unlabelled.balance": {"after": 1, "per_class": 8}} if "balance" in given["unlabelled"] else {}
    for key, value in {**SHORT, **shorter, "unlabelled.batch_size": 16, "training.device": "cpu"}.items():
        put(given, key, value)
    recipe = make_recipe(given)
    several_for(recipe, tmp_path, trio)
    for modality in recipe.modalities.values():
        if getattr(modality.features, "run", None):
            net_for_faces(tmp_path, modality.features)
    run = train(recipe, tmp_path / "run", quiet=True)
    assert 0 <= run.metrics["test"]["uar"] <= 1
    assert not run.metrics["transductive"]
    assert "+".join(recipe.modalities) in run.metrics["by_modality"]
    unlabelled = run.split.query("part == 'unlabelled'")
    assert set(unlabelled["corpus"]) >= {Path(entry.path).stem for entry in recipe.corpora[1:]}
    if recipe.protocol.kind == "leave_one_out":  # the session in which somebody is tested has no part in training
        own = unlabelled[unlabelled["corpus"] == Path(recipe.corpora[0].path).stem]
        assert len(own)
        assert "session1" not in set(own["session"])


def test_the_system_of_the_paper_has_its_sizes():
    modalities = load_recipe(next(path for path in SEVERAL if path.stem == "cross_modal_matching")).modalities
    for name, dimensions, flattened in (("visual", 342, 1856), ("lexical", 1024, 2736)):  # as the paper's Table 3
        net = modalities[name].net
        with torch.device("meta"):  # nothing but sizes is asked for
            made = SequenceAutoencoder(
                dimensions, net.frames, net.latent, net.heads, net.blocks, net.convolutions, net.hidden
            )
        assert (made.flat, made.latent) == (flattened, 128)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_recipe_of_a_study_runs(path, corpora_of, tmp_path):
    study = load_study(path)
    recipes, data = StudyRecipes(study, str(path)), DataCache()  # opened once, as a study does it
    for entry in study.trained:
        values = recipes.of(entry.name, study.splits[0].name).model_dump()
        warm = [term.get("warm_up", 0) for term in values["terms"]]
        for key, value in {**SHORT, "training.epochs": 1 + max(warm, default=0)}.items():
            put(values, key, value)
        if values["training"]["items_per_class"]:
            put(values, "training.items_per_class", 4)
        if all_folds(make_recipe(values).protocol):
            put(values, "protocol.fold", 0)
        short = make_recipe(values)
        root = tmp_path if short.features.kind == "faces" else corpora_of(short)
        for number, corpus in enumerate(short.corpora):
            if not (folder := root / corpus.path).exists():
                pictures_for(short, folder, number)
        short = make_recipe({**values, "data": str(root)})
        run = train(short, tmp_path / "runs" / entry.name, data=data(short), quiet=True)
        assert 0 <= run.metrics["test"]["uar"] <= 1
        assert set(run.unseen) == set(getattr(short.protocol, "unseen", ()))
