"""The integer program against exact arithmetic on unbounded integers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.core.dsp.contract import Affine, Code, Preprocess, Raw, Table, normalise, preprocess, values
from stages.core.dsp.extractors import Bands, Stats, extract
from tests.core.dsp.contracts import contracts
from tests.kernels import brute_force

SLOPES = st.floats(1e-4, 100)
OFFSETS = st.integers(-(2**17) + 1, 2**17 - 1)
LIMITS = st.sampled_from([32768, 65535, 2**17 - 1])


def contract(dc, length, *programs, epsilon=None, extractor=None):
    channels = tuple(f"c{i}" for i in range(len(programs)))
    codes = tuple(Code(name, i, program) for i, (name, program) in enumerate(zip(channels, programs, strict=True)))
    return Preprocess(1000.0, channels, length, length, dc, epsilon, extractor or Raw(), codes)


def extreme_windows(spec, rng):
    """Noise over all of int16, both ends in turn, and a constant."""
    shape = (spec.window, len(spec.channels))
    noise = rng.integers(-32768, 32768, shape)
    return np.stack([noise, rng.choice([-32768, 32767], shape), np.full(shape, 32767)]).astype(np.int16)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts(kinds=("raw",)), st.integers(0, 2**32))
def test_program_equals_unbounded_integers_over_the_int16_range(drawn, seed):
    spec, _ = drawn
    windows = extreme_windows(spec, np.random.Generator(np.random.PCG64(seed)))
    expected = np.stack([brute_force.preprocess(spec.to_json(), window) for window in windows])
    np.testing.assert_array_equal(preprocess(spec, windows), expected)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts())
def test_every_contract_survives_json_and_gives_codes_of_its_shape(drawn):
    spec, _ = drawn
    body = spec.to_json()
    assert Preprocess.from_json(body) == spec
    codes = preprocess(spec, extreme_windows(spec, np.random.Generator(np.random.PCG64(0))))
    assert codes.shape == (3, *body["shape"])
    assert codes.dtype == np.int8


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contracts())
def test_values_stay_within_the_limit_that_programs_rely_on(drawn):
    spec, _ = drawn
    found = values(spec, extreme_windows(spec, np.random.Generator(np.random.PCG64(1))))
    assert np.abs(found).max() <= spec.value_limit < 2**17


@given(SLOPES, OFFSETS, LIMITS)
def test_multiplier_and_shift_represent_the_slope_to_11_bits_and_fit_int32(slope, offset, limit):
    program = Affine.from_real(offset, slope, limit)
    assert program.multiplier / 2**program.shift == pytest.approx(slope, rel=2**-11)
    assert 1 <= program.shift <= 30
    assert (limit + abs(offset)) * program.multiplier + 2 ** (program.shift - 1) < 2**31


@given(st.floats(1e-4, 100))
def test_counts_of_a_sensor_keep_12_bits_of_the_slope(slope):
    program = Affine.from_real(-32768, slope, 65535)
    assert program.multiplier / 2**program.shift == pytest.approx(slope, rel=2**-12)


@given(st.integers(-70000, 70000), st.floats(1e-3, 100))
def test_edges_are_the_first_values_of_their_codes(offset, slope):
    program = Affine.from_real(offset, slope, 65535)
    edges = program.edges()
    inside = np.abs(edges) < 65535
    codes = np.arange(-127, 128)[inside]
    at, before = (program.codes((edges[inside] - step).astype(np.int32)) for step in (0, 1))
    assert np.all(at >= codes)
    assert np.all(before < codes)


INT32 = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(INT32, min_size=1, max_size=20), INT32, st.integers(1, 2**13 - 1), st.integers(1, 46))
def test_program_of_int32_counts_equals_unbounded_integers(counts, offset, multiplier, shift):
    spec = replace(contract("none", 1, Affine(offset, multiplier, shift)), sample_type="int32")
    windows = np.array(counts, dtype=np.int32)[:, None, None]
    exact = [((count - offset) * multiplier + 2 ** (shift - 1)) // 2**shift for count in counts]
    assert preprocess(spec, windows).ravel().tolist() == [min(max(code, -128), 127) for code in exact]


@given(st.lists(INT32, min_size=1, max_size=20), st.lists(INT32, min_size=255, max_size=255))
def test_table_of_int32_counts_counts_breakpoints(counts, breakpoints):
    spec = replace(contract("none", 1, Table(tuple(sorted(breakpoints)))), sample_type="int32")
    windows = np.array(counts, dtype=np.int32)[:, None, None]
    expected = [sum(point <= count for point in breakpoints) - 128 for count in counts]
    assert preprocess(spec, windows).ravel().tolist() == expected


@given(st.floats(1e-9, 100), INT32)
def test_slope_for_int32_counts_keeps_12_bits(slope, offset):
    program = Affine.from_real(offset, slope, 2**31)
    assert program.multiplier / 2**program.shift == pytest.approx(slope, rel=2**-12)
    assert 1 <= program.shift <= 46
    assert program.multiplier < 2**13


def test_contract_names_its_sample_type_only_if_it_is_not_int16():
    narrow = contract("none", 1, Affine(0, 1, 1))
    wide = replace(narrow, sample_type="int32")
    assert "sample_type" not in narrow.to_json()
    assert wide.to_json()["sample_type"] == "int32"
    assert Preprocess.from_json(wide.to_json()) == wide
    assert wide.to_json()["preprocess_id"] != narrow.to_json()["preprocess_id"]


def test_halves_round_towards_plus_infinity():
    spec = contract("none", 4, Affine(offset=0, multiplier=1, shift=1))
    codes = preprocess(spec, np.array([[[1], [-1], [3], [-3]]], dtype=np.int16))
    assert codes.ravel().tolist() == [1, 0, 2, -1]


def test_a_table_counts_its_breakpoints_that_are_not_above_the_value():
    program = Table(tuple([0] * 100 + [10] * 155))
    assert program.codes(np.array([-1, 0, 9, 10])).tolist() == [-128, -28, -28, 127]


def test_constant_offset_does_not_reach_the_codes_with_window_mean():
    spec = contract("window_mean", 8, Affine(0, 1, 1))
    window = np.arange(8, dtype=np.int16)[None, :, None]
    np.testing.assert_array_equal(preprocess(spec, window), preprocess(spec, window + np.int16(1000)))


def test_normalised_windows_have_an_rms_of_1024_whatever_their_gain():
    wave = np.sin(np.arange(256) / 5)
    for amplitude in (100, 3000, 32000):
        values_ = np.rint(amplitude * wave).astype(np.int32)[None, :, None]
        rms = np.sqrt(np.mean(normalise(values_, 1).astype(float) ** 2))
        assert rms == pytest.approx(1024, rel=0.02)


def test_silence_is_not_blown_up_by_normalisation():
    noise = np.tile(np.array([1, -1], dtype=np.int32), 64)[None, :, None]
    assert np.abs(normalise(noise, 50)).max() == 20  # 1024 / (1 + 50) = 20.08
    assert not normalise(np.zeros((1, 8, 1), dtype=np.int32), 1).any()


def test_a_lone_spike_in_a_long_window_is_limited_to_17_bits():
    values_ = np.zeros((1, 16384, 1), dtype=np.int32)
    values_[0, 5, 0] = -65535
    # The RMS is 65535 / 128 = 511; 65535 * 1024 / 512 would be 131070, one below the limit of 131071.
    assert normalise(values_, 1)[0, 5, 0] == -131070
    quiet = np.zeros((1, 16384, 1), dtype=np.int32)
    quiet[0, 5, 0] = 200  # the RMS is 1: 200 * 1024 / 2 = 102400
    assert normalise(quiet, 1)[0, 5, 0] == 102400


def test_features_are_of_the_values_without_dc():
    windows = np.random.default_rng(0).integers(-3000, 3000, (4, 64, 2)).astype(np.int16)
    for extractor in (Stats(16, 8), Bands(32, 16, "hann", (1, 5, 17))):
        spec = replace(contract("window_mean", 64, Affine(0, 1, 1), Affine(0, 1, 1)), extractor=extractor, codes=())
        shifted = windows - np.floor(windows.mean(axis=1, keepdims=True) + 0.5).astype(np.int16)
        np.testing.assert_array_equal(values(spec, windows), extract(extractor, shifted.astype(np.int32)))


def test_the_identity_follows_the_content():
    spec = contract("none", 4, Affine(3, 5, 7))
    identity = spec.to_json()["preprocess_id"]
    for other in (
        contract("none", 4, Affine(3, 5, 8)),
        contract("none", 4, Affine(3, 5, 7), epsilon=1),
        contract("none", 4, Affine(3, 5, 7), extractor=Stats(2, 1)),
        replace(spec, codes=(replace(spec.codes[0], name="other"),)),
    ):
        assert other.to_json()["preprocess_id"] != identity
    assert contract("none", 4, Affine(3, 5, 7)).to_json()["preprocess_id"] == identity


def test_two_codes_of_one_channel_lie_beside_each_other():
    fine, coarse = Code("c0_fine", 0, Affine(0, 2, 1)), Code("c0_coarse", 0, Affine(0, 1, 8))
    spec = replace(contract("none", 2, Affine(0, 1, 1)), codes=(fine, coarse))
    codes = preprocess(spec, np.array([[[100], [25600]]], dtype=np.int16))
    assert codes[0].tolist() == [[100, 0], [127, 100]]
    assert spec.shape == (2, 2)
