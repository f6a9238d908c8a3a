"""Structured Gaussian manifold: every class a Gaussian round the mean of its embeddings."""

import math
import warnings
from typing import Any, Literal

import torch
from torch import Tensor, nn

from affectspace.labels.distribution import as_distribution
from affectspace.losses.degenerate import DegenerateBatchWarning, leave_out, nothing_to_learn
from affectspace.losses.inputs import beside, both_or_neither, check_embeddings, label_rows, wide

__all__ = ["GaussianManifoldLoss", "class_means", "gaussian_log_posterior"]


def gaussian_log_posterior(
    embeddings: Tensor, means: Tensor, sigma: float | Tensor, log_prior: Tensor | None = None
) -> Tensor:
    r"""Log posterior of classes that are Gaussians of one standard deviation in every direction.

    .. math:: \log P(j \mid z) = \log \mathrm{softmax}_j
              \left(-\frac{\lVert z - \mu_j \rVert^2}{2 \sigma^2} + \log \pi_j\right)

    It never leaves the logarithm, so that it has a value and a gradient however far an embedding
    lies from every mean; densities that are multiplied out are all 0 there.

    Args:
        embeddings: ``(items, dimensions)``.
        means: ``(classes, dimensions)``.
        sigma: standard deviation, above 0.
        log_prior: ``(classes,)`` or ``(items, classes)``, up to a constant an item; ``-inf`` takes
            a class out. None: all classes alike.

    Returns:
        ``(items, classes)``, 0 or less, float32 or better; exponentials sum to one over classes.

    Raises:
        ValueError: embeddings or means that are not rows of floating point numbers of one length,
            or a sigma that is no standard deviation.

    O(items x classes x dimensions) time and O(items x classes) memory; traced whole by ``torch.compile``.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold", Eq. 1 and 3.

    Example:
        >>> means = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> gaussian_log_posterior(torch.tensor([[0.5, 3.0]]), means, sigma=0.5).exp()
        tensor([[0.5000, 0.5000]])
    """
    check_embeddings("embeddings", embeddings)
    check_embeddings("means", means)
    if not isinstance(sigma, Tensor):
        check_sigma(sigma)
    _check_dimensions("means", means, embeddings)
    with torch.autocast(embeddings.device.type, enabled=False):
        z, means = _promoted(embeddings, means)
        logits = SquaredDistances.apply(z, means) / (-2 * sigma**2)
        return (logits if log_prior is None else logits + log_prior.to(z.dtype)).log_softmax(-1)


