"""Ticks of axes of shares."""

from collections.abc import Sequence

from matplotlib.ticker import Formatter

__all__ = ["PercentTicks"]


class PercentTicks(Formatter):
    """Shares in per cent, all of an axis with as many decimals as part the closest of them, and no more.

    Example:
        >>> PercentTicks().format_ticks([0.2, 0.4]), PercentTicks().format_ticks([0.25, 0.255, 0.26])
        (['20%', '40%'], ['25.0%', '25.5%', '26.0%'])
    """

    def __call__(self, x: float, pos: int | None = None) -> str:
        """One tick alone, in whole per cent."""
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """All ticks of an axis."""
        fits = (d for d in range(4) if all(abs(round(100 * value, d) - 100 * value) < 1e-4 for value in values))
        decimals = next(fits, 3)
        return [f"{100 * value:.{decimals}f}%" for value in values]
