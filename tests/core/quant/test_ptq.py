import numpy as np
import pytest
from onnx import load_from_string, numpy_helper

from stages.core.errors import ConfigError
from stages.core.graph.export import export_onnx
from stages.core.nets.inference import dequantise, float_scores
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, ds_cnn, windows


def constants(per_channel: bool) -> dict[str, np.ndarray]:
    quantised = ptq(ds_cnn(2), windows(40, 2, 128), QuantOptions(SCALE, "minmax", per_channel))
    graph = load_from_string(export_onnx(quantised, 2, 128, SCALE)).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def folded_stem() -> tuple[np.ndarray, np.ndarray]:
    """Fold batch norm by its definition, in float64."""
    state = {name: tensor.numpy().astype(np.float64) for name, tensor in ds_cnn(2).state_dict().items()}
    gain = state["stem.norm.weight"] / np.sqrt(state["stem.norm.running_var"] + 1e-5)
    bias = state["stem.norm.bias"] - state["stem.norm.running_mean"] * gain
    return state["stem.conv.weight"] * gain[:, None, None], bias


def test_weights_are_symmetric_per_channel_codes_of_the_folded_weights() -> None:
    found, (weight, bias) = constants(per_channel=True), folded_stem()
    scale = np.abs(weight).max(axis=(1, 2)) / 127
    np.testing.assert_allclose(found["stem_weight_scale"], scale, rtol=1e-6)
    assert np.abs(found["stem_weight"] - weight / scale[:, None, None]).max() <= 0.5001
    assert np.abs(found["stem_weight"]).max(axis=(1, 2)).tolist() == [127] * 8
    assert np.abs(found["stem_bias"] - bias / (scale * SCALE)).max() <= 0.51


def test_per_tensor_weights_share_one_scale() -> None:
    found, (weight, _) = constants(per_channel=False), folded_stem()
    assert found["stem_weight_scale"].shape == ()
    np.testing.assert_allclose(found["stem_weight_scale"], np.abs(weight).max() / 127, rtol=1e-6)


def test_activations_after_relu_start_at_code_minus_128() -> None:
    found = constants(per_channel=True)
    assert found["codes_scale"] == np.float32(SCALE)
    assert found["codes_zero_point"] == 0
    assert found["stem_zero_point"] == -128


@pytest.mark.parametrize("observer", ["minmax", "histogram", "moving_average"])
def test_quantised_scores_stay_near_the_float_scores(observer: str) -> None:
    model, codes = ds_cnn(2), windows(60, 2, 128)
    expected = float_scores(model, codes, SCALE)[:, 0]
    found = float_scores(ptq(model, codes, QuantOptions(SCALE, observer)), codes, SCALE)[:, 0]
    assert np.corrcoef(expected, found)[0, 1] > 0.98


def test_dequantised_codes_are_codes_times_scale() -> None:
    codes = np.array([[-128, 0, 127]], dtype=np.int8)
    assert dequantise(codes, 0.25).tolist() == [[-32.0, 0.0, 31.75]]


def test_empty_calibration_is_refused() -> None:
    with pytest.raises(ConfigError, match="calibration set is empty"):
        ptq(ds_cnn(2), windows(4, 2, 128)[:0], QuantOptions(SCALE))
