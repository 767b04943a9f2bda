"""The training loop learns, keeps its best epoch, stops early and repeats itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from stages.core.dsp.contract import INPUT_SCALE
from stages.core.errors import TrainingError
from stages.core.events import Origins
from stages.core.nets import loop
from stages.core.nets.examples import Examples
from stages.core.nets.inference import dequantise, float_scores
from stages.core.nets.loop import batches, fit, fit_best
from stages.core.nets.losses import weighted_loss
from stages.core.nets.models import build_model
from stages.core.schema.model import Mlp
from stages.core.schema.train import Train
from stages.core.seeds import derive_seed, seed_torch

CONFIG = Path(__file__).parents[3] / "conf" / "train" / "default.yaml"
SETTINGS = yaml.safe_load(CONFIG.read_text()) | {
    "epochs": 12,
    "patience": 3,
    "batch_size": 16,
    "lr": 0.05,
    "weight_decay": 0.0,
}


def examples(seed, n_windows=120):
    rng = np.random.default_rng(seed)
    labels = (np.arange(n_windows) % 3 == 0).astype(np.int8)
    codes = rng.normal(30 * labels[:, None, None], 20, (n_windows, 32, 1))
    return Examples(np.clip(codes, -128, 127).astype(np.int8), labels, 1)


def trained(val=None, **changes):
    seed_torch(3)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32, 1))
    history = []
    settings = Train.model_validate({**SETTINGS, **changes})
    generator = torch.Generator().manual_seed(1)
    fit(model, examples(0), val or examples(1), settings, generator=generator, on_epoch=history.append)
    return model, history


def test_training_separates_two_easy_classes():
    model, _ = trained()
    test = examples(2)
    scores = float_scores(model.eval(), test.planes, 2**-6)[:, 0]
    assert scores[test.labels == 1].min() > scores[test.labels == 0].max()


def test_model_is_left_with_the_weights_of_the_lowest_val_loss():
    model, history = trained(lr=1.0, epochs=8, patience=8)
    val = examples(1)
    scores = torch.from_numpy(float_scores(model.eval(), val.planes, 2**-6))
    loss = weighted_loss(examples(0).targets)(scores, torch.from_numpy(val.targets.astype(np.float32)))
    assert float(loss) == pytest.approx(min(epoch.val_loss for epoch in history))


def test_training_stops_once_val_has_not_improved_for_the_patience():
    data = examples(1)
    _, history = trained(val=Examples(data.codes, 1 - data.labels, 1), epochs=200, patience=2)
    losses = [epoch.val_loss for epoch in history]
    assert len(losses) < 200
    assert losses.index(min(losses)) == len(losses) - 3


def test_same_seed_gives_the_same_weights():
    first, second = trained()[0].state_dict(), trained()[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_batches_visit_every_window_once():
    data = examples(0, 50)
    seen = torch.cat([labels for _, labels in batches(data, 16, torch.Generator().manual_seed(0), 1)])
    assert (len(seen), float(seen.sum())) == (50, float(data.labels.sum()))


def test_targets_ask_for_each_class_or_a_more_severe_one():
    data = Examples(np.zeros((4, 8, 1), np.int8), np.array([0, 1, 2, 1], np.int8), 2)
    assert data.targets.tolist() == [[0, 0], [1, 0], [1, 1], [1, 0]]


@pytest.mark.parametrize("sampling", ["balanced", "balanced_units"])
def test_balanced_batches_hold_each_class_equally_often(sampling):
    data = examples(0, 90)
    units = np.where(np.arange(90) % 2, "a", "b")
    data = Examples(data.codes, data.labels, 1, origins=Origins(units, units, np.arange(90), 1, 1.0))
    seen = torch.cat([labels for _, labels in batches(data, 16, torch.Generator().manual_seed(0), 1, sampling)])
    assert (len(seen), float(seen.sum())) == (90, 45)


def test_balanced_sampling_takes_the_weights_out_of_the_loss():
    """A model that says 0 to everything: with equal weights its loss is log 2, with those of all windows more."""

    class Silent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.zero = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x.mean(dim=(1, 2))[:, None] * 0 + self.zero * 0

    history = []
    settings = Train.model_validate({**SETTINGS, "sampling": "balanced", "epochs": 1})
    generator = torch.Generator().manual_seed(1)
    fit(Silent(), examples(0), examples(1), settings, generator=generator, on_epoch=history.append)
    assert history[0].train_loss == pytest.approx(np.log(2))


def test_training_by_focal_loss_with_smoothing_separates_two_easy_classes():
    model, _ = trained(loss={"kind": "focal", "gamma": 2.0, "smoothing": 0.1}, sampling="balanced")
    test = examples(2)
    scores = float_scores(model.eval(), test.planes, 2**-6)[:, 0]
    assert scores[test.labels == 1].min() > scores[test.labels == 0].max()


def test_single_window_left_over_does_not_stop_the_training_of_windows_of_one_frame():
    seed_torch(3)
    model = build_model(Mlp(kind="mlp", hidden=(4,)), 3, 1)
    rng = np.random.default_rng(0)
    data = Examples(rng.integers(-99, 99, (33, 1, 3)).astype(np.int8), (np.arange(33) % 2).astype(np.int8), 1)
    history = []
    settings = Train.model_validate({**SETTINGS, "epochs": 2})
    fit(model, data, data, settings, generator=torch.Generator().manual_seed(1), on_epoch=history.append)
    assert len(history) == 2


def frames():
    """Windows of one frame; the classes differ in how far they lie from the middle."""
    labels = (np.arange(200) % 2).astype(np.int8)
    codes = np.random.default_rng(0).normal(0, 40, (200, 1, 3)) * (1 + labels[:, None, None])
    return Examples(np.clip(codes, -128, 127).astype(np.int8), labels, 1)


def started(restarts):
    settings = Train.model_validate({**SETTINGS, "restarts": restarts, "epochs": 4, "patience": 4})
    data = frames()
    losses = {}

    def on_epoch(start, epoch):
        losses.setdefault(start, []).append(epoch.val_loss)

    model, kept = fit_best(Mlp(kind="mlp", hidden=(4,)), data, data, settings, 5, on_epoch)
    return model, kept, {start: min(each) for start, each in losses.items()}


def test_of_all_starts_the_network_of_the_lowest_val_loss_is_kept():
    model, kept, losses = started(4)
    assert len(set(losses.values())) == 5
    assert losses[kept] == min(losses.values()) < losses[0]
    alone = started(0)
    assert alone[1:] == (0, {0: losses[0]})
    weights = [each.state_dict() for each in (model, started(4)[0], alone[0])]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_without_restarts_a_network_is_trained_as_by_hand():
    model, _, _ = started(0)
    settings = Train.model_validate({**SETTINGS, "epochs": 4, "patience": 4})
    data = frames()
    seed_torch(derive_seed(5, "train"))
    hand = build_model(Mlp(kind="mlp", hidden=(4,)), 3, 1)
    generator = torch.Generator().manual_seed(derive_seed(5, "train", "order"))
    loss = fit(hand, data, data, settings, generator=generator, on_epoch=lambda epoch: None)
    assert loss == started(0)[2][0]
    assert all(torch.equal(weights, hand.state_dict()[name]) for name, weights in model.state_dict().items())


def test_polish_lowers_the_loss_that_the_epochs_left():
    inputs = dequantise(examples(0).planes, INPUT_SCALE)
    targets = torch.from_numpy(examples(0).targets.astype(np.float32))
    settings = {"iterations": 50, "l2": 0.0, "noisy_copies": 1, "noise": 0.5}
    plain, finished = (trained(polish=polish)[0].eval() for polish in (None, settings))
    loss = weighted_loss(examples(0).targets)
    with torch.no_grad():
        assert float(loss(finished(inputs), targets)) < 0.5 * float(loss(plain(inputs), targets))


def test_weights_that_polish_to_no_number_stop_the_run(monkeypatch):
    def diverge(model, *_):
        with torch.no_grad():
            next(model.parameters()).fill_(torch.inf)

    monkeypatch.setattr(loop, "polish", diverge)
    with pytest.raises(TrainingError, match="the val loss is nan after polishing"):
        trained(polish={"iterations": 1, "l2": 0.0, "noisy_copies": 0, "noise": 0.0})
