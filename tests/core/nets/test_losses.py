"""Losses against sums written out by hand, and what they promise of each other."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from stages.core.nets.losses import loss_function, smooth, weighted_loss
from stages.core.schema.train import Loss

TARGETS = np.array([[1, 1], [1, 0], [0, 0], [0, 0], [0, 0]], dtype=np.int8)  # weights 3/2 and 4
LOGITS = [[0.5, -1.0], [-2.0, 0.3], [1.5, -0.2], [0.0, 4.0], [-3.0, -5.0]]


def make(**settings):
    return loss_function(Loss.model_validate({"gamma": None, "smoothing": 0.0, **settings}), TARGETS)


def of(loss, logits=LOGITS, targets=TARGETS):
    return float(loss(torch.tensor(logits), torch.tensor(targets, dtype=torch.float32)))


def by_hand(gamma, smoothing):
    """The mean over windows and outputs, term by term in double precision."""
    terms = []
    for z_row, y_row in zip(LOGITS, TARGETS, strict=True):
        for z, hard, weight in zip(z_row, y_row, (1.5, 4.0), strict=True):
            y = hard - smoothing / 2 if hard else smoothing / 2
            p = 1 / (1 + math.exp(-z))
            entropy = -weight * y * math.log(p) - (1 - y) * math.log(1 - p)
            terms.append(abs(y - p) ** gamma * entropy)
    return sum(terms) / len(terms)


def test_both_answers_to_each_question_weigh_the_same_in_the_loss():
    targets = np.array([[1, 1], [1, 0], [0, 0], [0, 0]], dtype=np.int8)
    assert weighted_loss(targets).pos_weight.tolist() == [1, 3]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_loss_is_the_sum_written_out(smoothing):
    assert of(make(kind="weighted", smoothing=smoothing)) == pytest.approx(by_hand(0, smoothing), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_loss_is_the_sum_written_out(gamma, smoothing):
    loss = make(kind="focal", gamma=gamma, smoothing=smoothing)
    assert of(loss) == pytest.approx(by_hand(gamma, smoothing), rel=1e-6)


def test_focal_loss_of_gamma_0_is_the_weighted_loss():
    assert of(make(kind="focal", gamma=0.0)) == pytest.approx(of(make(kind="weighted")), rel=1e-6)


def test_loss_without_smoothing_is_that_of_torch_to_the_bit():
    logits = torch.tensor(LOGITS)
    reference = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.5, 4.0]))
    targets = torch.tensor(TARGETS, dtype=torch.float32)
    assert torch.equal(make(kind="weighted")(logits, targets), reference(logits, targets))


def test_focal_loss_turns_from_windows_that_are_told_well_to_those_that_are_not():
    logits = torch.tensor([[4.0, 0.0], [-0.5, 0.0]], requires_grad=True)  # told well, and wrongly
    shares = []
    for settings in ({"kind": "weighted"}, {"kind": "focal", "gamma": 2.0}):
        loss = make(**settings)(logits, torch.ones(2, 2))
        well, wrongly = torch.autograd.grad(loss, logits)[0][:, 0].abs().tolist()
        shares.append(well / wrongly)
    assert shares[1] < shares[0] / 100


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_has_a_gradient_where_a_window_is_told_for_certain(gamma):
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    make(kind="focal", gamma=gamma)(logits, torch.tensor([[1.0, 0.0]])).backward()
    assert torch.isfinite(logits.grad).all()


def test_smoothing_takes_the_optimum_to_a_finite_logit():
    z = torch.zeros(1, 1, requires_grad=True)
    settings = Loss(kind="weighted", gamma=None, smoothing=0.2)
    loss = loss_function(settings, np.array([[1], [0]], dtype=np.int8))
    optimizer = torch.optim.SGD([z], lr=2.0)
    for _ in range(300):
        optimizer.zero_grad()
        loss(z, torch.ones(1, 1)).backward()
        optimizer.step()
    assert float(z.detach()) == pytest.approx(math.log(0.9 / 0.1), rel=1e-3)


def test_smoothed_targets_of_ordered_classes_stay_ordered():
    ordered = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    smoothed = smooth(ordered, 0.1)
    assert (smoothed.diff(dim=1) <= 0).all()
    torch.testing.assert_close(smoothed, torch.where(ordered > 0, 0.95, 0.05))


@pytest.mark.parametrize(
    "settings", [{"kind": "focal"}, {"kind": "weighted", "gamma": 2.0}, {"kind": "weighted", "smoothing": 1.0}]
)
def test_loss_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ValidationError):
        make(**settings)
