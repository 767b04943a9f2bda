"""Section `labels`: the classes, how they relate, and when a window belongs to one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from stages.core.schema.base import Section

#: The label of samples that belong to no class; windows of it are left out.
UNCERTAIN = "uncertain"

#: Whether each class is worse than the one before it, or they merely differ.
Kind = Literal["ordered", "exclusive"]

ClassName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Labels(Section):
    """Classes and the rule that gives a window one of them.

    Attributes
    ----------
    kind : {"ordered", "exclusive"}
        Output ``k`` of the network is the logit of a window being of class ``k + 1`` or a more severe one; or, of
        classes that have no order, of class ``k + 1`` and no other.
    classes : tuple of str
        The first is what the machine should be like. Ordered classes go from normal to most severe; of exclusive ones,
        read the last where below it says the most severe.
    min_overlap : float
        A span gives a window its label if they share at least this part of the shorter of the two, or all spans of
        that label together cover this part of the window. The most severe label wins. A window that a more severe
        span only grazes is left out.
    """

    kind: Kind
    classes: tuple[ClassName, ...] = Field(min_length=2, max_length=8)
    min_overlap: float = Field(gt=0, le=1)

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes) or UNCERTAIN in classes:
            raise ValueError(f"classes must be distinct, and {UNCERTAIN!r} is not one of them")
        return classes

    @property
    def outputs(self) -> int:
        """Outputs of the network: classes above the first."""
        return len(self.classes) - 1
