"""What a model says of loose files, and of which it says nothing."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError, MediaError
from affectspace.features import Functionals
from affectspace.media import write_audio
from affectspace.training import Run, load_model, make_recipe, train
from affectspace.training.frontends import make_frontend
from affectspace.training.predict_files import predict_files
from affectspace.training.prepare import prepare
from affectspace.training.profile import described

RATE = 16000
CLASSES = ["angry", "happy", "neutral", "sad"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two corpora of ten speakers each."""
    root = tmp_path_factory.mktemp("ten")
    make_synthetic_world(root, ("alva", "boro"), speakers=10, items_per_speaker=8)
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory) -> Run:
    """A run on both, whose test speakers are those of neither other part."""
    recipe = make_recipe(
        {
            "name": "ten", "data": str(folder), "corpora": [{"path": "alva"}, {"path": "boro"}],
            "labels": {"kind": "classes", "names": CLASSES},
            "features": {"kind": "log_mel", "bands": 20, "level": -26.0, "normalise": {"scope": "item"}},
            "protocol": {
                "kind": "grouped_folds", "by": "session", "folds": 5, "fold": 0, "validate_share": 0.3,
                "allow": ["script"],
            },
            "encoder": {"kind": "conv_pool", "channels": 8, "hidden": 8},
            "terms": [{"kind": "cross_entropy"}],
            "training": {"epochs": 4, "batch_size": 16, "learning_rate": 5e-3},
        }
    )  # fmt: skip
    return train(recipe, tmp_path_factory.mktemp("runs") / "ten", quiet=True)


def files_of(run: Run, folder, part: str) -> pd.Series:
    """Path by key of the items of a part."""
    tables = [pd.read_csv(folder / name / "items.csv").assign(corpus=name) for name in ("alva", "boro")]
    items = pd.concat(tables)
    paths = pd.Series(
        [str(folder / corpus / audio) for corpus, audio in zip(items["corpus"], items["audio"])],
        index=items["corpus"] + "/" + items["id"],
    )
    return paths[run.split.query("part == @part")["key"]]


def sound(path, samples) -> str:
    write_audio(path, np.clip(samples, -1, 1).astype(np.float32), RATE)
    return str(path)


def odd(root) -> dict[str, str]:
    """What is no voice: noises, tones, and next to nothing."""
    generator, time = np.random.default_rng(0), np.arange(2 * RATE) / RATE
    melody = [np.sin(2 * np.pi * hertz * time[:4000]) * np.exp(-4 * time[:4000]) for hertz in (262, 330, 392, 523) * 2]
    made = {
        "white": generator.normal(0, 0.1, 2 * RATE),
        "brown": np.cumsum(generator.normal(0, 0.001, 2 * RATE)),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time),
        "chord": sum(0.1 * np.sin(2 * np.pi * hertz * time) for hertz in (262, 330, 392)),
        "melody": 0.3 * np.concatenate(melody),
        "hiss": generator.normal(0, 1e-4, 2 * RATE),
    }
    return {name: sound(root / f"{name}.flac", samples) for name, samples in made.items()}


def test_files_are_answered_as_the_run_has_answered_for_them(run, folder):
    paths = files_of(run, folder, "test")
    found = predict_files(run.path, paths)
    saved = run.predictions.set_index("item").loc[paths.index]
    assert [answer.file for answer in found.answers] == paths.tolist()
    shares = np.stack([answer.probabilities for answer in found.answers])
    assert np.allclose(shares, np.stack(saved["probabilities"].tolist()), atol=1e-5)
    assert (found.unread, found.notes) == ((), ())
    known = found.known
    embeddings = np.stack(saved["embedding"].tolist())
    away = np.linalg.norm(embeddings[:, None] - known.embeddings[None].astype(float), axis=2)
    for answer, row in zip(found.answers, away):
        assert [near.id for near in answer.nearest] == [known.ids[place] for place in np.argsort(row)[:5]]
        assert [near.distance for near in answer.nearest] == pytest.approx(np.sort(row)[:5].tolist(), abs=1e-4)
        assert {near.language for near in answer.nearest} <= {"qaa", "qab"}
        assert {near.label for near in answer.nearest} <= {*CLASSES, None}


