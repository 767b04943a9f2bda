"""Section `gate`: what quantisation may cost before a release is refused."""

from __future__ import annotations

import difflib
from typing import Literal

from pydantic import Field, field_validator, model_validator

from stages.core.schema.base import Section

#: What can be limited: `stages.core.tail.compare`, then `stages.core.events.describe_events`.
METRICS = (
    *("auc", "auc_drop", "pauc_at_fpr_5_drop", "tpr_at_fpr_0_1_drop", "tpr_at_fpr_1_drop", "tpr_at_fpr_5_drop"),
    *("fpr_at_threshold", "fpr_at_threshold_rise", "tpr_at_threshold_drop", "false_alarms_per_hour"),
    *("false_alarms", "misses", "fpr_at_reference_threshold", "fpr_drift", "separation_retention", "compression"),
    *("flipped_fraction", "flips_near_threshold", "codes_above_threshold", "wasserstein_healthy"),
    *("wasserstein_anomalous", "probability_error", "event_recall", "event_recall_drop", "detection_delay_s"),
    "false_events_per_hour",
)


class Limit(Section):
    """Closed interval that a metric must lie in; at least one end is given.

    Attributes
    ----------
    min, max : float or None
        Of the candidate, or of its distance from float, as the metric's name says.
    bound : {"estimate", "worst", "best"}
        What must lie in it: the metric as measured; its whole bootstrap interval, so that only what is shown to hold
        passes; or some of that interval, so that only what is shown to be broken is refused.
    """

    min: float | None = None
    max: float | None = None
    bound: Literal["estimate", "worst", "best"] = "estimate"

    @model_validator(mode="after")
    def _has_an_end(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("a limit needs min, max or both")
        return self


class Bootstrap(Section):
    """How intervals are made.

    Attributes
    ----------
    resamples : int
        Draws of whole units, with replacement.
    confidence : float
        Share of the resamples that lie within an interval.
    """

    resamples: int = Field(ge=100, le=100_000)
    confidence: float = Field(gt=0.5, lt=1)


class Gate(Section):
    """What a rung has to hold to ship.

    Attributes
    ----------
    limits : dict of str to Limit or None
        By metric; None lifts the limit that a default sets.
    bootstrap : Bootstrap
    """

    limits: dict[str, Limit | None] = Field(min_length=1)
    bootstrap: Bootstrap

    @field_validator("limits")
    @classmethod
    def _are_of_metrics(cls, limits: dict[str, Limit | None]) -> dict[str, Limit | None]:
        for name in limits:
            if name not in METRICS:
                close = difflib.get_close_matches(name, METRICS, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(METRICS)}"
                raise ValueError(f"{name!r} is not a metric{hint}")
        return limits
