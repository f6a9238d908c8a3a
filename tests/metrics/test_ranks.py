"""Ranks are SciPy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from affectspace.metrics._ranks import mean_ranks


@given(st.lists(st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 0.25, 3.0, np.inf]) | st.floats(allow_nan=False)))
def test_equals_scipy_to_the_bit(values):
    given = np.array(values, float)
    assert mean_ranks(given).tobytes() == rankdata(given).astype(float).tobytes()
