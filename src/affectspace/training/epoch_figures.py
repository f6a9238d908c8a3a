"""What an epoch of training tells: sums over its batches, and the means that they come to."""

from typing import Any

from torch import Tensor

__all__ = ["add_batch", "epoch_row", "group_figures"]


def add_batch(
    sums: dict[str, Any], anchors: int, values: dict[str, Tensor], nothing: dict[str, dict[str, int]]
) -> None:
    """Sums over an epoch so far, each batch with the weight of its anchors; and what taught terms nothing."""
    for name, value in values.items():
        sums[name] = sums.get(name, 0.0) + anchors * float(value)
    degenerate = any("batches" in counts for counts in nothing.values())
    for name, count in (("anchors", anchors), ("batches", 1), ("degenerate_batches", int(degenerate))):
        sums[name] = sums.get(name, 0) + count
    told = sums.setdefault("taught_nothing", {})
    for name, counts in nothing.items():
        of_term = told.setdefault(name, {"batches": 0, "items": 0})
        for what, count in counts.items():
            of_term[what] += count


def group_figures(row: dict[str, Any]) -> dict[str, float]:
    """How often adversaries told an item's group in an epoch, and by chance, as figures of what terms have learned.

    Example:
        >>> group_figures({"figures": {"adversary.accuracy": 0.5, "adversary.chance": 0.25, "guided_emd.weight": 1.0}})
        {'adversary.group_accuracy': 0.5, 'adversary.chance_group_accuracy': 0.25}
    """
    figures = row.get("figures", {})
    terms = [key.removesuffix(".chance") for key in figures if key.endswith(".chance")]
    names = {"group_accuracy": "accuracy", "chance_group_accuracy": "chance"}
    return {f"{term}.{told}": figures[f"{term}.{name}"] for term in terms for told, name in names.items()}


def epoch_row(epoch: int, sums: dict[str, Any]) -> dict[str, Any]:
    """The epoch's row: the mean loss of an anchor, that of each term, and of which batches and items none learned.

    Example:
        >>> sums = {}
        >>> for anchors, loss in (3, 1.0), (1, 5.0):
        ...     add_batch(sums, anchors, {"loss": loss, "triplet": loss}, {"triplet": {"items": 1}})
        >>> row = epoch_row(1, sums)
        >>> row["loss"], row["terms"], row["taught_nothing"]
        (2.0, {'triplet': 2.0}, {'triplet': {'batches': 0, 'items': 2}})
    """
    counted = ("batches", "degenerate_batches", "taught_nothing")
    anchors = sums["anchors"]
    return {
        "epoch": epoch,
        "loss": sums["loss"] / anchors,
        "terms": {name: sums[name] / anchors for name in sums if name not in {"loss", "anchors", *counted}},
        **{name: sums[name] for name in counted},
    }
