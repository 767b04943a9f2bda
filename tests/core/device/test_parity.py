"""A random network of every precision on every board equals its definition: 0 LSB, or 0 ulp, in every tensor."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from stages.core.device import harness
from stages.core.device.app import ALARM, ARENA_INTACT, stream
from stages.core.device.build import build_firmware
from stages.core.errors import ArtifactError, ToolchainError
from stages.core.graph.ir import Graph
from tests.core.device.boards import BUILD, EMULATED, FIRMWARE, load_board, need_tools, write_generated
from tests.kernels import brute_force
from tests.kernels.random_networks import preprocess_contract, random_graph

WINDOW, CHANNELS, OUTPUTS, TIMEOUT_S = 128, 2, 2, 60
ACCUMULATE = 2
SHIPS = "int8"
PRECISIONS = {"int8": "int8", "accumulator": "int8+int32", "int16": "int16", "float": "float32"}


@functools.cache
def windows():
    rng = np.random.Generator(np.random.PCG64(32))
    noise = rng.normal(0, 3000, (6, WINDOW, CHANNELS))
    noise[0] = rng.choice([-32768, 32767], noise[0].shape)
    noise[1] = 0
    noise[2] = 32767
    return np.clip(np.rint(noise), -32768, 32767).astype(np.int16)


@functools.cache
def network(precision):
    rng = np.random.Generator(np.random.PCG64(31))
    graph = random_graph(rng, WINDOW, CHANNELS, OUTPUTS, PRECISIONS[precision])
    return graph, preprocess_contract(rng, WINDOW, CHANNELS)


@functools.cache
def expected(precision):
    """Input codes, tensors and score codes of each window."""
    graph, contract = network(precision)
    codes = [brute_force.preprocess(contract, window) for window in windows()]
    tensors = [brute_force.tensors(graph, each) for each in codes]
    return codes, tensors, np.array([brute_force.score_codes(each[-1]) for each in tensors])


@functools.cache
def thresholds(precision):
    """The largest score of each output over the windows of noise, so that it is reached, and not by all."""
    return tuple(int(code) for code in expected(precision)[2][3:].max(axis=0))


@dataclass
class Device:
    name: str
    precision: str
    graph: Graph
    app: Path
    harness: Path
    workdir: Path

    @property
    def board(self):
        return load_board(self.name.removesuffix("+sanitizers"))

    @property
    def dtypes(self):
        return [op.output.dtype for op in self.graph.ops]

    def execute(self, request):
        return harness.execute(self.harness, self.name, self.board, request, self.workdir, timeout_s=TIMEOUT_S)

    def run(self, samples, repeats=1):
        return harness.decode_run(self.execute(harness.encode_run(samples, repeats)), len(samples))


@pytest.fixture(scope="module", params=["native", "native+sanitizers", *EMULATED])
def built(request, tmp_path_factory):
    """A board's name and its images, of all precisions in one build."""
    name = request.param.removesuffix("+sanitizers")
    need_tools(name)
    folder = tmp_path_factory.mktemp("device")
    for precision in PRECISIONS:
        generated = folder / precision / "generated"
        write_generated(generated, *network(precision), thresholds(precision), accumulate=ACCUMULATE)
    images = build_firmware(
        FIRMWARE,
        folder / SHIPS / "generated",
        name,
        load_board(name),
        BUILD,
        folder / "build",
        rungs=[folder / precision for precision in PRECISIONS if precision != SHIPS],
        sanitize=request.param != name,
    )
    return request.param, {SHIPS: images, **images.rungs}, folder


@pytest.fixture(params=PRECISIONS)
def device(built, request):
    name, images, folder = built
    of = images[request.param]
    return Device(name, request.param, network(request.param)[0], of.app, of.harness, folder)


@pytest.fixture
def ships(built):
    name, images, folder = built
    return Device(name, SHIPS, network(SHIPS)[0], images[SHIPS].app, images[SHIPS].harness, folder)


def test_trace_shows_every_tensor_as_defined(device):
    for window, codes, tensors in zip(windows(), *expected(device.precision)[:2], strict=True):
        trace = harness.decode_trace(device.execute(harness.encode_trace(window)), device.dtypes)
        np.testing.assert_array_equal(trace.codes, codes.ravel())
        assert len(trace.tensors) == len(tensors)
        for got, due, op in zip(trace.tensors, tensors, device.graph.ops, strict=True):
            assert got.dtype == op.output.dtype
            np.testing.assert_array_equal(got, due.ravel(), err_msg=op.name)


def test_run_gives_scores_and_hashes_as_defined_and_repeats_itself(device):
    result = device.run(windows(), repeats=3)
    codes, tensors, scores = expected(device.precision)
    assert result.scores.dtype == np.int32
    assert result.scores.tolist() == scores.tolist()
    assert len(np.unique(result.scores)) > 1
    for i in range(len(windows())):
        assert result.codes_hash[i] == harness.fnv1a(codes[i].tobytes())
        assert result.tensors_hash[i] == harness.fnv1a(b"".join(tensor.tobytes() for tensor in tensors[i]))
    assert not result.mismatches.any()


