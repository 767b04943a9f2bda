"""Thresholds meet their objective, and no lower one does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.core.thresholds import threshold_at_fpr

RATES = st.floats(0.001, 0.5)


@given(hnp.arrays(np.int8, st.integers(1, 300)), RATES)
def test_threshold_on_codes_is_the_smallest_that_holds_the_rate(healthy, rate):
    threshold = threshold_at_fpr(healthy, rate)
    assert np.mean(healthy >= threshold) <= rate
    assert np.mean(healthy >= threshold - 1) > rate


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(-100, 100, width=32)), RATES)
def test_threshold_on_floats_holds_the_rate(healthy, rate):
    threshold = threshold_at_fpr(healthy, rate)
    assert np.mean(healthy >= threshold) <= rate
    below = np.nextafter(np.float32(threshold), np.float32(-np.inf))
    assert np.mean(healthy >= below) > rate


def test_threshold_above_the_highest_code_flags_nothing():
    assert threshold_at_fpr(np.full(10, 127, dtype=np.int8), 0.01) == 128
