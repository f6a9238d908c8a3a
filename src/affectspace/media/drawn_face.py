"""A face drawn from a few numbers: who it is, and what eyes, brows and mouth do.

Layers of soft-edged shapes over a shaded oval, in units of the face: the middle between the ears is (0, 0), the oval
reaches from -1 to 1 in height. Light comes from above, so that sockets, nose and chin have the shadows by which
detectors of faces find one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Expression", "Look", "Pose", "draw_face"]

Array = NDArray[np.float64]

FINER = 2  # each pixel is the mean of as many by as many, whose edges are soft
EYE_LEVEL, NOSE_LEVEL, MOUTH_LEVEL = -0.16, 0.28, 0.55
MOUTH_RED, TEETH, INSIDE = np.array([0.62, 0.25, 0.24]), np.array([0.93, 0.91, 0.86]), np.array([0.22, 0.06, 0.07])


@dataclass(frozen=True)
class Look:
    """What stays the same about somebody's face; colours are RGB in 0..1, lengths relative to half its height.

    Args:
        skin, hair, wall: colours of the skin, of hair and brows, and of the wall behind.
        width: half the width of the oval, about 0.75.
        eyes: half the distance between the eyes, about 0.3.
        brow: thickness of the brows, about 0.05.
        mouth: half the width of the mouth, about 0.28.
        fringe: how far the hair reaches into the forehead, -1 (none) to -0.5.
    """

    skin: tuple[float, float, float] = (0.85, 0.65, 0.52)
    hair: tuple[float, float, float] = (0.2, 0.13, 0.08)
    wall: tuple[float, float, float] = (0.55, 0.62, 0.66)
    width: float = 0.75
    eyes: float = 0.31
    brow: float = 0.05
    mouth: float = 0.28
    fringe: float = -0.7


@dataclass(frozen=True)
class Expression:
    """What a face does at a moment; all zeros, with eyes open by 0.5, is a face at rest.

    Args:
        smile: corners of the mouth, 1 up to -1 down.
        opening: of the lips, 0..1.
        frown: inner ends of the brows, 1 down and together to -1 up.
        lift: of the whole brows, -1..1.
        eyes: how far they are open, 0 (closed) to 1.
    """

    smile: float = 0.0
    opening: float = 0.0
    frown: float = 0.0
    lift: float = 0.0
    eyes: float = 0.5


@dataclass(frozen=True)
class Pose:
    """Where the face is in the picture: middle and half height as shares of its side, turn in radians, clockwise."""

    x: float = 0.5
    y: float = 0.52
    size: float = 0.38
    turn: float = 0.0


def draw_face(look: Look, expression: Expression, pose: Pose | None = None, side: int = 80) -> NDArray[np.uint8]:
    """A picture of a face.

    Args:
        look: whose.
        expression: what it does.
        pose: where it is; None: in the middle, upright.
        side: height and width of the picture in pixels, at least 16.

    Returns:
        uint8 ``(side, side, 3)``, RGB.

    Raises:
        ValueError: a side below 16.

    Example:
        >>> rest, laugh = (draw_face(Look(), Expression(smile=s, opening=s)).astype(int) for s in (0.0, 1.0))
        >>> rest.shape, bool(abs(rest - laugh)[50:].max() > 90 > abs(rest - laugh)[:15].max())
        ((80, 80, 3), True)
    """
    if side < 16:
        raise ValueError(f"side is {side}; a face needs 16 pixels at least")
    pose = pose or Pose()
    place = (np.arange(side * FINER) + 0.5) / (side * FINER)
    across, down = (place[None, :] - pose.x) / pose.size, (place[:, None] - pose.y) / pose.size
    x = np.cos(pose.turn) * across + np.sin(pose.turn) * down
    y = np.cos(pose.turn) * down - np.sin(pose.turn) * across
    wall = np.ones((*x.shape, 3)) * look.wall * (1.05 - 0.15 * place[:, None, None])
    canvas = _Canvas(x, y, wall, 1 / pose.size / side)
    _head(canvas, look)
    for mirror in (-1, 1):
        _eye(canvas, look, expression, mirror)
        _brow(canvas, look, expression, mirror)
    _nose(canvas, look)
    _mouth(canvas, look, expression)
    fine = np.clip(canvas.pixels, 0, 1).reshape(side, FINER, side, FINER, 3).mean(axis=(1, 3))
    return np.round(255 * fine).astype(np.uint8)


@dataclass
class _Canvas:
    """Pixels, and where each lies in the face: right and down in its units; ``pixel`` is the length of one of them."""

    x: Array
    y: Array
    pixels: Array
    pixel: float

    def part(self, x: float, y: float, width: float, height: float) -> "_Canvas":
        """The pixels in an upright box of these half sides, and a few around it; painting there paints here."""
        near = (abs(self.x - x) <= width) & (abs(self.y - y) <= height)
        rows, columns = (np.flatnonzero(near.any(axis)) for axis in (1, 0))
        if not len(rows):
            return _Canvas(self.x[:0], self.y[:0], self.pixels[:0], self.pixel)
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return _Canvas(self.x[box], self.y[box], self.pixels[box], self.pixel)

    def edge(self, distance: Array) -> Array:
        """How far a place is inside a shape, 0..1, from a distance to its edge that is negative inside."""
        return np.clip(0.5 - distance / self.pixel, 0, 1)

    def oval(self, x: float, y: float, width: float, height: float) -> Array:
        """How far a place is inside an oval of these half axes, about."""
        away = np.hypot((self.x - x) / width, (self.y - y) / height)
        return self.edge((away - 1) * min(width, height))

    def blob(self, x: float, y: float, width: float, height: float) -> Array:
        """A soft spot, 1 in its middle."""
        return np.exp(-(((self.x - x) / width) ** 2) - ((self.y - y) / height) ** 2)

    def paint(self, colour, cover: Array) -> None:
        self.pixels += cover[..., None] * (np.asarray(colour, float) - self.pixels)

    def shade(self, darker: Array) -> None:
        """Multiply by one less than what is given."""
        self.pixels *= 1 - darker[..., None]


def _head(canvas: _Canvas, look: Look) -> None:
    skin, hair = np.array(look.skin), np.array(look.hair)
    x, y, width = canvas.x, canvas.y, look.width
    canvas.paint(0.55 * skin + 0.1 * np.array(look.wall), canvas.oval(0, 2.6, 1.5, 1.2))  # shoulders
    canvas.paint(0.62 * skin, canvas.edge(np.maximum(abs(x) - 0.42 * width / 0.75, 0.4 - y)))
    canvas.paint(hair, canvas.oval(0, -0.28, width * 1.16, 0.98))
    for mirror in (-1, 1):
        canvas.paint(0.8 * skin, canvas.oval(mirror * width, 0.05, 0.1, 0.2))
    narrow = width * (1 - 0.16 * np.clip(y, 0, 1) ** 1.5)  # towards the chin
    away = np.hypot(x / narrow, y)
    front = np.sqrt(np.clip(1 - away**2, 0, 1))  # how far the surface looks at the viewer
    light = 0.62 + 0.42 * front - 0.16 * y - 0.04 * x / width
    cover = canvas.edge((away - 1) * width)
    canvas.paint(light[..., None] * skin, cover)
    line = look.fringe + 0.25 * (x / width) ** 2
    canvas.paint(hair, canvas.edge((away - 1.04) * width) * canvas.edge(y - line))
    canvas.pixels += (0.10 * canvas.blob(0, -0.5, 0.4, 0.16) * cover)[..., None]


def _eye(canvas: _Canvas, look: Look, expression: Expression, mirror: int) -> None:
    x, y = mirror * look.eyes, EYE_LEVEL
    canvas = canvas.part(x, y, 0.4, 0.35)
    canvas.shade(0.42 * canvas.blob(x, y - 0.04, 0.23, 0.14))
    canvas.shade(0.18 * canvas.blob(mirror * 0.12, y, 0.07, 0.16))
    half, open_ = 0.17, 0.015 + 0.15 * np.clip(expression.eyes, 0, 1)
    u = np.clip((canvas.x - x) / half, -1, 1)
    arch = 1 - u**2
    raised = 0.05 * max(0.0, expression.smile)  # a smile lifts the lower lid
    upper, lower = y - 0.62 * open_ * arch, y + (0.5 * open_ - raised) * arch
    inside = canvas.edge(np.maximum(upper - canvas.y, canvas.y - lower)) * (abs(canvas.x - x) < half)
    canvas.paint((0.9, 0.9, 0.88), inside)
    canvas.paint((0.22, 0.15, 0.1), inside * canvas.oval(x, y, 0.075, 0.075))
    canvas.paint((0.03, 0.03, 0.03), inside * canvas.oval(x, y, 0.04, 0.04))
    within = abs(canvas.x - x) < half
    canvas.paint((0.08, 0.05, 0.05), within * canvas.edge(abs(canvas.y - upper) - 0.022))
    canvas.shade(0.35 * within * canvas.edge(abs(canvas.y - lower) - 0.012))


def _brow(canvas: _Canvas, look: Look, expression: Expression, mirror: int) -> None:
    canvas = canvas.part(mirror * look.eyes, EYE_LEVEL - 0.2, 0.36, 0.4)
    outward = mirror * canvas.x - look.eyes  # from the middle of the eye towards the ear
    u = np.clip(outward / 0.2, -1, 1)
    level = EYE_LEVEL - 0.2 - 0.08 * expression.lift + 0.03 * max(0.0, expression.frown)
    middle = level + expression.frown * (-0.13 * u) + 0.035 * u**2
    shifted = outward + 0.05 * max(0.0, expression.frown)
    thick = look.brow * (1 - 0.45 * np.clip(u, 0, 1))
    cover = canvas.edge(np.maximum(abs(canvas.y - middle) - thick, abs(shifted) - 0.21))
    canvas.paint(np.minimum(0.75 * np.array(look.hair), 0.4 * np.array(look.skin)), 0.92 * cover)
    if expression.frown > 0:  # a fold between the brows
        fold = canvas.edge(np.maximum(abs(canvas.x - mirror * 0.05) - 0.014, abs(canvas.y - level - 0.02) - 0.1))
        canvas.shade(0.5 * expression.frown * fold)


def _nose(canvas: _Canvas, look: Look) -> None:
    canvas = canvas.part(0, 0.15, 0.35, 0.6)
    canvas.pixels += (0.09 * canvas.blob(0, 0.05, 0.05, 0.25))[..., None]
    for mirror in (-1, 1):
        canvas.shade(0.14 * canvas.blob(mirror * 0.12, 0.1, 0.05, 0.22))
        canvas.shade(0.6 * canvas.blob(mirror * 0.07, NOSE_LEVEL, 0.045, 0.028))
    canvas.shade(0.28 * canvas.blob(0, NOSE_LEVEL + 0.06, 0.15, 0.045))


def _mouth(canvas: _Canvas, look: Look, expression: Expression) -> None:
    canvas = canvas.part(0, 0.6, 0.6, 0.45)
    smile, opening = float(np.clip(expression.smile, -1, 1)), float(np.clip(expression.opening, 0, 1))
    half = look.mouth * (1 + 0.28 * max(0.0, smile) - 0.06 * max(0.0, -smile))
    u = np.clip(canvas.x / half, -1, 1)
    within = canvas.edge(abs(canvas.x) - half)
    # the corners go up and down by 0.2 around a line that stays
    line = MOUTH_LEVEL + 0.17 * smile * (0.55 - u**2)
    arch = 1 - u**2
    upper, lower = line - 0.06 * opening * arch, line + 0.26 * opening * arch
    lips = np.maximum(upper - 0.05 * arch - 0.012 - canvas.y, canvas.y - lower - 0.07 * arch - 0.012)
    red = 0.5 * MOUTH_RED + 0.5 * np.array(look.skin) * np.array([0.78, 0.5, 0.5])
    canvas.paint(red, within * canvas.edge(lips))
    gap = np.maximum(upper - 0.012 - canvas.y, canvas.y - lower - 0.012)
    inside = within * canvas.edge(gap)
    canvas.paint(INSIDE, inside)
    shown = np.clip(3 * opening - 0.3, 0, 1) * (0.55 + 0.45 * max(0.0, smile))
    canvas.paint(TEETH, inside * canvas.edge(canvas.y - upper - 0.02 - 0.07 * shown * arch) * shown)
    canvas.shade(0.22 * canvas.blob(0, 0.8, 0.25, 0.05))
    if smile > 0:  # folds beside the mouth
        for mirror in (-1, 1):
            bend = mirror * canvas.x - 0.36 - 0.12 * np.clip(1 - ((canvas.y - 0.45) / 0.25) ** 2, -1, 1)
            fold = canvas.edge(np.maximum(abs(bend) - 0.012, abs(canvas.y - 0.42) - 0.2))
            canvas.shade(0.3 * smile * fold)
