"""Where flash and RAM go, and what the production image may not contain."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from stages.core.device.tools import call
from stages.core.errors import ToolchainError

#: What each line of the report holds.
COMPONENTS = {
    "model": "weights, biases, multipliers and the operator table",
    "kernels": "code of the operators, each specialised for its shape",
    "arena": "every activation, and the guard words",
    "preprocess": "code from counts to codes",
    "runtime": "ring buffer, fault gate, decision, log, stack measurement",
    "app": "the main loop, the memory of ring and log, and one window",
    "board": "startup, vectors, input and output, memcpy and memset",
    "stack": "reserved by the linker script",
    "padding": "alignment, and what the linker adds of its own",
}

_FROM_ARCHIVE = re.compile(r"^\S*/(lib\w+\.a)\((\S+)\)", re.MULTILINE)
#: Members of newlib's libc.a that an image for production may use.
_ALLOWED = re.compile(r"libc?_a-mem(cpy|move|set)(-stub)?\.o")
_INPUT_SECTION = re.compile(r"^ (\.[\w.$-]+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$", re.MULTILINE)
#: CMake's folders of objects; of a further precision, its name follows.
_MODEL = re.compile(r"model(_\w+)?\.dir/")
_FOLDERS = {
    "preprocess": re.compile(r"preprocess(_\w+)?\.dir/"),
    "runtime": re.compile(r"runtime\.dir/"),
    "app": re.compile(r"(app|product)(_\w+)?\.dir/app/"),
}
_CONTENT = (".text", ".rodata", ".data", ".bss", ".vectors", "COMMON")


@dataclass(frozen=True)
class Usage:
    """Bytes. Initialised data counts twice: its values lie in flash, its variables in RAM."""

    flash_bytes: int = 0
    ram_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.flash_bytes + other.flash_bytes, self.ram_bytes + other.ram_bytes)


def measure(elf: Path, linker_map: Path) -> dict[str, Any]:
    """Report the flash and RAM of an image by component.

    Parameters
    ----------
    elf : Path
    linker_map : Path
        The linker's map of the same image.

    Returns
    -------
    dict
        ``total`` and ``components``, each ``{flash_bytes, ram_bytes}``, and per component its ``meaning``.
        The components add up to the total, which comes from the ELF file and not from the map.
    """
    outputs = _output_sections(elf)
    total = sum((_usage(flags, kind, size) for _, _, size, flags, kind in outputs), Usage())
    parts = dict.fromkeys(COMPONENTS, Usage())
    for name, address, size, source in _input_sections(linker_map):
        for _, start, length, flags, kind in outputs:
            if start <= address < start + length and size:
                component = _component(name, source)
                parts[component] += _usage(flags, kind, size)
                break
    parts["stack"] = sum((_usage(f, k, size) for name, _, size, f, k in outputs if name == ".stack"), Usage())
    known = sum(parts.values(), Usage())
    parts["padding"] = Usage(total.flash_bytes - known.flash_bytes, total.ram_bytes - known.ram_bytes)
    return {
        "total": asdict(total),
        "components": {name: {**asdict(usage), "meaning": COMPONENTS[name]} for name, usage in parts.items()},
    }


def check_production(elf: Path, linker_map: Path, board: str) -> None:
    """Make sure that an image for production has no heap, no stdio and no semihosting.

    Raises
    ------
    ToolchainError
        If the linker took anything from libc but memcpy, memmove, memset, or the code holds a semihosting trap.
    """
    archive_members = _FROM_ARCHIVE.findall(linker_map.read_text(encoding="utf-8"))
    foreign = sorted({m for archive, m in archive_members if archive == "libc.a" and not _ALLOWED.fullmatch(m)})
    if foreign:
        raise _not_production(board, elf, f"it links {', '.join(foreign)} from libc")
    code = call(["arm-none-eabi-objdump", "-d", elf], board)
    if re.search(r"\bbkpt\s+(0x00ab|171)\b", code):
        raise _not_production(board, elf, "it contains a semihosting trap (bkpt 0xab)")


def _not_production(board: str, elf: Path, found: str) -> ToolchainError:
    return ToolchainError(
        found=found,
        where=f"board {board}, {elf.name}",
        expected="nothing from libc but memcpy, memmove and memset, and no semihosting",
        remedy=f"Take it out of the sources that {elf.stem} links in firmware/CMakeLists.txt",
    )


def _output_sections(elf: Path) -> list[tuple[str, int, int, int, str]]:
    """List name, address, size, flags and type of the sections that take memory."""
    with elf.open("rb") as file:
        return [
            (s.name, s["sh_addr"], s["sh_size"], s["sh_flags"], s["sh_type"])
            for s in ELFFile(file).iter_sections()
            if s["sh_flags"] & SH_FLAGS.SHF_ALLOC
        ]


def _input_sections(linker_map: Path) -> list[tuple[str, int, int, str]]:
    """List name, address, size and object file of the sections the linker placed."""
    text = linker_map.read_text(encoding="utf-8").partition("Linker script and memory map")[2]
    one_line = re.sub(r"^( \.\S+)\n +", r"\1 ", text, flags=re.MULTILINE)
    return [
        (name, int(address, 16), int(size, 16), source)
        for name, address, size, source in _INPUT_SECTION.findall(one_line)
        if name.startswith(_CONTENT)
    ]


def _usage(flags: int, kind: str, size: int) -> Usage:
    writable = bool(flags & SH_FLAGS.SHF_WRITE)
    stored = kind != "SHT_NOBITS"
    return Usage(flash_bytes=size if stored else 0, ram_bytes=size if writable else 0)


def _component(section: str, source: str) -> str:
    if _MODEL.search(source):
        if section.startswith(".bss"):
            return "arena"
        return "kernels" if section.startswith(".text.op_") else "model"
    return next((component for component, folder in _FOLDERS.items() if folder.search(source)), "board")
