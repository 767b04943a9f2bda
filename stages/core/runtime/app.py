"""The product as it runs on a device, window for window: the model of ``firmware/app/app.c``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.core.runtime.decision import Decision, Rules
from stages.core.runtime.fault import UNLIMITED, Cause, FaultGate, Timing, causes_of
from stages.core.runtime.ring import Ring, Taken
from stages.core.runtime.stream import Stream

#: From windows of counts, shape (windows, window, channels), to score codes, shape (windows, outputs).
Score = Callable[[NDArray[np.signedinteger]], NDArray[np.int32]]


@dataclass(frozen=True)
class Decided:
    """What became of a window.

    Attributes
    ----------
    start : int
        Its first frame, counted from the start of the stream with the lost ones.
    missed, passed_over : int
        Frames that were in no window: just before it, and since the start.
    causes : Cause
        Why it is unknown.
    class_, state : int
        Of the window, and what lasts after it.
    codes : tuple of int
        Score codes; 0 of an unknown window.
    low, high : int
        Its least and largest count.
    windows, positive : int
        Decided so far, and of any class but 0.
    """

    start: int
    missed: int
    passed_over: int
    causes: Cause
    class_: int
    state: int
    codes: tuple[int, ...]
    low: int
    high: int
    windows: int
    positive: int


@dataclass
class App:
    """Ring, fault gate and decision behind each other.

    Attributes
    ----------
    stream : Stream
    rules : Rules
    window, hop : int
        Frames.
    ticks_per_frame : float
        Of the board's clock.
    score : callable
        Preprocessing and network.
    """

    stream: Stream
    rules: Rules
    window: int
    hop: int
    ticks_per_frame: float
    score: Score
    ring: Ring = field(init=False)
    gate: FaultGate = field(init=False)
    decision: Decision = field(init=False)

    def __post_init__(self) -> None:
        least, most = (int(min(frames * self.ticks_per_frame, UNLIMITED)) for frames in self.stream.timing_frames)
        self.ring = Ring(self.stream.capacity(self.window, self.hop), self.window, self.hop, self.stream.late)
        self.gate = FaultGate(self.stream.limits, Timing(UNLIMITED, least, most))
        self.decision = Decision(self.rules)

    def decide(self, taken: Sequence[Taken], since_last: Sequence[int]) -> list[Decided]:
        """Decide windows in the order in which the ring gave them.

        Parameters
        ----------
        taken : sequence of Taken
        since_last : sequence of int
            Per window, ticks between its last block and that of the window before.
        """
        if not taken:
            return []
        windows = np.stack([each.frames for each in taken])
        causes = causes_of(self.gate.limits, windows)
        codes = np.zeros((len(windows), len(self.rules.codes)), np.int32)
        if (causes == 0).any():
            codes[causes == 0] = self.score(windows[causes == 0])
        rows = zip(taken, causes.tolist(), since_last, codes.tolist(), strict=True)
        return [self._decide(*row) for row in rows]

    def _decide(self, taken: Taken, of_counts: int, since_last: int, codes: list[int]) -> Decided:
        if taken.missed > 0:
            self.decision.gap(-(-taken.missed // self.hop))
        causes = self.gate.end(of_counts, taken.missed, since_last)
        class_ = self.decision.reject() if causes else self.decision.update(codes)
        return Decided(
            start=taken.start,
            missed=taken.missed,
            passed_over=taken.passed_over,
            causes=causes,
            class_=class_,
            state=self.decision.state,
            codes=tuple(0 if causes else code for code in codes),
            low=int(taken.frames.min()),
            high=int(taken.frames.max()),
            windows=self.decision.windows,
            positive=self.decision.positive,
        )
