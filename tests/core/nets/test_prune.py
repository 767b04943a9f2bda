"""Pruned networks against the networks they came from, with channels switched off by hand."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from stages.core.nets.examples import Examples
from stages.core.nets.inference import float_scores
from stages.core.nets.loop import fit
from stages.core.nets.models import build_model
from stages.core.nets.prune import prune, shrink, widths_of
from stages.core.schema.model import DsCnn, Layer, Mlp
from stages.core.schema.pruning import Pruning
from stages.core.schema.train import Train
from stages.core.seeds import seed_torch

CNN = DsCnn(
    kind="ds_cnn",
    stem=Layer(channels=6, kernel=4, stride=2),
    blocks=(Layer(channels=8, kernel=3, stride=2), Layer(channels=10, kernel=3, stride=1)),
)
MLP = Mlp(kind="mlp", hidden=(8, 6))
CONFIG = Path(__file__).parents[3] / "conf" / "train" / "default.yaml"
TRAIN = Train.model_validate(
    yaml.safe_load(CONFIG.read_text()) | {"epochs": 8, "patience": 8, "batch_size": 16, "lr": 0.02, "weight_decay": 0.0}
)
PRUNING = {"share": 0.5, "steps": 2, "epochs_per_step": 2, "lr_factor": 0.5, "multiple": 1}


def network(section, channels=2, outputs=3):
    """A network with weights, scales and batch statistics all over the place."""
    seed_torch(5)
    model = build_model(section, channels, outputs)
    for name, tensor in model.state_dict().items():
        if "norm" in name and tensor.ndim:
            low, high = (0.2, 2.0) if name.endswith(("weight", "running_var")) else (-1.0, 1.0)
            tensor.copy_(torch.rand(tensor.shape) * (high - low) + low)
    return model.eval()


def units(model):
    """The layers that can be pruned, each with the depthwise layer behind it, if any."""
    if hasattr(model, "hidden"):
        return [(unit, None) for unit in model.hidden]
    pruned = [model.stem, *(block.pointwise for block in model.block)]
    return list(itertools.zip_longest(pruned, [block.depthwise for block in model.block]))


def switch_off_smallest(model, widths):
    """Make the channels that should go zero at the output of their layer, and of the depthwise one behind it."""
    for (unit, behind), width in zip(units(model), widths, strict=True):
        weight, norm = unit.conv.weight.detach().numpy(), unit.norm
        scale = norm.weight.detach().numpy() / np.sqrt(norm.running_var.numpy() + norm.eps)
        sizes = [sum(abs(w * s) for w in channel.ravel()) for channel, s in zip(weight, scale, strict=True)]
        for off in sorted(range(len(sizes)), key=sizes.__getitem__)[: len(sizes) - width]:
            for each in (unit, behind) if behind else (unit,):
                each.norm.weight.data[off] = each.norm.bias.data[off] = 0.0


def examples(seed, n_windows=160):
    """Windows whose two anomalous classes differ in level and in frequency."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n_windows) % 3).astype(np.int8)
    tone = 60 * np.sin(np.arange(64) * np.where(labels == 2, 2.0, 0.3)[:, None])[:, :, None]
    codes = rng.normal(0, 15, (n_windows, 64, 2)) + tone * (labels > 0)[:, None, None]
    return Examples(np.clip(codes, -128, 127).astype(np.int8), labels, 2)


@pytest.fixture(scope="module")
def trained():
    train, val = examples(0), examples(1)
    seed_torch(3)
    model = build_model(CNN, 2, 2)
    fit(model, train, val, TRAIN, generator=torch.Generator().manual_seed(1), on_epoch=lambda _: None)
    return model.eval(), train, val


@pytest.mark.parametrize(
    ("section", "widths"), [(CNN, (3, 5, 4)), (CNN, (6, 1, 10)), (CNN, (1, 1, 1)), (MLP, (5, 2)), (MLP, (1, 6))]
)
def test_shrunk_network_computes_what_the_old_one_does_with_its_smallest_channels_off(section, widths):
    model = network(section)
    smaller, shape = shrink(model, section, widths)
    switch_off_smallest(model, widths)
    x = torch.randn(4, 2, 40)
    torch.testing.assert_close(smaller.eval()(x), model(x), rtol=1e-5, atol=1e-6)
    assert widths_of(shape) == widths


def test_shrinking_changes_neither_the_given_network_nor_its_other_settings():
    model = network(CNN)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    _, shape = shrink(model, CNN, (3, 4, 5))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert shape == DsCnn(
        kind="ds_cnn",
        stem=Layer(channels=3, kernel=4, stride=2),
        blocks=(Layer(channels=4, kernel=3, stride=2), Layer(channels=5, kernel=3, stride=1)),
    )


def test_network_shrunk_to_its_own_widths_keeps_every_weight():
    model = network(CNN)
    same, shape = shrink(model, CNN, (6, 8, 10))
    assert shape == CNN
    assert all(torch.equal(tensor, same.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_pruning_reaches_the_share_in_equal_steps_and_still_tells_the_classes(trained):
    model, train, val = trained
    steps = []
    smaller, shape = prune(model, CNN, train, val, TRAIN, Pruning.model_validate(PRUNING), 1, steps.append)
    assert [(step.step, step.widths) for step in steps] == [(1, (5, 6, 8)), (2, (3, 4, 5))]
    assert widths_of(shape) == (3, 4, 5)
    test = examples(2)
    called = (float_scores(smaller, test.planes, 2**-6) > 0).sum(axis=1)
    assert np.mean(called == test.labels) > 0.95


def test_pruned_network_is_that_of_its_architecture_and_repeats_itself(trained):
    model, train, val = trained
    (first, shape), (second, _) = (
        prune(model, CNN, train, val, TRAIN, Pruning.model_validate(PRUNING), 1) for _ in range(2)
    )
    rebuilt = build_model(shape, 2, 2)
    rebuilt.load_state_dict(first.state_dict())
    x = torch.randn(3, 2, 64)
    assert torch.equal(rebuilt.eval()(x), first(x))
    assert torch.equal(second(x), first(x))


@pytest.mark.parametrize(("multiple", "widths"), [(1, (5, 6, 8)), (4, (6, 8, 8)), (8, (6, 8, 8))])
def test_widths_are_rounded_up_to_a_multiple_but_never_grow(trained, multiple, widths):
    model, train, val = trained
    pruning = Pruning.model_validate({**PRUNING, "share": 0.25, "steps": 1, "epochs_per_step": 1, "multiple": multiple})
    _, shape = prune(model, CNN, train, val, TRAIN, pruning, 1)
    assert widths_of(shape) == widths


def test_share_too_small_for_a_channel_leaves_the_network_as_it_is(trained):
    model, train, val = trained
    pruning = Pruning.model_validate({**PRUNING, "share": 0.05})
    steps = []
    same, shape = prune(model, CNN, train, val, TRAIN, pruning, 1, steps.append)
    assert (shape, steps) == (CNN, [])
    assert all(torch.equal(tensor, same.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_seven_tenths_of_ten_channels_are_seven():
    section = Mlp(kind="mlp", hidden=(10,))
    data = examples(0, 32)
    pruning = Pruning.model_validate({**PRUNING, "share": 0.7, "steps": 1, "epochs_per_step": 1})
    _, shape = prune(build_model(section, 2, 2), section, data, data, TRAIN, pruning, 1)
    assert widths_of(shape) == (3,)
