"""An update over the serial line of a device: the emulated Cortex-M55, and the same sources on the host."""

from __future__ import annotations

import struct
import subprocess
import threading
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs

from stages.core.bundle.format import BOARDS, pack
from stages.core.bundle.sections import pack_golden
from stages.core.device.harness import qemu_command
from tests.core.device.boards import EMULATED, FIRMWARE, load_board, need_tools
from tests.update.library import BUILT_IN, CONTENT, IDENTITY, Result, Signer, State

BOARD_NAMES = ["native", "mps3_an547"]
STATUS, BEGIN, DATA, FINISH, ACTIVATE, RESTART, PROBE = range(16, 23)
HERE = IDENTITY
BUILT_IN_RELEASE = (1, 0, 0)
INPUTS, OUTPUTS = 16, 2
ANSWER_S = 60.0
RNG = np.random.Generator(np.random.PCG64(17))
WINDOW = RNG.integers(-128, 128, INPUTS, dtype=np.int16)


class Model:
    """A dense layer, as the device has it."""

    def __init__(self, seed: int):
        rng = np.random.Generator(np.random.PCG64(seed))
        self.weights = rng.integers(-127, 128, (OUTPUTS, INPUTS), dtype=np.int8)
        self.bias = rng.integers(-1000, 1000, OUTPUTS, dtype=np.int32)

    def bytes(self) -> bytes:
        return self.weights.tobytes() + self.bias.astype("<i4").tobytes()

    def scores(self, windows: np.ndarray) -> np.ndarray:
        return windows.astype(np.int32) @ self.weights.T.astype(np.int32) + self.bias

    def sections(self, n_windows: int = 4) -> dict[str, bytes]:
        windows = RNG.integers(-128, 128, (n_windows, INPUTS), dtype=np.int16)
        golden = pack_golden(windows[:, :, None], self.scores(windows))
        return {"weights": self.bytes(), "golden": golden}


BUILT_IN_MODEL, FIRST, SECOND = Model(1), Model(2), Model(3)


def write_target(folder: Path, key: bytes, board: str) -> None:
    """Write what the image is compiled for."""

    def listed(content: bytes) -> str:
        return "{ " + ", ".join(map(str, content)) + " }"

    lines = [
        '#include "update/bundle.h"',
        f"static const tg_target target = {{ .interface_version = {HERE.interface_version},",
        f"    .board = {BOARDS[board]}, .arena_bytes = {HERE.arena_bytes},",
        f"    .preprocess_id = {listed(bytes.fromhex(HERE.preprocess_id))},",
        f"    .graph_hash = {listed(bytes.fromhex(HERE.graph_hash))}, .key = {listed(key)} }};",
        f"static const tg_release built_in_release = {{ {{ {', '.join(map(str, BUILT_IN_RELEASE))} }} }};",
        f"static const uint8_t built_in_weights[] = {listed(BUILT_IN_MODEL.bytes())};",
    ]
    folder.mkdir()
    (folder / "update_target.h").write_text("\n".join([*lines, ""]), encoding="utf-8")


