"""The simulated wrists against mechanics, and against what the task takes for granted of them."""

import pickle
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from stages.core.recordings.oscillation import OVERSAMPLING
from stages.core.recordings.synthetic_gestures import (
    CLASS_OF,
    Event,
    GestureSessions,
    draw_subject,
    everyday_force,
    make_effects,
    make_signal,
    mounting,
    plan_session,
    render,
    walk,
)
from tests.core.recordings.sources import capture_config

CLASSES = ("none", "tap", "shake")
CONFIG = capture_config("synthetic_gestures")
RATE_HZ = CONFIG.sample_rate_hz
FINE_HZ = RATE_HZ * OVERSAMPLING
SUBJECT = draw_subject(CONFIG.subjects, 1, 3)
NO_EVENTS = {f"{name}__per_session": [0, 0] for name in ("taps", "shakes", "bumps", "swings")}
STILL = {"everyday__shares": {"rest": 1.0}, "everyday__posture_deg": 0.0, "everyday__handling_g": [1e-9, 1e-9]}
STEADY = {"subjects__tremor_g": [1e-9, 1e-9], "noise_g": [1e-9, 1e-9], "offset_g": [0.0, 0.0]}


def rng(seed=5):
    return np.random.Generator(np.random.PCG64(seed))


def rendered(kind, peak_g=2.0, duration_s=1.0, seed=5):
    return render(Event(kind, 0.0, peak_g, duration_s), SUBJECT, 35.0, FINE_HZ, rng(seed))


def main_frequency_hz(signal, rate_hz):
    power = np.abs(np.fft.rfft(signal - signal.mean(), 1 << 16)) ** 2
    return np.argmax(power) * rate_hz / (1 << 16)


@pytest.fixture(scope="module")
def sessions():
    """Thirty sessions as (meta, plan, signal), one of each subject."""
    source = GestureSessions(CONFIG, 1, CLASSES)
    return [(source[k].meta, plan_session(CONFIG, 1, k), make_signal(CONFIG, 1, k)) for k in range(30)]


@pytest.mark.parametrize("kind", sorted(CLASS_OF))
def test_every_kind_of_event_peaks_where_it_should_and_settles_in_its_slot(kind):
    moved = np.linalg.norm(rendered(kind, 2.0, 0.05 if kind == "bump" else 1.2), axis=1)
    assert moved.max() == pytest.approx(2.0, rel=0.02)
    assert moved[-1] < 0.01
    assert len(moved) <= 2.5 * FINE_HZ


