"""The integer program against exact arithmetic on unbounded integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.core.dsp.contract import ChannelScale, Preprocess, preprocess

SLOPES = st.floats(1e-4, 100)
OFFSETS = st.integers(-32768, 32767)


def contract(dc, length, *scales):
    return Preprocess(1000.0, tuple(f"c{i}" for i in range(len(scales))), length, length, dc, scales)


def brute_force(spec, window):
    codes = []
    for channel, scale in enumerate(spec.scale):
        samples = [int(value) for value in window[:, channel]]
        mean = (sum(samples) + len(samples) // 2) // len(samples) if spec.dc == "window_mean" else 0
        for value in samples:
            product = (value - mean - scale.offset) * scale.multiplier
            assert -(2**31) <= product + 2 ** (scale.shift - 1) < 2**31, "the program must fit int32"
            codes.append(max(-128, min(127, (product + 2 ** (scale.shift - 1)) // 2**scale.shift)))
    return np.array(codes, dtype=np.int8).reshape(len(spec.scale), -1).T


@given(hnp.arrays(np.int16, (32, 2)), SLOPES, SLOPES, OFFSETS, OFFSETS, st.sampled_from(["none", "window_mean"]))
def test_program_equals_unbounded_integers_over_the_int16_range(window, slope_a, slope_b, offset_a, offset_b, dc):
    spec = contract(dc, 32, ChannelScale.from_real(offset_a, slope_a), ChannelScale.from_real(offset_b, slope_b))
    np.testing.assert_array_equal(preprocess(spec, window[None])[0], brute_force(spec, window))


@given(SLOPES)
def test_multiplier_and_shift_represent_the_slope_to_12_bits(slope):
    scale = ChannelScale.from_real(0, slope)
    assert 1 <= scale.shift <= 30
    assert 1 <= scale.multiplier < 2**13
    assert scale.multiplier / 2**scale.shift == pytest.approx(slope, rel=2**-12)


def test_halves_round_towards_plus_infinity():
    spec = contract("none", 4, ChannelScale(offset=0, multiplier=1, shift=1))
    codes = preprocess(spec, np.array([[[1], [-1], [3], [-3]]], dtype=np.int16))
    assert codes.ravel().tolist() == [1, 0, 2, -1]


def test_constant_offset_does_not_reach_the_codes_with_window_mean():
    spec = contract("window_mean", 8, ChannelScale(0, 1, 1))
    window = np.arange(8, dtype=np.int16)[None, :, None]
    np.testing.assert_array_equal(preprocess(spec, window), preprocess(spec, window + np.int16(1000)))


def test_contract_survives_json_and_its_id_follows_its_content():
    spec = contract("none", 4, ChannelScale(3, 5, 7))
    assert Preprocess.from_json(spec.to_json()) == spec
    other = contract("none", 4, ChannelScale(3, 5, 8))
    assert spec.to_json()["preprocess_id"] != other.to_json()["preprocess_id"]
