from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.core.errors import ConfigError
from stages.core.runtime.fault import Cause, FaultGate, Limits, Timing, longest_run
from stages.core.runtime.limits import fit_limits, measure

RAILS = (-32768, 32767)
ANY_TIME = Timing(0, 0, 2**32 - 1)


def fitted(windows, rails=RAILS, quantile=1.0, headroom=1.0):
    """Limits of channels that all have the same rails."""
    each = [rails] * windows.shape[2]
    return fit_limits(measure(windows, each), each, windows.shape[1], quantile=quantile, headroom=headroom)


def test_limits_of_one_window_by_hand():
    counts = np.array([0, 4, 4, 4, -6, 2])[None, :, None]
    # The variance is 88 / 6 - (8 / 6)^2 = 12.89.
    assert fitted(counts, (-10, 10), headroom=2.0) == (Limits(-10, 9, -10, 10, 0, 6, 20, 0, 6, 26),)


def test_the_share_that_is_left_out_sets_no_limit():
    heights = np.arange(1, 101)
    windows = (heights[:, None] * np.array([-1, 1, -1, 1]))[:, :, None]
    (limits,) = fitted(windows, quantile=0.9)
    assert 90 <= limits.high <= 92
    assert limits.max_jump == 2 * limits.high


WINDOWS = arrays.arrays(
    np.int64, st.tuples(st.integers(1, 6), st.integers(2, 12), st.integers(1, 3)), elements=st.integers(*RAILS)
)


@settings(max_examples=100, deadline=None)
@given(windows=WINDOWS, headroom=st.floats(1, 3))
def test_no_window_that_the_limits_are_from_is_unknown(windows, headroom):
    gate = FaultGate(fitted(windows, headroom=headroom), ANY_TIME)
    assert [gate.judge(window, 0, 0) for window in windows] == [Cause(0)] * len(windows)


def test_broken_sensors_are_unknown_and_healthy_ones_are_not():
    rng = np.random.Generator(np.random.PCG64(5))
    train, later = (np.rint(rng.normal(100, 50, (200, 256, 1))).astype(np.int64) for _ in range(2))
    gate = FaultGate(fitted(train, quantile=0.999, headroom=1.5), ANY_TIME)
    assert [gate.judge(window, 0, 0) for window in later] == [Cause(0)] * 200
    stuck, saturated, spike, dead = (later[0].copy() for _ in range(4))
    stuck[50:] = stuck[49]
    saturated[100:110] = RAILS[1]
    spike[7] += 3000
    dead[:] = rng.integers(99, 102, dead.shape)
    assert Cause.STUCK in gate.judge(stuck, 0, 0)
    assert Cause.SATURATION in gate.judge(saturated, 0, 0)
    assert Cause.JUMP in gate.judge(spike, 0, 0)
    assert Cause.VARIANCE in gate.judge(dead, 0, 0)


@settings(max_examples=50, deadline=None)
@given(flags=arrays.arrays(bool, st.tuples(st.integers(1, 4), st.integers(0, 15))))
def test_longest_run(flags):
    expected = [max((len(list(run)) for value, run in groupby(row) if value), default=0) for row in flags.tolist()]
    assert longest_run(flags).tolist() == expected


def test_wide_counts_are_shifted_into_16_bits():
    wide = (-(2**23), 2**23 - 1)
    windows = np.array(wide)[None, :, None]
    (limits,) = fitted(windows, wide)
    assert limits.variance_shift == 8
    assert limits.max_variance == pytest.approx((65535 / 2) ** 2, abs=1)


def test_channels_keep_the_rails_of_their_own_sensors():
    windows = np.array([[[9, 900], [9, 900], [0, 0]]])
    rails = [(-10, 9), (-1000, 999)]
    limits = fit_limits(measure(windows, rails), rails, 3, quantile=1.0, headroom=1.0)
    assert [(each.rail_high, each.max_saturated) for each in limits] == [(9, 2), (999, 0)]


def test_no_windows_are_an_error():
    with pytest.raises(ConfigError, match="no windows to take"):
        fitted(np.zeros((0, 8, 1), np.int16))
