"""An event counts once, however many windows it fills; so does a false alarm."""

import numpy as np
import pytest

from stages.core.events import Origins, describe_events, runs

# Session a: an event of three windows, and one of a single window after a pause. Session b: one of two. At 1 kHz
# with a hop of 500 there are two decisions a second.
SESSION = np.array(["a"] * 8 + ["b"] * 4)
START = np.array([0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 0, 500, 1000, 1500])
LABELS = np.array([0, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0], dtype=np.int8)
ORIGINS = Origins(SESSION, np.array(["g"] * 12), START, 500, 1000.0)


def flags(*rows):
    return np.isin(np.arange(12), rows)


def test_runs_end_with_the_session_at_a_gap_and_where_the_flag_does():
    found = runs(flags(0, 1, 6, 7, 8, 9, 11), ORIGINS)
    assert found.first.tolist() == [0, 6, 8, 11]
    gapped = Origins(SESSION, SESSION, np.where(np.arange(12) == 7, 9000, START), 500, 1000.0)
    assert runs(flags(6, 7, 8), gapped).first.tolist() == [6, 7, 8]
    assert runs(flags(), ORIGINS).first.tolist() == []


def test_an_event_is_found_once_and_its_delay_counts_from_its_first_window():
    # The event from row 1 is seen at its third window, 1 s late; that of b at once; that of row 6 never.
    metrics = describe_events(flags(3, 8, 9), LABELS, ORIGINS)
    assert metrics["event_recall"] == pytest.approx(2 / 3)
    assert metrics["detection_delay_s"] == pytest.approx(0.5)  # between 0 s and 1 s
    assert metrics["false_events_per_hour"] == 0


def test_a_run_of_false_alarms_is_one_event():
    # Rows 4 and 5 are one run, row 10 another; six healthy windows are 3 s.
    metrics = describe_events(flags(4, 5, 10), LABELS, ORIGINS)
    assert metrics["false_events_per_hour"] == pytest.approx(2 * 3600 / 3)
    assert metrics["event_recall"] == 0
    assert np.isnan(metrics["detection_delay_s"])


def test_weights_of_a_session_count_its_events():
    weights = np.array([[2.0] * 8 + [0.0] * 4, [1.0] * 8 + [3.0] * 4])
    metrics = describe_events(flags(2, 9, 10, 4), LABELS, ORIGINS, weights)
    np.testing.assert_allclose(metrics["event_recall"], [2 / 4, 4 / 5])
    np.testing.assert_allclose(metrics["detection_delay_s"], [0.5, 0.5])
    np.testing.assert_allclose(metrics["false_events_per_hour"], [2 / 4 * 3600, 4 / 5 * 3600])


def test_without_events_only_false_ones_can_be_counted():
    metrics = describe_events(flags(0), np.zeros(12, dtype=np.int8), ORIGINS)
    assert np.isnan(metrics["event_recall"])
    assert metrics["false_events_per_hour"] == pytest.approx(600)


def test_units_are_groups_where_every_class_is_in_two_of_them():
    session = np.array(["s1", "s2", "s3", "s4"])
    labels = np.array([0, 1, 0, 1], dtype=np.int8)
    two = Origins(session, np.array(["g", "g", "h", "h"]), np.zeros(4, dtype=np.int64), 1, 1.0)
    one = Origins(session, np.array(["g", "g", "g", "h"]), np.zeros(4, dtype=np.int64), 1, 1.0)
    assert two.units(labels)[0] == "group"
    name, units = one.units(labels)
    assert (name, units.tolist()) == ("session", session.tolist())
