from functools import cache
from typing import Literal

import numpy as np
import pytest
from onnx import load_from_string, numpy_helper

from stages.core.errors import ConfigError
from stages.core.graph.export import export_onnx
from stages.core.graph.runtime import run
from stages.core.nets.inference import dequantise, float_scores
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, ds_cnn, windows


@cache
def constants(per_channel: bool = True, activation: Literal["int8", "int16"] = "int8") -> dict[str, np.ndarray]:
    options = QuantOptions(SCALE, "minmax", per_channel, activation)
    quantised = ptq(ds_cnn(2, outputs=3), windows(40, 2, 128), options)
    graph = load_from_string(export_onnx(quantised, 2, 128, SCALE)).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def folded_stem() -> tuple[np.ndarray, np.ndarray]:
    """Fold batch norm by its definition, in float64."""
    state = {name: tensor.numpy().astype(np.float64) for name, tensor in ds_cnn(2, outputs=3).state_dict().items()}
    gain = state["stem.norm.weight"] / np.sqrt(state["stem.norm.running_var"] + 1e-5)
    bias = state["stem.norm.bias"] - state["stem.norm.running_mean"] * gain
    return state["stem.conv.weight"] * gain[:, None, None], bias


def test_weights_are_symmetric_per_channel_codes_of_the_folded_weights() -> None:
    found, (weight, bias) = constants(), folded_stem()
    scale = np.abs(weight).max(axis=(1, 2)) / 127
    np.testing.assert_allclose(found["stem_weight_scale"], scale, rtol=1e-6)
    assert np.abs(found["stem_weight"] - weight / scale[:, None, None]).max() <= 0.5001
    assert np.abs(found["stem_weight"]).max(axis=(1, 2)).tolist() == [127] * 8
    assert np.abs(found["stem_bias"] - bias / (scale * SCALE)).max() <= 0.51


def test_per_tensor_weights_share_one_scale() -> None:
    found, (weight, _) = constants(per_channel=False), folded_stem()
    assert found["stem_weight_scale"].shape == ()
    np.testing.assert_allclose(found["stem_weight_scale"], np.abs(weight).max() / 127, rtol=1e-6)


def test_weights_of_a_dense_layer_have_one_scale_per_output_too() -> None:
    found, weight = constants(), ds_cnn(2, outputs=3).state_dict()["head.weight"].numpy()
    assert found["head_weight"].shape == (3, 10)
    np.testing.assert_allclose(found["head_weight_scale"], np.abs(weight).max(axis=1) / 127, rtol=1e-6)
    assert np.abs(found["head_weight"]).max(axis=1).tolist() == [127] * 3
    assert len(set(found["head_weight_scale"].tolist())) == 3


def test_int16_activations_span_the_largest_magnitude_seen() -> None:
    found = constants(activation="int16")
    peaks: list[float] = []
    model = ds_cnn(2, outputs=3)
    model.get_submodule("stem").register_forward_hook(lambda *call: peaks.append(float(call[2].abs().max())))
    float_scores(model, windows(40, 2, 128), SCALE)
    np.testing.assert_allclose(found["stem_scale"], max(peaks) / 32767.5, rtol=1e-5)
    assert (found["stem_zero_point"], found["stem_zero_point"].dtype) == (0, np.int16)
    assert found["stem_weight"].dtype == np.int8
    scale = found["codes_scale"] / np.float32(256) * found["stem_weight_scale"]
    np.testing.assert_array_equal(found["stem_bias_scale"], scale)


def test_activations_after_relu_start_at_code_minus_128() -> None:
    found = constants()
    assert found["codes_scale"] == np.float32(SCALE)
    assert found["codes_zero_point"] == 0
    assert found["stem_zero_point"] == -128


@pytest.mark.parametrize("observer", ["minmax", "histogram", "moving_average"])
def test_quantised_scores_stay_near_the_float_scores(observer: str) -> None:
    model, codes = ds_cnn(2), windows(60, 2, 128)
    expected = float_scores(model, codes, SCALE)[:, 0]
    found = float_scores(ptq(model, codes, QuantOptions(SCALE, observer)), codes, SCALE)[:, 0]
    assert np.corrcoef(expected, found)[0, 1] > 0.98


def test_network_scores_as_its_integers_do() -> None:
    model, codes = ds_cnn(2, outputs=2), windows(200, 2, 128)
    converted = ptq(model, windows(40, 2, 128), QuantOptions(SCALE))
    exported = run(export_onnx(converted, 2, 128, SCALE), codes, ["score", "score_code"])
    assert len(np.unique(exported["score_code"])) > 20
    step = np.abs(float_scores(converted, codes, SCALE) - exported["score"]).max(axis=1)
    assert np.mean(step > 1e-6) < 0.02  # float sums round otherwise now and then; with float biases it is one in six


@pytest.mark.parametrize("per_channel", [True, False])
def test_biases_are_whole_units_of_their_accumulators(per_channel: bool) -> None:
    converted = ptq(ds_cnn(2), windows(40, 2, 128), QuantOptions(SCALE, per_channel=per_channel))
    graph = load_from_string(export_onnx(converted, 2, 128, SCALE)).graph
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    state = converted.state_dict()
    for name, layer in {"stem.conv.weight_bias": "stem", "head.bias": "head"}.items():
        units = state[name].numpy().astype(np.float64) / found[f"{layer}_bias_scale"].astype(np.float64)
        np.testing.assert_allclose(units, found[f"{layer}_bias"], rtol=1e-6)
        assert np.abs(units).min() > 1


@pytest.mark.parametrize("activation", ["int8", "int16"])
def test_channel_that_is_switched_off_keeps_its_bias(activation: Literal["int8", "int16"]) -> None:
    model = ds_cnn(2)
    stem = model.get_submodule("stem")
    stem.conv.weight.data[3] = 0.0  # type: ignore[union-attr, index]
    options = QuantOptions(SCALE, activation=activation)
    graph = load_from_string(export_onnx(ptq(model, windows(40, 2, 128), options), 2, 128, SCALE)).graph
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    norm = {name: tensor.numpy()[3] for name, tensor in stem.norm.state_dict().items() if tensor.ndim}  # type: ignore[union-attr]
    bias = norm["bias"] - norm["running_mean"] * norm["weight"] / np.sqrt(norm["running_var"] + 1e-5)
    assert found["stem_weight"][3].tolist() == [[0] * 7] * 2
    np.testing.assert_allclose(found["stem_bias"][3] * found["stem_bias_scale"][3], bias, rtol=1e-5)


def test_dequantised_codes_are_codes_times_scale() -> None:
    codes = np.array([[-128, 0, 127]], dtype=np.int8)
    assert dequantise(codes, 0.25).tolist() == [[-32.0, 0.0, 31.75]]


def test_empty_calibration_is_refused() -> None:
    with pytest.raises(ConfigError, match="calibration set is empty"):
        ptq(ds_cnn(2), windows(4, 2, 128)[:0], QuantOptions(SCALE))
