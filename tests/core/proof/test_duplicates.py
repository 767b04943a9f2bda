"""Copies are found whatever was done to hide them, and machines that sound alike are not taken for copies."""

import re

import numpy as np
import pytest
from scipy.signal import resample, resample_poly

from stages.core.proof.duplicates import Library, check_duplicates
from stages.core.proof.landmarks import LENGTH, VARIANTS, Stretch, find_landmarks
from stages.core.schema.split import Duplicates
from tests.core.proof.recordings import vibration

LIMITS = Duplicates(max_correlation=0.8, landmarks=16, max_proposals=200)
PARTS = ("train", "val", "test")


def check(sessions, stretches=None, limits=LIMITS):
    """Check sessions by name; a session lies in the part of its name's first letter, unless stretches are given."""
    names = sorted(sessions)
    stretches = stretches or {
        name: [Stretch("abc".index(name[0]), 0, len(counts))] for name, counts in sessions.items()
    }
    found = [find_landmarks([sessions[name]], stretches[name], limits.landmarks) for name in names]
    library = Library.collect(names, [len(sessions[name]) for name in names], found)
    return check_duplicates(library, PARTS, limits, lambda name, start, stop: sessions[name][start:stop])


def fleet(**machine):
    return {f"{part}{k}": vibration(10 * k + ord(part), **machine) for part in "abc" for k in (1, 2)}


def rounded(signal):
    return np.rint(signal).astype(np.int16)


def interpolated(signal, rate):
    time = np.arange(0, len(signal) - 1, rate)
    return np.interp(time, np.arange(len(signal)), signal[:, 0])[:, np.newaxis]


COPIES = {
    "same under another name": (lambda x: x, 1),
    "scaled": (lambda x: 0.37 * x, 1),
    "scaled down to few counts": (lambda x: 0.04 * x, 1),
    "turned over, with an offset": (lambda x: 500 - x, 1),
    "cut at another phase": (lambda x: x[777:13001], 1),
    "a third of it": (lambda x: x[5001:10500], 1),
    "resampled to 0.9": (lambda x: resample(x, round(0.9 * len(x))), 0.9),
    "resampled to 0.983": (lambda x: resample(x, round(0.983 * len(x))), 0.983),
    "resampled to 1.05": (lambda x: resample(x, round(1.05 * len(x))), 1.05),
    "resampled to 1.1": (lambda x: resample(x, round(1.1 * len(x))), 1.1),
    "interpolated linearly": (lambda x: interpolated(x, 1 / 1.03), 1.03),
    "half the rate": (lambda x: resample_poly(x, 1, 2, axis=0), 0.5),
    "twice the rate": (lambda x: resample_poly(x, 2, 1, axis=0), 2),
    "every second sample, unfiltered": (lambda x: x[1::2], 0.5),
    "every sample twice": (lambda x: np.repeat(x, 2, axis=0), 2),
    "cut, scaled and resampled": (lambda x: 0.5 * resample(x[3001:14000], 10400), 10400 / 10999),
}


@pytest.mark.parametrize("change, rate", COPIES.values(), ids=list(COPIES))
def test_copy_is_found(change, rate):
    sessions = fleet()
    sessions["c9"] = rounded(change(sessions["a1"].astype(float)))
    crossing = check(sessions)["crossing"]
    assert len(crossing) == 1
    assert {"a1", "c9"} <= set(re.findall(r"\b[abc]\d\b", crossing[0]))
    found = float(re.search(r"at rate ([0-9.]+)", crossing[0])[1])
    first_is_original = crossing[0].startswith("a1")
    assert found == pytest.approx(rate if first_is_original else 1 / rate, rel=2e-3)


def test_machines_that_turn_alike_are_no_copies():
    found = check(fleet(harmonics=3000.0))
    assert found["crossing"] == []
    assert found["largest_below"] < 0.5
    assert found["compared"] == 6


def test_impacts_of_one_shape_are_no_copies():
    found = check(fleet(impacts=8000.0))
    assert found["crossing"] == []
    assert found["largest_below"] < 0.5


