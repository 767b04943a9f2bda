"""Section `features`: the integer program between the sensor's counts and the model's int8 codes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.core.schema.base import Section


class RobustScaler(Section):
    """Median and interquartile range of healthy training windows.

    Attributes
    ----------
    span_iqr : float
        Code 127 stands for `span_iqr` interquartile ranges above the median.
    """

    kind: Literal["robust"]
    span_iqr: float = Field(gt=0, le=1000)


class Features(Section):
    """Extractor and scaler.

    Attributes
    ----------
    extractor : {"raw"}
        Raw windows, one code per sample.
    dc : {"none", "window_mean"}
        Whether the device subtracts each window's own integer mean first.
    scaler : RobustScaler
    """

    extractor: Literal["raw"]
    dc: Literal["none", "window_mean"]
    scaler: RobustScaler
