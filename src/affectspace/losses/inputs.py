"""What the losses of this package accept, checked in one place and told in the same words."""

import torch
from torch import Tensor

from affectspace.labels.distribution import as_distribution

__all__ = ["beside", "both_or_neither", "check_embeddings", "group_numbers", "hard_classes", "label_rows", "wide"]


def wide(tensor: Tensor) -> Tensor:
    """The tensor in float32, or float64 where it is that: bfloat16 holds three digits, too few for differences."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def check_embeddings(name: str, embeddings: Tensor, items: int | None = None) -> None:
    """Refuse what is not ``(items, dimensions)`` floating point, with as many items as there are targets.

    Raises:
        ValueError: another shape or type, or another number of rows.
    """
    wrong = items is not None and items != len(embeddings)  # `in` would be decided wrongly for symbolic sizes
    if embeddings.ndim != 2 or not embeddings.is_floating_point() or wrong:
        rows = "items" if items is None else str(items)
        given = f"{embeddings.dtype} of shape {tuple(embeddings.shape)}"
        raise ValueError(f"{name}: {given}; expected floating point ({rows}, dimensions), a row a target")


def beside(embeddings: Tensor, labels: Tensor, name: str = "targets") -> Tensor:
    """Labels on the device of the embeddings: loaders and other libraries leave them on the CPU.

    Raises:
        ValueError: one of the two is no tensor.
    """
    for what, given in (("embeddings", embeddings), (name, labels)):
        if not isinstance(given, Tensor):
            remedy = "number the classes first" if _words(given) else f"give torch.as_tensor({what})"
            raise ValueError(f"{what}: a {type(given).__name__} is no tensor; {remedy}")
    return labels.to(embeddings.device)


def group_numbers(embeddings: Tensor, groups: Tensor, classes: int) -> Tensor:
    """Numbers of groups ``(items,)`` as int64, beside the embeddings; -1 for an unknown one.

    Raises:
        ValueError: another shape or type, or a group outside ``-1..classes - 1`` (not looked at by ``torch.compile``).
    """
    groups = beside(embeddings, groups, "groups")
    if groups.ndim != 1 or groups.is_floating_point():
        raise ValueError(f"groups: {groups.dtype} of shape {tuple(groups.shape)}; expected whole numbers (items,)")
    groups = groups.long()  # unsigned ones have no -1
    if torch.compiler.is_compiling():
        return groups
    if (outside := groups[(groups < -1) | (groups >= classes)]).numel():
        raise ValueError(f"group {outside[0].item()} is outside 0..{classes - 1}, and -1 for an unknown one")
    return groups


def _words(given: object) -> bool:
    first = given[0] if isinstance(given, list | tuple) and given else given
    return isinstance(first, str)


def both_or_neither(reference: Tensor | None, reference_targets: Tensor | None) -> None:
    """Refuse a reference without its targets, and targets without their reference.

    Raises:
        ValueError: one is given and the other is not, or the reference is the tuple of a miner, which other
            libraries give in that place.
    """
    if isinstance(reference, tuple):
        raise ValueError(
            "the third argument is a tuple, such as a miner's pairs or triplets; these losses choose their own, so "
            "leave the miner out (a reference is a tensor of embeddings)"
        )
    if (reference is None) != (reference_targets is None):
        raise ValueError("a reference needs both its embeddings and its targets; give the two, or neither")


def hard_classes(targets: Tensor) -> Tensor:
    """``(items,)`` class indices as they are; of ``(items, classes)`` probabilities the most likely class.

    Class indices may be any whole numbers of 0 or more: only their being equal matters. Of equally
    likely classes the first is taken. A row with NaN is refused, since an index cannot show it.

    Raises:
        ValueError: another shape, a negative index, or rows that are no probabilities.

    Example:
        >>> hard_classes(torch.tensor([[0.2, 0.8], [0.5, 0.5]]))
        tensor([1, 0])
    """
    if targets.ndim == 1 and not targets.is_floating_point():
        targets = targets.long()
        if not torch.compiler.is_compiling() and (targets < 0).any():
            raise ValueError(f"class {targets.min().item()} is negative; classes are whole numbers of 0 or more")
        return targets
    if targets.ndim != 2:
        given = f"{targets.dtype} of shape {tuple(targets.shape)}"
        raise ValueError(f"targets are {given}; expected whole numbers (items,) or probabilities (items, classes)")
    rows = as_distribution(targets, targets.shape[-1])
    if not torch.compiler.is_compiling() and rows.isnan().any():
        raise ValueError("a soft target holds NaN, and has no most likely class; leave such items out")
    return rows.argmax(-1)


def label_rows(targets: Tensor, reference_targets: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Targets of the items and of the reference (None: the items again) as rows of probabilities over the same classes.

    Hard labels on both sides become one-hot rows over as many classes as the larger of them needs.

    Returns:
        ``(items, classes)`` and ``(rows, classes)``, float32 or float64.

    Raises:
        ValueError: as :func:`affectspace.labels.distribution.as_distribution`.

    Example:
        >>> a, b = label_rows(torch.tensor([0, 1]), torch.tensor([2]))
        >>> a.shape, b
        (torch.Size([2, 3]), tensor([[0., 0., 1.]]))
    """
    tables = [targets] if reference_targets is None else [targets, reference_targets]
    classes = next((t.shape[-1] for t in tables if t.ndim != 1), None)
    if classes is None:
        classes = 1 + max((int(t.long().max()) for t in tables if t.numel()), default=0)
    rows = [as_distribution(t, classes) for t in tables]
    return rows[0], rows[-1]
