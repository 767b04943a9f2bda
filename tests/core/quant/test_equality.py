"""Every step is compared with the one before it, and a step that changes the scores is refused."""

from functools import lru_cache

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from stages.core.errors import ParityBroken
from stages.core.graph.export import export_onnx
from stages.core.graph.lower import lower
from stages.core.nets.inference import float_scores
from stages.core.quant.equalise import equalise
from stages.core.quant.equality import check_float, check_quantised, fold, score_step
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, ds_cnn, mlp, windows

CODES = windows(64, 2, 128, seed=6)


@pytest.fixture(scope="module")
def exported() -> bytes:
    return export_onnx(ds_cnn(2), 2, 128, SCALE)


@lru_cache
def quantised(**options: str) -> tuple[torch.fx.GraphModule, bytes]:
    converted = ptq(mlp(2, 2), CODES, QuantOptions(SCALE, **options))  # type: ignore[arg-type]
    return converted, export_onnx(converted, 2, 128, SCALE)


def with_constant(model: bytes, name: str, change: object) -> bytes:
    """Return the model with one constant changed."""
    loaded = onnx.load_from_string(model)
    for tensor in loaded.graph.initializer:
        if tensor.name == name:
            array = change(numpy_helper.to_array(tensor))  # type: ignore[operator]
            tensor.CopyFrom(numpy_helper.from_array(array, name))
    return bytes(loaded.SerializeToString())


def test_folding_and_exporting_leave_float_scores(exported: bytes) -> None:
    rows = check_float(ds_cnn(2), exported, CODES, SCALE)
    assert [(row.step, row.against) for row in rows] == [("folded", "trained"), ("exported", "folded")]
    assert all(row.holds and row.max_difference <= 1e-5 and row.beyond == 0 for row in rows)


def test_equalising_is_a_step_of_its_own() -> None:
    equalised = equalise(mlp(2, 2), CODES, SCALE)
    rows = check_float(mlp(2, 2), export_onnx(equalised, 2, 128, SCALE), CODES, SCALE, equalised=equalised)
    assert [row.step for row in rows] == ["equalised", "folded", "exported"]


def test_biases_lost_in_folding_are_refused_at_the_first_layer_that_lost_one(exported: bytes) -> None:
    folded = fold(ds_cnn(2), 2, 128)
    with torch.no_grad():
        for name, parameter in folded.state_dict().items():
            if name.endswith("weight_bias") and not name.startswith("stem"):
                parameter.zero_()
    with pytest.raises(ParityBroken, match=r"folded network.*trained network's.*part at layer block\.0\.depthwise"):
        check_float(ds_cnn(2), exported, CODES, SCALE, folded=folded)


def test_a_bias_lost_in_export_is_refused(exported: bytes) -> None:
    broken = with_constant(exported, "stem_bias", np.zeros_like)
    with pytest.raises(ParityBroken, match=r"exported network.*from the folded"):
        check_float(ds_cnn(2), broken, CODES, SCALE)


def test_an_equalised_network_that_scores_otherwise_is_refused(exported: bytes) -> None:
    with pytest.raises(ParityBroken, match="equalised network"):
        check_float(ds_cnn(2), exported, CODES, SCALE, equalised=ds_cnn(2, seed=9))


def test_scores_so_far_from_zero_that_float32_is_coarse_are_held_to_its_rounding() -> None:
    model = ds_cnn(2)
    with torch.no_grad():
        model.head.bias += 1e4
    rows = check_float(model, export_onnx(model, CODES.shape[1], CODES.shape[2], SCALE), CODES, SCALE)
    assert all(row.holds and row.limit > 1e-4 for row in rows)
    with torch.no_grad():
        model.head.bias += 1
    with pytest.raises(ParityBroken, match="exported network"):
        check_float(model, export_onnx(ds_cnn(2), CODES.shape[1], CODES.shape[2], SCALE), CODES, SCALE)


@pytest.mark.parametrize("options", [{}, {"score": "int32"}, {"activation": "int16"}], ids=str)
def test_exported_integers_score_as_the_converted_network(options: dict[str, str]) -> None:
    (row,) = check_quantised(*quantised(**options), CODES, SCALE)
    assert (row.step, row.against, row.unit, row.limit, row.allowed) == ("exported", "converted", "LSB", 1.0, 0.001)
    assert row.holds


def test_quantised_bias_lost_in_export_is_refused() -> None:
    converted, exported = quantised()
    broken = with_constant(exported, "head_bias", lambda bias: bias + 4000)
    with pytest.raises(ParityBroken, match="1 LSB"):
        check_quantised(converted, broken, CODES, SCALE)


def test_a_single_score_in_a_thousand_may_differ_and_two_may_not() -> None:
    converted, exported = quantised()
    scores = float_scores(converted, CODES, SCALE)
    steps = score_step(lower(onnx.load_from_string(exported)), scores)
    many = np.repeat(CODES[:1], 500, axis=0)  # 1000 scores of one window

    class Off(torch.nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.left = n

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores = converted(x).clone()
            off = min(self.left, len(scores))
            self.left -= off
            scores[:off, 0] += 3 * float(steps[0])
            return scores

    assert check_quantised(Off(1), exported, many, SCALE)[0].max_difference == pytest.approx(3, rel=1e-3)  # type: ignore[arg-type]
    with pytest.raises(ParityBroken, match=r"0\.2 % of the scores"):
        check_quantised(Off(2), exported, many, SCALE)  # type: ignore[arg-type]


def test_step_of_int8_codes_is_their_scale_and_of_a_wider_score_that_of_256_codes() -> None:
    model, exported = quantised()
    scores = float_scores(model, CODES, SCALE)
    step = score_step(lower(onnx.load_from_string(exported)), scores)
    np.testing.assert_allclose([np.diff(np.unique(scores)).min()] * 2, step, rtol=1e-3)
    for wider in ({"score": "int32"}, {"activation": "int16"}):
        graph = lower(onnx.load_from_string(quantised(**wider)[1]))
        found = score_step(graph, np.array([[0.0, 7], [51, 7]], dtype=np.float32))
        np.testing.assert_allclose(found, [0.2, 1], rtol=1e-6)
