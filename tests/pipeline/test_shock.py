"""Task `shock`: what its scaler keeps where min-max collapses, and a recorded pallet session replayed through it.

The recorded session is of a Bosch XDK whose axes end at 2 g each: a magnitude beyond that is a lower bound, at most
3.5 g. Nothing of it is used in training, and it has no labels; throws are found by their magnitude.
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy.stats import kendalltau

from stages.core.config import compose, validate
from stages.core.dsp.configured import unfitted_contract
from stages.core.dsp.contract import INPUT_SCALE, Preprocess, preprocess
from stages.core.dsp.histogram import Histogram
from stages.core.dsp.scalers import Column, fit_codes
from stages.core.graph.onnx_view import SCORE
from stages.core.graph.runtime import run
from stages.core.nets.models import build_model
from stages.core.recordings.session import digitise
from stages.core.recordings.sources import open_source
from stages.core.recordings.windows import label_windows
from stages.core.schema.features import MinmaxScaler
from tests.pipeline.imports import ROOT
from tests.pipeline.workspace import Workspace

COUNTS_PER_G = 2048
SENSOR_LIMIT = 32768
#: Every count of the normal band, 0.2 to 1.5 g.
BAND = np.arange(int(0.2 * COUNTS_PER_G), int(1.5 * COUNTS_PER_G) + 1, dtype=np.int32)
SESSIONS = 40
RECORDED = Path(os.environ.get("BEARING_DATASETS_ROOT", "")) / "logistics_rough_handling_xdk" / "accel.csv"
needs_recording = pytest.mark.skipif(
    "BEARING_DATASETS_ROOT" not in os.environ or not RECORDED.is_file(),
    reason="BEARING_DATASETS_ROOT does not lead to a folder with logistics_rough_handling_xdk/accel.csv",
)


@dataclass(frozen=True)
class Simulated:
    """Windows of some simulated voyages, in counts, and their classes."""

    counts: np.ndarray
    classes: np.ndarray

    def column(self):
        normal, events = (
            Histogram.of(self.counts[kept].astype(np.int32)) for kept in (self.classes == 0, self.classes > 0)
        )
        return Column("magnitude", normal, events, SENSOR_LIMIT, SENSOR_LIMIT)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    params = tmp_path_factory.mktemp("params") / "params.yaml"
    params.write_text(yaml.safe_dump({"task": "shock", "overrides": {"capture.sessions": SESSIONS}}))
    return validate(compose(params, ROOT / "conf"), "params.yaml")


@pytest.fixture(scope="module")
def simulated(config):
    counts, classes = [], []
    source = open_source(config.capture, 1, config.labels.classes, None)
    for index in range(len(source)):
        recording = source[index]
        samples, _ = digitise(next(iter(recording.blocks())).signal, recording.meta)
        starts, labels = label_windows(recording.meta.spans, (), len(samples), config.window, config.labels)
        counts.append(cut(samples[:, 0], starts, config.window.length))
        classes.append(labels)
    return Simulated(np.concatenate(counts), np.concatenate(classes))


@pytest.fixture(scope="module")
def contract(config, simulated):
    unfitted = unfitted_contract(config.features, config.window, config.capture.sample_rate_hz, ("magnitude",))
    return replace(unfitted, codes=fit_codes(config.features.scaler, [simulated.column()]))


def cut(samples, starts, length):
    return np.lib.stride_tricks.sliding_window_view(samples, length)[starts]


def distinct(program):
    return len(np.unique(program.codes(BAND)))


def test_one_impact_of_8_g_leaves_42_of_256_codes_to_the_normal_band_under_minmax():
    column = Column(
        "magnitude", Histogram.of(BAND), Histogram.of(np.array([8.13 * COUNTS_PER_G], dtype=np.int32)), 32768, 32768
    )
    (code,) = fit_codes(MinmaxScaler(kind="minmax"), [column])
    ends = code.program.codes(BAND[[0, -1]]).astype(int)
    assert ends[0] == -128
    assert ends[1] - ends[0] == round((1.5 - 0.2) / (8.13 - 0.2) * 256) == 42


def test_minmax_collapses_on_the_simulated_voyages_and_the_chosen_scaler_does_not(config, simulated):
    (minmax,) = fit_codes(MinmaxScaler(kind="minmax"), [simulated.column()])
    fine, coarse = fit_codes(config.features.scaler, [simulated.column()])
    assert simulated.counts.max() > 8.13 * COUNTS_PER_G
    assert distinct(minmax.program) <= 42
    assert distinct(fine.program) >= 120
    assert distinct(coarse.program) <= 42


def test_coarse_code_keeps_events_in_the_order_of_their_strength_above_the_normal_band(simulated, contract):
    peaks = simulated.counts.max(axis=1)
    codes = preprocess(contract, simulated.counts[:, :, np.newaxis])[:, :, 1].max(axis=1)
    events, impacts = simulated.classes > 0, simulated.classes == 2
    assert kendalltau(peaks[events], codes[events]).statistic > 0.98
    assert codes.max() < 127
    assert np.median(codes[impacts]) > 2 * np.max(contract.codes[1].program.codes(BAND))


@pytest.fixture(scope="module")
def recorded():
    """The 100 Hz part of the recorded session, as the task's sensor would give it: magnitude in counts."""
    table = pd.read_csv(RECORDED, parse_dates=["timestamp"])
    seconds = (table["timestamp"] - table["timestamp"].iloc[0]).dt.total_seconds().to_numpy()
    first = int(np.flatnonzero(np.diff(seconds) < 0.02)[0])
    assert (len(seconds) - 1 - first) / (seconds[-1] - seconds[first]) == pytest.approx(100, rel=0.001)
    assert np.diff(seconds[first:]).max() < 0.015
    axes_g = table[["ax_mg", "ay_mg", "az_mg"]].to_numpy()[first:] / 1000
    return np.rint(np.linalg.norm(axes_g, axis=1) * COUNTS_PER_G).astype(np.int16)


