"""A stream through the production firmware: blocks out, decisions back. ``firmware/sim/replay.h`` is the other side."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.device.app import SYNC, record_type
from stages.core.device.chain import Device
from stages.core.device.harness import Samples
from stages.core.device.reading import Reader
from stages.core.errors import ArtifactError
from stages.core.runtime.fault import Cause

REQUEST_MAGIC, RESPONSE_MAGIC = b"TGRQ", b"TGRS"
STATUS = {1: "the image was built for another stream", 2: "the product refuses to start with its configuration"}
LOOKED, DECIDED, END = 1, 2, 3
#: What becomes of a window, in the order of ``firmware/app/app.h``.
STAGES = ("take", "gate", "preprocess", "model", "decide")
#: Of ring, fault gate and decision, in the order of ``firmware/sim/replay.c``.
RING_COUNTERS = ("dropped", "skipped", "cut", "lost", "gaps", "repeated")
DECISION_COUNTERS = ("windows", "positive", "uncertain", "unknown", "events", "gaps")
COUNTERS = (
    *(f"ring.{name}" for name in (*RING_COUNTERS, "torn")),
    *(f"fault.{name}" for name in ("windows", "unknown", *Cause.names())),
    *(f"decision.{name}" for name in DECISION_COUNTERS),
)


#: Fine enough for a block to come a little late.
QUANTA_PER_BLOCK = 8
#: SysTick counts 24 bits.
_LONGEST_QUANTUM = 2**24


@dataclass(frozen=True)
class Stretch:
    """Frames without a gap.

    Attributes
    ----------
    counts : ndarray of int16 or int32, shape (frames, channels)
    missing : int
        Frames that were lost before it.
    """

    counts: Samples
    missing: int = 0


@dataclass(frozen=True)
class Course:
    """A stream in time: what a sensor hands over, and when.

    Attributes
    ----------
    frames : ndarray of int, shape (blocks, frames, channels)
    numbers : ndarray of int64, shape (blocks,)
        A number left out is a block that was lost.
    quanta : ndarray of int64, shape (blocks,)
        Time after the block before, at least 1.
    quantum_ticks : int
        What a quantum is, by the sensor's clock, which is like the board's.
    quanta_per_block : int
        What the time of a block is made of.
    first_samples : ndarray of int64, shape (blocks,)
        Where each block begins in the recording.
    core_ticks : int
        What the core gets done in a quantum; fewer make it slow.
    """

    frames: NDArray[np.integer]
    numbers: NDArray[np.int64]
    quanta: NDArray[np.int64]
    quantum_ticks: int
    quanta_per_block: int
    first_samples: NDArray[np.int64]
    core_ticks: int

    @classmethod
    def of(cls, stretches: Sequence[Stretch], block_frames: int, sample_rate_hz: float, tick_hz: int) -> Course:
        """Cut a recording into blocks that come at their times.

        Parameters
        ----------
        stretches : sequence of Stretch
            In the order of time. What does not fill a block at the end of one is lost with the gap behind it.
        block_frames : int
        sample_rate_hz : float
        tick_hz : int
            Of the board's clock.
        """
        frames, numbers, firsts, next_number, sample = [], [], [], 0, 0
        for stretch in stretches:
            next_number += -(-stretch.missing // block_frames)
            whole = len(stretch.counts) // block_frames
            channels = stretch.counts.shape[1]
            frames.append(stretch.counts[: whole * block_frames].reshape(whole, block_frames, channels))
            numbers.append(next_number + np.arange(whole))
            firsts.append(sample + block_frames * np.arange(whole))
            next_number += -(-len(stretch.counts) // block_frames)
            sample += len(stretch.counts)
        number = np.concatenate(numbers)
        block_ticks = block_frames * tick_hz / sample_rate_hz
        per_block = max(QUANTA_PER_BLOCK, math.ceil(block_ticks / _LONGEST_QUANTUM))
        quantum_ticks = round(block_ticks / per_block)
        return cls(
            np.concatenate(frames),
            number,
            quanta=per_block * np.diff(number, prepend=-1),
            quantum_ticks=quantum_ticks,
            quanta_per_block=per_block,
            first_samples=np.concatenate(firsts),
            core_ticks=quantum_ticks,
        )

    def core_ticks_of(self, frames: int) -> float:
        """Return what the core gets done while so many frames come."""
        return frames / self.frames.shape[1] * self.quanta_per_block * self.core_ticks

    def sample_of(self, frame: int) -> int:
        """Return where a frame of the stream, counted with the lost ones, is in the recording."""
        block, offset = divmod(frame, self.frames.shape[1])
        return int(self.first_samples[np.searchsorted(self.numbers, block)]) + offset

    def counts_of(self, frame: int, length: int) -> NDArray[np.integer]:
        """Return frames of the stream that were not lost, shape (length, channels)."""
        per_block = self.frames.shape[1]
        block, offset = divmod(frame, per_block)
        at = int(np.searchsorted(self.numbers, block))
        blocks = self.frames[at : at + -(-(offset + length) // per_block)]
        return blocks.reshape(-1, blocks.shape[2])[offset : offset + length]


@dataclass(frozen=True)
class Look:
    """The main loop looked into the ring.

    Attributes
    ----------
    seen : int
        End of what had been written, as a position of the ring.
    since_last : int
        Ticks between the last blocks of the window and of the one before; 0 if there was no window.
    ticks : tuple of int
        Of each of `STAGES`.
    record : void of `record_type` or None
        What was decided.
    """

    seen: int
    since_last: int = 0
    ticks: tuple[int, ...] = ()
    record: np.void | None = None


@dataclass(frozen=True)
class Replayed:
    """What came back.

    Attributes
    ----------
    looks : list of Look
    counters : dict of str to int
        `COUNTERS` at the end.
    stack_bytes, stack_used_bytes : int
        0 where the board does not own its stack.
    log : bytes
        The log in the device's memory, as `stages.core.runtime.log.decode` reads it.
    """

    looks: list[Look]
    counters: dict[str, int]
    stack_bytes: int
    stack_used_bytes: int
    log: bytes


def replay(device: Device, course: Course, outputs: int) -> Replayed:
    """Stream a course through a board's replay image.

    Parameters
    ----------
    device : Device
        With the replay image.
    course : Course
    outputs : int
        Of the network.

    Raises
    ------
    ToolchainError
        If the emulator is missing, or the image crashes or hangs.
    ArtifactError
        If the image refuses the stream, or its answer makes no sense.
    """
    return decode(device.answer(encode(course)), outputs)


def encode(course: Course) -> bytes:
    """Return the request."""
    blocks, frames, channels = course.frames.shape
    width = course.frames.dtype.itemsize
    head = struct.pack("<4s6I", REQUEST_MAGIC, frames, channels, width, course.core_ticks, course.quantum_ticks, blocks)
    layout = np.dtype([("number", "<u4"), ("quanta", "<u4"), ("frames", f"<i{width}", (frames, channels))])
    body = np.zeros(blocks, layout)
    body["number"], body["quanta"], body["frames"] = course.numbers, course.quanta, course.frames
    return head + body.tobytes()


def decode(response: bytes, outputs: int) -> Replayed:
    """Read the response; raises ArtifactError."""
    layout = record_type(outputs)
    reader = Reader(response, _bad)
    magic, status = reader.fields("4sI")
    if magic != RESPONSE_MAGIC or status:
        raise _bad(STATUS.get(status, "it does not begin as an answer does"))
    looks = []
    while (kind := reader.fields("I")[0]) != END:
        if kind == LOOKED:
            looks.append(Look(reader.fields("I")[0]))
            continue
        if kind != DECIDED:
            raise _bad(f"an entry is of kind {kind}")
        seen, since_last, *ticks = reader.fields(f"{2 + len(STAGES)}I")
        record = np.frombuffer(reader.take(layout.itemsize), layout)[0]
        if record["sync"] != SYNC or record["outputs"] != outputs:
            raise _bad("a record does not begin with the sync byte, or has another number of outputs")
        looks.append(Look(seen, since_last, tuple(ticks), record))
    *counters, stack, used = reader.fields(f"{len(COUNTERS) + 2}I")
    return Replayed(looks, dict(zip(COUNTERS, counters, strict=True)), stack, used, reader.rest())


def _bad(found: str) -> ArtifactError:
    return ArtifactError(
        found=found,
        where="the answer of the replay image",
        expected="what firmware/sim/replay.h describes",
        remedy="Build the images again with `dvc repro build`",
    )
