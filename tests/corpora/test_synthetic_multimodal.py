"""A corpus of three modalities: each of them tells the emotion, each is missing as planned, the truth is known."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import check, make_synthetic_multimodal, open_corpus
from affectspace.corpora.appearances import expression_of, make_look, show
from affectspace.corpora.raters import EMOTION_CENTRES
from affectspace.corpora.speakers import LANGUAGES
from affectspace.corpora.synthetic_multimodal import MODALITIES, plan_missing
from affectspace.corpora.vocabulary import make_vocabulary
from affectspace.errors import InputError
from affectspace.media import audio_info, read_frames, video_info

pytest.importorskip("av")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    return make_synthetic_multimodal(tmp_path_factory.mktemp("world") / "trio", items=36, speakers=4)


def test_it_is_read_and_has_no_fault(trio):
    corpus = open_corpus(trio.root)
    assert check(corpus) == []
    assert corpus.name == trio.name == "trio"
    assert corpus.items["label"].tolist() == trio.items["emotion"].tolist()
    assert corpus.items["session"].nunique() == 2
    assert len(corpus.ratings) == 36 * 5 * 3
    means = corpus.ratings.query("dimension == 'valence'").astype({"value": float}).groupby("item")["value"].mean()
    assert trio.items.set_index("id")["valence"].corr(means) > 0.9
    assert pd.read_csv(trio.root / "truth.csv")["id"].tolist() == corpus.items["id"].tolist()


def test_what_is_missing_is_what_the_truth_tells(trio):
    items = open_corpus(trio.root).items
    lacking = [[name for name in MODALITIES if pd.isna(row[name])] for row in items.to_dict("records")]
    assert [" ".join(names) for names in lacking] == trio.items["missing"].tolist()
    assert items[list(MODALITIES)].isna().sum().tolist() == [12, 12, 12]
    assert items[list(MODALITIES)].notna().sum(axis=1).value_counts().to_dict() == {1: 12, 2: 12, 3: 12}
    on_disk = [path for part in ("audio", "video") for path in (trio.root / part).iterdir()]
    assert {path.relative_to(trio.root).as_posix() for path in on_disk} == set(
        items[["audio", "video"]].stack().dropna()
    )
    assert items["text"].dropna().tolist() == trio.items["said"][items["text"].notna()].tolist()


def test_sound_and_video_of_an_item_are_of_one_length(trio):
    both = open_corpus(trio.root).items.dropna(subset=["audio", "video"])
    assert len(both) > 5
    for audio, video in zip(both["audio"], both["video"]):
        shown, heard = video_info(trio.root / video), audio_info(trio.root / audio)
        assert 0 <= shown.seconds - heard.seconds < 0.17
        assert (shown.width, shown.height) == (80, 80)
        assert 0.7 < heard.seconds < 3
        assert (trio.root / video).stat().st_size < 12_000


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_synthetic_multimodal(tmp_path / name, items=3, speakers=1, missing=0, seed=seed)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert {path.name for path in a if a[path] == c[path]} == {"words.npz"}


def test_words_tell_the_emotion_and_their_vectors_do(trio):
    table = np.load(trio.root / "words.npz")
    vectors = dict(zip(table["words"].tolist(), table["vectors"]))
    assert len(vectors) == 48
    assert table["vectors"].dtype == np.float32
    vocabulary = make_vocabulary(LANGUAGES["alva"])
    middles = {
        emotion: np.mean([vectors["".join("".join(s) for s in word)] for word in vocabulary.words[emotion]], axis=0)
        for emotion in EMOTION_CENTRES
    }
    generator = np.random.default_rng(0)
    right = []
    for emotion in list(EMOTION_CENTRES) * 40:
        said = np.sum([vectors[word] for word in vocabulary.sentence(emotion, generator).text.split()], axis=0)
        right.append(max(middles, key=lambda name: said @ middles[name]) == emotion)
    assert 0.65 < np.mean(right) < 0.98  # other words are noise, and some words carry another feeling
    assert set(" ".join(trio.items["said"]).split()) <= vectors.keys()


def test_faces_tell_the_emotion_of_people_who_were_not_seen():
    """The nearest mean of others' pictures, each relative to the mean of its person."""
    random, pictures, names = np.random.default_rng(0), [], []
    for person in range(6):
        look, pose = make_look(np.random.default_rng(person))
        own = []
        for emotion in list(EMOTION_CENTRES) * 2:
            (pixels,) = show(look, pose, *EMOTION_CENTRES[emotion], np.array([0.5]), random, side=32)
            own.append(pixels.astype(float).mean(axis=2))
            names.append(emotion)
        pictures.append(np.array(own) - np.mean(own, axis=0))
    groups, names = np.repeat(np.arange(6), 8), np.array(names)
    pictures = np.concatenate(pictures).reshape(48, -1)
    right = []
    for at in range(48):
        others = groups != groups[at]
        middles = {name: pictures[others & (names == name)].mean(axis=0) for name in EMOTION_CENTRES}
        right.append(min(middles, key=lambda name: np.square(pictures[at] - middles[name]).sum()) == names[at])
    assert np.mean(right) > 0.65  # by chance 0.25; the head sways by more than a brow moves


