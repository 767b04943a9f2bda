"""Section `train.threshold`: the objectives of decision thresholds, and when a decision is withheld."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.labels import ClassName

ObjectiveName = Literal["fpr", "false_alarms_per_hour", "recall_at_least", "probability"]

_LIMITS: dict[ObjectiveName, str] = {
    "fpr": "max_fpr",
    "false_alarms_per_hour": "max_false_alarms_per_hour",
    "recall_at_least": "min_recall",
    "probability": "min_probability",
}


class Objective(Section):
    """What a threshold is set to achieve on val. Only the limit of the objective that is named counts.

    Attributes
    ----------
    objective : {"fpr", "false_alarms_per_hour", "recall_at_least", "probability"}
        The lowest threshold that holds `max_fpr` or `max_false_alarms_per_hour`, or the highest that keeps
        `min_recall`, or the score that stands for `min_probability`, whatever val says.
    max_fpr : float or None
        The largest share of windows below the class that may be called it or worse.
    max_false_alarms_per_hour : float or None
        The same per hour of such windows, with a decision at every hop.
    min_recall : float or None
        The smallest share of windows of the class or a worse one that must be called so.
    min_probability : float or None
        Where val has too few errors to place a threshold by: what a false alarm costs, as a share of what it and a
        miss cost together, makes decisions cheapest if probabilities are right (C. Elkan, "The foundations of
        cost-sensitive learning", IJCAI 2001). Both answers count as equally likely beforehand, as in the loss.
    """

    objective: ObjectiveName
    max_fpr: float | None = Field(default=None, gt=0, lt=1)
    max_false_alarms_per_hour: float | None = Field(default=None, gt=0)
    min_recall: float | None = Field(default=None, gt=0, le=1)
    min_probability: float | None = Field(default=None, gt=0, lt=1)

    @property
    def limit(self) -> float:
        """The limit of the objective that is named."""
        value: float = getattr(self, _LIMITS[self.objective])
        return value

    @model_validator(mode="after")
    def _limit_is_given(self) -> Objective:
        name = _LIMITS[self.objective]
        if getattr(self, name) is None:
            raise ValueError(f"objective {self.objective} needs {name}")
        return self


class Reject(Section):
    """When a decision is withheld rather than made.

    Attributes
    ----------
    by : {"band", "margin"}
        The score is too near to a threshold, or the two most probable classes are too near to each other.
    max_error : float
        The largest share of errors among the decisions that are made, on val.
    """

    by: Literal["band", "margin"]
    max_error: float = Field(ge=0, lt=1)


class Threshold(Objective):
    """The objective of every class above the first, but for those with one of their own.

    Attributes
    ----------
    per_class : dict of str to Objective
    reject : Reject or None
    """

    per_class: dict[ClassName, Objective]
    reject: Reject | None
