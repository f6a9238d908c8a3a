"""How steady a feature is from corpus to corpus: what tells classes in it, against what tells corpora."""

import numpy as np

from affectspace.errors import InputError

__all__ = ["steadiness"]

FLOOR = 0.02  # of the variance of all items: less than this neither helps nor harms
CUT = 4.0  # standard deviations, as a single number far out would move the mean of a class
LEAST = 1e-3  # of the weights, as what is divided by none of it is not finite


def steadiness(values: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    r"""A weight for every feature: near the others' largest where it tells classes alike in all groups, near 0 where
    it tells the groups, or classes of one group alone.

    .. math:: m_{gc} = a_g + b_c + r_{gc}, \qquad
        w = \frac{V_b}{V_b + V_a + V_r + 0.02}, \qquad V_x = [\mathrm{Var}(x) - \epsilon_x]_+

    with :math:`m_{gc}` the mean of a feature, in standard deviations of all items, over the items of class *c* in group
    *g*: the place of the group, what the class does in all of them, and what it does in this one. They are fitted by
    least squares; every group counts alike, however large, and within it every class by its items. So a group of
    other shares of classes is not taken for another place, a class of which a group has a single item moves little, and
    the largest group does not decide what holds for all. :math:`\epsilon` is what the variances would be by the luck of
    these items alone, from the spread within classes and groups. The mean square of the weights is 1, as of none.

    Of a group never heard, a language or a microphone, nothing tells where a feature lies or what it tells there. How
    far it moves between those that were heard tells how far it may move again: with two of them that is one number and
    little to go by, with three or more it begins to tell.

    Args:
        values: ``(items, features)``.
        targets: ``(items, classes)`` shares of votes; items without any tell nothing.
        groups: ``(items,)`` whose names are told apart, such as languages.

    Returns:
        ``(features,)`` float32, above 0; all 1 where no feature tells classes.

    Raises:
        InputError: a single group, groups that share no class with the others, or a number that is not finite.

    Source: ours; two-way analysis of variance (Fisher, 1925), with what moves between groups in place of the variance
    within them.

    Example:
        Two languages; the first number tells the classes, the second the languages:

        >>> values = np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 9.0], [-1.0, 9.0]])
        >>> steadiness(values, np.eye(2)[[0, 1, 0, 1]], np.array(["de", "de", "ur", "ur"])).round(2)
        array([1.41, 0.  ], dtype=float32)
    """
    heard = np.asarray(targets).sum(1) > 0
    values, targets, groups = (np.asarray(each)[heard] for each in (values, targets, groups))
    names, places = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        who = (
            f"all labelled training items are of one group, {str(names[0])!r}" if len(names) else "no item has a label"
        )
        raise InputError(
            f"features cannot be weighed by how steady they are: {who}; add a corpus of another, or leave "
            "normalise.steady_across out"
        )
    wide = np.asarray(values, dtype=np.float64)
    if not np.isfinite(wide).all():
        row, feature = np.argwhere(~np.isfinite(wide))[0]
        raise InputError(f"feature {feature} of item {row} is {wide[row, feature]}; leave the item out")
    spread = wide.std(0)
    inside = np.clip((wide - wide.mean(0)) / np.where(spread > 0, spread, 1), -CUT, CUT)
    own = [places == group for group in range(len(names))]
    masses = np.stack([targets[each].sum(0) for each in own])  # (groups, classes)
    there = masses > 0
    means = np.stack([targets[each].T @ inside[each] for each in own])[there] / masses[there][:, None]
    squares = np.stack([targets[each].T @ inside[each] ** 2 for each in own])[there]
    items = masses[there] ** 2 / np.stack([(targets[each] ** 2).sum(0) for each in own])[there]  # that votes amount to
    _refuse_strangers(names, there)
    # the variance of an item within its cell, whose mean is fitted to these very items
    fitted = items.sum() / max(items.sum() - len(items), 1)
    within = fitted * np.maximum(squares - masses[there][:, None] * means**2, 0).sum(0) / masses.sum()

    group, label = np.nonzero(there)
    design = np.hstack([np.eye(len(names))[group], np.eye(there.shape[1])[:, there.any(0)][label]])
    share = items / np.bincount(group, items)[group]
    fit = np.linalg.pinv(design.T @ (share[:, None] * design)) @ (design * share[:, None]).T
    left = np.eye(len(items)) - design @ fit  # what neither the group nor the class tells
    shift, signal = (
        _beyond_luck(part - part.mean(0), np.full(len(part), 1 / len(part)), means, items, within)
        for part in (fit[: len(names)], fit[len(names) :])
    )
    of_its_own = _beyond_luck(left, share / share.sum(), means, items, within)
    weights = signal / (signal + shift + of_its_own + FLOOR)
    if not weights.any():
        return np.ones(len(weights), np.float32)
    return np.maximum(weights / np.sqrt(np.mean(weights**2)), LEAST).astype(np.float32)


def _beyond_luck(
    part: np.ndarray, shares: np.ndarray, means: np.ndarray, items: np.ndarray, within: np.ndarray
) -> np.ndarray:
    """``(features,)`` the mean square of a linear part of the cells' means, less what it is on average by luck alone.

    Args:
        part: ``(rows, cells)``; ``shares`` ``(rows,)`` what each row counts.
        means: ``(cells, features)``, each of so many ``items`` ``(cells,)``.
        within: ``(features,)`` the variance of an item within its cell.
    """
    found = shares @ (part @ means) ** 2
    return np.maximum(found - within * (shares @ part**2 @ (1 / items)), 0)


def _refuse_strangers(names: np.ndarray, there: np.ndarray) -> None:
    """Refuse groups that are tied to the others by no class: what differs between them may be either's."""
    known = there[0]
    for _ in names:
        known = there[(there & known).any(1)].any(0)
    strangers = ~(there & known).any(1)
    if strangers.any():
        one, other = str(names[0]), str(names[strangers.argmax()])
        raise InputError(
            f"features cannot be weighed by how steady they are: the training items of {other!r} are of no class that "
            f"those of {one!r} have, so that nobody can tell what a class does from what a language or corpus does; "
            "add items of a class that both have, or leave normalise.steady_across out"
        )
