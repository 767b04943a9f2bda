"""The gate: limits on what quantisation cost, and the refusal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stages.core.bootstrap import Interval
from stages.core.errors import GateRefused
from stages.core.schema.gate import Gate, Limit

_NOT_RESAMPLED = Interval(float("nan"), float("nan"))


@dataclass(frozen=True)
class Row:
    """One limit, judged.

    Attributes
    ----------
    output : str
        The class that the judged output is named after.
    metric : str
    value : float
    minimum, maximum : float or None
    passed : bool
        False also for NaN: a metric that cannot be computed vouches for nothing.
    bound : {"estimate", "worst", "best"}
        What was judged: `value`, or an end of the interval, as `stages.core.schema.gate.Limit` says.
    low, high : float
        Bootstrap interval; NaN where there is none.
    reason : str or None
        Why there is none of a metric that is resampled.
    """

    output: str
    metric: str
    value: float
    minimum: float | None
    maximum: float | None
    passed: bool
    bound: str = "estimate"
    low: float = float("nan")
    high: float = float("nan")
    reason: str | None = None


def judge(
    by_output: Mapping[str, Mapping[str, float]],
    gate: Gate,
    intervals: Mapping[str, Mapping[str, Interval]] | None = None,
) -> list[Row]:
    """Judge the metrics of each output by the gate's limits.

    Parameters
    ----------
    by_output : mapping
        Metrics by output; one that is missing counts as one that cannot be computed.
    gate : Gate
    intervals : mapping, optional
        Of the same metrics; without one, a limit on a bound of it is broken.
    """
    return [
        _judge(output, name, metrics.get(name, float("nan")), limit, (intervals or {}).get(output, {}).get(name))
        for output, metrics in by_output.items()
        for name, limit in sorted(gate.limits.items())
        if limit is not None
    ]


def _judge(output: str, name: str, value: float, limit: Limit, interval: Interval | None) -> Row:
    within = interval or _NOT_RESAMPLED
    # What has to be at least the minimum, and at most the maximum.
    floor, ceiling = {
        "estimate": (value, value),
        "worst": (within.low, within.high),
        "best": (within.high, within.low),
    }[limit.bound]
    passed = (
        not math.isnan(value) and floor >= _or(limit.min, -float("inf")) and ceiling <= _or(limit.max, float("inf"))
    )
    return Row(
        output, name, value, limit.min, limit.max, bool(passed), limit.bound, within.low, within.high, within.reason
    )


def _or(end: float | None, otherwise: float) -> float:
    return otherwise if end is None else end


def passes(rows: list[Row]) -> bool:
    """Whether every limit holds."""
    return all(row.passed for row in rows)


def table(by_rung: Mapping[str, list[Row]]) -> str:
    """Lay the judged limits out as lines of text: which rung passes, every value with its interval, failures marked."""
    cells = [("", "rung", "class", "metric", "value", "interval", "limit")]
    for rung, rows in by_rung.items():
        cells += [
            ("" if row.passed else "FAIL", rung, row.output, row.metric, _number(row.value), span(row), _limit(row))
            for row in rows
        ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    verdicts = ", ".join(f"{rung} {'passed' if passes(rows) else 'REFUSED'}" for rung, rows in by_rung.items())
    notes = sorted({f"no interval: {row.reason}" for rows in by_rung.values() for row in rows if row.reason})
    return "\n".join([f"gate: {verdicts}", *lines, *notes])


def refusal(by_rung: Mapping[str, list[Row]]) -> GateRefused:
    """Return the error that says which limits every rung of the ladder broke."""
    return GateRefused(
        found="no precision keeps the tail: "
        + "; ".join(f"{rung} fails {broken(rows)}" for rung, rows in by_rung.items()),
        where="gate",
        expected="one rung of quantize.ladder within every limit of conf/gate",
        remedy="Look at the page of `python -m stages.report`; try another calibration or observer, more QAT epochs or "
        "a wider model",
    )


def broken(rows: list[Row]) -> str:
    """Say which limits do not hold, in one line."""
    return ", ".join(_failure(row) for row in rows if not row.passed)


def _failure(row: Row) -> str:
    judged = "" if row.bound == "estimate" else f" in {span(row) or 'no interval'}"
    return f"{row.output} {row.metric} {_number(row.value)}{judged} ({_limit(row)})"


def _number(value: float) -> str:
    return "cannot be computed" if math.isnan(value) else f"{value:.4g}"


def span(interval: Row | Interval | None) -> str:
    """Write an interval, or nothing where there is none."""
    return "" if interval is None or math.isnan(interval.low) else f"{interval.low:.3g} .. {interval.high:.3g}"


def _limit(row: Row) -> str:
    ends = [f"at least {row.minimum:g}" if row.minimum is not None else ""]
    ends.append(f"at most {row.maximum:g}" if row.maximum is not None else "")
    bound = "" if row.bound == "estimate" else f", {row.bound} of interval"
    return " and ".join(end for end in ends if end) + bound
