"""The simulated bearings against hand-computed kinematics and independent spectra."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.signal import butter, hilbert, sosfiltfilt
from sklearn.metrics import roc_auc_score

from stages.core.recordings.session import digitise
from stages.core.recordings.synthetic_bearing import (
    SyntheticSessions,
    draw_machine,
    fault_orders,
    impulse_turns,
    label_spans,
    load_share,
    make_signal,
    plan_session,
    ring,
)
from stages.core.schema.synthetic_bearing import Bearing
from tests.core.recordings.sources import capture_config, signal_of

CONFIG = capture_config("synthetic_bearing")
SKF_6205 = Bearing(rolling_elements=9, ball_diameter_mm=7.94, pitch_diameter_mm=39.04, contact_angle_deg=0.0)


def undisturbed(**changes):
    return capture_config("synthetic_bearing", disturbances__probability=0.0, **changes)


def sessions(config, classes=("healthy", "anomalous")):
    return SyntheticSessions(config, 1, classes)


def first(config, state, seed=1):
    return next(k for k in range(config.sessions) if plan_session(config, seed, k).state == state)


def test_orders_of_a_6205_are_the_published_ones():
    orders = fault_orders(SKF_6205)
    assert orders.bpfo == pytest.approx(3.585, abs=5e-4)
    assert orders.bpfi == pytest.approx(5.415, abs=5e-4)
    assert orders.ftf == pytest.approx(0.3983, abs=5e-5)
    assert orders.bsf == pytest.approx(2.357, abs=5e-4)


def test_ball_passages_of_both_races_add_up_to_the_rolling_elements():
    orders = fault_orders(SKF_6205.model_copy(update={"contact_angle_deg": 25.0}))
    assert orders.bpfo + orders.bpfi == pytest.approx(9)
    assert orders.bpfo == pytest.approx(9 * orders.ftf)


def strongest_line(signal, rate, low, high, resonance_hz):
    """Frequency of the strongest line of the envelope, between low and high."""
    band = butter(4, [0.75 * resonance_hz, min(1.25 * resonance_hz, 0.49 * rate)], "bandpass", fs=rate, output="sos")
    envelope = np.abs(hilbert(sosfiltfilt(band, signal)))
    spectrum = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope))))
    frequency = np.fft.rfftfreq(len(envelope), 1 / rate)
    inside = (frequency >= low) & (frequency <= high)
    return frequency[inside][np.argmax(spectrum[inside])]


@pytest.mark.parametrize(("state", "order"), [("outer_race", "bpfo"), ("inner_race", "bpfi")])
def test_envelope_spectrum_of_a_gross_fault_peaks_at_its_frequency(state, order):
    config = undisturbed(faults__severity=[40.0, 40.0], machines__background_modulation=[0.0, 0.0])
    index = first(config, state)
    plan = plan_session(config, 1, index)
    machine = draw_machine(config.machines, 1, plan.machine)
    expected = getattr(fault_orders(machine.bearing), order) * plan.rpm / 60
    signal = make_signal(config, 1, index)[:, 0]
    line = strongest_line(signal, config.sample_rate_hz, 0.6 * expected, 1.5 * expected, machine.resonance_hz)
    assert line == pytest.approx(expected, rel=0.01)


def test_shaft_orders_stand_at_the_shaft_speed():
    config = undisturbed(machines__unbalance_g=[1.0, 1.0])
    index = first(config, "healthy")
    plan = plan_session(config, 1, index)
    signal = make_signal(config, 1, index)[:, 0]
    spectrum = np.abs(np.fft.rfft((signal - signal.mean()) * np.hanning(len(signal))))
    spectrum[np.fft.rfftfreq(len(signal), 1 / config.sample_rate_hz) > 1.5 * plan.rpm / 60] = 0
    assert np.argmax(spectrum) / config.duration_s == pytest.approx(plan.rpm / 60, abs=0.25)


def test_slip_scatters_the_intervals_by_its_share_and_keeps_the_mean():
    turns = impulse_turns(3.585, 0.02, 10.0, 2010.0, np.random.default_rng(3))
    intervals = np.diff(turns) * 3.585
    assert turns[0] >= 10.0
    assert turns[-1] <= 2010.0
    assert turns[-1] > 2009.0
    assert intervals.mean() == pytest.approx(1, abs=0.002)
    assert intervals.std() == pytest.approx(0.02, rel=0.05)


def test_slip_accumulates_so_that_the_train_loses_its_phase():
    ends = [impulse_turns(1.0, 0.02, 0.0, 420.0, np.random.default_rng(seed))[[0, 400]] for seed in range(300)]
    drift = np.diff(np.array(ends), axis=1)
    assert drift.std() == pytest.approx(0.02 * np.sqrt(400), rel=0.15)


def test_load_share_is_full_in_the_middle_and_nothing_outside_a_half_zone():
    assert load_share(np.array([0.0, 0.25, 0.5]), 0.5) == pytest.approx([1.0, 0.0, 0.0])
    assert load_share(np.array([0.5]), 2.0) == pytest.approx([0.5**1.5])


def test_response_between_samples_is_the_damped_sine_that_starts_there():
    machine = replace(draw_machine(CONFIG.machines, 1, 0), resonance_hz=3000.0, damping=0.05)
    rate, at, peak = 12800.0, 10.3, 2.5
    time_s = np.maximum((np.arange(200) - at) / rate, 0)
    omega = 2 * np.pi * 3000.0
    shape = np.exp(-0.05 * omega * time_s) * np.sin(np.sqrt(1 - 0.05**2) * omega * time_s)
    fine = np.arange(0, 1e-3, 1e-8)
    largest = np.max(np.exp(-0.05 * omega * fine) * np.sin(np.sqrt(1 - 0.05**2) * omega * fine))
    response = ring(np.array([at]), np.array([peak]), machine, 200, rate)
    np.testing.assert_allclose(response, peak * shape / largest, atol=1e-7)


def test_impulse_at_the_last_sample_stays_inside():
    machine = draw_machine(CONFIG.machines, 1, 0)
    assert ring(np.array([99.0]), np.array([1.0]), machine, 100, 12800.0).shape == (100,)


def test_session_depends_on_seed_and_index_alone():
    np.testing.assert_array_equal(make_signal(CONFIG, 1, 7), make_signal(CONFIG, 1, 7))
    assert sessions(CONFIG)[7].meta == sessions(CONFIG)[7].meta
    assert not np.array_equal(make_signal(CONFIG, 1, 7), make_signal(CONFIG, 2, 7))


def test_session_does_not_depend_on_how_many_there_are():
    few = sessions(capture_config("synthetic_bearing", sessions=3, duration_s=0.2))
    many = sessions(capture_config("synthetic_bearing", sessions=9, duration_s=0.2))
    assert (len(few), len(many)) == (3, 9)
    for index in range(3):
        assert few[index].meta == many[index].meta
        np.testing.assert_array_equal(signal_of(few[index]), signal_of(many[index]))
    with pytest.raises(IndexError):
        few[3]


def test_every_machine_and_every_condition_has_as_many_healthy_as_faulty_sessions():
    by_machine, by_condition = defaultdict(list), defaultdict(list)
    plans = [plan_session(CONFIG, 1, index) for index in range(CONFIG.sessions)]
    for plan in plans:
        by_machine[plan.machine].append(plan.state == "healthy")
        by_condition[plan.nominal_rpm, plan.load].append(plan.state == "healthy")
    assert len(by_machine) == CONFIG.machines.count
    assert len(by_condition) == len(CONFIG.speeds_rpm) * len(CONFIG.loads)
    for healthy in [*by_machine.values(), *by_condition.values()]:
        assert 2 * sum(healthy) == len(healthy)
    assert {plan.state for plan in plans} == {"healthy", *CONFIG.faults.states}


def test_severity_reaches_from_barely_visible_to_gross():
    plans = [plan_session(CONFIG, 1, index) for index in range(CONFIG.sessions)]
    severity = np.log(sorted(plan.severity for plan in plans if plan.state != "healthy"))
    low, high = np.log(CONFIG.faults.severity)
    assert np.histogram(severity, bins=4, range=(low, high))[0].min() >= 6


def test_gross_faults_clip_and_healthy_sessions_do_not():
    clipped = defaultdict(int)
    for recording in sessions(CONFIG):
        counts, _ = digitise(signal_of(recording), recording.meta)
        clipped[recording.meta.state == "healthy"] += int(((counts == 32767) | (counts == -32768)).sum())
    assert clipped[False] > 0
    assert clipped[True] == 0


def test_energy_alone_does_not_tell_the_classes_apart():
    energy, anomalous = [], []
    for recording in sessions(CONFIG):
        signal = signal_of(recording)[:, 0]
        windows = signal[: len(signal) // 1024 * 1024].reshape(-1, 1024)
        energy.extend(np.log(windows.std(axis=1)))
        anomalous.extend([recording.meta.state != "healthy"] * len(windows))
    assert 0.6 <= roc_auc_score(anomalous, energy) <= 0.85


def test_static_part_is_gravity_along_the_tilted_axis():
    config = undisturbed(machines__tilt_deg=[60.0, 60.0], machines__offset_g=[0.02, 0.02])
    signal = make_signal(config, 1, first(config, "healthy"))
    assert signal.mean() == pytest.approx(0.5 + 0.02, abs=0.01)


def test_stop_leaves_a_healthy_session_healthy_and_a_faulty_one_uncertain_at_its_end():
    config = capture_config("synthetic_bearing", disturbances__probability=1.0, disturbances__kinds=["stop"])
    healthy = sessions(config)[first(config, "healthy")].meta
    assert [span.label for span in healthy.spans] == ["healthy"]
    faulty = sessions(config)[first(config, "outer_race")].meta
    assert [span.label for span in faulty.spans] == ["anomalous", "uncertain"]
    assert faulty.spans[0].stop == faulty.spans[1].start
    assert (faulty.spans[0].start, faulty.spans[1].stop) == (0, 51200)


def test_spans_of_a_start_follow_the_speed():
    plan = replace(plan_session(CONFIG, 1, first(CONFIG, "ball")), rpm=60.0)
    spans = label_spans(plan, np.array([0.0, 0.1, 0.2, 0.4, 1.0]), ("normal", "worn", "broken"))
    assert [(span.start, span.stop, span.label) for span in spans] == [(0, 3, "uncertain"), (3, 5, "broken")]


@pytest.mark.parametrize("kind", ["impacts", "tool_contact"])
def test_disturbance_is_seen_in_a_healthy_session(kind):
    calm = undisturbed()
    config = capture_config("synthetic_bearing", disturbances__probability=1.0, disturbances__kinds=[kind])
    index = first(config, "healthy")
    difference = make_signal(config, 1, index) - make_signal(calm, 1, index)
    level = make_signal(calm, 1, index).std()
    assert sessions(config)[index].meta.notes["disturbance"] == kind
    assert np.abs(difference).max() > level


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"machines__resonance_hz": [2000.0, 6400.0]}, "machines.resonance_hz reaches 6400 Hz"),
        ({"machines__gain": [2.0, 1.0]}, "the range starts at 2, above its end 1"),
        ({"machines__damping": [0.1, 1.0]}, "damping must stay below 1"),
        ({"sensor__bits": 24}, "less than or equal to 16"),
        ({"source": "nowhere"}, "does not match any of the expected tags"),
        ({"severty": 1}, "Extra inputs are not permitted"),
    ],
)
def test_configuration_out_of_range_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        capture_config("synthetic_bearing", **changes)