SOUNDS = {
    "spectrum": {
        "features": {"kind": "log_mel", "bands": 20, "level": -26.0, "normalise": {"scope": "corpus"}},
        "net": {
            "kind": "sequence", "frames": 60, "latent": 4, "heads": 2, "blocks": 1, "convolutions": [[4, 4, 0, 4]],
        },
    },
    "voice": {
        "features": {"kind": "functionals", "set": "eGeMAPSv02", "normalise": {"scope": "corpus"}},
        "net": {"kind": "linear", "hidden": [8], "latent": 4},
    },
}  # fmt: skip


def of_two_sounds(world, **modalities) -> dict:
    """Values of a recipe that reads recordings in two ways, trains on one language and is tested on another."""
    return {
        "name": "two", "data": str(world), "corpora": [{"path": "alva"}, {"path": "boro"}],
        "labels": {"kind": "classes", "names": CLASSES}, "modalities": {**SOUNDS, **modalities},
        "protocol": {
            "kind": "cross_language", "target": "qab", "validate_by": "session", "validate_share": 0.3,
            "allow": ["script"],
        },
        "encoder": {"kind": "multimodal", "hidden": [8]},
        "terms": [{"kind": "cross_entropy"}],
        "training": {"epochs": 2, "batch_size": 16, "learning_rate": 5e-3},
    }  # fmt: skip


@pytest.fixture(scope="module")
def two(world, tmp_path_factory) -> Run:
    pytest.importorskip("opensmile")
    return train(make_recipe(of_two_sounds(world)), tmp_path_factory.mktemp("runs") / "two", quiet=True)


def test_recordings_that_are_read_in_several_ways_are_answered_by_all_of_them(two, world):
    paths = files_of(two, world, "test")
    found = predict_files(two.path, paths)
    saved = two.predictions.set_index("item").loc[paths.index]
    shares = np.stack([answer.probabilities for answer in found.answers])
    assert len(shares) == len(paths) > 20
    assert np.allclose(shares, np.stack(saved["probabilities"].tolist()), atol=1e-5)
    # what is far is asked of both kinds of features, side by side
    known, data = found.known, prepare(two_recipe := make_recipe(of_two_sounds(world)))
    frontends = {name: make_frontend(view) for name, view in two_recipe.per_modality().items()}
    rows = data.items.set_index("key").index.get_indexer(list(known.ids))
    joined = [
        np.concatenate([described(data.inputs[name].clips[row], frontends[name]) for name in ("spectrum", "voice")])
        for row in rows.tolist()
    ]
    assert np.shape(joined) == (len(known), 2 * 20 + 88)
    assert np.array_equal(known.profiles, known.profile(np.stack(joined)).astype(np.float16))
    for answer, embedding in zip(found.answers, saved["embedding"]):
        away = np.linalg.norm(known.embeddings.astype(float) - embedding, axis=1)
        assert [near.id for near in answer.nearest] == [known.ids[place] for place in np.argsort(away)[:5]]
        assert answer.distances["embedding"] == pytest.approx(np.sort(away)[known.far.k - 1], abs=1e-4)
    card = (two.path / "model/README.md").read_text()
    assert f"It keeps all {len(known)} labelled training items that have every modality" in card


def test_what_is_no_voice_is_far_from_recordings_read_in_several_ways(two, tmp_path):
    noises = odd(tmp_path)
    told = {answer.file: answer.beyond for answer in predict_files(two.path, [*noises.values()]).answers}
    assert [name for name, path in noises.items() if not told[path]] == []


def test_a_recording_that_cannot_be_read_in_one_of_the_ways_is_left_out(two, world, monkeypatch):
    good, bad = files_of(two, world, "test").iloc[:2]
    whole = Functionals.read

    def read(self, path, start=None, end=None):
        if path == bad:
            raise MediaError("there is no voice in it")
        return whole(self, path, start, end)

    monkeypatch.setattr(Functionals, "read", read)
    found = predict_files(two.path, [good, bad])
    assert [answer.file for answer in found.answers] == [good]
    assert [(each.file, each.reason) for each in found.unread] == [(bad, "voice: there is no voice in it")]


