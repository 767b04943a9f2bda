"""Section `release`: what a release is called."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Release(Section):
    """A release.

    Attributes
    ----------
    version : str
        ``major.minor.patch``, each below 100000 and without leading zeros.
    """

    version: str = Field(pattern=r"^(0|[1-9]\d{0,4})(\.(0|[1-9]\d{0,4})){2}$")

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        major, minor, patch = (int(part) for part in self.version.split("."))
        return major, minor, patch
