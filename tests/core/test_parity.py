"""The parity check chooses hard windows and names the first tensor that differs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.parity import broken, choose_windows, compare_hashes, compare_scores, first_difference


def population(n_windows=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-100, 100, (n_windows, 8, 1)).astype(np.int8), rng.integers(-128, 128, (n_windows, 2)).astype(
        np.int32
    )


@given(st.integers(5, 200), st.integers(4, 250))
def test_choice_is_sorted_unique_and_as_many_as_asked(available, wanted):
    codes, scores = population(available)
    rows = choose_windows(codes, scores, (10, 20), wanted)
    assert len(rows) == min(available, wanted)
    assert (np.diff(rows) > 0).all()


def test_choice_covers_the_threshold_the_extremes_and_saturation():
    codes, scores = population()
    codes[17] = 127
    scores[3], scores[5], scores[42], scores[43] = -128, 127, (10, 90), (-90, 20)
    assert {3, 5, 17, 42, 43} <= set(choose_windows(codes, scores, (10, 20), 64).tolist())


def test_agreement_counts_windows_and_the_largest_difference():
    reference = np.array([[1, 0], [2, 0], [3, 0], [0, -(2**31)]], dtype=np.int32)
    candidate = np.array([[1, 0], [2, 0], [1, 0], [0, 2**31 - 1]], dtype=np.int32)
    agreement = compare_scores("native", reference, candidate)
    assert (agreement.windows, agreement.different, agreement.max_difference, agreement.first) == (4, 2, 2**32 - 1, 2)


def test_what_is_allowed_differs_and_yet_agrees():
    reference = np.array([[0], [0], [0], [0]], dtype=np.int32)
    candidate = np.array([[0], [2], [-2], [-3]], dtype=np.int32)
    agreement = compare_scores("native", reference, candidate, unit="ulp", allowed=2)
    assert (agreement.different, agreement.max_difference, agreement.first) == (3, 3, 3)


def test_hashes_that_are_only_reported_have_no_first_fault():
    reference, candidate = np.array([5, 6], dtype=np.uint32), np.array([5, 7], dtype=np.uint32)
    assert compare_hashes("native", reference, candidate).first == 1
    reported = compare_hashes("native", reference, candidate, demanded=False)
    assert (reported.different, reported.allowed, reported.first) == (1, None, None)


def test_equal_outputs_have_no_first_difference():
    codes = np.zeros((3, 1), dtype=np.int32)
    assert compare_scores("native", codes, codes).first is None


def test_first_difference_is_the_earliest_tensor_in_order():
    reference = {"stem": np.zeros((4, 2), np.int8), "pool": np.ones((1, 2), np.int8)}
    trace = [np.zeros(8, np.int8), np.ones(2, np.int8)]
    assert first_difference(reference, trace) is None
    trace[0][3], trace[1][0] = 2, 5
    assert first_difference(reference, trace) == "stem: 1 of 8 codes differ, first at [1, 1]: 2 instead of 0"


@pytest.mark.parametrize("where, says", [("stem: 1 code", "first differing tensor is stem"), (None, "not repeatable")])
def test_broken_parity_exits_with_5_and_names_the_tensor(where, says):
    codes = np.zeros((3, 1), dtype=np.int32)
    error = broken(compare_scores("mps3_an547", codes, codes + np.int32(1)), where)
    assert error.exit_code == 5
    assert says in str(error)
    assert "3 of 3 windows differ by up to 1 LSB" in str(error)
