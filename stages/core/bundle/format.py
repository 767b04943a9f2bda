"""The bundle's container, byte for byte as docs/bundle.md has it.

The same content gives the same bytes, and one content has one form only: a reader refuses every other.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.core.errors import ArtifactError, ConfigError

MAGIC = b"TGB2"
FORMAT_VERSION = 2
#: A section's kind is its place in this list, from 1 on.
SECTIONS = ("weights", "contract", "preprocess", "config", "calibration", "golden")
#: Bits that name the boards a bundle is for; `firmware/boards/<board>` has the same number.
BOARDS = {"native": 1, "mps2_an386": 2, "mps3_an547": 4}
SIGNATURE_BYTES = 64
_SIGNED = 1
_FLAGS_AT = 24
_HEADER = struct.Struct("<4s15I32s32s32s")
_ENTRY = struct.Struct("<IIII32s")
_BEGIN = _HEADER.size + len(SECTIONS) * _ENTRY.size
_ALIGNMENT = 16


@dataclass(frozen=True)
class Identity:
    """What a device compares with itself before it looks at anything else.

    Attributes
    ----------
    release : tuple of (int, int, int)
        Major, minor and patch; a device takes none below the one it has confirmed.
    interface_version : int
    boards : int
        Sum of bits of `BOARDS`.
    arena_bytes : int
    model_version, preprocess_id, graph_hash : str
        64 hex digits.
    """

    release: tuple[int, int, int]
    interface_version: int
    boards: int
    arena_bytes: int
    model_version: str
    preprocess_id: str
    graph_hash: str


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read.

    Attributes
    ----------
    identity : Identity
    sections : dict of str to bytes
        By the names of `SECTIONS`.
    signature : bytes or None
        64 bytes over all before them; None in a development release.
    """

    identity: Identity
    sections: dict[str, bytes]
    signature: bytes | None


def board_bits(boards: Sequence[str]) -> int:
    """Return the bits of some boards.

    Raises
    ------
    ConfigError
        If a board has none.
    """
    unknown = sorted(set(boards) - set(BOARDS))
    if unknown:
        raise ConfigError(
            found=f"{unknown[0]!r} has no bit that names it in a bundle",
            where="board",
            expected=f"boards among {', '.join(BOARDS)}",
            remedy="Give it one in stages/core/bundle/format.py and in its firmware",
        )
    return sum(BOARDS[board] for board in set(boards))


def pack(identity: Identity, sections: Mapping[str, bytes]) -> bytes:
    """Return the bundle, not signed: the flag is clear and the signature zero.

    Parameters
    ----------
    identity : Identity
    sections : mapping of str to bytes
        One per name of `SECTIONS`, in any order.
    """
    table, body = b"", b""
    for kind, name in enumerate(SECTIONS, start=1):
        content = sections[name]
        table += _ENTRY.pack(kind, _BEGIN + len(body), len(content), 0, _hash(content))
        body += content.ljust(-(-len(content) // _ALIGNMENT) * _ALIGNMENT, b"\0")
    hashes = (bytes.fromhex(text) for text in (identity.model_version, identity.preprocess_id, identity.graph_hash))
    header = _HEADER.pack(
        MAGIC,
        FORMAT_VERSION,
        _HEADER.size,
        _ENTRY.size,
        len(SECTIONS),
        _BEGIN + len(body) + SIGNATURE_BYTES,
        0,
        identity.interface_version,
        *identity.release,
        identity.boards,
        identity.arena_bytes,
        *(0, 0, 0),
        *hashes,
    )
    return header + table + body + bytes(SIGNATURE_BYTES)


def to_sign(data: bytes) -> bytes:
    """Return what the signature of a bundle covers: all before it, with the flag that it is signed."""
    flags = struct.pack("<I", _SIGNED)
    return data[:_FLAGS_AT] + flags + data[_FLAGS_AT + len(flags) : -SIGNATURE_BYTES]


def without_signature(data: bytes) -> bytes:
    """Return the bundle as `pack` made it."""
    return data[:_FLAGS_AT] + bytes(4) + data[_FLAGS_AT + 4 : -SIGNATURE_BYTES] + bytes(SIGNATURE_BYTES)


def unpack(data: bytes) -> Bundle:
    """Read a bundle back. Who signed it, if it says it is signed, remains to be checked.

    Raises
    ------
    ArtifactError
        If anything is not exactly as `pack` would have it.
    """
    if len(data) < _BEGIN + SIGNATURE_BYTES:
        raise _damaged(f"it has {len(data)} bytes, fewer than a header, a table and a signature")
    magic, version, header, entry, count, total, flags, interface, *rest = _HEADER.unpack_from(data)
    if (magic, version) != (MAGIC, FORMAT_VERSION):
        raise _damaged(f"it begins with {magic!r}, format {version}")
    if (header, entry, count) != (_HEADER.size, _ENTRY.size, len(SECTIONS)) or total != len(data):
        raise _damaged(f"its header says {header} + {count} * {entry} bytes, {total} in all, and it has {len(data)}")
    release, boards, arena = (rest[0], rest[1], rest[2]), rest[3], rest[4]
    identity = Identity(release, interface, boards, arena, *(each.hex() for each in rest[-3:]))
    sections = {name: _section(data, index, name) for index, name in enumerate(SECTIONS)}
    # What no hash covers, reserved words and the bytes between sections, is settled by there being one form only.
    if flags not in (0, _SIGNED) or pack(identity, sections) != without_signature(data):
        raise _damaged("its header, table or padding is not what its sections give")
    signature = data[-SIGNATURE_BYTES:]
    if not flags and any(signature):
        raise _damaged("it has a signature and says that it has none")
    return Bundle(identity, sections, signature if flags else None)


def _section(data: bytes, index: int, name: str) -> bytes:
    _, offset, size, _, digest = _ENTRY.unpack_from(data, _HEADER.size + index * _ENTRY.size)
    content = data[offset : offset + size]
    if len(content) != size or _hash(content) != digest:
        raise _damaged(f"section {name} is truncated or altered")
    return content


def _hash(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=32).digest()


def _damaged(found: str) -> ArtifactError:
    return ArtifactError(
        found=found,
        where="the bundle",
        expected=f"a Tailgate bundle of format {FORMAT_VERSION}, whole and unaltered",
        remedy="Fetch the release again, or make it again with `dvc repro release`",
    )
