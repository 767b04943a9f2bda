"""Reading a device's log: the other side of ``firmware/runtime/log.h``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ArtifactError

MAGIC = 0x474C4754
VERSION = 1
HEADER = np.dtype(
    [("magic", "<u4"), ("version", "<u2"), ("record_bytes", "<u2"), ("capacity", "<u4"), ("written", "<u4")]
)

#: One window.
RECORD = np.dtype(
    [
        ("window", "<u4"),
        ("ticks", "<u4"),
        ("min", "<i4"),
        ("max", "<i4"),
        ("score", "<i4", (2,)),
        ("output", "u1", (2,)),
        ("class", "u1"),
        ("state", "u1"),
        ("causes", "<u2"),
        ("missed", "<u2"),
    ]
)


@dataclass(frozen=True)
class Log:
    """What a device remembers.

    Attributes
    ----------
    records : ndarray of `RECORD`, shape (n,)
        From the oldest to the newest.
    overwritten : int
        Older ones that are gone.
    """

    records: NDArray[np.void]
    overwritten: int


def decode(data: bytes, where: str) -> Log:
    """Read a log from memory.

    Parameters
    ----------
    data : bytes
        The header and all records, as they lie on the device.
    where : str
        Their origin, for errors.

    Raises
    ------
    ArtifactError
        If it is no log, one of another version, or cut short.
    """
    if len(data) < HEADER.itemsize:
        raise _not_a_log(f"{len(data)} bytes are no header", where)
    header = np.frombuffer(data, HEADER, count=1)[0]
    shape = (int(header["magic"]), int(header["version"]), int(header["record_bytes"]))
    if shape != (MAGIC, VERSION, RECORD.itemsize):
        raise _not_a_log("magic {:#010x}, version {}, {} bytes per record".format(*shape), where)
    capacity, written = int(header["capacity"]), int(header["written"])
    there = len(data) - HEADER.itemsize
    if capacity < 1 or there != capacity * RECORD.itemsize:
        raise _not_a_log(f"{there} bytes of records where the header says {capacity} records", where)
    records = np.frombuffer(data, RECORD, offset=HEADER.itemsize)
    held = min(written, capacity)
    return Log(records[np.arange(written - held, written) % capacity], written - held)


def _not_a_log(found: str, where: str) -> ArtifactError:
    return ArtifactError(
        found=found,
        where=where,
        expected=f"a log of version {VERSION} with {RECORD.itemsize} bytes per record, whole",
        remedy="Read the memory of the symbol again, and use the host tools of the firmware's release",
    )
