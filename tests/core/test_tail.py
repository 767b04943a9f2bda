"""Tail metrics against hand-computed cases, scikit-learn and scipy; weights against repeated windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import theilslopes, wasserstein_distance
from sklearn.metrics import roc_auc_score

from stages.core import tail

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=np.int8)
SCORES = np.array([0.0, 1.0, 2.0, 5.0, 3.0, 6.0, 7.0, 8.0])


def sample(seed, healthy=300, anomalous=200, decimals=2):
    """Two overlapping normal distributions, rounded so that scores tie."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(0, 1, healthy), rng.normal(1.5, 2, anomalous)]).round(decimals)
    return scores, np.repeat(np.array([0, 1], dtype=np.int8), (healthy, anomalous))


def test_tpr_at_fpr_takes_the_best_threshold_within_the_rate():
    # One of four healthy windows may be flagged: the threshold may fall to 3.
    assert tail.tpr_at_fpr(SCORES, LABELS, 0.25) == 1.0
    # Of five healthy windows, 0.3 allows one as well; two tie, so both stay below and 3 is missed.
    tied = np.array([0.0, 1.0, 2.0, 5.0, 5.0, 3.0, 6.0, 7.0, 8.0])
    assert tail.tpr_at_fpr(tied, np.array([0] * 5 + [1] * 4, dtype=np.int8), 0.3) == 0.75


def test_a_rate_that_allows_no_false_alarm_at_all_is_not_measured():
    assert np.isnan(tail.tpr_at_fpr(SCORES, LABELS, 0.24))
    metrics = tail.describe(*sample(1, healthy=100), threshold=1.0)
    assert np.isnan(metrics["tpr_at_fpr_0_1"])
    assert 0 < metrics["tpr_at_fpr_1"] < metrics["tpr_at_fpr_5"]


def test_rates_count_scores_at_the_threshold_as_flagged():
    assert tail.rates_at(SCORES, LABELS, 5.0) == (0.25, 0.75)


@pytest.mark.parametrize("seed", range(5))
def test_areas_agree_with_scikit_learn(seed):
    scores, labels = sample(seed)
    curve = tail.roc(scores, labels)
    assert tail.auc(curve) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    for max_fpr in (0.05, 0.0123, 0.5):
        expected = roc_auc_score(labels, scores, max_fpr=max_fpr)
        assert tail.partial_auc(curve, max_fpr) == pytest.approx(expected, abs=1e-12)


def test_partial_area_is_half_for_guessing_and_one_for_perfection():
    labels = np.tile(np.array([0, 1], dtype=np.int8), 50)
    assert tail.partial_auc(tail.roc(np.zeros(100), labels), 0.1) == pytest.approx(0.5)
    assert tail.partial_auc(tail.roc(labels.astype(float), labels), 0.1) == pytest.approx(1.0)


def test_separation_of_two_known_distributions():
    healthy, anomalous = np.arange(0.0, 101.0), np.arange(200.0, 301.0)
    labels = np.array([0] * 101 + [1] * 101, dtype=np.int8)
    # q50 = 50, q99 = 99, q05 of the anomalous = 205.
    assert tail.separation(np.concatenate([healthy, anomalous]), labels) == pytest.approx((205 - 99) / (99 - 50))


def test_separation_without_a_healthy_tail_is_not_a_number():
    assert np.isnan(tail.separation(np.array([1.0, 1.0, 2.0, 3.0]), np.array([0, 0, 1, 1], dtype=np.int8)))


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_affine_change_of_all_scores_costs_no_separation(gain, offset):
    metrics = tail.compare(SCORES, SCORES * gain + offset, LABELS, 3.0, 3.0 * gain + offset)
    assert metrics["separation_retention"] == pytest.approx(1.0)


def test_retention_is_a_ratio_of_distances_from_the_healthy_median():
    assert tail.retention(-0.5, -0.75) == 0.5
    assert np.isnan(tail.retention(-1.0, 0.5))  # there was no distance
    assert tail.retention(-1.5, -1.5) == 1.0


def test_compression_is_the_slope_over_the_anomalous_tail_only():
    reference, labels = sample(0)
    candidate = np.where(labels == 1, 3.0 + 0.5 * reference, 17.0)
    assert tail.compression(reference, candidate, labels, threshold=1.0) == pytest.approx(0.5)


def test_compression_is_the_slope_that_scipy_gives():
    reference, labels = sample(2)
    candidate = reference + np.random.default_rng(3).normal(0, 0.3, len(reference))
    part = (labels == 1) & (reference >= 0.5)
    expected = theilslopes(candidate[part], reference[part]).slope
    assert tail.compression(reference, candidate, labels, 0.5) == pytest.approx(expected, rel=1e-12)


def test_compression_of_a_tail_of_one_window_is_not_a_number():
    assert np.isnan(tail.compression(SCORES, SCORES, LABELS, threshold=8.0))


