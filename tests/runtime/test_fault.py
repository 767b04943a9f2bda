"""The fault gate: one fault at a time, its model on random windows, and the limits that it refuses."""

from __future__ import annotations

import itertools
from ctypes import byref
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.core.runtime.fault import Cause, FaultGate, Limits, Timing, causes_of
from stages.core.runtime.spread import spread
from tests.bench.fault import noise
from tests.core.device.boards import EMULATED, need_tools
from tests.runtime import library as c
from tests.runtime.fault_cases import any_case
from tests.runtime.fault_images import run_gate

NONE = 2**32 - 1
WIDE = Limits(-(2**31), 2**31 - 1, -(2**31), 2**31 - 1, NONE, NONE, NONE, 0, 0, NONE)
ANY_TIME = Timing(NONE, 0, NONE)
RULES = ["fine", "window", "range", "rails", "shift", "variance", "timing"]
SETTINGS = settings(max_examples=150, deadline=None)


class Device:
    """The C gate in the interface of the model."""

    def __init__(self, runtime, limits, timing, dtype=np.int32):
        self.dtype = dtype
        self.runtime, self.state = runtime, c.Fault()
        self.limits = (c.Limits * len(limits))(*(c.Limits(**asdict(each)) for each in limits))
        runtime.tg_fault_init(byref(self.state), byref(c.Timing(**asdict(timing))))

    def judge(self, window, missed, ticks):
        window = np.ascontiguousarray(window, self.dtype)
        return self.runtime.judge(
            byref(self.state), self.limits, window.ctypes, window.itemsize, *window.shape, missed, ticks
        )

    @property
    def windows(self):
        return self.state.windows

    @property
    def unknown(self):
        return self.state.unknown

    @property
    def counts(self):
        return dict(zip(Cause, self.state.counts, strict=True))


@pytest.fixture(params=["int16", "int32", "model"])
def gate(request, runtime):
    """All sides, for what is known by hand."""

    def make(*limits, timing=ANY_TIME):
        on_device = request.param != "model"
        return Device(runtime, limits, timing, request.param) if on_device else FaultGate(limits, timing)

    return make


def window(*counts):
    return np.array(counts)[:, None]


@pytest.mark.parametrize(
    ("limits", "fine", "broken", "cause"),
    [
        (replace(WIDE, high=5), (5, -9, 3), (0, 6, 1), Cause.RANGE),
        (replace(WIDE, low=-5), (-5, 9, 3), (0, -6, 1), Cause.RANGE),
        (replace(WIDE, rail_high=9, max_saturated=2), (9, 10, 0, 9), (0, 9, 11, 9), Cause.SATURATION),
        (replace(WIDE, rail_low=-9, max_saturated=0), (-8, 8), (-9, 8), Cause.SATURATION),
        (replace(WIDE, max_same=3), (4, 4, 4, 1, 4), (1, 4, 4, 4, 4), Cause.STUCK),
        (replace(WIDE, max_same=3), (0, 0, 0, 1), (0, 0, 0, 0), Cause.STUCK),
        (replace(WIDE, max_jump=7), (100, 107, 100), (100, 92, 95), Cause.JUMP),
        (replace(WIDE, max_jump=2**16 - 2), (0, 2**15 - 1, -1), (-(2**15), 2**15 - 1), Cause.JUMP),
        # The variance of two counts is the square of half their distance: of 0 and 6 it is 9.
        (replace(WIDE, min_variance=9), (0, 6), (0, 5), Cause.VARIANCE),
        (replace(WIDE, max_variance=9), (0, 6), (0, 7), Cause.VARIANCE),
        (replace(WIDE, max_variance=9, variance_shift=2), (0, 27), (0, 28), Cause.VARIANCE),
    ],
)
def test_each_fault_alone(gate, limits, fine, broken, cause):
    tested = gate(limits)
    assert tested.judge(window(*fine), 0, 0) == 0
    assert tested.judge(window(*broken), 0, 0) == cause
    assert (tested.windows, tested.unknown) == (2, 1)
    assert tested.counts == {each: each == cause for each in Cause}


@pytest.mark.parametrize(("most", "cause"), [(NONE - 1, Cause.JUMP), (NONE, 0)])
def test_the_widest_step_of_32_bits(runtime, most, cause):
    tested = Device(runtime, [replace(WIDE, max_jump=most)], ANY_TIME)
    assert tested.judge(window(-(2**31), 2**31 - 1), 0, 0) == cause


def test_one_broken_channel_makes_the_window_unknown(gate):
    tested = gate(WIDE, replace(WIDE, max_same=2), WIDE)
    counts = np.arange(12).reshape(4, 3)
    assert tested.judge(counts, 0, 0) == 0
    counts[:, 1] = 7
    assert tested.judge(counts, 0, 0) == Cause.STUCK


def test_gap_and_timing(gate):
    tested = gate(WIDE, timing=Timing(max_missed=4, min_ticks=90, max_ticks=110))
    courses = [(0, 90), (0, 110), (0, 89), (0, 111), (4, 500), (5, 500)]
    causes = [tested.judge(window(1, 2), *course) for course in courses]
    assert causes == [0, 0, Cause.TIMING, Cause.TIMING, 0, Cause.GAP]


def test_causes_of_one_window_are_counted_each(gate):
    tested = gate(Limits(-5, 5, -5, 5, 0, 1, 3, 0, 1, 100), timing=Timing(0, 0, NONE))
    assert tested.judge(window(9, 9, 0), 1, 0) == (
        Cause.RANGE | Cause.SATURATION | Cause.STUCK | Cause.JUMP | Cause.GAP
    )
    assert (tested.unknown, sum(tested.counts.values())) == (1, 5)


