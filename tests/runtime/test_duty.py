"""The duty cycle: a day by hand, its model on random signals, and what it saves."""

from __future__ import annotations

from ctypes import byref, c_bool, c_int32
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.runtime import duty as model
from stages.core.runtime.duty import Action, DutyRules, Energy, State
from tests.runtime import library as c

#: Blocks of two counts, two frames apart: judged are frames 0 and 2, 4 and 6, ...; of 0 and 6 the variance is 9.
RULES = DutyRules(decimation=2, block=2, shift=0, wake_variance=9, window=8, hop=4, preroll=5, cooldown=3)
NAMES = ["fine", "decimation", "block", "shift", "hop", "preroll"]
N, R, T = Action.NOTHING, Action.REWIND, Action.TAKE


class Device:
    """The C module in the interface of the model."""

    def __init__(self, runtime, rules):
        self.runtime, self.state_, self.config = runtime, c.Duty(), c.DutyConfig(**asdict(rules))
        runtime.tg_duty_init(byref(self.state_), byref(self.config))

    def frame(self, count):
        return self.runtime.tg_duty_frame(byref(self.state_), c_int32(count))

    def result(self, *, positive):
        return self.runtime.tg_duty_result(byref(self.state_), c_bool(positive))

    @property
    def frames(self):
        return dict(zip(State, self.state_.frames, strict=True))

    def __getattr__(self, name):
        return getattr(self.state_, name)


@pytest.fixture(params=["device", "model"])
def make(request, runtime):
    """Both sides, for what is known by hand."""
    return (lambda rules: Device(runtime, rules)) if request.param == "device" else model.Duty


def feed(duty, *counts):
    return [duty.frame(count) for count in counts]


def test_calm_signal_never_wakes(make):
    duty = make(RULES)
    assert feed(duty, *[7, 100, 12, -100] * 50) == [N] * 200
    assert (duty.wakes, duty.frames[State.WATCH]) == (0, 200)


def test_wake_collects_what_the_preroll_leaves_and_infers(make):
    duty = make(RULES)
    # Three frames of the eight are still to come when the second block wakes.
    assert feed(duty, 0, 0, 5, 0, 0, 0, 6, 1, 1, 1) == [N] * 6 + [R] + [N, N, T]
    assert (duty.state, duty.wakes, duty.inferences) == (State.INFER, 1, 1)


def test_positive_window_keeps_it_awake_hop_by_hop(make):
    duty = make(RULES)
    feed(duty, 0, 0, 6, 1, 1, 1)
    assert duty.result(positive=True) == N
    assert feed(duty, 1, 1, 1, 1) == [N, N, N, T]
    assert duty.result(positive=False) == N
    assert (duty.state, duty.inferences, duty.false_wakes) == (State.COOLDOWN, 2, 0)


def test_false_wake_cools_down_and_watches_a_new_block(make):
    duty = make(RULES)
    feed(duty, 0, 0, 6, 1, 1, 1)
    duty.result(positive=False)
    assert (duty.false_wakes, duty.state) == (1, State.COOLDOWN)
    assert feed(duty, 99, 0, 99) == [N, N, N]
    assert (duty.state, duty.frames[State.COOLDOWN]) == (State.WATCH, 3)
    assert feed(duty, 0, 99, 0, 99, 0, 99, 6) == [N] * 6 + [R]
    assert (duty.wakes, duty.frames[State.WATCH]) == (2, 10)


def test_frames_during_an_inference_count_toward_the_next_window(make):
    duty = make(RULES)
    feed(duty, 0, 0, 6, 1, 1, 1)
    assert feed(duty, 1, 1, 1) == [N, N, N]
    assert duty.result(positive=True) == N
    assert feed(duty, 1) == [T]
    feed(duty, 1, 1, 1, 1, 1)
    assert duty.result(positive=True) == T
    assert duty.frames == {State.WATCH: 3, State.COLLECT: 4, State.INFER: 8, State.COOLDOWN: 0}


def test_whole_window_before_the_wake_needs_one_frame_more(make):
    duty = make(replace(RULES, preroll=8))
    assert feed(duty, 0, 0, 6, 0) == [N, N, R, T]


def test_no_cooldown_watches_at_once(make):
    duty = make(replace(RULES, cooldown=0))
    feed(duty, 0, 0, 6, 1, 1, 1)
    duty.result(positive=False)
    assert duty.state == State.WATCH


def test_active_share_and_the_estimate_that_follows():
    frames = {State.WATCH: 90, State.COLLECT: 6, State.INFER: 2, State.COOLDOWN: 2}
    assert model.Duty(RULES, frames=frames).active_share == 0.08
    energy = Energy({State.WATCH: 0.1, State.COLLECT: 2.0, State.INFER: 10.0, State.COOLDOWN: 0.1}, supply_v=3.0)
    # (0.1 mA * 92 + 2 mA * 6 + 10 mA * 2) / 100 at 3 V.
    assert energy.estimate_mw(frames) == pytest.approx(1.236)


@settings(max_examples=200, deadline=None)
@given(
    rules=st.builds(
        DutyRules,
        decimation=st.integers(1, 4),
        block=st.integers(2, 5),
        shift=st.integers(0, 3),
        wake_variance=st.integers(0, 40),
        window=st.integers(4, 12),
        hop=st.integers(1, 12),
        preroll=st.integers(0, 4),
        cooldown=st.integers(0, 6),
    ),
    steps=st.lists(st.integers(-9, 9) | st.integers(-(2**31), 2**31 - 1) | st.booleans(), max_size=150),
)
def test_device_and_model_agree(runtime, rules, steps):
    device, expected = Device(runtime, rules), model.Duty(rules)
    for step in steps:
        if isinstance(step, bool):
            if expected.state == State.INFER:
                assert device.result(positive=step) == expected.result(positive=step)
        else:
            assert device.frame(step) == expected.frame(step)
        for name in ("state", "wakes", "false_wakes", "inferences", "frames"):
            assert getattr(device, name) == getattr(expected, name)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, "fine"),
        ({"decimation": 0}, "decimation"),
        ({"block": 1}, "block"),
        ({"block": 2**15 + 1}, "block"),
        ({"shift": 17}, "shift"),
        ({"hop": 0}, "hop"),
        ({"preroll": 9}, "preroll"),
        ({"preroll": 8}, "fine"),
    ],
)
def test_nonsense_is_refused_by_name(runtime, change, broken):
    assert NAMES[runtime.tg_duty_check(byref(c.DutyConfig(**asdict(replace(RULES, **change)))))] == broken
