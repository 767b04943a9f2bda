"""What the report says of distributions whose loss can be worked out by hand."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau

from stages.core.dsp.contract import Affine, Table
from stages.core.dsp.histogram import Histogram
from stages.core.dsp.scalers import Column
from stages.core.dsp.scaling_report import (
    band_and_event_codes,
    code_histogram,
    compare,
    cost,
    report,
    worst_column,
    worst_costs,
)
from stages.core.report.scaling_figure import save_scaling
from stages.core.schema.features import Features

TENTH = Affine(0, 6554, 16)  # a code per 10 counts
NO_PEAKS = np.zeros((0, 2), dtype=np.int32)


def column(healthy, events=(), name="x"):
    histograms = (Histogram.of(np.asarray(values, dtype=np.int32)) for values in (healthy, events))
    return Column(name, *histograms, limit=65535, full_scale=32768)


def features(scaler, extractor="raw", normalise=None):
    more = {"frame": 8, "hop": 8} if extractor == "stats" else {}
    return Features.model_validate(
        {"dc": "none", "normalise": normalise, "extractor": {"kind": extractor} | more, "scaler": {"kind": scaler}}
    )


def shocks(rng):
    """Normal vibration at a twentieth of the range, and events up to all of it."""
    healthy = rng.normal(0, 300, 50_000).round().astype(np.int32)
    strengths = rng.uniform(2000, 32_000, 200)
    windows = (strengths[:, None] * np.exp(-np.arange(20) / 4)).round().astype(np.int32)
    return healthy, windows


def test_distinct_codes_of_the_normal_band_by_hand():
    # The band of 0 .. 999 is 9 .. 989: codes round(9 / 10) .. round(989 / 10).
    found = cost(TENTH, TENTH, column(np.arange(1000)), NO_PEAKS)
    assert found.distinct_codes == 99
    assert found.healthy_clipped == 0


def test_sqnr_of_a_uniform_signal_follows_from_its_step():
    # Cells of 10 integers have the error variance (10^2 - 1) / 12, whatever the signal.
    found = cost(TENTH, TENTH, column(np.arange(-1000, 1000)), NO_PEAKS)
    band = np.arange(-981, 980)
    assert found.band_sqnr_db == pytest.approx(10 * math.log10(band.var() / (99 / 12)), abs=0.05)


def test_a_constant_offset_is_no_signal():
    around_zero = cost(TENTH, TENTH, column(np.arange(-500, 500)), NO_PEAKS)
    around_gravity = cost(Affine(2000, 6554, 16), TENTH, column(np.arange(1500, 2500)), NO_PEAKS)
    assert around_gravity.band_sqnr_db == pytest.approx(around_zero.band_sqnr_db)


def test_a_scale_finer_than_counts_loses_nothing():
    assert cost(Affine(0, 2, 1), TENTH, column(np.arange(-100, 100)), NO_PEAKS).band_sqnr_db is None


def test_clipped_is_what_lies_beyond_the_cells_of_the_end_codes():
    # Code 127 begins at 126.5 / 0.1 and code -127 at -127.5 / 0.1, just above -1275: 127 stands for 1265 .. 1274 and
    # -128, as wide as -127, for -1284 .. -1275.
    found = cost(TENTH, TENTH, column([0] * 90 + [1275] * 10, [1274, 1275, -1284, -1285]), NO_PEAKS)
    assert found.healthy_clipped == 0.1
    assert found.events_clipped == 0.5


def test_code_histogram_counts_what_the_program_gives():
    values = np.random.default_rng(0).normal(0, 800, 5000).round().astype(np.int32)
    table = Table(tuple(range(-1270, 1280, 10)))
    for program in (TENTH, table):
        expected = np.bincount(program.codes(values).astype(int) + 128, minlength=256)
        np.testing.assert_array_equal(code_histogram(program, Histogram.of(values)), expected)


def test_order_kept_is_kendalls_tau_between_strength_and_code():
    rng = np.random.default_rng(1)
    peaks = np.stack([-rng.integers(0, 3000, 50), rng.integers(0, 3000, 50)], axis=1).astype(np.int32)
    found = cost(TENTH, TENTH, column(np.arange(-100, 101), [1]), peaks)
    heights = np.abs(np.clip(np.rint(peaks / 10), -128, 127)).max(axis=1)
    assert found.order_kept == pytest.approx(kendalltau(np.abs(peaks).max(axis=1), heights).statistic, abs=1e-3)
    assert found.order_kept < 0.9  # many clip


def test_order_of_events_that_all_clip_is_lost():
    peaks = np.array([[0, 2000], [0, 3000], [0, 4000]], dtype=np.int32)
    assert cost(TENTH, TENTH, column(np.arange(-100, 101), [1]), peaks).order_kept == 0
    assert cost(TENTH, TENTH, column(np.arange(-100, 101)), NO_PEAKS).order_kept is None


def test_minmax_collapses_under_a_spike_and_two_stage_keeps_band_and_order():
    healthy, windows = shocks(np.random.default_rng(2))
    peaks = np.stack([windows.min(axis=1), windows.max(axis=1)], axis=-1)[:, None]
    candidates = compare(features("two_stage"), [column(healthy, windows)], peaks)
    costs = {candidate.kind: candidate.costs["x"] for candidate in candidates}
    assert sorted(costs) == ["log", "minmax", "percentile", "quantile", "robust", "two_stage", "zscore"]
    assert costs["minmax"].distinct_codes < 20
    assert costs["two_stage"].distinct_codes > 150
    assert costs["two_stage"].order_kept > 0.98
    assert costs["percentile"].order_kept < 0.5
    assert costs["two_stage"].events_clipped == 0 < costs["percentile"].events_clipped
    assert costs["minmax"].events_sqnr_db > 30 > costs["percentile"].events_sqnr_db


def test_the_chosen_scaler_is_compared_as_configured_and_the_others_by_default():
    healthy, windows = shocks(np.random.default_rng(3))
    section = features("robust").model_copy(
        update={"scaler": features("robust").scaler.model_copy(update={"span_iqr": 2})}
    )
    peaks = np.zeros((0, 1, 2), dtype=np.int32)
    tight, default = (compare(each, [column(healthy, windows)], peaks) for each in (section, features("minmax")))
    by_kind = [{candidate.kind: candidate.codes for candidate in candidates} for candidates in (tight, default)]
    assert by_kind[0]["robust"] != by_kind[1]["robust"]
    assert by_kind[0]["zscore"] == by_kind[1]["zscore"]


def test_two_stage_is_not_compared_where_values_are_not_counts():
    healthy, windows = shocks(np.random.default_rng(4))
    for section in (features("minmax", "stats"), features("minmax", normalise={"epsilon": 5})):
        candidates = compare(section, [column(healthy, windows)], np.zeros((0, 1, 2), dtype=np.int32))
        assert "two_stage" not in [candidate.kind for candidate in candidates]


def test_a_scaler_that_cannot_be_fitted_is_left_out_of_the_comparison():
    mostly_zero = np.append(np.zeros(1000), [5, 9])
    candidates = compare(features("quantile"), [column(mostly_zero)], np.zeros((0, 1, 2), dtype=np.int32))
    assert {"robust"}.isdisjoint(candidate.kind for candidate in candidates)
    assert {"quantile", "minmax"} <= {candidate.kind for candidate in candidates}


def test_report_counts_fine_codes_of_the_band_and_coarse_codes_of_events():
    healthy, windows = shocks(np.random.default_rng(5))
    columns = [column(healthy, windows)]
    candidates = compare(features("two_stage"), columns, np.zeros((0, 1, 2), dtype=np.int32))
    (chosen,) = [candidate for candidate in candidates if candidate.kind == "two_stage"]
    body = report("two_stage", candidates, columns)
    band, events = band_and_event_codes(chosen, columns, "x")
    assert body["scaler"] == "two_stage"
    assert list(body["code_histograms"]) == ["x_fine", "x_coarse"]
    assert body["code_histograms"]["x_fine"]["healthy"] == band.tolist()
    assert body["code_histograms"]["x_coarse"]["events"] == events.tolist()
    assert band.sum() == len(healthy)
    assert events.sum() == windows.size


def test_noise_of_counts_whose_squares_exceed_64_bits_is_exact():
    step = Affine.from_real(0, 2.0**-24, 2**31)  # a code per 2**24 counts
    values = np.random.default_rng(7).integers(-(2**30), 2**30, 20_000)
    found = cost(step, step, Column("x", Histogram.of(values), Histogram.of(values[:0]), 2**31, 2**31), NO_PEAKS)
    assert found.band_sqnr_db == pytest.approx(10 * math.log10((0.98 * 2**31) ** 2 / 2**48), abs=0.1)
    assert found.distinct_codes == pytest.approx(0.98 * 2**31 / 2**24, abs=2)


def test_worst_costs_are_taken_over_columns():
    wide, narrow = column(np.arange(1000), name="wide"), column(np.arange(0, 100), [5], name="narrow")
    costs = {each.name: cost(TENTH, TENTH, each, NO_PEAKS) for each in (wide, narrow)}
    assert worst_column(costs) == "narrow"
    worst = worst_costs(costs)
    assert worst["distinct_codes"] == costs["narrow"].distinct_codes
    assert worst["band_sqnr_db"] == costs["narrow"].band_sqnr_db
    assert "order_kept" not in worst


def test_the_picture_has_the_same_bytes_twice(tmp_path):
    healthy, windows = shocks(np.random.default_rng(6))
    columns = [column(healthy, windows, "x"), column(healthy // 50, windows, "y")]
    peaks = np.stack([windows.min(axis=1), windows.max(axis=1)], axis=-1)[:, None].repeat(2, axis=1)
    candidates = compare(features("two_stage"), columns, peaks)
    for name in ("a.png", "b.png"):
        save_scaling(tmp_path / name, "two_stage", candidates, columns)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
