"""Quality of one session's counts: measures, and what the limits say about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import RecordingError
from stages.core.schema.capture import Action, QualityLimits


@dataclass(frozen=True)
class Finding:
    """A quality flag above its limit, and what is to be done with the session."""

    flag: str
    value: float
    limit: float
    action: Action

    def __str__(self) -> str:
        return f"{self.flag} is {self.value:.6g}, above {self.limit:.6g}"


def measure(counts: NDArray[np.int16], full_scale_counts: int) -> dict[str, float]:
    """Measure the quality flags of one session.

    Parameters
    ----------
    counts : ndarray of int16, shape (samples, channels)
    full_scale_counts : int
        The ADC yields ``-full_scale_counts .. full_scale_counts - 1``.

    Returns
    -------
    dict of str to float
        ``n_samples``, ``clipped_fraction`` and ``repeated_fraction`` over all channels, and
        ``longest_stuck_run`` (samples) of the worst channel.
    """
    clipped = (counts >= full_scale_counts - 1) | (counts <= -full_scale_counts)
    repeated = counts[1:] == counts[:-1]
    return {
        "n_samples": float(counts.shape[0]),
        "clipped_fraction": float(clipped.mean()),
        "repeated_fraction": float(repeated.mean()) if repeated.size else 0.0,
        "longest_stuck_run": float(max(longest_run(channel) for channel in counts.T)),
    }


def longest_run(values: NDArray[np.int16]) -> int:
    """Return the length of the longest run of one identical value, at least 1.

    Parameters
    ----------
    values : ndarray of int16, shape (samples,)
        At least one sample.
    """
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(values)]])
    return int(np.diff(edges).max())


def judge(flags: dict[str, float], limits: QualityLimits) -> list[Finding]:
    """List the flags above their limits, in the order of the limits.

    Parameters
    ----------
    flags : dict of str to float
        From `measure`.
    limits : QualityLimits

    Returns
    -------
    list of Finding
    """
    findings = []
    for flag in type(limits).model_fields:
        limit = getattr(limits, flag)
        if flags[flag] > limit.max:
            findings.append(Finding(flag, flags[flag], float(limit.max), limit.action))
    return findings


def require_tolerable(findings: list[Finding], session_id: str) -> None:
    """Stop at a finding whose action is ``error``.

    Raises
    ------
    RecordingError
        Names the flag, its value and its limit.
    """
    for finding in findings:
        if finding.action == "error":
            raise RecordingError(
                found=str(finding),
                where=f"session {session_id}",
                expected=f"at most {finding.limit:.6g}, as capture.quality.{finding.flag}.max says",
                remedy="Leave the recording out of the source, or set the flag's action to exclude or warn",
            )


def average_by_state(sessions: Iterable[tuple[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Average each flag per state: an artefact that goes with one class is one that a model would learn.

    Parameters
    ----------
    sessions : iterable of (str, dict of str to float)
        State and flags of each session.
    """
    by_state: dict[str, list[dict[str, float]]] = {}
    for state, flags in sessions:
        by_state.setdefault(state, []).append(flags)
    return {
        state: {flag: sum(of[flag] for of in flags) / len(flags) for flag in flags[0]}
        for state, flags in by_state.items()
    }
