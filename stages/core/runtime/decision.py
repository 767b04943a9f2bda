"""From scores to events: the model of ``firmware/runtime/decision.c``, whose header has the rules."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.core.schema.decision import Pick

#: Classes of a window beside 0 to the number of outputs.
UNCERTAIN, UNKNOWN = 254, 255


@dataclass(frozen=True)
class Codes:
    """Score codes of one output.

    Attributes
    ----------
    enter, exit : int
        Thresholds of a window, and of one while the state is of the output's class.
    reject_from, reject_to : int
        A score from the one up to below the other is UNCERTAIN.
    """

    enter: int
    exit: int
    reject_from: int
    reject_to: int


@dataclass(frozen=True)
class Rules:
    """What decides.

    Attributes
    ----------
    codes : tuple of Codes
        Per output.
    pick : {"severest", "highest"}
    hysteresis : bool
        Whether `Codes.exit` is used.
    margin : int
        Codes between the two highest scores.
    average, need, of, accumulate, min_hold, cooldown : int
        Windows.
    """

    codes: tuple[Codes, ...]
    pick: Pick = "severest"
    hysteresis: bool = False
    margin: int = 0
    average: int = 1
    need: int = 1
    of: int = 1
    accumulate: int = 1
    min_hold: int = 1
    cooldown: int = 1

    @classmethod
    def plain(cls, thresholds: Sequence[int], accumulate: int = 1) -> Rules:
        """Return rules of thresholds per output alone, and a level that raises the alarm."""
        return cls(tuple(Codes(code, code, code, code) for code in thresholds), accumulate=accumulate)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Rules:
        """Rebuild the rules from the model contract."""
        return cls(**{**value, "codes": tuple(Codes(**codes) for codes in value["codes"])})

    @property
    def thresholds(self) -> list[int]:
        """Per output, the score code from which a window is of its class or a more severe one."""
        return [codes.enter for codes in self.codes]

    def agrees(self, class_: int, with_class: int) -> bool:
        """Return whether a window of a class speaks for another: that class, or severest a less severe one."""
        return class_ >= with_class if self.pick == "severest" else class_ == with_class


@dataclass
class Decision:
    """The state, and what was counted.

    Attributes
    ----------
    rules : Rules
    state : int
        The class that holds.
    windows, positive, uncertain, unknown : int
        Windows; of any class but 0, UNCERTAIN, UNKNOWN.
    events : int
        Times that the state left 0.
    gaps : int
        UNKNOWN windows not counted.
    """

    rules: Rules
    state: int = 0
    windows: int = 0
    positive: int = 0
    uncertain: int = 0
    unknown: int = 0
    events: int = 0
    gaps: int = 0
    _codes: deque[Sequence[int]] = field(init=False)
    _classes: deque[int] = field(init=False)
    _level: int = 0
    _hold: int = 0
    _cooldown: int = 0

    def __post_init__(self) -> None:
        self._codes = deque(maxlen=self.rules.average)
        self._classes = deque(maxlen=self.rules.of)

    def update(self, codes: Sequence[int]) -> int:
        """Decide a window from its score codes, one per output, and return its class before the vote."""
        self._codes.append([int(code) for code in codes])
        class_ = self._classify()
        self.windows += 1
        self._pass(1)
        if class_ == UNCERTAIN:
            self.uncertain += 1
            return class_
        self.positive += class_ > 0
        self._classes.append(class_)
        self._settle(self._accumulate(self._vote()))
        return class_

    def reject(self) -> int:
        """Take a window that the fault gate refused, and return UNKNOWN."""
        self.windows += 1
        self.unknown += 1
        self._forget()
        self._pass(1)
        return UNKNOWN

    def gap(self, hops: int) -> None:
        """Take a gap before the next window."""
        self.gaps += 1
        self._forget()
        self._pass(hops)

    def _classify(self) -> int:
        n = len(self._codes)
        sums = [sum(column) for column in zip(*self._codes, strict=True)]
        rules = self.rules
        if any(c.reject_from * n <= s < c.reject_to * n for c, s in zip(rules.codes, sums, strict=True)):
            return UNCERTAIN
        reached = [s >= self._limit(k) * n for k, s in enumerate(sums)]
        if rules.pick == "severest":
            return max((k + 1 for k, is_reached in enumerate(reached) if is_reached), default=0)
        best = sums.index(max(sums))
        if not reached[best]:
            return 0
        rivals = sums[:best] + sums[best + 1 :]
        return UNCERTAIN if rivals and sums[best] - max(rivals) < rules.margin * n else best + 1

    def _limit(self, k: int) -> int:
        is_held = self.state > 0 and self.rules.agrees(self.state, k + 1)
        codes = self.rules.codes[k]
        return codes.exit if self.rules.hysteresis and is_held else codes.enter

    def _vote(self) -> int:
        rules, classes = self.rules, range(1, len(self.rules.codes) + 1)
        count = {c: sum(rules.agrees(each, c) for each in self._classes) for c in classes}
        carried = {c for c in classes if count[c] >= rules.need}
        kept = {
            c
            for c in classes
            if self.state and rules.agrees(self.state, c) and len(self._classes) - count[c] <= rules.of - rules.need
        }
        if rules.pick == "severest":
            return max(carried | kept, default=0)
        return self.state if kept else max(carried, key=lambda c: (count[c], -c), default=0)

    def _accumulate(self, class_: int) -> int:
        full = self.rules.accumulate
        self._level = min(self._level + 1, full) if class_ else max(self._level - 1, 0)
        return class_ if self._level == full else 0

    def _settle(self, class_: int) -> None:
        severest = self.rules.pick == "severest"
        if self.state == 0:
            if class_ > 0 and self._cooldown == 0:
                self.events += 1
                self._enter(class_)
        elif class_ == self.state:
            pass
        elif severest and (class_ > self.state or (class_ > 0 and self._hold == 0)):
            self._enter(class_)
        elif self._hold == 0:
            self.state = 0
            self._cooldown = self.rules.cooldown

    def _enter(self, class_: int) -> None:
        self.state = class_
        self._hold = self.rules.min_hold

    def _pass(self, windows: int) -> None:
        self._hold = max(self._hold - windows, 0)
        self._cooldown = max(self._cooldown - windows, 0)

    def _forget(self) -> None:
        self._codes.clear()
        self._classes.clear()
        if self._level < self.rules.accumulate:
            self._level = 0
