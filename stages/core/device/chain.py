"""The parity chain: every execution against the host reference, down to the first differing tensor."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.device.harness import (
    RunResult,
    Samples,
    decode_run,
    decode_trace,
    emulator_version,
    encode_run,
    encode_trace,
    execute,
    fnv1a_rows,
    instructions,
)
from stages.core.errors import BudgetExceeded, ParityBroken, ToolchainError
from stages.core.evenly import evenly
from stages.core.graph.ir import Graph
from stages.core.graph.reference import execute as execute_reference
from stages.core.graph.reference import score_codes
from stages.core.parity import Agreement, broken, compare_hashes, compare_scores, first_difference
from stages.core.schema.build import NativeBoard, QemuBoard

_BLOCK_WINDOWS = 256
#: How far a float32 score of a device may lie from the reference's, in units in the last place.
ALLOWED_ULP = 2


@dataclass(frozen=True)
class Device:
    """A board with its harness image.

    Attributes
    ----------
    name : str
    board : NativeBoard or QemuBoard
    harness : Path
    timeout_s : float
        Of real time, for one run.
    """

    name: str
    board: NativeBoard | QemuBoard
    harness: Path
    timeout_s: float

    def run(self, samples: Samples, repeats: int) -> RunResult:
        """Run windows of counts, shape (windows, length, channels)."""
        return decode_run(self.answer(encode_run(samples, repeats)), len(samples))

    def trace(self, samples: Samples, graph: Graph) -> list[NDArray[Any]]:
        """Return the input codes and every operation's output for one window, shape (length, channels)."""
        traced = decode_trace(self.answer(encode_trace(samples)), [op.output.dtype for op in graph.ops])
        return [traced.codes, *traced.tensors]

    def answer(self, request: bytes) -> bytes:
        """Run the image on a request, and return its response; raises ToolchainError."""
        with tempfile.TemporaryDirectory() as folder:
            # A copy, since an image that came out of the DVC cache has lost its permission to run.
            image = Path(shutil.copy(self.harness, folder)).resolve()
            image.chmod(0o700)
            try:
                return execute(image, self.name, self.board, request, Path(folder), timeout_s=self.timeout_s)
            except ToolchainError as error:
                raise self._of_the_original(error, image) from None

    def _of_the_original(self, error: ToolchainError, image: Path) -> ToolchainError:
        """Name the image itself: the copy is gone before anyone reads the message."""
        said = (error.found, error.where, error.expected, error.remedy)
        found, where, expected, remedy = (text.replace(str(image), str(self.harness)) for text in said)
        return ToolchainError(found=found, where=where, expected=expected, remedy=remedy)


@dataclass(frozen=True)
class Expected:
    """What every device must answer.

    Attributes
    ----------
    graph : Graph
    samples : ndarray of int16 or int32, shape (windows, length, channels)
    codes : ndarray of int8, shape (windows, length, channels)
        The preprocessed windows.
    scores : ndarray of int32, shape (windows, outputs)
        Score codes of the reference.
    """

    graph: Graph
    samples: Samples
    codes: NDArray[np.int8]
    scores: NDArray[np.int32]

    def rows(self, rows: NDArray[np.int64]) -> Expected:
        """Return some of the windows."""
        return Expected(self.graph, self.samples[rows], self.codes[rows], self.scores[rows])

    def evenly(self, n_windows: int) -> Expected:
        """Return so many of the windows, or all if there are fewer, evenly spaced from the first to the last."""
        return self.rows(evenly(np.arange(len(self.scores)), n_windows))


def prove_formula(expected: Expected, name: str = "numpy integers") -> Agreement:
    """Hold the integer formula, as numpy executes it, against the reference runtime.

    Parameters
    ----------
    expected : Expected
        Of an int8 network, with the codes of the reference runtime.
    name : str

    Raises
    ------
    ParityBroken
        If the reference runtime computes something else than the formula.
    """
    agreement = compare_scores(f"{name}: score code", expected.scores, _interpret(expected).scores)
    if agreement.first is not None:
        raise ParityBroken(
            found=f"{agreement.different} of {agreement.windows} windows differ by up to "
            f"{agreement.max_difference} LSB",
            where="ONNX Runtime",
            expected="what the integer formula of the network gives, 0 LSB",
            remedy="Check that the pinned onnxruntime is installed, and see docs/numerics.md for the settings it needs",
        )
    return agreement


def prove(device: Device, expected: Expected, repeats: int) -> tuple[list[Agreement], RunResult]:
    """Run a device and demand what its network's type allows.

    Of integers: 0 LSB in every score code, and equal hashes of the input and of every tensor. Of float32: equal hashes
    of the input, and scores within `ALLOWED_ULP`; the hashes of its tensors are reported.

    Parameters
    ----------
    device : Device
    expected : Expected
    repeats : int
        Times each window is run; all must agree.

    Returns
    -------
    agreements : list of Agreement
    result : RunResult

    Raises
    ------
    ParityBroken
        Naming the first differing tensor.
    """
    result = device.run(expected.samples, repeats)
    formula = _interpret(expected)
    floating = expected.graph.output.dtype == "float32"
    demands: dict[str, Any] = {"unit": "ulp", "allowed": ALLOWED_ULP} if floating else {}
    agreements = [
        compare_hashes(f"{device.name}: input codes", formula.codes_hash, result.codes_hash),
        compare_hashes(
            f"{device.name}: every tensor", formula.tensors_hash, result.tensors_hash, demanded=not floating
        ),
        compare_scores(f"{device.name}: score code", expected.scores, result.scores, **demands),
    ]
    for agreement in agreements:
        if agreement.first is not None:
            raise broken(agreement, locate(device, expected, agreement.first))
    _require_repeatable(device, result, repeats)
    return agreements, result


