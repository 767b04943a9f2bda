"""The ring: by hand, against its model, and where its positions wrap."""

from __future__ import annotations

from ctypes import POINTER, byref, c_uint8, c_uint32, cast
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.runtime import ring as model
from stages.core.schema.runtime import Policy
from tests.runtime.library import Ring

EXAMPLES = settings(max_examples=150, deadline=None)
POLICIES = get_args(Policy)
COUNTERS = ("dropped", "skipped", "cut", "lost", "gaps", "repeated")


class Device:
    """The C ring over frames of one int32, in the interface of the model."""

    def __init__(self, library, capacity, window, hop, policy="drop_oldest"):
        self.library, self.window, self.hop, self.due = library, window, hop, 0
        self.memory = np.zeros(capacity, np.int32)
        self.state = Ring()
        library.tg_ring_init(byref(self.state), self.memory.ctypes, capacity, 4, window, hop, POLICIES.index(policy))

    def push(self, block, frames):
        counts = np.ascontiguousarray(frames, np.int32)
        self.library.tg_ring_push(byref(self.state), c_uint32(block), counts.ctypes, len(counts))

    def ready(self):
        return self.library.tg_ring_ready(byref(self.state))

    def take(self):
        window = np.zeros(self.window, np.int32)
        if not self.library.tg_ring_take(byref(self.state), cast(window.ctypes.data, POINTER(c_uint8))):
            return None
        start = self.due + self.state.missed
        self.due = start + self.hop
        passed_over = self.state.seen_lost + self.state.cut + self.state.dropped + self.state.skipped
        return model.Taken(window[:, None], start, self.state.missed, passed_over)

    def rewind(self, frames):
        return self.library.tg_ring_rewind(byref(self.state), frames)

    def __getattr__(self, name):
        return getattr(self.state, name)


@pytest.fixture(params=["device", "model"])
def make(request, runtime):
    """Both sides, for what is known by hand."""
    return (lambda *shape: Device(runtime, *shape)) if request.param == "device" else model.Ring


def block(number, n):
    """Block number k of n frames: the frames count on from n * k."""
    return np.arange(number * n, (number + 1) * n, dtype=np.int32)[:, None]


def first_frames(ring):
    """Take all windows that are ready: their first frames, and what was missed before them."""
    found = []
    while (taken := ring.take()) is not None:
        start = int(taken.frames[0, 0])
        assert taken.frames[:, 0].tolist() == list(range(start, start + len(taken.frames)))
        found.append((start, taken.missed))
    return found


def test_window_is_ready_with_the_block_that_completes_it(make):
    ring = make(16, 8, 4)
    ring.push(0, block(0, 4))
    assert not ring.ready()
    ring.push(1, block(1, 4))
    assert ring.ready()
    assert first_frames(ring) == [(0, 0)]
    ring.push(2, block(2, 4))
    assert first_frames(ring) == [(4, 0)]


def test_no_window_spans_a_missing_block(make):
    ring = make(16, 8, 4)
    for number in (0, 1, 2, 4, 5, 6):
        ring.push(number, block(number, 4))
        taken = first_frames(ring)
        assert taken == {1: [(0, 0)], 2: [(4, 0)], 5: [(16, 8)], 6: [(20, 0)]}.get(number, [])
    # Due at 8 was the window that lost its second half: 4 frames of it are cut, and 4 are lost.
    assert [getattr(ring, name) for name in COUNTERS] == [0, 0, 4, 4, 1, 0]


def test_old_blocks_are_left_out_and_counted(make):
    ring = make(16, 8, 4)
    for number in (0, 1, 1, 0):
        ring.push(number, block(number, 4))
    assert first_frames(ring) == [(0, 0)]
    assert [getattr(ring, name) for name in COUNTERS] == [0, 0, 0, 0, 0, 2]


def test_oldest_frames_are_dropped_in_whole_hops(make):
    ring = make(12, 8, 4)
    for number in range(5):
        ring.push(number, block(number, 4))
    assert first_frames(ring) == [(8, 8), (12, 0)]
    assert ring.dropped == 8


def test_late_windows_are_skipped_for_the_newest(make):
    ring = make(24, 8, 4, "skip_if_late")
    for number in range(5):
        ring.push(number, block(number, 4))
    assert first_frames(ring) == [(12, 12)]
    assert (ring.skipped, ring.dropped) == (12, 0)


def test_rewinding_goes_back_to_the_gap_at_most_and_misses_nothing(make):
    ring = make(16, 4, 4)
    for number in (0, 1, 2):
        ring.push(number, block(number, 4))
    assert ring.rewind(6) == 6
    assert first_frames(ring) == [(6, 0)]
    ring.push(5, block(5, 4))
    assert ring.rewind(6) == 4
    assert first_frames(ring) == [(20, 0)]


SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 20), st.sampled_from(POLICIES))
#: Push a block of so many frames after so many missing ones; take; rewind.
STEPS = st.lists(
    st.tuples(st.just("push"), st.integers(1, 8), st.sampled_from([0] * 9 + [1, 3, -1]))
    | st.tuples(st.just("take"), st.just(0), st.just(0))
    | st.tuples(st.just("rewind"), st.integers(0, 30), st.just(0)),
    max_size=80,
)


@EXAMPLES
@given(shape=SHAPES, steps=STEPS, near_wrap=st.booleans())
def test_device_and_model_agree_on_every_window_and_counter(runtime, shape, steps, near_wrap):
    window, hop, room, policy = shape
    capacity = window + 8 + room
    device, expected = Device(runtime, capacity, window, hop, policy), model.Ring(capacity, window, hop, policy)
    if near_wrap:
        start = device.state.cycle - capacity
        device.state.claimed = device.state.written = device.state.stretch = device.state.position = start
    number, frame = 0, 0
    for action, n, missing in steps:
        if action == "push":
            number = max(number + missing, 0)
            frames = np.arange(frame, frame + n, dtype=np.int32)[:, None]
            device.push(number, frames)
            expected.push(number, frames)
            number, frame = number + 1, frame + n
        elif action == "take":
            found, due = device.take(), expected.take()
            assert (found is None) == (due is None)
            if due is not None:
                assert found.frames.tolist() == due.frames.tolist()
                assert found.missed == due.missed
        else:
            assert device.rewind(n) == expected.rewind(n)
        assert [getattr(device, name) for name in COUNTERS] == [getattr(expected, name) for name in COUNTERS]


def test_positions_wrap_twice_without_a_trace(runtime):
    ring = Device(runtime, 12, 8, 4)
    ring.state.cycle = 60
    for number in range(40):
        ring.push(number, block(number, 4))
        assert first_frames(ring) == ([(4 * number - 4, 0)] if number else [])
    assert [getattr(ring, name) for name in COUNTERS] == [0] * 6