def class_means(embeddings: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    r"""Mean of the embeddings of each class, and how many items each class has.

    .. math:: \mu_j = \frac{\sum_i y_{ij} z_i}{m_j}, \qquad m_j = \sum_i y_{ij}

    Args:
        embeddings: ``(items, dimensions)``.
        targets: ``(items,)`` class indices or ``(items, classes)`` probabilities, which share an
            item out among the classes.

    Returns:
        ``(classes, dimensions)`` means and ``(classes,)`` masses, float32 or better, with a
        gradient. A class without items has mass 0 and, for want of a mean, a row of zeros.

    Raises:
        ValueError: targets that are not probabilities, or another number of embeddings.

    Example:
        >>> class_means(torch.tensor([[1.0], [3.0], [7.0]]), torch.tensor([0, 0, 2]))
        (tensor([[2.], [0.], [7.]]), tensor([2., 0., 1.]))
    """
    labels, _ = label_rows(targets)
    check_embeddings("embeddings", embeddings, len(labels))
    with torch.autocast(embeddings.device.type, enabled=False):
        z = wide(embeddings)
        return _means(z, labels.to(z.dtype))


class GaussianManifoldLoss(nn.Module):
    r"""Squared error of the posteriors of classes, each a Gaussian round the mean of its items.

    .. math:: \frac1N \sum_i \sum_j \bigl(P(j \mid z_i) - y_{ij}\bigr)^2 + w \lVert Z \rVert, \qquad
              P(j \mid z) \propto \pi_j \exp\left(-\frac{\lVert z - \mu_j \rVert^2}{2 \sigma^2}\right)

    with the means of :func:`class_means`, of the batch itself, which receive a gradient, and the
    Frobenius norm of the batch's embeddings, which keeps them near the origin. Classes that no item
    has take no part. Give several items of each class: an item alone is its own mean.

    Args:
        sigma: standard deviation of each class, above 0.
        norm_weight: w, at least 0.
        means: ``"batch"``, over all items of a class (the paper); ``"leave_one_out"``, for each
            item without its own share, so that it is judged by the others alone.
        prior: None, all classes that are there alike (the paper); ``"batch"``, by the masses of
            the classes (without the item's own, where the mean is); or ``(classes,)`` numbers of 0
            or more, up to a factor. A class of prior 0 takes no part.

    Shape:
        embeddings ``(items, dimensions)``, not normalised; targets ``(items,)`` class indices or
        ``(items, classes)`` probabilities; the loss is a scalar, at least 0, float32 or better.
        With a reference (a memory bank, another modality), means and masses are those of the
        reference, which receives a gradient unless detached; the norm remains that of the batch.

    Raises:
        ValueError: targets that are not probabilities, shapes that do not match, or options that
            are not legal.

    Warns:
        LeftOutWarning: for some items, half of the label or more lies on classes without a mean
            (nobody else, or nothing in the reference, has them). The loss is the mean over the
            others, whose labels are divided by what lies on classes with a mean. In
            ``"leave_one_out"`` others must hold more than the square root of the rounding error
            (3e-4 in float32) of a class's mass, or rounding would be taken for a mean.
        DegenerateBatchWarning: that holds for all items, or there is a single class, whose
            posterior is 1 anywhere; the loss is then the norm term. Or each class has one item,
            which is its own mean (``"batch"``): the loss then only parts items that are within a
            few sigma, and is 0 beyond.

    O(items x classes x dimensions) time, O(items x (classes + dimensions)) memory, differentiable
    any number of times. Under ``torch.compile`` there is no graph break with targets as
    probabilities, or with a prior that tells how many classes there are (other class indices are
    counted first); values are then not checked and nobody is warned.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold", Eq. 4 and
    Algorithm 1. Soft labels, leave-one-out means, priors and references are ours.

    Example:
        >>> z = torch.tensor([[0.0, 0.0], [0.2, 0.0], [2.0, 2.0], [2.2, 2.0]], requires_grad=True)
        >>> loss = GaussianManifoldLoss(norm_weight=0.0)
        >>> round(loss(z, torch.tensor([0, 0, 1, 1])).item(), 4), round(loss(z, torch.tensor([0, 1, 0, 1])).item(), 4)
        (0.0, 0.5384)
    """

    prior: Tensor | None

    def __init__(
        self,
        sigma: float = 0.5,
        norm_weight: float = 1e-4,
        means: Literal["batch", "leave_one_out"] = "batch",
        prior: Literal["batch"] | Tensor | None = None,
    ):
        super().__init__()
        check_sigma(sigma)
        if not 0 <= norm_weight < math.inf:
            raise ValueError(f"norm_weight is {norm_weight}; it is finite and at least 0")
        if means not in ("batch", "leave_one_out"):
            raise ValueError(f"means {means!r} are unknown; choose batch or leave_one_out")
        check_prior(prior)
        self.sigma, self.norm_weight, self.means = sigma, norm_weight, means
        self.prior_of_masses = isinstance(prior, str)
        self.register_buffer("prior", prior.detach().clone() if isinstance(prior, Tensor) else None)

    def extra_repr(self) -> str:
        prior = "'batch'" if self.prior_of_masses else None if self.prior is None else "given"
        return f"sigma={self.sigma}, norm_weight={self.norm_weight}, means={self.means!r}, prior={prior}"

    def forward(
        self,
        embeddings: Tensor,
        targets: Tensor,
        reference: Tensor | None = None,
        reference_targets: Tensor | None = None,
    ) -> Tensor:
        both_or_neither(reference, reference_targets)
        labels, other_labels = self._labels(beside(embeddings, targets), reference_targets)
        check_embeddings("embeddings", embeddings, len(labels))
        if reference is not None:
            check_embeddings("reference", reference, len(other_labels))
            _check_dimensions("reference", reference, embeddings)
        if not len(embeddings):
            return nothing_to_learn(embeddings, "it holds no item")
        with torch.autocast(embeddings.device.type, enabled=False):
            z, others = _promoted(embeddings, embeddings if reference is None else reference)
            labels, other_labels = labels.to(z.dtype), other_labels.to(z.dtype)
            means, masses = _means(others, other_labels)
            distances = SquaredDistances.apply(z, means)
            norm = self.norm_weight * torch.linalg.vector_norm(z)

            alone = self.means == "leave_one_out" and reference is None
            left = masses - labels if alone else masses  # what is left of each class, without the item itself
            there = ~(left <= math.sqrt(torch.finfo(z.dtype).eps) * masses)  # NaN is there, and shows
            if alone or self.prior_of_masses:
                left = torch.where(there, left, 1)
            if alone:
                # z - (S - y z) / (m - y) = (z - S / m) m / (m - y): nothing of items x classes x dimensions
                distances = distances * (masses / left).square()
            log_prior = left.log() if self.prior_of_masses else torch.zeros_like(left)
            if self.prior is not None:
                there = there & (self.prior > 0)
                log_prior = log_prior + self.prior.to(z.dtype).log()
            log_prior = log_prior.masked_fill(~there, torch.finfo(z.dtype).min)
            posterior = torch.add(log_prior, distances, alpha=-0.5 / self.sigma**2).softmax(-1)

            several = there.sum(-1) > 1
            if not alone and reference is None and self.prior is None:  # the batch has all classes of its labels
                loss = nn.functional.mse_loss(posterior, labels, reduction="sum") / len(z) + norm
                if not torch.compiler.is_compiling():
                    if not several:
                        return nothing_to_learn(embeddings, _why_nothing(masses, reference, self.prior)) + norm
                    _tell_of_items_alone(labels, masses)
                return loss
            goal = labels * there
            kept, whole = goal.sum(-1), labels.sum(-1)
            teaches = several & ~(kept <= 0.5 * whole)
            goal = goal * (whole / torch.where(teaches, kept, 1)).unsqueeze(-1)
            error = (posterior - goal).square().sum(-1)
            loss = (error * teaches).sum() / teaches.sum().clamp(min=1) + norm
            if not torch.compiler.is_compiling():
                if not teaches.any():
                    return nothing_to_learn(embeddings, _why_nothing(masses, reference, self.prior)) + norm
                who = "nobody else" if reference is None else "nothing in the reference"
                leave_out(~teaches, f"half of their label or more lies on classes that {who} has, or whose prior is 0")
                if not alone and reference is None:
                    _tell_of_items_alone(labels, masses)
            return loss

    def _labels(self, targets: Tensor, reference_targets: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.prior is None:
            return label_rows(targets, reference_targets)
        labels = as_distribution(targets, len(self.prior))
        return labels, labels if reference_targets is None else as_distribution(reference_targets, len(self.prior))


class SquaredDistances(torch.autograd.Function):
    """Squared distances of rows ``(n, d)`` to means ``(c, d)``: ``(n, c)``.

    The value is of differences, which |z|^2 - 2 z.m + |m|^2 would cancel (three digits would be left
    where a device multiplies matrices in a short float). The gradient is of products, round the
    centre of the rows: torch's own of ``cdist`` holds n x c x d on some devices.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, means: Tensor) -> Tensor:
        ctx.save_for_backward(rows, means)
        return torch.cdist(rows, means, compute_mode="donot_use_mm_for_euclid_dist").square()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        rows, means = ctx.saved_tensors
        twice = 2 * gradients[0]
        centre = rows.detach().sum(0) / max(len(rows), 1)
        rows, means = rows - centre, means - centre
        to_rows = torch.addmm(twice.sum(1, keepdim=True) * rows, twice, means, alpha=-1)
        to_means = torch.addmm(twice.sum(0).unsqueeze(1) * means, twice.T, rows, alpha=-1)
        return to_rows, to_means


def check_sigma(sigma: float) -> None:
    """Refuse a standard deviation that is none."""
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma}; a standard deviation is finite and above 0")


def check_prior(prior: str | Tensor | None) -> None:
    """Refuse what is neither None, ``"batch"`` nor ``(classes,)`` numbers of 0 or more, of which some are above."""
    if prior is None or (isinstance(prior, str) and prior == "batch"):
        return
    if isinstance(prior, str):
        raise ValueError(f"prior {prior!r} is unknown; choose None, batch, or a tensor of a number for each class")
    if prior.ndim != 1 or not (prior >= 0).all() or not 0 < prior.sum() < math.inf:
        raise ValueError(f"prior is {prior.tolist()}; expected a number of 0 or more for each class, and some above 0")


def _means(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    masses = labels.sum(0)
    return labels.T @ z / torch.where(masses == 0, 1, masses).unsqueeze(1), masses


def _promoted(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return a.to(dtype), b.to(dtype)


def _check_dimensions(name: str, rows: Tensor, embeddings: Tensor) -> None:
    if rows.shape[-1] != embeddings.shape[-1]:
        raise ValueError(
            f"{name}: {rows.shape[-1]} dimensions, and the embeddings have {embeddings.shape[-1]}; give both as many"
        )


def _tell_of_items_alone(labels: Tensor, masses: Tensor) -> None:
    if (labels.amax(0) >= masses).all():
        message = "this batch draws no items together: each class has a single one, which is its own mean; "
        remedy = "give several items of each class, or a reference"
        warnings.warn(message + remedy, DegenerateBatchWarning, stacklevel=3)


def _why_nothing(masses: Tensor, reference: Tensor | None, prior: Tensor | None) -> str:
    if not (masses > 0).any():
        return "the reference holds no item; leave it out until it holds some"
    masses = masses if prior is None else masses * prior
    if not (masses > 0).any():
        return "the prior of every class that is there is 0; mix the classes, or change the prior"
    if (masses > 0).sum() == 1:
        return "there is a single class, whose posterior is 1 anywhere; mix the classes"
    if reference is None:
        return "no item's class is had by another item; give several items of each class"
    return "no item's class is in the reference; give a reference of the same classes"
