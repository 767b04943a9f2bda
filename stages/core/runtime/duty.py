"""When to look closely: the model of ``firmware/runtime/duty.c``, and what that saves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from stages.core.runtime.spread import spread


class State(IntEnum):
    """Of the duty cycle."""

    WATCH = 0
    COLLECT = 1
    INFER = 2
    COOLDOWN = 3


class Action(IntEnum):
    """What the caller has to do."""

    NOTHING = 0
    REWIND = 1
    TAKE = 2


@dataclass(frozen=True)
class DutyRules:
    """When to wake.

    Attributes
    ----------
    decimation : int
        Every so-many-th count is looked at.
    block : int
        Counts looked at before they are judged.
    shift : int
        Bits to drop of each.
    wake_variance : int
        Of shifted counts, squared.
    window, hop, preroll, cooldown : int
        Frames.
    """

    decimation: int
    block: int
    shift: int
    wake_variance: int
    window: int
    hop: int
    preroll: int
    cooldown: int


@dataclass
class Duty:
    """The state, and what was counted.

    Attributes
    ----------
    rules : DutyRules
    state : State
    frames : dict of State to int
        Frames that came in each state.
    wakes, false_wakes, inferences : int
    """

    rules: DutyRules
    state: State = State.WATCH
    frames: dict[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    wakes: int = 0
    false_wakes: int = 0
    inferences: int = 0
    _looked_at: list[int] = field(default_factory=list)
    _skip: int = 0
    _waiting: int = 0
    _is_true_wake: bool = False

    @property
    def active_share(self) -> float:
        """Share of the frames that came in COLLECT or INFER, NaN before the first."""
        total = sum(self.frames.values())
        return (self.frames[State.COLLECT] + self.frames[State.INFER]) / total if total else float("nan")

    def frame(self, count: int) -> Action:
        """Take the next frame's count of the channel that is watched."""
        self.frames[self.state] += 1
        if self.state == State.WATCH:
            return self._look(count)
        self._waiting = max(self._waiting - 1, 0)
        if self.state == State.COLLECT:
            return self._infer_if_complete()
        if self.state == State.COOLDOWN and self._waiting == 0:
            self._watch()
        return Action.NOTHING

    def result(self, *, positive: bool) -> Action:
        """Take what came of the window."""
        if positive:
            self._is_true_wake = True
            self.state = State.COLLECT
            return self._infer_if_complete()
        self.false_wakes += not self._is_true_wake
        self.state, self._waiting = State.COOLDOWN, self.rules.cooldown
        if self._waiting == 0:
            self._watch()
        return Action.NOTHING

    def _look(self, count: int) -> Action:
        rules = self.rules
        if self._skip:
            self._skip -= 1
            return Action.NOTHING
        self._skip = rules.decimation - 1
        self._looked_at.append(count)
        if len(self._looked_at) < rules.block:
            return Action.NOTHING
        block, self._looked_at = self._looked_at, []
        if spread(block, rules.shift) < rules.wake_variance * rules.block**2:
            return Action.NOTHING
        self.wakes += 1
        self._is_true_wake = False
        self.state, self._waiting = State.COLLECT, rules.window - rules.preroll
        return Action.REWIND

    def _infer_if_complete(self) -> Action:
        if self._waiting > 0:
            return Action.NOTHING
        self.state, self._waiting = State.INFER, self.rules.hop
        self.inferences += 1
        return Action.TAKE

    def _watch(self) -> None:
        self.state = State.WATCH
        self._looked_at, self._skip = [], 0


@dataclass(frozen=True)
class Energy:
    """What a board draws, from its data sheet or a measurement.

    Attributes
    ----------
    current_ma : mapping of State to float
        In each state, in mA.
    supply_v : float
    """

    current_ma: Mapping[State, float]
    supply_v: float

    def estimate_mw(self, frames: Mapping[State, int]) -> float:
        """Return the mean power in mW, by the share of frames in each state: an estimate, nothing was measured.

        Raises
        ------
        ZeroDivisionError
            Before the first frame.
        """
        return self.supply_v * sum(self.current_ma[s] * n for s, n in frames.items()) / sum(frames.values())
