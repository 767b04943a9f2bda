"""The simulated shipments against mechanics, and against what the task takes for granted of them."""

import pickle
from collections import defaultdict
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import kendalltau

from stages.core.recordings.synthetic_shock import (
    JOLTS,
    Event,
    ShockVoyages,
    draw_container,
    fall_force,
    jolt_amplitude,
    make_signal,
    plan_voyage,
    render,
)
from stages.core.schema import synthetic_shock as schema
from tests.core.recordings.sources import capture_config

CLASSES = ("normal", "handling_shock", "impact")
CONFIG = capture_config("synthetic_shock")
RATE_HZ = CONFIG.sample_rate_hz
STILL = {"modes__road__rms_g": [1e-9, 1e-9], "modes__rail__rms_g": [1e-9, 1e-9], "modes__sea__rms_g": [1e-9, 1e-9]}
NO_EVENTS = {f"{name}__per_voyage": [0, 0] for name in ("handling", "impacts", "hard_negatives")}
LEVEL = {"modes__road__heave_g": [0, 0], "modes__rail__heave_g": [0, 0], "modes__sea__heave_g": [0, 0]}


@pytest.fixture(scope="module")
def voyages():
    """Every session as (meta, plan, magnitude)."""
    source = ShockVoyages(CONFIG, 1, CLASSES)
    return [
        (source[k].meta, plan_voyage(CONFIG, 1, k), next(iter(source[k].blocks())).signal[:, 0])
        for k in range(len(source))
    ]


def around(event, signal):
    """The recorded samples that an event can reach."""
    return signal[int(event.onset_s * RATE_HZ) : int((event.onset_s + 4) * RATE_HZ)]


def events_of(voyages, *kinds):
    return [
        (event, around(event, signal)) for _, plan, signal in voyages for event in plan.events if event.kind in kinds
    ]


def test_load_falls_lands_and_bounces_as_mechanics_says():
    rate, height, restitution, gravity = 1e5, 0.4, 0.3, 9.80665
    force = fall_force(8.13, height, restitution, rate)
    speed = np.cumsum(force - 1) * gravity / rate
    place = np.cumsum(speed) / rate
    landing = np.flatnonzero(force > 0)[0]
    leaving = landing + np.flatnonzero(force[landing:] == 0)[0]
    assert landing / rate == pytest.approx(np.sqrt(2 * height / gravity), rel=1e-3)
    assert place[landing] == pytest.approx(-height, rel=1e-3)
    assert speed[landing - 1] == pytest.approx(-np.sqrt(2 * gravity * height), rel=1e-3)
    assert speed[leaving] == pytest.approx(restitution * np.sqrt(2 * gravity * height), rel=0.01)
    assert force.max() == pytest.approx(8.13, rel=1e-4)


def test_each_bounce_is_lower_than_the_one_before_until_the_load_lies():
    force = fall_force(10.0, 1.0, 0.45, 1e4)
    contacts = np.split(force, np.flatnonzero(np.diff((force > 0).astype(int)) != 0) + 1)
    peaks = [part.max() for part in contacts if part.max() > 0]
    assert len(peaks) >= 3
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[-1] > np.pi / 2  # a half-sine that carries the weight alone has this peak


@pytest.mark.parametrize("axis", [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.6, 0.8)])
def test_jolt_along_any_axis_brings_the_magnitude_to_its_peak(axis):
    force = np.array([0.0, 0.0, 1.0]) + jolt_amplitude(3.0, axis) * np.array(axis)
    assert np.linalg.norm(force) == pytest.approx(3.0)


@pytest.mark.parametrize("kind", sorted(JOLTS))
def test_every_kind_of_jolt_peaks_where_it_should_and_settles(kind):
    container = draw_container(CONFIG.containers, 1, 3)
    effect = render(Event(kind, 1, 0.0, 3.0, 0.0), container, 8 * RATE_HZ, np.random.default_rng(5))
    magnitude = np.linalg.norm(effect.force_g + np.array([0.0, 0.0, 1.0]), axis=1)
    assert magnitude.max() == pytest.approx(3.0, abs=0.05)
    assert magnitude[-80:] == pytest.approx(1.0, abs=0.03)
    assert effect.contact.min() == 1


def test_kinds_of_the_configuration_are_those_that_can_be_simulated():
    kinds = {kind for group in (schema.Handling, schema.Impact, schema.HardNegative) for kind in get_args(group)}
    assert kinds == {*JOLTS, "slip", "drop", "burst"}


def test_parked_load_reads_the_sensitivity_of_its_sensor():
    config = capture_config("synthetic_shock", **STILL, **LEVEL, **NO_EVENTS)
    container = draw_container(config.containers, 1, 2)
    signal = make_signal(config, 1, 2)
    assert signal.shape == (7200, 1)
    assert signal == pytest.approx(container.sensitivity, abs=6 * container.noise_g)


def test_session_depends_on_seed_and_index_alone_and_comes_out_of_a_worker_the_same():
    source = ShockVoyages(CONFIG, 1, CLASSES)
    copy = pickle.loads(pickle.dumps(source))  # noqa: S301
    first, second = (next(iter(each[7].blocks())).signal for each in (source, copy))
    np.testing.assert_array_equal(first, second)
    assert source[7].meta == copy[7].meta
    assert not np.array_equal(first, make_signal(CONFIG, 2, 7))


