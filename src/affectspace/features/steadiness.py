"""How steady a feature is from corpus to corpus: what tells classes in it, against what tells corpora."""

import numpy as np

from affectspace.errors import InputError

__all__ = ["steadiness"]

FLOOR = 0.02  # of the variance of all items; means of some fifty items differ by as much without a reason
CUT = 4.0  # standard deviations, as a single number far out would move the mean of a class
LEAST = 1e-3  # of the weights, as what is divided by none of it is not finite


def steadiness(values: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    r"""A weight for every feature: near the others' largest where it tells classes alike in all groups, near 0 where
    it tells the groups.

    .. math:: m_{gc} \approx a_g + b_c, \qquad
        w = \frac{\mathrm{Var}_c(b)}{\mathrm{Var}_c(b) + \mathrm{Var}_g(a) + 0.02}

    with :math:`m_{gc}` the mean of a feature, in standard deviations of all items, over the items of class *c* in group
    *g*, and the additive model fitted by least squares to the means that there are. So a group of other shares of
    classes is not taken for another place. The mean square of the weights is 1, as of none.

    Of a group never heard, a language or a microphone, nothing tells where a feature lies. How far it moves between
    those that were heard tells how far it may move again: with two of them that is one number and little to go by, with
    three or more it begins to tell.

    Args:
        values: ``(items, features)``.
        targets: ``(items, classes)`` shares of votes.
        groups: ``(items,)`` whose names are told apart, such as languages.

    Returns:
        ``(features,)`` float32, above 0; all 1 where no feature tells classes.

    Raises:
        InputError: a single group.

    Source: ours; a ratio of variances between and within as Fisher's, with the groups' own in place of that within
    classes.

    Example:
        Two languages; the first number tells the classes, the second the languages:

        >>> values = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 9.0], [-1.0, 9.0]])
        >>> steadiness(values, np.eye(2)[[0, 1, 0, 1]], np.array(["de", "de", "ur", "ur"])).round(2)
        array([1.41, 0.  ], dtype=float32)
    """
    names, places = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(
            "features cannot be weighed by how steady they are: all training items are of one group, "
            f"{str(names[0])!r}; add a corpus of another, or leave normalise.steady_across out"
        )
    wide = np.asarray(values, dtype=np.float64)
    spread = wide.std(0)
    inside = np.clip((wide - wide.mean(0)) / np.where(spread > 0, spread, 1), -CUT, CUT)
    masses = np.stack([targets[places == group].sum(0) for group in range(len(names))])  # (groups, classes)
    sums = np.stack([targets[places == group].T @ inside[places == group] for group in range(len(names))])
    there = masses > 0
    means = sums[there] / masses[there][:, None]
    of_group, of_class = (np.eye(count)[each] for count, each in zip(there.shape, np.nonzero(there)))
    found = np.linalg.lstsq(np.hstack([of_group, of_class]), means, rcond=None)[0]
    shift, signal = found[: len(names)].var(0), found[len(names) :][there.any(0)].var(0)
    weights = signal / (signal + shift + FLOOR)
    if not weights.any():
        return np.ones(len(weights), np.float32)
    return np.maximum(weights / np.sqrt(np.mean(weights**2)), LEAST).astype(np.float32)