SMALL = st.integers(-20, 20)
LIMITS = st.builds(
    Limits,
    low=st.integers(-20, 0),
    high=st.integers(0, 20),
    rail_low=st.integers(-20, -1),
    rail_high=st.integers(0, 20),
    max_saturated=st.integers(0, 5),
    max_same=st.integers(1, 5),
    max_jump=st.integers(0, 40),
    variance_shift=st.integers(0, 3),
    min_variance=st.integers(0, 5),
    max_variance=st.integers(5, 200),
)
OF_COUNTS = Cause.RANGE | Cause.SATURATION | Cause.STUCK | Cause.JUMP | Cause.VARIANCE


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@SETTINGS
@given(limits=st.lists(LIMITS, min_size=1, max_size=4), data=st.data())
def test_device_and_model_agree(runtime, dtype, limits, data):
    timing = Timing(3, 5, 10)
    device, expected = Device(runtime, limits, timing, dtype), FaultGate(limits, timing)
    any_count = st.one_of(SMALL, st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max))
    for _ in range(3):
        shape = (data.draw(st.integers(1, 12)), len(limits))
        counts = data.draw(arrays.arrays(dtype, shape, elements=any_count, fill=SMALL))
        missed, ticks = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 15))
        assert device.judge(counts, missed, ticks) == expected.judge(counts, missed, ticks)
        assert (device.windows, device.unknown, device.counts) == (expected.windows, expected.unknown, expected.counts)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@SETTINGS
@given(seed=st.integers(0, 2**32 - 1))
def test_device_and_model_agree_at_and_next_to_every_limit(runtime, dtype, seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    case = any_case(rng, dtype, int(rng.integers(1, 5)), int(rng.integers(1, 200)), times=4)
    for limits in case.limits:
        assert Device(runtime, limits, ANY_TIME, dtype).judge(case.window, 0, 0) == causes_of(limits, case.window[None])


@pytest.fixture(scope="module", params=EMULATED)
def on_board(request, tmp_path_factory):
    """A board's name, the windows that its image judged, and the causes and the instructions of each."""
    need_tools(request.param)
    rng = np.random.Generator(np.random.PCG64(82))
    shapes = itertools.product([np.int16, np.int32], [1, 2, 3, 4], [*range(1, 20), 64, 255, 256, 1024, 1999, 2000])
    cases = [noise(1, 16), noise(3, 16), *(any_case(rng, *shape, times=6) for shape in shapes)]
    return request.param, cases, *run_gate(request.param, tmp_path_factory.mktemp(request.param), cases)


def test_boards_and_model_agree_at_and_next_to_every_limit(on_board):
    _, cases, causes, _ = on_board
    expected = [int(causes_of(limits, case.window[None])[0]) for case in cases for limits in case.limits]
    assert causes == expected
    assert Cause(np.bitwise_or.reduce(expected)) == OF_COUNTS
    assert Cause(np.bitwise_or.reduce(~np.array(expected) & OF_COUNTS)) == OF_COUNTS


def test_a_count_of_16_bits_takes_few_instructions(on_board):
    board, cases, _, instructions = on_board
    per_count = [taken / case.window.size for case, taken in zip(cases[:2], instructions[:2], strict=True)]
    assert max(per_count) <= {"mps2_an386": 14, "mps3_an547": 6}[board]


@SETTINGS
@given(counts=st.lists(st.integers(-32768, 32767), min_size=1, max_size=50))
def test_spread_of_16_bits_is_the_variance(counts):
    squared = len(counts) ** 2
    assert spread(counts, 0) / squared == pytest.approx(np.var(counts), rel=1e-9, abs=1e-6)


def test_longest_window_of_the_widest_counts_does_not_overflow(runtime):
    counts = np.tile([-(2**31), 2**31 - 1], 2**14)[:, None]
    limits = replace(WIDE, min_variance=NONE)
    assert Device(runtime, [limits], ANY_TIME).judge(counts, 0, 0) == Cause.VARIANCE
    # Clamped, the counts are 0 and 65535: a variance of 1073709056.25.
    for least, cause in ((1073709056, 0), (1073709057, Cause.VARIANCE)):
        assert Device(runtime, [replace(WIDE, min_variance=least)], ANY_TIME).judge(counts, 0, 0) == cause


@pytest.mark.parametrize(
    ("limits", "timing", "frames", "broken"),
    [
        (WIDE, ANY_TIME, 2**15, "fine"),
        (WIDE, ANY_TIME, 2**15 + 1, "window"),
        (replace(WIDE, low=1, high=0), ANY_TIME, 8, "range"),
        (replace(WIDE, rail_low=5, rail_high=5), ANY_TIME, 8, "rails"),
        (replace(WIDE, variance_shift=16), ANY_TIME, 8, "fine"),
        (replace(WIDE, variance_shift=17), ANY_TIME, 8, "shift"),
        (replace(WIDE, min_variance=2, max_variance=1), ANY_TIME, 8, "variance"),
        (WIDE, Timing(0, 2, 1), 8, "timing"),
    ],
)
def test_nonsense_is_refused_by_name(runtime, limits, timing, frames, broken):
    given_limits, given_timing = c.Limits(**asdict(limits)), c.Timing(**asdict(timing))
    assert RULES[runtime.tg_fault_check(byref(given_limits), byref(given_timing), frames)] == broken
