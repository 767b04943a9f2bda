"""Scalers against numpy's own quantiles, and what the report says of a known distribution."""

import numpy as np
import pytest

from stages.core.dsp.scalers import Histogram, fit_scaler
from stages.core.dsp.scaling_report import band_cost
from stages.core.errors import RecordingError
from stages.core.schema.features import RobustScaler


def histogram_of(values):
    histogram = Histogram.empty()
    for block in np.array_split(values, 3):
        histogram.add(block.astype(np.int32))
    return histogram


def test_histogram_quantiles_equal_numpy_inverted_cdf():
    values = np.random.default_rng(0).integers(-65535, 65535, 999)
    histogram = histogram_of(values)
    for fraction in (0.01, 0.25, 0.5, 0.75, 0.99):
        assert histogram.quantile(fraction) == np.quantile(values, fraction, method="inverted_cdf")


def test_robust_scaler_puts_code_127_at_the_span():
    values = np.arange(-1000, 1001)  # median 0, interquartile range 1000
    scale = fit_scaler(RobustScaler(kind="robust", span_iqr=2.0), histogram_of(values), "x")
    assert scale.offset == 0
    assert scale.multiplier / 2**scale.shift == pytest.approx(127 / 2000, rel=1e-3)


def test_robust_scaler_is_not_moved_by_one_spike():
    values = np.random.default_rng(0).normal(0, 300, 10_000).round()
    spiked = np.append(values, 32_767)
    scaler = RobustScaler(kind="robust", span_iqr=5.0)
    assert fit_scaler(scaler, histogram_of(values), "x") == fit_scaler(scaler, histogram_of(spiked), "x")


def test_signal_that_never_varies_is_refused_by_channel_name():
    with pytest.raises(RecordingError, match=r"channel 'axial'.*interquartile range of 0"):
        fit_scaler(RobustScaler(kind="robust", span_iqr=5.0), histogram_of(np.zeros(100)), "axial")


def test_report_counts_codes_of_the_normal_band_by_hand():
    # 1 code per 10 counts: the band of 0..999 covers codes round(9/10) .. round(989/10).
    cost = band_cost(histogram_of(np.arange(1000)), codes_per_count=0.1, offset=0)
    assert cost["distinct_codes"] == 99
    assert cost["clipped_fraction"] == 0
