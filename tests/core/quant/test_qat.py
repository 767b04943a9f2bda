import numpy as np
import pytest
import torch
from torch import nn

from stages.core.errors import ConfigError
from stages.core.nets.inference import float_scores
from stages.core.quant.qat import QatOptions, QatResult, qat
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, ds_cnn

QUANT = QuantOptions(SCALE, "minmax")
TRAINING = QatOptions(epochs=8, frozen_epochs=2, batch=16, learning_rate=1e-2, seed=5)


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Loud windows are anomalous, quiet ones are not."""
    rng = np.random.Generator(np.random.PCG64(1))
    targets = (np.arange(160) % 2).astype(np.float32)
    codes = rng.normal(0, 1, (160, 2, 128)) * np.where(targets, 40, 12)[:, None, None]
    return np.clip(np.rint(codes), -128, 127).astype(np.int8), targets[:, None]


def train(losses: list[float]) -> QatResult:
    codes, targets = examples()
    return qat(
        ds_cnn(2), codes, targets, QUANT, TRAINING, nn.BCEWithLogitsLoss(), lambda epoch, loss: losses.append(loss)
    )


@pytest.fixture(scope="module")
def trained() -> tuple[QatResult, list[float]]:
    losses: list[float] = []
    return train(losses), losses


def test_training_lowers_the_loss_once_per_epoch(trained: tuple[QatResult, list[float]]) -> None:
    losses = trained[1]
    assert len(losses) == 8
    assert losses[-1] < 0.7 * losses[0]


def test_fake_quantised_network_scores_as_the_converted_one(trained: tuple[QatResult, list[float]]) -> None:
    codes, _ = examples()
    fake, converted = (float_scores(m, codes, SCALE) for m in (trained[0].fake_quantised, trained[0].converted))
    np.testing.assert_allclose(fake, converted, rtol=0, atol=1e-4)
    assert len(np.unique(converted)) > 20


def test_training_repeats_bit_for_bit(trained: tuple[QatResult, list[float]]) -> None:
    losses: list[float] = []
    again = train(losses)
    assert losses == trained[1]
    first, second = trained[0].converted.state_dict(), again.converted.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_moves_biases_and_leaves_the_float_network_alone() -> None:
    model = ds_cnn(2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    codes, targets = examples()
    result = qat(model, codes, targets, QUANT, TRAINING, nn.BCEWithLogitsLoss())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    folded = before["stem.norm.bias"] - before["stem.norm.running_mean"] * before["stem.norm.weight"] / torch.sqrt(
        before["stem.norm.running_var"] + 1e-5
    )
    assert (result.fake_quantised.state_dict()["stem.conv.weight_bias"] - folded).abs().max() > 1e-3


def test_more_frozen_epochs_than_epochs_are_refused() -> None:
    codes, targets = examples()
    options = QatOptions(epochs=1, frozen_epochs=2, batch=32, learning_rate=1e-3, seed=1)
    with pytest.raises(ConfigError, match="2 of 1 epochs"):
        qat(ds_cnn(2), codes, targets, QUANT, options, nn.BCEWithLogitsLoss())


def test_less_than_one_batch_is_refused() -> None:
    codes, targets = examples()
    with pytest.raises(ConfigError, match="9 training windows"):
        qat(ds_cnn(2), codes[:9], targets[:9], QUANT, TRAINING, nn.BCEWithLogitsLoss())
