"""One tap, one event: hits, misses, doubles and false alarms, counted by hand."""

import math

import pytest

from stages.core.recordings.session import Span
from stages.core.runtime.decision import Rules
from stages.core.runtime.matching import Raised, View, match_events, memory

# 100 Hz, windows of 1 s every 0.25 s; nothing but the window itself decides.
VIEW = View(window=100, hop=25, memory=0, sample_rate_hz=100.0)
SPANS = (
    Span(0, 500, "rest"),
    Span(500, 520, "tap"),
    Span(520, 550, "uncertain"),
    Span(550, 900, "rest"),
    Span(900, 950, "shake"),
    Span(950, 1250, "rest"),
)


def match(*raised, spans=SPANS, view=VIEW):
    return match_events([Raised(start, label) for start, label in raised], spans, view, "rest")


def test_one_event_per_span_is_a_hit_each_with_its_delay():
    found = match((425, "tap"), (875, "shake"))
    assert [(span.label, event.start) for span, event in found.hits] == [("tap", 425), ("shake", 875)]
    assert found.delays_s == (0.25, 0.75)  # 525 - 500 and 975 - 900 samples
    assert not (found.misses or found.doubles or found.confused or found.excused or found.false_alarms)


def test_a_second_event_of_a_span_is_a_double():
    found = match((425, "tap"), (500, "tap"))
    assert [event.start for event in found.doubles] == [500]
    assert len(found.hits) == 1


def test_an_event_of_another_class_leaves_the_span_a_miss():
    found = match((450, "shake"))
    assert [event.label for event in found.confused] == ["shake"]
    assert [span.label for span in found.misses] == ["tap", "shake"]
    assert found.false_alarms == ()


def test_an_event_far_from_every_span_is_a_false_alarm_of_the_normal_time():
    found = match((0, "tap"), (600, "tap"))
    assert [event.start for event in found.false_alarms] == [0, 600]
    # 500 + 350 + 300 samples of rest are 11.5 s.
    assert found.normal_s == 11.5
    assert found.false_alarms_per_hour == pytest.approx(2 * 3600 / 11.5)


def test_an_event_that_saw_only_what_is_uncertain_is_neither_right_nor_wrong():
    found = match((525, "tap"))
    assert [event.start for event in found.excused] == [525]
    assert found.misses and not found.false_alarms


@pytest.mark.parametrize(("start", "is_hit"), [(400, False), (401, True), (519, True), (520, False)])
def test_a_window_sees_a_span_from_its_first_common_sample_to_its_last(start, is_hit):
    found = match((start, "tap"), spans=(Span(0, 500, "rest"), Span(500, 520, "tap"), Span(520, 900, "rest")))
    assert bool(found.hits) == is_hit
    assert bool(found.false_alarms) != is_hit


def test_a_vote_may_raise_the_event_after_the_span_has_left_the_window():
    spans = (Span(500, 520, "tap"), Span(520, 900, "rest"))
    assert match((550, "tap"), spans=spans).false_alarms
    late = match((550, "tap"), spans=spans, view=View(100, 25, 2, 100.0))
    assert len(late.hits) == 1 and late.delays_s == (1.5,)


def test_two_taps_in_one_window_take_an_event_each():
    spans = (Span(500, 520, "tap"), Span(560, 580, "tap"))
    assert len(match((475, "tap"), (500, "tap"), spans=spans).hits) == 2
    alone = match((475, "tap"), spans=spans)
    assert [span.start for span in alone.misses] == [560]


def test_without_normal_time_there_is_no_rate_of_false_alarms():
    assert math.isnan(match((0, "tap"), spans=(Span(500, 520, "tap"),)).false_alarms_per_hour)


def test_memory_is_the_average_within_the_vote_within_the_level():
    assert memory(Rules.plain([0])) == 0
    # Two votes, each over four means, each over four windows: 2 + 3 + 3 windows, the last among them.
    assert memory(Rules((), average=4, of=4, accumulate=2)) == 7
