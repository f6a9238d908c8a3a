"""Chance by name: everything that is drawn has a stream of its own, so that nothing depends on the order of things."""

import hashlib

import numpy as np

__all__ = ["named_generator"]


def named_generator(seed: int, *words: object) -> np.random.Generator:
    """The generator of a seed and a name; another word in it is another generator.

    Example:
        >>> one, again, other = (named_generator(0, "votes", item) for item in ("a", "a", "b"))
        >>> one.integers(1000, size=3).tolist() == again.integers(1000, size=3).tolist()
        True
        >>> one.random() == other.random()
        False
    """
    digest = hashlib.sha256("/".join(map(str, (seed, *words))).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest[:16], "little")))
