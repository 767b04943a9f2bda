"""L-BFGS finishes what gradient steps began."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from stages.core.nets.losses import weighted_loss
from stages.core.nets.polish import polish
from stages.core.schema.train import Polish

SETTINGS = {"iterations": 500, "l2": 1e-3, "noisy_copies": 0, "noise": 0.0}


def problem(windows=400, channels=3):
    rng = np.random.default_rng(0)
    labels = np.arange(windows) % 2
    inputs = rng.normal(labels[:, None], 1.0, (windows, channels)).astype(np.float32)
    return torch.from_numpy(inputs)[:, :, None], torch.from_numpy(labels.astype(np.float32))[:, None]


def polished(**changes):
    torch.manual_seed(4)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 1)).eval()
    inputs, targets = problem()
    loss = weighted_loss(targets.numpy().astype(np.int8))
    settings = Polish.model_validate(SETTINGS | changes)
    polish(model, inputs, targets, loss, settings, torch.Generator().manual_seed(1))
    return model


def test_a_linear_network_becomes_the_logistic_regression_of_the_same_penalty():
    inputs, targets = problem()
    weight, bias = polished().parameters()
    # l2 * w^2 beside a mean loss; scikit-learn leaves the bias out of it, so the bias comes as a feature.
    features = np.c_[inputs[:, :, 0].numpy(), np.ones(len(inputs))]
    reference = LogisticRegression(C=1 / (2 * SETTINGS["l2"] * len(inputs)), fit_intercept=False, tol=1e-10)
    reference.fit(features, targets[:, 0].numpy())
    found = np.r_[weight.detach().numpy()[0], bias.detach().numpy()]
    assert found == pytest.approx(reference.coef_[0], rel=1e-3)


def test_the_network_is_float32_afterwards_and_the_same_again():
    first, second = polished().state_dict(), polished().state_dict()
    assert all(tensor.dtype == torch.float32 for tensor in first.values())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_noise_on_the_inputs_keeps_the_weights_smaller():
    """Noise of variance v adds about v * w^2 to a squared error, and something alike here."""
    plain, noisy = (polished(noisy_copies=copies, noise=64)[1].weight.square().sum() for copies in (0, 4))
    assert noisy < 0.9 * plain


def test_batch_statistics_stay_as_they_were():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Flatten(), torch.nn.Linear(3, 1)).eval()
    model[0].running_mean.fill_(0.25)
    inputs, targets = problem()
    loss = weighted_loss(targets.numpy().astype(np.int8))
    polish(model, inputs, targets, loss, Polish.model_validate(SETTINGS), torch.Generator())
    assert torch.equal(model[0].running_mean, torch.full((3,), 0.25))
    assert not torch.equal(model[0].weight, torch.ones(3))
