"""Ranges that simulated values are drawn from, and where simulated events end."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from stages.core.schema.base import Section


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the range starts at {value[0]:g}, above its end {value[1]:g}")
    return value


def _counts_ordered(value: tuple[int, int]) -> tuple[int, int]:
    _ordered(value)
    return value


#: A closed range that a value is drawn from.
Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
#: A range of values that cannot be zero or below.
PositiveRange = Annotated[tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]], AfterValidator(_ordered)]
#: A range of shares.
ShareRange = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]], AfterValidator(_ordered)
]
#: A range of how many.
CountRange = Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], AfterValidator(_counts_ordered)]


class Edges(Section):
    """Where the span of a simulated event ends.

    Attributes
    ----------
    event_above_g : float
        The span lasts from the first to the last sample that the event moves by this much.
    normal_below_g : float
        Beyond the span, samples that it moves by at least this much are uncertain.
    """

    event_above_g: float = Field(gt=0)
    normal_below_g: float = Field(gt=0)

    @model_validator(mode="after")
    def _uncertain_around(self) -> Edges:
        if self.normal_below_g > self.event_above_g:
            raise ValueError("normal_below_g must not be above event_above_g")
        return self
