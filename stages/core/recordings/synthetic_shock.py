"""Simulated shipments: what a shock logger on a load feels on the road, on rails, at sea and in between.

The logger records the magnitude of the specific force: 1 g at rest, 0 in free fall. A voyage is vibration through
the vehicle's springs, with standstills, and events in it:

- A fall from a height h lands with the speed ``v = sqrt(2 G h)``, is stopped and thrown back by a half-sine pulse
  of the contact force [1]_, and bounces until the flights are too short to matter.
- A jolt (set down, bump, kerb, shunt, collision, slammed door) is one haversine pulse along an axis, or two where
  two axles pass the same place [1]_, and the ringing of what carries the load.
- A burst of vibration is normal, like a jolt that stays below the limit.

The signal is made at a multiple of the sample rate and passed through the sensor's low-pass filter before it is
sampled, so that a pulse is recorded as a sensor would record it.

References
----------
.. [1] IEC 60068-2-27, "Test Ea and guidance: Shock": half-sine pulses and their change of velocity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.recordings.oscillation import OVERSAMPLING, free_decay, log_uniform, resonant_noise, sample
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.source import Block, Recording
from stages.core.schema.labels import UNCERTAIN
from stages.core.schema.synthetic_shock import SLOT_S, Containers, Mode, SyntheticShock
from stages.core.seeds import derive_seed

Signal = NDArray[np.float64]

#: How severe an event is: its class's position in ``labels.classes``.
_NORMAL, _HANDLING_SHOCK, _IMPACT = range(3)

STANDARD_GRAVITY = 9.80665
#: An event begins this long after its slot and has the rest of the slot to settle.
_ONSET_S = (1.0, 2.0)
_FOOTPRINT_S = SLOT_S - _ONSET_S[1]
_SHORTEST_FLIGHT_S = 0.03
#: Level of vibration at a standstill, as a share of the level in motion: engine, cranes, wind.
_STANDING_LEVEL = 0.05
#: Standard deviation of the logarithm of the level, from one stretch of the way to the next.
_ROUGHNESS = 0.25
_STRETCH_S = 5.0
_CALM = "calm"
_VERTICAL, _ALONG, _ACROSS = (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Jolt:
    """A kind of jolt: its axis, the length of a pulse, and whether it comes from the wheels.

    What comes from the wheels takes motion, strikes once per axle and sets the suspension swinging; everything
    else strikes once and makes the floor ring.
    """

    axis: tuple[float, float, float]
    pulse_s: tuple[float, float]
    of_wheels: bool = False


JOLTS = {
    "set_down": Jolt(_VERTICAL, (0.04, 0.1)),
    "bump": Jolt(_VERTICAL, (0.06, 0.15), of_wheels=True),
    "kerb": Jolt((0.0, 0.6, 0.8), (0.04, 0.1), of_wheels=True),
    "shunt": Jolt(_ALONG, (0.06, 0.2)),
    "collision": Jolt(_ALONG, (0.03, 0.08)),
    "speed_bump": Jolt(_VERTICAL, (0.08, 0.2), of_wheels=True),
    "door_slam": Jolt(_ACROSS, (0.03, 0.05)),
}
_FALLS = ("slip", "drop")
_BURST = "burst"


@dataclass(frozen=True)
class Container:
    """The constants of one container; see `stages.core.schema.synthetic_shock.Containers`."""

    suspension_hz: float
    suspension_damping: float
    floor_hz: float
    floor_damping: float
    gain: float
    restitution: float
    sensitivity: float
    noise_g: float


@dataclass(frozen=True)
class Event:
    """Something that happens in one slot of a voyage.

    Attributes
    ----------
    kind : str
    severity : int
        0 normal, 1 handling shock, 2 impact.
    onset_s, peak_g, drop_m : float
        When it begins, the largest magnitude, and the height of a fall or 0.
    """

    kind: str
    severity: int
    onset_s: float
    peak_g: float
    drop_m: float


@dataclass(frozen=True)
class Voyage:
    """What one session is a recording of: a vehicle that stands or moves in each slot, and events in order of time."""

    container: int
    mode: str
    standing: tuple[bool, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Effect:
    """What an event does to the load.

    Attributes
    ----------
    force_g : ndarray of float64, shape (samples, 3)
        Specific force besides that of rest and vibration.
    contact : ndarray of float64, shape (samples,)
        1 where the load rests on its floor, 0 where it flies or lands, so that nothing else reaches it.
    """

    force_g: Signal
    contact: Signal

    @property
    def deviation_g(self) -> Signal:
        """How far each sample is moved from rest, shape (samples,)."""
        moved = self.force_g.copy()
        moved[:, 2] += self.contact - 1
        return np.asarray(np.linalg.norm(moved, axis=1))


class ShockVoyages:
    """The sessions of a configuration, made one at a time.

    Parameters
    ----------
    config : SyntheticShock
    seed : int
        Session k depends on it and on k, never on how many sessions there are.
    classes : tuple of str
        For normal vibration, handling shocks and impacts. Where there are two, both kinds of event are of the last.
    """

    live = False

    def __init__(self, config: SyntheticShock, seed: int, classes: tuple[str, ...]) -> None:
        self._config = config
        self._seed = seed
        self._classes = classes

    def __len__(self) -> int:
        return self._config.sessions

    def __getitem__(self, index: int) -> Recording:
        if not 0 <= index < len(self):
            raise IndexError(index)
        config, seed = self._config, self._seed
        voyage = plan_voyage(config, seed, index)
        meta = _meta(config, voyage, index, label_spans(voyage, _effects(config, seed, index), config, self._classes))
        return Recording(meta, lambda: iter([Block(make_signal(config, seed, index))]))


def make_signal(config: SyntheticShock, seed: int, index: int) -> Signal:
    """Simulate session `index`.

    Parameters
    ----------
    config : SyntheticShock
    seed : int
    index : int

    Returns
    -------
    ndarray of float64, shape (samples, 1)
        Magnitude in g.
    """
    voyage = plan_voyage(config, seed, index)
    container = draw_container(config.containers, seed, voyage.container)
    force = _vibration(config, voyage, container, _rng(seed, "session", index, "vibration"))
    force[:, 2] += 1
    for event, effect in zip(voyage.events, _effects(config, seed, index), strict=True):
        start = round(event.onset_s * _internal_rate(config))
        part = slice(start, start + len(effect.contact))
        force[part] = effect.contact[:, np.newaxis] * force[part] + effect.force_g
    sampled = sample(force)
    noise = _rng(seed, "session", index, "noise").standard_normal(sampled.shape)
    return np.linalg.norm(container.sensitivity * sampled + container.noise_g * noise, axis=1, keepdims=True)


def plan_voyage(config: SyntheticShock, seed: int, index: int) -> Voyage:
    """Decide what session `index` is: events in a random order, each in a slot of its own, and one calm slot or more.

    Parameters
    ----------
    config : SyntheticShock
    seed : int
    index : int
    """
    container, turn = index % config.containers.count, index // config.containers.count
    rng = _rng(seed, "session", index, "plan")
    groups = ((_HANDLING_SHOCK, config.handling), (_IMPACT, config.impacts), (_NORMAL, config.hard_negatives))
    drawn = [
        (group.kinds[int(rng.integers(len(group.kinds)))], severity, log_uniform(rng, group.peak_g))
        for severity, group in groups
        for _ in range(int(rng.integers(group.per_voyage[0], group.per_voyage[1] + 1)))
    ]
    n_slots = int(config.duration_s / SLOT_S)
    slots = np.sort(rng.permutation(n_slots)[: len(drawn)])
    standing = rng.random(n_slots) < config.standstill
    events = []
    for slot, choice in zip(slots, rng.permutation(len(drawn)), strict=True):
        kind, severity, peak_g = drawn[choice]
        standing[slot] &= not (kind == _BURST or (kind in JOLTS and JOLTS[kind].of_wheels))
        heights = {"slip": config.handling.slip_m, "drop": config.impacts.drop_m}
        drop_m = log_uniform(rng, heights[kind]) if kind in heights else 0.0
        events.append(Event(kind, severity, float(slot * SLOT_S + rng.uniform(*_ONSET_S)), peak_g, drop_m))
    modes = sorted(config.modes)
    return Voyage(container, modes[(container + turn) % len(modes)], tuple(map(bool, standing)), tuple(events))


def draw_container(containers: Containers, seed: int, index: int) -> Container:
    """Draw the constants of container `index`; they do not depend on how many containers there are."""
    rng = _rng(seed, "container", index)
    return Container(
        suspension_hz=rng.uniform(*containers.suspension_hz),
        suspension_damping=rng.uniform(*containers.suspension_damping),
        floor_hz=rng.uniform(*containers.floor_hz),
        floor_damping=rng.uniform(*containers.floor_damping),
        gain=log_uniform(rng, containers.gain),
        restitution=rng.uniform(*containers.restitution),
        sensitivity=rng.uniform(*containers.sensitivity),
        noise_g=log_uniform(rng, containers.noise_g),
    )


def render(event: Event, container: Container, rate_hz: float, rng: np.random.Generator) -> Effect:
    """Compute what an event does from its onset until the end of its slot.

    Parameters
    ----------
    event : Event
    container : Container
    rate_hz : float
    rng : numpy.random.Generator

    Returns
    -------
    Effect
    """
    n_samples = round(_FOOTPRINT_S * rate_hz)
    if event.kind == _BURST:
        return _burst(event, container, n_samples, rate_hz, rng)
    if event.kind in _FALLS:
        return _fall(event, container, n_samples, rate_hz, rng)
    return _jolt(event, container, n_samples, rate_hz, rng)


def fall_force(peak_g: float, drop_m: float, restitution: float, rate_hz: float) -> Signal:
    """Specific force on a load that falls, lands and bounces, until it lies still.

    A linear cushion makes every contact a half-sine of the same length T. It turns the speed v into ``e v``, against
    gravity, so with the peak A in g::

        (2 A / pi - 1) G T = v (1 + e)

    which gives T from the first peak, and the peaks of the bounces, whose speeds are ``e v``, ``e^2 v``, .., from T.

    Parameters
    ----------
    peak_g : float
        Peak of the first contact, above pi / 2 g.
    drop_m, restitution : float
    rate_hz : float

    Returns
    -------
    ndarray of float64, shape (samples,)
        In g; 0 in flight.
    """
    speed = np.sqrt(2 * STANDARD_GRAVITY * drop_m)
    pulse_s = speed * (1 + restitution) / (STANDARD_GRAVITY * (2 * peak_g / np.pi - 1))
    phase = np.pi * (np.arange(max(round(pulse_s * rate_hz), 1)) + 0.5) / max(round(pulse_s * rate_hz), 1)
    flight_s = speed / STANDARD_GRAVITY
    parts = []
    while flight_s >= _SHORTEST_FLIGHT_S:
        peak = np.pi / 2 * (1 + speed * (1 + restitution) / (STANDARD_GRAVITY * pulse_s))
        parts += [np.zeros(round(flight_s * rate_hz)), peak * np.sin(phase)]
        speed *= restitution
        flight_s = 2 * speed / STANDARD_GRAVITY
    return np.concatenate(parts)


def jolt_amplitude(peak_g: float, axis: tuple[float, float, float]) -> float:
    """Amplitude a along an axis d that brings the magnitude to its peak: ``|(0, 0, 1) + a d| = peak_g``."""
    return float(np.sqrt(axis[2] ** 2 + peak_g**2 - 1)) - axis[2]


def _fall(event: Event, container: Container, n_samples: int, rate_hz: float, rng: np.random.Generator) -> Effect:
    force = fall_force(event.peak_g, event.drop_m, container.restitution, rate_hz)[:n_samples]
    contact, effect = np.ones(n_samples), np.zeros((n_samples, 3))
    contact[: len(force)] = 0.0
    effect[: len(force), 2] = force
    effect[: len(force), 0] = rng.uniform(0.02, 0.15)  # a load that tumbles feels its own rotation
    share = rng.uniform(0.05, 0.2)
    swing = free_decay(container.floor_hz, container.floor_damping, n_samples - len(force), rate_hz)
    effect[len(force) :, 2] += share * event.peak_g * swing
    return Effect(effect, contact)


def _jolt(event: Event, container: Container, n_samples: int, rate_hz: float, rng: np.random.Generator) -> Effect:
    kind = JOLTS[event.kind]
    width = round(rng.uniform(*kind.pulse_s) * rate_hz)
    delay = round(rng.uniform(0.25, 0.6) * rate_hz)
    share = rng.uniform(0.15, 0.4)
    frequency_hz, damping = (
        (container.suspension_hz, container.suspension_damping)
        if kind.of_wheels
        else (container.floor_hz, container.floor_damping)
    )
    strike = np.zeros(n_samples)
    strike[:width] = np.sin(np.pi * (np.arange(width) + 0.5) / width) ** 2
    strike[width:] = -share * free_decay(frequency_hz, damping, n_samples - width, rate_hz)
    if kind.of_wheels:
        strike[delay:] += rng.uniform(0.6, 0.95) * strike[:-delay]
        strike /= max(strike.max(), 1.0)
    return Effect(np.outer(jolt_amplitude(event.peak_g, kind.axis) * strike, kind.axis), np.ones(n_samples))


def _burst(event: Event, container: Container, n_samples: int, rate_hz: float, rng: np.random.Generator) -> Effect:
    width = round(rng.uniform(0.5, 2.0) * rate_hz)
    noise = resonant_noise(container.floor_hz, container.floor_damping, rate_hz, rng.standard_normal(width))
    noise *= np.hanning(width)
    force = np.zeros((n_samples, 3))
    force[:width, 2] = (event.peak_g - 1) * noise / np.abs(noise).max()
    return Effect(force, np.ones(n_samples))


def label_spans(
    voyage: Voyage, effects: list[Effect], config: SyntheticShock, classes: tuple[str, ...]
) -> tuple[Span, ...]:
    """Label a voyage: normal, and each event as far as it stands out, with uncertain edges.

    Parameters
    ----------
    voyage : Voyage
    effects : list of Effect
        Of its events, at the internal rate.
    config : SyntheticShock
    classes : tuple of str

    Returns
    -------
    tuple of Span
        Covering all samples without overlap. What is normal by its cause belongs to the normal time around it.
    """
    spans, last = [], 0
    for event, effect in zip(voyage.events, effects, strict=True):
        if event.severity == _NORMAL:
            continue
        onset = round(event.onset_s * _internal_rate(config))
        edge, settled = _extent(onset, effect, config.edges.normal_below_g)
        start, stop = _extent(onset, effect, config.edges.event_above_g)
        spans += [Span(last, edge, classes[0]), Span(edge, start, UNCERTAIN)]
        spans += [Span(start, stop, classes[min(event.severity, len(classes) - 1)]), Span(stop, settled, UNCERTAIN)]
        last = settled
    spans.append(Span(last, _n_samples(config), classes[0]))
    return tuple(span for span in spans if span.stop > span.start)


def _extent(onset: int, effect: Effect, limit_g: float) -> tuple[int, int]:
    """Return the recorded samples from the first to the last that an event moves by `limit_g`."""
    moved = onset + np.flatnonzero(effect.deviation_g >= limit_g)
    return int(moved[0]) // OVERSAMPLING, int(moved[-1]) // OVERSAMPLING + 1


def _effects(config: SyntheticShock, seed: int, index: int) -> list[Effect]:
    """Compute what each event of session `index` does; the same every time."""
    voyage = plan_voyage(config, seed, index)
    container = draw_container(config.containers, seed, voyage.container)
    return [
        render(event, container, _internal_rate(config), _rng(seed, "session", index, "event", k))
        for k, event in enumerate(voyage.events)
    ]


def _vibration(config: SyntheticShock, voyage: Voyage, container: Container, rng: np.random.Generator) -> Signal:
    """Vibration in g at the internal rate, shape (samples, 3)."""
    mode: Mode = config.modes[voyage.mode]
    rate_hz, n_samples = _internal_rate(config), _n_samples(config) * OVERSAMPLING
    excitation_hz, rms_g = rng.uniform(*mode.excitation_hz), container.gain * log_uniform(rng, mode.rms_g)
    heave_g, heave_hz, phase = rng.uniform(*mode.heave_g), rng.uniform(*mode.heave_hz), rng.random()
    white = rng.standard_normal((2, n_samples, 3))
    share = mode.suspension_share
    shaken = np.sqrt(share) * resonant_noise(container.suspension_hz, container.suspension_damping, rate_hz, white[0])
    shaken += np.sqrt(1 - share) * resonant_noise(excitation_hz, container.floor_damping, rate_hz, white[1])
    shaken *= rms_g * np.array([mode.lateral_share, mode.lateral_share, 1.0])
    shaken[:, 2] += heave_g * np.sin(2 * np.pi * (heave_hz * np.arange(n_samples) / rate_hz + phase))
    return np.asarray(shaken * _level(voyage.standing, n_samples, rate_hz, rng)[:, np.newaxis])


def _level(standing: tuple[bool, ...], n_samples: int, rate_hz: float, rng: np.random.Generator) -> Signal:
    """Level of vibration over time, around 1 in motion: stretches of the way, and standstills."""
    time_s = np.arange(n_samples) / rate_hz
    knots_s = np.arange(0, time_s[-1] + 2 * _STRETCH_S, _STRETCH_S)
    roughness = np.exp(_ROUGHNESS * np.clip(rng.standard_normal(len(knots_s)), -2, 2))
    # Half a second to start or stop, at the edges of the slots.
    slots_s = np.arange(len(standing)) * SLOT_S
    edges_s = np.stack([slots_s + 0.25, slots_s + SLOT_S - 0.25], axis=1).ravel()
    moving = np.where(np.repeat(standing, 2), _STANDING_LEVEL, 1.0)
    return np.asarray(np.interp(time_s, knots_s, roughness) * np.interp(time_s, edges_s, moving))


def _internal_rate(config: SyntheticShock) -> float:
    return config.sample_rate_hz * OVERSAMPLING


def _n_samples(config: SyntheticShock) -> int:
    return round(config.duration_s * config.sample_rate_hz)


def _meta(config: SyntheticShock, voyage: Voyage, index: int, spans: tuple[Span, ...]) -> SessionMeta:
    sensor = config.sensor
    events = (f"{event.kind} {event.onset_s:.2f}s {event.peak_g:.2f}g" for event in voyage.events)
    return SessionMeta(
        session_id=f"v{index:04d}",
        group_id=f"container_{voyage.container:02d}",
        condition=voyage.mode,
        state=max(voyage.events, key=lambda event: event.peak_g).kind if voyage.events else _CALM,
        sample_rate_hz=config.sample_rate_hz,
        channels=("magnitude",),
        unit=sensor.unit,
        full_scale=sensor.full_scale,
        counts_per_unit=sensor.counts_per_unit,
        device=sensor.device,
        firmware=sensor.firmware,
        mounting=sensor.mounting,
        spans=spans,
        notes={"events": ", ".join(events)},
    )


def _rng(seed: int, *use: str | int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(derive_seed(seed, "capture", "shock", *use)))
