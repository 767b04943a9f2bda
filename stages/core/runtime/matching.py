"""What a stream's events are worth: each is held against the labelled spans of the session that it was raised in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.core.recordings.session import Span
from stages.core.runtime.decision import Rules
from stages.core.schema.labels import UNCERTAIN


@dataclass(frozen=True)
class Raised:
    """An event of the runtime: the decision's state left the normal class.

    Attributes
    ----------
    start : int
        First sample of the window that raised it.
    label : str
        The class of the state.
    """

    start: int
    label: str


@dataclass(frozen=True)
class View:
    """What a decision looks at.

    Attributes
    ----------
    window, hop : int
        Samples.
    memory : int
        Windows before the last one that the decision still looks at, as `memory` gives it.
    sample_rate_hz : float
    """

    window: int
    hop: int
    memory: int
    sample_rate_hz: float

    def sees(self, event: Raised, span: Span) -> bool:
        """Return whether a sample of the span can have had a part in the event."""
        return event.start - self.memory * self.hop < span.stop and span.start < event.start + self.window


@dataclass(frozen=True)
class Matches:
    """Events beside what was labelled.

    Attributes
    ----------
    hits : tuple of (Span, Raised)
        Spans with the one event of their class that is theirs.
    misses : tuple of Span
    doubles : tuple of Raised
        Further events of a span that has its own.
    confused : tuple of Raised
        Events of another class than every span they saw.
    excused : tuple of Raised
        Events that saw no label but ``uncertain``: neither right nor wrong.
    false_alarms : tuple of Raised
    normal_s : float
        Time that is labelled normal.
    delays_s : tuple of float
        Per hit, from the start of the span to the end of the window that raised the event.
    """

    hits: tuple[tuple[Span, Raised], ...]
    misses: tuple[Span, ...]
    doubles: tuple[Raised, ...]
    confused: tuple[Raised, ...]
    excused: tuple[Raised, ...]
    false_alarms: tuple[Raised, ...]
    normal_s: float
    delays_s: tuple[float, ...]

    @property
    def false_alarms_per_hour(self) -> float:
        """False alarms per hour of normal time; NaN where there is none."""
        return len(self.false_alarms) / self.normal_s * 3600 if self.normal_s else float("nan")


def memory(rules: Rules) -> int:
    """Return how many windows before the last one a decision by some rules still looks at, at least."""
    return rules.average + rules.of + rules.accumulate - 3


def match_events(raised: Sequence[Raised], spans: Sequence[Span], view: View, normal: str) -> Matches:
    """Give every event to what it was raised by.

    In the order of time, an event takes the earliest span of its class that it saw and that has none yet.

    Parameters
    ----------
    raised : sequence of Raised
        Of one session, in the order of time.
    spans : sequence of Span
        Of the session, in the order of time; ``uncertain`` ones and those of the normal class among them.
    view : View
    normal : str
        The class that raises nothing.
    """
    events = [span for span in spans if span.label not in (normal, UNCERTAIN)]
    taken: dict[int, Raised] = {}
    rest: dict[str, list[Raised]] = {"doubles": [], "confused": [], "excused": [], "false_alarms": []}
    for event in raised:
        seen = [k for k, span in enumerate(events) if view.sees(event, span)]
        own = [k for k in seen if events[k].label == event.label]
        free = [k for k in own if k not in taken]
        if free:
            taken[free[0]] = event
        elif seen:
            rest["doubles" if own else "confused"].append(event)
        else:
            is_open = any(span.label == UNCERTAIN and view.sees(event, span) for span in spans)
            rest["excused" if is_open else "false_alarms"].append(event)
    hits = tuple((span, taken[k]) for k, span in enumerate(events) if k in taken)
    normal_samples = sum(span.stop - span.start for span in spans if span.label == normal)
    return Matches(
        hits=hits,
        misses=tuple(span for k, span in enumerate(events) if k not in taken),
        **{name: tuple(found) for name, found in rest.items()},
        normal_s=normal_samples / view.sample_rate_hz,
        delays_s=tuple((event.start + view.window - span.start) / view.sample_rate_hz for span, event in hits),
    )
