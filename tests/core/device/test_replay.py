"""The stream on its way to a board and back: blocks in time, faults that touch only what they say, and bad answers."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.device import replay
from stages.core.device.injection import FAULTS, Place, inject
from stages.core.device.replay import Course, Stretch
from stages.core.errors import ArtifactError

RAILS = [(-2048, 2047), (-100, 99)]
PLACE = Place(RAILS, hop=40, busy_ticks=50_000)


def counts(n):
    return np.stack([np.arange(n), -np.arange(n) % 7], axis=1).astype(np.int16)


COURSE = Course.of([Stretch(counts(2000))], block_frames=10, sample_rate_hz=1000.0, tick_hz=32_000_000)


def test_blocks_are_whole_and_come_at_their_times():
    course = Course.of([Stretch(counts(25)), Stretch(counts(31) + 100, missing=12)], 10, 1000.0, 32_000_000)
    # Two blocks, five frames that fill none and twelve that are missing: three blocks never come.
    assert course.numbers.tolist() == [0, 1, 5, 6, 7]
    assert course.frames[:, 0, 0].tolist() == [0, 10, 100, 110, 120]
    assert course.first_samples.tolist() == [0, 10, 25, 35, 45]
    assert (course.quantum_ticks, course.quanta_per_block) == (40_000, 8)  # 10 ms of 32 MHz
    assert course.quanta.tolist() == [8, 8, 32, 8, 8]
    assert course.core_ticks_of(20) == 640_000
    assert course.sample_of(57) == 32
    assert course.counts_of(57, 6)[:, 0].tolist() == [107, 108, 109, 110, 111, 112]


def test_slow_sensors_take_more_quanta_than_systick_can_count_in_one():
    course = Course.of([Stretch(counts(4))], 2, 0.1, 32_000_000)
    assert course.quantum_ticks <= 2**24
    assert course.quantum_ticks * course.quanta_per_block == pytest.approx(20 * 32_000_000, rel=1e-6)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_the_same_each_time_and_change_something(fault):
    once, again = (inject(fault, COURSE, PLACE, 3) for _ in range(2))
    for name in ("frames", "numbers", "quanta", "first_samples"):
        np.testing.assert_array_equal(getattr(once, name), getattr(again, name))
    assert any(
        not np.array_equal(getattr(once, name), getattr(COURSE, name))
        for name in ("frames", "numbers", "quanta", "core_ticks")
    )


def test_blocks_that_are_lost_leave_the_others_at_their_times():
    course = inject("dropped_blocks", COURSE, PLACE, 3)
    kept = np.isin(COURSE.numbers, course.numbers)
    assert 0 < (~kept).sum() < 20
    np.testing.assert_array_equal(course.frames, COURSE.frames[kept])
    np.testing.assert_array_equal(np.cumsum(course.quanta), np.cumsum(COURSE.quanta)[kept])


@pytest.mark.parametrize("fault", ["stuck_axis", "saturation", "no_number"])
def test_broken_sensors_change_counts_of_a_fifth_and_nothing_else(fault):
    course = inject(fault, COURSE, PLACE, 3)
    assert replace(course, frames=COURSE.frames) == COURSE
    changed = (course.frames != COURSE.frames).any(axis=(1, 2))
    assert not changed[:80].any() and changed[81:120].all() and not changed[120:].any()
    values = course.frames[81:120]
    if fault == "saturation":
        assert any((values[:, :, channel] == RAILS[channel][1]).all() for channel in range(2))
    if fault == "no_number":
        assert 0.2 < (values == -(2**15)).mean() < 0.3


def test_jitter_is_late_at_most_and_never_out_of_order():
    course = inject("jitter", COURSE, PLACE, 3)
    late = np.cumsum(course.quanta) - np.cumsum(COURSE.quanta)
    assert late.min() >= 0 < late.max()
    assert course.quanta.min() >= 1
    assert late[-1] == 0
    np.testing.assert_array_equal(course.numbers, COURSE.numbers)


def test_a_slow_core_gets_half_of_that_done_which_the_product_needs():
    course = inject("slow", COURSE, PLACE, 3)
    assert course.core_ticks_of(PLACE.hop) == pytest.approx(PLACE.busy_ticks / 2, rel=0.01)


def answer(*entries, status=0):
    return replay.RESPONSE_MAGIC + struct.pack("<I", status) + b"".join(entries)


LOOKED = struct.pack("<2I", replay.LOOKED, 40)
END = struct.pack(f"<{3 + len(replay.COUNTERS)}I", replay.END, *range(len(replay.COUNTERS)), 4096, 900) + b"log"


def test_answer_is_read_field_by_field():
    ticks = range(100, 100 + len(replay.STAGES))
    record = struct.pack("<4B3I2BH2i", 0xA5, 1, 3, 2, 7, 5, 64, 1, 0, 64, -3, 9)
    decided = struct.pack(f"<{3 + len(ticks)}I", replay.DECIDED, 80, 1000, *ticks) + record
    replayed = replay.decode(answer(LOOKED, decided, END), 2)
    looked, look = replayed.looks
    assert (looked.seen, looked.record) == (40, None)
    assert (look.seen, look.since_last, look.ticks) == (80, 1000, tuple(ticks))
    assert look.record["codes"].tolist() == [-3, 9]
    assert (look.record["passed_over_frames"], look.record["missed"]) == (64, 64)
    assert replayed.counters["ring.dropped"] == 0 and replayed.counters["decision.gaps"] == len(replay.COUNTERS) - 1
    assert (replayed.stack_bytes, replayed.stack_used_bytes, replayed.log) == (4096, 900, b"log")


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (b"", "it has 0 bytes where at least 8 are due"),
        (b"nonsense", "does not begin as an answer does"),
        (answer(status=1), "built for another stream"),
        (answer(status=2), "refuses to start"),
        (answer(LOOKED), "it has 16 bytes where at least 20 are due"),
        (answer(struct.pack("<I", 9)), "an entry is of kind 9"),
        (answer(struct.pack("<8I", replay.DECIDED, *[0] * 7) + bytes(28)), "does not begin with the sync byte"),
    ],
)
def test_bad_answers_are_refused_by_what_is_wrong(response, found):
    with pytest.raises(ArtifactError, match=found):
        replay.decode(response, 2)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200), at=st.integers(0, 40))
def test_no_answer_ends_in_anything_but_an_explanation(data, at):
    whole = answer(LOOKED, LOOKED, END)
    with pytest.raises(ArtifactError):
        replay.decode(data, 2)
    with suppress(ArtifactError):
        replay.decode(whole[:at] + data + whole[at:], 2)
