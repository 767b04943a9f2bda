"""Scalers against numpy's own statistics and against codes worked out by hand."""

import numpy as np
import pytest

from stages.core.dsp.histogram import Histogram
from stages.core.dsp.scalers import Column, fit_codes, mean_and_variance
from stages.core.errors import RecordingError
from stages.core.schema.features import (
    LogScaler,
    MinmaxScaler,
    PercentileScaler,
    QuantileScaler,
    RobustScaler,
    TwoStageScaler,
    ZscoreScaler,
)

MINMAX, QUANTILE = MinmaxScaler(kind="minmax"), QuantileScaler(kind="quantile")
NORMAL = np.random.default_rng(0).normal(0, 300, 10_000).round().astype(np.int32)
SPIKE = np.array([32_767], dtype=np.int32)


def column(healthy, events=(), full_scale=32768):
    histograms = (Histogram.of(np.asarray(values, dtype=np.int32)) for values in (healthy, events))
    return Column("axial", *histograms, limit=65535, full_scale=full_scale)


def program(scaler, healthy, events=()):
    (code,) = fit_codes(scaler, [column(healthy, events)])
    return code.program


def codes(fitted, *values):
    return fitted.codes(np.array(values, dtype=np.int32)).tolist()


def test_histogram_quantiles_equal_numpy_inverted_cdf():
    values = np.random.default_rng(0).integers(-65535, 65535, 999).astype(np.int32)
    histogram = Histogram.of(values)
    for fraction in (0, 0.01, 0.25, 0.5, 0.75, 0.99, 1):
        assert histogram.quantile(fraction) == np.quantile(values, fraction, method="inverted_cdf")


def test_histograms_of_parts_add_up_to_that_of_the_whole_in_any_order():
    values = np.random.default_rng(1).integers(-500, 70_000, 1000).astype(np.int32)
    whole = Histogram.of(values)
    parts = [Histogram.of(part) for part in np.split(values, [0, 10, 400])]
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        total = Histogram.of(values[:0])
        for index in order:
            total = total + parts[index]
        assert (total.low, total.total, total.high) == (whole.low, 1000, whole.high)
        np.testing.assert_array_equal(total.values, whole.values)
        np.testing.assert_array_equal(total.counts, whole.counts)


def test_histogram_of_widely_spread_values_equals_numpys_and_adds_up():
    rng = np.random.default_rng(3)
    values = rng.choice(rng.integers(-(2**31), 2**31, 300), 2000)
    parts = [values[:700].astype(np.int32), values[700:701].astype(np.int32), values[701:]]
    total = sum((Histogram.of(part) for part in parts[1:]), Histogram.of(parts[0]))
    expected, counts = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(total.values, expected)
    np.testing.assert_array_equal(total.counts, counts)
    for fraction in (0, 0.3, 0.5, 1):
        assert total.quantile(fraction) == np.quantile(values, fraction, method="inverted_cdf")
    low, high = expected[100], expected[200]
    np.testing.assert_array_equal(total.between(low, high).values, expected[100:201])
    assert mean_and_variance(total) == pytest.approx((values.mean(), values.var()))


def test_more_different_values_than_fit_memory_are_refused(monkeypatch):
    monkeypatch.setattr("stages.core.dsp.histogram._MOST_DISTINCT", 1000)
    half = np.arange(600, dtype=np.int64) * 10_000
    with pytest.raises(RecordingError, match=r"1200 different values .* at most 1000"):
        Histogram.of(half) + Histogram.of(half + 1)


def test_mean_and_variance_equal_numpy():
    assert mean_and_variance(Histogram.of(NORMAL)) == pytest.approx((NORMAL.mean(), NORMAL.var()))


def test_robust_scaler_puts_code_127_at_the_span():
    fitted = program(RobustScaler(kind="robust", span_iqr=2.0), np.arange(-1000, 1001))  # interquartile range 1000
    assert codes(fitted, 0, 2000, -2000, 5000) == [0, 127, -127, 127]


def test_robust_scaler_is_not_moved_by_one_spike():
    scaler = RobustScaler(kind="robust", span_iqr=5.0)
    assert program(scaler, NORMAL) == program(scaler, np.append(NORMAL, SPIKE), SPIKE)


def test_minmax_scaler_spans_all_training_windows_so_one_spike_sets_the_scale():
    fitted = program(MINMAX, NORMAL, SPIKE)
    assert codes(fitted, int(NORMAL.min()), 32_767) == [-128, 127]
    spread = np.unique(fitted.codes(NORMAL))
    assert len(spread) < 256 * (NORMAL.max() - NORMAL.min()) / 32_767 + 2


