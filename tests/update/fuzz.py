"""Fuzz the bundle parser and the metadata log, and make the corpus that it begins with.

    python -m tests.update.fuzz [--executions 1000000] [--seed 0] [--keep FOLDER]

Runs the program of fuzz.c under sanitizers on mutations of tests/update/corpus. An input that fails is left in
build/fuzz/failed; --keep stores the inputs that reached something new.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import zlib
from pathlib import Path

from cobs import cobs

from stages.core.bundle.format import SECTIONS, Identity, pack
from tests.update.library import FIRMWARE, FLAGS, HERE, SANITIZED, SOURCES, State, compile_monocypher

CORPUS = HERE / "corpus"
_IDENTITY = Identity((1, 2, 3), 5, 1, 6048, "00" * 32, "02" * 32, "03" * 32)
_BLOCK = 256


def seeds() -> dict[str, bytes]:
    """Make an input of each kind that fuzz.c tells apart, with bundles that are not signed."""
    sections = {name: bytes([k + 1]) * (32 - k) for k, name in enumerate(SECTIONS)}
    bundle = bytearray(pack(_IDENTITY, sections))
    bundle[24] = 1
    made = {f"bundle-{kind}": bytes([kind]) + bytes(bundle) for kind in range(3)}
    calls = bytes([5, 99, 3, 0, 7, 0, 4, 0, 6, 3, 0, 1, 1, 200, 2, 0, 6, 40, 4, 14])
    for state in State:
        active = 1 if state != State.CONFIRMED else 0
        record = _record(7, (state, State.CONFIRMED), active)
        made[f"metadata-{state.name.lower()}"] = b"\4" + _blocks([_record(6), record], [_record(5)]) + calls
    made["metadata-erased"] = b"\3" + _blocks([], []) + calls
    made["metadata-wrapped"] = b"\3" + _blocks([_record(2**32 - 1)], [_record(0)]) + calls
    status = struct.pack("<BBHI", 1, 16, 0, 1)
    made["line-status"] = b"\5" + cobs.encode(status + struct.pack("<I", zlib.crc32(status))) + b"\0\0"
    begin = bytes([17, 4]) + struct.pack("<I", 704)
    rest = bytes([19, 0, 20, 0, 21, 0, 16, 0, 22, 2, 7, 7, 17, 3, 0, 0, 0])
    made["questions-good"] = b"\6" + begin + bytes([128 + 18, 250]) * 3 + rest
    made["questions-noise"] = b"\6" + begin + bytes([18, 5]) + bytes(5) + rest
    return made


def build(folder: Path) -> Path:
    """Compile the fuzzer; only the code under test is traced."""
    folder.mkdir(parents=True, exist_ok=True)
    common = ["gcc", *FLAGS, "-D_DEFAULT_SOURCE", "-O1", *SANITIZED, "-fno-pie", f"-I{FIRMWARE}", f"-I{HERE}"]
    objects = []
    for source in SOURCES:
        objects.append(folder / f"{source.parent.name}_{source.stem}.o")
        subprocess.run([*common, "-fsanitize-coverage=trace-pc", "-c", source, "-o", objects[-1]], check=True)
    own = [HERE / f"{name}.c" for name in ("fuzz", "fuzz_driver", "device")]
    more = [*objects, compile_monocypher(folder), "-no-pie", "-o", folder / "fuzz"]
    subprocess.run([*common, *own, *more], check=True)
    return folder / "fuzz"


def run(
    program: Path, executions: int, seed: int = 0, corpus: Path = CORPUS, keep: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer."""
    more = [] if keep is None else [keep]
    command = [program, str(executions), str(seed), corpus, program.parent / "failed", *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _record(sequence: int, slots: tuple[int, int] = (0, 0), active: int = 2) -> bytes:
    body = struct.pack("<4sI5B3x", b"TGM1", sequence, *slots, active, 1, 0) + bytes(44)
    return body + struct.pack("<I", zlib.crc32(body))


def _blocks(*blocks: list[bytes]) -> bytes:
    return b"".join(b"".join(records).ljust(_BLOCK, b"\xff") for records in blocks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    done = run(build(Path("build/fuzz")), chosen.executions, chosen.seed, keep=chosen.keep)
    print(done.stdout, done.stderr, sep="", end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
