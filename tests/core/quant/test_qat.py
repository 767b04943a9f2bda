import numpy as np
import pytest
import torch
from torch import nn

import stages.core.quant.qat as under_test
from stages.core.errors import ConfigError, ParityBroken
from stages.core.nets.inference import float_scores
from stages.core.quant.ptq import ptq
from stages.core.quant.qat import QatOptions, QatResult, qat
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, ds_cnn, mlp

QUANT = QuantOptions(SCALE, "minmax")
TRAINING = QatOptions(epochs=3, frozen_epochs=1, batch=16, learning_rate=1e-2, seed=5)


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Loud windows are anomalous, quiet ones are not."""
    rng = np.random.Generator(np.random.PCG64(1))
    targets = (np.arange(160) % 2).astype(np.float32)
    codes = rng.normal(0, 1, (160, 2, 128)) * np.where(targets, 40, 12)[:, None, None]
    return np.clip(np.rint(codes), -128, 127).astype(np.int8), targets[:, None]


def train(losses: list[float], training: QatOptions = TRAINING, model: nn.Module | None = None) -> QatResult:
    codes, targets = examples()
    network = ds_cnn(2) if model is None else model
    loss = nn.BCEWithLogitsLoss()
    return qat(network, codes, targets, QUANT, training, loss, lambda epoch, value: losses.append(value))


@pytest.fixture(scope="module")
def trained() -> tuple[QatResult, list[float]]:
    losses: list[float] = []
    return train(losses), losses


def test_training_lowers_the_loss_once_per_epoch(trained: tuple[QatResult, list[float]]) -> None:
    losses = trained[1]
    assert len(losses) == 3
    assert losses[0] > losses[1] > losses[2]


def test_fake_quantised_network_scores_as_the_converted_one(trained: tuple[QatResult, list[float]]) -> None:
    codes, _ = examples()
    fake, converted = (float_scores(m, codes, SCALE) for m in (trained[0].fake_quantised, trained[0].converted))
    np.testing.assert_allclose(fake, converted, rtol=0, atol=1e-4)
    assert len(np.unique(converted)) > 20


def test_every_epoch_compares_the_forms_of_the_network(trained: tuple[QatResult, list[float]]) -> None:
    equalities = trained[0].equalities
    assert [[(row.step, row.against) for row in epoch] for epoch in equalities] == [
        [("converted", "fake-quantised"), ("exported", "converted")]
    ] * 3
    assert all(row.holds and row.unit == "LSB" and row.max_difference <= 1.001 for epoch in equalities for row in epoch)


def test_a_conversion_that_moves_the_scores_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    faithful = under_test.convert_pt2e

    def loses_the_bias(prepared: torch.fx.GraphModule) -> torch.fx.GraphModule:
        with torch.no_grad():
            prepared.head.bias.zero_()
        return faithful(prepared)

    model = mlp(2, 1)
    with torch.no_grad():
        model.head.bias.fill_(1.5)
    monkeypatch.setattr(under_test, "convert_pt2e", loses_the_bias)
    with pytest.raises(ParityBroken, match=r"converted network.*part at layer head") as refused:
        train([], QatOptions(1, 0, 16, 1e-4, 5), model)
    assert refused.value.exit_code == 5


def test_training_repeats_bit_for_bit(trained: tuple[QatResult, list[float]]) -> None:
    losses: list[float] = []
    again = train(losses)
    assert losses == trained[1]
    first, second = trained[0].converted.state_dict(), again.converted.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_moves_biases_and_leaves_the_float_network_alone() -> None:
    model = mlp(2, 1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = train([], QatOptions(1, 0, 16, 1e-2, 5), model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    gain = before["hidden.0.norm.weight"] / torch.sqrt(before["hidden.0.norm.running_var"] + 1e-5)
    folded = before["hidden.0.norm.bias"] - before["hidden.0.norm.running_mean"] * gain
    assert (result.fake_quantised.state_dict()["hidden.0.conv.weight_bias"] - folded).abs().max() > 1e-3


def test_training_that_does_not_move_ships_the_post_training_network() -> None:
    model, (codes, _) = mlp(2, 1), examples()
    still = train([], QatOptions(1, 0, 16, 1e-12, 5), model).converted
    np.testing.assert_array_equal(
        float_scores(still, codes, SCALE), float_scores(ptq(model, codes, QUANT), codes, SCALE)
    )


def test_ranges_come_from_the_calibration_windows() -> None:
    codes, targets = examples()
    quiet = codes[targets[:, 0] == 0]
    options, loss = QatOptions(1, 0, 16, 1e-12, 5), nn.BCEWithLogitsLoss()
    found = qat(mlp(2, 1), codes, targets, QUANT, options, loss, calibration=quiet).converted
    expected = ptq(mlp(2, 1), quiet, QUANT)
    np.testing.assert_array_equal(float_scores(found, codes, SCALE), float_scores(expected, codes, SCALE))


def test_distillation_follows_the_float_scores_where_labels_pull_away() -> None:
    model, (codes, targets) = mlp(2, 1), examples()
    scores = float_scores(model, codes, SCALE)

    def distance(distillation: float) -> float:
        options = QatOptions(2, 1, 16, 1e-2, 5, distillation)
        loss = nn.BCEWithLogitsLoss()
        converted = qat(model, codes, 1 - targets, QUANT, options, loss).converted
        return float(np.sqrt(np.mean((float_scores(converted, codes, SCALE) - scores) ** 2)))

    assert distance(1.0) < 0.2 * distance(0.0)


def test_more_frozen_epochs_than_epochs_are_refused() -> None:
    codes, targets = examples()
    options = QatOptions(epochs=1, frozen_epochs=2, batch=32, learning_rate=1e-3, seed=1)
    with pytest.raises(ConfigError, match="2 of 1 epochs"):
        qat(ds_cnn(2), codes, targets, QUANT, options, nn.BCEWithLogitsLoss())


def test_less_than_one_batch_is_refused() -> None:
    codes, targets = examples()
    with pytest.raises(ConfigError, match="9 training windows"):
        qat(ds_cnn(2), codes[:9], targets[:9], QUANT, TRAINING, nn.BCEWithLogitsLoss())