def test_zscore_scaler_centres_on_the_mean_and_counts_in_standard_deviations():
    values = np.repeat([900, 1100], 500)  # mean 1000, standard deviation 100
    fitted = program(ZscoreScaler(kind="zscore", span_sigma=4.0), values)
    assert codes(fitted, 1000, 1400, 600, 1200) == [0, 127, -127, 64]


def test_percentile_scaler_gives_the_end_codes_to_its_quantiles():
    fitted = program(PercentileScaler(kind="percentile", low=0.1, high=0.9), np.arange(10_000))
    assert codes(fitted, 999, 8999, 0, 20_000) == [-128, 127, -128, 127]
    assert len(np.unique(fitted.codes(np.arange(999, 9000, dtype=np.int32)))) == 256


def test_log_scaler_follows_the_logarithm_to_half_a_code():
    events = np.array([-30_000, 20_000])
    fitted = program(LogScaler(kind="log", knee_iqr=0.5), NORMAL, events)
    median, (lower, upper) = np.median(NORMAL), np.quantile(NORMAL, [0.25, 0.75], method="inverted_cdf")
    knee = 0.5 * (upper - lower)
    values = np.arange(-30_000, 30_000, 7, dtype=np.int32)
    distance = values - median
    ideal = 127 * np.sign(distance) * np.log1p(np.abs(distance) / knee) / np.log1p((30_000 + median) / knee)
    assert np.abs(fitted.codes(values) - ideal).max() < 0.5 + 1e-6
    assert codes(fitted, -30_000) == [-127]


def test_log_scaler_of_a_signal_that_hardly_varies_but_for_events_still_orders_them():
    fitted = program(LogScaler(kind="log"), np.zeros(1000), np.array([10, 100, 1000, 10_000]))
    reached = codes(fitted, 0, 10, 100, 1000, 10_000)
    assert reached[0] == 0
    assert reached == sorted(set(reached))
    assert reached[-1] == 127


def test_quantile_scaler_uses_every_code_equally_often():
    values = np.random.default_rng(2).permutation(np.arange(25_600))
    fitted = program(QUANTILE, values[:10_000], values[10_000:])
    _, counts = np.unique(fitted.codes(values.astype(np.int32)), return_counts=True)
    assert len(counts) == 256
    assert set(counts) == {100}


def test_quantile_scaler_gives_tied_values_the_middle_of_their_ranks():
    values = np.concatenate([np.zeros(600), np.arange(1, 401)])  # zeros take the ranks 0 to 0.6
    fitted = program(QUANTILE, values)
    assert codes(fitted, -1, 0, 1, 400, 1000) == [-128, int(256 * 0.3) - 128, int(256 * 0.6005) - 128, 127, 127]


WIDE_RANGE = 2**31 - 2
#: As a particle sensor's counts: nearly all in the lowest thousandth of the range.
PARTICLES = np.append(np.random.default_rng(4).lognormal(7, 0.5, 10_000), [0, WIDE_RANGE]).round().astype(np.int64)


def wide_program(scaler, healthy, events=()):
    histograms = (Histogram.of(np.asarray(values, dtype=np.int64)) for values in (healthy, events))
    (code,) = fit_codes(scaler, [Column("dust", *histograms, limit=2**31, full_scale=2**31)])
    return code.program


def wide_codes(fitted, values):
    return fitted.codes(np.asarray(values, dtype=np.int64))


def test_quantile_scaler_spends_its_codes_where_wide_counts_are():
    fitted = wide_program(QUANTILE, PARTICLES[:5000], PARTICLES[5000:])
    used, times = np.unique(wide_codes(fitted, PARTICLES), return_counts=True)
    assert len(used) == 256
    assert times.max() < 3 * len(PARTICLES) / 256
    assert wide_codes(fitted, [WIDE_RANGE, -(2**31)]).tolist() == [127, -128]


def test_minmax_scaler_of_wide_counts_merges_them():
    fitted = wide_program(MINMAX, PARTICLES)
    np.testing.assert_array_equal(np.unique(wide_codes(fitted, PARTICLES)), [-128, 127])


