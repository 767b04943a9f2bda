"""The gate: limits on what quantisation cost, and the refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stages.core.errors import ConfigError, GateRefused
from stages.core.schema.gate import Gate, Limit


@dataclass(frozen=True)
class Row:
    """One limit, judged.

    Attributes
    ----------
    output : str
        The class that the judged output tells from those below.
    metric : str
    value : float
    minimum, maximum : float or None
    passed : bool
        False also for NaN: a metric that cannot be computed vouches for nothing.
    """

    output: str
    metric: str
    value: float
    minimum: float | None
    maximum: float | None
    passed: bool


def judge(by_output: Mapping[str, Mapping[str, float]], gate: Gate) -> list[Row]:
    """Judge the metrics of each output by the gate's limits.

    Raises
    ------
    ConfigError
        If the gate names a metric that does not exist.
    """
    return [
        _judge(output, metrics, name, limit)
        for output, metrics in by_output.items()
        for name, limit in sorted(gate.limits.items())
    ]


def _judge(output: str, metrics: Mapping[str, float], name: str, limit: Limit) -> Row:
    if name not in metrics:
        raise ConfigError(
            found=f"{name!r} is not a metric",
            where="gate.limits",
            expected=f"one of {', '.join(sorted(metrics))}",
            remedy="Correct the name in conf/gate or in the task",
        )
    value = metrics[name]
    low = limit.min is None or value >= limit.min
    high = limit.max is None or value <= limit.max
    return Row(output, name, value, limit.min, limit.max, bool(low and high))


def passes(rows: list[Row]) -> bool:
    """Whether every limit holds."""
    return all(row.passed for row in rows)


def refusal(by_rung: Mapping[str, list[Row]]) -> GateRefused:
    """Return the error that says which limits every rung of the ladder broke."""
    broken = {rung: ", ".join(_failure(row) for row in rows if not row.passed) for rung, rows in by_rung.items()}
    return GateRefused(
        found="no precision keeps the tail: " + "; ".join(f"{rung} fails {what}" for rung, what in broken.items()),
        where="gate",
        expected="one rung of quantize.ladder within every limit of conf/gate",
        remedy="See models/quantize/gate.json; try another calibration or observer, more QAT epochs or a wider model",
    )


def _failure(row: Row) -> str:
    return f"{row.output} {row.metric} {row.value:.4g} ({_interval(row)})"


def _interval(row: Row) -> str:
    ends = [f"at least {row.minimum:g}" if row.minimum is not None else ""]
    ends.append(f"at most {row.maximum:g}" if row.maximum is not None else "")
    return " and ".join(end for end in ends if end)