def test_items_that_lack_a_modality_are_no_measure_of_a_recording(world, tmp_path, monkeypatch):
    pytest.importorskip("opensmile")
    whole, lacking = Functionals.read, []

    def read(self, path, start=None, end=None):
        if "alva" in str(path) and path[-7:-5] == "00":
            lacking.append(path)
            raise MediaError("there is no voice in it")
        return whole(self, path, start, end)

    monkeypatch.setattr(Functionals, "read", read)
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))  # what is at fault here is not at fault elsewhere
    voice = {**SOUNDS["voice"], "features": {**SOUNDS["voice"]["features"], "max_bad_share": 0.5}}
    run = train(make_recipe(of_two_sounds(world, voice=voice)), tmp_path / "run", quiet=True)
    known = predict_files(run.path, files_of(run, world, "test").iloc[:1]).known
    trained = set(run.split.query("part == 'train'")["key"])
    assert lacking
    assert set(known.ids) == {key for key in trained if not key.endswith("-00")} != trained
    assert known.trained_on == len(known)


def test_only_a_model_that_is_made_of_sound_alone_is_asked_about_a_recording(two, world, tmp_path):
    shutil.copytree(two.path / "model", tmp_path / "other")
    config = tmp_path / "other/config.json"
    values = json.loads(config.read_text())
    values["recipe"]["modalities"]["voice"]["features"] = {"kind": "vectors", "path": "v.npz"}
    config.write_text(json.dumps(values))
    with pytest.raises(
        InputError, match=r"this model reads the modality 'voice', made of precomputed vectors, which a"
    ):
        predict_files(tmp_path / "other", ["a.wav"])


def test_a_file_is_normalised_as_tested_items_of_a_language_never_heard_were(two, world):
    """Of both corpora nobody knows whose a loose file is; of that which was tested the run did not either."""
    (note,) = predict_files(two.path, files_of(two, world, "test").iloc[:1]).notes
    assert note == (
        "Training gave each item the mean and scale of its corpus. A loose file is of none that is known, so it is "
        "given those of all training items, as each tested item was, whose corpus did not train: the run's scores are "
        "of answers like these."
    )


def test_a_training_item_finds_itself(run, folder):
    paths = files_of(run, folder, "train").iloc[:6]
    for key, answer in zip(paths.index, predict_files(run.path, paths).answers):
        assert answer.nearest[0].id == key
        assert answer.nearest[0].distance < 0.01 * answer.nearest[-1].distance + 0.01


def test_voices_are_inside_and_what_is_no_voice_is_far(run, folder, tmp_path):
    strangers = predict_files(run.path, files_of(run, folder, "test")).answers
    assert np.mean([bool(answer.beyond) for answer in strangers]) < 0.1  # 40 items, of speakers that nobody has heard
    noises = odd(tmp_path)
    told = {answer.file: answer.beyond for answer in predict_files(run.path, [*noises.values()]).answers}
    assert [name for name, path in noises.items() if not told[path]] == []


def test_a_model_folder_alone_is_enough_wherever_it_lies(run, folder, tmp_path):
    paths = files_of(run, folder, "test").iloc[:2].tolist()
    shutil.copytree(run.path / "model", tmp_path / "lone")
    one, other = predict_files(run.path, paths), predict_files(tmp_path / "lone", paths)
    for before, after in zip(one.answers, other.answers):
        assert np.array_equal(before.probabilities, after.probabilities)
        assert (before.nearest, before.distances) == (after.nearest, after.distances)


def test_a_model_that_keeps_no_items_still_answers(run, folder, tmp_path):
    shutil.copytree(run.path, tmp_path / "old")
    (tmp_path / "old/model/known.safetensors").unlink()
    paths = files_of(run, folder, "test").iloc[:1].tolist()
    now, before = predict_files(run.path, paths).answers[0], predict_files(tmp_path / "old", paths)
    (answer,) = before.answers
    assert np.array_equal(answer.probabilities, now.probabilities)
    assert (answer.nearest, answer.distances, answer.beyond) == ((), {}, None)
    assert "This model keeps no training items" in before.notes[0]
    assert Run(tmp_path / "old").metrics == run.metrics  # and its run is as good as any


