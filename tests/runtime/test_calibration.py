"""Calibration: what is learnt, what is refused, and a record that survives a torn write."""

from __future__ import annotations

import struct
import zlib
from ctypes import byref, c_int32, string_at
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.core.runtime import calibration as model
from stages.core.runtime.calibration import Calibration, CalibrationLimits, Result
from tests.runtime import library as c

SETTINGS = settings(max_examples=300, deadline=None)
#: An accelerometer of 1000 counts per g that lies flat.
LIMITS = CalibrationLimits(
    rest=(0, 0, 1000),
    variance_shift=0,
    max_variance=25,
    min_norm=950**2,
    max_norm=1050**2,
    max_offset=60,
    min_span=500,
    max_slope=65536,
    min_windows=100,
    headroom=20,
    min_threshold=50,
    max_threshold=90,
)
EMPTY = Calibration(sequence=0, temperature=2500, offset=(0, 0, 0), slope=(0, 0, 0), threshold=70)


def still(*means, n=64):
    """Counts that rest at these means, two counts to either side in turn."""
    return np.array(means) + np.where(np.arange(n) % 2, 2, -2)[:, None]


def to_c(record):
    given_ = c.Calibration(1, record.sequence, len(record.offset), record.temperature, threshold=record.threshold)
    given_.offset[: len(record.offset)], given_.slope[: len(record.slope)] = record.offset, record.slope
    return given_


def from_c(record):
    n = record.channels
    return Calibration(
        record.sequence, record.temperature, tuple(record.offset[:n]), tuple(record.slope[:n]), record.threshold
    )


def limits_to_c(limits):
    values = {name: getattr(limits, name) for name, *_ in c.CalibrationLimits._fields_}
    rest = (c_int32 * c.CALIBRATION_CHANNELS)(*values.pop("rest"))
    return c.CalibrationLimits(rest=rest, **values)


def on_device(runtime, record, step, limits, rest, temperature):
    states, counts = (c.Rest * rest.shape[1])(), np.ascontiguousarray(rest, np.int32)
    given_, limits_ = to_c(record), limits_to_c(limits)
    runtime.rest(states, byref(limits_), counts.ctypes, *counts.shape)
    learn = {"offset": runtime.tg_calibration_offset, "slope": runtime.tg_calibration_slope}[step]
    result = learn(byref(given_), byref(limits_), states, c_int32(temperature))
    return Result(result), from_c(given_)


@pytest.fixture(params=["device", "model"])
def calibrate(request, runtime):
    """Both sides, for what is known by hand."""
    return (lambda *given_: on_device(runtime, *given_)) if request.param == "device" else model.calibrate


def test_offset_is_what_the_mean_is_away_from_rest(calibrate):
    result, record = calibrate(EMPTY, "offset", LIMITS, still(12, -30, 985), 2100)
    assert result is Result.DONE
    assert record == replace(EMPTY, offset=(12, -30, -15), temperature=2100)


def test_mean_is_rounded_to_the_nearest_with_halves_up(calibrate):
    counts = np.array([[0, -1, 1000], [1, 0, 1000], [1, -1, 1000], [0, 0, 1001]])
    assert calibrate(EMPTY, "offset", LIMITS, counts, 2500)[1].offset == (1, 0, 0)


@pytest.mark.parametrize(
    ("rest", "refused"),
    [
        (still(0, 0, 1000) * np.array([1, 3, 1]), Result.MOVING),
        (np.zeros((0, 3)), Result.MOVING),
        (still(0, 0, 1000, n=2**15 + 1), Result.MOVING),
        (still(0, 0, 500), Result.GRAVITY),
        (still(0, 0, 1055), Result.GRAVITY),
        (still(700, 0, 700), Result.OFFSET),
        (still(61, 0, 1000), Result.OFFSET),
    ],
)
@pytest.mark.parametrize("step", ["offset", "slope"])
def test_bad_conditions_keep_the_old_record(calibrate, step, rest, refused):
    old = replace(EMPTY, offset=(1, 2, 3), slope=(4, 5, 6), sequence=9)
    assert calibrate(old, step, LIMITS, rest, 4000) == (refused, old)


def test_means_too_large_for_64_bits_are_within_no_limit_at_all(calibrate):
    huge, six = np.full((1, 6), 2**31 - 1), Calibration(0, 0, (0,) * 6, (0,) * 6, 0)
    limits = replace(LIMITS, rest=(2**31 - 1,) * 6, max_norm=2**64 - 1)
    assert calibrate(six, "offset", limits, huge, 0)[0] is Result.DONE
    assert calibrate(six, "offset", replace(limits, max_norm=2**64 - 2), huge, 0)[0] is Result.GRAVITY


def test_slope_is_the_drift_per_degree_and_clamped(calibrate):
    old = replace(EMPTY, offset=(10, 0, 0))
    # In 10 degrees 20 counts up, which is 1310.72; 40 down, which is beyond the clamp; 1 up, 65.536.
    limits = replace(LIMITS, max_slope=2000)
    result, record = calibrate(old, "slope", limits, still(30, -40, 1001), 3500)
    assert result is Result.DONE
    assert record == replace(old, slope=(1310, -2000, 65))
    cold = calibrate(old, "slope", limits, still(-10, 0, 1000), 1500)[1]
    assert cold.slope == (1310, 0, 0)


def test_slope_needs_temperatures_apart(calibrate):
    assert calibrate(EMPTY, "slope", LIMITS, still(5, 0, 1000), 2999) == (Result.SPAN, EMPTY)
    assert calibrate(EMPTY, "slope", LIMITS, still(5, 0, 1000), 2000)[0] is Result.DONE


