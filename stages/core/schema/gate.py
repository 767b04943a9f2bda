"""Section `gate`: what quantisation may cost before a release is refused."""

from __future__ import annotations

from pydantic import Field, model_validator

from stages.core.schema.base import Section


class Limit(Section):
    """Closed interval that a metric must lie in; at least one end is given."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Limit:
        if self.min is None and self.max is None:
            raise ValueError("a limit needs min, max or both")
        return self


class Gate(Section):
    """Limits by metric name; the names are those of `stages.core.tail.compare`."""

    limits: dict[str, Limit] = Field(min_length=1)