def test_what_cannot_be_used_is_told_and_the_others_are_answered(run, folder, tmp_path):
    good = files_of(run, folder, "test").iloc[0]
    generator = np.random.default_rng(0)
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "picture.png")
    for name, seconds in (("short", 0.29), ("long", 60.1)):
        sound(tmp_path / f"{name}.flac", generator.normal(0, 0.1, int(seconds * RATE)))
    sound(tmp_path / "silent.flac", np.zeros(RATE))
    told = {
        "notes.txt": "is not audio that can be read",
        "empty.wav": "is an empty file of 0 bytes",
        "folder": "is a folder, and each file is named by itself here",
        "picture.png": "is not audio that can be read",
        "short.flac": "is 0.29 s long, too short to hear an expression in; legal: 0.3 to 60 s, so give the whole",
        "long.flac": "is 60.1 s long, and an answer is for one utterance; legal: 0.3 to 60 s, so cut it into its",
        "silent.flac": "is silent: all its samples are 0; record or cut it anew, or leave it out",
        "gone.flac": "there is nothing at",
    }
    bad = [tmp_path / name for name in told]
    found = predict_files(run.path, [*bad[:3], good, *bad[3:]])
    assert [answer.file for answer in found.answers] == [good]
    assert [each.file for each in found.unread] == [str(path) for path in bad]
    for each, words in zip(found.unread, told.values()):
        assert words in each.reason
        assert each.file in each.told
        assert "item" not in each.told.replace(each.file, "")  # which is a word for what a corpus has
    with pytest.raises(InputError, match=r"none of the 8 files can be used; the first: .*notes\.txt is not audio"):
        predict_files(run.path, bad)
    with pytest.raises(InputError, match=r"^there is nothing at .*gone\.flac; check the path$"):
        predict_files(run.path, bad[-1:])
    with pytest.raises(InputError, match="no file was named"):
        predict_files(run.path, [])


def test_each_of_the_files_that_are_named_has_its_answer_in_its_place(run, folder, tmp_path):
    """Whoever puts files and answers side by side finds them so, one that is named twice among them."""
    one, other = files_of(run, folder, "test").iloc[:2]
    gone = str(tmp_path / "gone.flac")
    named = [one, gone, other, one, gone, one]
    found = predict_files(run.path, named)
    assert [answer.file for answer in found.answers] == [one, other, one, one]
    assert found.answers[0] is found.answers[2] is found.answers[3]  # asked once
    assert [each.file for each in found.unread] == [gone, gone]


def test_files_at_both_ends_of_what_is_legal_are_answered(run, tmp_path):
    generator = np.random.default_rng(0)
    ends = [sound(tmp_path / f"{n}.flac", generator.normal(0, 0.1, n)) for n in (int(0.3 * RATE), 60 * RATE)]
    assert len(predict_files(run.path, ends).answers) == 2


@pytest.mark.parametrize("scope", ["speaker", "corpus"])
def test_a_file_of_no_known_group_is_given_the_statistics_of_all(tiny, world, tmp_path, scope):
    done = train(tiny(features={"normalise": {"scope": scope}}), tmp_path / "run", quiet=True)
    path = world / pd.read_csv(world / "alva/items.csv")["audio"][0]
    path = world / "alva" / path.relative_to(world)
    found = predict_files(done.path, [path])
    model = load_model(done.path)
    pooled = model.normaliser.pooled
    clip = (model.frontend(path) - pooled.mean) / pooled.scale
    plain = make_recipe({**model.recipe.model_dump(), "features": {"kind": "log_mel", "bands": 20}})
    bare = type(model)(model.encoder, model.classes, plain, {"features": type(model.normaliser)("none")})
    assert np.allclose(found.answers[0].probabilities, bare([clip])[1][0], atol=1e-6)
    assert found.notes[0].startswith(f"Training gave each item the mean and scale of its {scope}. A loose file is of ")


