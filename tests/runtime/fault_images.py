"""The fault gate on a board: windows judged by one image, with the instructions that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from stages.core.device.harness import instructions, qemu_command
from stages.core.device.tools import call
from stages.core.runtime.fault import Limits
from tests.core.device.boards import FIRMWARE, load_board

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """A window of int16 or int32 counts, shape (frames, channels), and limits per channel, any number of times."""

    window: np.ndarray
    limits: Sequence[Sequence[Limits]]

    def encode(self) -> bytes:
        """Return it as ``fault_runner.c`` reads it."""
        header = np.array([self.window.itemsize, *self.window.shape, len(self.limits)], np.uint32)
        rows = [astuple(each) for of_window in self.limits for each in of_window]
        return header.tobytes() + self.window.tobytes() + np.array(rows, np.int64).astype(np.uint32).tobytes()


def run_gate(board: str, folder: Path, cases: Sequence[Case]) -> tuple[list[int], list[int]]:
    """Build the image, run it, and return the causes and the instructions of every window by all its limits."""
    build(board, folder)
    end = np.zeros(4, np.uint32).tobytes()
    (folder / "request.bin").write_bytes(b"".join(case.encode() for case in cases) + end)
    emulator = qemu_command(load_board(board), folder / "build" / "fault_runner.elf")
    call([*emulator, "-semihosting", "-serial", "null"], board, cwd=folder, timeout_s=120)
    causes, ticks = np.fromfile(folder / "response.bin", np.uint32).reshape(-1, 2).T.tolist()
    return causes, [instructions(each, load_board(board)) for each in ticks]


def build(board: str, folder: Path) -> None:
    options = {
        "TG_BOARD": board,
        "TG_FORWARD_ONLY": "ON",
        "CMAKE_PROJECT_tailgate_firmware_INCLUDE": HERE / "fault_runner.cmake",
        "CMAKE_TOOLCHAIN_FILE": FIRMWARE / "cmake" / "arm-none-eabi.cmake",
    }
    defines = [f"-D{key}={value}" for key, value in options.items()]
    call(["cmake", "-G", "Ninja", "-S", FIRMWARE, "-B", folder / "build", *defines], board)
    call(["ninja", "-C", folder / "build", "-j", "1", "fault_runner"], board)
