"""Talking to the harness image: requests out, results back. ``firmware/harness/protocol.h`` is the other side."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.device.reading import Reader
from stages.core.device.tools import call
from stages.core.errors import ArtifactError, ToolchainError
from stages.core.graph.ir import Dtype
from stages.core.schema.build import NativeBoard, QemuBoard

REQUEST_MAGIC, RESPONSE_MAGIC, RESPONSE_END = b"TGR2", b"GTA2", b"GEND"
MODE_RUN, MODE_TRACE = 1, 2
STATUS = {
    1: "the firmware refused the request's header",
    2: "the request's window, channel count or sample width is not the firmware's",
    3: "the request ended before its last window",
}

FNV_OFFSET, FNV_PRIME = 2166136261, 16777619

#: Counts of a sensor.
Samples = NDArray[np.int16] | NDArray[np.int32]

#: QEMU's ``-icount shift=5``: one instruction every 2**5 ns of virtual time.
ICOUNT_SHIFT = 5


@dataclass(frozen=True)
class Timing:
    """Ticks of the board's clock over all executions; 0 on a board without a repeatable clock."""

    max_ticks: int
    total_ticks: int


@dataclass(frozen=True)
class Telemetry:
    """What the harness measured around the numbers.

    Attributes
    ----------
    preprocess : Timing
        Over windows x repeats.
    ops : tuple of Timing
        Per operation of the network, over windows x repeats.
    run : Timing
        The whole network in one go, once per window.
    arena_intact : bool
        Whether the guard words around the arena hold.
    arena_bytes, arena_used_bytes : int
        Size, and highest byte written plus one.
    stack_bytes, stack_used_bytes : int
        Size, and deepest use in this image; 0 where the board does not own its stack.
    """

    preprocess: Timing
    ops: tuple[Timing, ...]
    run: Timing
    arena_intact: bool
    arena_bytes: int
    arena_used_bytes: int
    stack_bytes: int
    stack_used_bytes: int


@dataclass(frozen=True)
class RunResult:
    """Windows run through a device.

    Attributes
    ----------
    scores : ndarray of int32, shape (windows, outputs)
        Score codes.
    codes_hash, tensors_hash : ndarray of uint32, shape (windows,)
        FNV-1a of the preprocessed window, and of all operations' outputs one after another.
    mismatches : ndarray of uint32, shape (windows,)
        Executions of the window that differed from its first.
    telemetry : Telemetry
    """

    scores: NDArray[np.int32]
    codes_hash: NDArray[np.uint32]
    tensors_hash: NDArray[np.uint32]
    mismatches: NDArray[np.uint32]
    telemetry: Telemetry


@dataclass(frozen=True)
class TraceResult:
    """One window with every tensor.

    Attributes
    ----------
    codes : ndarray of int8, shape (window x channels,)
        The network's input, in the layout ``[window][channels]``.
    tensors : tuple of ndarray
        Each operation's output, flat, in execution order.
    telemetry : Telemetry
    """

    codes: NDArray[np.int8]
    tensors: tuple[NDArray[Any], ...]
    telemetry: Telemetry


def encode_run(samples: Samples, repeats: int = 1) -> bytes:
    """Ask for the score codes of windows.

    Parameters
    ----------
    samples : ndarray of int16 or int32, shape (windows, window, channels)
        Of the firmware's width.
    repeats : int, default 1
        How often each window is executed and compared with itself.
    """
    return _encode(MODE_RUN, samples, repeats)


def encode_trace(samples: Samples) -> bytes:
    """Ask for every tensor of one window, shape (window, channels)."""
    return _encode(MODE_TRACE, samples[np.newaxis], 1)


def decode_run(response: bytes, n_windows: int) -> RunResult:
    """Read the response to `encode_run`.

    Raises
    ------
    ArtifactError
        If the firmware refused the request or the response is incomplete.
    """
    reader = Reader(response, _bad_response)
    _, outputs, op_bytes = _header(reader)
    record = np.dtype([("scores", "<i4", (outputs,)), ("codes", "<u4"), ("tensors", "<u4"), ("mismatches", "<u4")])
    records = np.frombuffer(reader.take(n_windows * record.itemsize), record)
    return RunResult(
        scores=records["scores"].astype(np.int32),
        codes_hash=records["codes"].astype(np.uint32),
        tensors_hash=records["tensors"].astype(np.uint32),
        mismatches=records["mismatches"].astype(np.uint32),
        telemetry=_trailer(reader, len(op_bytes)),
    )


def decode_trace(response: bytes, dtypes: Sequence[Dtype]) -> TraceResult:
    """Read the response to `encode_trace`.

    Parameters
    ----------
    response : bytes
    dtypes : sequence of str
        Of each operation's output, in execution order.

    Raises
    ------
    ArtifactError
        If the firmware refused the request, the response is incomplete, or it is of other operations.
    """
    reader = Reader(response, _bad_response)
    input_bytes, _, op_bytes = _header(reader)
    types = [np.dtype(dtype).newbyteorder("<") for dtype in dtypes]
    if len(op_bytes) != len(types) or any(n % each.itemsize for n, each in zip(op_bytes, types, strict=True)):
        raise _bad_response(f"its operations give {list(op_bytes)} bytes, which are not the network's")
    codes = np.frombuffer(reader.take(input_bytes), np.int8)
    tensors = tuple(np.frombuffer(reader.take(n), each) for n, each in zip(op_bytes, types, strict=True))
    return TraceResult(codes=codes, tensors=tensors, telemetry=_trailer(reader, len(op_bytes)))


