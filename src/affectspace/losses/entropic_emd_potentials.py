"""The dual potentials of entropic transport in two forms: as factors, which is fast, or as logarithms, which is safe.

Both forms have the same methods, so that one solver serves for both. A form knows the marginals p and t,
``(rows, classes)``, and the cost, ``(classes, classes)``, divided by eps; potentials are ``(rows, classes)``.

=================== ================================================================================
``neutral``         the potential that changes nothing
``keep(rows)``      goes on with these rows alone
``of_rows(y)``      the potentials of rows under which each row sends what it has
``of_columns(x)``   the potentials of columns under which each column gets what it is to have
``flow(y)``         what arrives under ``of_rows(y)``, see :meth:`Scaling.flow`
``log(y)``          the potential divided by eps, as a number
``middle(x, y)``    half-way between two
``add(y, step)``    moved by a step on the potential divided by eps
``double(y)``       the same potential at half the eps
=================== ================================================================================
"""

import math

import torch
from torch import Tensor

__all__ = ["Logarithms", "Scaling"]


class Scaling:
    """Potentials as factors exp(f / eps): every product is with one kernel, which all rows share."""

    neutral = 1.0
    log = staticmethod(torch.log)

    def __init__(self, p: Tensor, t: Tensor, cost: Tensor):
        self.p, self.t, self.kernel = p, t, torch.exp(-cost)
        self.pairs = (self.kernel[:, :, None] * self.kernel[:, None]).flatten(1) if len(cost) <= 64 else None

    def keep(self, rows: Tensor) -> None:
        self.p, self.t = self.p[rows], self.t[rows]

    def of_rows(self, b: Tensor) -> Tensor:
        return _product(self.t * b, self.kernel.T).reciprocal()

    def of_columns(self, a: Tensor) -> Tensor:
        return _product(self.p * a, self.kernel).reciprocal()

    def flow(self, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What arrives in each class, and how much of it shares its origin with what arrives in each other class.

        The latter as ``(rows, classes, classes)``, which are still to be multiplied by the weights of both classes,
        ``(rows, classes)``, that come third.
        """
        weights = self.t * b
        a = _product(weights, self.kernel.T).reciprocal()
        sent = self.p * a
        if self.pairs is None:
            each = self.kernel * (self.p.sqrt() * a)[:, :, None]
            together = each.mT @ each
        else:
            together = ((sent * a) @ self.pairs).view(-1, *self.kernel.shape)
        return weights * _product(sent, self.kernel), together, weights

    @staticmethod
    def middle(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).rsqrt().reciprocal()

    @staticmethod
    def add(b: Tensor, step: Tensor) -> Tensor:
        return b * (step * math.log2(math.e)).exp2()

    @staticmethod
    def double(b: Tensor) -> Tensor:
        return b.square()


class Logarithms:
    """Potentials divided by eps, as they are: several times slower, but nothing under- or overflows."""

    neutral = 0.0

    def __init__(self, p: Tensor, t: Tensor, cost: Tensor):
        self.p, self.t, self.cost = p, t, cost

    def keep(self, rows: Tensor) -> None:
        self.p, self.t = self.p[rows], self.t[rows]

    def of_rows(self, y: Tensor) -> Tensor:
        return -((self.t.log() + y)[:, None] - self.cost).logsumexp(-1)

    def of_columns(self, x: Tensor) -> Tensor:
        return -((self.p.log() + x)[:, None] - self.cost.T).logsumexp(-1)

    def flow(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shares = ((self.t.log() + y)[:, None] - self.cost).softmax(-1)
        each = self.p.sqrt()[:, :, None] * shares
        return (self.p[:, None] @ shares)[:, 0], each.mT @ each, torch.ones_like(y)

    @staticmethod
    def log(y: Tensor) -> Tensor:
        return y

    @staticmethod
    def middle(x: Tensor, y: Tensor) -> Tensor:
        return (x + y) / 2

    @staticmethod
    def add(y: Tensor, step: Tensor) -> Tensor:
        return y + step

    @staticmethod
    def double(y: Tensor) -> Tensor:
        return 2 * y


def _product(rows: Tensor, kernel: Tensor) -> Tensor:
    # A processor's library for products wakes its threads for each, which takes longer than a small product itself
    # (as it does for exp and sqrt, in place of which exp2 and rsqrt are taken above).
    if rows.device.type == "cpu" and rows.numel() * len(kernel) <= 2**15:
        return (rows[:, :, None] * kernel).sum(1)
    return rows @ kernel