def test_telemetry_is_plausible(device):
    telemetry = device.run(windows()).telemetry
    assert telemetry.arena_intact
    assert 0.9 * telemetry.arena_bytes < telemetry.arena_used_bytes <= telemetry.arena_bytes
    assert len(telemetry.ops) == len(device.graph.ops)
    if device.board.kind == "native":
        assert telemetry.run.max_ticks == telemetry.stack_bytes == 0
        return
    assert 64 < telemetry.stack_used_bytes < telemetry.stack_bytes == device.board.budget.stack_bytes
    assert telemetry.run.total_ticks <= len(windows()) * telemetry.run.max_ticks
    in_parts = sum(op.max_ticks for op in telemetry.ops)
    assert telemetry.run.max_ticks == pytest.approx(in_parts, rel=0.05)
    layers = [op for op in device.graph.ops if hasattr(op, "weight")]
    macs = sum(op.weight[0].size * op.output.length * op.output.channels for op in layers)
    assert 0.1 * macs < harness.instructions(telemetry.run.max_ticks, device.board) < 20 * macs


def test_two_runs_take_the_same_instructions(device):
    first, second = (device.execute(harness.encode_run(windows())) for _ in range(2))
    assert first == second


def test_the_app_decides_what_the_harness_computes(device):
    hop = network(device.precision)[1]["hop"]
    recording = windows()[3:].reshape(-1, CHANNELS)
    starts = range(0, len(recording) - WINDOW + 1, hop)
    cut = np.stack([recording[s : s + WINDOW] for s in starts])
    codes = device.run(cut).scores
    records = stream(device.app, device.name, device.board, recording, len(cut), OUTPUTS, timeout_s=TIMEOUT_S)
    assert records["codes"].tolist() == codes.tolist()
    reached = codes >= thresholds(device.precision)
    classes = np.where(reached[:, 1], 2, np.where(reached[:, 0], 1, 0))
    assert records["class"].tolist() == classes.tolist()
    assert len(set(classes.tolist())) > 1
    assert records["windows"].tolist() == list(range(1, len(cut) + 1))
    assert records["positive"].tolist() == np.cumsum(classes > 0).tolist()
    assert records["passed_over_frames"].max() == 0
    assert set((records["flags"] & ~np.uint8(ALARM)).tolist()) == {ARENA_INTACT}


def level(before, positive):
    return min(before + 1, ACCUMULATE) if positive else max(before - 1, 0)


def test_the_app_raises_the_alarm_by_the_windows_that_it_decides(device):
    hop = network(device.precision)[1]["hop"]
    # Of one hop over and over, all windows are the same: a level has the time to rise and to fall.
    noise = np.random.Generator(np.random.PCG64(33)).normal(0, 3000, (20, hop, CHANNELS))
    recording = np.tile(np.rint(noise).astype(np.int16), (1, 5, 1)).reshape(-1, CHANNELS)
    count = (len(recording) - WINDOW) // hop + 1
    records = stream(device.app, device.name, device.board, recording, count, OUTPUTS, timeout_s=TIMEOUT_S)
    levels = itertools.accumulate(records["class"] > 0, level, initial=0)
    alarms = [each == ACCUMULATE for each in levels][1:]
    assert ((records["flags"] & ALARM) > 0).tolist() == alarms
    assert 0 < sum(alarms) < count


@pytest.mark.parametrize(("channels", "dtype"), [(CHANNELS + 1, np.int16), (CHANNELS, np.int32)])
def test_a_request_of_another_shape_or_sample_width_is_refused(ships, channels, dtype):
    with pytest.raises(ArtifactError, match="window, channel count or sample width is not the firmware's"):
        ships.run(np.zeros((1, WINDOW, channels), dtype))


def test_a_truncated_request_is_reported(ships):
    request = harness.encode_run(windows()[:1])[:-2]
    with pytest.raises(ArtifactError, match=r"ended before its last window|bytes where at least"):
        harness.decode_run(ships.execute(request), 1)


def test_a_request_that_is_not_one_is_refused(ships):
    with pytest.raises(ArtifactError, match="refused the request's header"):
        harness.decode_trace(ships.execute(b"not a request, but long enough to hold a header"), ships.dtypes)


def test_a_truncated_response_is_refused(ships):
    response = ships.execute(harness.encode_run(windows()[:1]))
    for cut in (3, 10, len(response) - 1):
        with pytest.raises(ArtifactError, match="the harness response"):
            harness.decode_run(response[:cut], 1)
    with pytest.raises(ArtifactError, match="its end is not where it should be"):
        harness.decode_run(response + b"x", 1)


def test_a_trace_of_another_network_is_refused(ships):
    response = ships.execute(harness.encode_trace(windows()[0]))
    for dtypes in (ships.dtypes[1:], ["float32"] * len(ships.dtypes)):
        with pytest.raises(ArtifactError, match="which are not the network's"):
            harness.decode_trace(response, dtypes)


def test_an_app_that_stays_silent_runs_into_the_time_limit(ships):
    with pytest.raises(ToolchainError, match="0 records came within"):
        stream(ships.app, ships.name, ships.board, windows()[0][:-1], 1, OUTPUTS, timeout_s=2)
