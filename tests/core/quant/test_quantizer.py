import pytest
import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

from stages.core.errors import ConfigError, OperatorError
from stages.core.quant.ptq import capture
from stages.core.quant.quantizer import DeviceQuantizer, QuantOptions


@pytest.mark.parametrize("training", [False, True])
def test_unknown_observer_is_refused(training: bool) -> None:
    with pytest.raises(ConfigError, match="no activation observer 'widest'"):
        DeviceQuantizer(QuantOptions(1.0, "widest"), training=training)


def test_input_scale_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="input scale is 0"):
        DeviceQuantizer(QuantOptions(0.0), training=False)


def test_operator_that_would_stay_in_float_is_refused() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Sigmoid())
    with pytest.raises(OperatorError, match="sigmoid"):
        prepare_pt2e(capture(model, 1, 16), DeviceQuantizer(QuantOptions(1.0), training=False))


def test_convolution_is_observed_after_its_relu_only() -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.ReLU())
    prepared = prepare_pt2e(capture(model, 1, 16), DeviceQuantizer(QuantOptions(1.0), training=False))
    observed = [
        node.args[0].target
        for node in prepared.graph.nodes
        if node.op == "call_module" and node.target.startswith("activation_post_process")
    ]
    assert torch.ops.aten.relu.default in observed
    assert torch.ops.aten.conv1d.default not in observed
    assert len(observed) == 3  # input, weight, activation


def observed_types(model: nn.Module, options: QuantOptions, length: int = 16) -> list[tuple[object, torch.dtype]]:
    """What is observed, in the order of the graph, and as which type."""
    prepared = prepare_pt2e(capture(model, 1, length), DeviceQuantizer(options, training=False))
    return [
        (node.args[0].target, prepared.get_submodule(node.target).dtype)
        for node in prepared.graph.nodes
        if node.op == "call_module" and node.target.startswith("activation_post_process")
    ]


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.relu(self.conv(x)).mean(dim=2))


def test_int16_activations_leave_codes_and_weights_int8() -> None:
    found = observed_types(Pooled(), QuantOptions(1.0, activation="int16"))
    aten = torch.ops.aten
    activations = {aten.relu.default, aten.mean.dim, aten.linear.default}
    assert {target for target, dtype in found if dtype == torch.int16} == activations
    assert [dtype for target, dtype in found if target not in activations] == [torch.int8] * 3  # codes, two weights


def test_int32_score_leaves_the_last_layer_without_a_scale_of_its_own() -> None:
    whole = observed_types(Pooled(), QuantOptions(1.0, score="int32"))
    quantised = observed_types(Pooled(), QuantOptions(1.0))
    assert quantised[:-1] == whole
    assert quantised[-1] == (torch.ops.aten.linear.default, torch.int8)


def test_int32_score_needs_a_linear_last_layer() -> None:
    with pytest.raises(OperatorError, match=r"ends in aten\.relu"):
        observed_types(nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU()), QuantOptions(1.0, score="int32"))
