"""What counts as a bad recording, what happens to it, and which differences between classes are artefacts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from stages.core.schema.base import Section

Action = Literal["warn", "exclude", "error"]


class Outlier(Section):
    """A limit derived from the data set: ``median + outlier_mad * 1.4826 * MAD`` of a flag over its sessions.

    1.4826 times the median absolute deviation estimates the standard deviation of normally distributed values.

    Attributes
    ----------
    outlier_mad : float
        Robust standard deviations above the median.
    at_least : float
        The limit is never below this: where nearly all sessions agree, the MAD is zero.
    """

    outlier_mad: float = Field(gt=0)
    at_least: float = Field(default=0.0, ge=0)


def _kind(limit: Any) -> str:
    """Tell a number from an outlier rule, so that what is wrong is said of the one that was meant."""
    return "outlier" if isinstance(limit, dict | Outlier) else "number"


_Derived = Annotated[Outlier, Tag("outlier")]


class LeastSamples(Section):
    """The shortest recording that is used, and what happens to a shorter one.

    Attributes
    ----------
    min : int or None
        In samples; None is one window. A recording is never used if it is shorter than a window.
    action : {"exclude", "error"}
        The session is left out, or stops the run.
    """

    min: int | None = Field(ge=1)
    action: Literal["exclude", "error"]


class ShareLimit(Section):
    """The largest share that passes, and what happens above it.

    Attributes
    ----------
    max : float or Outlier
        A number, or a rule that finds one.
    action : {"warn", "exclude", "error"}
        The session stays and is listed; or is left out; or stops the run.
    """

    max: Annotated[Annotated[float, Field(ge=0, le=1, strict=True), Tag("number")] | _Derived, Discriminator(_kind)]
    action: Action


class RunLimit(Section):
    """The longest run of samples that passes, and what happens above it.

    Attributes
    ----------
    max : int or Outlier
        In samples: a number, or a rule that finds one.
    action : {"warn", "exclude", "error"}
        The session stays and is listed; or is left out; or stops the run.
    """

    max: Annotated[Annotated[int, Field(ge=1, strict=True), Tag("number")] | _Derived, Discriminator(_kind)]
    action: Action


class NanLimit(Section):
    """What happens to a session with samples that have no value; a warning would not be enough.

    Attributes
    ----------
    action : {"exclude", "error"}
        The session is left out, or stops the run.
    """

    action: Literal["exclude", "error"]


class QualityLimits(Section):
    """One limit per quality flag of `stages.core.recordings.quality`, under the flag's name.

    Attributes
    ----------
    n_samples : LeastSamples
        Length of the recording.
    nan_fraction : NanLimit
        Share of samples that are NaN or infinite.
    clipped_fraction : ShareLimit
        Share of counts at an end of the ADC's range.
    repeated_fraction : ShareLimit
        Share of counts equal to the one before them in their channel: a sensor hold or a bad resampling.
    longest_stuck_run : RunLimit
        Samples in the longest run of one identical count.
    missing_fraction : ShareLimit
        Share of the samples that should be there and were lost in gaps.
    rate_error : ShareLimit
        ``|measured / declared - 1|`` of the sample rate, from time stamps; 0 where there are none.
    """

    n_samples: LeastSamples
    nan_fraction: NanLimit
    clipped_fraction: ShareLimit
    repeated_fraction: ShareLimit
    longest_stuck_run: RunLimit
    missing_fraction: ShareLimit
    rate_error: ShareLimit


class Material(Section):
    """Smallest difference between the medians of two classes that is worth stopping for, per flag.

    Attributes
    ----------
    clipped_fraction, repeated_fraction, missing_fraction, rate_error : float
        As a share, like the flag of that name.
    longest_stuck_run : float
        In samples.
    """

    clipped_fraction: float = Field(gt=0)
    repeated_fraction: float = Field(gt=0)
    longest_stuck_run: float = Field(gt=0)
    missing_fraction: float = Field(gt=0)
    rate_error: float = Field(gt=0)


class Artefacts(Section):
    """What of a recording may not tell its class: a model would learn it instead of the machine.

    Attributes
    ----------
    max_auc : float
        A flag is an artefact if it ranks the sessions of two classes better than this, in either direction, and
        the classes' medians differ by more than `material`.
    material : Material
    max_association : float
        A fact (device, sample rate, ..) is an artefact if its association with the class, Cramer's V with bias
        correction, is above this; 0 is none, 1 complete.
    allow : tuple of str
        Flags and facts that may tell the class; each is a decision to be written down.
    """

    max_auc: float = Field(ge=0.5, le=1)
    material: Material
    max_association: float = Field(ge=0, le=1)
    allow: tuple[str, ...]