@dataclass(frozen=True)
class Replay:
    """Windows of the recorded session: their starts and counts, which are quiet, and the peaks of the throws."""

    starts: np.ndarray
    counts: np.ndarray
    quiet: np.ndarray
    throws: list

    def around(self, peak):
        """Windows in which a peak has at least a quarter of a second before and after it."""
        return (self.starts + 25 <= peak) & (peak < self.starts + self.counts.shape[1] - 25)


@pytest.fixture(scope="module")
def replay(recorded, config):
    starts = np.arange(0, len(recorded) - config.window.length + 1, config.window.hop)
    counts = cut(recorded, starts, config.window.length)
    strong = np.flatnonzero(recorded > 3 * COUNTS_PER_G)
    groups = np.split(strong, np.flatnonzero(np.diff(strong) > 100) + 1)
    peaks = [int(group[np.argmax(recorded[group])]) for group in groups]
    return Replay(starts, counts, np.ptp(counts, axis=1) < 0.1 * COUNTS_PER_G, peaks)


@needs_recording
def test_recorded_throws_stand_above_the_quiet_parts_in_the_codes_that_the_device_makes(replay, contract):
    codes = preprocess(contract, replay.counts[:, :, np.newaxis])
    quiet, thrown = codes[replay.quiet], codes[[int(np.argmax(replay.around(peak))) for peak in replay.throws]]
    assert len(replay.throws) == 5
    assert len(quiet) > 30
    assert np.abs(quiet[:, :, 0].astype(int)).max() < 60  # the pallet at rest lies in the middle of the fine range
    assert np.ptp(quiet[:, :, 1].astype(int)) <= 1
    assert (thrown[:, :, 0].max(axis=1) == 127).all()
    assert (thrown[:, :, 0].min(axis=1) == -128).all()  # it flies before it lands
    assert thrown[:, :, 1].max(axis=1).min() >= quiet[:, :, 1].max() + 12


def train(config, contract, simulated):
    """Train the task's network on all simulated windows: a few epochs, one logit per class above the first."""
    torch.manual_seed(0)
    inputs = planes(contract, simulated.counts)
    targets = torch.tensor(simulated.classes[:, np.newaxis] > np.arange(2), dtype=torch.float32)
    network = build_model(config.model, inputs.shape[1], 2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.004)
    weights = ((targets == 0).sum(dim=0) / targets.sum(dim=0)).sqrt()
    for _ in range(8):
        for rows in torch.randperm(len(inputs)).split(64):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                network(inputs[rows]), targets[rows], pos_weight=weights
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def planes(contract, counts):
    codes = preprocess(contract, counts[:, :, np.newaxis])
    return torch.tensor(codes.transpose(0, 2, 1).astype(np.float32) * INPUT_SCALE)


def assert_throws_are_seen_and_quiet_is_normal(classes, replay):
    assert (classes[replay.quiet] == 0).all()
    worst = [classes[replay.around(peak)].max() for peak in replay.throws]
    assert min(worst) >= 1
    assert sum(each == 2 for each in worst) >= len(worst) / 2


@needs_recording
def test_network_trained_on_simulated_voyages_sees_every_recorded_throw_and_no_quiet_part(
    config, contract, simulated, replay
):
    network = train(config, contract, simulated)
    with torch.no_grad():
        logits = network(planes(contract, replay.counts)).numpy()
    assert_throws_are_seen_and_quiet_is_normal((logits > 0).sum(axis=1), replay)


@pytest.mark.slow
@needs_recording
def test_released_model_sees_every_recorded_throw_and_no_quiet_part(tmp_path, replay):
    workspace = Workspace(tmp_path / "workspace", task="shock", base={})
    workspace.repro("convert")

    def read(name):
        return json.loads((workspace.path / name).read_text())

    codes = preprocess(Preprocess.from_json(read("data/features/contract.json")), replay.counts[:, :, np.newaxis])
    thresholds = read("models/quantize/thresholds.json")[read("models/quantize/gate.json")["selected"]]
    model = (workspace.path / "models/convert/model.onnx").read_bytes()
    logits = run(model, codes.transpose(0, 2, 1), [SCORE])[SCORE]
    classes = (logits >= [threshold["logit"] for threshold in thresholds]).sum(axis=1)
    assert_throws_are_seen_and_quiet_is_normal(classes, replay)
