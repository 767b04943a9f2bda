"""Tail metrics against hand-computed cases and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import tail

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=np.int8)
SCORES = np.array([0.0, 1.0, 2.0, 5.0, 3.0, 6.0, 7.0, 8.0])


def test_tpr_at_fpr_takes_the_best_threshold_within_the_rate():
    # No false positive is allowed: the threshold lies above 5, three of four anomalies are above it.
    assert tail.tpr_at_fpr(SCORES, LABELS, 0.0) == 0.75
    # One of four healthy windows may be flagged: the threshold may fall to 3.
    assert tail.tpr_at_fpr(SCORES, LABELS, 0.25) == 1.0


def test_rates_count_scores_at_the_threshold_as_flagged():
    assert tail.rates_at(SCORES, LABELS, 5.0) == (0.25, 0.75)


def test_separation_of_two_known_distributions():
    healthy, anomalous = np.arange(0.0, 101.0), np.arange(200.0, 301.0)
    labels = np.array([0] * 101 + [1] * 101, dtype=np.int8)
    # q50 = 50, q99 = 99, q05 of the anomalous = 205.
    assert tail.separation(np.concatenate([healthy, anomalous]), labels) == pytest.approx((205 - 99) / (99 - 50))


def test_separation_without_a_healthy_tail_is_not_a_number():
    assert np.isnan(tail.separation(np.array([1.0, 1.0, 2.0, 3.0]), np.array([0, 0, 1, 1], dtype=np.int8)))


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_affine_change_of_all_scores_costs_no_separation(gain, offset):
    candidate = SCORES * gain + offset
    assert tail.separation_retention(SCORES, candidate, LABELS) == pytest.approx(1.0)


def test_compression_is_the_slope_over_the_anomalous_tail_only():
    rng = np.random.default_rng(0)
    reference = np.concatenate([rng.normal(0, 1, 200), rng.normal(6, 1, 200)])
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 200)
    candidate = np.where(labels == 1, 3.0 + 0.5 * reference, 17.0)
    assert tail.compression(reference, candidate, labels, threshold=3.0) == pytest.approx(0.5)


def test_compression_sees_a_crushed_tail_that_auc_does_not():
    rng = np.random.default_rng(1)
    reference = np.concatenate([rng.normal(0, 1, 500), rng.normal(10, 2, 500)])
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 500)
    candidate = np.where(reference > 5, 5 + 0.05 * (reference - 5), reference)
    metrics = tail.compare(reference, candidate, labels, 4.0, 4.0)
    assert metrics["auc_drop"] == 0
    assert metrics["compression"] < 0.1
    assert metrics["separation_retention"] < 0.8


def test_describe_agrees_with_scikit_learn_on_auc():
    from sklearn.metrics import roc_auc_score

    assert tail.describe(SCORES, LABELS, 5.0)["auc"] == roc_auc_score(LABELS, SCORES)


def test_compare_counts_codes_and_flips():
    candidate = np.array([0.0, 1.0, 2.0, 2.0, 3.0, 6.0, 6.0, 8.0])
    metrics = tail.compare(SCORES, candidate, LABELS, 6.0, 3.0)
    assert metrics["codes_above_threshold"] == 3  # 3, 6 and 8
    assert metrics["flipped_fraction"] == 1 / 8  # only the window that scored 3
    assert metrics["fpr_at_threshold"] == 0
