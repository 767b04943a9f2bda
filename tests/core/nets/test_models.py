from pathlib import Path

import pytest
import torch
import yaml
from pydantic import ValidationError

from stages.core.nets.models import build_model
from stages.core.schema.model import DsCnn, Mlp
from stages.core.seeds import seed_torch

CONFIG = Path(__file__).parents[3] / "conf" / "model" / "ds_cnn.yaml"


def default() -> DsCnn:
    return DsCnn.model_validate(yaml.safe_load(CONFIG.read_text()))


def test_default_architecture_has_the_parameters_counted_by_hand() -> None:
    model = build_model(default(), 1, 1)
    stem = 16 * 16 + 2 * 16
    blocks = sum(5 * a + 2 * a + a * b + 2 * b for a, b in ((16, 24), (24, 32), (32, 48)))
    assert sum(p.numel() for p in model.parameters()) == stem + blocks + 48 + 1
    assert 2_000 <= stem + blocks + 49 <= 10_000


@pytest.mark.parametrize(("channels", "outputs"), [(1, 1), (3, 1), (2, 3)])
def test_network_gives_one_logit_per_window_and_output(channels: int, outputs: int) -> None:
    model = build_model(default(), channels, outputs).eval()
    assert model(torch.zeros(5, channels, 1024)).shape == (5, outputs)


def test_mlp_is_dense_layers_with_relu() -> None:
    seed_torch(3)
    model = build_model(Mlp(kind="mlp", hidden=(8, 4)), 12, 2).eval()
    x = torch.randn(5, 12, 1)
    expected = x[:, :, 0].double()
    for unit in model.hidden:
        normed = unit.norm.weight.double() / torch.sqrt(unit.norm.running_var.double() + unit.norm.eps)
        expected = torch.relu(expected @ unit.conv.weight[:, :, 0].double().T * normed + unit.norm.bias.double())
    expected = expected @ model.head.weight.double().T + model.head.bias.double()
    torch.testing.assert_close(model(x).double(), expected, rtol=1e-5, atol=1e-5)


def test_same_seed_draws_the_same_weights() -> None:
    drawn = []
    for _ in range(2):
        seed_torch(7)
        drawn.append(build_model(default(), 2, 1).state_dict())
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])


@pytest.mark.parametrize("change", [{"kernel": 0}, {"stride": 0}, {"channels": 0}, {"dilation": 2}])
def test_impossible_layer_is_refused(change: dict[str, int]) -> None:
    document = yaml.safe_load(CONFIG.read_text())
    document["stem"] |= change
    with pytest.raises(ValidationError):
        DsCnn.model_validate(document)
