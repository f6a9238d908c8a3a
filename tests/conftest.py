"""Small nets and tests run with one thread: two on a busy machine can be many times slower."""

import copy
import gc
import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What tests import stays to the end: the collector of garbage need not go through it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Tests never read or fill the user's feature cache."""
    os.environ["AFFECTSPACE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real corpora; tests that ask for it are skipped where there are none."""
    root = Path(os.environ.get("AFFECTSPACE_DATA", Path(__file__).parents[1] / "../shared/data")).resolve()
    if not (root / "speech").is_dir():
        pytest.skip(f"no real data at {root}; set AFFECTSPACE_DATA")
    return root


@pytest.fixture(scope="session")
def takes():
    """Float32 samples at 16 kHz of 12 synthetic voices: three speakers say each of two sentences twice, one by one."""
    import numpy as np

    from affectspace.corpora.channels import make_channel
    from affectspace.corpora.speakers import LANGUAGES, make_sentences, make_speaker, utter

    rng, language, said = np.random.default_rng(0), LANGUAGES["alva"], []
    for number in range(3):
        speaker, channel = make_speaker(number, rng), make_channel(rng)
        for sentence in make_sentences(language, 2):
            for _ in range(2):
                said.append(channel.record(utter(language, speaker, sentence, 3, 3, rng), rng).astype(np.float32))
    return said


# ---- studies that are trained in tests of the package and of its command

TINY = {
    "name": "tiny",
    "corpora": [{"path": "alva"}, {"path": "boro"}],
    "labels": {"kind": "poles", "dimension": "activation"},
    "features": {"kind": "log_mel", "bands": 20, "normalise": {"scope": "item"}},
    "protocol": {
        "kind": "cross_corpus", "train": ["alva"], "test": ["boro"], "validate_by": "session", "allow": ["script"],
    },
    "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
    "terms": [{"kind": "cross_entropy"}],
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.02},
}  # fmt: skip


@pytest.fixture(scope="session")
def lay_tiny():
    """``lay_tiny(folder, study, world, {"training.epochs": 2})``: the path of a study file beside a tiny recipe.

    ``study`` are its values, of which None is left out; the recipe is changed by dotted keys.
    """
    import tomli_w

    from affectspace.training.dotted import put

    def lay(folder: Path, study: dict, world: Path, recipe: dict | None = None) -> Path:
        base = copy.deepcopy(TINY) | {"data": str(world)}
        for key, value in (recipe or {}).items():
            put(base, key, value)
        folder.mkdir(exist_ok=True)
        (folder / "recipe.toml").write_text(tomli_w.dumps(base))
        path = folder / "study.toml"
        path.write_text(tomli_w.dumps({key: value for key, value in study.items() if value is not None}))
        return path

    return lay


@pytest.fixture(scope="session")
def here():
    """A pool that trains in the test's own process, one run after another, with nothing opened yet."""
    from affectspace.studies.job import Answer
    from affectspace.studies.pool import Pool
    from affectspace.studies.worker import perform
    from affectspace.training.cache import DataCache

    class Here(Pool):
        def __init__(self, processes: int):
            super().__init__(processes)
            self.cache = DataCache()

        def run(self, jobs, tell):
            for job in jobs:
                tell(job, Answer(**perform(job.asked, self.cache)))

    return Here


# ---- items of two modalities, of which each is missing from some, and which have a label or none


