"""From the configuration's logits to the integers that the device decides with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.core.errors import ConfigError
from stages.core.graph.reference import Head
from stages.core.runtime.decision import Codes, Rules
from stages.core.schema.decision import Decision

_LEAST = -(2**31)


def decision_rules(
    settings: Decision, head: Head, enter: Sequence[int], logits: Sequence[float], withhold_logits: float = 0.0
) -> Rules:
    """Return the rules that a device carries out, in score codes.

    Parameters
    ----------
    settings : Decision
    head : Head
        What the score codes stand for.
    enter : sequence of int
        Threshold codes, one per output.
    logits : sequence of float
        The thresholds they stand for.
    withhold_logits : float
        A score nearer to its threshold is uncertain, as `stages.core.thresholds.distance` has it; 0 is none.

    Raises
    ------
    ConfigError
        If the scores of this precision cannot be averaged or compared as is asked, or an alarm could never end.
    """
    _check(settings, head, enter)
    thresholds = np.asarray(logits, dtype=np.float64)
    leave = np.minimum(head.at_least(thresholds - settings.hysteresis_logits), np.asarray(enter, dtype=np.int64) - 1)
    band = [enter, enter]
    if withhold_logits > 0:
        above = np.nextafter(thresholds - withhold_logits, np.inf)
        band = [head.at_least(limit).tolist() for limit in (above, thresholds + withhold_logits)]
    has_hysteresis = settings.hysteresis_logits > 0
    return Rules(
        codes=tuple(
            Codes(at, down if has_hysteresis else at, low, high)
            for at, down, low, high in zip(enter, leave.tolist(), *band, strict=True)
        ),
        pick=settings.pick,
        hysteresis=has_hysteresis,
        margin=int(np.ceil(settings.margin_logits / head.multiplier)) if settings.margin_logits else 0,
        average=settings.average_windows,
        need=settings.vote_need,
        of=settings.vote_of,
        accumulate=settings.accumulate,
        min_hold=settings.min_hold_windows,
        cooldown=settings.cooldown_windows,
    )


def _check(settings: Decision, head: Head, enter: Sequence[int]) -> None:
    is_float = head.dtype == "float32"
    compares = settings.pick == "highest" and len(enter) > 1
    problems = []
    if is_float and settings.average_windows > 1:
        problems.append("the order keys of float32 scores have no mean")
    if settings.margin_logits > 0 and len(enter) < 2:
        problems.append("one output has no second score to keep a margin from")
    if settings.margin_logits > 0 and is_float:
        problems.append("the order keys of float32 scores have no distance in logits")
    if compares and head.multiplier.size > 1:
        problems.append("the outputs' int32 scores have a scale each and cannot be compared")
    if settings.hysteresis_logits > 0 and min(enter) <= _LEAST:
        problems.append("a threshold that every score reaches leaves no room for hysteresis below it")
    if problems:
        raise ConfigError(
            found="; ".join(problems),
            where="decision",
            expected=f"steps that {head.dtype} scores of {len(enter)} outputs allow",
            remedy="Set the step back to its default in `conf/decision`, or choose another score in `quantize`",
        )
