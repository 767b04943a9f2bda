import pytest
import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

from stages.core.errors import ConfigError, OperatorError
from stages.core.quant.ptq import capture
from stages.core.quant.quantizer import DeviceQuantizer, QuantOptions


@pytest.mark.parametrize(("observer", "training"), [("entropy", False), ("entropy", True), ("histogram", True)])
def test_observer_that_is_not_available_is_refused(observer: str, training: bool) -> None:
    with pytest.raises(ConfigError, match=observer):
        DeviceQuantizer(QuantOptions(1.0, observer), training=training)


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
