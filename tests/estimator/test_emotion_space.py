"""The contract of scikit-learn, its tools around the estimator, and that it is what a recipe trains."""

import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import affectspace
from affectspace import EmotionSpace
from affectspace.errors import DivergedError, InputError
from affectspace.estimator.train_arrays import LOSSES, data_of, recipe_of
from affectspace.losses import DegenerateBatchWarning
from affectspace.protocols import Split
from affectspace.training import train

# What check_estimator does not ask, and why.
SKIPPED = {
    "check_array_api_input": "arrays of other libraries are asked about only where SCIPY_ARRAY_API is set",
}
NAMES = np.array(["angry", "happy", "sad"])


def items(count: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features ``(count, 4)``, labels and speakers: a cluster a class, moved a little by each of six speakers."""
    generator = np.random.default_rng(seed)
    meant, speakers = np.arange(count) % 3, np.arange(count) // 3 % 6
    moved = generator.normal(0, 0.2, (6, 4))[speakers]
    return np.eye(3, 4)[meant] * 3 + moved + generator.normal(0, 0.5, (count, 4)), NAMES[meant], speakers


def quick(*args, **params) -> EmotionSpace:
    return EmotionSpace(*args, **{"hidden": 16, "epochs": 8, "learning_rate": 0.01} | params)


# ---- the contract


def test_the_checks_of_scikit_learn_pass_and_are_counted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the checks do, such as labels as a column
        told = check_estimator(EmotionSpace(epochs=10), on_skip=None, on_fail=None)
    by_status: dict[str, list[str]] = {}
    for check in told:
        by_status.setdefault(check["status"], []).append(check["check_name"])
    assert set(by_status) == {"passed", "skipped"}, [each for each in told if each["status"] == "failed"]
    assert set(by_status["skipped"]) <= set(SKIPPED)
    assert len(by_status["passed"]) >= 55


def test_the_package_and_the_command_line_do_not_load_it():
    code = "import sys, affectspace, affectspace.cli.app; sys.exit('sklearn' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert "EmotionSpace" in dir(affectspace)
    with pytest.raises(AttributeError, match="no attribute 'EmotionSpaces'"):
        _ = affectspace.EmotionSpaces


def test_a_copy_by_pickle_answers_with_the_same_bits():
    X, y, _ = items()
    space = quick().fit(X, y)
    other = pickle.loads(pickle.dumps(space))
    assert (other.predict_proba(X) == space.predict_proba(X)).all()


def test_a_clone_has_the_parameters_and_nothing_learned():
    space = quick("triplet", weight=0.5, loss_params={"margin": 0.3}, classes=("sad", "happy", "angry"))
    X, y, _ = items()
    other = clone(space.fit(X, y))
    assert other.get_params() == space.get_params()
    with pytest.raises(NotFittedError):
        other.predict(X)


# ---- among the tools of scikit-learn


def test_in_a_pipeline_a_scaler_before_it_changes_next_to_nothing():
    X, y, _ = items()
    alone = quick().fit(X, y).predict_proba(X)
    behind = make_pipeline(StandardScaler(), quick()).fit(1000 * X + 7, y).predict_proba(1000 * X + 7)
    assert np.allclose(alone, behind, atol=1e-3)


def test_a_grid_over_losses_and_weights_is_searched():
    X, y, speakers = items()
    grid = {"loss": ["f_similarity", "supervised_contrastive"], "weight": np.array([0.1, 1.0]), "hidden": [np.int64(8)]}
    found = GridSearchCV(quick(), grid, cv=GroupKFold(3), error_score="raise").fit(X, y, groups=speakers)
    assert len(found.cv_results_["params"]) == 4
    assert found.best_score_ > 0.8
    assert found.best_estimator_.transform(X).shape == (90, 8)


def test_speakers_are_left_out_by_groups():
    X, y, speakers = items()
    scores = cross_val_score(quick(), X, y, groups=speakers, cv=GroupKFold(3), scoring="balanced_accuracy")
    answers = cross_val_predict(quick(), X, y, groups=speakers, cv=GroupKFold(3))
    assert scores.shape == (3,)
    assert scores.mean() > 0.8
    assert balanced_accuracy_score(y, answers) == pytest.approx(scores.mean(), abs=0.05)


def test_another_estimator_reads_its_space():
    X, y, _ = items()
    model = make_pipeline(quick("supervised_contrastive"), LogisticRegression()).fit(X, y)
    assert model.score(X, y) > 0.9
    space = quick().set_output(transform="pandas").fit(X, y)
    table = space.transform(X)
    assert list(table.columns[:2]) == ["emotionspace0", "emotionspace1"] == list(space.get_feature_names_out()[:2])
    assert table.shape == (90, 16)
    assert (table.to_numpy() >= 0).all()


def test_columns_by_name_are_asked_for_by_name():
    X, y, _ = items()
    table = pd.DataFrame(X, columns=["pitch", "level", "rate", "jitter"])
    space = quick().fit(table, y)
    assert space.feature_names_in_.tolist() == list(table)
    with pytest.raises(ValueError, match=r"The feature names should match[\s\S]*- tempo"):
        space.predict(table.rename(columns={"rate": "tempo"}))
    with pytest.raises(ValueError, match="X has 3 features, but EmotionSpace is expecting 4 features"):
        space.predict(X[:, :3])


# ---- what it trains


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_labels_that_sort(loss):
    X, y, _ = items()
    levels = np.searchsorted(NAMES, y) + 1  # 1 to 3
    space = quick(loss, epochs=30).fit(X, levels)
    assert space.classes_.tolist() == [1, 2, 3]
    assert space.score(X, levels) > 0.85
    assert len(space.history_) == 30
    assert loss in space.history_[-1]["terms"]


@pytest.mark.parametrize("loss", ["f_similarity", "supervised_contrastive", "cross_entropy"])
def test_the_weights_are_those_that_a_recipe_trains(loss, tmp_path):
    X, y, _ = items()
    space = quick(loss, dropout=0.3, epochs=3, random_state=5).fit(X, y)
    # the same, as a run of the command trains it: the last ten items are tested there
    encoder, settings = {"hidden": 16, "dropout": 0.3}, {"epochs": 3, "learning_rate": 0.01, "batch_size": 32}
    recipe = recipe_of(loss, 1.0, None, NAMES, encoder, settings, 5)
    more = np.concatenate([X, X[:10]])
    normal = ((more - X.mean(0)) / X.std(0)).astype(np.float32)
    data = data_of(normal, np.eye(3)[np.searchsorted(NAMES, [*y, *y[:10]])], NAMES)
    columns = dict.fromkeys(("session", "script", "text", "audio_sha", "language", "speaker"), "x")
    split = Split("by hand", np.arange(90), [], np.arange(90, 100))
    told = {"protocol": "by hand", "keeps_apart": [], "allowed": [], "transductive": False}
    about = {"corpora": [], "features": "vectors", "files_sha256": {}, "normalise": {}, **told, "namesakes": []}
    data = replace(data, items=data.items.assign(**columns), split=split, protocol=told, about=about)
    run = train(recipe, tmp_path / "run", data=data, quiet=True)
    weights = load_file(run.path / "model/model.safetensors")
    own = {name: value.float() for name, value in space.encoder_.state_dict().items()}
    assert own.keys() == weights.keys()
    assert all(torch.equal(own[name], weights[name]) for name in own)


def test_trained_on_votes_it_expects_votes():
    """Of two kinds of items that raters tell apart by 7 : 3, the best cross-entropy of votes is their entropy."""
    X = np.array([[-1.0], [1.0]] * 40)
    votes = np.array([[7, 3], [3, 7]] * 40)
    soft = quick("cross_entropy", epochs=60).fit(X, votes)
    hard = quick("cross_entropy", epochs=60).fit(X, votes.argmax(1))

    def cross_entropy(space: EmotionSpace) -> float:
        return float(-(votes / 10 * np.log(space.predict_proba(X))).sum(1).mean())

    entropy = -(0.7 * np.log(0.7) + 0.3 * np.log(0.3))
    assert entropy <= cross_entropy(soft) < entropy + 0.01
    assert cross_entropy(hard) > entropy + 0.3
    assert soft.score(X, votes) == hard.score(X, votes) == 1


def test_the_order_of_levels_can_be_given():
    X, y, _ = items()
    order = ["sad", "angry", "happy"]
    space = quick("ordered_emd", classes=order, epochs=30).fit(X, y)
    assert space.classes_.tolist() == order
    assert space.score(X, y) > 0.85
    assert all(space.predict(X[y == name])[0] in order for name in order)


# ---- the same bits, and nobody else disturbed


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    X, y, _ = items()
    first, second, other = (quick(dropout=0.5, random_state=seed).fit(X, y).transform(X) for seed in (3, 3, 4))
    assert (first == second).all()
    assert (first != other).any()


def test_a_stream_of_numpy_is_drawn_from():
    X, y, _ = items()
    stream = np.random.RandomState(0)
    first, second = (quick(random_state=stream, epochs=1).fit(X, y).transform(X) for _ in range(2))
    again = quick(random_state=np.random.RandomState(0), epochs=1).fit(X, y).transform(X)
    assert (first == again).all()
    assert (first != second).any()


def test_random_states_and_threads_stay_as_they_are():
    X, y, _ = items()
    before, threads = (torch.get_rng_state(), _of_numpy()), torch.get_num_threads()
    quick(dropout=0.5, epochs=2).fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (_of_numpy() == before[1]).all()
    assert torch.get_num_threads() == threads


def _of_numpy() -> np.ndarray:
    """The state of numpy's own stream, which others may draw from."""
    return np.array(np.random.get_state()[1])  # noqa: NPY002


def test_two_threads_train_as_one_does():
    X, y, _ = items()
    alone = [quick(dropout=0.5, random_state=seed).fit(X, y).transform(X) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(lambda seed: quick(dropout=0.5, random_state=seed).fit(X, y).transform(X), range(4)))
    assert all((one == other).all() for one, other in zip(alone, beside))


def test_what_an_item_is_told_does_not_depend_on_who_else_is_asked_about():
    X, y, _ = items()
    space = quick().fit(X, y)
    together = space.predict_proba(X)
    assert np.allclose(np.concatenate([space.predict_proba(X[[row]]) for row in range(90)]), together, atol=1e-12)


# ---- faults


@pytest.mark.parametrize(
    ("value", "told", "remedy"),
    [
        (np.nan, "X has NaN in row 4, column 2 (1 such rows); leave", "or put sklearn.impute.SimpleImputer before"),
        (np.inf, "X has infinity (inf) in row 4, column 2 (1 such rows); leave", "or replace infinity by a finite"),
    ],
)
def test_features_that_are_no_numbers(value, told, remedy):
    X, y, _ = items()
    space = quick(epochs=1).fit(X, y)
    X[4, 2] = value
    for ask in (lambda: quick().fit(X, y), lambda: space.predict(X)):
        with pytest.raises(InputError) as error:
            ask()
        assert str(error.value).startswith(told)
        assert remedy in str(error.value)


def test_infinity_is_told_before_gaps_and_what_is_advised_helps():
    X, y, _ = items()
    X[2, 1], X[4, 2] = np.nan, -np.inf
    with pytest.raises(InputError, match=r"X has infinity \(-inf\) in row 4, column 2 \(1 such rows\)"):
        quick().fit(X, y)
    filled = make_pipeline(SimpleImputer(), quick(epochs=1))
    with pytest.raises(ValueError, match="infinity"):  # what the imputer says
        filled.fit(X, y)
    X[np.isinf(X)] = np.nan
    assert filled.fit(X, y).predict(X).shape == (90,)


def test_a_column_is_told_by_its_name():
    X, y, _ = items()
    table = pd.DataFrame(X, columns=list("abcd"))
    table.loc[4, "c"] = np.nan
    with pytest.raises(InputError, match="row 4, column 'c'"):
        quick().fit(table, y)


def test_labels_and_votes_that_are_missing_are_told_by_their_row():
    X, y, _ = items()
    space = quick(epochs=1).fit(X, y)
    gaps, votes = y.astype(object), np.eye(3)[np.arange(90) % 3]
    gaps[5], votes[7, 2] = None, np.nan
    for ask in (lambda: quick().fit(X, gaps), lambda: space.score(X, gaps)):
        with pytest.raises(
            InputError, match=r"y has no label in row 5 \(1 such row\); leave these items out of X and y"
        ):
            ask()
    with pytest.raises(InputError, match=r"y has no votes \(NaN\) for 2 in row 7 \(1 such row\); give 0 where nobody"):
        quick().fit(X, votes)


def test_features_that_are_too_large():
    X, y, _ = items()
    X[3, 1] = 1e300
    with pytest.raises(InputError, match=r"X has \S+ in row \d+, column 1, which is too large to be normalised"):
        quick().fit(X, y)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"loss": "mmd"}, "loss is 'mmd'; legal: cross_entropy, ordered_emd"),
        (
            {"loss": "fsimilarity"},
            "loss is 'fsimilarity'; did you mean 'f_similarity'? legal: cross_entropy, ordered_emd",
        ),
        ({"loss": None}, "loss is None; legal: cross_entropy, ordered_emd"),
        ({"epochs": 0}, "epochs is 0; legal: at least 1"),
        ({"hidden": 2.5}, "hidden is 2.5; legal: a whole number"),
        ({"dropout": 1.0}, "dropout is 1.0; legal: below 1"),
        ({"weight": 0}, "weight is 0; legal: above 0"),
        ({"loss_params": {"geometry": "flat"}}, "geometry is 'flat'; legal: 'chord', 'angle', 'fisher_rao'"),
        ({"loss_params": {"margin": 1}}, "unknown key 'margin'; legal: kind, weight, targets, f, geometry, pairs"),
        ({"loss": "triplet", "loss_params": {"memory": 500}}, "the term triplet: memory is 500 and 90 items train"),
        ({"loss": "guided_emd", "epochs": 2}, "guided_emd.warm_up is 4 and training.epochs 2"),
        ({"random_state": -1}, "random_state is -1; legal: a whole number of 0 or more"),
    ],
)
def test_parameters_that_cannot_be_used(params, told):
    X, y, _ = items()
    space = quick(**params)
    with pytest.raises(InputError) as error:
        space.fit(X, y)
    assert told in str(error.value)
    with pytest.raises(NotFittedError):
        space.predict(X)


def test_a_loss_that_is_not_finite_is_told():
    X, y, _ = items()
    with pytest.raises(DivergedError, match="not finite in epoch 1; lower learning_rate"):
        quick("gaussian_manifold", weight=1e300).fit(X, y)


def test_batches_that_taught_nothing_are_told():
    X, y, _ = items(8)
    with pytest.warns(DegenerateBatchWarning, match=r"supervised_contrastive learned nothing from \d of 4 batches"):
        quick("supervised_contrastive", batch_size=2).fit(X, y)


def test_few_raters_votes_that_make_no_triplets_are_compared_by_default():
    X, _, _ = items()
    votes = np.array([[8, 2, 0], [0, 7, 3], [3, 0, 7]] * 30)  # no two of these similarities add up to 2
    with pytest.warns(DegenerateBatchWarning, match='give loss_params = {"pairs": "batch"}'):
        quick(loss_params={"pairs": "triplets"}).fit(X, votes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick().fit(X, votes)
