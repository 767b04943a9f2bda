import numpy as np
import onnx
import pytest
import torch
from torch import nn

from stages.core.errors import OperatorError
from stages.core.graph.contract import check_onnx
from stages.core.graph.export import check_module, export_onnx
from stages.core.graph.lower import lower
from stages.core.graph.reference import execute, logits
from stages.core.seeds import seed_torch
from tests.core.graph.networks import SCALE, Padded, ds_cnn, proto, windows


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
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.MaxPool1d(2, dilation=2)), "MaxPool has dilations"),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.Sigmoid()), "Sigmoid is computed in another type than int8"),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.Tanh()), "no kernel for Tanh"),
        (nn.Sequential(nn.ReLU(), nn.Conv1d(2, 4, 3)), "Relu follows"),
    ],
)
def test_operator_outside_the_contract_is_refused_by_name(layer: nn.Module, complaint: str) -> None:
    with pytest.raises(OperatorError, match=complaint) as caught:
        check_module(Wrapped(layer), 2, 64)
    assert caught.value.where.startswith("node ")
    assert caught.value.remedy


class Residual(nn.Module):
    """Sums, pools, a concatenation and padding."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(2, 6, 5, padding=2)
        self.branch = nn.Conv1d(6, 6, 3, padding=1)
        self.large, self.smooth = nn.MaxPool1d(3, 2, padding=1), nn.AvgPool1d(3, 2, padding=1)
        self.last = nn.Conv1d(12, 8, 3, stride=2)
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu6(self.stem(x))
        x = torch.relu(x + self.branch(x))
        x = torch.cat([self.large(x), self.smooth(x)], dim=1)
        x = nn.functional.pad(x, (2, 1))
        return self.head(torch.relu(self.last(x)).mean(dim=2))


class Image(nn.Module):
    """Rows of codes as an image: convolutions over height and length, pools, and a mean over both."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.depthwise, self.pointwise = nn.Conv2d(6, 6, (3, 2), groups=6), nn.Conv2d(6, 8, 1)
        self.large, self.smooth = nn.MaxPool2d(2, stride=1, padding=1), nn.AvgPool2d((2, 1))
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x.transpose(1, 2).unsqueeze(1)))
        x = self.large(torch.relu(self.pointwise(self.depthwise(x))))
        x = torch.cat([x, nn.functional.pad(x, (0, 0, 1, 2))], dim=2)
        return self.head(self.smooth(x).mean(dim=(2, 3)))


@pytest.mark.parametrize(("made", "channels"), [(Residual, 2), (Image, 8)])
def test_a_float_network_is_lowered_to_what_torch_computes(made: type[nn.Module], channels: int) -> None:
    seed_torch(5)
    network = made().eval()
    check_module(network, channels, 64)
    graph = lower(onnx.load_from_string(export_onnx(network, channels, 64, SCALE)))
    codes = windows(8, channels, 64)
    with torch.no_grad():
        expected = network(torch.from_numpy(codes.astype(np.float32) * SCALE)).numpy()
    found = logits(graph, execute(graph, codes.transpose(0, 2, 1)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


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
