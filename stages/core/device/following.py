"""A device's answer to a stream, held against the model of its runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.core.device.app import ALARM, ARENA_INTACT
from stages.core.device.replay import DECISION_COUNTERS, RING_COUNTERS, Course, Look, Replayed
from stages.core.errors import ParityBroken
from stages.core.runtime import log
from stages.core.runtime.app import App, Decided
from stages.core.runtime.fault import Cause
from stages.core.runtime.ring import Taken

_MAX_U16 = 2**16 - 1
_FRAMING = ("sync", "outputs")
_NO_SCORE = -(2**31)


def follow(app: App, course: Course, replayed: Replayed, where: str) -> list[Decided]:
    """Give the model what the device had seen at each look, and demand the same of it.

    When the main loop looks is the device's to say, since that depends on how long it takes; what it finds, and what
    becomes of it, is not.

    Parameters
    ----------
    app : App
        At its start.
    course : Course
        That was streamed.
    replayed : Replayed
        What came back.
    where : str
        The board and the image, for errors.

    Returns
    -------
    list of Decided
        Per window.

    Raises
    ------
    ParityBroken
        Naming the first window and field that differ, or the counter.
    """
    taken = _take(app, course, replayed, where)
    looks = [look for look in replayed.looks if look.record is not None]
    decided = app.decide(taken, [look.since_last for look in looks])
    for number, (look, window) in enumerate(zip(looks, decided, strict=True)):
        _compare(f"window {number}, from frame {window.start}", _expected(window), _answered(look), where)
    _compare("the end", _counters(app), replayed.counters, where)
    _compare_log(decided, looks, replayed.log, where)
    return decided


def _take(app: App, course: Course, replayed: Replayed, where: str) -> list[Taken]:
    """Push what had come by each look, and take what the device took."""
    ring, taken, blocks = app.ring, list[Taken](), iter(zip(course.numbers.tolist(), course.frames, strict=True))
    for look in replayed.looks:
        while ring.written % ring.cycle != look.seen:
            block = next(blocks, None)
            if block is None:
                raise _broken("a look", f"it had seen position {look.seen}", "an end of one of the blocks", where)
            ring.push(*block)
        if look.record is None:
            # A window that was written over while it was being copied is none, and was ready before.
            if ring.ready() and not replayed.counters["ring.torn"]:
                raise _broken(f"window {len(taken)}", "it is not taken", "a window that is ready is taken", where)
            continue
        window = ring.take()
        if window is None:
            raise _broken(f"window {len(taken)}", "it is taken", "no window, for none is ready", where)
        taken.append(window)
    return taken


def _expected(window: Decided) -> dict[str, Any]:
    return {
        "class": window.class_,
        "state": window.state,
        "causes": int(window.causes),
        "codes": list(window.codes),
        "missed": min(window.missed, _MAX_U16),
        "passed_over_frames": window.passed_over,
        "windows": window.windows,
        "positive": window.positive,
        "flags": ARENA_INTACT | (ALARM if window.state else 0),
    }


def _answered(look: Look) -> dict[str, Any]:
    assert look.record is not None  # noqa: S101  the caller has only these
    return {name: look.record[name].tolist() for name in look.record.dtype.fields or () if name not in _FRAMING}


def _counters(app: App) -> dict[str, int]:
    faults = {name: app.gate.counts[cause] for name, cause in Cause.names().items()}
    gate = {"windows": app.gate.windows, "unknown": app.gate.unknown, **faults}
    parts = {"ring": (RING_COUNTERS, vars(app.ring)), "fault": (tuple(gate), gate)}
    parts["decision"] = (DECISION_COUNTERS, vars(app.decision))
    return {f"{part}.{name}": int(values[name]) for part, (names, values) in parts.items() for name in names}


def _compare_log(decided: list[Decided], looks: list[Look], data: bytes, where: str) -> None:
    remembered = log.decode(data, where).records
    newest = range(max(len(decided) - len(remembered), 0), len(decided))
    _compare("the log", {"window": list(newest)}, {"window": remembered["window"].tolist()}, where)
    for number, record in zip(newest, remembered, strict=True):
        answered = {name: record[name].tolist() for name in log.RECORD.fields or ()}
        expected = _logged(decided[number]) | {"ticks": sum(looks[number].ticks)}
        _compare(f"the log's window {number}", expected, answered, where)


def _logged(window: Decided) -> dict[str, Any]:
    highest = sorted(range(len(window.codes)), key=lambda k: (-window.codes[k], k))[:2]
    return {
        "min": window.low,
        "max": window.high,
        "score": [window.codes[k] for k in highest] + [_NO_SCORE] * (2 - len(highest)),
        "class": window.class_,
        "state": window.state,
        "causes": int(window.causes),
        "missed": min(window.missed, _MAX_U16),
    }


def _compare(what: str, expected: Mapping[str, Any], answered: Mapping[str, Any], where: str) -> None:
    for name, value in expected.items():
        if answered[name] != value:
            raise _broken(what, f"{name} is {answered[name]}", f"{value}, as the model of the runtime has it", where)


def _broken(what: str, found: str, expected: str, where: str) -> ParityBroken:
    return ParityBroken(
        found=f"{what}: {found}",
        where=where,
        expected=expected,
        remedy="Compare firmware/app/app.c and firmware/runtime with stages/core/runtime, module by module",
    )