def test_what_a_face_does_follows_the_feeling():
    angry, happy, neutral, sad = (expression_of(*point) for point in EMOTION_CENTRES.values())
    assert happy.smile > 0.8 > 0.1 > abs(neutral.smile) > -0.5 > max(angry.smile, sad.smile)
    assert angry.frown > 0.6 > 0.1 > abs(neutral.frown)
    assert sad.frown < -0.5
    assert angry.eyes > neutral.eyes > sad.eyes
    assert expression_of(4.2, 4.0, strength=0.5).smile < happy.smile
    extremes = [expression_of(v, a, 2) for v in (1, 5) for a in (1, 5)]
    assert all(-1 <= value <= 1 for expression in extremes for value in vars(expression).values())


def test_faces_are_found_in_the_videos(trio):
    pytest.importorskip("skimage")
    from affectspace.features import CascadeFinder

    finder = CascadeFinder()
    frames = [next(read_frames(path)).pixels for path in sorted((trio.root / "video").iterdir())]
    found = [finder(pixels) for pixels in frames]
    assert np.mean([len(faces) == 1 for faces in found]) > 0.95
    assert all(30 < face.width < 75 and abs(face.left + face.width / 2 - 40) < 12 for faces in found for face in faces)


@pytest.mark.parametrize("missing", [0, 0.2, 1 / 3, 0.5])
def test_the_plan_is_even_in_all_and_in_each_group(missing):
    groups = pd.Series(list("abcd") * 90)
    plan = plan_missing(groups, missing, seed=1)
    assert all(len(lacking) < 3 for lacking in plan)
    for part in (range(360), *(np.flatnonzero(groups == name) for name in "abcd")):
        lacking = pd.DataFrame([{name: name in plan[at] for name in MODALITIES} for at in part])
        assert lacking.mean().tolist() == pytest.approx([missing] * 3, abs=0.025)
        assert (lacking.sum(axis=1) == 0).mean() == pytest.approx(1 - 2 * missing, abs=0.025)
    assert plan != plan_missing(groups, missing, seed=2) or missing == 0


def test_mistakes(tmp_path, monkeypatch):
    for setting, message in (
        ({"items": 0}, "items is 0; legal are 1 to"),
        ({"missing": 0.6}, "missing is 0.6; legal are 0 to 0.5"),
        ({"speakers": 100}, "speakers is 100; legal are 1 to 99"),
    ):
        with pytest.raises(InputError, match=message):
            make_synthetic_multimodal(tmp_path / "x", **setting)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.txt").touch()
    with pytest.raises(InputError, match="exists and is not an empty folder"):
        make_synthetic_multimodal(tmp_path / "full")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "av" else find(name))
    with pytest.raises(InputError, match=r'pip install "affectspace\[video\]"'):
        make_synthetic_multimodal(tmp_path / "x")
    assert not (tmp_path / "x").exists()
