"""Windows are labelled by what covers them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.core.recordings.session import Gap, Span
from stages.core.recordings.windows import label_windows
from stages.core.schema.labels import Labels
from stages.core.schema.window import Window

TWO = Labels(kind="ordered", classes=("healthy", "anomalous"), min_overlap=0.5)
THREE = Labels(kind="ordered", classes=("normal", "shock", "impact"), min_overlap=0.5)


def labelled(spans, n_samples, length, hop, labels=TWO, gaps=()):
    window = Window.model_construct(length=length, hop=hop)
    starts, classes = label_windows(tuple(spans), tuple(gaps), n_samples, window, labels)
    assert (starts.dtype, classes.dtype) == (np.int64, np.int8)
    return dict(zip(starts.tolist(), classes.tolist(), strict=True))


def test_windows_start_every_hop_and_fit():
    assert labelled([Span(0, 100, "healthy")], 100, 32, 16) == dict.fromkeys([0, 16, 32, 48, 64], 0)


def test_label_needs_half_the_window_and_uncertain_is_left_out():
    spans = [Span(0, 40, "healthy"), Span(40, 60, "uncertain"), Span(60, 100, "anomalous")]
    assert labelled(spans, 100, 20, 10) == {0: 0, 10: 0, 20: 0, 30: 0, 50: 1, 60: 1, 70: 1, 80: 1}


def test_most_severe_wins_where_all_cover_half():
    assert labelled([Span(0, 10, "healthy"), Span(10, 20, "anomalous")], 20, 20, 20) == {0: 1}


def test_window_that_a_more_severe_span_grazes_is_left_out():
    spans = [Span(0, 100, "normal"), Span(46, 66, "impact")]
    # Windows at 30 and 60 hold 4 and 6 of the 20 samples of the impact.
    assert labelled(spans, 100, 20, 10, THREE) == {0: 0, 10: 0, 20: 0, 40: 2, 50: 2, 70: 0, 80: 0}


def test_less_severe_span_that_grazes_changes_nothing():
    assert labelled([Span(0, 4, "normal"), Span(4, 20, "impact")], 20, 20, 20, THREE) == {0: 2}


def test_event_shorter_than_a_window_gives_its_label_to_windows_with_half_of_it():
    spans = [Span(0, 100, "normal"), Span(50, 54, "shock")]
    assert labelled(spans, 100, 20, 4, THREE) == {
        **dict.fromkeys(range(0, 31, 4), 0),
        **dict.fromkeys([32, 36, 40, 44, 48, 52], 1),
        **dict.fromkeys(range(56, 81, 4), 0),
    }


def test_two_spans_of_a_label_that_cover_half_the_window_together_give_it():
    spans = [Span(0, 14, "shock"), Span(14, 16, "uncertain"), Span(16, 40, "shock")]
    assert labelled(spans, 40, 10, 10, THREE)[10] == 1


def test_window_never_spans_a_gap_but_may_touch_one():
    windows = labelled([Span(0, 100, "healthy")], 100, 20, 10, gaps=[Gap(40, 3), Gap(65, 1)])
    assert sorted(windows) == [0, 10, 20, 40, 70, 80]


def test_recording_shorter_than_a_window_has_none():
    assert labelled([Span(0, 10, "healthy")], 10, 20, 20) == {}


def by_definition(spans, gaps, n_samples, length, hop, labels):
    """The rule, sample by sample."""
    windows = {}
    for start in range(0, n_samples - length + 1, hop):
        inside = set(range(start, start + length))
        if any(start < gap.start < start + length for gap in gaps):
            continue
        chosen = None
        for index, label in enumerate(labels.classes):
            own = [set(range(span.start, span.stop)) for span in spans if span.label == label]
            shares = [len(inside & one) / min(length, len(one)) for one in own]
            together = sum(len(inside & one) for one in own) / length
            if max([*shares, 0]) >= labels.min_overlap or together >= labels.min_overlap:
                chosen = index
            elif together > 0:
                chosen = None
        if chosen is not None:
            windows[start] = chosen
    return windows


SPANS = st.tuples(st.integers(0, 59), st.integers(1, 30), st.sampled_from([*THREE.classes, "uncertain"]))


@given(st.lists(SPANS, max_size=6), st.lists(st.integers(0, 59), max_size=3), st.integers(1, 25), st.integers(1, 25))
def test_labels_are_those_of_the_definition(spans, gaps, length, hop):
    spans = [Span(start, min(start + size, 60), label) for start, size, label in spans]
    gaps = [Gap(start, 1) for start in gaps]
    assert labelled(spans, 60, length, hop, THREE, gaps) == by_definition(spans, gaps, 60, length, hop, THREE)
