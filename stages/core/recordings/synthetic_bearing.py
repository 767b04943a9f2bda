"""Simulated bearings: the vibration of healthy and damaged machines, from geometry and shaft speed.

A machine is shaft harmonics, broadband vibration through the structure's resonance, gravity and sensor
noise. A localised defect adds a train of impulses at its kinematic frequency; each excites the resonance
anew [1]_. The interval between impulses scatters by a per cent or two because the rolling elements slip, and
the scatter accumulates, so that the train is not strictly periodic [2]_. The strength of an impulse follows
the load that the rolling element carries at the defect's place: constant for a defect of the fixed outer
race, modulated by the shaft turn for the inner race and by the cage turn for a ball [3]_, with the load
distribution of a radially loaded bearing [4]_. All trains live in the shaft angle, so a run-up is a run-up
for every component.

References
----------
.. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mechanical Systems
       and Signal Processing 25 (2011), 485-520.
.. [2] J. Antoni and R. B. Randall, "A stochastic model for simulation and diagnostics of rolling element
       bearings with localized faults", Journal of Vibration and Acoustics 125 (2003), 282-289.
.. [3] P. D. McFadden and J. D. Smith, "Model for the vibration produced by a single point defect in a
       rolling element bearing", Journal of Sound and Vibration 96 (1984), 69-82.
.. [4] T. A. Harris, "Rolling Bearing Analysis", Wiley: load distribution in radially loaded bearings.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from stages.core.recordings.oscillation import log_uniform
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.source import Block, Recording
from stages.core.schema.labels import UNCERTAIN
from stages.core.schema.synthetic_bearing import Bearing, Disturbances, Faults, Machines, SyntheticBearing
from stages.core.seeds import derive_seed

Signal = NDArray[np.float64]

#: Vibration grows with speed; so does the strength of an impulse, which keeps severity a ratio.
_LEVEL_SPEED_EXPONENT = 1.0
_LEVEL_LOAD_EXPONENT = 0.5
#: Share of the background's power that reaches the sensor without passing the resonance.
_DIFFUSE_SHARE = 0.5
#: Below this share of the nominal speed a damaged bearing may look like a healthy one.
_UNCERTAIN_SPEED_SHARE = 0.3
#: State of a bearing without a defect.
_SOUND = "healthy"
_GOLDEN_RATIO = 0.6180339887498949
#: Load-deflection exponent of point contact (balls).
_POINT_CONTACT_EXPONENT = 1.5


@dataclass(frozen=True)
class FaultOrders:
    """Kinematic frequencies of a bearing in multiples of the shaft speed."""

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float


def fault_orders(bearing: Bearing) -> FaultOrders:
    """Compute the frequencies at which a localised defect is struck, for a fixed outer race ([1]_, table 1).

    With ``r = (ball diameter / pitch diameter) * cos(contact angle)``, n rolling elements and shaft order 1::

        BPFO = n/2 (1 - r)    BPFI = n/2 (1 + r)    FTF = 1/2 (1 - r)    BSF = pitch/(2 ball) (1 - r^2)
    """
    ratio = bearing.ball_diameter_mm / bearing.pitch_diameter_mm
    r = ratio * float(np.cos(np.radians(bearing.contact_angle_deg)))
    n = bearing.rolling_elements
    return FaultOrders(n / 2 * (1 - r), n / 2 * (1 + r), (1 - r * r) / (2 * ratio), (1 - r) / 2)


@dataclass(frozen=True)
class Machine:
    """The constants of one machine; see `stages.core.schema.synthetic_bearing.Machines`."""

    bearing: Bearing
    gain: float
    resonance_hz: float
    damping: float
    harmonics_g: Signal
    harmonic_phases: Signal
    background_g: float
    modulation: float
    noise_floor_g: float
    static_g: float
    load_zone: float


@dataclass(frozen=True)
class Plan:
    """What one session is a recording of; `severity` is 0 for a healthy one, `disturbance` may be ``"none"``."""

    machine: int
    state: str
    severity: float
    nominal_rpm: float
    rpm: float
    load: float
    disturbance: str


@dataclass(frozen=True)
class Motion:
    """Shaft motion at each sample: speed in turns per second, angle in turns, background level in g."""

    speed_hz: Signal
    turns: Signal
    level_g: Signal


class SyntheticSessions:
    """The sessions of a configuration, made one at a time.

    Parameters
    ----------
    config : SyntheticBearing
    seed : int
        Session k depends on it and on k, never on how many sessions there are.
    classes : tuple of str
        A healthy bearing is of the first, a damaged one of the last.
    """

    live = False

    def __init__(self, config: SyntheticBearing, seed: int, classes: tuple[str, ...]) -> None:
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
        meta = _meta(config, plan, index, _spans(config, plan, seed, index, self._classes))
        return Recording(meta, lambda: iter([Block(make_signal(config, seed, index))]))


def make_signal(config: SyntheticBearing, seed: int, index: int) -> Signal:
    """Simulate session `index`.

    Parameters
    ----------
    config : SyntheticBearing
    seed : int
    index : int

    Returns
    -------
    ndarray of float64, shape (samples, 1)
        In g.
    """
    plan = plan_session(config, seed, index)
    machine = draw_machine(config.machines, seed, plan.machine)
    rngs = {use: _rng(seed, "session", index, use) for use in ("motion", "background", "fault", "disturbance", "noise")}
    motion = _motion(config, plan, machine, rngs["motion"])
    rate = config.sample_rate_hz
    signal = machine.static_g + _harmonics(machine, motion, config.machines.reference_rpm)
    signal += _background(machine, motion, rate, rngs["background"])
    signal += _fault(plan, machine, motion, config.faults, rate, rngs["fault"])
    signal += _disturbance(plan, machine, motion, config.disturbances, rate, rngs["disturbance"])
    signal += machine.noise_floor_g * rngs["noise"].standard_normal(len(signal))
    return signal[:, np.newaxis]


def plan_session(config: SyntheticBearing, seed: int, index: int) -> Plan:
    """Decide what session `index` is.

    Sessions come in pairs, one healthy and one faulty, of the same machine at the same operating point; the
    points and the fault states are dealt out in turn. So every machine and every condition has both classes,
    and neither tells the class.
    """
    machine = index % config.machines.count
    turn = index // config.machines.count
    pair = turn // 2
    rng = _rng(seed, "session", index, "plan")
    # Steps of the golden ratio from a random start spread a machine's few severities over the whole range.
    step = (_rng(seed, "machine", machine, "severity").random() + pair * _GOLDEN_RATIO) % 1
    low, high = config.faults.severity
    severity = low * (high / low) ** step
    rpm_factor = 1 + config.speed_scatter * rng.uniform(-1, 1)
    disturbed = rng.random() < config.disturbances.probability
    disturbance = config.disturbances.kinds[int(rng.integers(len(config.disturbances.kinds)))]
    healthy = (turn + machine) % 2 == 0
    points = [(rpm, load) for rpm in config.speeds_rpm for load in config.loads]
    nominal_rpm, load = points[(machine + pair) % len(points)]
    return Plan(
        machine=machine,
        state=_SOUND if healthy else config.faults.states[(machine + 2 * pair) % len(config.faults.states)],
        severity=0.0 if healthy else severity,
        nominal_rpm=nominal_rpm,
        rpm=nominal_rpm * rpm_factor,
        load=load,
        disturbance=disturbance if disturbed else "none",
    )


def draw_machine(machines: Machines, seed: int, index: int) -> Machine:
    """Draw the constants of machine `index`; they do not depend on how many machines there are."""
    rng = _rng(seed, "machine", index)
    gain = log_uniform(rng, machines.gain)
    orders = np.arange(1, machines.harmonics + 1)
    # The first order is unbalance; the others (misalignment, looseness) are some fraction of it that falls off.
    shares = np.where(orders == 1, 1.0, rng.uniform(0.1, 0.8, len(orders)) / orders)
    return Machine(
        bearing=_bearing(machines, index),
        gain=gain,
        resonance_hz=rng.uniform(*machines.resonance_hz),
        damping=rng.uniform(*machines.damping),
        harmonics_g=log_uniform(rng, machines.unbalance_g) * shares,
        harmonic_phases=rng.random(len(orders)),
        background_g=gain * log_uniform(rng, machines.background_g),
        modulation=rng.uniform(*machines.background_modulation),
        noise_floor_g=log_uniform(rng, machines.noise_floor_g),
        static_g=float(np.cos(np.radians(rng.uniform(*machines.tilt_deg)))) + rng.uniform(*machines.offset_g),
        load_zone=rng.uniform(*machines.load_zone),
    )


def _bearing(machines: Machines, index: int) -> Bearing:
    return machines.bearings[index % len(machines.bearings)]


def _motion(config: SyntheticBearing, plan: Plan, machine: Machine, rng: np.random.Generator) -> Motion:
    n_samples = round(config.duration_s * config.sample_rate_hz)
    time_s = np.arange(n_samples) / config.sample_rate_hz
    ramp_s = rng.uniform(*config.disturbances.ramp_s)
    share = np.ones(n_samples)
    if plan.disturbance == "start":
        share = np.minimum(time_s / ramp_s, 1.0)
    elif plan.disturbance == "stop":
        share = np.minimum((config.duration_s - time_s) / ramp_s, 1.0)
    speed_hz = plan.rpm / 60 * share
    turns = rng.random() + np.cumsum(speed_hz) / config.sample_rate_hz
    relative = speed_hz * 60 / config.machines.reference_rpm
    level = machine.background_g * relative**_LEVEL_SPEED_EXPONENT * plan.load**_LEVEL_LOAD_EXPONENT
    return Motion(speed_hz, turns, level)


def _harmonics(machine: Machine, motion: Motion, reference_rpm: float) -> Signal:
    """Shaft orders; the force of an unbalance is proportional to the square of the speed."""
    orders = np.arange(1, len(machine.harmonics_g) + 1)
    angles = 2 * np.pi * (motion.turns[:, np.newaxis] * orders + machine.harmonic_phases)
    waves = (machine.harmonics_g * np.sin(angles)).sum(axis=1)
    return np.asarray((motion.speed_hz * 60 / reference_rpm) ** 2 * waves)


def _background(machine: Machine, motion: Motion, rate_hz: float, rng: np.random.Generator) -> Signal:
    shape = 1 + machine.modulation * np.cos(2 * np.pi * motion.turns)
    noise = rng.standard_normal((2, len(shape)))
    resonant = np.sqrt(1 - _DIFFUSE_SHARE) * _resonant_noise(machine, rate_hz, noise[0])
    return np.asarray(motion.level_g * shape * (resonant + np.sqrt(_DIFFUSE_SHARE) * noise[1]))


def _fault(
    plan: Plan, machine: Machine, motion: Motion, faults: Faults, rate_hz: float, rng: np.random.Generator
) -> Signal:
    """The impulse train of a localised defect; zero for a healthy bearing."""
    if plan.state == _SOUND:
        return np.zeros(len(motion.turns))
    orders = fault_orders(machine.bearing)
    # A ball strikes both races once per turn of its own, hence twice its spin frequency.
    order = {"outer_race": orders.bpfo, "inner_race": orders.bpfi, "ball": 2 * orders.bsf, "cage": orders.ftf}[
        plan.state
    ]
    place = {"outer_race": 0.0, "inner_race": 1.0, "ball": orders.ftf, "cage": 0.0}[plan.state]
    slip = rng.uniform(*faults.slip)
    turns = impulse_turns(order, slip, motion.turns[0], motion.turns[-1], rng)
    positions = np.interp(turns, motion.turns, np.arange(len(motion.turns)))
    zone = load_share(turns * place + (rng.random() if place else 0.0), machine.load_zone)
    scatter = 1 + faults.amplitude_scatter * rng.standard_normal(len(turns))
    level = np.interp(positions, np.arange(len(motion.level_g)), motion.level_g)
    return ring(positions, plan.severity * level * zone * scatter, machine, len(motion.turns), rate_hz)


def impulse_turns(order: float, slip: float, start: float, stop: float, rng: np.random.Generator) -> Signal:
    """Place a defect's impulses on the shaft angle; the slip of every interval accumulates ([2]_).

    Parameters
    ----------
    order : float
        Impulses per shaft turn.
    slip : float
        Relative standard deviation of an interval.
    start, stop : float
        Range of the shaft angle, in turns.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (impulses,)
        Ascending shaft angles in turns, within ``[start, stop]``.
    """
    # Ten per cent and ten more intervals than expected, since the sum of the intervals scatters.
    n_intervals = int((stop - start) * order * 1.1) + 10
    intervals = np.maximum(1 + slip * rng.standard_normal(n_intervals), 0.1) / order
    turns = start + np.cumsum(intervals) - intervals[0] * rng.random()
    return np.asarray(turns[turns <= stop])


def load_share(place: Signal, epsilon: float) -> Signal:
    """Share of the largest load that a rolling element carries, ``(1 - (1 - cos psi) / (2 epsilon))**1.5`` ([4]_).

    Parameters
    ----------
    place : ndarray of float64
        Angle psi from the middle of the load zone, in turns.
    epsilon : float
        Load distribution factor.
    """
    loaded = np.maximum(1 - (1 - np.cos(2 * np.pi * place)) / (2 * epsilon), 0.0)
    return np.asarray(loaded**_POINT_CONTACT_EXPONENT)


def _disturbance(
    plan: Plan, machine: Machine, motion: Motion, config: Disturbances, rate_hz: float, rng: np.random.Generator
) -> Signal:
    n_samples = len(motion.turns)
    level = float(motion.level_g.max())
    if plan.disturbance == "impacts":
        count = 1 + int(rng.poisson(config.impacts_per_s * n_samples / rate_hz))
        positions = np.sort(rng.uniform(0, n_samples - 1, count))
        severities = np.array([log_uniform(rng, config.impact_severity) for _ in range(count)])
        return ring(positions, level * severities, machine, n_samples, rate_hz)
    if plan.disturbance == "tool_contact":
        width = min(round(rng.uniform(*config.contact_s) * rate_hz), n_samples)
        start = int(rng.integers(n_samples - width + 1))
        noise = _resonant_noise(machine, rate_hz, rng.standard_normal(n_samples))
        envelope = np.zeros(n_samples)
        envelope[start : start + width] = np.hanning(width)
        return np.asarray(level * log_uniform(rng, config.contact_severity) * envelope * noise)
    return np.zeros(n_samples)


def ring(positions: Signal, peaks: Signal, machine: Machine, n_samples: int, rate_hz: float) -> Signal:
    """Let each impulse excite the machine's resonance: a damped sine that starts between two samples.

    The response ``r**(k + d) * sin((k + d) * theta)``, k = 0, 1, .. of an impulse d samples before sample 0 obeys
    the recursion of the resonance, driven by ``r**d * sin(d * theta)`` and ``r**(1 + d) * sin((1 - d) * theta)``
    in its first two samples. So one filter makes every response, without rounding the impulses to samples.

    Parameters
    ----------
    positions : ndarray of float64, shape (impulses,)
        In samples, within ``[0, n_samples - 1]``.
    peaks : ndarray of float64, shape (impulses,)
        Largest value of each response.
    machine : Machine
    n_samples : int
    rate_hz : float

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    radius, theta, denominator = _resonance(machine, rate_hz)
    first = np.ceil(positions).astype(np.int64)
    delay = first - positions
    drive = np.zeros(n_samples + 1)
    scaled = peaks / _peak(machine.damping)
    np.add.at(drive, first, scaled * radius**delay * np.sin(delay * theta))
    np.add.at(drive, first + 1, scaled * radius ** (1 + delay) * np.sin((1 - delay) * theta))
    return np.asarray(lfilter([1.0], denominator, drive)[:n_samples])


