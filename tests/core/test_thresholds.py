"""Thresholds meet their objective, and no lower one does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from stages.core.schema.threshold import Objective, Threshold
from stages.core.thresholds import (
    Rejection,
    apply_rejection,
    choose_rejection,
    choosers,
    distance,
    threshold_at_fpr,
    threshold_at_recall,
)

RATES = st.floats(0.001, 0.5)


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=st.floats(-100, 100, width=32)), RATES)
def test_threshold_is_the_smallest_that_holds_the_rate(healthy, rate):
    threshold = threshold_at_fpr(healthy, rate)
    assert np.mean(healthy >= threshold) <= rate
    below = np.nextafter(np.float32(threshold), np.float32(-np.inf))
    assert np.mean(healthy >= below) > rate


def test_a_rate_of_one_flags_everything():
    assert threshold_at_fpr(np.array([3.0, 1.0, 2.0]), 1.0) == 1


@given(hnp.arrays(np.int32, st.integers(1, 300), elements=st.integers(-50, 50)), st.floats(0.01, 1.0))
def test_threshold_at_recall_is_the_largest_that_keeps_it(anomalous, recall):
    threshold = threshold_at_recall(anomalous, recall)
    assert np.mean(anomalous >= threshold) >= recall
    assert np.mean(anomalous >= threshold + 1) < recall


def test_each_output_has_its_own_objective():
    settings = Threshold(
        objective="fpr",
        max_fpr=0.25,
        per_class={
            "impact": Objective(objective="recall_at_least", min_recall=0.5),
            "break": Objective(objective="false_alarms_per_hour", max_false_alarms_per_hour=900),
            "fire": Objective(objective="probability", min_probability=0.2),
        },
        reject=None,
    )
    below, above = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 5.0, 7.0, 9.0])
    found = [choose(below, above) for choose in choosers(settings, ["shock", "impact", "break", "fire"], hop_s=2.0)]
    # One false alarm of four; half of the anomalous; and 900 of the 1800 decisions an hour, two of four; logit of 0.2.
    assert found == [np.nextafter(3, 4), 7, np.nextafter(2, 3), pytest.approx(np.log(0.2 / 0.8))]


@pytest.mark.parametrize(
    "given_, said",
    [
        ({"objective": "probability", "max_fpr": 0.1}, "needs min_probability"),
        ({"objective": "recall_at_least", "max_fpr": 0.1}, "objective recall_at_least needs min_recall"),
        ({"objective": "false_alarms_per_hour", "min_recall": 0.1}, "needs max_false_alarms_per_hour"),
        ({"objective": "fpr", "max_fpr": 1.0}, "less than 1"),
        ({"objective": "precision", "max_fpr": 0.1}, "fpr"),
    ],
)
def test_an_objective_without_its_limit_is_refused(given_, said):
    with pytest.raises(ValidationError, match=said):
        Objective.model_validate(given_)


CONFIDENCE = np.array([5.0, 4.0, 3.0, 3.0, 2.0, 1.0])
WRONG = np.array([False, False, False, True, False, True])


@pytest.mark.parametrize(
    "max_error, limit, coverage, error",
    [
        (0.4, 0.0, 1.0, 2 / 6),  # good enough as it is
        (0.2, 2.0, 5 / 6, 1 / 5),
        (0.1, 4.0, 2 / 6, 0.0),  # the two of confidence 3 go together
    ],
)
def test_as_few_decisions_are_withheld_as_the_error_takes(max_error, limit, coverage, error):
    assert choose_rejection(CONFIDENCE, WRONG, max_error) == Rejection(limit, coverage, error)


def test_nothing_is_withheld_where_no_limit_helps():
    assert choose_rejection(CONFIDENCE, CONFIDENCE > 0, 0.5) == Rejection(0.0, 1.0, 1.0)


@given(
    hnp.arrays(np.int8, st.integers(1, 40), elements=st.integers(0, 10)),
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.9),
)
def test_no_lower_limit_holds_the_error(confidence, seed, max_error):
    wrong = np.random.default_rng(seed).random(len(confidence)) < 0.3
    found = choose_rejection(confidence.astype(float), wrong, max_error)
    holding = [each for each in np.unique(confidence) if wrong[confidence >= each].mean() <= max_error]
    lowest = min(holding, default=0.0)
    assert (confidence >= found.limit).tolist() == (confidence >= lowest).tolist()


def test_distance_is_to_the_nearest_threshold():
    assert distance(np.array([[0.0, 5.0], [3.0, 3.5]]), [1.0, 3.0]).tolist() == [1.0, 0.5]


def test_a_limit_from_val_says_on_test_what_it_does_there():
    assert apply_rejection(np.array([0.1, 0.9]), np.array([True, True]), 0.5) == Rejection(0.5, 0.5, 1.0)
    assert np.isnan(apply_rejection(np.array([0.1]), np.array([True]), 0.5).error)
