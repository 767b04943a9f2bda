"""Section `capture` of the source `synthetic_shock`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.ranges import CountRange, Edges, PositiveRange, Range, ShareRange
from stages.core.schema.source import SourceSection

#: Seconds that every event has to itself, so that one has settled before the next begins.
SLOT_S = 6.0

Handling = Literal["set_down", "bump", "kerb", "shunt", "slip"]
Impact = Literal["drop", "collision"]
HardNegative = Literal["speed_bump", "door_slam", "burst"]


class Containers(Section):
    """The fleet: every container draws its own constants from these ranges.

    Attributes
    ----------
    count : int
        Containers.
    suspension_hz, suspension_damping : (float, float)
        Natural frequency and damping ratio of vehicle and load on the springs.
    floor_hz, floor_damping : (float, float)
        The same of the floor, pallet or rack that the sensor sits on.
    gain : (float, float)
        Transmission of vibration to the sensor, log-uniform.
    restitution : (float, float)
        Speed after a bounce over the speed before it.
    sensitivity : (float, float)
        Reading at rest, in g.
    noise_g : (float, float)
        RMS of the sensor's white noise per axis, log-uniform.
    """

    count: int = Field(ge=1)
    suspension_hz: PositiveRange
    suspension_damping: PositiveRange
    floor_hz: PositiveRange
    floor_damping: PositiveRange
    gain: PositiveRange
    restitution: ShareRange
    sensitivity: PositiveRange
    noise_g: PositiveRange

    @model_validator(mode="after")
    def _modes_oscillate_and_bounces_end(self) -> Containers:
        for name in ("suspension_damping", "floor_damping", "restitution"):
            if getattr(self, name)[1] >= 1:
                raise ValueError(f"{name} must stay below 1, not {getattr(self, name)[1]:g}")
        return self


class Mode(Section):
    """The vibration of one way of transport.

    Attributes
    ----------
    rms_g : (float, float)
        Vertical RMS at gain 1, log-uniform.
    excitation_hz : (float, float)
        What shakes the load besides its own springs: axle hop, bogie, engine and propeller.
    suspension_share : float
        Share of the power around the suspension's own frequency; the rest is around `excitation_hz`.
    lateral_share : float
        RMS along each horizontal axis over the vertical one.
    heave_g, heave_hz : (float, float)
        Amplitude and frequency of a slow vertical swing.
    """

    rms_g: PositiveRange
    excitation_hz: PositiveRange
    suspension_share: float = Field(ge=0, le=1)
    lateral_share: float = Field(ge=0, le=1)
    heave_g: Range
    heave_hz: PositiveRange


class HandlingEvents(Section):
    """Rough but usual handling.

    Attributes
    ----------
    kinds : tuple of str
        Equally likely, as in every group of events.
    per_voyage : (int, int)
        Events of a voyage.
    peak_g : (float, float)
        Peak magnitude, log-uniform.
    slip_m : (float, float)
        How far a load slips off a fork, log-uniform.
    """

    kinds: tuple[Handling, ...] = Field(min_length=1)
    per_voyage: CountRange
    peak_g: PositiveRange
    slip_m: PositiveRange


class ImpactEvents(Section):
    """What may damage the load.

    Attributes
    ----------
    kinds : tuple of str
        Equally likely.
    per_voyage : (int, int)
        Events of a voyage.
    peak_g : (float, float)
        Peak magnitude, log-uniform.
    drop_m : (float, float)
        Height that the load falls from, log-uniform.
    """

    kinds: tuple[Impact, ...] = Field(min_length=1)
    per_voyage: CountRange
    peak_g: PositiveRange
    drop_m: PositiveRange


class HardNegatives(Section):
    """What looks like an event and is normal.

    Attributes
    ----------
    kinds : tuple of str
        Equally likely.
    per_voyage : (int, int)
        Events of a voyage.
    peak_g : (float, float)
        Peak magnitude, log-uniform.
    """

    kinds: tuple[HardNegative, ...] = Field(min_length=1)
    per_voyage: CountRange
    peak_g: PositiveRange


class SyntheticShock(SourceSection):
    """Simulated shipments; see `stages.core.recordings.synthetic_shock`.

    Attributes
    ----------
    duration_s : float
        Length of every voyage.
    sample_rate_hz : float
        Of every voyage.
    sessions : int
        Voyages. A session does not depend on how many there are.
    modes : dict of str to Mode
        Dealt out to the voyages in turn.
    standstill : float
        Share of the time in which the vehicle stands.
    """

    source: Literal["synthetic_shock"]
    sessions: int = Field(ge=1, le=9999)
    duration_s: float = Field(gt=0, le=3600)
    sample_rate_hz: float = Field(gt=0)
    containers: Containers
    modes: dict[str, Mode] = Field(min_length=1)
    standstill: float = Field(ge=0, le=1)
    handling: HandlingEvents
    impacts: ImpactEvents
    hard_negatives: HardNegatives
    edges: Edges

    @model_validator(mode="after")
    def _events_fit(self) -> SyntheticShock:
        most = sum(group.per_voyage[1] for group in (self.handling, self.impacts, self.hard_negatives))
        if self.duration_s < SLOT_S * (most + 1):
            raise ValueError(
                f"duration_s ({self.duration_s:g}) has no room for {most} events and a calm stretch of "
                f"{SLOT_S:g} s each; it takes {SLOT_S * (most + 1):g} s"
            )
        if min(self.handling.peak_g[0], self.impacts.peak_g[0], self.hard_negatives.peak_g[0]) <= 1:
            raise ValueError("every peak_g must be above the 1 g of rest")
        return self

    @model_validator(mode="after")
    def _below_nyquist(self) -> SyntheticShock:
        highest = max(self.containers.floor_hz[1], *(mode.excitation_hz[1] for mode in self.modes.values()))
        if highest >= self.sample_rate_hz / 2:
            raise ValueError(f"a resonance of {highest:g} Hz is at or above half of sample_rate_hz")
        return self