def _resonance(machine: Machine, rate_hz: float) -> tuple[float, float, list[float]]:
    """Pole radius, pole angle and recursion of the impulse-invariant single-degree-of-freedom resonance."""
    omega = 2 * np.pi * machine.resonance_hz / rate_hz
    radius = float(np.exp(-machine.damping * omega))
    theta = float(omega * np.sqrt(1 - machine.damping**2))
    return radius, theta, [1.0, -2 * radius * float(np.cos(theta)), radius * radius]


def _peak(damping: float) -> float:
    """Largest value of ``exp(-damping w t) sin(sqrt(1 - damping^2) w t)``, reached at ``w_d t = arccos(damping)``."""
    root = float(np.sqrt(1 - damping**2))
    return root * float(np.exp(-damping / root * np.arccos(damping)))


def _resonant_noise(machine: Machine, rate_hz: float, white: Signal) -> Signal:
    """Colour unit white noise by the resonance, to an expected RMS of 1."""
    radius, theta, denominator = _resonance(machine, rate_hz)
    # Sum of squares of the impulse response 1/(1 - 2 r cos z^-1 + r^2 z^-2), in closed form.
    square = radius * radius
    power = (1 + square) / ((1 - square) * (1 - 2 * square * np.cos(2 * theta) + square * square))
    return np.asarray(lfilter([1.0], denominator, white) / np.sqrt(power))