def test_dropouts_of_one_shape_are_no_copies():
    sessions = fleet()
    for k, name in enumerate(sessions):
        for start in range(500 + 31 * k, 16384, 1500):
            sessions[name][start : start + 400] = 0
    found = check(sessions)
    assert found["crossing"] == []
    assert found["largest_below"] < 0.5


@pytest.mark.parametrize("shape", [[900], [900, -900], [1, 1, 1]], ids=["pulse", "double pulse", "least counts"])
def test_silence_with_lone_pulses_is_no_copy(shape):
    sessions = fleet()
    for k, counts in enumerate(sessions.values()):
        counts[:] = 3
        for start in range(700 + 97 * k, 16000, 1100 + 61 * k):
            counts[start : start + len(shape), 0] += np.array(shape, np.int16)
    found = check(sessions)
    assert found["crossing"] == []
    assert found["largest_below"] < 0.5


def test_copy_of_a_short_snapshot_with_two_channels_is_found():
    sessions = {
        f"{part}{k}": np.hstack([vibration(10 * k + ord(part), 2560), vibration(500 + 10 * k + ord(part), 2560)])
        for part in "abc"
        for k in range(1, 5)
    }
    sessions["b9"] = rounded(0.8 * sessions["c2"][301:])
    assert [{"b9", "c2"} <= set(text.split()) for text in check(sessions)["crossing"]] == [True]


def test_copy_in_the_same_part_is_no_leak():
    sessions = fleet()
    sessions["a9"] = sessions["a1"]
    assert check(sessions)["crossing"] == []


def test_recording_that_repeats_itself_after_the_cut_in_time_is_found():
    loop = vibration(1, 6000)
    stretches = {"a": [Stretch(0, 0, 6000), Stretch(2, 6500, 12000)]}
    repeating = check({"a": np.concatenate([loop, loop])}, stretches)["crossing"]
    assert len(repeating) == 1
    assert "a (train)" in repeating[0] and "a (test)" in repeating[0]
    assert check({"a": np.concatenate([loop, vibration(2, 6000)])}, stretches)["crossing"] == []


def test_neighbouring_parts_of_one_session_are_no_copies():
    stretches = {"a": [Stretch(k % 3, 200 * k, 200 * k + 300) for k in range(60)]}
    assert check({"a": vibration(1)}, stretches)["crossing"] == []


def test_what_exceeds_the_budget_is_counted():
    sessions = fleet()
    sessions |= {"b8": sessions["a1"], "b9": sessions["a2"]}
    found = check(sessions, limits=LIMITS.model_copy(update={"max_proposals": 1}))
    assert len(found["crossing"]) == 1
    assert found["not_looked_at"] == found["proposals"] - 1 > 0


def test_session_shorter_than_a_few_landmarks_is_not_compared():
    found = check({"a0": vibration(1, 3 * LENGTH), "b0": vibration(1, 3 * LENGTH)})
    assert found["landmarks"] == 0
    assert found["crossing"] == []


def test_landmarks_stay_within_what_a_part_uses_and_within_their_number():
    stretches = [Stretch(0, 100, 4000), Stretch(1, 6000, 9000), Stretch(0, 9100, 12000)]
    found = find_landmarks([vibration(1)[:8192], vibration(1)[8192:]], stretches, 5)
    for part, variant, position in zip(found.part, found.variant, found.position, strict=True):
        stop = position + (LENGTH - 1) * VARIANTS[variant].rate * VARIANTS[variant].step
        assert any(s.part == part and s.start <= position and stop < s.stop for s in stretches)
    counts = np.unique(np.stack([found.part, found.variant]), axis=1, return_counts=True)[1]
    assert len(counts) == 2 * len(VARIANTS)
    assert counts.max() == 5


def test_landmarks_of_a_cut_are_those_of_the_whole_that_it_holds():
    counts = vibration(1)
    whole, cut = (find_landmarks([x], [Stretch(0, 0, len(x))], 16) for x in (counts, counts[3001:]))
    own = {round(position) for position, variant in zip(whole.position, whole.variant, strict=True) if variant == 0}
    seen = {round(position) + 3001 for position, variant in zip(cut.position, cut.variant, strict=True) if variant == 0}
    held = {position for position in own if position >= 3001}
    assert len(held & seen) >= 0.6 * len(held)