def test_session_depends_neither_on_how_many_sessions_nor_on_the_order_of_reading():
    few, many = (ShockVoyages(capture_config("synthetic_shock", sessions=n), 1, CLASSES) for n in (3, 9))
    assert len(many) == 9
    for index in (2, 0, 1):
        assert few[index].meta == many[index].meta
        np.testing.assert_array_equal(*(next(iter(each[index].blocks())).signal for each in (few, many)))
    with pytest.raises(IndexError):
        few[3]


def test_every_container_makes_several_voyages_by_different_modes(voyages):
    modes = defaultdict(list)
    for meta, _, _ in voyages:
        modes[meta.group_id].append(meta.condition)
    assert len(modes) == CONFIG.containers.count
    assert all(sorted(each) == ["rail", "road", "sea"] for each in modes.values())
    assert len({meta.session_id for meta, _, _ in voyages}) == CONFIG.sessions


def test_every_voyage_is_mostly_normal_and_has_shocks_and_impacts(voyages):
    for meta, plan, signal in voyages:
        length = defaultdict(int)
        for span in meta.spans:
            length[span.label] += span.stop - span.start
        assert set(length) == {*CLASSES, "uncertain"}
        assert length["normal"] > 0.75 * len(signal)
        assert len(plan.events) >= 5


def test_spans_cover_a_voyage_once_and_an_event_is_uncertain_only_around_its_span(voyages):
    for meta, _, signal in voyages:
        assert (meta.spans[0].start, meta.spans[-1].stop) == (0, len(signal))
        assert all(left.stop == right.start for left, right in pairwise(meta.spans))
        labels = ["normal", *(span.label for span in meta.spans), "normal"]
        for before, label, after in zip(labels, labels[1:], labels[2:], strict=False):
            if label == "uncertain":
                assert {before, after} & {"handling_shock", "impact"}


def test_peak_of_an_event_lies_in_the_span_of_its_class_and_a_hard_negative_in_a_normal_one(voyages):
    for meta, plan, signal in voyages:
        for event in plan.events:
            if event.kind in ("burst", "door_slam", "speed_bump"):
                at = int(event.onset_s * RATE_HZ) + 1
            else:
                at = int(event.onset_s * RATE_HZ) + int(np.argmax(around(event, signal)))
            assert [s.label for s in meta.spans if s.start <= at < s.stop] == [CLASSES[event.severity]]


def test_two_classes_put_shocks_and_impacts_together():
    spans = ShockVoyages(CONFIG, 1, ("normal", "event"))[0].meta.spans
    assert {span.label for span in spans} == {"normal", "event", "uncertain"}


def test_normal_vibration_stays_between_a_fifth_of_g_and_one_and_a_half(voyages):
    normal = np.concatenate(
        [signal[span.start : span.stop] for meta, _, signal in voyages for span in meta.spans if span.label == "normal"]
    )
    assert np.mean((normal >= 0.2) & (normal <= 1.5)) > 0.999
    assert np.quantile(normal, 0.99) - np.quantile(normal, 0.01) > 0.4
    assert normal.max() > 1.6  # hard negatives reach into the shocks, whose weakest peak is 1.8 g


def test_recorded_peaks_keep_the_order_of_the_drawn_ones_and_separate_the_classes(voyages):
    peaks = {severity: [] for severity in range(3)}
    for _, plan, signal in voyages:
        for event in plan.events:
            peaks[event.severity].append((event.peak_g, around(event, signal).max()))
    drawn, recorded = np.array(peaks[1] + peaks[2]).T
    assert kendalltau(drawn, recorded).statistic > 0.9
    assert np.median([peak for _, peak in peaks[0]]) < 1.5
    assert np.quantile([peak for _, peak in peaks[2]], 0.95) > 8.13
    assert np.array(peaks[2])[:, 1].min() > 4.0


def test_drop_is_felt_as_free_fall_for_as_long_as_its_height_takes(voyages):
    drops = events_of(voyages, "drop")
    assert len(drops) > 50
    for event, signal in drops:
        fall_s = np.sqrt(2 * event.drop_m / 9.80665)
        felt = np.flatnonzero(signal > 0.5)
        landing = felt[felt > 5][0]  # the filter takes a few samples to follow the start of the fall
        assert landing / RATE_HZ == pytest.approx(fall_s, abs=0.05)


def test_what_the_wheels_do_happens_in_motion(voyages):
    for _, plan, _ in voyages:
        for event in plan.events:
            if event.kind in ("bump", "kerb", "speed_bump", "burst"):
                assert not plan.standing[int(event.onset_s // schema.SLOT_S)]
    assert any(any(plan.standing) for _, plan, _ in voyages)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_s": 50.0}, r"duration_s \(50\) has no room for 10 events"),
        ({"impacts__peak_g": [0.9, 8.0]}, "above the 1 g of rest"),
        ({"handling__per_voyage": [4, 2]}, "the range starts at 4, above its end 2"),
        ({"handling__kinds": ["explosion"]}, "Input should be 'set_down'"),
        ({"edges__normal_below_g": 0.7}, "must not be above event_above_g"),
        ({"containers__floor_hz": [10.0, 60.0]}, "60 Hz is at or above half of sample_rate_hz"),
        ({"containers__restitution": [0.2, 1.0]}, "restitution must stay below 1"),
        ({"modes": {}}, "at least 1 item"),
    ],
)
def test_configuration_out_of_range_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        capture_config("synthetic_shock", **changes)
