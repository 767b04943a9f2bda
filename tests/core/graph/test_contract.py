import onnx
import pytest
import torch
from torch import nn

from stages.core.errors import OperatorError
from stages.core.graph.contract import check_module, check_onnx
from tests.core.graph.networks import Padded, ds_cnn, proto


class Wrapped(nn.Module):
    """One layer under test, and a head that makes one score of it."""

    def __init__(self, layer: nn.Module, channels: int = 4) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x).mean(dim=2))


def test_untrained_architecture_within_the_contract_passes() -> None:
    check_module(ds_cnn(3).train(), 3, 256)


def test_padded_and_grouped_convolutions_pass() -> None:
    check_module(Padded(), 2, 64)


@pytest.mark.parametrize(
    ("layer", "complaint"),
    [
        (nn.Conv1d(2, 4, 3, dilation=2), "dilations"),
        (nn.Conv1d(2, 4, 1, padding=1), "pads"),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.MaxPool1d(2)), "no kernel for MaxPool"),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.Sigmoid()), "no kernel for Sigmoid"),
        (nn.Sequential(nn.ReLU(), nn.Conv1d(2, 4, 3)), "Relu follows"),
    ],
)
def test_operator_outside_the_contract_is_refused_by_name(layer: nn.Module, complaint: str) -> None:
    with pytest.raises(OperatorError, match=complaint) as caught:
        check_module(Wrapped(layer), 2, 64)
    assert caught.value.where.startswith("node ")
    assert caught.value.remedy


def test_window_shorter_than_the_network_is_refused() -> None:
    with pytest.raises(OperatorError, match="does not run on a window of 3 channels and 16 samples"):
        check_module(ds_cnn(3), 3, 16)


def test_float_input_is_refused() -> None:
    model = proto("float")
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    with pytest.raises(OperatorError, match="type FLOAT"):
        check_onnx(model)


def test_free_batch_dimension_is_refused() -> None:
    model = proto("float")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    with pytest.raises(OperatorError, match="fixed shape"):
        check_onnx(model)
