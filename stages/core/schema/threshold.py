"""Section `train.threshold`: the objective of a decision threshold."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Threshold(Section):
    """The objective that sets a decision threshold.

    Attributes
    ----------
    max_fpr : float
        The largest share of healthy val windows that may be called anomalous.
    """

    max_fpr: float = Field(gt=0, lt=1)
