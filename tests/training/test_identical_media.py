"""Items that have any recording or film in common are one to the audit, whatever else each has or lacks."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from affectspace.errors import InputError, LeakError
from affectspace.features import Face, finders
from affectspace.media.video_file import write_video
from affectspace.protocols import groups_of
from affectspace.training import make_recipe, train
from affectspace.training.gather import gather
from affectspace.training.prepare import prepare

pytest.importorskip("av")

NET = {"kind": "sequence", "frames": 3, "heads": 1, "blocks": 1, "convolutions": [[3, 2, 1, 4]], "latent": 4}
SOUND = {"kind": "log_mel", "bands": 8}
FILM = {"kind": "face_sequence", "side": 16, "frames": 3, "pixels": 4, "finder": "mine.onnx"}


class Finder:
    """Finds a face in one place."""

    fingerprint = "stand-in"

    def __init__(self, path, find="largest"):
        pass

    def __call__(self, pixels):
        return [Face(4.0, 4.0, 20.0, 20.0, 1.0)]


@pytest.fixture
def values(tmp_path, monkeypatch):
    """A recipe of sound, film and words, which are one sentence.

    Of the ten items i3 has the film of i0 and no sound, i6 the sound of i0 and another film, and i9 words alone.
    """
    monkeypatch.setattr(finders, "YuNetFinder", Finder)
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.onnx").write_text("")
    rng, rows = np.random.default_rng(0), []
    for number in range(9):
        soundfile.write(tmp_path / f"{number}.wav", rng.uniform(-0.5, 0.5, 8000), 16000)
        write_video(tmp_path / f"{number}.mp4", rng.integers(0, 255, (3, 48, 48, 3), dtype=np.uint8), 3)
        rows.append({"id": f"i{number}", "audio": f"{number}.wav", "video": f"{number}.mp4"})
    rows[3] |= {"audio": None, "video": "0.mp4"}
    rows[6] |= {"audio": "0.wav"}
    table = pd.DataFrame([*rows, {"id": "i9"}]).assign(text="the same words")
    table["label"] = np.array(["down", "up"])[np.arange(10) % 2]
    table["speaker"] = [f"s{number // 3}" for number in range(9)] + ["s2"]
    table.to_csv(tmp_path / "items.csv", index=False)
    np.savez(tmp_path / "words.npz", words=np.array(["same"]), vectors=np.ones((1, 4), np.float32))
    modalities = {name: {"features": features, "net": NET} for name, features in (("sound", SOUND), ("film", FILM))}
    modalities["words"] = {"features": {"kind": "words", "path": "words.npz", "words": 3}, "net": NET}
    return {
        "name": "identical", "data": str(tmp_path), "corpora": [{"path": "."}],
        "labels": {"kind": "classes", "names": ["down", "up"]}, "modalities": modalities,
        "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 3, "fold": 0, "validate_share": 0,
                     "allow": ["script"]},
        "training": {"epochs": 1, "selection": "last"},
    }  # fmt: skip


def test_a_hash_of_each_medium_is_kept_and_any_in_common_joins_two_items(values):
    items = gather(make_recipe(values), quiet=True).items.set_index("id", drop=False)
    hashes = {item: str(shas).split() for item, shas in items["audio_sha"].items()}
    assert [len(each) for each in hashes.values()] == [2, 2, 2, 1, 2, 2, 2, 2, 2, 1]
    assert items["audio_sha"].isna().tolist() == [False] * 9 + [True]  # who has words alone has no medium
    assert hashes["i3"] == hashes["i0"][1:]
    assert hashes["i6"][0] == hashes["i0"][0]
    assert hashes["i6"][1] != hashes["i0"][1]
    groups = groups_of(items, "audio")
    assert groups[0] == groups[3] == groups[6]
    assert groups.nunique() == 7


def test_one_film_on_two_sides_leaks_even_if_one_item_of_it_lacks_the_sound(values):
    with pytest.raises(LeakError, match=r"1 recording is in both train \(2 items\) and test \(1 item\)"):
        prepare(make_recipe(values))
    values["protocol"]["by"] = "item"
    values["protocol"]["allow"] = ["script", "speaker"]
    for fold in range(3):
        values["protocol"]["fold"] = fold
        data = prepare(make_recipe(values))
        part = data.split_table.set_index("id")["part"]
        assert part["i0"] == part["i3"] == part["i6"]


def test_a_run_of_one_modality_keeps_its_hashes_to_the_bit(values):
    several = gather(make_recipe(values), quiet=True).items.set_index("id")["audio_sha"]
    alone = {key: each for key, each in values.items() if key != "modalities"} | {
        "features": {**SOUND, "max_bad_share": 1}
    }
    items = gather(make_recipe(alone), quiet=True).items
    heard = [f"i{number}" for number in range(9) if number != 3]
    assert items["id"].tolist() == heard
    assert items["audio_sha"].tolist() == [several[item].split()[0] for item in heard]


OTHERS = [("i0", "f" * 64), ("i0", "{0} " + "f" * 64), ("i0", None), ("i9", "f" * 64)]


def test_a_run_goes_on_that_kept_the_hash_of_one_medium_of_an_item_and_with_no_other(values, tmp_path, broken_off):
    values["protocol"]["allow"] = ["script", "audio"]
    recipe, file = make_recipe(values), tmp_path / "run" / "split.parquet"
    broken_off(recipe, tmp_path / "run", 1)
    split = pd.read_parquet(file)
    hashes = [[] if item == "i9" else str(told).split() for item, told in zip(split["id"], split["audio_sha"])]
    split["audio_sha"] = [own[0] if own else None for own in hashes]  # as runs were begun
    for item, told in OTHERS:
        row = split["id"].tolist().index(item)
        other = split["audio_sha"].tolist()
        other[row] = told and told.format(*hashes[row])
        split.assign(audio_sha=other).to_parquet(file)
        with pytest.raises(InputError, match="recordings, or which of them can be read, have changed since"):
            train(recipe, tmp_path / "run", resume=True, quiet=True)
    split.to_parquet(file)
    assert train(recipe, tmp_path / "run", resume=True, quiet=True).metrics