def build(folder: Path, key: bytes, board: str) -> Path:
    write_target(folder / "target", key, board)
    options = [f"-DTG_BOARD={board}", "-DTG_FORWARD_ONLY=ON", f"-DTG_UPDATE_TARGET={folder / 'target'}"]
    if board in EMULATED:
        options += [f"-DCMAKE_TOOLCHAIN_FILE={FIRMWARE}/cmake/arm-none-eabi.cmake", "-DTG_TICK_HZ=32000000"]
    else:
        options += ["-DTG_SANITIZE=ON", "-DTG_OPTIMIZE=-O1"]
    for command in (
        ["cmake", "-G", "Ninja", "-S", FIRMWARE, "-B", folder / "build", *options],
        ["ninja", "-C", folder / "build", "-j", "1", "update_sim"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:]
    return folder / "build" / "update_sim.elf"


class Host:
    """The other end of the line."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        self.sequence = 0
        self.watchdog = threading.Timer(ANSWER_S, self.process.kill)
        self.watchdog.start()

    def close(self):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()

    def send(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def read(self) -> bytes:
        packet = b""
        while not packet.endswith(b"\0"):
            byte = self.process.stdout.read(1)
            assert byte, "the device ended"
            packet += byte
        return cobs.decode(packet[:-1])

    def frame(self, kind: int, content: bytes = b"") -> bytes:
        body = struct.pack("<BBHI", 1, kind, 0, self.sequence) + content
        return cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"

    def answer(self, kind: int) -> tuple[Result, bytes]:
        frame = self.read()
        version, answered, result, sequence = struct.unpack_from("<BBHI", frame)
        assert (version, answered, sequence) == (1, kind | 0x80, self.sequence)
        assert frame[-4:] == struct.pack("<I", zlib.crc32(frame[:-4]))
        return Result(result), frame[8:-4]

    def ask(self, kind: int, content: bytes = b"") -> tuple[Result, bytes]:
        self.sequence += 1
        self.send(self.frame(kind, content))
        return self.answer(kind)

    def update(self, bundle: bytes, piece: int = 1024) -> Result:
        """Send a bundle until the device refuses, or to its end."""
        result, _ = self.ask(BEGIN, struct.pack("<I", len(bundle)))
        for at in range(0, len(bundle), piece):
            if result == Result.OK:
                result, _ = self.ask(DATA, bundle[at : at + piece])
        return self.ask(FINISH)[0] if result == Result.OK else result

    def status(self):
        """What runs, the states of the slots, and the last result."""
        fields = struct.unpack("<6B2x6I", self.ask(STATUS)[1])
        return fields[0], [State(state) for state in fields[1:3]], Result(fields[5]), fields[9:]

    def scores(self) -> list[int]:
        return list(struct.unpack("<2i", self.ask(PROBE, WINDOW.tobytes())[1]))


def expected(model: Model) -> list[int]:
    return model.scores(WINDOW[None])[0].tolist()


@pytest.fixture(scope="module", params=BOARD_NAMES)
def image(request, tmp_path_factory, signer):
    need_tools(request.param)
    return request.param, build(tmp_path_factory.mktemp(request.param), signer.public, request.param)


@pytest.fixture
def host(image):
    name, elf = image
    command = [*qemu_command(load_board(name), elf), "-serial", "stdio"] if name in EMULATED else [elf]
    it = Host(command)
    yield it
    it.close()


@pytest.fixture
def made(image, signer):
    """Make bundles for the board, signed."""

    def make(model=SECOND, release=(1, 2, 0), n_windows=4, key=signer, **changes):
        identity = replace(HERE, release=release, **({"boards": BOARDS[image[0]]} | changes))
        return key.bundle(identity, **model.sections(n_windows))

    return make


@pytest.fixture
def updated(host, made):
    """A device on its first update."""
    assert host.update(made(FIRST, (1, 1, 0))) == Result.OK
    assert [host.ask(kind)[0] for kind in (ACTIVATE, RESTART)] == [Result.OK] * 2
    return host


def test_a_good_bundle_becomes_what_runs(host, made):
    assert (host.status()[0], host.scores()) == (BUILT_IN, expected(BUILT_IN_MODEL))
    assert host.update(made(FIRST, (1, 1, 0))) == Result.OK
    assert host.scores() == expected(BUILT_IN_MODEL)
    assert [host.ask(kind)[0] for kind in (ACTIVATE, RESTART)] == [Result.OK] * 2
    assert host.status() == (0, [State.CONFIRMED, State.EMPTY], Result.OK, (1, 1, 0))
    assert host.scores() == expected(FIRST)
    assert host.update(made(SECOND), piece=100) == Result.OK
    assert [host.ask(kind)[0] for kind in (ACTIVATE, RESTART)] == [Result.OK] * 2
    assert (host.status()[0], host.scores()) == (1, expected(SECOND))


def corrupted(made, signer):
    bundle = bytearray(made())
    bundle[450] ^= 4
    return bytes(bundle)


def resigned(bundle, signer, at, value):
    changed = bytearray(bundle[:-64])
    struct.pack_into("<I", changed, at, value)
    return bytes(changed) + signer.sign(bytes(changed))


def lying(made, signer):
    wrong = FIRST.sections() | {"weights": SECOND.bytes()}
    boards = struct.unpack_from("<I", made(), 44)[0]
    return signer.bundle(replace(HERE, release=(1, 2, 0), boards=boards), **wrong)


REFUSED = {
    "corrupted": (Result.HASH, corrupted),
    "truncated": (Result.SIZE, lambda made, signer: made()[:-16]),
    "no bundle": (Result.MAGIC, lambda made, signer: bytes(1000)),
    "other format": (Result.FORMAT, lambda made, signer: resigned(made(), signer, 4, 1)),
    "interface": (Result.INTERFACE, lambda made, signer: made(interface_version=6)),
    "board": (Result.BOARD, lambda made, signer: made(boards=BOARDS["mps2_an386"])),
    "arena": (Result.ARENA, lambda made, signer: made(arena_bytes=6049)),
    "preprocess": (Result.PREPROCESS, lambda made, signer: made(preprocess_id="23" * 32)),
    "graph": (Result.GRAPH, lambda made, signer: made(graph_hash="34" * 32)),
    "downgrade": (Result.DOWNGRADE, lambda made, signer: made(release=(1, 0, 9))),
    "unsigned": (Result.UNSIGNED, lambda made, signer: pack(replace(HERE, release=(1, 2, 0), boards=7), CONTENT)),
    "other key": (Result.SIGNATURE, lambda made, signer: made(key=Signer(signer.library, bytes(32)))),
    "self-test": (Result.SELF_TEST, lying),
    "over budget": (Result.OVER_BUDGET, lambda made, signer: made(n_windows=250)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_right_is_refused_by_its_own_code_and_the_old_model_keeps_running(
    image, updated, made, signer, name
):
    code, make = REFUSED[name]
    if (name, image[0]) == ("over budget", "native"):
        pytest.skip("a host has no clock that repeats")
    assert updated.update(make(made, signer)) == code
    assert updated.scores() == expected(FIRST)
    running = (0, [State.CONFIRMED, State.EMPTY], code, (1, 1, 0))
    assert updated.status() == running
    assert updated.ask(ACTIVATE)[0] == Result.STATE
    updated.ask(RESTART)
    assert (updated.status(), updated.scores()) == (running, expected(FIRST))


def test_a_question_that_comes_twice_is_acted_on_once(host, made):
    bundle = made()
    host.ask(BEGIN, struct.pack("<I", len(bundle)))
    for at in range(0, len(bundle), 300):
        host.ask(DATA, bundle[at : at + 300])
        host.send(host.frame(DATA, bundle[at : at + 300]))
        assert host.answer(DATA)[0] == Result.OK
    host.ask(FINISH)
    host.send(host.frame(FINISH))
    assert host.answer(FINISH)[0] == Result.OK


def test_noise_on_the_line_is_not_answered_and_does_no_harm(host):
    good = host.frame(STATUS)
    noise = [b"\0\0", good[:9] + b"\0", bytes(range(1, 256)) * 9 + b"\0", good[:5] + bytes([good[5] ^ 8]) + good[6:]]
    host.send(b"".join(noise))
    assert host.status()[0] == BUILT_IN


def test_a_start_in_the_middle_of_a_download_is_remembered(updated, made):
    updated.ask(BEGIN, struct.pack("<I", len(made())))
    updated.ask(DATA, made()[:300])
    updated.ask(RESTART)
    assert updated.status() == (0, [State.CONFIRMED, State.EMPTY], Result.INTERRUPTED, (1, 1, 0))
