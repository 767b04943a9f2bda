"""Quality flags against counts whose faults were put there by hand."""

import numpy as np
import pytest

from stages.core.errors import RecordingError
from stages.core.recordings.quality import average_by_state, judge, longest_run, measure, require_tolerable
from tests.core.recordings.sources import capture_config


def limits(**changes):
    return capture_config("synthetic_bearing", **{f"quality__{key}": value for key, value in changes.items()}).quality


def test_counts_at_either_end_of_the_adc_are_clipped():
    counts = np.array([[-32768], [-32767], [0], [32766], [32767]], dtype=np.int16)
    assert measure(counts, 32768)["clipped_fraction"] == 2 / 5


def test_range_of_a_12_bit_adc_is_its_own():
    counts = np.array([[2047], [-2048], [2046], [-2047]], dtype=np.int16)
    assert measure(counts, 2048)["clipped_fraction"] == 0.5


def test_longest_stuck_run_is_of_the_worst_channel():
    counts = np.array([[1, 7], [2, 7], [2, 7], [3, 8]], dtype=np.int16)
    flags = measure(counts, 32768)
    assert flags["longest_stuck_run"] == 3
    assert flags["repeated_fraction"] == 3 / 6
    assert flags["n_samples"] == 4


@pytest.mark.parametrize(("values", "longest"), [([5], 1), ([5, 5], 2), ([1, 2, 3], 1), ([1, 0, 0, 0, 1, 1], 3)])
def test_longest_run_of_hand_counted_rows(values, longest):
    assert longest_run(np.array(values, dtype=np.int16)) == longest


def test_flag_at_its_limit_passes_and_above_is_found():
    chosen = limits(clipped_fraction={"max": 0.1, "action": "exclude"})
    flags = {"n_samples": 10.0, "clipped_fraction": 0.1, "repeated_fraction": 0.0, "longest_stuck_run": 1.0}
    assert judge(flags, chosen) == []
    (finding,) = judge({**flags, "clipped_fraction": 0.2}, chosen)
    assert (finding.flag, finding.value, finding.limit, finding.action) == ("clipped_fraction", 0.2, 0.1, "exclude")


def test_only_the_action_error_stops():
    flags = {"n_samples": 10.0, "clipped_fraction": 0.0, "repeated_fraction": 0.0, "longest_stuck_run": 9.0}
    require_tolerable(judge(flags, limits(longest_stuck_run={"max": 8, "action": "exclude"})), "s1")
    with pytest.raises(RecordingError, match="longest_stuck_run is 9, above 8"):
        require_tolerable(judge(flags, limits(longest_stuck_run={"max": 8, "action": "error"})), "s1")


def test_average_shows_a_hold_that_goes_with_one_state():
    flags = average_by_state([("healthy", {"r": 0.0}), ("faulty", {"r": 0.2}), ("faulty", {"r": 0.4})])
    assert flags["healthy"]["r"] == 0.0
    assert flags["faulty"]["r"] == pytest.approx(0.3)
