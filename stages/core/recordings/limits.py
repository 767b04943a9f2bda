"""What the limits of section `capture.quality` say about the measured flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.errors import RecordingError
from stages.core.schema.quality import Action, Outlier, QualityLimits

#: The median absolute deviation of a normal distribution times this is its standard deviation.
_MAD_TO_SIGMA = 1.4826
_LEAVE_OUT = "Leave the recording out of the source"
_REMEDIES = {
    "n_samples": "Shorten window.length, record it again, or leave the recording out of the source",
    "nan_fraction": "Repair the export of that recording, leave the recording out of the source",
}


@dataclass(frozen=True)
class Finding:
    """A quality flag beyond its limit, what is to be done with the session, and both in words."""

    flag: str
    value: float
    limit: float
    action: Action
    found: str
    expected: str


def derive_limits(sessions: Sequence[dict[str, float]], limits: QualityLimits, window_length: int) -> dict[str, float]:
    """Turn limits into numbers, where they are derived from the data set.

    Parameters
    ----------
    sessions : sequence of dict of str to float
        The flags of every session.
    limits : QualityLimits
    window_length : int
        In samples.

    Returns
    -------
    dict of str to float
        By flag; the least of ``n_samples``, the largest of every other.
    """
    bounds = {"n_samples": float(max(limits.n_samples.min or 0, window_length)), "nan_fraction": 0.0}
    for flag in [name for name in type(limits).model_fields if name not in bounds]:
        largest = getattr(limits, flag).max
        if isinstance(largest, Outlier):
            values = np.array([flags[flag] for flags in sessions])
            median = np.median(values)
            sigma = _MAD_TO_SIGMA * np.median(np.abs(values - median))
            largest = max(largest.at_least, float(median + largest.outlier_mad * sigma))
        bounds[flag] = float(largest)
    return bounds


def judge(
    flags: dict[str, float], absent: str | None, bounds: dict[str, float], limits: QualityLimits
) -> list[Finding]:
    """List the flags beyond their limits, in the order of the limits.

    Parameters
    ----------
    flags : dict of str to float
    absent : str or None
        `Meter.absent`.
    bounds : dict of str to float
        From `derive_limits`.
    limits : QualityLimits
    """
    findings = []
    for flag, bound in bounds.items():
        value, action = flags[flag], getattr(limits, flag).action
        found, expected = f"{flag} is {value:.6g}, above {bound:.6g}", f"at most {bound:.6g}, by capture.quality.{flag}"
        if flag == "n_samples":
            found = f"it has {value:.0f} samples" if value else "the recording is empty"
            own = limits.n_samples.min == bound
            expected = f"at least {bound:.0f}, by capture.quality.n_samples" if own else _one_window(bound)
        elif flag == "nan_fraction":
            found, expected = absent or "", "finite samples"
        if (value < bound) if flag == "n_samples" else (value > bound):
            findings.append(Finding(flag, value, bound, action, found, expected))
    return findings


def _one_window(length: float) -> str:
    return f"at least one window, window.length is {length:.0f}"


def require_tolerable(findings: dict[str, list[Finding]]) -> None:
    """Stop if a finding's action is ``error``.

    Parameters
    ----------
    findings : dict of str to list of Finding
        By session.

    Raises
    ------
    RecordingError
        Names the first session with its flag, value and limit, and how many more there are.
    """
    refused = [(session, of) for session, all_of in findings.items() for of in all_of if of.action == "error"]
    if not refused:
        return
    session, finding = refused[0]
    others = len({name for name, _ in refused}) - 1
    raise RecordingError(
        found=finding.found + (f"; {others} more session(s) are refused as well" if others else ""),
        where=f"session {session}",
        expected=finding.expected,
        remedy=f"{_REMEDIES.get(finding.flag, _LEAVE_OUT)}, or set capture.quality.{finding.flag}.action to exclude",
    )
