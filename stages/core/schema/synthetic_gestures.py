"""Section `capture` of the source `synthetic_gestures`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.ranges import CountRange, Edges, PositiveRange, Range, ShareRange
from stages.core.schema.source import SourceSection

#: Seconds that every event has to itself, so that one has settled before the next begins.
SLOT_S = 4.0
#: The longest that an event may take of its slot.
LONGEST_S = 2.0

Activity = Literal["rest", "handling", "walking"]


class Subjects(Section):
    """The people: every subject draws constants of their own from these ranges.

    Attributes
    ----------
    count : int
        Subjects.
    strength : (float, float)
        Factor on every peak of theirs, log-uniform.
    tap_hz, tap_damping : (float, float)
        Natural frequency and damping ratio of the device on the skin, which a tap sets ringing.
    tap_spread_deg : float
        How far a tap's direction may lie from the normal of the device's face; a bump's lies farther.
    shake_hz, swing_hz : (float, float)
        Tempo of shaking the wrist, and of gesticulating.
    cadence_hz : (float, float)
        Steps per second.
    step_g : (float, float)
        Amplitude of the vertical movement of a walking wrist.
    tremor_hz, tremor_g : (float, float)
        Frequency and RMS of the hand's tremor.
    tilt_deg : (float, float)
        How far the device is turned on the wrist, about its normal and about its long side.
    """

    count: int = Field(ge=1)
    strength: PositiveRange
    tap_hz: PositiveRange
    tap_damping: ShareRange
    tap_spread_deg: float = Field(ge=0, le=90)
    shake_hz: PositiveRange
    swing_hz: PositiveRange
    cadence_hz: PositiveRange
    step_g: PositiveRange
    tremor_hz: PositiveRange
    tremor_g: PositiveRange
    tilt_deg: Range

    @model_validator(mode="after")
    def _taps_ring(self) -> Subjects:
        if not 0 < self.tap_damping[0] <= self.tap_damping[1] < 1:
            raise ValueError(f"tap_damping must lie between 0 and 1, not {self.tap_damping}")
        return self


class Everyday(Section):
    """What the wrist does besides.

    Attributes
    ----------
    shares : dict of str to float
        Of the slots, by activity.
    posture_deg : float
        Standard deviation of the wrist's two angles while something is handled; a tenth of it at rest.
    handling_g, handling_hz : (float, float)
        RMS, log-uniform, and frequency of the movements of handling something.
    """

    shares: dict[Activity, float] = Field(min_length=1)
    posture_deg: float = Field(ge=0, le=90)
    handling_g: PositiveRange
    handling_hz: PositiveRange

    @model_validator(mode="after")
    def _whole(self) -> Everyday:
        total = sum(self.shares.values())
        if abs(total - 1) > 1e-9 or min(self.shares.values()) < 0:
            raise ValueError(f"shares must not be negative and must add up to 1, not to {total:g}")
        return self


class Taps(Section):
    """Taps of a finger on the device.

    Attributes
    ----------
    per_session : (int, int)
        Events of a session.
    peak_g : (float, float)
        Largest deviation from rest at strength 1, log-uniform.
    """

    per_session: CountRange
    peak_g: PositiveRange


class Strokes(Taps):
    """Movements of the whole wrist.

    Attributes
    ----------
    duration_s : (float, float)
        From the beginning of a movement to its end.
    """

    duration_s: PositiveRange

    @model_validator(mode="after")
    def _fits(self) -> Strokes:
        if self.duration_s[1] > LONGEST_S:
            raise ValueError(f"duration_s must end at {LONGEST_S:g}, not {self.duration_s[1]:g}")
        return self


class SyntheticGestures(SourceSection):
    """Simulated wrists; see `stages.core.recordings.synthetic_gestures`.

    Attributes
    ----------
    duration_s : float
        Length of every session.
    sample_rate_hz : float
        Of every session.
    sessions : int
        Dealt out to the subjects in turn. A session does not depend on how many there are.
    taps, shakes : Taps, Strokes
        The gestures.
    bumps, swings : Strokes
        What resembles them and is none: the wrist meets a table, or gesticulates.
    edges : Edges
    noise_g, offset_g : (float, float)
        RMS of the sensor's noise per axis, log-uniform, and its zero-g error.
    """

    source: Literal["synthetic_gestures"]
    sessions: int = Field(ge=1, le=9999)
    duration_s: float = Field(gt=0, le=3600)
    sample_rate_hz: float = Field(gt=0)
    subjects: Subjects
    everyday: Everyday
    taps: Taps
    shakes: Strokes
    bumps: Strokes
    swings: Strokes
    edges: Edges
    noise_g: PositiveRange
    offset_g: Range

    @model_validator(mode="after")
    def _events_fit(self) -> SyntheticGestures:
        most = sum(group.per_session[1] for group in (self.taps, self.shakes, self.bumps, self.swings))
        if self.duration_s < SLOT_S * (most + 1):
            raise ValueError(
                f"duration_s ({self.duration_s:g}) has no room for {most} events and a stretch without of "
                f"{SLOT_S:g} s each; it takes {SLOT_S * (most + 1):g} s"
            )
        if self.subjects.tap_hz[1] >= self.sample_rate_hz / 2:
            raise ValueError(f"tap_hz reaches {self.subjects.tap_hz[1]:g} Hz, at or above half of sample_rate_hz")
        return self
