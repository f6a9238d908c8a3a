"""The truth that a synthetic corpus claims, found again in its sound, its votes and its faults."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectspace.corpora import open_corpus
from affectspace.corpora.check import check
from affectspace.corpora.planted import FAULTS
from affectspace.corpora.raters import EMOTION_CENTRES, Rater
from affectspace.corpora.speakers import LANGUAGES, make_sentences
from affectspace.corpora.synthetic import make_synthetic, make_synthetic_world
from affectspace.errors import InputError

SMALL = {"speakers": 2, "items_per_speaker": 8}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two corpora with all that can be measured of each item."""
    truths = make_synthetic_world(tmp_path_factory.mktemp("world"), ("alva", "boro"), speakers=6, wrong_labels=14)
    return {
        name: (truth, pd.DataFrame([measure(truth.root / "audio" / f"{key}.flac") for key in truth.items["id"]]))
        for name, truth in truths.items()
    }


def measure(path: Path) -> dict[str, float]:
    """Level in dB, length in seconds, median pitch in octaves, and mean and spread of a coarse log spectrum."""
    samples, rate = soundfile.read(path)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::320] * np.hanning(640)
    power = np.abs(np.fft.rfft(frames, 1024)) ** 2
    edges = np.r_[4:64:8, 64:512:32]
    bands = np.log(np.add.reduceat(power, edges, axis=1) + 1e-9)
    # Pitch below 900 Hz, corrected for the window, so that no formant passes for it.
    low = np.where(np.arange(513) * rate / 1024 < 900, power, 0)
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(640), 2048)) ** 2)[:230]
    correlation = np.fft.irfft(low)[:, :230] / np.maximum(window, 1e-9)
    correlation = correlation[power.sum(1) > 0.1 * power.sum(1).max(), 40:] / correlation[:, :1].max()
    pitch = np.log2(rate / (40 + correlation.argmax(1)))
    found = {"level": 10 * np.log10(np.mean(samples**2)), "seconds": len(samples) / rate, "pitch": np.median(pitch)}
    found |= {f"mean{k}": value for k, value in enumerate(bands.mean(0))}
    return found | {f"spread{k}": value for k, value in enumerate(bands.std(0))}


def within_speaker(values: pd.Series, truth: pd.Series, speaker: pd.Series) -> pd.Series:
    """Correlation of a measure with a truth, for each speaker."""
    return pd.Series({name: values[rows].corr(truth[rows]) for name, rows in speaker.groupby(speaker).groups.items()})


def relative(measured: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    by = measured.groupby(groups)
    return (measured - by.transform("mean")) / by.transform("std")


def classifier():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=1000))


