"""Windows are labelled by what covers them."""

import numpy as np

from stages.core.recordings.session import Span
from stages.core.recordings.windows import label_windows


def test_windows_start_every_hop_and_fit():
    starts, labels = label_windows((Span(0, 100, "healthy"),), 100, 32, 16)
    assert starts.tolist() == [0, 16, 32, 48, 64]
    assert labels.tolist() == [0] * 5


def test_label_needs_half_the_window_and_uncertain_is_left_out():
    spans = (Span(0, 40, "healthy"), Span(40, 60, "uncertain"), Span(60, 100, "anomalous"))
    starts, labels = label_windows(spans, 100, 20, 10)
    by_start = dict(zip(starts.tolist(), labels.tolist(), strict=True))
    assert by_start == {0: 0, 10: 0, 20: 0, 30: 0, 50: 1, 60: 1, 70: 1, 80: 1}


def test_anomalous_wins_where_both_cover_half():
    _, labels = label_windows((Span(0, 10, "healthy"), Span(10, 20, "anomalous")), 20, 20, 20)
    assert labels.tolist() == [1]


def test_recording_shorter_than_a_window_has_none():
    starts, labels = label_windows((Span(0, 10, "healthy"),), 10, 20, 20)
    assert starts.size == labels.size == 0
    assert labels.dtype == np.int8
