"""Section `capture` of the source `synthetic_bearing`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.ranges import PositiveRange, Range, ShareRange
from stages.core.schema.source import SourceSection


class Bearing(Section):
    """Geometry of a rolling element bearing.

    Attributes
    ----------
    rolling_elements : int
        Balls or rollers.
    ball_diameter_mm, pitch_diameter_mm : float
        Of one rolling element, and of the circle on which their centres run.
    contact_angle_deg : float
        Between the load on a rolling element and the plane of the bearing.
    """

    rolling_elements: int = Field(ge=3)
    ball_diameter_mm: float = Field(gt=0)
    pitch_diameter_mm: float = Field(gt=0)
    contact_angle_deg: float = Field(ge=0, lt=90)

    @model_validator(mode="after")
    def _balls_fit(self) -> Bearing:
        if self.ball_diameter_mm >= self.pitch_diameter_mm:
            raise ValueError(
                f"ball_diameter_mm ({self.ball_diameter_mm:g}) must be below "
                f"pitch_diameter_mm ({self.pitch_diameter_mm:g})"
            )
        return self


class Machines(Section):
    """The fleet: every machine draws its own constants from these ranges.

    Attributes
    ----------
    count : int
        Machines.
    bearings : tuple of Bearing
        Fitted to the machines in turn.
    reference_rpm : float
        Shaft speed at which the levels below hold.
    gain : (float, float)
        Transmission from the bearing to the sensor, drawn log-uniformly.
    resonance_hz, damping : (float, float)
        Natural frequency and damping ratio of the structure between bearing and sensor.
    harmonics : int
        Shaft orders 1, 2, .. that are present.
    unbalance_g : (float, float)
        Amplitude of order 1 at `reference_rpm`, log-uniform; grows with the square of the speed.
    background_g : (float, float)
        RMS of the broadband vibration at `reference_rpm`, rated load and gain 1, log-uniform; grows with the speed.
    background_modulation : (float, float)
        Depth of the background's modulation by the shaft turn.
    noise_floor_g : (float, float)
        RMS of the sensor's white noise, log-uniform.
    offset_g : (float, float)
        The sensor's zero-g error.
    tilt_deg : (float, float)
        Angle between the sensitive axis and gravity.
    load_zone : (float, float)
        Load distribution factor epsilon (Stribeck): the ring's loaded share of the circumference.
    """

    count: int = Field(ge=1)
    bearings: tuple[Bearing, ...] = Field(min_length=1)
    reference_rpm: float = Field(gt=0)
    gain: PositiveRange
    resonance_hz: PositiveRange
    damping: PositiveRange
    harmonics: int = Field(ge=1, le=20)
    unbalance_g: PositiveRange
    background_g: PositiveRange
    background_modulation: ShareRange
    noise_floor_g: PositiveRange
    offset_g: Range
    tilt_deg: Range
    load_zone: PositiveRange

    @model_validator(mode="after")
    def _modes_oscillate(self) -> Machines:
        if self.damping[1] >= 1:
            raise ValueError(f"damping must stay below 1 for the structure to ring, not {self.damping[1]:g}")
        return self


class Faults(Section):
    """Localised bearing defects.

    Attributes
    ----------
    states : tuple of str
        Dealt out in turn to the faulty sessions. ``cage`` strikes less than once per shaft turn, so that
        short windows may hold no impulse of it.
    severity : (float, float)
        Peak of one impulse's response over the RMS of the healthy background, log-uniform.
    slip : (float, float)
        Relative standard deviation of the interval between impulses.
    amplitude_scatter : float
        Relative standard deviation of the impulses' strength.
    """

    states: tuple[Literal["outer_race", "inner_race", "ball", "cage"], ...] = Field(min_length=1)
    severity: PositiveRange
    slip: ShareRange
    amplitude_scatter: float = Field(ge=0, lt=1)


class Disturbances(Section):
    """What happens around a machine in any state, and is no fault.

    Attributes
    ----------
    probability : float
        Share of the sessions with a disturbance.
    kinds : tuple of str
        Equally likely.
    impacts_per_s : float
        Mean rate of isolated knocks.
    impact_severity : (float, float)
        Peak of a knock's response over the RMS of the background, log-uniform.
    contact_severity : (float, float)
        RMS during tool contact over the RMS of the background, log-uniform.
    contact_s, ramp_s : (float, float)
        Duration of a tool contact, and of running up from or down to standstill.
    """

    probability: float = Field(ge=0, le=1)
    kinds: tuple[Literal["impacts", "tool_contact", "start", "stop"], ...] = Field(min_length=1)
    impacts_per_s: float = Field(gt=0)
    impact_severity: PositiveRange
    contact_severity: PositiveRange
    contact_s: PositiveRange
    ramp_s: PositiveRange


class SyntheticBearing(SourceSection):
    """Simulated bearings; see `stages.core.recordings.synthetic_bearing`.

    Attributes
    ----------
    duration_s : float
        Length of every session.
    sample_rate_hz : float
        Of every session.
    speed_scatter : float
        How far a session's speed may be from its nominal one, as a share of it.
    sessions : int
        A session does not depend on how many there are.
    speeds_rpm : tuple of float
        Nominal shaft speeds; a session runs within `speed_scatter` of one.
    loads : tuple of float
        Shares of the rated load.
    """

    source: Literal["synthetic_bearing"]
    sessions: int = Field(ge=1, le=9999)
    duration_s: float = Field(gt=0)
    sample_rate_hz: float = Field(gt=0)
    speeds_rpm: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    speed_scatter: float = Field(ge=0, lt=0.5)
    loads: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    machines: Machines
    faults: Faults
    disturbances: Disturbances

    @model_validator(mode="after")
    def _below_nyquist(self) -> SyntheticBearing:
        if self.machines.resonance_hz[1] >= self.sample_rate_hz / 2:
            raise ValueError(
                f"machines.resonance_hz reaches {self.machines.resonance_hz[1]:g} Hz, at or above half of "
                f"sample_rate_hz ({self.sample_rate_hz:g})"
            )
        return self
