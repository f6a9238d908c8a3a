"""No two ticks of an axis are alike, and none has more digits than that takes."""

import numpy as np
import pytest

from affectspace.report.ticks import PercentTicks


@pytest.mark.parametrize("step", [0.2, 0.05, 0.01, 0.005, 0.002, 0.0005])
def test_ticks_are_never_alike(step):
    values = 0.24 + step * np.arange(5)
    told = PercentTicks().format_ticks(list(values))
    assert len(set(told)) == 5
    assert [float(each.rstrip("%")) for each in told] == pytest.approx(list(100 * values))


def test_whole_ones_have_no_decimals():
    assert PercentTicks().format_ticks([0.1, 0.2, 0.30000000000000004]) == ["10%", "20%", "30%"]
