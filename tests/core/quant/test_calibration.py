"""Calibration sets hold the windows their design names, spread and repeatable."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.classes import answers
from stages.core.quant.calibration import choose_rows
from stages.core.schema.quantize import Calibration


def choose(design: str, windows: int, labels: np.ndarray, scores: np.ndarray, *thresholds: float) -> np.ndarray:
    calibration = Calibration.model_validate({"design": design, "windows": windows})
    scores = scores.reshape(len(labels), -1)
    targets = answers(labels, scores.shape[1], "ordered")
    return choose_rows(calibration, labels, targets, scores, thresholds or (0.0,))


def halves(n: int) -> tuple[np.ndarray, np.ndarray]:
    """First n normal windows scored -n..-1 in order, then n anomalous ones scored 0..n-1."""
    return np.repeat(np.array([0, 1], dtype=np.int8), n), np.arange(-n, n, dtype=np.float32)


def test_representative_takes_as_many_of_each_class_evenly_spaced() -> None:
    labels, scores = halves(100)
    assert choose("representative", 6, labels, scores).tolist() == [0, 49, 99, 100, 149, 199]


def test_representative_gives_every_class_its_share() -> None:
    labels = np.repeat(np.array([0, 1, 2], dtype=np.int8), 50)
    assert np.bincount(labels[choose("representative", 31, labels, np.zeros(150))]).tolist() == [10, 10, 10]


def test_healthy_only_is_evenly_spaced_over_the_normal_windows() -> None:
    labels, scores = halves(100)
    assert choose("healthy_only", 5, labels, scores).tolist() == [0, 24, 49, 74, 99]


def test_near_threshold_is_half_near_quarter_extreme_quarter_normal() -> None:
    labels, scores = halves(400)
    rows = choose("near_threshold", 80, labels, scores)
    near = rows[(scores[rows] > -101) & (scores[rows] < 101)]
    extreme = rows[(rows < 410) & (rows >= 400) | (rows >= 790)]
    assert len(rows) == 80
    assert 40 <= len(near) <= 56  # of the base of 20, a quarter lies in the band too, and the ten lowest anomalous
    assert extreme.tolist()[-10:] == list(range(790, 800))
    assert set(range(400, 410)) <= set(extreme.tolist())
    assert np.diff(rows[rows < 300]).max() <= 22  # the normal band, evenly


def test_near_threshold_follows_the_threshold() -> None:
    labels, scores = halves(400)
    low, high = (choose("near_threshold", 40, labels, scores, at) for at in (-300.0, 300.0))
    assert ((scores[low] > -401) & (scores[low] < -199)).sum() >= 20
    assert ((scores[high] > 199) & (scores[high] < 401)).sum() >= 20


def test_near_threshold_takes_turns_over_outputs() -> None:
    labels = np.repeat(np.array([0, 1, 2], dtype=np.int8), 200)
    rank = np.arange(600, dtype=np.float32)
    scores = np.stack([rank - 200, -rank], axis=1)  # the second output ranks the other way round
    rows = choose("near_threshold", 48, labels, scores, 0.0, -550.0)
    assert ((rows >= 125) & (rows < 275)).sum() >= 12
    assert ((rows >= 500) & (rows < 600)).sum() >= 12
    assert {400, 401, 598, 599} <= set(rows.tolist())  # both ends of the tail of the second output's class


@given(st.integers(1, 50), st.integers(1, 50), st.integers(2, 60))
def test_representative_rows_are_sorted_unique_and_never_more_than_asked(
    healthy: int, anomalous: int, wanted: int
) -> None:
    labels = np.array([0] * healthy + [1] * anomalous, dtype=np.int8)
    rows = choose("representative", wanted, labels, np.zeros(len(labels)))
    assert len(rows) <= wanted
    assert (np.diff(rows) > 0).all()
    assert min(wanted // 2, healthy) == (labels[rows] == 0).sum()
    assert min(wanted // 2, anomalous) == (labels[rows] == 1).sum()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(2, 80), st.integers(0, 9), st.integers(1, 3))
def test_near_threshold_rows_are_sorted_unique_and_repeat(
    healthy: int, anomalous: int, wanted: int, seed: int, outputs: int
) -> None:
    labels = np.array([0] * healthy + [1] * anomalous, dtype=np.int8)
    scores = np.random.Generator(np.random.PCG64(seed)).normal(0, 1, (len(labels), outputs)).round(1)
    rows = choose("near_threshold", wanted, labels, scores, *[0.3] * outputs)
    assert 0 < len(rows) <= wanted
    assert (np.diff(rows) > 0).all()
    assert rows.tolist() == choose("near_threshold", wanted, labels, scores, *[0.3] * outputs).tolist()


@pytest.mark.parametrize("design", ["healthy_only", "representative", "near_threshold"])
def test_a_set_larger_than_the_data_takes_each_window_once(design: str) -> None:
    labels, scores = halves(5)
    rows = choose(design, 1000, labels, scores)
    assert len(set(rows.tolist())) == len(rows) <= 10
    assert set(np.flatnonzero(labels == 0).tolist()) <= set(rows.tolist())
