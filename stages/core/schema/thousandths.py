"""Numbers that a device holds in thousandths, as 32-bit integers: sample rates and gains."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

#: A number that is at least one thousandth, and fits.
Thousandths = Annotated[float, Field(ge=0.001, le=4294967.295)]


def thousandths(value: float) -> int:
    """Round to the nearest thousandth and return how many those are."""
    return round(value * 1000)
