"""Invented people as they look, and how what they feel shows in their faces while they speak.

What moves follows the action units of Ekman & Friesen's coding system for the prototypes: joy raises the corners of
the mouth and the cheeks (6 + 12), anger lowers the brows and tightens or bares the mouth (4 + 23), sadness raises the
inner brows, lowers the corners and lets the lids droop (1 + 15).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from affectspace.media.drawn_face import Expression, Look, Pose, draw_face

__all__ = ["expression_of", "make_look", "show"]

SKINS = ((0.95, 0.78, 0.68), (0.87, 0.66, 0.52), (0.76, 0.54, 0.39), (0.62, 0.42, 0.29), (0.47, 0.31, 0.22))
HAIRS = ((0.08, 0.06, 0.05), (0.24, 0.14, 0.08), (0.42, 0.26, 0.13), (0.55, 0.42, 0.24), (0.5, 0.48, 0.46))
WALLS = ((0.55, 0.62, 0.66), (0.70, 0.66, 0.55), (0.45, 0.55, 0.45), (0.62, 0.52, 0.60), (0.75, 0.75, 0.74))


def make_look(generator: np.random.Generator) -> tuple[Look, Pose]:
    """Somebody's face, and where it usually is in the picture.

    Example:
        >>> look, pose = make_look(np.random.default_rng(0))
        >>> look.skin in SKINS, 0.3 < pose.size < 0.5
        (True, True)
    """
    skin, hair, wall = (colours[generator.integers(len(colours))] for colours in (SKINS, HAIRS, WALLS))
    if skin in SKINS[3:] and hair in HAIRS[2:4]:
        hair = HAIRS[0]
    u = generator.uniform
    look = Look(skin, hair, wall, u(0.7, 0.8), u(0.29, 0.34), u(0.04, 0.06), u(0.25, 0.31), u(-0.78, -0.62))
    return look, Pose(u(0.46, 0.54), u(0.5, 0.54), u(0.36, 0.42), 0.0)


def expression_of(valence: float, activation: float, strength: float = 1.0) -> Expression:
    """What a face does with a feeling, between words.

    Args:
        valence: 1 (negative) to 5 (positive).
        activation: 1 (calm) to 5 (excited).
        strength: how much of it shows; 1 is usual.

    Example:
        >>> angry, happy, sad = (expression_of(*point) for point in ((1.8, 4.3), (4.2, 4.0), (1.9, 1.7)))
        >>> happy.smile > 0 > max(angry.smile, sad.smile), angry.frown > 0 > sad.frown
        (True, True)
    """
    v, a = strength * (valence - 3) / 2, strength * (activation - 2.7) / 2
    bad, good = max(0.0, -v), max(0.0, v)
    turn = np.tanh(3 * a)  # of the same displeasure: anger where somebody is excited, sadness where not
    return Expression(
        smile=float(np.clip(1.6 * v, -1, 1)),
        opening=float(np.clip(0.55 * good + 0.35 * bad * max(0.0, a), 0, 0.6)),
        frown=float(np.clip(1.7 * bad * turn, -1, 1)),
        lift=float(np.clip(0.5 * good + 0.6 * a * good - 0.8 * bad * max(0.0, turn), -1, 1)),
        eyes=float(np.clip(0.55 + 0.3 * a - 0.15 * good, 0.12, 1)),
    )


def show(
    look: Look,
    pose: Pose,
    valence: float,
    activation: float,
    loudness: NDArray[np.float64],
    generator: np.random.Generator,
    *,
    strength: float = 1.0,
    side: int = 80,
) -> Iterator[NDArray[np.uint8]]:
    """The pictures of somebody who speaks with a feeling.

    The mouth opens with the voice; the head sways, the feeling comes and goes a little, and some pictures show a blink.

    Args:
        look, pose: who it is and where; see :func:`make_look`.
        valence, activation: 1 to 5.
        loudness: of the voice at each picture, 0..1.
        generator: of what moves by chance.
        strength: how much of the feeling shows.
        side: of the pictures in pixels.

    Yields:
        One uint8 ``(side, side, 3)`` a value of loudness.
    """
    sway, held = generator.normal(0, 0.006, 3), 1.0
    for loud in loudness:
        sway = 0.6 * sway + generator.normal(0, 0.008, 3)
        held = 1 + 0.6 * (held - 1) + generator.normal(0, 0.06)
        rest = expression_of(valence, activation, strength * held)
        blink = 0.0 if generator.random() < 0.06 else rest.eyes
        expression = Expression(rest.smile, min(1.0, rest.opening + 0.3 * float(loud)), rest.frown, rest.lift, blink)
        at = Pose(pose.x + sway[0], pose.y + sway[1], pose.size * (1 + sway[2]), pose.turn + 4 * sway[0])
        pixels = draw_face(look, expression, at, side)
        grain = generator.normal(0, 2.0, pixels.shape[:2])[..., None]
        yield np.clip(np.round(pixels + grain), 0, 255).astype(np.uint8)
