"""Section `split`: what may not be in two of train, val and test at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stages.core.schema.base import Section


class GroupSplit(Section):
    """Whole groups (machines, bearings, people), stratified by class.

    Attributes
    ----------
    folds : int
        One of `folds` parts is test, one is val, the rest is train.
    """

    by: Literal["group"]
    folds: int = Field(ge=3, le=20)


class HeldOut(Section):
    """Values that belong to val and to test; every other value belongs to train."""

    val: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = Field(min_length=1)


class HeldOutSplit(Section):
    """Operating conditions and machine states that training never sees.

    A healthy session goes where its condition belongs. An anomalous one is used only where its condition
    and its state belong to the same part; the others are left out, and listed.
    """

    by: Literal["held_out"]
    conditions: HeldOut
    states: HeldOut


Split = Annotated[GroupSplit | HeldOutSplit, Field(discriminator="by")]