def across_speakers(measured: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """Predictions for every speaker by a classifier that knows the others."""
    predicted = np.empty(len(truth), dtype=object)
    for speaker in truth["speaker"].unique():
        held = (truth["speaker"] == speaker).to_numpy()
        predicted[held] = classifier().fit(measured[~held], truth["label"][~held]).predict(measured[held])
    return predicted


def uar(truth, predicted) -> float:
    return float(recall_score(truth, predicted, average="macro"))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# what is heard


@pytest.mark.parametrize(("measure_", "sign"), [("level", 1), ("pitch", 1), ("seconds", -1)])
def test_activation_is_heard_within_every_speaker(world, measure_, sign):
    for truth, measured in world.values():
        correlations = sign * within_speaker(measured[measure_], truth.items["activation"], truth.items["speaker"])
        assert correlations.min() > 0.25, correlations
        assert correlations.mean() > 0.5, correlations


@pytest.mark.parametrize("cue", ["level", "pitch"])
def test_speakers_differ_by_more_than_their_feelings_do(world, cue):
    for truth, measured in world.values():
        of_speakers = measured[cue].groupby(truth.items["speaker"]).mean().std()
        of_feelings = measured.groupby(truth.items["emotion"])[cue].mean().std()
        assert of_speakers > of_feelings


def test_emotions_are_recognised_across_speakers_and_less_so_across_languages(world):
    (alva, heard_alva), (boro, heard_boro) = world.values()
    within, relatively, across = [], [], []
    for (truth, measured), (other, heard) in [
        ((alva, heard_alva), (boro, heard_boro)),
        ((boro, heard_boro), (alva, heard_alva)),
    ]:
        meant, speaker = truth.items["emotion"], truth.items["speaker"]
        within.append(uar(meant, across_speakers(measured, truth.items)))
        relatively.append(uar(meant, across_speakers(relative(measured, speaker), truth.items)))
        across.append(uar(meant, classifier().fit(heard, other.items["label"]).predict(measured)))
    assert min(across) > 0.32  # 0.25 is chance
    assert np.mean(within) > np.mean(across) + 0.02
    assert np.mean(relatively) > np.mean(within) + 0.08  # what is relative to the speaker tells more


def test_planted_wrong_labels_are_found_by_their_distance_from_their_class(world):
    hits = 0
    for truth, measured in world.values():
        points = relative(measured, truth.items["speaker"]).to_numpy()
        own = truth.items["label"].to_numpy()
        centroids = {label: points[own == label].mean(0) for label in EMOTION_CENTRES}
        distance = {label: np.linalg.norm(points - centre, axis=1) for label, centre in centroids.items()}
        doubt = [
            distance[label][row] - min(d[row] for other, d in distance.items() if other != label)
            for row, label in enumerate(own)
        ]
        hits += truth.items["wrong_label"].to_numpy()[np.argsort(doubt)[-14:]].sum()
    assert hits >= 10  # of 28; 2.7 are expected of a blind guess


def test_recordings_are_speech_like(world):
    for truth, measured in world.values():
        assert measured["seconds"].between(0.7, 2.6).all()
        assert measured["level"].between(-55, -8).all()
        for key in truth.items["id"].head(5):
            samples, rate = soundfile.read(truth.root / "audio" / f"{key}.flac")
            assert rate == 16000
            assert samples.ndim == 1
            assert np.abs(samples).max() < 0.99


# what is written


def test_the_tables_read_back_as_a_corpus(tmp_path):
    truth = make_synthetic(tmp_path / "a", "boro", name="mine", wrong_labels=3, **SMALL)
    corpus = open_corpus(tmp_path / "a")
    assert corpus.name == "mine"
    assert corpus.items["id"].tolist() == truth.items["id"].tolist()
    assert set(corpus.items["language"]) == {"qab"}
    assert corpus.items["label"].map(corpus.card.label_map).tolist() == truth.items["label"].tolist()
    assert len(corpus.ratings) == 16 * 5 * 3
    assert set(corpus.ratings["dimension"]) == {"valence", "activation", "emotion"}
    assert corpus.card.scales["valence"].high == 5
    kept = pd.read_csv(truth.root / "truth.csv")
    assert kept["wrong_label"].sum() == 3
    assert (kept["label"] != kept["emotion"]).equals(kept["wrong_label"])


def test_sentences_do_not_give_emotions_away(tmp_path):
    truth = make_synthetic(tmp_path / "a", speakers=1)
    script = open_corpus(truth.root).items["script"]
    assert (pd.crosstab(script, truth.items["emotion"]) == 1).all(axis=None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_sentences_of_its_own(language):
    texts = [sentence.text for sentence in make_sentences(LANGUAGES[language], 20)]
    assert len(set(texts)) == 20
    assert texts[:6] == [sentence.text for sentence in make_sentences(LANGUAGES[language], 6)]
    others = [other for name, other in LANGUAGES.items() if name != language]
    assert not set(texts) & {sentence.text for other in others for sentence in make_sentences(other, 20)}


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    for name in "ab":
        make_synthetic(tmp_path / name, faults="all", wrong_labels=2, **SMALL)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_another_seed_shares_no_recording(tmp_path):
    one, two = (make_synthetic(tmp_path / str(seed), seed=seed, **SMALL) for seed in (0, 1))
    assert not set(digests(one.root / "audio").values()) & set(digests(two.root / "audio").values())


def test_a_smaller_corpus_is_a_part_of_a_larger_one(tmp_path):
    small = make_synthetic(tmp_path / "small", speakers=1, items_per_speaker=4, raters=2, careless=0)
    large = make_synthetic(tmp_path / "large", speakers=2, items_per_speaker=6, raters=3, careless=0)
    audio = [digests(truth.root / "audio") for truth in (small, large)]
    assert audio[0].items() <= audio[1].items()
    votes = [set(map(tuple, pd.read_csv(truth.root / "ratings.csv").astype(str).values)) for truth in (small, large)]
    assert votes[0] <= votes[1]


def test_another_name_is_another_corpus_of_the_language(tmp_path):
    one, two = (make_synthetic(tmp_path / name, name=name, **SMALL) for name in ("one", "two"))
    assert not set(digests(one.root / "audio").values()) & set(digests(two.root / "audio").values())
    texts = [set(open_corpus(truth.root).items["text"]) for truth in (one, two)]
    assert texts[0] == texts[1]


# who judges


def alpha(values: np.ndarray) -> float:
    """Krippendorff's alpha with interval distances and no gaps, by its definition over all pairs; (items, raters)."""
    within = np.mean([np.mean((row[:, None] - row[None]) ** 2) * len(row) / (len(row) - 1) for row in values])
    pooled = values.ravel()
    return float(1 - within / (np.mean((pooled[:, None] - pooled[None]) ** 2) * len(pooled) / (len(pooled) - 1)))


def votes(raters: list[Rater], points: np.ndarray) -> np.ndarray:
    streams = [np.random.default_rng([k, 7]) for k in range(len(raters))]
    return np.array(
        [[rater.judge(*point, stream).valence for rater, stream in zip(raters, streams)] for point in points]
    )


@pytest.fixture
def points():
    generator = np.random.default_rng(0)
    return np.array(list(EMOTION_CENTRES.values()))[generator.integers(0, 4, 150)] + generator.normal(0, 0.4, (150, 2))


def test_agreement_falls_with_the_noise_and_with_every_careless_rater(points):
    noisy = [alpha(votes([Rater(f"r{k}", noise=noise) for k in range(5)], points)) for noise in (0, 0.4, 0.8, 1.6)]
    assert noisy[0] == 1
    assert noisy == sorted(noisy, reverse=True)
    careless = [alpha(votes([Rater(f"r{k}", careless=k < n) for k in range(5)], points)) for n in range(5)]
    assert careless == sorted(careless, reverse=True)
    assert careless[-1] < 0.1


def test_many_votes_give_back_the_truth_plus_the_bias():
    stream = np.random.default_rng(0)
    judged = [Rater("r", bias_valence=0.4, noise=0.7).judge(2.6, 3.3, stream) for _ in range(4000)]
    assert np.mean([vote.valence for vote in judged]) == pytest.approx(3.0, abs=0.05)
    assert np.mean([vote.activation for vote in judged]) == pytest.approx(3.3, abs=0.05)


def test_an_item_between_two_emotions_divides_the_raters():
    angry, happy = (np.array(EMOTION_CENTRES[name]) for name in ("angry", "happy"))
    stream = np.random.default_rng(0)
    judged = [Rater("r").judge(*((angry + happy) / 2), stream).emotion for _ in range(2000)]
    shares = pd.Series(judged).value_counts(normalize=True)
    assert shares["angry"] == pytest.approx(shares["happy"], abs=0.06)
    assert shares["angry"] > 0.3


def test_a_rater_far_off_still_votes():
    assert Rater("r", bias_valence=1e4).judge(3, 3, np.random.default_rng(0)).valence == 5


# what is wrong


@pytest.mark.parametrize("kind", ["none", "media", "all"])
@pytest.mark.parametrize("seed", [0, 1])
def test_check_finds_every_planted_fault_and_accuses_nothing_else(tmp_path, kind, seed):
    truth = make_synthetic(tmp_path / "a", "cirin", faults=kind, wrong_labels=1, seed=seed, **SMALL)
    planted = {
        (FAULTS[fault.fault].problem, int(fault.fault_row), fault.id)  # pyright: ignore
        for fault in truth.faults.itertuples()
    }
    assert len(planted) == {"none": 0, "media": 7, "all": len(FAULTS)}[kind]
    assert {(fault.problem, fault.row, fault.item) for fault in check(open_corpus(truth.root))} == planted
    assert not truth.faults["wrong_label"].any()


def test_without_raters_there_is_no_vote_to_be_off_the_scale(tmp_path):
    truth = make_synthetic(tmp_path / "a", raters=0, careless=0, faults="all", **SMALL)
    assert len(truth.faults) == len(FAULTS) - 1


def test_identical_recordings_are_of_one_speaker_and_one_emotion(tmp_path):
    truth = make_synthetic(tmp_path / "a", faults="media", speakers=2)
    (copy,) = truth.items.loc[truth.items["fault"] == "identical-audio", "id"]
    sounds = digests(truth.root / "audio")
    pair = [Path(name).stem for name, sound in sounds.items() if sound == sounds[f"{copy}.flac"]]
    assert len(pair) == 2
    assert (truth.items.set_index("id").loc[pair, ["speaker", "emotion"]].nunique() == 1).all()


def test_planting_faults_leaves_the_other_recordings_as_they_were(tmp_path):
    whole, faulty = (make_synthetic(tmp_path / kind, faults=kind, **SMALL) for kind in ("none", "all"))
    changed = {row.id for row in faulty.faults.itertuples() if row.fault not in {"off-scale", "bad-times"}}
    before, after = digests(whole.root / "audio"), digests(faulty.root / "audio")
    same = {Path(name).stem for name in before if before[name] == after.get(name)}
    duplicate = set(faulty.items.loc[faulty.items["fault"] == "duplicate-id", "id"])
    assert same == set(whole.items["id"]) - changed | duplicate


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "latin"}, "language 'latin' is unknown; the invented languages are alva, boro, cirin"),
        ({"faults": "some"}, "faults is 'some'; legal are 'none', 'media' and 'all'"),
        ({"speakers": 0}, "speakers is 0; legal are 1 to 99"),
        ({"careless": 6}, "careless is 6; legal are 0 to 5"),
        ({"rater_noise": float("nan")}, "rater_noise is nan; legal are 0 to inf"),
        ({"speakers": 1, "items_per_speaker": 4, "wrong_labels": 5}, "wrong_labels is 5; legal are 0 to 4"),
        ({"speakers": 1, "items_per_speaker": 8, "faults": "all"}, "faults='all' needs 12 items, there are 8"),
    ],
)
def test_errors_say_value_and_remedy(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        make_synthetic(tmp_path / "a", **settings)
    assert not (tmp_path / "a").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not an empty folder; give a new one"):
        make_synthetic(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
