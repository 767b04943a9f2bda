"""Blocks of frames in, windows out: the model of ``firmware/runtime/ring.c``, with whole numbers that never wrap."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stages.core.schema.runtime import Policy


@dataclass(frozen=True)
class Taken:
    """A window.

    Attributes
    ----------
    frames : ndarray of int, shape (window, channels)
    start : int
        Its first frame, counted from the start of the stream with the lost ones.
    missed : int
        Frames, of any kind, that lie between where it was due and where it starts.
    passed_over : int
        Frames, of any kind, since the start.
    """

    frames: NDArray[np.integer]
    start: int
    missed: int
    passed_over: int


@dataclass
class Ring:
    """Frames held, and what was lost of them.

    Attributes
    ----------
    capacity, window, hop : int
        Frames.
    policy : {"drop_oldest", "skip_if_late"}
    dropped : int
        Frames written over before they were taken, in whole hops.
    skipped : int
        Frames passed over for the newest window, in whole hops.
    cut : int
        Frames before a gap that fill no window any more.
    lost : int
        Frames of missing blocks.
    gaps, repeated : int
        Blocks after a gap, and blocks with a number from before.
    written : int
        Frames that came, without the lost ones.
    """

    capacity: int
    window: int
    hop: int
    policy: Policy = "drop_oldest"
    dropped: int = 0
    skipped: int = 0
    cut: int = 0
    lost: int = 0
    gaps: int = 0
    repeated: int = 0
    written: int = 0
    _held: deque[NDArray[np.integer]] = field(init=False)
    _stretch: int = 0
    _next_block: int = 0
    _position: int = 0
    _due: int = 0

    def __post_init__(self) -> None:
        self._held = deque(maxlen=self.capacity)

    @property
    def cycle(self) -> int:
        """What the device's positions are modulo of."""
        return (2**31 - 1) // self.capacity * self.capacity

    def push(self, block: int, frames: NDArray[np.integer]) -> None:
        """Append a block.

        Parameters
        ----------
        block : int
            Its number, from 0.
        frames : ndarray, shape (n, channels)
        """
        if block < self._next_block:
            self.repeated += 1
            return
        if block > self._next_block:
            self.gaps += 1
            self.lost += (block - self._next_block) * len(frames)
            self._stretch = self.written
        self._next_block = block + 1
        self._held.extend(frames)
        self.written += len(frames)

    def ready(self) -> bool:
        """Return whether a window can be taken, after passing over what cannot."""
        overwritten = self.written - self.capacity - self._position
        self.dropped += self._pass_over(-(-max(overwritten, 0) // self.hop) * self.hop)
        self.cut += self._pass_over(max(self._stretch - self._position, 0))
        late = (self.written - self._position - self.window) // self.hop
        if late > 0 and self.policy == "skip_if_late":
            self.skipped += self._pass_over(late * self.hop)
        return late >= 0

    def take(self) -> Taken | None:
        """Return the next window and move on by a hop, or None if none is ready."""
        if not self.ready():
            return None
        first = self._position - (self.written - len(self._held))
        frames = islice(self._held, first, first + self.window)
        start = self._position + self.lost
        passed_over = self.lost + self.cut + self.dropped + self.skipped
        taken = Taken(np.array(list(frames)), start, start - self._due, passed_over)
        self._position += self.hop
        self._due = start + self.hop
        return taken

    def rewind(self, frames: int) -> int:
        """Put the start of the next window so many frames before the end, or at the oldest of the stretch still held.

        Returns
        -------
        int
            How many frames before the end it is.
        """
        back = min(frames, self.capacity, self.written - self._stretch)
        self._position = self.written - back
        self._due = self._position + self.lost
        return back

    def _pass_over(self, frames: int) -> int:
        self._position += frames
        return frames
