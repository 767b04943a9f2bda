"""The bundle: one little-endian file with everything a device needs to run the model.

Layout::

    magic "TGB1" | u32 format version | u32 sections | u32 total bytes
    per section: 16 bytes name (ASCII, zero-padded) | u32 offset | u32 size | 32 bytes SHA-256
    the sections' bytes, each starting at a multiple of 16, gaps zero

The same sections give the same bytes.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ArtifactError

MAGIC = b"TGB1"
FORMAT_VERSION = 1
_HEADER = struct.Struct("<4sIII")
_ENTRY = struct.Struct("<16sII32s")
_ALIGNMENT = 16


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def pack(sections: dict[str, bytes]) -> bytes:
    """Pack sections in the order given.

    Parameters
    ----------
    sections : dict of str to bytes
        Names of at most 16 ASCII characters.
    """
    offset = _aligned(_HEADER.size + _ENTRY.size * len(sections))
    table, body = b"", b""
    for name, content in sections.items():
        table += _ENTRY.pack(name.encode("ascii"), offset + len(body), len(content), hashlib.sha256(content).digest())
        body += content.ljust(_aligned(len(content)), b"\0")
    header = _HEADER.pack(MAGIC, FORMAT_VERSION, len(sections), offset + len(body))
    return (header + table).ljust(offset, b"\0") + body


def unpack(data: bytes) -> dict[str, bytes]:
    """Read a bundle back, checking sizes and hashes.

    Raises
    ------
    ArtifactError
        If anything does not fit the layout.
    """
    if len(data) < _HEADER.size:
        raise _damaged(f"it has {len(data)} bytes")
    magic, version, count, total = _HEADER.unpack_from(data)
    if magic != MAGIC or version != FORMAT_VERSION or total != len(data):
        raise _damaged(f"its header says {magic!r}, format {version}, {total} bytes of {len(data)}")
    if _HEADER.size + count * _ENTRY.size > len(data):
        raise _damaged(f"its header announces {count} sections, more than fit")
    sections = {}
    for index in range(count):
        name, offset, size, digest = _ENTRY.unpack_from(data, _HEADER.size + index * _ENTRY.size)
        content = data[offset : offset + size]
        if len(content) != size or hashlib.sha256(content).digest() != digest:
            raise _damaged(f"section {name.rstrip(bytes(1))!r} is truncated or altered")
        sections[name.rstrip(b"\0").decode("ascii", errors="replace")] = content
    return sections


def pack_golden(samples: NDArray[np.int16] | NDArray[np.int32], scores: NDArray[np.int32]) -> bytes:
    """Pack a self-test: windows of counts, and the score codes that the device must answer to each.

    Layout: u32 windows, length, channels, outputs, bytes per count | counts [windows][length][channels] |
    int32 score codes [windows][outputs], little-endian.

    Parameters
    ----------
    samples : ndarray of int16 or int32, shape (windows, length, channels)
    scores : ndarray of int32, shape (windows, outputs)
    """
    header = struct.pack("<5I", *samples.shape, scores.shape[1], samples.dtype.itemsize)
    counts = samples.astype(samples.dtype.newbyteorder("<"))
    return header + counts.tobytes() + scores.astype("<i4").tobytes()


def _damaged(found: str) -> ArtifactError:
    return ArtifactError(
        found=found,
        where="the bundle",
        expected=f"a Tailgate bundle of format {FORMAT_VERSION}, whole and unaltered",
        remedy="Fetch the release again, or make it again with `dvc repro release`",
    )
