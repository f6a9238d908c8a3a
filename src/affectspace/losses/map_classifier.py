"""Classes from the class means of an embedding space: the most probable one a posteriori."""

import math
from typing import Literal, Self

import torch
from torch import Tensor, nn

from affectspace.losses.gaussian_manifold import check_prior, check_sigma, class_means, gaussian_log_posterior
from affectspace.losses.inputs import wide

__all__ = ["MAPClassifier"]


class MAPClassifier(nn.Module):
    r"""Log posteriors of classes that are Gaussians, or mixtures of them, round given means.

    .. math:: P(c \mid z) = \sum_{j \,:\, \mathrm{class}(j) = c} P(j \mid z)

    with :math:`P(j \mid z)` of :func:`affectspace.losses.gaussian_manifold.gaussian_log_posterior`.
    It goes with embeddings that :class:`affectspace.losses.GaussianManifoldLoss` trained; take the
    means of the training items.

    Args:
        means: ``(components, dimensions)``, detached here.
        sigma: standard deviation of each component, above 0; that of the loss.
        prior: ``(components,)`` numbers of 0 or more, up to a factor; None: all alike.
        classes_of: ``(components,)`` the class of each component, 0 or more, so that sub-classes
            can tell classes; None: each component is a class.

    All four are buffers by these names, so that the state holds everything, and a file of it is
    read back by ``MAPClassifier(**safetensors.torch.load_file(path))``.

    Raises:
        ValueError: shapes that do not match, or numbers that are not legal.

    O(items x components x dimensions) time; traced whole by ``torch.compile``.

    Source: Marrero Fernandez et al., "Fast and Robust Structured Gaussian Manifold", Sections 3.1
    and 3.2.

    Example:
        >>> means = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])  # the first two are one class
        >>> classifier = MAPClassifier(means, sigma=1.0, classes_of=torch.tensor([0, 0, 1]))
        >>> classifier.predict(torch.tensor([[3.0, 0.0], [0.0, 3.0]]))
        tensor([0, 1])
        >>> classifier(torch.tensor([[2.0, 2.0]])).exp()
        tensor([[0.6667, 0.3333]])
    """

    means: Tensor
    sigma: Tensor
    prior: Tensor
    classes_of: Tensor
    classes: int

    def __init__(
        self,
        means: Tensor,
        sigma: float | Tensor = 0.5,
        prior: Tensor | None = None,
        classes_of: Tensor | None = None,
    ):
        super().__init__()
        if means.ndim != 2 or not means.is_floating_point() or not len(means):
            given = f"{means.dtype} of shape {tuple(means.shape)}"
            raise ValueError(f"means: {given}; expected floating point (components, dimensions), at least one")
        means = wide(means.detach())
        check_sigma(float(sigma))
        check_prior(prior)
        prior = means.new_ones(len(means)) if prior is None else prior.detach().to(means)
        if classes_of is None:
            classes_of = torch.arange(len(means), device=means.device)
        for name, column in (("prior", prior), ("classes_of", classes_of)):
            if column.shape != (len(means),):
                raise ValueError(f"{name}: shape {tuple(column.shape)}; expected ({len(means)},), a number a mean")
        if classes_of.is_floating_point() or (classes_of < 0).any():
            raise ValueError(f"classes_of is {classes_of.tolist()}; classes are whole numbers of 0 or more")
        self.register_buffer("means", means.clone())
        self.register_buffer("sigma", torch.as_tensor(sigma, dtype=means.dtype, device=means.device).clone())
        self.register_buffer("prior", prior.clone())
        self.register_buffer("classes_of", classes_of.to(means.device, torch.long).clone())
        _count_classes(self)
        self.register_load_state_dict_post_hook(_count_classes)

    @classmethod
    def fit(
        cls,
        embeddings: Tensor,
        targets: Tensor,
        sigma: float = 0.5,
        prior: Literal["batch"] | Tensor | None = None,
        classes_of: Tensor | None = None,
    ) -> Self:
        """A classifier of the means of the given items, which should be those of training.

        Args:
            embeddings: ``(items, dimensions)``.
            targets: ``(items,)`` indices of components or ``(items, components)`` probabilities; a
                component is a class, or with ``classes_of`` a part of one. A component without
                items is never predicted.
            sigma: see :class:`MAPClassifier`.
            prior: None, all alike; ``"batch"``, by the masses of the components in these items; or
                ``(components,)`` numbers.
            classes_of: see :class:`MAPClassifier`.

        Raises:
            ValueError: no items, or as :class:`MAPClassifier`.

        Example:
            >>> classifier = MAPClassifier.fit(torch.tensor([[0.0], [2.0], [9.0]]), torch.tensor([0, 0, 1]))
            >>> classifier.means.flatten(), classifier.predict(torch.tensor([[4.0], [6.0]]))
            (tensor([1., 9.]), tensor([0, 1]))
        """
        if not len(embeddings):
            raise ValueError("there are no items to take means of; give those of training")
        check_prior(prior)
        with torch.no_grad():
            means, masses = class_means(embeddings, targets)
        if prior is None:
            weights = (masses > 0).to(masses)
        elif isinstance(prior, str):
            weights = masses
        elif prior.shape != masses.shape:
            raise ValueError(f"prior: shape {tuple(prior.shape)}; expected ({len(masses)},), a number a mean")
        else:
            weights = prior.to(masses) * (masses > 0)
        return cls(means, sigma, weights, classes_of)

    def extra_repr(self) -> str:
        components, dimensions = self.means.shape
        return f"dimensions={dimensions}, components={components}, classes={self.classes}"

    def forward(self, embeddings: Tensor) -> Tensor:
        """Log posteriors ``(items, classes)``, float32 or better; ``-inf`` for a class that no component has."""
        parts = gaussian_log_posterior(embeddings, self.means, wide(self.sigma), wide(self.prior).log())
        index = self.classes_of.expand(len(parts), -1)
        # Each class is summed round its largest part, or far classes would all be -inf and tie.
        top = parts.new_full((len(parts), self.classes), -math.inf)
        top = top.scatter_reduce(1, index, parts.detach(), "amax").clamp(min=torch.finfo(parts.dtype).min)
        shares = (parts - top.gather(1, index)).exp()
        sums = torch.zeros_like(top).scatter_add(1, index, shares)
        absent = sums == 0  # a logarithm of 0 would spoil the gradient of the other classes
        return torch.where(absent, 1, sums).log().masked_fill(absent, -math.inf) + top

    def predict(self, embeddings: Tensor) -> Tensor:
        """The most probable class of each item, ``(items,)``; of equal ones the first."""
        return self(embeddings).argmax(-1)


def _count_classes(classifier: nn.Module, incompatible_keys: object = None) -> None:
    # The number of columns is fixed here and not at each call, where it would break a compiled graph.
    assert isinstance(classifier, MAPClassifier)
    classifier.classes = int(classifier.classes_of.max()) + 1