@pytest.fixture(scope="session")
def lay_duo():
    """``lay_duo(folder, **changes)``: values of a recipe that trains in a blink, its corpus written to ``folder``.

    48 items of six speakers in three sessions: every sixth has no acoustic vector, every eighth no lexical one, every
    fourth of the last 24 no label. The vectors tell the label.
    """
    import numpy as np
    import pandas as pd

    def lay(folder: Path, **changes) -> dict:
        names, generator = ["angry", "happy", "sad"], np.random.default_rng(0)
        row = np.arange(48)
        ids = [f"i{place:02d}" for place in row]
        meant, speaker = row % 3, row // 3 % 6
        label = [None if place >= 24 and place % 4 == 0 else names[meant[place]] for place in row]
        table = pd.DataFrame({"id": ids, "speaker": [f"s{each}" for each in speaker], "label": label})
        (folder / "duo").mkdir(parents=True, exist_ok=True)
        table.assign(session=[f"t{each // 2}" for each in speaker]).to_csv(folder / "duo/items.csv", index=False)
        for name, missing, centre in (("acoustic", 6, np.eye(3, 4)), ("lexical", 8, np.eye(3, 5))):
            vectors = pd.DataFrame(centre[meant] + generator.normal(0, 0.4, (48, centre.shape[1]))).add_prefix(name)
            vectors.assign(id=ids)[row % missing > 0].to_parquet(folder / f"{name}.parquet")
        modalities = {
            name: {
                "features": {"kind": "vectors", "path": f"{name}.parquet", "id_column": "id", "max_bad_share": 0.5},
                "net": {"kind": "linear", "hidden": [], "latent": 3},
            }
            for name in ("acoustic", "lexical")
        }
        return {
            "name": "duo",
            "data": str(folder),
            "corpora": [{"path": "duo"}],
            "labels": {"kind": "classes", "names": names},
            "modalities": modalities,
            "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 2, "fold": 0, "allow": ["session"]},
            "terms": [{"kind": "cross_entropy"}, {"kind": "matching", "weight": 0.1, "between": [*modalities]}],
            "unlabelled": {"weight": 0.3, "batch_size": 8},
            "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.05, "checkpoint_seconds": 100},
            **changes,
        }

    return lay


# ---- speech models of every family, as small as can be


@pytest.fixture(scope="session")
def lay_speech_model(tmp_path_factory):
    """``lay_speech_model("wavlm layer")``: the folder of a model with random weights, by its family and its norm.

    Three blocks of 32 numbers. Those built as wav2vec 2.0 need 165 samples for a frame and have one every 160; Whisper
    hears windows of a second. A test that changes the files copies them first.
    """
    import transformers

    made: dict[str, Path] = {}

    def lay(kind: str) -> Path:
        if kind in made:
            return made[kind]
        folder = made[kind] = tmp_path_factory.mktemp("speech") / kind.replace(" ", "-")
        family, _, norm = kind.partition(" ")
        torch.manual_seed(0)
        if family == "whisper":
            config = transformers.WhisperConfig(
                d_model=32, encoder_layers=3, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
                encoder_ffn_dim=48, decoder_ffn_dim=48, num_mel_bins=20, max_source_positions=50, vocab_size=30,
                max_target_positions=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
            )  # fmt: skip
            hears = transformers.WhisperFeatureExtractor(feature_size=20, chunk_length=1)
        else:
            config = transformers.AutoConfig.for_model(
                family, conv_dim=(16, 16, 16), conv_kernel=(10, 8, 4), conv_stride=(5, 8, 4), hidden_size=32,
                num_hidden_layers=3, num_attention_heads=2, intermediate_size=48, num_conv_pos_embeddings=16,
                num_conv_pos_embedding_groups=2, **({"feat_extract_norm": norm} if norm else {}),
                **({"do_stable_layer_norm": True} if norm == "layer" else {}),
            )  # fmt: skip
            hears = transformers.Wav2Vec2FeatureExtractor()
        transformers.AutoModel.from_config(config).eval().save_pretrained(folder)
        hears.save_pretrained(folder)
        return folder

    return lay


# ---- a hub on this machine


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine, which huggingface_hub asks in place of the real one, with an empty cache of its own."""
    import importlib.util

    from huggingface_hub import constants, hf_api

    from affectspace.training import hub_model

    spec = importlib.util.spec_from_file_location("fake_hub", Path(__file__).with_name("fake_hub.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fake = module.FakeHub()
    monkeypatch.setattr(constants, "ENDPOINT", fake.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", fake.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hf_api.api, "endpoint", fake.address)
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))
    hub_model._fetched.cache_clear()
    yield fake
    hub_model._fetched.cache_clear()
    fake.close()


# ---- a cluster


@pytest.fixture(scope="session")
def ray_nodes():
    """A running Ray cluster of one node with one CPU, to which a test may add others; nobody is connected to it."""
    pytest.importorskip("ray", reason='Ray is not installed; pip install "affectspace[ray]"')
    import importlib.util

    spec = importlib.util.spec_from_file_location("ray_nodes", Path(__file__).with_name("ray_nodes.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cluster = module.RayNodes()
    yield cluster
    cluster.end()


@pytest.fixture
def patience():
    """A test that waits for a cluster gives up after minutes, which none of them needs, and never hangs."""
    import signal

    def give_up(*_: object) -> None:
        raise TimeoutError("the cluster has not done what the test waits for within five minutes")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
