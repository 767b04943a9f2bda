"""Choosing some of many."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.core.evenly import evenly, evenly_by_class


@given(have=st.integers(1, 300), wanted=st.integers(1, 400))
def test_the_ends_are_chosen_and_gaps_differ_by_at_most_one(have, wanted):
    chosen = evenly(np.arange(have), wanted)
    assert len(chosen) == min(have, wanted)
    assert chosen[0] == 0
    if len(chosen) > 1:
        assert chosen[-1] == have - 1
        assert np.ptp(np.diff(chosen)) <= 1


def test_the_items_are_returned_not_their_places():
    assert evenly(np.array([7, 9, 30, 31, 40]), 3).tolist() == [7, 30, 40]


def test_each_class_gives_as_many_rows_as_the_others_while_it_has_them():
    labels = np.array([0] * 10 + [2] * 2 + [1] * 9, dtype=np.int8)
    rows = evenly_by_class(labels, 9)
    assert rows.tolist() == sorted(rows)
    assert np.bincount(labels[rows]).tolist() == [3, 3, 2]
