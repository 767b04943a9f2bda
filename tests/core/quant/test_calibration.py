"""Calibration windows are balanced, spread and repeatable."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.core.quant.calibration import choose_rows


def test_half_of_each_class_evenly_spaced():
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 100)
    assert choose_rows(labels, 6).tolist() == [0, 49, 99, 100, 149, 199]


def test_every_class_gets_its_share():
    labels = np.repeat(np.array([0, 1, 2], dtype=np.int8), 50)
    assert np.bincount(labels[choose_rows(labels, 31)]).tolist() == [10, 10, 10]


@given(st.integers(1, 50), st.integers(1, 50), st.integers(2, 60))
def test_rows_are_sorted_unique_and_never_more_than_asked(healthy, anomalous, wanted):
    labels = np.array([0] * healthy + [1] * anomalous, dtype=np.int8)
    rows = choose_rows(labels, wanted)
    assert len(rows) <= wanted
    assert (np.diff(rows) > 0).all()
    assert min(wanted // 2, healthy) == (labels[rows] == 0).sum()
    assert min(wanted // 2, anomalous) == (labels[rows] == 1).sum()
