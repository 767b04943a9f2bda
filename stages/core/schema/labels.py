"""Section `labels`: the classes, in order of severity, and when a window belongs to one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from stages.core.schema.base import Section

#: The label of samples that belong to no class; windows of it are left out.
UNCERTAIN = "uncertain"

ClassName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Labels(Section):
    """Classes and the rule that gives a window one of them.

    Attributes
    ----------
    classes : tuple of str
        From normal to most severe. The first is what the machine should be like; output ``k`` of the network
        is the logit of a window being of class ``k + 1`` or a more severe one.
    min_overlap : float
        A span gives a window its label if they share at least this part of the shorter of the two, or all spans of
        that label together cover this part of the window. The most severe label wins. A window that a more severe
        span only grazes is left out.
    """

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
