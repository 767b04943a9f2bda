"""Running compilers and emulators: found or named with their package, finished or failed with their last lines."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from stages.core.errors import ToolchainError

#: Debian's package for each program.
PACKAGES = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "arm-none-eabi-objdump": "binutils-arm-none-eabi",
    "cmake": "cmake",
    "gcc": "gcc",
    "ninja": "ninja-build",
    "qemu-system-arm": "qemu-system-arm",
}

#: Lines of a failed command's output that an error repeats.
LAST_LINES = 12


def require(program: str, board: str) -> str:
    """Return the path of a program from `PACKAGES`, or of a native image.

    Raises
    ------
    ToolchainError
        If it is not installed, or not executable.
    """
    path = shutil.which(program)
    if path is None and program not in PACKAGES:
        raise ToolchainError(
            found="the image is missing or not executable",
            where=f"board {board}, {program}",
            expected="an image that `build` made",
            remedy="Build it again with `dvc repro build`",
        )
    if path is None:
        raise ToolchainError(
            found=f"{program} is not installed",
            where=f"board {board}",
            expected=f"{program} on PATH",
            remedy=f"Install it with `apt-get install {PACKAGES[program]}`, or leave the board out",
        )
    return path


def call(command: Sequence[str | Path], board: str, *, cwd: Path | None = None, timeout_s: float | None = None) -> str:
    """Run a command and return what it printed.

    Parameters
    ----------
    command : sequence of str or Path
        A program from `PACKAGES` or a native image, then its arguments.
    board : str
        For the error.
    cwd : Path, optional
    timeout_s : float, optional

    Raises
    ------
    ToolchainError
        If the program is missing, fails or takes too long.
    """
    program = require(str(command[0]), board)
    try:
        done = subprocess.run(  # noqa: S603  a fixed program and arguments of our own
            [program, *map(str, command[1:])],
            cwd=cwd,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failure(command, board, f"{command[0]} did not finish in {timeout_s:g} s", "") from None
    except OSError as error:
        raise _failure(command, board, f"{command[0]} cannot be executed ({error.strerror})", "") from None
    if done.returncode != 0:
        raise _failure(command, board, f"{command[0]} ended with status {done.returncode}", done.stdout)
    return done.stdout


def _failure(command: Sequence[str | Path], board: str, what: str, output: str) -> ToolchainError:
    last = " | ".join(line.strip() for line in output.splitlines()[-LAST_LINES:] if line.strip())
    return ToolchainError(
        found=f"{what}: {last}" if last else what,
        where=f"board {board}",
        expected="status 0",
        remedy=f"Run it by hand to see more: {' '.join(map(str, command))}",
    )
