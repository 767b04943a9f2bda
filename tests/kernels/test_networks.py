"""Generated networks of every precision against their definition: native under sanitizers, and on both boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.core.cgen.emit import emit
from stages.core.cgen.lifetimes import lifetimes
from stages.core.device.harness import qemu_command
from stages.core.device.tools import call
from stages.core.graph.ir import Graph, Op, Tensor
from stages.core.graph.reference import execute
from stages.core.plan import plan
from stages.core.runtime.decision import Rules
from tests.core.device.boards import EMULATED, FIRMWARE, load_board, need_tools
from tests.kernels import brute_force
from tests.kernels.random_networks import (
    TINY,
    codes,
    conv,
    preprocess_contract,
    random_dense,
    random_graph,
    random_pool,
    widen,
)

HERE = Path(__file__).parent
PRECISIONS = ["int8", "int8+int32", "int16", "int16+int32", "float32", "faint float32"]
WINDOW, CHANNELS, OUTPUTS, WINDOWS = 64, 3, 2, 4


def network(precision: str) -> Graph:
    rng = np.random.Generator(np.random.PCG64(61))
    return faint(rng) if precision == "faint float32" else random_graph(rng, WINDOW, CHANNELS, OUTPUTS, precision)


def faint(rng: np.random.Generator) -> Graph:
    """Values down among the subnormals, which Helium flushes; shapes that invite a compiler to use it."""
    x = Tensor("codes", WINDOW, CHANNELS, 1.0, 0)
    ops: list[Op] = [replace(widen(x, "float32"), multiplier=np.float32(300 * TINY))]
    for shape in [(16, 8, 4, (2, 2), 1), (16, 5, 1, (2, 2), 16), (32, 1, 1, (0, 0), 1), (32, 3, 1, (1, 1), 4)]:
        op = conv(rng, f"conv{len(ops)}", ops[-1].output, *shape)
        ops.append(replace(op, bias=op.bias * np.float32(3000 * TINY), y_min=-np.inf))
    ops.append(replace(random_pool(rng, ops[-1].output), y_min=-np.inf))
    ops.append(replace(random_dense(rng, ops[-1].output, OUTPUTS), bias=np.zeros(OUTPUTS, np.float32), y_min=-np.inf))
    return Graph(x, ops[-1].output, tuple(ops))


@pytest.fixture(scope="module")
def networks():
    return [network(precision) for precision in PRECISIONS]


@pytest.fixture(scope="module")
def windows():
    rng = np.random.Generator(np.random.PCG64(62))
    return np.stack([codes(rng, WINDOW, CHANNELS) for _ in range(WINDOWS)])


@pytest.fixture(scope="module", params=["native", *EMULATED])
def response(request, networks, windows, tmp_path_factory) -> bytes:
    need_tools(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    write_cases(folder / "cases", networks)
    build(request.param, folder, len(networks))
    one = np.uint32(WINDOWS).tobytes() + windows.tobytes()
    (folder / "request.bin").write_bytes(one * len(networks))
    command: list[str | Path] = [folder / "build" / "network_runner.elf"]
    if request.param in EMULATED:
        command = [*qemu_command(load_board(request.param), command[0]), "-semihosting", "-serial", "null"]
    call(command, request.param, cwd=folder, timeout_s=60)
    return (folder / "response.bin").read_bytes()


def write_cases(folder: Path, networks: list[Graph]) -> None:
    contract = preprocess_contract(np.random.Generator(np.random.PCG64(63)), WINDOW, CHANNELS)
    for i, graph in enumerate(networks):
        files = emit(graph, plan(lifetimes(graph)), contract, rules=Rules.plain([0] * OUTPUTS), model_sha256="0" * 64)
        (folder / str(i)).mkdir(parents=True)
        for name in ("contract.h", "model.h", "model.c"):
            (folder / str(i) / name).write_text(files[name], encoding="utf-8")
    names = [f"case_{i}" for i in range(len(networks))]
    declarations = [f"bool {name}(void);" for name in names]
    table = f"static bool (*const cases[])(void) = {{ {', '.join(names)} }};"
    (folder / "cases.h").write_text("\n".join([*declarations, table, ""]), encoding="utf-8")


def build(board: str, folder: Path, n_cases: int) -> None:
    options = {
        "TG_BOARD": board,
        "TG_FORWARD_ONLY": "ON",
        "CMAKE_PROJECT_tailgate_firmware_INCLUDE": HERE / "network_runner.cmake",
        "TG_CASES": folder / "cases",
        "TG_LAST_CASE": n_cases - 1,
        "TG_OPTIMIZE": "-O3" if board in EMULATED else "-O1",
        "TG_SANITIZE": "OFF" if board in EMULATED else "ON",
    }
    if board in EMULATED:
        options["CMAKE_TOOLCHAIN_FILE"] = FIRMWARE / "cmake" / "arm-none-eabi.cmake"
    defines = [f"-D{key}={value}" for key, value in options.items()]
    call(["cmake", "-G", "Ninja", "-S", FIRMWARE, "-B", folder / "build", *defines], board)
    call(["ninja", "-C", folder / "build", "-j", "1", "network_runner"], board)


def test_every_tensor_and_score_is_as_defined(response, networks, windows):
    for precision, graph in zip(PRECISIONS, networks, strict=True):
        for window in windows:
            tensors = brute_force.tensors(graph, window)
            for op, expected in zip(graph.ops, tensors, strict=True):
                part, response = response[: expected.nbytes], response[expected.nbytes :]
                got = np.frombuffer(part, expected.dtype).reshape(expected.shape)
                assert part == expected.tobytes(), (precision, op.name, got, expected)
            scores, response = response[: 4 * OUTPUTS], response[4 * OUTPUTS :]
            assert np.frombuffer(scores, np.int32).tolist() == brute_force.score_codes(tensors[-1]), precision
    assert not response


def test_the_cases_reach_scores_of_every_kind(networks, windows):
    for precision, graph in zip(PRECISIONS, networks, strict=True):
        tensors = [brute_force.tensors(graph, window) for window in windows]
        assert len({tuple(t[-1].ravel().tolist()) for t in tensors}) > 1, precision
        if precision == "faint float32":
            assert max(np.abs(t[-1]).max() for t in tensors) < np.finfo(np.float32).smallest_normal


def test_the_host_reference_gives_the_same_bytes(networks, windows):
    for precision, graph in zip(PRECISIONS, networks, strict=True):
        reference = execute(graph, windows)
        for i, window in enumerate(windows):
            for op, expected in zip(graph.ops, brute_force.tensors(graph, window), strict=True):
                assert reference[op.output.name][i].tobytes() == expected.tobytes(), (precision, op.name)