def _meta(config: SyntheticBearing, plan: Plan, index: int, spans: tuple[Span, ...]) -> SessionMeta:
    sensor, orders = config.sensor, fault_orders(_bearing(config.machines, plan.machine))
    return SessionMeta(
        session_id=f"s{index:04d}",
        group_id=f"machine_{plan.machine:02d}",
        condition=f"{plan.nominal_rpm:g}rpm_{plan.load:g}load",
        state=plan.state,
        sample_rate_hz=config.sample_rate_hz,
        channels=("radial",),
        unit=sensor.unit,
        full_scale=sensor.full_scale,
        counts_per_unit=sensor.counts_per_unit,
        device=sensor.device,
        firmware=sensor.firmware,
        mounting=sensor.mounting,
        spans=spans,
        notes={
            "severity": f"{plan.severity:.6g}",
            "disturbance": plan.disturbance,
            "speed_rpm": f"{plan.rpm:.6g}",
            "orders": f"bpfo {orders.bpfo:.6g} bpfi {orders.bpfi:.6g} bsf {orders.bsf:.6g} ftf {orders.ftf:.6g}",
        },
    )


def _spans(config: SyntheticBearing, plan: Plan, seed: int, index: int, classes: tuple[str, ...]) -> tuple[Span, ...]:
    """Label session `index`; its motion is worked out only where the label depends on it."""
    if plan.state == _SOUND or plan.disturbance not in ("start", "stop"):
        return (Span(0, -1, classes[0] if plan.state == _SOUND else classes[-1]),)
    machine = draw_machine(config.machines, seed, plan.machine)
    motion = _motion(config, plan, machine, _rng(seed, "session", index, "motion"))
    return label_spans(plan, motion.speed_hz, classes)


def label_spans(plan: Plan, speed_hz: Signal, classes: tuple[str, ...]) -> tuple[Span, ...]:
    """Label a damaged bearing: near standstill it is uncertain, for nothing strikes the defect there.

    Parameters
    ----------
    plan : Plan
    speed_hz : ndarray of float64, shape (samples,)
    classes : tuple of str

    Returns
    -------
    tuple of Span
        Covering all samples.
    """
    turning = speed_hz >= _UNCERTAIN_SPEED_SHARE * plan.rpm / 60
    edges = [0, *(np.flatnonzero(turning[1:] != turning[:-1]) + 1).tolist(), len(turning)]
    return tuple(Span(start, stop, classes[-1] if turning[start] else UNCERTAIN) for start, stop in pairwise(edges))


def _rng(seed: int, *use: str | int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(derive_seed(seed, "capture", *use)))
