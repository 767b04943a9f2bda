"""Faults on a stream, to see that none of them makes the product say something wrong with confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import PCG64, Generator

from stages.core.device.replay import Course
from stages.core.runtime.limits import Rails
from stages.core.schema.validate import Fault
from stages.core.seeds import derive_seed

#: Shares of the blocks: that are lost, that come late, and where a sensor that breaks does so and works again.
_LOST, _LATE = 0.02, 0.02
_BREAKS, _RECOVERS = 0.4, 0.6


@dataclass(frozen=True)
class Place:
    """What a fault depends on beside the stream.

    Attributes
    ----------
    rails : sequence of (int, int)
        Least and largest count of each channel.
    hop : int
        Frames.
    busy_ticks : int
        What the product takes for a window when it is left alone.
    """

    rails: Sequence[Rails]
    hop: int
    busy_ticks: int


def inject(fault: Fault, course: Course, place: Place, seed: int) -> Course:
    """Return a course with a fault of `FAULTS`; the same for the same arguments."""
    return FAULTS[fault](course, place, Generator(PCG64(derive_seed(seed, f"replay.{fault}"))))


def _dropped_blocks(course: Course, place: Place, rng: Generator) -> Course:
    """Blocks that never come, alone or a few in a row."""
    lost = np.zeros(len(course.numbers), dtype=bool)
    for first in np.flatnonzero(rng.random(len(lost)) < _LOST / 2):
        lost[first : first + rng.integers(1, 4)] = True
    lost[-1] = False  # what is missing after the last block is no gap
    if not lost.any():
        lost[len(lost) // 2] = len(lost) > 1
    times = np.cumsum(course.quanta)[~lost]
    quanta = np.diff(times, prepend=0)
    firsts = course.first_samples[~lost]
    return replace(
        course, frames=course.frames[~lost], numbers=course.numbers[~lost], first_samples=firsts, quanta=quanta
    )


def _stuck_axis(course: Course, place: Place, rng: Generator) -> Course:
    """One channel keeps the count that it has, for a fifth of the stream."""
    frames, channel = course.frames.copy(), rng.integers(course.frames.shape[2])
    broken = _broken(course)
    frames[broken, :, channel] = frames[broken.start, 0, channel]
    return replace(course, frames=frames)


def _saturation(course: Course, place: Place, rng: Generator) -> Course:
    """One channel is held at a rail for a fifth of the stream."""
    frames, channel = course.frames.copy(), int(rng.integers(course.frames.shape[2]))
    frames[_broken(course), :, channel] = place.rails[channel][1]
    return replace(course, frames=frames)


def _no_number(course: Course, place: Place, rng: Generator) -> Course:
    """The count that stands for no measurement, the least that its type has, here and there for a fifth of it."""
    frames, broken = course.frames.copy(), _broken(course)
    frames[broken] = np.where(rng.random(frames[broken].shape) < 0.25, np.iinfo(frames.dtype).min, frames[broken])
    return replace(course, frames=frames)


def _jitter(course: Course, place: Place, rng: Generator) -> Course:
    """Blocks that come late, and those behind them at once, up to a hop and two blocks later than they should."""
    due = np.cumsum(course.quanta)
    most = course.quanta_per_block * (place.hop // course.frames.shape[1] + 2)
    late = np.where(rng.random(len(due)) < _LATE, rng.integers(1, most + 1, len(due)), 0)
    late[len(late) // 2] = most
    order = np.arange(len(due))
    times = np.maximum.accumulate(due + late - order) + order  # a quantum apart at least
    return replace(course, quanta=np.diff(times, prepend=0))


def _slow(course: Course, place: Place, rng: Generator) -> Course:
    """The core gets half of that done which the product needs."""
    share = place.busy_ticks / course.core_ticks_of(place.hop) / 2
    return replace(course, core_ticks=max(int(course.core_ticks * share), 2))


def _broken(course: Course) -> slice:
    return slice(int(len(course.numbers) * _BREAKS), int(len(course.numbers) * _RECOVERS))


#: What can be injected, by name.
FAULTS: dict[Fault, Callable[[Course, Place, Generator], Course]] = {
    "dropped_blocks": _dropped_blocks,
    "stuck_axis": _stuck_axis,
    "saturation": _saturation,
    "no_number": _no_number,
    "jitter": _jitter,
    "slow": _slow,
}