def test_levels_are_told_as_their_expected_one_and_numbers_as_numbers(tiny, folder, tmp_path):
    """Thresholds make levels of numbers, names make levels without any."""
    cut = {"kind": "levels", "dimension": "activation", "names": ["low", "middle", "high"], "thresholds": [2.5, 3.5]}
    named = {"kind": "levels", "dimension": "emotion", "names": ["sad", "neutral", "happy", "angry"]}
    data = {"data": str(folder), "training": {"epochs": 1}}
    path = folder / "alva" / pd.read_csv(folder / "alva/items.csv")["audio"][0]
    for labels, numbered in ((cut, True), (named, False)):
        done = train(tiny(labels=labels, **data), tmp_path / labels["dimension"], quiet=True)
        (answer,) = predict_files(done.path, [path]).answers
        shares = answer.probabilities.tolist()
        assert answer.level == pytest.approx(sum(place * share for place, share in enumerate(shares, 1)))
        if numbered:
            means = load_model(done.path).cut.means
            assert answer.value == pytest.approx(sum(share * mean for share, mean in zip(shares, means)))
        else:
            assert answer.value is None


def test_pictures_are_answered_by_a_model_that_reads_them(tmp_path):
    generator = np.random.default_rng(0)
    (tmp_path / "mine").mkdir()
    rows = []
    for place in range(40):
        dark = place % 2
        pixels = generator.integers(0, 90, (16, 16)) + (0 if dark else 150)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"mine/{place:02d}.png")
        rows.append((f"{place:02d}", f"{place:02d}.png", f"s{place // 4}", "sad" if dark else "happy"))
    pd.DataFrame(rows, columns=["id", "image", "speaker", "label"]).to_csv(tmp_path / "mine/items.csv", index=False)
    recipe = make_recipe(
        {
            "name": "shades", "data": str(tmp_path), "corpora": [{"path": "mine"}],
            "labels": {"kind": "classes", "names": ["happy", "sad"]}, "features": {"kind": "faces", "side": 16},
            "encoder": {"kind": "image", "net": "quick_resnet18", "width": 0.0625, "dimensions": 8},
            "protocol": {"kind": "grouped_folds", "folds": 5, "fold": 0, "validate_share": 0.4},
            "training": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3},
        }
    )  # fmt: skip
    done = train(recipe, tmp_path / "run", quiet=True)
    stripes = np.tile(np.array([0, 255], np.uint8), (16, 8))
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    found = predict_files(done.path, [tmp_path / "mine/00.png", tmp_path / "stripes.png", tmp_path / "mine/items.csv"])
    face, stripe = found.answers
    assert "features" not in face.beyond
    assert "features" in stripe.beyond
    assert "items.csv" in found.unread[0].reason


def test_models_of_what_no_loose_file_tells_are_refused(numbers, lay_duo, tmp_path):
    vectors = train(numbers(), tmp_path / "vectors", quiet=True)
    duo = train(make_recipe(lay_duo(tmp_path / "duo")), tmp_path / "several", quiet=True)
    with pytest.raises(InputError, match="reads precomputed vectors, so it cannot embed recordings"):
        predict_files(vectors.path, ["a.wav"])
    told = (
        "the modality 'acoustic', made of precomputed vectors and the modality 'lexical', made of precomputed vectors, "
    )
    with pytest.raises(InputError, match=f"this model reads {told}which a loose file does not tell; make a corpus of"):
        predict_files(duo.path, ["a.wav"])
    with pytest.raises(InputError, match="there is no model in"):
        predict_files(tmp_path / "nowhere", ["a.wav"])


def test_little_is_imported_to_answer_for_a_file(run, folder):
    """Half a second of start-up lies in what only training, measuring and drawing need."""
    needless = ["sklearn", "scipy", "faiss", "matplotlib", "openTSNE", "affectspace.losses", "affectspace.corpora"]
    code = (
        "import sys; from affectspace.training.predict_files import predict_files; predict_files(*sys.argv[1:2], "
        f"sys.argv[2:]); print([name for name in {needless} if name in sys.modules])"
    )
    path = files_of(run, folder, "test").iloc[0]
    words = [sys.executable, "-c", code, str(run.path), path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