def execute(
    harness: Path, name: str, board: NativeBoard | QemuBoard, request: bytes, workdir: Path, *, timeout_s: float
) -> bytes:
    """Run a harness image on its board and return its response.

    Parameters
    ----------
    harness : Path
        The image.
    name : str
        The board's name, for errors.
    board : NativeBoard or QemuBoard
    request : bytes
        From `encode_run` or `encode_trace`.
    workdir : Path
        An existing folder for ``request.bin`` and ``response.bin``.
    timeout_s : float
        Of real time.

    Raises
    ------
    ToolchainError
        If the emulator is missing, or the image crashes or hangs.
    """
    (workdir / "request.bin").write_bytes(request)
    response = workdir / "response.bin"
    response.unlink(missing_ok=True)
    if board.kind == "native":
        command: list[str | Path] = [harness.resolve()]
    else:
        command = [*qemu_command(board, harness), "-semihosting", "-serial", "null"]
    call(command, name, cwd=workdir, timeout_s=timeout_s)
    if not response.exists():
        raise ToolchainError(
            found="the harness ended without a response",
            where=f"board {name}, image {harness}",
            expected="response.bin",
            remedy="Build the image again with `dvc repro build`",
        )
    return response.read_bytes()


def qemu_command(board: QemuBoard, image: Path) -> list[str | Path]:
    """Return the emulator's command line for an image, counting instructions, with no console.

    Virtual time does not wait for the clock on the wall: where the core sleeps, it jumps to the next interrupt.
    """
    icount = f"shift={ICOUNT_SHIFT},sleep=off"
    machine = ["qemu-system-arm", "-M", board.machine, "-display", "none", "-monitor", "none", "-icount", icount]
    return [*machine, "-kernel", image.resolve()]


def emulator_version(name: str) -> str:
    """Return how the emulator names itself; it is what counts the instructions."""
    return call(["qemu-system-arm", "--version"], name).splitlines()[0]


def instructions(ticks: int, board: QemuBoard) -> int:
    """Turn ticks of an emulated board's clock into executed instructions, exact to one tick."""
    return round(ticks * 10**9 / board.tick_hz / 2**ICOUNT_SHIFT)


def fnv1a(data: bytes) -> int:
    """Return the 32-bit FNV-1a hash (Fowler, Noll, Vo) that the harness reports."""
    value = FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return value


def fnv1a_rows(*tensors: NDArray[Any]) -> NDArray[np.uint32]:
    """Return `fnv1a` of each row's bytes in memory, tensor after tensor, for arrays of shape (rows, ...)."""
    rows = len(tensors[0])
    flat = [np.ascontiguousarray(tensor).view(np.uint8).reshape(rows, -1) for tensor in tensors]
    value = np.full(rows, FNV_OFFSET, np.uint32)
    for column in np.ascontiguousarray(np.concatenate(flat, axis=1).T):
        value = (value ^ column) * np.uint32(FNV_PRIME)
    return value


def little_endian(samples: Samples) -> bytes:
    """Return counts as the devices hold and read them."""
    return samples.astype(samples.dtype.newbyteorder("<")).tobytes()


def _encode(mode: int, samples: Samples, repeats: int) -> bytes:
    n_windows, window, channels = samples.shape
    header = struct.pack("<4s6I", REQUEST_MAGIC, mode, window, channels, samples.dtype.itemsize, n_windows, repeats)
    return header + little_endian(samples)


def _header(reader: Reader) -> tuple[int, int, tuple[int, ...]]:
    """Read sizes: input bytes, number of outputs, output bytes of each operation."""
    if reader.take(4) != RESPONSE_MAGIC:
        raise _bad_response("it does not begin with the protocol's magic")
    _check_status(reader.fields("I")[0])
    input_bytes, outputs, n_ops = reader.fields("3I")
    return input_bytes, outputs, reader.fields(f"{n_ops}I")


def _trailer(reader: Reader, n_ops: int) -> Telemetry:
    preprocess, *ops, run = (Timing(*reader.fields("2Q")) for _ in range(n_ops + 2))
    status, intact, *sizes = reader.fields("6I")
    _check_status(status)
    if reader.rest() != RESPONSE_END:
        raise _bad_response("its end is not where it should be")
    return Telemetry(preprocess, tuple(ops), run, bool(intact), *sizes)


def _check_status(status: int) -> None:
    if status:
        raise _bad_response(STATUS.get(status, f"its status is {status}"))


def _bad_response(found: str) -> ArtifactError:
    return ArtifactError(
        found=found,
        where="the harness response",
        expected="what firmware/harness/protocol.h describes, from an image built for this model",
        remedy="Build the images again with `dvc repro build`",
    )
