"""Ordered and exclusive classes: what outputs are asked, who wins, probabilities; counts against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from stages.core.classes import answers, any_class, classify, confidence, decide, margin, probabilities, rejection
from stages.core.schema.threshold import Reject
from stages.core.thresholds import Rejection

CLASSES = ("normal", "handling_shock", "impact")
LOGITS = np.array([[-3.0, -6.0], [2.0, -1.0], [4.0, 3.0], [-2.0, 1.0]])


def test_the_most_severe_class_that_reaches_its_threshold_wins():
    assert decide(LOGITS, [0.0, 1.0], "ordered").tolist() == [0, 1, 2, 2]
    assert decide(LOGITS, [0.0, 1.5], "ordered").tolist() == [0, 1, 2, 0]


def test_outputs_of_ordered_classes_are_asked_of_a_class_or_worse_those_of_exclusive_ones_of_one_alone():
    labels = np.array([0, 1, 2], dtype=np.int8)
    assert answers(labels, 2, "ordered").tolist() == [[0, 0], [1, 0], [1, 1]]
    assert answers(labels, 2, "exclusive").tolist() == [[0, 0], [1, 0], [0, 1]]


def test_the_highest_of_exclusive_classes_wins_if_it_reaches_its_own_threshold():
    logits = np.array([[2.0, 1.0], [1.0, 3.0], [-1.0, -0.5], [2.0, 2.0], [0.6, 0.5]])
    assert decide(logits, [0.0, 0.0], "exclusive").tolist() == [1, 2, 0, 1, 1]  # of equals, the first
    # The second reaches its threshold in the last window, but is not the highest: nothing is.
    assert decide(logits, [1.0, 0.0], "exclusive").tolist() == [1, 2, 0, 1, 0]


def test_windows_are_ranked_by_the_first_output_of_ordered_classes_and_the_highest_of_exclusive_ones():
    assert any_class(LOGITS, "ordered").tolist() == [-3.0, 2.0, 4.0, -2.0]
    assert any_class(LOGITS, "exclusive").tolist() == [-3.0, 2.0, 4.0, 1.0]


def test_probabilities_of_exclusive_classes_are_those_of_at_most_one_yes():
    yes = 1 / (1 + np.exp(-LOGITS))
    no = 1 - yes
    joint = np.stack([no[:, 0] * no[:, 1], yes[:, 0] * no[:, 1], no[:, 0] * yes[:, 1]], axis=1)
    np.testing.assert_allclose(probabilities(LOGITS, "exclusive"), joint / joint.sum(axis=1, keepdims=True))
    one = LOGITS[:, :1]
    np.testing.assert_allclose(probabilities(one, "exclusive"), probabilities(one, "ordered"))


def test_probabilities_are_differences_of_the_sigmoids():
    at_least = 1 / (1 + np.exp(-LOGITS[1]))
    np.testing.assert_allclose(
        probabilities(LOGITS, "ordered")[1], [1 - at_least[0], at_least[0] - at_least[1], at_least[1]]
    )


def test_probabilities_are_none_below_zero_and_sum_to_one_where_outputs_contradict():
    found = probabilities(LOGITS, "ordered")
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    assert found[3, 1] == 0  # worse than class 1 is more probable than class 1 or worse


def test_margin_is_the_lead_of_the_first_over_the_second():
    np.testing.assert_allclose(margin(np.array([[0.0]]), "ordered"), [0.0], atol=1e-12)
    np.testing.assert_allclose(margin(np.array([[np.log(3.0)]]), "ordered"), [0.5])
    ordered = np.sort(probabilities(LOGITS, "ordered"), axis=1)
    np.testing.assert_allclose(margin(LOGITS, "ordered"), ordered[:, 2] - ordered[:, 1])


def test_confidence_is_the_distance_to_the_nearest_threshold_or_the_margin():
    near = confidence(LOGITS, [1.0, 2.5], Reject(by="band", max_error=0.1), "ordered")
    assert near.tolist() == [4.0, 1.0, 0.5, 1.5]
    assert (
        confidence(LOGITS, [1.0, 2.5], Reject(by="margin", max_error=0.1), "ordered").tolist()
        == margin(LOGITS, "ordered").tolist()
    )


def test_a_limit_chosen_on_val_withholds_the_same_confidence_on_test():
    band = Reject(by="band", max_error=0.0)
    labels = np.array([0, 1, 2, 0], dtype=np.int8)  # the last is called 2, at a distance of 1
    chosen = rejection(LOGITS, [0.0, 0.0], labels, band, "ordered")
    assert chosen == Rejection(3.0, 0.5, 0.0)  # distances are 3, 1, 3 and 1
    test = np.array([[-5.0, -9.0], [-2.0, -9.0]])
    assert rejection(test, [0.0, 0.0], np.array([1, 0], dtype=np.int8), band, "ordered", chosen.limit) == Rejection(
        3.0, 0.5, 1.0
    )


def test_confusion_recall_and_macro_f1_of_known_decisions():
    labels = np.array([0, 0, 0, 1, 1, 2], dtype=np.int8)
    decisions = np.array([0, 0, 1, 1, 2, 2])
    found = classify(decisions, labels, CLASSES)
    assert found.confusion == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert found.recall == pytest.approx({"normal": 2 / 3, "handling_shock": 1 / 2, "impact": 1.0})
    # F1 is 2 TP / (2 TP + FP + FN): 4/5, 2/4 and 2/3.
    assert found.macro_f1 == pytest.approx((4 / 5 + 2 / 4 + 2 / 3) / 3)
    assert found.macro_f1 == pytest.approx(f1_score(labels, decisions, average="macro"))


def test_recall_of_a_class_that_does_not_occur_is_not_a_number():
    found = classify(np.array([0, 1]), np.array([0, 1], dtype=np.int8), CLASSES)
    assert np.isnan(found.recall["impact"])
    assert found.confusion[2] == [0, 0, 0]
