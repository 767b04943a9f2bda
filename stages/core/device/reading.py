"""Taking an image's answer apart, from the front."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from stages.core.errors import ArtifactError


class Reader:
    """Takes fields off the front of an answer; raises what `bad` makes of it where one is not whole.

    Parameters
    ----------
    data : bytes
    bad : callable
        The error for what was found.
    """

    def __init__(self, data: bytes, bad: Callable[[str], ArtifactError]) -> None:
        self._data, self._bad, self._at = data, bad, 0

    def take(self, n_bytes: int) -> bytes:
        """Return the next bytes."""
        end = self._at + n_bytes
        if end > len(self._data):
            raise self._bad(f"it has {len(self._data)} bytes where at least {end} are due")
        self._at, begin = end, self._at
        return self._data[begin:end]

    def fields(self, layout: str) -> tuple[Any, ...]:
        """Return the next fields, little-endian, in the notation of `struct`."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data) - self._at)
