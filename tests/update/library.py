"""Programs around the update library, compiled for the host, and bundles for them."""

from __future__ import annotations

import struct
import subprocess
from ctypes import CDLL, create_string_buffer
from pathlib import Path

from stages.core.bundle.format import BOARDS, SECTIONS, Identity, pack, to_sign

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
MONOCYPHER = FIRMWARE / "third_party" / "monocypher" / "monocypher.c"
SOURCES = [
    *(FIRMWARE / "update" / f"{name}.c" for name in ("bundle", "metadata", "update")),
    FIRMWARE / "sim" / "flash.c",
    FIRMWARE / "runtime" / "crc32.c",
]
FLAGS = ["-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion", "-Wshadow"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
#: The sections that tests send: every length modulo 16 that matters, and one that is empty.
CONTENT = {name: name.encode() * 3 for name in SECTIONS} | {"calibration": b"", "weights": bytes(range(64))}
IDENTITY = Identity((1, 2, 3), 5, BOARDS["native"], 6048, "11" * 32, "22" * 32, "33" * 32)


def compile_program(folder: Path, name: str, *more: str) -> Path:
    """Compile a program of this folder with all that it may need, under sanitizers.

    The signature's arithmetic, which is not ours and takes nearly all the time, is compiled without them.
    """
    crypto = folder / "monocypher.o"
    subprocess.run(["gcc", "-std=c11", "-O3", "-c", MONOCYPHER, "-o", crypto], check=True)
    command = ["gcc", *FLAGS, "-O1", *SANITIZED, *more, f"-I{FIRMWARE}", f"-I{HERE}", *SOURCES, HERE / f"{name}.c"]
    subprocess.run([*command, HERE / "device.c", crypto, "-o", folder / name], check=True)
    return folder / name


class Signer:
    """A key pair, and the firmware's own signature arithmetic to sign with it."""

    def __init__(self, folder: Path, seed: bytes = bytes(range(32))):
        path = folder / "monocypher.so"
        subprocess.run(["gcc", "-std=c11", "-O2", "-shared", "-fPIC", MONOCYPHER, "-o", path], check=True)
        self._library = CDLL(str(path))
        secret, public = create_string_buffer(64), create_string_buffer(32)
        self._library.crypto_eddsa_key_pair(secret, public, create_string_buffer(seed, 32))
        self._secret, self.public = secret, public.raw

    def sign(self, message: bytes) -> bytes:
        signature = create_string_buffer(64)
        self._library.crypto_eddsa_sign(signature, self._secret, message, len(message))
        return signature.raw

    def bundle(self, identity: Identity = IDENTITY, **sections: bytes) -> bytes:
        message = to_sign(pack(identity, CONTENT | sections))
        return message + self.sign(message)


def target_bytes(key: bytes, identity: Identity = IDENTITY) -> bytes:
    """Return the bytes of `tg_target` of a device that an identity is just right for."""
    words = struct.pack("<3I", identity.interface_version, identity.boards, identity.arena_bytes)
    return words + bytes.fromhex(identity.preprocess_id) + bytes.fromhex(identity.graph_hash) + key
