"""What the limits say about flags, in numbers and in words."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import median_abs_deviation

from stages.core.errors import RecordingError
from stages.core.recordings.limits import derive_limits, judge, require_tolerable
from tests.core.recordings.sources import capture_config

GOOD = {
    "n_samples": 100.0,
    "nan_fraction": 0.0,
    "clipped_fraction": 0.0,
    "repeated_fraction": 0.0,
    "longest_stuck_run": 1.0,
    "missing_fraction": 0.0,
    "rate_error": 0.0,
}


def limits(**changes):
    return capture_config("synthetic_bearing", **{f"quality__{key}": value for key, value in changes.items()}).quality


def judged(chosen, absent=None, window=32, **flags):
    flags = {**GOOD, **flags}
    return judge(flags, absent, derive_limits([flags], chosen, window), chosen)


def test_flag_at_its_limit_passes_and_above_is_found():
    chosen = limits(clipped_fraction={"max": 0.1, "action": "exclude"})
    assert judged(chosen, clipped_fraction=0.1) == []
    (finding,) = judged(chosen, clipped_fraction=0.2)
    assert (finding.flag, finding.value, finding.limit, finding.action) == ("clipped_fraction", 0.2, 0.1, "exclude")
    assert finding.found == "clipped_fraction is 0.2, above 0.1"


def test_recording_shorter_than_a_window_or_the_least_length_is_found():
    assert judged(limits(), n_samples=32.0) == []
    (finding,) = judged(limits(), n_samples=31.0)
    assert (finding.found, finding.expected) == ("it has 31 samples", "at least one window, window.length is 32")
    (finding,) = judged(limits(n_samples={"min": 50, "action": "exclude"}), n_samples=49.0)
    assert finding.expected == "at least 50, by capture.quality.n_samples"
    (finding,) = judged(limits(n_samples={"min": 50, "action": "exclude"}), n_samples=99.0, window=100)
    assert finding.limit == 100


def test_limit_by_outliers_is_the_median_and_so_many_robust_deviations():
    values = np.random.Generator(np.random.PCG64(2)).exponential(0.01, 51)
    sessions = [{**GOOD, "clipped_fraction": float(value)} for value in values]
    chosen = limits(clipped_fraction={"max": {"outlier_mad": 4}, "action": "warn"})
    expected = np.median(values) + 4 * median_abs_deviation(values, scale="normal")
    assert derive_limits(sessions, chosen, 32)["clipped_fraction"] == pytest.approx(expected, rel=1e-4)


def test_limit_by_outliers_has_a_floor_where_sessions_agree():
    sessions = [GOOD] * 5 + [{**GOOD, "longest_stuck_run": 9.0}]
    chosen = limits(longest_stuck_run={"max": {"outlier_mad": 4, "at_least": 6}, "action": "warn"})
    assert derive_limits(sessions, chosen, 32)["longest_stuck_run"] == 6


def test_missing_values_are_never_only_a_warning():
    with pytest.raises(ValidationError, match="'exclude' or 'error'"):
        limits(nan_fraction={"action": "warn"})
    (finding,) = judged(limits(), nan_fraction=0.1, absent="10 of 100 samples are NaN")
    assert (finding.found, finding.action) == ("10 of 100 samples are NaN", "error")


@pytest.mark.parametrize("largest", [-0.1, 1.5, "0.2", True, {"outlier_mad": 0}, {"outlier": 3}])
def test_limit_that_is_none_is_refused(largest):
    with pytest.raises(ValidationError):
        limits(clipped_fraction={"max": largest, "action": "warn"})


def test_only_the_action_error_stops_and_says_how_many_more():
    tolerated = judged(limits(longest_stuck_run={"max": 8, "action": "exclude"}), longest_stuck_run=9.0)
    require_tolerable({"s1": tolerated})
    refused = judged(limits(longest_stuck_run={"max": 8, "action": "error"}), longest_stuck_run=9.0)
    with pytest.raises(RecordingError) as caught:
        require_tolerable({"s0": [], "s1": refused, "s2": refused, "s3": refused})
    assert str(caught.value) == (
        "session s1: longest_stuck_run is 9, above 8; 2 more session(s) are refused as well. "
        "Expected at most 8, by capture.quality.longest_stuck_run. Leave the recording out of the source, "
        "or set capture.quality.longest_stuck_run.action to exclude."
    )
