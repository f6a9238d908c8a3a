"""Copies of recordings are looked for before training, and records of runs are what they were without that."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from affectspace.corpora import open_corpus
from affectspace.errors import LeakError
from affectspace.features import AudioFingerprint
from affectspace.training import make_recipe, train
from affectspace.training.cache import DataCache
from affectspace.training.gather import gather
from affectspace.training.heard import hear, own_items
from affectspace.training.near_audio import near_audio


@pytest.fixture
def corpus(tmp_path, takes):
    """12 voices of six speakers in a table; b0 is a0 at another level, and coded."""
    for place, samples in enumerate(takes):
        soundfile.write(tmp_path / f"{place}.flac", samples, 16000)
    soundfile.write(tmp_path / "6.ogg", takes[0] * 0.3, 16000)
    rows = [{"id": f"{'ab'[place // 6]}{place % 6}", "audio": f"{place}.flac"} for place in range(12)]
    rows[6]["audio"] = "6.ogg"
    table = pd.DataFrame(rows).assign(speaker=[f"s{place // 2}" for place in range(12)])
    table.assign(label=np.array(["down", "up"])[np.arange(12) % 2]).to_csv(tmp_path / "items.csv", index=False)
    return tmp_path


def recipe(corpus, **changes):
    return make_recipe(
        {
            "name": "near", "data": str(corpus), "corpora": [{"path": "."}],
            "labels": {"kind": "classes", "names": ["down", "up"]}, "features": {"kind": "log_mel", "bands": 8},
            "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 6, "fold": 0, "validate_share": 0},
            "encoder": {"kind": "conv_pool", "channels": 4, "hidden": 4},
            "training": {"epochs": 1, "selection": "last"}, **changes,
        }
    )  # fmt: skip


def folds(corpus, by, allow=()):
    for fold in range(6):
        protocol = {"kind": "grouped_folds", "by": by, "folds": 6, "fold": fold, "validate_share": 0, "allow": allow}
        yield recipe(corpus, protocol=protocol)


def test_a_copy_on_both_sides_is_refused_and_may_be_allowed_by_name(corpus):
    opened, refused = DataCache(), []
    for each in folds(corpus, "speaker"):
        try:
            data = opened(each)
            assert "near_audio" in data.protocol["keeps_apart"]
        except LeakError as error:
            refused.append(str(error))
    assert len(refused) == 2  # the folds that test s0 and s3
    for told in refused:
        assert "as near-identical copies, which differ in level, coding, noise or length alone, such as " in told
        assert "a0'" in told
        assert "b0'" in told
        assert 'allow = ["near_audio"] in [protocol]' in told
    for each in folds(corpus, "speaker", ["near_audio"]):
        assert "near_audio" in opened(each).protocol["allowed"]


def test_a_split_by_item_keeps_copies_together(corpus):
    opened = DataCache()
    for each in folds(corpus, "item", ["speaker"]):
        part = opened(each).split_table.set_index("id")["part"]
        assert part["a0"] == part["b0"]


def test_unlabelled_copies_of_tested_items_are_left_out(corpus):
    table = pd.read_csv(corpus / "items.csv")
    table.loc[table["id"] == "b0", ["label", "speaker"]] = [None, "s9"]
    table.to_csv(corpus / "items.csv", index=False)
    opened = DataCache()
    for each in folds(corpus, "speaker"):
        taught = each.model_dump(mode="json", exclude_none=True) | {
            "unlabelled": {"batch_size": 2},
            "terms": [{"kind": "cross_entropy"}, {"kind": "pseudo_labels"}],
            "training": {"epochs": 1, "selection": "last", "labelled_share": 0.5},
        }
        data = opened(make_recipe(taught))
        part = data.split_table.set_index("id")["part"]
        assert ("b0" in part) == (part["a0"] != "test")
        assert data.about["unlabelled"]["left_out"].get("near_audio", 0) == (part["a0"] == "test")


def test_vectors_are_not_listened_to(corpus):
    np.savez(corpus / "v.npz", id=[f"{'ab'[place // 6]}{place % 6}" for place in range(12)], vectors=np.eye(12))
    made = recipe(corpus, features={"kind": "vectors", "path": "v.npz"}, encoder={"kind": "mlp"})
    assert "near_audio" not in gather(made, quiet=True).items


def test_the_records_of_a_run_are_those_without_it_but_for_what_is_kept_apart(corpus, tmp_path, monkeypatch):
    made = recipe(corpus, protocol=recipe(corpus).protocol.model_dump() | {"allow": ("near_audio",)})
    after = train(made, tmp_path / "after", quiet=True)
    with monkeypatch.context() as patched:
        patched.setattr("affectspace.training.gather._with_near_audio", without)
        before = train(made, tmp_path / "before", quiet=True)
    assert after.data["corpora"] == before.data["corpora"]
    pd.testing.assert_frame_equal(after.split, before.split)
    ours, theirs = ({**run.metrics, "keeps_apart": None} for run in (after, before))
    assert ours == theirs


def without(parts):
    return tuple(pd.concat(tables, ignore_index=True) for tables in zip(*[(p.items, p.unlabelled) for p in parts]))


def test_items_of_corpora_are_heard_and_what_cannot_be_is_told(corpus):
    soundfile.write(corpus / "short.wav", np.random.default_rng(0).uniform(-1, 1, 4000), 16000)
    soundfile.write(corpus / "silent.wav", np.zeros(16000), 16000)
    table = pd.read_csv(corpus / "items.csv")
    more = [("c0", "short.wav"), ("c1", "short.wav"), ("c2", "silent.wav"), ("c3", "gone.wav"), ("c4", None)]
    more += [("a0", "1.flac"), (None, "1.flac"), ("c5", "../2.flac")]
    pd.concat([table, pd.DataFrame(more, columns=["id", "audio"])]).to_csv(corpus / "items.csv", index=False)
    opened = open_corpus(corpus)
    heard = hear([opened], quiet=True)
    items = heard.items.set_index("id")
    assert (heard.recordings, heard.without_fingerprint, heard.nameless) == (17, 2, 2)
    assert [row["id"].partition("/")[2] for row in heard.unheard] == ["c3", "c5", "c2"]
    assert heard.unheard[2]["reason"].endswith(
        "is silent: all its samples are 0; record or cut it anew, or leave it out"
    )
    assert items["near_audio"]["b0"] == items["near_audio"]["a0"] == f"{opened.name}/a0"
    assert items["audio_sha"]["c0"] == items["audio_sha"]["c1"]
    assert items["near_audio"][["c0", "c2", "c3", "c4"]].isna().all()
    assert items.index.tolist() == own_items([opened])["id"].tolist()
    twin = gather(recipe(corpus, features={"kind": "log_mel", "bands": 8, "max_bad_share": 1}), quiet=True).items
    assert twin.set_index("id")["audio_sha"]["a0"] == items["audio_sha"]["a0"]


def test_groups_are_worked_out_once_for_the_same_recordings(takes, tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))
    made = [AudioFingerprint().compute(samples) for samples in (takes[0], takes[0] / 4, takes[4])]
    items = pd.DataFrame({"id": list("1234"), "corpus": "a", "audio_sha": ["f", "g", "h", "i"]})
    expected = ["a/1", "a/1", "a/3", None]

    def told(items, made):
        return near_audio(items, made).astype(object).where(lambda cells: cells.notna(), None).tolist()

    assert told(items, [*made, None]) == expected
    with monkeypatch.context() as patched:
        patched.setattr("affectspace.training.near_audio.near_duplicates", lambda _: pytest.fail("is worked out again"))
        assert told(items.assign(id=list("wxyz")), [*made, None]) == ["a/w", "a/w", "a/y", None]
    assert told(items, [made[0], made[2], made[2], None])[:3] == ["a/1", "a/1", "a/3"]  # the hashes say what they are
    assert told(items.assign(audio_sha=list("jklm")), [made[0], made[2], made[2], None]) == ["a/1", "a/2", "a/2", None]
    [damaged, _] = sorted((tmp_path / "cache").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    damaged.write_bytes(damaged.read_bytes()[:60])
    assert told(items, [*made, None]) == expected
    assert len(list((tmp_path / "cache").iterdir())) == 2