def test_log_scaler_of_wide_counts_follows_the_logarithm_to_half_a_code():
    fitted = wide_program(LogScaler(kind="log"), PARTICLES)
    lower, median, upper = np.quantile(PARTICLES, [0.25, 0.5, 0.75], method="inverted_cdf")
    distance = PARTICLES - median
    ideal = 127 * np.sign(distance) * np.log1p(np.abs(distance) / (upper - lower))
    ideal /= np.log1p((WIDE_RANGE - median) / (upper - lower))
    assert np.abs(wide_codes(fitted, PARTICLES) - ideal).max() < 0.5 + 1e-6


@pytest.mark.parametrize("kind", [RobustScaler, ZscoreScaler, PercentileScaler])
def test_lines_through_wide_counts_put_code_127_where_their_statistics_say(kind):
    spread = np.random.default_rng(5).integers(-(10**9), 10**9, 5001)
    ends = {
        RobustScaler: np.median(spread) + 8 * np.subtract(*np.quantile(spread, [0.75, 0.25], method="inverted_cdf")),
        ZscoreScaler: spread.mean() + 4 * spread.std(),
        PercentileScaler: np.quantile(spread, 0.999, method="inverted_cdf"),
    }
    fitted = wide_program(kind(kind=kind.__name__.removesuffix("Scaler").lower()), spread)
    beginning = fitted.edges()[-1]  # of code 127, which stands for what lies half a code above
    width = 2.0**fitted.shift / fitted.multiplier
    assert beginning + width / 2 == pytest.approx(ends[kind], abs=0.1 * width)


@pytest.mark.parametrize("scaler", [LogScaler(kind="log"), QUANTILE])
def test_tables_of_the_widest_counts_stay_within_int32(scaler):
    for values in ([-WIDE_RANGE, WIDE_RANGE, WIDE_RANGE], [-WIDE_RANGE, -WIDE_RANGE, WIDE_RANGE]):
        breakpoints = wide_program(scaler, values).breakpoints
        assert list(breakpoints) == sorted(breakpoints)
        assert max(breakpoints) < 2**31 and min(breakpoints) >= -(2**31)


@pytest.mark.parametrize("scaler", [LogScaler(kind="log"), QUANTILE])
def test_tables_never_fall_even_with_heavy_ties(scaler):
    values = np.repeat([-3, 0, 5, 7000], [10, 5000, 3, 1])
    breakpoints = program(scaler, values).breakpoints
    assert len(breakpoints) == 255
    assert list(breakpoints) == sorted(breakpoints)


def test_two_stage_keeps_the_band_fine_and_the_whole_range_in_order():
    fine, coarse = fit_codes(TwoStageScaler(kind="two_stage"), [column(NORMAL, SPIKE)])
    assert (fine.name, coarse.name) == ("axial_fine", "axial_coarse")
    assert len(np.unique(fine.program.codes(NORMAL))) > 240
    reached = codes(coarse.program, *range(0, 32_768, 300))
    assert reached == sorted(reached)
    assert codes(coarse.program, 32_639) == [127] > codes(coarse.program, 32_500)


def test_two_stage_spreads_the_coarse_code_over_the_sensor_that_there_is():
    _, coarse = fit_codes(TwoStageScaler(kind="two_stage"), [column(NORMAL, full_scale=2048)])
    assert codes(coarse.program, 2047, -2048, 1024) == [127, -127, 64]


def test_scalers_ignore_the_order_of_sessions():
    parts = np.array_split(NORMAL, 5)
    histograms = [Histogram.of(part) for part in parts]
    forth, back = (sum(some[1:], some[0]) for some in (histograms, histograms[::-1]))
    empty = Histogram.of(NORMAL[:0])
    scaler = ZscoreScaler(kind="zscore")
    assert fit_codes(scaler, [Column("x", forth, empty, 65535, 1)]) == fit_codes(
        scaler, [Column("x", back, empty, 65535, 1)]
    )


@pytest.mark.parametrize(
    ("scaler", "what"),
    [
        (RobustScaler(kind="robust"), "interquartile range"),
        (MINMAX, "range"),
        (ZscoreScaler(kind="zscore"), "variance"),
        (PercentileScaler(kind="percentile"), "range from quantile 0.001 to 0.999"),
        (LogScaler(kind="log"), "range"),
        (QUANTILE, "range"),
        (TwoStageScaler(kind="two_stage"), "range from quantile 0.001 to 0.999"),
    ],
)
def test_signal_that_never_varies_is_refused_by_channel_name(scaler, what):
    with pytest.raises(RecordingError, match=rf"channel 'axial': .* have a {what} of 0 counts"):
        program(scaler, np.zeros(100))
