"""Units are resampled whole, each resample has both classes, and no interval is made of a single unit."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from stages.core.bootstrap import Resampling, draw, intervals
from stages.core.tail import auc, roc

MANY = Resampling(2000, 0.95, 7)
MIXED = np.array(["a", "a", "b", "b", "c", "c", "c"])
LABELS = np.array([0, 1, 1, 0, 0, 1, 1], dtype=np.int8)


def test_units_are_drawn_within_their_kind_as_many_as_there_are():
    units = np.array(["h1", "h2", "h3", "a1", "a2", "m1", "m2", "m1", "m2"])
    labels = np.array([0, 0, 0, 1, 1, 0, 0, 1, 1], dtype=np.int8)
    draws = draw(units, labels, MANY)
    assert draws.kinds == {"healthy only": 3, "anomalous only": 2, "mixed": 2}
    assert draws.reason is None
    names = np.unique(units)
    for kind, size in (("h", 3), ("a", 2), ("m", 2)):
        of_kind = draws.times[:, [name.startswith(kind) for name in names]]
        assert (of_kind.sum(axis=1) == size).all()
        assert abs(of_kind.mean() - 1) < 0.05
        assert of_kind.max() == size
    assert names[draws.unit_of].tolist() == units.tolist()


def test_draws_depend_on_the_seed_alone():
    assert np.array_equal(draw(MIXED, LABELS, MANY).times, draw(MIXED, LABELS, MANY).times)
    assert not np.array_equal(draw(MIXED, LABELS, MANY).times, draw(MIXED, LABELS, Resampling(2000, 0.95, 8)).times)


def test_interval_of_a_mean_covers_as_often_as_it_says():
    # The standard error of the mean of 50 unit means with variance 1 is 0.14; windows of a unit are all alike.
    covered = 0
    for trial in range(100):
        means = np.random.default_rng(trial).normal(0, 1, 50)
        units = np.repeat(np.arange(50), 20)
        labels = np.tile(np.array([0, 1], dtype=np.int8), 500)
        values = means[units]
        resampling = Resampling(200, 0.9, trial)
        draws = draw(units, labels, resampling)
        found = intervals(lambda w, v=values: {"mean": (w * v).sum(axis=-1) / w.sum(axis=-1)}, draws, resampling)
        assert 0.3 < found["mean"].high - found["mean"].low < 0.65  # 2 * 1.645 * 0.14 = 0.465; by window, 0.1
        covered += found["mean"].low <= 0 <= found["mean"].high
    assert 80 <= covered <= 97


def test_resampled_metric_is_that_of_the_copied_windows():
    scores = np.array([0.0, 2.0, 1.0, 0.5, 1.5, 3.0, 0.2])
    resampling = Resampling(120, 0.95, 1)
    draws = draw(MIXED, LABELS, resampling)
    seen = {}

    def metric(weights):
        seen.setdefault("values", []).append(auc(roc(scores, LABELS, weights)))
        return {"auc": seen["values"][-1]}

    interval = intervals(metric, draws, resampling)["auc"]
    brute = []
    for times in draws.times:
        rows = np.repeat(np.arange(7), times[draws.unit_of])
        brute.append(roc_auc_score(LABELS[rows], scores[rows]))
    np.testing.assert_allclose(np.concatenate(seen["values"]), brute)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(brute, [0.025, 0.975])))


def test_a_difference_is_paired():
    resampling = Resampling(100, 0.95, 1)
    scores = np.arange(7.0)

    def drop(weights):
        before, after = (auc(roc(each, LABELS, weights)) for each in (scores, scores * 2 + 1))
        return {"drop": before - after}

    interval = intervals(drop, draw(MIXED, LABELS, resampling), resampling)["drop"]
    assert (interval.low, interval.high) == (0.0, 0.0)


@pytest.mark.parametrize(
    "units, labels, said",
    [
        (["a"] * 4, [0, 1, 0, 1], "a single unit is mixed"),
        (["a", "a", "b", "b"], [0, 0, 1, 1], "a single unit is healthy only and a single one anomalous only"),
        (["a", "b", "c", "c"], [1, 1, 0, 1], "a single unit is mixed"),
        (["a", "b", "c"], [1, 1, 0], "a single unit is healthy only"),
    ],
)
def test_a_single_unit_of_a_kind_gives_a_reason_and_no_interval(units, labels, said):
    draws = draw(np.array(units), np.array(labels, dtype=np.int8), MANY)
    interval = intervals(lambda weights: {"sum": weights.sum(axis=-1)}, draws, MANY)["sum"]
    assert interval.reason == said
    assert np.isnan([interval.low, interval.high]).all()


def test_the_only_unit_of_one_class_alone_is_drawn_with_those_that_have_both():
    units, labels = np.array([*MIXED, "z"]), np.array([*LABELS, 0], dtype=np.int8)
    draws = draw(units, labels, MANY)
    assert (draws.kinds, draws.reason) == ({"healthy only": 1, "anomalous only": 0, "mixed": 3}, None)
    assert (draws.times.sum(axis=1) == 4).all()
    assert abs(draws.times[:, 3].mean() - 1) < 0.1
    assert draws.times[:, 3].min() == 0


def test_a_metric_that_some_resamples_lack_has_no_interval():
    def of_unit_a(weights):
        count = weights[:, :2].sum(axis=-1)
        return {"share": np.where(count > 0, 1.0, np.nan)}

    interval = intervals(of_unit_a, draw(MIXED, LABELS, MANY), MANY)["share"]
    assert np.isnan(interval.low)
    # Three units drawn three times leave out a given one with probability (2/3)**3 = 0.296.
    missing = int(interval.reason.split(" in ")[1].split()[0])
    assert missing == pytest.approx(0.296 * 2000, rel=0.15)
