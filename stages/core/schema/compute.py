"""Section `compute`: how the work per session is spread. It never changes a result."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.core.schema.base import Section


class Compute(Section):
    """Workers for the stages that go through sessions one by one.

    Attributes
    ----------
    backend : {"loky", "ray"}
        Joblib's backend: processes on this machine, or a Ray cluster (the package `ray` is then needed).
    workers : int
        1 works in the stage's own process.
    """

    backend: Literal["loky", "ray"]
    workers: int = Field(ge=1, le=256)
