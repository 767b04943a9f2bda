"""Firmware images of one board, from the same sources on any machine to the same bytes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.core.device.tools import call, require
from stages.core.errors import ConfigError, ToolchainError
from stages.core.schema.build import Build, NativeBoard, QemuBoard
from stages.core.schema.thousandths import thousandths

#: Options of a compiler command that say where things are, not how they are compiled.
_PATH_OPTIONS = ("-I", "-ffile-prefix-map", "-MD", "-MT", "-MF", "-o", "-c")
_WITH_ARGUMENT = ("-MT", "-MF", "-o", "-c")
_NATIVE_TICK_HZ = 1_000_000


@dataclass(frozen=True)
class RungImages:
    """Images of a precision that does not ship: what the product would be, to weigh it, and the harness, to run it."""

    app: Path
    app_map: Path
    harness: Path


@dataclass(frozen=True)
class Images:
    """What a build made.

    Attributes
    ----------
    app, forward : Path
        ELF files for production: the product, and the recorder of raw counts.
    harness, replay : Path
        ELF files for tests: of windows, and of a stream.
    app_map, forward_map : Path
        The linker's maps.
    rungs : mapping of str to RungImages
        The same of further precisions of the network.
    toolchain : dict
        Versions and flags, for the record.
    """

    app: Path
    forward: Path
    harness: Path
    replay: Path
    app_map: Path
    forward_map: Path
    rungs: Mapping[str, RungImages]
    toolchain: dict[str, str | list[str]]


def build_firmware(
    source: Path,
    generated: Path,
    name: str,
    board: NativeBoard | QemuBoard,
    build: Build,
    scratch: Path,
    *,
    rungs: Sequence[Path] = (),
    sanitize: bool = False,
) -> Images:
    """Configure and build the images of one board.

    Parameters
    ----------
    source : Path
        The firmware folder, with ``CMakeLists.txt``.
    generated : Path
        The folder that `convert` wrote.
    name : str
        The board: a folder of ``boards/``.
    board : NativeBoard or QemuBoard
    build : Build
    scratch : Path
        Where to build; made if missing. The images do not depend on it.
    rungs : sequence of Path
        Of further precisions, folders named after them with their C in ``generated``.
    sanitize : bool, default False
        Native only: stop at the first out-of-bounds access or undefined behaviour.

    Returns
    -------
    Images

    Raises
    ------
    ConfigError
        If the firmware has no port for the board.
    ToolchainError
        If a tool is missing or a source does not compile.
    """
    compiler = _compiler(source, name, board)
    defines = _defines(source, generated, name, board, build, compiler)
    defines["TG_RUNGS"] = ";".join(str(folder.resolve()) for folder in rungs)
    defines["TG_SANITIZE"] = "ON" if sanitize else "OFF"
    options = [f"-D{key}={value}" for key, value in defines.items()]
    call(["cmake", "-G", "Ninja", "-S", source, "-B", scratch, *options], name)
    call(["ninja", "-C", scratch, "-j", "2"], name)
    return Images(
        app=scratch / "app.elf",
        forward=scratch / "forward.elf",
        harness=scratch / "harness.elf",
        replay=scratch / "replay.elf",
        app_map=scratch / "app.map",
        forward_map=scratch / "forward.map",
        rungs={folder.name: _rung_images(scratch, folder.name) for folder in rungs},
        toolchain={
            "cmake": _first_line("cmake", name),
            "compiler": _first_line(compiler, name),
            "flags": _flags(scratch / "compile_commands.json"),
        },
    )


def tick_hz(board: NativeBoard | QemuBoard) -> int:
    """Return the rate of the clock that the firmware stamps blocks with; on a host it only passes in a replay."""
    return board.tick_hz if board.kind == "qemu" else _NATIVE_TICK_HZ


def _rung_images(scratch: Path, rung: str) -> RungImages:
    return RungImages(scratch / f"app_{rung}.elf", scratch / f"app_{rung}.map", scratch / f"harness_{rung}.elf")


def _defines(
    source: Path, generated: Path, name: str, board: NativeBoard | QemuBoard, build: Build, compiler: str
) -> dict[str, str]:
    """Return CMake's cache entries."""
    defines = {
        "CMAKE_BUILD_TYPE": "None",
        "CMAKE_C_FLAGS": "",  # else CFLAGS and LDFLAGS of the user's shell would come in
        "CMAKE_EXE_LINKER_FLAGS": "",
        "TG_BOARD": name,
        "TG_GENERATED": str(generated.resolve()),
        "TG_TICK_HZ": str(tick_hz(board)),
        "TG_OPTIMIZE": f"-{build.optimization}",
        "TG_FORWARD_CHANNELS": str(build.forward.channels),
        "TG_FORWARD_FRAME_SAMPLES": str(build.forward.frame_samples),
        "TG_FORWARD_SAMPLE_RATE_MILLIHZ": str(thousandths(build.forward.sample_rate_hz)),
        "TG_FORWARD_COUNTS_PER_UNIT_MILLI": str(thousandths(build.forward.counts_per_unit)),
    }
    if board.kind == "native":
        return {**defines, "CMAKE_C_COMPILER": compiler}
    toolchain = (source / "cmake" / "arm-none-eabi.cmake").resolve()
    return {**defines, "TG_STACK_BYTES": str(board.budget.stack_bytes), "CMAKE_TOOLCHAIN_FILE": str(toolchain)}


def _compiler(source: Path, name: str, board: NativeBoard | QemuBoard) -> str:
    """Return the compiler's name after making sure that the board and everything that builds it are there."""
    if not (source / "boards" / name / "board.cmake").is_file():
        ports = sorted(path.parent.name for path in source.glob("boards/*/board.cmake"))
        raise ConfigError(
            found="the firmware has no port for it",
            where=f"board.{name}",
            expected=f"one of {', '.join(ports)}",
            remedy=f"Add {source}/boards/{name}, or leave the board out",
        )
    compiler = "gcc" if board.kind == "native" else "arm-none-eabi-gcc"
    for program in (compiler, "cmake", "ninja"):
        require(program, name)
    if board.kind == "qemu" and call([compiler, "-print-file-name=libc.a"], name).strip() == "libc.a":
        raise ToolchainError(
            found="the compiler has no C library",
            where=f"board {name}",
            expected="newlib, for memcpy and memset",
            remedy="Install it with `apt-get install libnewlib-arm-none-eabi`, or leave the board out",
        )
    return compiler


def _first_line(program: str, board: str) -> str:
    return call([program, "--version"], board).splitlines()[0]


def _flags(compile_commands: Path) -> list[str]:
    """Read from CMake's own record how the network was compiled, without the paths of this machine."""
    commands = json.loads(compile_commands.read_text(encoding="utf-8"))
    command = next(c["command"] for c in commands if c["file"].endswith("/model.c"))
    flags, skip = [], False
    for word in shlex.split(command)[1:]:
        if not skip and not word.startswith(_PATH_OPTIONS):
            flags.append(word)
        skip = word in _WITH_ARGUMENT
    return flags
