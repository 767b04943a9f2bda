"""Simulated wrists: what an accelerometer feels at rest, at work, walking, and when it is tapped or shaken.

The device records the specific force along three axes, z along the normal of its face. A session is a subject who
rests, handles something or walks, and does something in some of its slots:

- A tap is the blow of a finger on the device's face. It is shorter than a sample; what is recorded is the free decay
  of the device on the skin, along the blow.
- A shake moves the wrist to and fro at the subject's tempo, swelling and dying away.
- A bump is the device or the wrist meeting a table or a door, from any side but the face's: a haversine pulse, and the
  same ringing. It is no gesture, and neither is a swing, a shake in any direction that turns the wrist as well.

Gravity turns with the wrist, so that the posture is seen in all axes, and a subject wears the device tilted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from stages.core.recordings.oscillation import (
    OVERSAMPLING,
    Signal,
    free_decay,
    log_uniform,
    resonant_noise,
    sample,
)
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.source import Block, Recording
from stages.core.schema.labels import UNCERTAIN
from stages.core.schema.synthetic_gestures import (
    LONGEST_S,
    SLOT_S,
    Activity,
    Everyday,
    Strokes,
    Subjects,
    SyntheticGestures,
    Taps,
)
from stages.core.seeds import derive_seed

#: Which class an event is of: its position in ``labels.classes``.
CLASS_OF = {"tap": 1, "shake": 2, "bump": 0, "swing": 0}

#: An event begins this long after its slot and has settled before the next one.
_ONSET_S = (0.5, 1.5)
_FOOTPRINT_S = SLOT_S - _ONSET_S[1]
_NORMAL_OF_FACE = np.array([0.0, 0.0, 1.0])
#: Posture and level of movement change between points this far apart.
_KNOT_S = 1.0
#: Of the posture's scatter while something is handled, what is left in other activities.
_POSTURE: dict[Activity, float] = {"rest": 0.1, "handling": 1.0, "walking": 0.4}
_HANDLING: dict[Activity, float] = {"rest": 0.03, "handling": 1.0, "walking": 0.2}
_HANDLING_DAMPING, _TREMOR_DAMPING = 0.5, 0.1
#: Heel strikes reach the wrist as the decay of arm and shoulder.
_HEEL_HZ, _HEEL_DAMPING = 11.0, 0.35
#: A swing turns the wrist by this many degrees either way at its peak.
_SWING_DEG = 35.0


@dataclass(frozen=True)
class Subject:
    """The constants of one person; see `stages.core.schema.synthetic_gestures.Subjects`."""

    strength: float
    tap_hz: float
    tap_damping: float
    shake_hz: float
    swing_hz: float
    cadence_hz: float
    step_g: float
    tremor_hz: float
    tremor_g: float
    tilt_deg: tuple[float, float]


@dataclass(frozen=True)
class Event:
    """Something done in one slot of a session.

    Attributes
    ----------
    kind : {"tap", "shake", "bump", "swing"}
    onset_s, peak_g, duration_s : float
        When it begins, its largest deviation from rest, and how long it takes; 0 for a tap.
    """

    kind: str
    onset_s: float
    peak_g: float
    duration_s: float


@dataclass(frozen=True)
class Plan:
    """What one session is a recording of: an activity in each slot, and events in order of time."""

    subject: int
    activities: tuple[Activity, ...]
    events: tuple[Event, ...]


class GestureSessions:
    """The sessions of a configuration, made one at a time.

    Parameters
    ----------
    config : SyntheticGestures
    seed : int
        Session k depends on it and on k, never on how many sessions there are.
    classes : tuple of str
        For no gesture, taps and shakes. Where there are two, both gestures are of the last.
    """

    live = False

    def __init__(self, config: SyntheticGestures, seed: int, classes: tuple[str, ...]) -> None:
        self._config = config
        self._seed = seed
        self._classes = classes

    def __len__(self) -> int:
        return self._config.sessions

    def __getitem__(self, index: int) -> Recording:
        if not 0 <= index < len(self):
            raise IndexError(index)
        config, seed = self._config, self._seed
        plan = plan_session(config, seed, index)
        spans = label_spans(plan, make_effects(config, seed, index), config, self._classes)
        return Recording(_meta(config, plan, index, spans), lambda: iter([Block(make_signal(config, seed, index))]))


def make_signal(config: SyntheticGestures, seed: int, index: int) -> Signal:
    """Simulate session `index`.

    Parameters
    ----------
    config : SyntheticGestures
    seed : int
    index : int

    Returns
    -------
    ndarray of float64, shape (samples, 3)
        Specific force in g.
    """
    plan = plan_session(config, seed, index)
    subject = draw_subject(config.subjects, seed, plan.subject)
    rng = _rng(seed, "session", index, "everyday")
    force = everyday_force(plan.activities, subject, config.everyday, _internal_rate(config), rng)
    force = force[: _n_samples(config) * OVERSAMPLING] @ mounting(subject.tilt_deg).T
    for event, effect in zip(plan.events, make_effects(config, seed, index), strict=True):
        start = round(event.onset_s * _internal_rate(config))
        force[start : start + len(effect)] += effect
    sampled = sample(force)
    rng = _rng(seed, "session", index, "sensor")
    noise = log_uniform(rng, config.noise_g) * rng.standard_normal(sampled.shape)
    return np.asarray(sampled + rng.uniform(*config.offset_g, size=3) + noise)


def plan_session(config: SyntheticGestures, seed: int, index: int) -> Plan:
    """Decide what session `index` is: events in a random order, each in a slot of its own, one slot or more without.

    Parameters
    ----------
    config : SyntheticGestures
    seed : int
    index : int
    """
    number = index % config.subjects.count
    strength = draw_subject(config.subjects, seed, number).strength
    rng = _rng(seed, "session", index, "plan")
    groups: dict[str, Taps] = {"tap": config.taps, "shake": config.shakes, "bump": config.bumps, "swing": config.swings}
    drawn = []
    for kind, group in groups.items():
        for _ in range(int(rng.integers(group.per_session[0], group.per_session[1] + 1))):
            peak_g = strength * log_uniform(rng, group.peak_g)
            drawn.append((kind, peak_g, rng.uniform(*group.duration_s) if isinstance(group, Strokes) else 0.0))
    n_slots = int(config.duration_s / SLOT_S)
    slots = np.sort(rng.permutation(n_slots)[: len(drawn)])
    onsets_s = slots * SLOT_S + rng.uniform(*_ONSET_S, size=len(drawn))
    order = rng.permutation(len(drawn))
    events = [
        Event(kind, float(onset_s), float(peak_g), float(duration_s))
        for onset_s, (kind, peak_g, duration_s) in zip(onsets_s, (drawn[k] for k in order), strict=True)
    ]
    names: list[Activity] = sorted(config.everyday.shares)
    chosen = rng.choice(len(names), size=n_slots, p=[config.everyday.shares[name] for name in names])
    return Plan(number, tuple(names[k] for k in chosen), tuple(events))


def draw_subject(subjects: Subjects, seed: int, index: int) -> Subject:
    """Draw the constants of subject `index`; they do not depend on how many subjects there are."""
    rng = _rng(seed, "subject", index)
    return Subject(
        strength=log_uniform(rng, subjects.strength),
        tap_hz=rng.uniform(*subjects.tap_hz),
        tap_damping=rng.uniform(*subjects.tap_damping),
        shake_hz=rng.uniform(*subjects.shake_hz),
        swing_hz=rng.uniform(*subjects.swing_hz),
        cadence_hz=rng.uniform(*subjects.cadence_hz),
        step_g=log_uniform(rng, subjects.step_g),
        tremor_hz=rng.uniform(*subjects.tremor_hz),
        tremor_g=log_uniform(rng, subjects.tremor_g),
        tilt_deg=(rng.uniform(*subjects.tilt_deg), rng.uniform(*subjects.tilt_deg)),
    )


def everyday_force(
    activities: Sequence[Activity], subject: Subject, everyday: Everyday, rate_hz: float, rng: np.random.Generator
) -> Signal:
    """Simulate what the wrist feels without any event.

    Parameters
    ----------
    activities : sequence of str
        One per slot.
    subject : Subject
    everyday : Everyday
    rate_hz : float
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (samples, 3)
        In g, with gravity, for the slots and a second more.
    """
    n_samples = round((len(activities) * SLOT_S + _KNOT_S) * rate_hz)
    time_s = np.arange(n_samples) / rate_hz
    upright = _upright(activities, everyday.posture_deg, time_s, rng)
    handled = resonant_noise(
        rng.uniform(*everyday.handling_hz), _HANDLING_DAMPING, rate_hz, rng.standard_normal((n_samples, 3))
    )
    level = log_uniform(rng, everyday.handling_g) * _level([_HANDLING[each] for each in activities], time_s)
    tremor = resonant_noise(subject.tremor_hz, _TREMOR_DAMPING, rate_hz, rng.standard_normal((n_samples, 3)))
    steps = subject.step_g * _level([float(each == "walking") for each in activities], time_s)
    walked = steps * walk(subject.cadence_hz, time_s, rng)
    return np.asarray(
        upright * (1 + walked[:, np.newaxis]) + level[:, np.newaxis] * handled + subject.tremor_g * tremor
    )


def walk(cadence_hz: float, time_s: Signal, rng: np.random.Generator) -> Signal:
    """Vertical acceleration of a walking wrist at unit amplitude: rise and fall at each step, and heel strikes."""
    rate_hz = 1 / (time_s[1] - time_s[0])
    phase = rng.random() + cadence_hz * time_s + 0.05 * np.sin(2 * np.pi * 0.3 * time_s)
    strikes = np.zeros(len(time_s))
    at = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    strikes[at] = rng.uniform(0.6, 1.4, size=len(at))
    decay = free_decay(_HEEL_HZ, _HEEL_DAMPING, round(0.4 * rate_hz), rate_hz)
    return np.asarray(np.sin(2 * np.pi * phase) + np.convolve(strikes, decay)[: len(time_s)])


def mounting(tilt_deg: tuple[float, float]) -> Signal:
    """Return the rotation of the device on the wrist, about its normal and then about its long side, shape (3, 3)."""
    (sin_z, sin_x), (cos_z, cos_x) = np.sin(np.radians(tilt_deg)), np.cos(np.radians(tilt_deg))
    about_normal = np.array([[cos_z, -sin_z, 0.0], [sin_z, cos_z, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(np.array([[1.0, 0.0, 0.0], [0.0, cos_x, -sin_x], [0.0, sin_x, cos_x]]) @ about_normal)


def make_effects(config: SyntheticGestures, seed: int, index: int) -> list[Signal]:
    """Compute the force of each event of session `index` from its onset on; the same every time.

    Returns
    -------
    list of ndarray of float64, shape (samples, 3)
        In g, besides everything else, at the internal rate.
    """
    plan, rate_hz = plan_session(config, seed, index), _internal_rate(config)
    subject = draw_subject(config.subjects, seed, plan.subject)
    spread_deg = config.subjects.tap_spread_deg
    return [
        render(event, subject, spread_deg, rate_hz, _rng(seed, "session", index, "event", k))
        for k, event in enumerate(plan.events)
    ]


def render(event: Event, subject: Subject, spread_deg: float, rate_hz: float, rng: np.random.Generator) -> Signal:
    """Compute the force of one event from its onset until it has settled, shape (samples, 3)."""
    match event.kind:
        case "tap":
            return tap(event, subject, spread_deg, rate_hz, rng)
        case "bump":
            return bump(event, subject, spread_deg, rate_hz, rng)
        case "shake":
            return shake(event, subject, rate_hz, rng)
    return swing(event, subject, rate_hz, rng)


def tap(event: Event, subject: Subject, spread_deg: float, rate_hz: float, rng: np.random.Generator) -> Signal:
    """Return the ringing of the device along a blow near its normal, shape (samples, 3)."""
    decay = free_decay(subject.tap_hz, subject.tap_damping, round(_FOOTPRINT_S * rate_hz), rate_hz)
    lean, turn = np.radians(rng.uniform(0, spread_deg)), rng.uniform(0, 2 * np.pi)
    blow = np.array([np.sin(lean) * np.cos(turn), np.sin(lean) * np.sin(turn), -np.cos(lean)])
    return np.outer(event.peak_g / np.abs(decay).max() * decay, blow)


def shake(event: Event, subject: Subject, rate_hz: float, rng: np.random.Generator) -> Signal:
    """Return a movement to and fro, mostly along the device, shape (samples, 3)."""
    stroke = _stroke(subject.shake_hz * rng.uniform(0.85, 1.15), event.duration_s, rate_hz, rng)
    along = np.array([1.0, rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)])
    return _to_peak(np.outer(stroke, along), event.peak_g)


def bump(event: Event, subject: Subject, spread_deg: float, rate_hz: float, rng: np.random.Generator) -> Signal:
    """Return a haversine pulse and a ringing, half a pulse later and weaker, shape (samples, 3)."""
    lowest = -np.cos(np.radians(spread_deg))  # what comes from above is a tap
    width = max(round(event.duration_s * rate_hz), 2)
    force = np.zeros(round(_FOOTPRINT_S * rate_hz))
    force[:width] = np.sin(np.pi * (np.arange(width) + 0.5) / width) ** 2
    ringing = free_decay(subject.tap_hz, subject.tap_damping, len(force) - width // 2, rate_hz)
    force[width // 2 :] -= rng.uniform(0.3, 1.2) * ringing
    height, turn = rng.uniform(lowest, 1.0), rng.uniform(0, 2 * np.pi)
    flat = np.sqrt(1 - height**2)
    return _to_peak(np.outer(force, [flat * np.cos(turn), flat * np.sin(turn), height]), event.peak_g)


def swing(event: Event, subject: Subject, rate_hz: float, rng: np.random.Generator) -> Signal:
    """Return a shake in any direction and gravity moving with it, shape (samples, 3)."""
    stroke = _stroke(subject.swing_hz * rng.uniform(0.85, 1.15), event.duration_s, rate_hz, rng)
    angle = np.radians(_SWING_DEG) * stroke
    turned = np.stack([np.sin(angle), np.zeros(len(angle)), np.cos(angle) - 1], axis=1)
    along = rng.standard_normal(3)
    return _to_peak(np.outer(stroke, along / np.linalg.norm(along)) + turned, event.peak_g)


def label_spans(
    plan: Plan, effects: Sequence[Signal], config: SyntheticGestures, classes: tuple[str, ...]
) -> tuple[Span, ...]:
    """Label a session: the first class, and each gesture as far as it stands out, with uncertain edges.

    Parameters
    ----------
    plan : Plan
    effects : sequence of ndarray of float64, shape (samples, 3)
        Of its events, at the internal rate.
    config : SyntheticGestures
    classes : tuple of str

    Returns
    -------
    tuple of Span
        Covering all samples without overlap.
    """
    spans, last = [], 0
    for event, effect in zip(plan.events, effects, strict=True):
        number = min(CLASS_OF[event.kind], len(classes) - 1)
        if number == 0:
            continue
        onset, moved_g = round(event.onset_s * _internal_rate(config)), np.linalg.norm(effect, axis=1)
        edge, settled = _extent(onset, moved_g, config.edges.normal_below_g)
        start, stop = _extent(onset, moved_g, config.edges.event_above_g)
        spans += [Span(last, edge, classes[0]), Span(edge, start, UNCERTAIN)]
        spans += [Span(start, stop, classes[number]), Span(stop, settled, UNCERTAIN)]
        last = settled
    spans.append(Span(last, _n_samples(config), classes[0]))
    return tuple(span for span in spans if span.stop > span.start)


def _extent(onset: int, moved_g: Signal, limit_g: float) -> tuple[int, int]:
    """Return the recorded samples from the first to the last that an event moves by `limit_g`, or by its peak."""
    moved = onset + np.flatnonzero(moved_g >= min(limit_g, moved_g.max()))
    return int(moved[0]) // OVERSAMPLING, int(moved[-1]) // OVERSAMPLING + 1


def _stroke(frequency_hz: float, duration_s: float, rate_hz: float, rng: np.random.Generator) -> Signal:
    """To and fro at a frequency, swelling and dying away within a duration."""
    n_samples = max(round(min(duration_s, LONGEST_S) * rate_hz), 2)
    wave = np.sin(2 * np.pi * (frequency_hz * np.arange(n_samples) / rate_hz + rng.random()))
    return np.asarray(np.sin(np.pi * (np.arange(n_samples) + 0.5) / n_samples) * wave)


def _to_peak(force: Signal, peak_g: float) -> Signal:
    return np.asarray(force * peak_g / np.linalg.norm(force, axis=1).max())


def _upright(activities: Sequence[Activity], posture_deg: float, time_s: Signal, rng: np.random.Generator) -> Signal:
    """Unit vector of the specific force at rest in a wrist that turns smoothly, shape (samples, 3)."""
    knots_s = np.arange(0, time_s[-1] + 2 * _KNOT_S, _KNOT_S)
    scatter = np.interp(knots_s, *_slots([_POSTURE[each] for each in activities]))
    held = rng.uniform([-60.0, -40.0], [60.0, 40.0])
    knots = held + posture_deg * scatter[:, np.newaxis] * rng.standard_normal((len(knots_s), 2))
    pitch, roll = np.radians(CubicSpline(knots_s, knots)(time_s)).T
    return np.stack([-np.sin(pitch), np.cos(pitch) * np.sin(roll), np.cos(pitch) * np.cos(roll)], axis=1)


def _level(by_slot: Sequence[float], time_s: Signal) -> Signal:
    """Level of a movement over time, half a second in changing at the edges of slots."""
    return np.asarray(np.interp(time_s, *_slots(by_slot)))


def _slots(by_slot: Sequence[float]) -> tuple[Signal, Signal]:
    """Return the points in time between which a value per slot holds or changes, and the values there."""
    starts_s = np.arange(len(by_slot)) * SLOT_S
    return np.stack([starts_s + 0.25, starts_s + SLOT_S - 0.25], axis=1).ravel(), np.repeat(by_slot, 2)


def _internal_rate(config: SyntheticGestures) -> float:
    return config.sample_rate_hz * OVERSAMPLING


def _n_samples(config: SyntheticGestures) -> int:
    return round(config.duration_s * config.sample_rate_hz)


def _meta(config: SyntheticGestures, plan: Plan, index: int, spans: tuple[Span, ...]) -> SessionMeta:
    sensor = config.sensor
    events = (f"{event.kind} {event.onset_s:.2f}s {event.peak_g:.2f}g" for event in plan.events)
    return SessionMeta(
        session_id=f"g{index:04d}",
        group_id=f"subject_{plan.subject:02d}",
        condition=max(sorted(set(plan.activities)), key=plan.activities.count),
        state="worn",
        sample_rate_hz=config.sample_rate_hz,
        channels=("x", "y", "z"),
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
    return np.random.Generator(np.random.PCG64(derive_seed(seed, "capture", "gestures", *use)))
