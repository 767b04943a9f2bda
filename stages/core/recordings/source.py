"""What every source of recordings provides: sessions by index, each read block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stages.core.recordings.session import SessionMeta


@dataclass(frozen=True)
class Block:
    """Some consecutive samples of a recording.

    Attributes
    ----------
    signal : ndarray of float64, shape (samples, channels)
        In ``meta.unit``; NaN where the source has no value.
    missing_before : int
        Samples that the source knows it lost between the previous block and this one.
    time_s : ndarray of float64, shape (samples,), or None
        Time stamps, where the source has them; gaps and the rate error are measured on these.
    """

    signal: NDArray[np.float64]
    missing_before: int = 0
    time_s: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Recording:
    """What a source yields: metadata, and the signal in physical units, not yet digitised.

    Attributes
    ----------
    meta : SessionMeta
        Without flags and gaps, which are measured while reading. A span that ends at -1 ends with the recording.
    blocks : callable
        Reads the signal; called once, in the process that stores the session. A block is at most a few MiB.
    """

    meta: SessionMeta
    blocks: Callable[[], Iterator[Block]]


class Source(Protocol):
    """Recordings by index, in a fixed order.

    A source is cheap to make and to pickle; all reading happens in `Recording.blocks`. Whatever is wrong with a
    recording is raised as `RecordingError`, naming the file or session.

    Attributes
    ----------
    live : bool
        Whether recordings come from a device as time passes, so that they are read once, in order, in one process.
    """

    live: bool

    def __len__(self) -> int:
        """Return the number of recordings."""

    def __getitem__(self, index: int) -> Recording:
        """Return one recording; raises IndexError past the end."""
