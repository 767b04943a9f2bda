"""Programs around the update library, compiled for the host, and bundles for them."""

from __future__ import annotations

import re
import struct
import subprocess
from ctypes import CDLL, POINTER, Structure, c_bool, c_uint8, c_uint32, c_void_p, create_string_buffer
from enum import IntEnum
from pathlib import Path

from stages.core.bundle.format import BOARDS, SECTIONS, Identity, pack, to_sign

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
MONOCYPHER = FIRMWARE / "third_party" / "monocypher" / "monocypher.c"
SOURCES = [
    *(FIRMWARE / "update" / f"{name}.c" for name in ("bundle", "metadata", "update", "link")),
    FIRMWARE / "sim" / "flash.c",
    FIRMWARE / "runtime" / "cobs.c",
    FIRMWARE / "runtime" / "crc32.c",
]
FLAGS = ["-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion", "-Wshadow"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
TARGET_BYTES = 3 * 4 + 3 * 32
#: The sections that tests send: every length modulo 16 that matters, and one that is empty.
CONTENT = {name: name.encode() * 3 for name in SECTIONS} | {"calibration": b"", "weights": bytes(range(64))}
IDENTITY = Identity((1, 2, 3), 5, BOARDS["native"], 6048, "11" * 32, "22" * 32, "33" * 32)
NEVER = 2**32 - 1
BUILT_IN = 2


def read_enum(header: str, prefix: str) -> type[IntEnum]:
    """Read an enumeration's members, which its header numbers or has in order."""
    text = (FIRMWARE / "update" / header).read_text(encoding="utf-8")
    names = re.findall(rf"^    {prefix}_(\w+)(?: = (\d+))?,", text, flags=re.MULTILINE)
    return IntEnum(prefix, {name: int(number or place) for place, (name, number) in enumerate(names)})


Result = read_enum("result.h", "TG_UPDATE")
State = read_enum("metadata.h", "TG_SLOT")


def compile_monocypher(folder: Path) -> Path:
    """Compile the signature's arithmetic: not ours, nearly all the time of these tests, so without sanitizers."""
    path = folder / "monocypher.o"
    subprocess.run(["gcc", "-std=c11", "-O2", "-fPIC", "-c", MONOCYPHER, "-o", path], check=True)
    return path


def compile_program(folder: Path, name: str, monocypher: Path, *more: str) -> Path:
    """Compile a program of this folder with all that it may need, under sanitizers."""
    includes = [f"-I{FIRMWARE}", f"-I{HERE}"]
    sources = [*SOURCES, HERE / "device.c", HERE / f"{name}.c", monocypher]
    subprocess.run(["gcc", *FLAGS, "-O1", *SANITIZED, *more, *includes, *sources, "-o", folder / name], check=True)
    return folder / name


class Signer:
    """A key pair, and the firmware's own signature arithmetic to sign with it."""

    def __init__(self, library: CDLL, seed: bytes = bytes(range(32))):
        self.library = library
        secret, public = create_string_buffer(64), create_string_buffer(32)
        self.library.crypto_eddsa_key_pair(secret, public, create_string_buffer(seed, 32))
        self._secret, self.public = secret, public.raw

    def sign(self, message: bytes) -> bytes:
        signature = create_string_buffer(64)
        self.library.crypto_eddsa_sign(signature, self._secret, message, len(message))
        return signature.raw

    def changed(self, bundle: bytes, *words: tuple[int, int]) -> bytes:
        """Return a bundle with words of its header or table at some places changed, signed again."""
        content = bytearray(bundle[:-64])
        for at, value in words:
            struct.pack_into("<I", content, at, value)
        return bytes(content) + self.sign(bytes(content))

    def bundle(self, identity: Identity = IDENTITY, **sections: bytes) -> bytes:
        message = to_sign(pack(identity, CONTENT | sections))
        return message + self.sign(message)


def target_bytes(key: bytes, identity: Identity = IDENTITY) -> bytes:
    """Return the bytes of `tg_target` of a device that an identity is just right for."""
    words = struct.pack("<3I", identity.interface_version, identity.boards, identity.arena_bytes)
    return words + bytes.fromhex(identity.preprocess_id) + bytes.fromhex(identity.graph_hash) + key


class SimFlash(Structure):
    """`tg_sim_flash`."""

    _fields_ = [
        ("bytes", POINTER(c_uint8)),
        ("erased", POINTER(c_uint32)),
        ("used", POINTER(c_uint8)),
        *(
            (name, c_uint32)
            for name in ("blocks", "block_bytes", "unit_bytes", "operations", "cut_at", "cut", "random")
        ),
        ("is_off", c_bool),
        ("misuses", c_uint32),
    ]


class Metadata(Structure):
    """`tg_metadata`."""

    _fields_ = [
        ("magic", c_uint32),
        ("sequence", c_uint32),
        ("slot", c_uint8 * 2),
        *((name, c_uint8) for name in ("active", "starts", "result")),
        ("reserved", c_uint8 * 3),
        ("release", c_uint32 * 3),
        ("floor", c_uint32 * 3),
        ("unused", c_uint32 * 5),
        ("crc", c_uint32),
    ]


def build_device(folder: Path, monocypher: Path) -> CDLL:
    """Compile the device of the tests as a library, checked for undefined behaviour, and load it."""
    path = folder / "device.so"
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover=all", "-shared", "-fPIC"]
    sources = [f"-I{FIRMWARE}", f"-I{HERE}", *SOURCES, HERE / "device.c", monocypher]
    subprocess.run(["gcc", *FLAGS, "-O1", *checks, *sources, "-o", path], check=True)
    library = CDLL(str(path))
    library.device_new.restype = library.device_update.restype = c_void_p
    library.device_slot.restype = library.device_block.restype = POINTER(c_uint8)
    library.device_flash.restype = POINTER(SimFlash)
    library.device_metadata.restype = Metadata
    library.device_start.restype = c_uint8
    return library


class Device:
    """A device whose flash is simulated, with a key that it trusts."""

    def __init__(self, library: CDLL, key: bytes, geometry=(256, 16, 4), max_starts=3, built_in=(0, 0, 0)):
        target = create_string_buffer(target_bytes(key), TARGET_BYTES)
        shape, release = (c_uint32 * 3)(*geometry), (c_uint32 * 3)(*built_in)
        self.library = library
        self._it = c_void_p(library.device_new(shape, target, max_starts, release))
        self.is_refused = self._it.value is None
        if not self.is_refused:
            self._update = c_void_p(library.device_update(self._it))
            self.flash = library.device_flash(self._it).contents
            self.running = BUILT_IN

    def close(self):
        if not self.is_refused:
            self.library.device_free(self._it)

    def start(self, cut_at=NEVER, cut=0):
        self.running = self.library.device_start(self._it, cut_at, cut, 1)
        return self.running

    def self_tests(self, says=Result.OK) -> int:
        """Set what the self-test says, and return how often it was asked so far."""
        return self.library.device_self_test(self._it, says)

    def begin(self, size: int):
        return Result(self.library.tg_update_begin(self._update, size))

    def write(self, data: bytes):
        return Result(self.library.tg_update_write(self._update, data, len(data)))

    def finish(self):
        return Result(self.library.tg_update_finish(self._update))

    def receive(self, bundle: bytes, piece=100):
        return Result(self.library.device_receive(self._it, bundle, len(bundle), piece))

    def activate(self):
        return Result(self.library.tg_update_activate(self._update))

    def health(self, says=Result.OK):
        return Result(self.library.tg_update_health(self._update, says))

    def install(self, bundle: bytes):
        """Update without anything going wrong."""
        assert [self.receive(bundle), self.activate()] == [Result.OK] * 2
        self.start()
        assert self.health() == Result.OK

    def slot(self, slot: int):
        return self.library.device_slot(self._it, slot)

    def block(self, block: int):
        return self.library.device_block(self._it, block)

    @property
    def metadata(self) -> Metadata:
        """The record that a start now would find."""
        return self.library.device_metadata(self._it)

    @property
    def states(self):
        return [State(state) for state in self.metadata.slot]

    @property
    def result(self):
        return Result(self.metadata.result)