def no_event_on_device(runtime, record, limits, scores):
    quiet, given_, limits_ = c.Quiet(), to_c(record), limits_to_c(limits)
    for score in scores:
        runtime.tg_calibration_quiet_add(byref(quiet), c_int32(score))
    return Result(runtime.tg_calibration_no_event(byref(given_), byref(limits_), byref(quiet))), from_c(given_)


@pytest.mark.parametrize(
    ("scores", "result", "threshold"),
    [
        ([-128] * 99, Result.WINDOWS, 70),
        ([-128] * 99 + [45], Result.DONE, 65),
        ([-90] * 100, Result.DONE, 50),
        ([127] * 100, Result.DONE, 90),
    ],
)
def test_no_event_threshold_is_above_the_quiet_scores_within_its_clamp(runtime, scores, result, threshold):
    due = (result, replace(EMPTY, threshold=threshold))
    assert no_event_on_device(runtime, EMPTY, LIMITS, scores) == due
    assert model.calibrate_no_event(EMPTY, LIMITS, scores) == due


def apply(runtime, record, channel, count, temperature):
    return runtime.tg_calibration_apply(byref(to_c(record)), channel, c_int32(count), c_int32(temperature))


def test_correction_by_hand(runtime):
    record = replace(EMPTY, offset=(10, 0, 0), slope=(65536 // 100, 0, -65536))
    # A count per degree: 1 at 1.0, rounded 1 at 0.5 and 0 at 0.49 degrees more.
    assert [apply(runtime, record, 0, 100, t) for t in (2500, 2600, 2551, 2549, 2400)] == [90, 89, 89, 90, 91]
    assert [apply(runtime, record, 2, count, 2600) for count in (0, 2**31 - 1)] == [100, 2**31 - 1]


INT32 = st.integers(-(2**31), 2**31 - 1)


@SETTINGS
@given(count=INT32, offset=INT32, slope=INT32, then=INT32, now=INT32)
def test_correction_of_device_and_model_agree(runtime, count, offset, slope, then, now):
    record = Calibration(0, then, (offset,), (slope,), 0)
    assert apply(runtime, record, 0, count, now) == record.apply(np.array([count]), now)[0]


@SETTINGS
@given(
    rest=arrays.arrays(
        np.int64, st.tuples(st.integers(0, 20), st.integers(1, 6)), elements=st.integers(-40, 40) | INT32, fill=INT32
    ),
    step=st.sampled_from(["offset", "slope"]),
    temperatures=st.tuples(INT32, INT32),
    wide=st.booleans(),
    old=INT32,
)
def test_device_and_model_agree(runtime, rest, step, temperatures, wide, old):
    channels = rest.shape[1]
    most = 2**32 - 1 if wide else 50
    limits = replace(LIMITS, rest=(-3,) * 6, max_variance=most, max_offset=most, min_norm=0, max_norm=2**64 - 1)
    record = Calibration(3, temperatures[0], (old,) * channels, (7,) * channels, 1)
    expected = model.calibrate(record, step, limits, rest, temperatures[1])
    assert on_device(runtime, record, step, limits, rest, temperatures[1]) == expected


def seal(runtime, record):
    given_ = to_c(record)
    runtime.tg_calibration_seal(byref(given_))
    return given_


def newest(runtime, a, b, channels=3):
    found = runtime.tg_calibration_newest(byref(a), byref(b), channels)
    return from_c(found.contents) if found else None


def test_sealed_record_is_the_bytes_that_the_host_writes(runtime):
    record = Calibration(41, -250, (1, -2, 3), (-4, 5, -6), -7)
    assert string_at(byref(seal(runtime, record)), 72) == replace(record, sequence=42).encode()


@pytest.mark.parametrize(("a", "b", "newer"), [(1, 2, "b"), (2, 1, "a"), (2**32 - 1, 0, "b"), (0, 2**32 - 1, "a")])
def test_newer_of_two_records_holds_even_where_numbers_wrap(runtime, a, b, newer):
    # Sealing counts up by one.
    records = {"a": replace(EMPTY, sequence=(a - 1) % 2**32), "b": replace(EMPTY, sequence=(b - 1) % 2**32)}
    sealed = {name: seal(runtime, record) for name, record in records.items()}
    assert newest(runtime, sealed["a"], sealed["b"]) == from_c(sealed[newer])


def test_any_torn_or_flipped_write_leaves_the_record_before(runtime):
    old, new = seal(runtime, EMPTY), seal(runtime, replace(EMPTY, sequence=1, offset=(9, 9, 9), threshold=60))
    whole = string_at(byref(new), 72)
    torn = [whole[:cut] + b"\xff" * (72 - cut) for cut in range(72)]
    flipped = [whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :] for at in range(72) for bit in range(8)]
    for written in torn + flipped:
        slot = c.Calibration.from_buffer_copy(written)
        assert newest(runtime, old, slot) == newest(runtime, slot, old) == from_c(old)
    assert newest(runtime, old, new) == from_c(new)


def test_no_record_of_another_layout_or_sensor_holds(runtime):
    later = seal(runtime, EMPTY)
    later.version = 2
    body = string_at(byref(later), 68)
    later.crc = zlib.crc32(body)
    assert newest(runtime, later, later) is None
    assert newest(runtime, seal(runtime, EMPTY), later, channels=2) is None
    assert struct.unpack("<I", body[:4]) == (2,)
