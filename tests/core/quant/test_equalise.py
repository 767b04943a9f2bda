"""Equalising leaves the float function alone and gives channels of unlike ranges like codes."""

import numpy as np
import torch
from torch import nn

from stages.core.nets.inference import dequantise, float_scores
from stages.core.quant.equalise import equalise
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, Padded, ds_cnn, mlp, windows

CODES = windows(48, 2, 128, seed=4)


def unlike(model: nn.Module) -> nn.Module:
    """Make half of the stem's channels a twentieth as wide, and what reads them twenty times as sensitive."""
    small = slice(None, None, 2)
    with torch.no_grad():
        model.stem.norm.weight[small] /= 20
        model.stem.norm.bias[small] /= 20
        model.block[0].depthwise.conv.weight[small] *= 20
    return model


def distance(model: nn.Module, reference: nn.Module) -> float:
    return float(np.abs(float_scores(model, CODES, SCALE) - float_scores(reference, CODES, SCALE)).max())


def test_scores_stay_as_they_are() -> None:
    networks = (ds_cnn(2, outputs=2), mlp(2, 1), unlike(ds_cnn(2)), Padded().eval())
    for model in networks:
        scores = float_scores(model, CODES, SCALE)
        assert distance(equalise(model, CODES, SCALE), model) <= 1e-5 * max(float(np.ptp(scores)), 1.0)


def test_the_network_given_is_not_changed() -> None:
    model = unlike(ds_cnn(2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    equalise(model, CODES, SCALE)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_channels_read_one_by_one_get_equal_ranges() -> None:
    equalised = equalise(unlike(ds_cnn(2)), CODES, SCALE)
    with torch.no_grad():
        activations = equalised.stem(dequantise(CODES, SCALE))
    widest = activations.amax(dim=(0, 2)).numpy()
    np.testing.assert_allclose(widest, widest.max(), rtol=1e-4)


def test_channels_read_together_are_divided_by_the_root_of_range_over_use() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv1d(2, 1, 1, bias=False))
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([1.0, 4.0]).reshape(2, 1, 1)
        model[2].weight[:] = torch.tensor([2.0, 1.0]).reshape(1, 2, 1)
    equalised = equalise(model, np.full((1, 1, 8), 64, dtype=np.int8), 1.0)
    # Ranges 64 and 256, use 1 and 1/2: factors in the proportion sqrt(64) : sqrt(512).
    ratio = equalised[0].weight[1] / equalised[0].weight[0]
    np.testing.assert_allclose(float(ratio), 4 * np.sqrt(64 / 512), rtol=1e-6)


def test_quantised_scores_of_unlike_channels_come_closer() -> None:
    model = unlike(ds_cnn(2))
    plain, equalised = (
        distance(ptq(each, CODES, QuantOptions(SCALE)), model) for each in (model, equalise(model, CODES, SCALE))
    )
    assert equalised < 0.5 * plain


def test_a_channel_that_calibration_never_woke_is_stretched_within_bounds() -> None:
    model = ds_cnn(2)
    with torch.no_grad():
        model.stem.norm.weight[3] = 0
        model.stem.norm.bias[3] = -1
    equalised = equalise(model, CODES, SCALE)
    assert distance(equalised, model) <= 1e-4
    assert -64.01 <= float(equalised.stem.norm.bias[3]) <= -1
