"""Quality flags against counts whose faults were put there by hand, and whatever the blocks."""

from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.errors import RecordingError
from stages.core.recordings.quality import Meter
from stages.core.recordings.session import Gap
from tests.core.recordings.test_session import meta


def measured(counts, absent=None, cuts=(), time_s=None, known=None, **changes):
    """Measure counts, cut into blocks at `cuts`; known: samples lost before a cut."""
    counts = np.asarray(counts, dtype=np.int16)
    counts = counts[:, np.newaxis] if counts.ndim == 1 else counts
    absent = np.zeros(counts.shape, dtype=bool) if absent is None else np.asarray(absent, dtype=bool)
    channels = tuple("xyz"[: counts.shape[1]])
    meter = Meter(meta(channels, **changes))
    edges = [0, *sorted(cuts), len(counts)]
    for start, stop in pairwise(edges):
        times = None if time_s is None else np.asarray(time_s, dtype=float)[start:stop]
        meter.add(counts[start:stop], absent[start:stop], (known or {}).get(start, 0), times)
    return meter


def test_counts_at_either_end_of_the_adc_are_clipped():
    assert measured([-32768, -32767, 0, 32766, 32767]).flags()["clipped_fraction"] == 2 / 5


def test_range_of_a_12_bit_adc_is_its_own():
    flags = measured([2047, -2048, 2046, -2047], counts_per_unit=1024.0).flags()
    assert flags["clipped_fraction"] == 0.5


def test_longest_stuck_run_is_of_the_worst_channel():
    flags = measured([[1, 7], [2, 7], [2, 7], [3, 8]]).flags()
    assert (flags["longest_stuck_run"], flags["repeated_fraction"], flags["n_samples"]) == (3, 3 / 6, 4)


def test_run_of_equal_counts_ends_at_a_gap():
    whole = measured([5] * 10, cuts=[4]).flags()
    assert (whole["longest_stuck_run"], whole["repeated_fraction"]) == (10, 1.0)
    broken = measured([5] * 10, cuts=[4], known={4: 3})
    assert broken.flags()["longest_stuck_run"] == 6
    assert broken.flags()["missing_fraction"] == 3 / 13
    assert broken.gaps == (Gap(4, 3),)


def test_loss_before_an_empty_block_is_kept():
    meter = measured([5, 5, 5], cuts=[2, 2], known={2: 4})
    assert meter.flags()["missing_fraction"] > 0
    assert meter.flags()["longest_stuck_run"] == 2


def test_gap_is_found_in_the_time_stamps():
    time_s = [0.0, 0.001, 0.002, 0.006, 0.007]
    meter = measured([1, 2, 3, 3, 3], time_s=time_s)
    assert meter.gaps == (Gap(3, 3),)
    assert meter.flags()["missing_fraction"] == 3 / 8
    assert meter.flags()["longest_stuck_run"] == 2
    assert meter.flags()["rate_error"] == pytest.approx(0, abs=1e-12)


def test_loss_that_the_source_knows_is_not_counted_twice():
    meter = measured([1, 2, 3, 4], cuts=[2], known={2: 5}, time_s=[0.0, 0.001, 0.007, 0.008])
    assert meter.gaps == (Gap(2, 5),)
    assert meter.flags()["rate_error"] == pytest.approx(0, abs=1e-12)


def test_rate_error_is_that_of_the_clock():
    assert measured(range(1001), time_s=np.arange(1001) / 1020).flags()["rate_error"] == pytest.approx(0.02)
    assert measured(range(1001)).flags()["rate_error"] == 0


def test_half_the_declared_rate_is_a_rate_error_and_no_gap():
    meter = measured(range(100), time_s=np.arange(100) / 500)
    assert meter.gaps == ()
    assert meter.flags()["rate_error"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("time_s", "message"),
    [
        ([0.0, 0.001, 0.0005, 0.002], "time stamp of sample 2 is 0.0005 s after 0.001 s"),
        ([0.0, 0.001, 0.001, 0.002], "time stamp of sample 2 is 0.001 s after 0.001 s"),
        ([0.0, 0.001, np.nan, 0.002], "time stamp of sample 2 is nan s after 0.001 s"),
        ([np.nan, 0.001, 0.002, 0.003], "time stamp of sample 0 is nan s"),
    ],
)
@pytest.mark.parametrize("cuts", [(), (1,), (2,), (3,)])
def test_first_time_stamp_that_does_not_advance_is_named(time_s, message, cuts):
    with pytest.raises(RecordingError) as caught:
        measured([1, 2, 3, 4], time_s=time_s, cuts=cuts)
    assert message in str(caught.value)


def test_gaps_without_end_are_refused_before_they_fill_the_memory():
    with pytest.raises(RecordingError, match="more than 10000 gaps"):
        measured(np.zeros(30_000), time_s=np.arange(30_000) / 500, cuts=[15_000])


def test_missing_values_are_counted_and_the_first_is_named():
    meter = measured(np.zeros((6, 2)), absent=[[0, 0]] * 3 + [[0, 1], [1, 1], [0, 0]], cuts=[2])
    assert meter.flags()["nan_fraction"] == 3 / 12
    assert meter.absent == "3 of 12 samples are NaN or infinite, the first at sample 3 of channel 'y'"
    assert measured([1, 2]).absent is None


def test_level_is_the_rms_about_the_mean_in_the_unit():
    rng = np.random.Generator(np.random.PCG64(1))
    counts = np.rint(rng.normal(3000, 1000, (5000, 2)))
    assert measured(counts, cuts=[77, 4000]).level() == pytest.approx(np.sqrt(counts.var(axis=0).mean()) / 16384)


@given(st.integers(-32768, 32767), st.integers(1, 1000))
def test_level_of_a_constant_is_zero(value, n_samples):
    assert measured(np.full(n_samples, value)).level() == pytest.approx(0, abs=1e-6)


def test_empty_recording_has_flags():
    flags = measured(np.zeros((0, 1))).flags()
    assert flags.pop("n_samples") == 0
    assert set(flags.values()) == {0}


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), max_size=4),
    st.integers(0, 2**32),
)
def test_flags_do_not_depend_on_the_blocks_and_runs_are_those_of_a_plain_count(rows, cuts, seed):
    counts = np.array(rows, dtype=np.int16)
    time_s = np.cumsum(np.random.Generator(np.random.PCG64(seed)).choice([0.001, 0.001, 0.0031], len(rows)))
    cuts = [min(cut, len(rows)) for cut in cuts]
    whole, parts = measured(counts, time_s=time_s), measured(counts, cuts=cuts, time_s=time_s)
    assert whole.flags() == parts.flags()
    assert (whole.gaps, whole.level()) == (parts.gaps, parts.level())
    longest = max(len(list(run)) for column in counts.T for _, run in groupby(column.tolist()))
    assert measured(counts, cuts=cuts).flags()["longest_stuck_run"] == longest
    same = sum(a == b for column in counts.T for a, b in pairwise(column))
    assert measured(counts, cuts=cuts).flags()["repeated_fraction"] == same / max(2 * (len(rows) - 1), 1)
