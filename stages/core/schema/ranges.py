"""Ranges that simulated values are drawn from."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the range starts at {value[0]:g}, above its end {value[1]:g}")
    return value


#: A closed range that a value is drawn from.
Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
#: A range of values that cannot be zero or below.
PositiveRange = Annotated[tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]], AfterValidator(_ordered)]
#: A range of shares.
ShareRange = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]], AfterValidator(_ordered)
]
