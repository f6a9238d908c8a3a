"""Items of corpora by a model of several modalities: each by whatever it has, as in training."""

import shutil

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import make_synthetic_multimodal
from affectspace.errors import InputError
from affectspace.space.embed import embed
from affectspace.training import load_model, make_recipe, train
from affectspace.training.transfer import evaluate_on


@pytest.fixture(scope="module")
def run(lay_duo, tmp_path_factory):
    root = tmp_path_factory.mktemp("duo")
    return train(make_recipe(lay_duo(root)), root / "run", quiet=True)


@pytest.fixture
def corpus(run):
    return run.path.parent / "duo"


def of(run, table):
    """The vectors of a table, by item, as far as the run has embedded them too."""
    own = run.predictions.set_index("item")
    both = table.set_index("id").loc[list(own.index)]
    return np.stack(list(own["embedding"])), np.stack(list(both["vector"]))


def test_items_are_embedded_as_in_training_with_a_label_or_without(run, corpus):
    found = embed(load_model(run.path), [corpus], quiet=True)
    kept, made = of(run, found.table)
    np.testing.assert_array_equal(kept, made)
    items = pd.read_csv(corpus / "items.csv").set_index("id")
    row = np.arange(48)
    there = {"acoustic": row % 6 > 0, "lexical": row % 8 > 0}
    expected = ["+".join(name for name in there if there[name][each]) for each in row]
    table = found.table.assign(item=found.table["id"].str.removeprefix("duo/")).set_index("item")
    assert table["modalities"].to_dict() == {f"i{each:02d}": told for each, told in zip(row, expected) if told}
    assert table["label"].isna().sum() == items["label"].isna()[list(table.index)].sum() > 0
    assert found.quarantine.to_numpy().tolist() == [
        ["duo/i00", "the item has none of the modalities"],
        ["duo/i24", "the item has none of the modalities"],
    ]
    assert found.about["features"].startswith("acoustic: vectors/1 ")
    assert found.space(run.path).where("modalities=lexical").items["modalities"].tolist() == ["lexical"] * 6


def test_a_corpus_without_one_of_the_modalities_is_embedded_by_the_other(run, corpus, tmp_path):
    (tmp_path / "words").mkdir()
    items = pd.read_csv(corpus / "items.csv")
    only = items[items["id"].isin(["i06", "i12"])]  # which have no acoustic vector
    only.to_csv(tmp_path / "words/items.csv", index=False)
    model = load_model(run.path)
    found = embed(model, [tmp_path / "words"], quiet=True)
    assert found.table["modalities"].tolist() == ["lexical"] * 2
    assert not np.stack(list(found.table["vector"]))[:, :3].any()  # the latent of what is not there
    told = evaluate_on(run, tmp_path / "words", allow=("speaker", "session", "audio", "script"))
    assert told["items"] == 2
    assert list(told["by_modality"]) == ["lexical", "acoustic+lexical"]  # nobody has the other
    assert told["by_modality"]["acoustic+lexical"] == {"items": 2, **told["scores"]}


def test_evaluation_of_the_test_items_tells_what_the_run_did_of_each_subset(run, corpus, tmp_path):
    tested = run.predictions.query("split == 'test'")["item"].str.removeprefix("duo/")
    (tmp_path / "again").mkdir()
    items = pd.read_csv(corpus / "items.csv")
    items[items["id"].isin(tested)].to_csv(tmp_path / "again/items.csv", index=False)
    told = evaluate_on(run, tmp_path / "again", allow=("speaker", "session", "audio", "script"))
    assert list(told["by_modality"]) == list(run.by_modality)
    for names, figures in told["by_modality"].items():
        assert figures == pytest.approx(run.by_modality[names], abs=1e-5)


def test_a_corpus_given_twice_is_embedded_once(run, corpus):
    found = embed(load_model(run.path), [corpus, corpus], quiet=True)
    assert len(found.table) == 46
    assert found.quarantine["reason"].str.contains("given more than once").sum() == 46


def test_loose_files_are_refused_with_what_to_do(run, corpus, tmp_path):
    model = load_model(run.path)
    (tmp_path / "a.wav").write_bytes(b"sound")
    for source in (tmp_path / "a.wav", tmp_path):
        told = r"is no corpus, and this model reads several modalities \(acoustic, lexical\), .*items\.csv"
        with pytest.raises(InputError, match=told):
            embed(model, [source], quiet=True)
    with pytest.raises(InputError, match=r"nothing to embed was named; give corpora"):
        embed(model, [], quiet=True)
    with pytest.raises(InputError, match=r"several modalities \(acoustic, lexical\), each by a front end of its own"):
        _ = model.frontend
    assert model.medium == "several"


def test_a_model_without_its_run_says_what_it_lacks(run, corpus, tmp_path, monkeypatch):
    shutil.copytree(run.path / "model", tmp_path / "lone")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"makes features by acoustic\.parquet, lexical\.parquet, which is not below"):
        embed(load_model(tmp_path / "lone"), [corpus], quiet=True)
    for name in ("acoustic", "lexical"):
        shutil.copy(corpus.parent / f"{name}.parquet", tmp_path)
    assert len(embed(load_model(tmp_path / "lone"), [corpus], quiet=True).table) == 46  # they lie where one works


def test_sound_and_words_are_read_where_they_are(tmp_path):
    pytest.importorskip("av")
    truth = make_synthetic_multimodal(tmp_path / "trio", items=24, speakers=4)
    net = {"kind": "sequence", "heads": 1, "blocks": 1, "convolutions": [[3, 2, 1, 4]], "latent": 4}
    modalities = {
        "acoustic": {"features": {"kind": "log_mel", "bands": 12}, "net": {**net, "frames": 16}},
        "lexical": {"features": {"kind": "words", "path": "trio/words.npz"}, "net": {**net, "frames": 6}},
    }
    values = {
        "name": "trio",
        "data": str(tmp_path),
        "corpora": [{"path": "trio"}],
        "labels": {"kind": "classes", "names": sorted(truth.items["emotion"].unique())},
        "modalities": modalities,
        "protocol": {"kind": "grouped_folds", "by": "session", "folds": 2, "fold": 0, "validate_share": 0},
        "training": {"epochs": 1, "selection": "last"},
    }
    run = train(make_recipe(values), tmp_path / "run", quiet=True)
    found = embed(load_model(run.path), [tmp_path / "trio"], quiet=True)
    kept, made = of(run, found.table)
    np.testing.assert_allclose(kept, made, atol=1e-5)  # other items stand beside them
    lacks = truth.items.set_index("id")["missing"].fillna("")
    has = {item: [name not in lacks[item] for name in ("audio", "text")] for item in lacks.index}
    expected = {
        f"trio/{item}": "+".join(name for name, there in zip(modalities, own) if there)
        for item, own in has.items()
        if any(own)
    }
    assert found.table.set_index("id")["modalities"].to_dict() == expected
    assert set(found.quarantine["reason"]) <= {"the item has none of the modalities"}


def test_columns_of_the_corpus_own_are_kept_as_of_a_single_modality(run, corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "duo")
    items = pd.read_csv(tmp_path / "duo/items.csv")
    items = items.assign(language="de", room=np.arange(len(items)), modalities="sound")
    items.to_csv(tmp_path / "duo/items.csv", index=False)
    found = embed(load_model(run.path), [tmp_path / "duo"], quiet=True)
    assert set(found.table["language"]) == {"de"}
    assert found.table["room"].tolist() == [int(item.removeprefix("duo/i")) for item in found.table["id"]]
    assert found.omitted["modalities"] == "the space has a column of that name"