def locate(device: Device, expected: Expected, row: int) -> str | None:
    """Trace one window on a device and name the first tensor that leaves the reference."""
    tensors = execute_reference(expected.graph, expected.codes[row : row + 1])
    trace = device.trace(expected.samples[row], expected.graph)
    return first_difference({name: tensor[0] for name, tensor in tensors.items()}, trace)


@dataclass(frozen=True)
class _Interpreted:
    """What the formula gives for each window: score codes, hash of the input, hash of all other tensors in order."""

    scores: NDArray[np.int32]
    codes_hash: NDArray[np.uint32]
    tensors_hash: NDArray[np.uint32]


def _interpret(expected: Expected) -> _Interpreted:
    """Execute the formula in blocks, so that memory does not grow with the test split."""
    blocks = []
    for start in range(0, len(expected.codes), _BLOCK_WINDOWS):
        tensors = execute_reference(expected.graph, expected.codes[start : start + _BLOCK_WINDOWS])
        first, *others = tensors.values()
        blocks.append((score_codes(expected.graph, tensors), fnv1a_rows(first), fnv1a_rows(*others)))
    return _Interpreted(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


def _require_repeatable(device: Device, result: RunResult, repeats: int) -> None:
    rows = np.flatnonzero(result.mismatches)
    if len(rows) or not result.telemetry.arena_intact:
        raise ParityBroken(
            found=f"{len(rows)} windows did not repeat themselves in {repeats} runs"
            if len(rows)
            else "the guard words around the arena were overwritten",
            where=device.name,
            expected="the same tensors every time, and no write outside the arena",
            remedy="Look for a kernel that reads beyond its input or keeps state",
        )


def measure(device: Device, result: RunResult, graph: Graph, size: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what the device needed, the largest over all windows.

    Instructions are those of the emulator; a native build has no repeatable count and reports None.
    """
    telemetry, board = result.telemetry, device.board
    counted = None
    if isinstance(board, QemuBoard):
        operations = {
            op.name: instructions(timing.max_ticks, board) for op, timing in zip(graph.ops, telemetry.ops, strict=True)
        }
        counted = {
            "preprocess": instructions(telemetry.preprocess.max_ticks, board),
            "model": instructions(telemetry.run.max_ticks, board),
            "operations": operations,
        }
    return {
        "instructions": counted,
        "emulator": emulator_version(device.name) if isinstance(board, QemuBoard) else None,
        "flash_bytes": size["total"]["flash_bytes"],
        "ram_bytes": size["total"]["ram_bytes"],
        "arena_bytes": telemetry.arena_bytes,
        "arena_high_water_bytes": telemetry.arena_used_bytes,
        "stack_bytes": telemetry.stack_bytes,
        "stack_high_water_bytes": telemetry.stack_used_bytes,
    }


def over_budget(board: NativeBoard | QemuBoard, used: Mapping[str, Any]) -> list[str]:
    """Name every figure of `measure` that is over the board's limit, with the limit.

    Where a stream was measured too, a window's instructions are all that the product spends on one while it comes in;
    else they are those of preprocessing and network. Of a window that takes too many of them, or too much of a hop, the
    slowest stage and operation are named.
    """
    if isinstance(board, NativeBoard):
        return []
    counted, streamed = used["instructions"], used.get("stream")
    stack = max(used["stack_high_water_bytes"], streamed["stack_used_bytes"] if streamed else 0)
    stages = streamed["most_instructions"] if streamed else {key: counted[key] for key in ("preprocess", "model")}
    figures: dict[str, float] = {
        "flash_bytes": used["flash_bytes"],
        "ram_bytes": used["ram_bytes"],
        "arena_bytes": used["arena_bytes"],
        # The linker reserves just the budget, so a stack that was used to its last byte was too small.
        "stack_bytes": stack + (stack == used["stack_bytes"]),
        "instructions_per_window": streamed["most_instructions_per_window"] if streamed else sum(stages.values()),
    }
    if streamed:
        figures["load"] = round(streamed["load"], 3)
    over = {key: value for key, value in figures.items() if value > getattr(board.budget, key)}
    said = [f"{key} {value} (limit {getattr(board.budget, key)})" for key, value in over.items()]
    if over.keys() & {"instructions_per_window", "load"}:
        said[-1] += f", {_slowest(stages, counted['operations'])}"
    return said


def _slowest(stages: Mapping[str, int], operations: Mapping[str, int]) -> str:
    """Say where most of a window's instructions go."""
    stage = max(stages, key=lambda name: stages[name])
    said = f"of which {stages[stage]} in stage {stage}"
    operation = max(operations, key=lambda name: operations[name])
    return f"{said}, {operations[operation]} of them in {operation}" if stage == "model" else said


def check_budget(name: str, board: NativeBoard | QemuBoard, used: Mapping[str, Any]) -> None:
    """Hold what the product needed of a board against its budget.

    Raises
    ------
    BudgetExceeded
        Naming every figure over its limit.
    """
    over = over_budget(board, used)
    if over:
        raise BudgetExceeded(
            found=", ".join(over),
            where=f"board {name}",
            expected=f"what board.{name}.budget allows",
            remedy="Choose a smaller model, a shorter window or a longer hop, or raise the budget if it may be more",
        )
