"""Entropic earth mover's distance, soft targets, against POT's batched solver with a gradient for the prediction.

Ten classes on a line of length one and a regulariser of 0.1, where POT converges within its thousand iterations. Its
default solver for a regulariser works on logarithms (``method="auto"``); its default gradient ("envelope") is not that
of the marginals, so that it is asked for ``autodiff``, and for the same definition (``reg_type="kl"``). A tolerance
of 1e-6 is the first power of ten at which its gradient is right to 1e-4 (ours is right to 1e-6).
"""

from collections.abc import Callable

import torch

PEER = "POT"
SIZES = ("128 x 10", "256 x 10", "512 x 10", "2048 x 10", "8192 x 10")


def make(who: str, size: str) -> Callable[[], None]:
    """A closure that runs forward and backward once."""
    rows, classes = (int(number) for number in size.split(" x "))
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, classes, generator=generator).requires_grad_()
    target = torch.randn(rows, classes, generator=generator).softmax(-1)
    places = torch.linspace(0, 1, classes)
    distance = (places[:, None] - places).abs()

    if who == "ours":
        from affectspace.losses.entropic_emd import EntropicEMDLoss

        loss = EntropicEMDLoss(distance, regulariser=0.1)

        def run() -> None:
            logits.grad = None
            loss(logits, target).backward()

        return run

    from ot.batch import solve_batch

    distances = distance.expand(rows, classes, classes)
    settings = {"reg": 0.1, "reg_type": "kl", "grad": "autodiff", "tol": 1e-6}

    def run_peer() -> None:
        logits.grad = None
        solved = solve_batch(distances, a=logits.softmax(-1), b=target, **settings)
        solved.value.mean().backward()

    return run_peer
