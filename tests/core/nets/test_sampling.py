"""An epoch's windows, counted."""

import numpy as np
import pytest
import torch

from stages.core.events import Origins
from stages.core.nets.examples import Examples
from stages.core.nets.sampling import epoch_rows

#: 100 windows: class 0 of units a (60) and b (20), class 1 of a (13) and c (2), class 2 of c (5).
LABELS = np.repeat([0, 0, 1, 1, 2], [60, 20, 13, 2, 5]).astype(np.int8)
UNITS = np.repeat(["a", "b", "a", "c", "c"], [60, 20, 13, 2, 5])


def windows(labels, units):
    origins = Origins(units, units, np.zeros(len(labels), np.int64), 8, 100.0)
    return Examples(np.zeros((len(labels), 8, 1), np.int8), labels, 2, origins=origins)


def rows_of(sampling, seed=0):
    shuffle = np.random.default_rng(1).permutation(100)
    labels, units = LABELS[shuffle], UNITS[shuffle]
    rows = epoch_rows(windows(labels, units), sampling, torch.Generator().manual_seed(seed))
    return rows, labels[rows], units[rows]


def counts(values):
    return dict(zip(*(part.tolist() for part in np.unique(values, return_counts=True)), strict=True))


def test_shuffled_reads_every_window_once():
    assert sorted(rows_of("shuffled")[0]) == list(range(100))


@pytest.mark.parametrize("sampling", ["balanced", "balanced_units"])
def test_balanced_reads_each_class_equally_often(sampling):
    assert counts(rows_of(sampling)[1]) == {0: 33, 1: 33, 2: 33}


def test_balanced_reads_windows_of_a_class_equally_often_to_within_one():
    rows, labels, _ = rows_of("balanced")
    for each, times in ((0, {0, 1}), (1, {2, 3}), (2, {6, 7})):
        seen = np.bincount(rows[labels == each], minlength=100)
        assert set(seen[seen > 0].tolist()) <= times
        assert np.count_nonzero(seen) == min(33, int(np.sum(each == LABELS)))


def test_balanced_units_reads_each_unit_of_a_class_equally_often_to_within_one():
    _, labels, units = rows_of("balanced_units")
    assert sorted(counts(units[labels == 0]).values()) == [16, 17]
    assert sorted(counts(units[labels == 1]).values()) == [16, 17]
    assert counts(units[labels == 2]) == {"c": 33}


def test_balanced_reads_other_windows_of_a_large_class_in_the_next_epoch():
    generator = torch.Generator().manual_seed(0)
    examples = windows(LABELS, UNITS)
    first, second = (set(epoch_rows(examples, "balanced", generator).tolist()) for _ in range(2))
    assert len(first | second) > len(first)


@pytest.mark.parametrize("sampling", ["shuffled", "balanced", "balanced_units"])
def test_order_is_random_and_follows_from_the_seed(sampling):
    rows, labels, _ = rows_of(sampling)
    assert np.array_equal(rows, rows_of(sampling)[0])
    assert not np.array_equal(rows, rows_of(sampling, seed=1)[0])
    assert len(set(labels[:20].tolist())) > 1


def test_class_that_training_lacks_is_left_out():
    examples = windows(LABELS[:95], UNITS[:95])
    rows = epoch_rows(examples, "balanced", torch.Generator())
    assert counts(examples.labels[rows]) == {0: 47, 1: 47}
