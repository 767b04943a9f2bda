"""Talking to the production image: samples in, one record per window out. ``firmware/app/app.h`` is the other side."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from stages.core.device.harness import Samples, little_endian, qemu_command
from stages.core.device.tools import require
from stages.core.errors import ArtifactError, ToolchainError
from stages.core.schema.build import NativeBoard, QemuBoard

SYNC = 0xA5

#: Bits of a record's flags.
ARENA_INTACT, ALARM = 1, 2


def record_type(outputs: int) -> np.dtype[np.void]:
    """Return the layout of one decided window, for a network of so many outputs."""
    return np.dtype(
        [
            ("sync", "u1"),
            ("class", "u1"),
            ("flags", "u1"),
            ("outputs", "u1"),
            ("windows", "<u4"),
            ("positive", "<u4"),
            ("passed_over_frames", "<u4"),
            ("state", "u1"),
            ("causes", "u1"),
            ("missed", "<u2"),
            ("codes", "<i4", (outputs,)),
        ]
    )


def stream(
    app: Path,
    name: str,
    board: NativeBoard | QemuBoard,
    samples: Samples,
    n_windows: int,
    outputs: int,
    *,
    timeout_s: float,
) -> NDArray[np.void]:
    """Play a recording into the app's byte stream and collect its decisions.

    Parameters
    ----------
    app : Path
        The image.
    name : str
        The board's name, for errors.
    board : NativeBoard or QemuBoard
    samples : ndarray of int16 or int32, shape (frames, channels)
        Of the firmware's width.
    n_windows : int
        Records to wait for; an emulated app never ends by itself.
    outputs : int
        Of the network.
    timeout_s : float
        Of real time.

    Returns
    -------
    ndarray of `record_type`, shape (n_windows,)

    Raises
    ------
    ToolchainError
        If the emulator is missing or the app does not send that many records in time.
    ArtifactError
        If what it sends are not records.
    """
    layout = record_type(outputs)
    command: list[str | Path] = [app.resolve()]
    if board.kind == "qemu":
        command = [*qemu_command(board, app), "-serial", "stdio"]
    program = require(str(command[0]), name)
    with (
        subprocess.Popen(  # noqa: S603  a fixed program and arguments of our own
            [program, *map(str, command[1:])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process
    ):
        data = _exchange(process, little_endian(samples), n_windows * layout.itemsize, timeout_s)
    if len(data) < n_windows * layout.itemsize:
        raise ToolchainError(
            found=f"{len(data) // layout.itemsize} records came within {timeout_s:g} s",
            where=f"board {name}, image {app}",
            expected=f"{n_windows} records for {len(samples)} frames",
            remedy="Look at the window and the hop in the configuration, or raise the time limit",
        )
    return _decode(data, layout, f"board {name}, image {app}")


def _decode(data: bytes, layout: np.dtype[np.void], where: str) -> NDArray[np.void]:
    records = np.frombuffer(data, layout)
    if not ((records["sync"] == SYNC) & (records["outputs"] == layout["codes"].shape[0])).all():
        raise ArtifactError(
            found="a record does not begin with the sync byte, or has another number of outputs",
            where=where,
            expected="the records that firmware/app/app.h describes",
            remedy="Build the image again with `dvc repro build`",
        )
    return records


def _exchange(process: subprocess.Popen[bytes], data: bytes, n_bytes: int, timeout_s: float) -> bytes:
    """Write and read at the same time; end the process after `n_bytes` or the time limit."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101  both are pipes
    watchdog = threading.Timer(timeout_s, process.kill)
    writer = threading.Thread(target=_write, args=(process.stdin, data))
    watchdog.start()
    writer.start()
    received = process.stdout.read(n_bytes)
    watchdog.cancel()
    process.kill()
    writer.join()
    return received


def _write(pipe: IO[bytes], data: bytes) -> None:
    try:
        pipe.write(data)
        pipe.close()
    except BrokenPipeError:
        pass  # The process was ended first: it had answered, or it ran out of time.
