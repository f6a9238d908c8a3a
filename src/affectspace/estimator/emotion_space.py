"""A space of emotions as an estimator of scikit-learn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from affectspace.encoders import Batch
from affectspace.errors import InputError
from affectspace.estimator.labels import read_labels, read_truth, refuse_gaps
from affectspace.estimator.saved import read_estimator, write_estimator
from affectspace.estimator.train_arrays import data_of, recipe_of, train_arrays
from affectspace.metrics import accuracy

__all__ = ["EmotionSpace"]

CHECKS: dict[str, Any] = {"dtype": [np.float64, np.float32], "ensure_all_finite": False}
TOGETHER = 4096  # items that are asked about at once


class EmotionSpace(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, BaseEstimator):
    """A perceptron whose embedding has the geometry of the labels, as a classifier and a transformer.

    It is what a recipe with ``features.kind = "vectors"``, ``encoder.kind = "mlp"`` and these terms trains, to the
    bit. Features are brought to mean 0 and variance 1 by the training items first, so that no scaler is needed.

    Args:
        loss: what shapes the space, by its name in recipes. Losses of the embedding, ``"f_similarity"``,
            ``"supervised_contrastive"``, ``"triplet"``, ``"contrastive_pairs"`` and ``"gaussian_manifold"``, stand
            beside class-weighted cross-entropy; losses of predictions, ``"cross_entropy"`` and ``"guided_emd"``, and
            ``"ordered_emd"``, ``"level_regression"`` and ``"entropic_emd"`` for classes in an order, stand alone.
        weight: of a loss of the embedding; cross-entropy has 1.
        loss_params: other keys of that loss as in docs/losses.md, such as ``{"geometry": "angle"}``; None: none. But
            for f-similarity, whose pairs are those of the batch unless ``{"pairs": "triplets"}`` is given, their
            defaults are those of recipes.
        classes: names of the columns of an array of votes; of labels the order in which they stand, where that is
            not the one in which they sort, and then ``classes_`` has it too.
        hidden: units of every layer; the embedding has so many dimensions.
        dropout: share of the first layer's outputs left out while training, in ``[0, 1)``.
        limit: the largest number of standard deviations; features further out are moved there. None: no limit.
        epochs: how often every item is seen.
        batch_size: items that meet, and are compared, at a time.
        learning_rate: of Adam.
        weight_decay: of Adam.
        random_state: a number, by which the same call gives the same bits; a ``RandomState``; or None, which draws
            from numpy's own.

    Attributes:
        classes_: ``(classes,)`` labels, in the order of probabilities.
        n_features_in_, feature_names_in_: what ``X`` had, as everywhere in scikit-learn.
        mean_, scale_: ``(features,)`` what is taken from features, and what they are divided by.
        history_: a row for each epoch, with the mean ``loss`` and that of each of the ``terms``.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> space = EmotionSpace(epochs=20).fit(X, y)
        >>> space.score(X, y) > 0.9, space.transform(X).shape
        (True, (150, 128))
    """

    def __init__(
        self,
        loss: str = "f_similarity",
        *,
        weight: float = 1.0,
        loss_params: Mapping[str, Any] | None = None,
        classes: Sequence[Any] | None = None,
        hidden: int = 128,
        dropout: float = 0.0,
        limit: float | None = None,
        epochs: int = 50,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.loss = loss
        self.weight = weight
        self.loss_params = loss_params
        self.classes = classes
        self.hidden = hidden
        self.dropout = dropout
        self.limit = limit
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "EmotionSpace":
        """Learn the space.

        Args:
            X: ``(items, features)`` numbers, an array or a table.
            y: ``(items,)`` labels; or ``(items, classes)`` raters' votes, counts or shares, an array or a table whose
                columns are named by the classes.

        Raises:
            InputError: features that are not finite, labels that cannot be learned, or a parameter out of its range.
            ValueError: what scikit-learn says of shapes and types.
            DivergedError: a loss that is not finite.

        Warns:
            DegenerateBatchWarning: the loss has learned nothing from some batches.
        """
        refuse_gaps(y, self.classes)
        # scikit-learn tells what is wrong with shapes, types and names in its own words
        values, labels = validate_data(self, X, y, multi_output=True, **CHECKS)
        values = self._finite(np.asarray(values))
        classes, targets = read_labels(y if isinstance(y, pd.DataFrame) else labels, self.classes)
        recipe = recipe_of(
            self.loss,
            self.weight,
            dict(self.loss_params or {}),
            classes,
            {"hidden": self.hidden, "dropout": self.dropout, "limit": self.limit},
            {
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "weight_decay": self.weight_decay,
            },
            _seed(self.random_state),
        )
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused below
            scaler = StandardScaler().fit(values)
        mean, scale = np.asarray(scaler.mean_), np.asarray(scaler.scale_)
        encoder, history = train_arrays(recipe, data_of(_normalised(values, mean, scale), targets, classes))
        self.classes_, self.mean_, self.scale_, self.history_ = classes, mean, scale, history
        # Sums in float32 depend on who else is asked about, so answers are computed in float64.
        self.encoder_ = encoder.double()
        return self

    def predict(self, X: Any) -> np.ndarray:
        """``(items,)`` the most probable label of each."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """``(items, classes)`` probabilities, in the order of ``classes_``."""
        return self._answers(X)[1]

    def transform(self, X: Any) -> np.ndarray:
        """``(items, hidden)`` embeddings, numbers of 0 or more."""
        return self._answers(X)[0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of items that are predicted right, as of every classifier of scikit-learn.

        Of votes the right class is the one that most have chosen, or any of those that as many have. The unweighted
        average recall is ``scoring="balanced_accuracy"`` for labels, and :func:`affectspace.metrics.uar` for votes.
        """
        check_is_fitted(self, "encoder_")
        refuse_gaps(y, self.classes_)
        if (votes := read_truth(y, self.classes_)) is None:
            return float(super().score(X, y, sample_weight))
        if sample_weight is not None:
            raise InputError("score weighs labels by sample_weight, and no votes; leave it out")
        return accuracy(votes, self.predict_proba(X))

    def save(self, folder: str | Path) -> Path:
        """Write the fitted estimator as a new folder of JSON and safetensors, from which :meth:`load` makes it again.

        Raises:
            InputError: the folder exists; parameters or labels that JSON cannot hold.
        """
        check_is_fitted(self, "encoder_")
        return write_estimator(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> "EmotionSpace":
        """The estimator that :meth:`save` wrote; nothing in the folder is executed.

        Raises:
            InputError: there is none, or it is damaged.
        """
        return read_estimator(cls, Path(folder))

    def _answers(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "encoder_")
        numbers = self._finite(np.asarray(validate_data(self, X, reset=False, **CHECKS)))
        values = torch.from_numpy(_normalised(numbers, self.mean_, self.scale_)).double()
        embeddings, probabilities = [], []
        with torch.inference_mode():
            for part in values.split(TOGETHER):
                outputs = self.encoder_(Batch(part, torch.ones(len(part), dtype=torch.long)))
                embeddings.append(outputs.embedding)
                probabilities.append(outputs.logits.softmax(-1))
        return torch.cat(embeddings).numpy(), torch.cat(probabilities).numpy()

    def _finite(self, values: np.ndarray) -> np.ndarray:
        if np.isfinite(values).all():
            return values
        wrong, imputed = np.isinf(values), "sklearn.impute.SimpleImputer before the space in a Pipeline"
        remedy = f"replace infinity by a finite number, or by NaN with {imputed}; it often comes from a division by 0"
        if not wrong.any():  # told after infinity, which the imputer refuses
            wrong, remedy = np.isnan(values), f"put {imputed}"
        row, column = np.argwhere(wrong)[0]
        what = "NaN" if np.isnan(values[row, column]) else f"infinity ({values[row, column]:g})"
        names = getattr(self, "feature_names_in_", np.arange(values.shape[1]))
        raise InputError(
            f"X has {what} in row {row}, column {names.tolist()[column]!r} ({wrong.any(1).sum()} such rows); leave "
            f"these items out, or {remedy}"
        )

    @property
    def _n_features_out(self) -> int:
        return self.encoder_.sizes["embedding"]


def _normalised(values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        normal = ((values - mean) / scale).astype(np.float32)
    if (bad := np.argwhere(~np.isfinite(normal))).size:
        row, column = bad[0]
        raise InputError(
            f"X has {values[row, column]:g} in row {row}, column {column}, which is too large to be normalised; bring "
            "the column to another unit"
        )
    return normal


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if random_state < 0:
            raise InputError(f"random_state is {random_state}; legal: a whole number of 0 or more, a RandomState, None")
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