@pytest.mark.parametrize("seed", range(8))
def test_tap_rings_at_the_frequency_of_device_and_skin_and_begins_into_the_face(seed):
    force = rendered("tap", seed=seed)
    direction = force[np.argmax(np.linalg.norm(force, axis=1))] / 2.0
    assert -direction[2] >= np.cos(np.radians(35.0)) - 1e-9
    damped_hz = SUBJECT.tap_hz * np.sqrt(1 - SUBJECT.tap_damping**2)
    crossings = np.flatnonzero(np.diff(np.sign(force[1:, 2])))[:2]
    assert FINE_HZ / (2 * np.diff(crossings)[0]) == pytest.approx(damped_hz, rel=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_bump_comes_from_any_side_but_the_one_of_taps(seed):
    force = rendered("bump", duration_s=0.02, seed=seed)
    pulse = force[: round(0.01 * FINE_HZ)].sum(axis=0)
    assert pulse[2] / np.linalg.norm(pulse) >= -np.cos(np.radians(35.0)) - 1e-9


def test_shake_goes_to_and_fro_along_the_device_at_the_tempo_of_its_subject():
    force = rendered("shake", duration_s=2.0)
    assert main_frequency_hz(force[:, 0], FINE_HZ) == pytest.approx(SUBJECT.shake_hz, rel=0.25)
    assert np.abs(force[:, 0]).max() > 1.2
    assert len(force) == round(2.0 * FINE_HZ)


def test_walk_rises_and_falls_at_the_cadence():
    time_s = np.arange(round(20 * FINE_HZ)) / FINE_HZ
    assert main_frequency_hz(walk(1.8, time_s, rng()), FINE_HZ) == pytest.approx(1.8, rel=0.03)


def test_mounting_turns_and_neither_stretches_nor_mirrors():
    turned = mounting((20.0, -10.0))
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1.0)
    np.testing.assert_allclose(mounting((90.0, 0.0)) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(mounting((0.0, 90.0)) @ [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], atol=1e-12)


def test_wrist_that_nobody_moves_feels_one_g_in_a_direction_that_holds():
    config = capture_config("synthetic_gestures", **NO_EVENTS, **STILL, **STEADY)
    signal = make_signal(config, 1, 2)
    assert signal.shape == (10500, 3)
    np.testing.assert_allclose(np.linalg.norm(signal, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(signal, np.broadcast_to(signal[0], signal.shape), atol=1e-6)


def test_each_activity_moves_the_wrist_more_than_rest():
    level = {
        name: everyday_force([name] * 5, SUBJECT, CONFIG.everyday, FINE_HZ, rng())[: round(20 * FINE_HZ)]
        .std(axis=0)
        .sum()
        for name in ("rest", "handling", "walking")
    }
    assert level["handling"] > 3 * level["rest"]
    assert level["walking"] > 3 * level["rest"]


def test_session_depends_on_seed_and_index_alone_and_comes_out_of_a_worker_the_same():
    source = GestureSessions(CONFIG, 1, CLASSES)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301
    first, second = (next(iter(each[7].blocks())).signal for each in (source, copy))
    np.testing.assert_array_equal(first, second)
    assert source[7].meta == copy[7].meta
    assert not np.array_equal(first, make_signal(CONFIG, 2, 7))
    few = GestureSessions(capture_config("synthetic_gestures", sessions=8), 1, CLASSES)
    assert few[7].meta == source[7].meta
    with pytest.raises(IndexError):
        few[8]


def test_every_subject_has_constants_of_their_own_and_as_many_sessions(sessions):
    groups = Counter(GestureSessions(CONFIG, 1, CLASSES)[k].meta.group_id for k in range(0, CONFIG.sessions, 15))
    assert len(groups) == 2  # fifteen apart, of thirty: two subjects in turn
    assert len({meta.group_id for meta, _, _ in sessions}) == CONFIG.subjects.count
    assert len({draw_subject(CONFIG.subjects, 1, k).tap_hz for k in range(30)}) == 30


def test_spans_cover_a_session_once_and_hold_the_gestures_in_order(sessions):
    for meta, plan, signal in sessions:
        assert (meta.spans[0].start, meta.spans[-1].stop) == (0, len(signal))
        assert all(left.stop == right.start for left, right in pairwise(meta.spans))
        told = [(span.label, span.start) for span in meta.spans if span.label in ("tap", "shake")]
        planned = [(event.kind, event.onset_s * RATE_HZ) for event in plan.events if CLASS_OF[event.kind]]
        assert [label for label, _ in told] == [kind for kind, _ in planned]
        # A shake swells: it stands out after a part of it.
        assert all(-1 <= start - onset < 0.4 * RATE_HZ for (_, start), (_, onset) in zip(told, planned, strict=True))


def test_gestures_are_far_enough_apart_to_raise_an_event_each(sessions):
    for meta, _, _ in sessions:
        found = [span for span in meta.spans if span.label in ("tap", "shake")]
        assert all(after.start - before.stop > 0.5 * RATE_HZ for before, after in pairwise(found))


def test_what_resembles_a_gesture_is_as_strong_as_one_and_stays_unlabelled(sessions):
    peaks = defaultdict(list)
    for k, (meta, plan, _) in enumerate(sessions):
        for event, effect in zip(plan.events, make_effects(CONFIG, 1, k), strict=True):
            peaks[event.kind].append(np.linalg.norm(effect, axis=1).max())
            at = int((event.onset_s + 0.01) * RATE_HZ)
            (label,) = [span.label for span in meta.spans if span.start <= at < span.stop]
            assert CLASS_OF[event.kind] or label == "none"
    assert np.median(peaks["bump"]) > 0.7 * np.median(peaks["tap"])
    assert np.median(peaks["swing"]) > 0.5 * np.median(peaks["shake"])


def test_two_classes_put_both_gestures_together():
    spans = GestureSessions(CONFIG, 1, ("none", "gesture"))[0].meta.spans
    assert {span.label for span in spans} == {"none", "gesture", "uncertain"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_s": 60.0}, r"duration_s \(60\) has no room for 20 events"),
        ({"subjects__tap_hz": [20.0, 63.0]}, "at or above half of sample_rate_hz"),
        ({"subjects__tap_damping": [0.0, 0.4]}, "tap_damping must lie between 0 and 1"),
        ({"everyday__shares": {"rest": 0.5, "walking": 0.4}}, "add up to 1, not to 0.9"),
        ({"everyday__shares": {"flying": 1.0}}, "Input should be 'rest'"),
        ({"shakes__duration_s": [1.0, 2.5]}, "duration_s must end at 2"),
        ({"taps__per_session": [6, 4]}, "the range starts at 6, above its end 4"),
        ({"edges__normal_below_g": 0.7}, "must not be above event_above_g"),
    ],
)
def test_configuration_out_of_range_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        capture_config("synthetic_gestures", **changes)