def test_wasserstein_is_what_scipy_gives_and_a_shift_of_all_is_the_shift():
    reference, candidate = sample(4)[0], sample(5)[0]
    assert tail.wasserstein(reference, candidate) == pytest.approx(wasserstein_distance(reference, candidate))
    assert tail.wasserstein(reference, reference + 0.25) == pytest.approx(0.25)


def test_shifts_are_in_lengths_of_the_healthy_tail_and_apart_by_label():
    reference = np.concatenate([np.arange(0.0, 101.0), np.arange(200.0, 301.0)])
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 101)
    # q99 - q50 is 49; only the anomalous windows move.
    healthy, anomalous = tail.shifts(reference, np.where(labels == 1, reference - 98, reference), labels)
    assert (healthy, anomalous) == (0.0, 2.0)


def test_quantile_is_that_of_numpy():
    values = sample(6)[0]
    for share in (0.0, 0.05, 0.5, 0.99, 1.0):
        assert tail.quantile(values, share) == pytest.approx(np.quantile(values, share))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_a_weight_is_a_number_of_copies(seed):
    rng = np.random.default_rng(seed)
    reference, labels = sample(seed, 220, 60)
    candidate = (reference + rng.normal(0, 0.3, 280)).round(2)
    times = rng.multinomial(1, np.full(3, 1 / 3), size=(2, 280)).argmax(axis=-1)
    weights = times.astype(float)
    described = [tail.describe_weighted(each, labels, 1.0, 2.0, weights) for each in (reference, candidate)]
    measured = described[1] | tail.compare_weighted(reference, candidate, labels, tuple(described), weights)
    for resample in range(2):
        copies = np.repeat(np.arange(280), times[resample])
        args = reference[copies], candidate[copies], labels[copies], 1.0, 1.0, 2.0
        expected = tail.describe(args[1], args[2], 1.0, 2.0) | tail.compare(*args)
        for name in set(measured) - {"threshold", "flips_near_threshold"}:  # near is said of the sample itself
            assert measured[name][resample] == pytest.approx(expected[name], abs=1e-9, nan_ok=True), name


def test_compression_sees_a_crushed_tail_that_auc_does_not():
    rng = np.random.default_rng(1)
    reference = np.concatenate([rng.normal(0, 1, 500), rng.normal(10, 2, 500)])
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 500)
    candidate = np.where(reference > 5, 5 + 0.05 * (reference - 5), reference)
    metrics = tail.compare(reference, candidate, labels, 4.0, 4.0)
    assert metrics["auc_drop"] == 0
    assert metrics["compression"] < 0.1
    assert metrics["separation_retention"] < 0.8
    assert metrics["wasserstein_healthy"] == 0
    assert metrics["wasserstein_anomalous"] > 1


def test_describe_counts_alarms_and_misses_and_gives_alarms_per_hour():
    metrics = tail.describe(SCORES, LABELS, 5.0, hop_s=36.0)
    assert (metrics["false_alarms"], metrics["misses"]) == (1, 1)
    assert metrics["false_alarms_per_hour"] == 25  # a quarter of 100 decisions an hour
    assert np.isnan(tail.describe(SCORES, LABELS, 5.0)["false_alarms_per_hour"])


def test_compare_counts_codes_and_flips():
    candidate = np.array([0.0, 1.0, 2.0, 2.0, 3.0, 6.0, 6.0, 8.0])
    metrics = tail.compare(SCORES, candidate, LABELS, 6.0, 3.0)
    assert metrics["codes_above_threshold"] == 3  # 3, 6 and 8
    assert metrics["flipped_fraction"] == 1 / 8  # only the window that scored 3
    assert metrics["fpr_at_threshold"] == 0


def test_flips_are_those_of_windows_near_the_references_threshold():
    # q50 = 1.5 and q99 = 4.91: near are scores within 0.85 of 5.5, the windows of 5 and 6. That of 6 flips.
    metrics = tail.compare(SCORES, np.array([0.0, 1, 2, 5, 3, 5, 7, 8]), LABELS, 5.5, 5.5)
    assert metrics["flips_near_threshold"] == 1 / 2


def test_drift_is_the_fpr_at_the_kept_threshold_and_rise_that_at_its_own():
    candidate = SCORES + 4.0
    metrics = tail.compare(SCORES, candidate, LABELS, 4.5, 9.5)
    # 1, 2 and 5 have become 5, 6 and 9: of four healthy windows, one was at 4.5 or above, three are, none is at 9.5.
    assert (metrics["fpr_at_reference_threshold"], metrics["fpr_drift"]) == (0.75, 0.5)
    assert (metrics["fpr_at_threshold"], metrics["fpr_at_threshold_rise"]) == (0.0, -0.25)


def test_probability_error_is_the_mean_difference_of_the_sigmoids():
    reference, candidate = np.array([0.0, 800.0]), np.array([np.log(3.0), -800.0])
    assert tail.probability_error(reference, candidate) == pytest.approx((0.25 + 1.0) / 2)
