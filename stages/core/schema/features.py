"""Section `features`: the integer program between the sensor's counts and the model's int8 codes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section


class RawExtractor(Section):
    """Every sample is a value of its own."""

    kind: Literal["raw"]


class BandsExtractor(Section):
    """Energies of frequency bands, RMS, peak-to-peak and spectral centroid of each frame.

    Attributes
    ----------
    frame, hop : int
        Samples; a frame is a power of two.
    window : {"hann", "rect"}
        The weighting before the FFT.
    bands : int
        How many.
    spacing : {"equal", "log"}
        Whether bands are equally wide in hertz or in octaves.
    low_hz, high_hz : float, float or None
        The range that the bands divide; None ends at half the sample rate.
    """

    kind: Literal["bands"]
    frame: int = Field(ge=16, le=1024)
    hop: int = Field(ge=1)
    window: Literal["hann", "rect"]
    bands: int = Field(ge=1, le=64)
    spacing: Literal["equal", "log"]
    low_hz: float = Field(ge=0)
    high_hz: float | None = Field(gt=0)


class StatsExtractor(Section):
    """Mean, standard deviation, extremes, energy and mean step of each frame.

    Attributes
    ----------
    frame, hop : int
        Samples.
    """

    kind: Literal["stats"]
    frame: int = Field(ge=2, le=16384)
    hop: int = Field(ge=1)


class Normalise(Section):
    """Division of each window by its own RMS.

    Attributes
    ----------
    epsilon : int
        Counts added to the RMS, about that of the sensor's noise, so that silence is not blown up to a signal.
    """

    epsilon: int = Field(ge=1, le=32767)


class MinmaxScaler(Section):
    """Smallest and largest value of all training windows: one spike sets the scale of everything."""

    kind: Literal["minmax"]


class ZscoreScaler(Section):
    """Mean and standard deviation of healthy training windows.

    Attributes
    ----------
    span_sigma : float
        Code 127 stands for `span_sigma` standard deviations above the mean.
    """

    kind: Literal["zscore"]
    span_sigma: float = Field(default=4.0, gt=0, le=1000)


class RobustScaler(Section):
    """Median and interquartile range of healthy training windows.

    Attributes
    ----------
    span_iqr : float
        Code 127 stands for `span_iqr` interquartile ranges above the median.
    """

    kind: Literal["robust"]
    span_iqr: float = Field(default=8.0, gt=0, le=1000)


class PercentileScaler(Section):
    """Two quantiles of healthy training windows take the codes -128 and 127.

    Attributes
    ----------
    low, high : float
        Shares of the healthy values.
    """

    kind: Literal["percentile"]
    low: float = Field(default=0.001, ge=0, lt=1)
    high: float = Field(default=0.999, gt=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> PercentileScaler:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) is not below high ({self.high:g})")
        return self


class LogScaler(Section):
    """Logarithmic on both sides of the healthy median, up to the training value farthest from it.

    Attributes
    ----------
    knee_iqr : float
        Interquartile ranges from the median at which the curve turns from linear to logarithmic.
    """

    kind: Literal["log"]
    knee_iqr: float = Field(default=1.0, gt=0, le=1000)


class QuantileScaler(Section):
    """Every code equally often in all training windows."""

    kind: Literal["quantile"]


class TwoStageScaler(Section):
    """Each column twice: a fine code for the healthy band, a coarse one for the sensor's whole range.

    Attributes
    ----------
    fine : RobustScaler or PercentileScaler
        What spreads the healthy band over the fine code.
    """

    kind: Literal["two_stage"]
    fine: Annotated[RobustScaler | PercentileScaler, Field(discriminator="kind")] = PercentileScaler(kind="percentile")


Extractor = Annotated[RawExtractor | BandsExtractor | StatsExtractor, Field(discriminator="kind")]
Scaler = Annotated[
    MinmaxScaler | ZscoreScaler | RobustScaler | PercentileScaler | LogScaler | QuantileScaler | TwoStageScaler,
    Field(discriminator="kind"),
]


class Features(Section):
    """Extractor and scaler.

    Attributes
    ----------
    dc : {"none", "window_mean"}
        Whether the device subtracts each window's own integer mean first.
    normalise : Normalise or None
        Whether it then divides by the window's RMS.
    extractor : RawExtractor, BandsExtractor or StatsExtractor
        What values are made of the samples of a window.
    scaler : MinmaxScaler, ZscoreScaler, RobustScaler, PercentileScaler, LogScaler, QuantileScaler or TwoStageScaler
        Its parameters have defaults, with which the scaling report compares all of them.
    """

    dc: Literal["none", "window_mean"]
    normalise: Normalise | None
    extractor: Extractor
    scaler: Scaler

    @model_validator(mode="after")
    def _coarse_code_has_a_range(self) -> Features:
        if isinstance(self.scaler, TwoStageScaler) and not self.in_counts:
            raise ValueError(
                "scaler two_stage spreads its coarse code over the sensor's range in counts, so it needs "
                "extractor raw and normalise null"
            )
        return self

    @property
    def in_counts(self) -> bool:
        """Whether the values that are scaled are still the sensor's counts."""
        return self.normalise is None and isinstance(self.extractor, RawExtractor)
