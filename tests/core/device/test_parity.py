"""A random network on every board equals its definition: 0 LSB in every tensor."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from stages.core.device import harness
from stages.core.device.app import stream
from stages.core.device.build import Images, build_firmware
from stages.core.errors import ArtifactError, ToolchainError
from tests.core.device.boards import BUILD, EMULATED, FIRMWARE, load_board, need_tools, write_generated
from tests.kernels import brute_force
from tests.kernels.random_networks import preprocess_contract, random_graph

WINDOW, CHANNELS, OUTPUTS, THRESHOLDS, TIMEOUT_S = 128, 2, 2, (10, 25), 60


@dataclasses.dataclass
class Device:
    name: str
    images: Images
    graph: Any
    contract: dict
    workdir: Any

    @property
    def board(self):
        return load_board(self.name.removesuffix("+sanitizers"))

    def execute(self, request):
        return harness.execute(self.images.harness, self.name, self.board, request, self.workdir, timeout_s=TIMEOUT_S)


@pytest.fixture(scope="module", params=["native", "native+sanitizers", *EMULATED])
def device(request, tmp_path_factory):
    name = request.param.removesuffix("+sanitizers")
    need_tools(name)
    rng = np.random.Generator(np.random.PCG64(31))
    graph, contract = random_graph(rng, WINDOW, CHANNELS, OUTPUTS), preprocess_contract(rng, WINDOW, CHANNELS)
    folder = tmp_path_factory.mktemp("device")
    generated = write_generated(folder / "generated", graph, contract, THRESHOLDS)
    images = build_firmware(
        FIRMWARE, generated, name, load_board(name), BUILD, folder / "build", sanitize=request.param != name
    )
    return Device(request.param, images, graph, contract, folder)


@pytest.fixture(scope="module")
def windows():
    rng = np.random.Generator(np.random.PCG64(32))
    noise = rng.normal(0, 3000, (6, WINDOW, CHANNELS))
    noise[0] = rng.choice([-32768, 32767], noise[0].shape)
    noise[1] = 0
    noise[2] = 32767
    return np.clip(np.rint(noise), -32768, 32767).astype(np.int16)


def expected_tensors(device, window):
    codes = brute_force.preprocess(device.contract, window)
    return codes, brute_force.tensors(device.graph, codes)


def test_trace_shows_every_tensor_as_defined(device, windows):
    for window in windows:
        trace = harness.decode_trace(device.execute(harness.encode_trace(window)))
        codes, tensors = expected_tensors(device, window)
        np.testing.assert_array_equal(trace.codes, codes.ravel())
        assert len(trace.tensors) == len(tensors)
        for got, expected, op in zip(trace.tensors, tensors, device.graph.ops, strict=True):
            np.testing.assert_array_equal(got, expected.ravel(), err_msg=op.name)


def test_run_gives_outputs_and_hashes_as_defined_and_repeats_itself(device, windows):
    result = harness.decode_run(device.execute(harness.encode_run(windows, repeats=3)), len(windows))
    for i, window in enumerate(windows):
        codes, tensors = expected_tensors(device, window)
        assert result.outputs[i].tolist() == tensors[-1].ravel().tolist()
        assert result.codes_hash[i] == harness.fnv1a(codes.tobytes())
        assert result.tensors_hash[i] == harness.fnv1a(b"".join(t.tobytes() for t in tensors))
    assert not result.mismatches.any()
    assert len(np.unique(result.outputs)) > 1


def test_telemetry_is_plausible(device, windows):
    telemetry = harness.decode_run(device.execute(harness.encode_run(windows)), len(windows)).telemetry
    assert telemetry.arena_intact
    assert 0.9 * telemetry.arena_bytes < telemetry.arena_used_bytes <= telemetry.arena_bytes
    assert len(telemetry.ops) == len(device.graph.ops)
    if device.board.kind == "native":
        assert telemetry.run.max_ticks == telemetry.stack_bytes == 0
        return
    assert 64 < telemetry.stack_used_bytes < telemetry.stack_bytes == device.board.budget.stack_bytes
    assert telemetry.run.total_ticks <= len(windows) * telemetry.run.max_ticks
    in_parts = sum(op.max_ticks for op in telemetry.ops)
    assert telemetry.run.max_ticks == pytest.approx(in_parts, rel=0.05)
    macs = sum(op.weight[0].size * op.output.n_bytes for op in device.graph.ops if hasattr(op, "weight"))
    assert 0.1 * macs < harness.instructions(telemetry.run.max_ticks, device.board) < 20 * macs


def test_two_runs_take_the_same_instructions(device, windows):
    first, second = (device.execute(harness.encode_run(windows)) for _ in range(2))
    assert first == second


def test_the_app_decides_what_the_harness_computes(device, windows):
    hop = device.contract["hop"]
    recording = windows[3:].reshape(-1, CHANNELS)
    starts = range(0, len(recording) - WINDOW + 1, hop)
    cut = np.stack([recording[s : s + WINDOW] for s in starts])
    codes = harness.decode_run(device.execute(harness.encode_run(cut)), len(cut)).outputs
    records = stream(device.images.app, device.name, device.board, recording, len(cut), OUTPUTS, timeout_s=TIMEOUT_S)
    assert records["codes"].tolist() == codes.tolist()
    classes = np.where(codes[:, 1] >= 25, 2, np.where(codes[:, 0] >= 10, 1, 0))
    assert records["class"].tolist() == classes.tolist()
    assert records["windows"].tolist() == list(range(1, len(cut) + 1))
    assert records["anomalies"].tolist() == np.cumsum(classes > 0).tolist()
    assert records["dropped_frames"].max() == 0
    assert records["arena_intact"].min() == 1


def test_a_request_of_another_shape_is_refused(device):
    request = harness.encode_run(np.zeros((1, WINDOW, CHANNELS + 1), np.int16))
    with pytest.raises(ArtifactError, match="window or channel count is not the firmware's"):
        harness.decode_run(device.execute(request), 1)


def test_a_truncated_request_is_reported(device, windows):
    request = harness.encode_run(windows[:1])[:-2]
    with pytest.raises(ArtifactError, match=r"ended before its last window|bytes where at least"):
        harness.decode_run(device.execute(request), 1)


def test_a_request_that_is_not_one_is_refused(device):
    with pytest.raises(ArtifactError, match="refused the request's header"):
        harness.decode_trace(device.execute(b"not a request, but long enough to hold a header"))


def test_a_truncated_response_is_refused(device, windows):
    response = device.execute(harness.encode_run(windows[:1]))
    for cut in (3, 10, len(response) - 1):
        with pytest.raises(ArtifactError, match="the harness response"):
            harness.decode_run(response[:cut], 1)
    with pytest.raises(ArtifactError, match="its end is not where it should be"):
        harness.decode_run(response + b"x", 1)


def test_an_app_that_stays_silent_runs_into_the_time_limit(device, windows):
    with pytest.raises(ToolchainError, match="0 records came within"):
        stream(device.images.app, device.name, device.board, windows[0][:-1], 1, OUTPUTS, timeout_s=2)
