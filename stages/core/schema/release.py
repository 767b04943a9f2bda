"""Section `release`: what a release is called."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Regression(Section):
    """How much worse than the release before a release may be; `python -m stages.compare gate` refuses more.

    Attributes
    ----------
    auc_drop_max, tpr_at_threshold_drop_max, fpr_at_threshold_rise_max : float
        On the test part, per output.
    flash_growth_max, ram_growth_max, instructions_growth_max : float
        Share, per emulated board; instructions of the worst window.
    """

    auc_drop_max: float = Field(ge=0)
    tpr_at_threshold_drop_max: float = Field(ge=0)
    fpr_at_threshold_rise_max: float = Field(ge=0)
    flash_growth_max: float = Field(ge=0)
    ram_growth_max: float = Field(ge=0)
    instructions_growth_max: float = Field(ge=0)


class Release(Section):
    """A release.

    Attributes
    ----------
    version : str
        ``major.minor.patch``, each below 100000 and without leading zeros.
    regression : Regression
    """

    version: str = Field(pattern=r"^(0|[1-9]\d{0,4})(\.(0|[1-9]\d{0,4})){2}$")
    regression: Regression

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        major, minor, patch = (int(part) for part in self.version.split("."))
        return major, minor, patch
