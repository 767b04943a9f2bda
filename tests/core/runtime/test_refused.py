from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.core.errors import GateRefused
from stages.core.runtime.fault import NO_LIMITS
from stages.core.runtime.refused import Refused, limit_refused, refused

CLASSES = ("healthy", "worn", "broken")


def test_refused_windows_are_counted_by_class_and_cause():
    limits = [replace(NO_LIMITS, high=9), replace(NO_LIMITS, max_jump=5, max_same=2)]
    windows = [
        [(0, 0), (1, 1), (2, 2)],
        [(10, 0), (1, 1), (2, 2)],  # a count of the first channel is too high
        [(0, 0), (1, 6), (2, 2)],  # a step of the second is too far
        [(10, 0), (1, 6), (2, 2)],  # both
        [(0, 3), (1, 3), (2, 3)],  # three equal ones in the second
    ]
    labels = np.array([0, 0, 2, 2, 2])
    assert refused(limits, np.array(windows, np.int16), labels, CLASSES) == {
        "healthy": Refused(2, 1, {"range": 1}),
        "worn": Refused(0, 0, {}),
        "broken": Refused(3, 3, {"range": 1, "stuck": 1, "jump": 2}),
    }


def test_more_windows_than_fit_one_batch_are_all_counted():
    counts = np.zeros((3000, 1, 1), np.int16)
    counts[[5, 1500, 2999]] = 8
    labels = np.arange(3000) % 2
    found = refused([replace(NO_LIMITS, high=7)], counts, labels, ("a", "b"))
    assert found == {"a": Refused(1500, 1, {"range": 1}), "b": Refused(1500, 2, {"range": 2})}


def test_without_a_gate_there_is_nothing_to_tell_or_to_limit():
    found = refused([], np.zeros((4, 1, 1), np.int16), np.zeros(4, int), CLASSES)
    assert found == {}
    limit_refused(found, 0.0)


def test_the_first_class_may_be_refused_and_the_others_up_to_the_limit():
    limit_refused({"healthy": Refused(10, 10, {"range": 10}), "worn": Refused(100, 1, {"jump": 1})}, 0.01)


def test_a_gate_that_refuses_the_tail_is_refused_by_class_share_and_causes():
    of_classes = {
        "healthy": Refused(10, 0, {}),
        "worn": Refused(100, 2, {"jump": 2}),
        "broken": Refused(40, 10, {"range": 10, "variance": 3}),
    }
    with pytest.raises(GateRefused) as error:
        limit_refused(of_classes, 0.01)
    told = str(error.value)
    assert "2 of 100 windows of 'worn', a share of 0.02 (jump 2)" in told
    assert "10 of 40 windows of 'broken', a share of 0.25 (range 10, variance 3)" in told
    assert "at most 0.01 of the windows of any class above 'healthy' (`validate.max_refused`)" in told
    assert error.value.exit_code == 3
    limit_refused(of_classes, 0.25)
