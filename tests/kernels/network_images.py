"""Generated networks as one image per board: built, run on windows, every tensor and its instructions read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.cgen.emit import emit
from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.streaming import Kept
from stages.core.device.harness import instructions, qemu_command
from stages.core.device.tools import call
from stages.core.graph.ir import Graph
from stages.core.plan import Buffer, Plan, plan
from stages.core.runtime.decision import Rules
from tests.core.device.boards import EMULATED, FIRMWARE, load_board
from tests.kernels.random_networks import preprocess_contract

HERE = Path(__file__).parent

#: Bytes between tensors on a board with sanitizers.
GAP = 64


@dataclass(frozen=True)
class Run:
    """One window through one network: per operation its output and what it took, and the score codes."""

    tensors: list[np.ndarray]
    instructions: list[int]
    scores: list[int]


def run_networks(
    board: str,
    folder: Path,
    networks: Sequence[Graph],
    windows: Sequence[np.ndarray],
    optimize: str = "-O3",
    kept: Sequence[Mapping[str, Kept]] | None = None,
    planner: Planner | None = None,
) -> list[list[Run]]:
    """Run each network on its windows, of shape (windows, length, channels).

    With `kept`, windows follow one another by one hop, and each network keeps so much; a run then has what the outputs'
    bytes hold in the end, and the instructions of the whole network for each operation. By default tensors share memory
    on an emulated board, and lie apart natively, where an access beside one is found.
    """
    planner = planner or (plan if board in EMULATED or kept is not None else apart)
    write_cases(folder / "cases", networks, kept or [{}] * len(networks), planner)
    build(board, folder, len(networks), optimize)
    stream = kept is not None
    request = b"".join(np.array([len(codes), stream], np.uint32).tobytes() + codes.tobytes() for codes in windows)
    (folder / "request.bin").write_bytes(request)
    command: list[str | Path] = [folder / "build" / "network_runner.elf"]
    if board in EMULATED:
        command = [*qemu_command(load_board(board), command[0]), "-semihosting", "-serial", "null"]
    call(command, board, cwd=folder, timeout_s=120)
    response = Response((folder / "response.bin").read_bytes(), board)
    runs = [[response.run(graph) for _ in codes] for graph, codes in zip(networks, windows, strict=True)]
    assert not response.rest
    return runs


class Response:
    """What the image wrote, taken from its front."""

    def __init__(self, content: bytes, board: str) -> None:
        self.rest = content
        self.board = load_board(board)

    def array(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        part, self.rest = self.rest[:size], self.rest[size:]
        return np.frombuffer(part, dtype).reshape(shape)

    def run(self, graph: Graph) -> Run:
        tensors, counts = [], []
        for op in graph.ops:
            tensors.append(self.array(op.output.shape, op.output.dtype))
            ticks = int(self.array((1,), "uint64")[0])
            counts.append(instructions(ticks, self.board) if ticks else 0)
        outputs = graph.output.positions * graph.output.channels
        return Run(tensors, counts, self.array((outputs,), "int32").tolist())


Planner = Callable[[Sequence[Buffer]], Plan]


def apart(buffers: Sequence[Buffer]) -> Plan:
    """Every tensor in a place of its own, with bytes around it that no kernel may touch (network_case.c)."""
    offsets, end = {}, GAP
    for buffer in buffers:
        offsets[buffer.name] = end
        end += -(-buffer.n_bytes // 16) * 16 + GAP
    return Plan(offsets, end, end, exact=False)


def write_cases(folder: Path, networks: Sequence[Graph], kept: Sequence[Mapping[str, Kept]], planner: Planner) -> None:
    for i, (graph, stays) in enumerate(zip(networks, kept, strict=True)):
        rng = np.random.Generator(np.random.PCG64(63))
        rows = graph.input.shape[0]
        columns = graph.input.positions * graph.input.channels // rows
        contract = preprocess_contract(rng, rows, columns, dc="none")
        outputs = graph.output.positions * graph.output.channels
        arena, rules = planner(lifetimes(graph, stays)), Rules.plain([0] * outputs)
        files = emit(graph, arena, contract, rules=rules, model_sha256="0" * 64, kept=stays)
        (folder / str(i)).mkdir(parents=True)
        for name in ("contract.h", "model.h", "model.c"):
            (folder / str(i) / name).write_text(files[name], encoding="utf-8")
    names = [f"case_{i}" for i in range(len(networks))]
    declarations = [f"bool {name}(void);" for name in names]
    table = f"static bool (*const cases[])(void) = {{ {', '.join(names)} }};"
    (folder / "cases.h").write_text("\n".join([*declarations, table, ""]), encoding="utf-8")


def build(board: str, folder: Path, n_cases: int, optimize: str) -> None:
    options = {
        "TG_BOARD": board,
        "TG_FORWARD_ONLY": "ON",
        "CMAKE_PROJECT_tailgate_firmware_INCLUDE": HERE / "network_runner.cmake",
        "TG_CASES": folder / "cases",
        "TG_LAST_CASE": n_cases - 1,
        "TG_OPTIMIZE": optimize,
        "TG_SANITIZE": "OFF" if board in EMULATED else "ON",
    }
    if board in EMULATED:
        options["CMAKE_TOOLCHAIN_FILE"] = FIRMWARE / "cmake" / "arm-none-eabi.cmake"
    defines = [f"-D{key}={value}" for key, value in options.items()]
    call(["cmake", "-G", "Ninja", "-S", FIRMWARE, "-B", folder / "build", *defines], board)
    call(["ninja", "-C", folder / "build", "-j", "1", "network_runner"], board)
