"""The arena: which byte of one static block each activation lives in, and when.

The planner knows buffers as (name, size, first use, last use) and nothing of tensors or C. Packing intervals
into the least memory is NP-hard in general, so a few orders are tried and the best kept; for a chain, where each
step has its own input and output alive and nothing else, alternating between the two ends of the arena is optimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.core.errors import OperatorError

MAX_WASTE = 1.05


@dataclass(frozen=True)
class Buffer:
    """A block of bytes and the steps during which it must keep its content.

    Attributes
    ----------
    name : str
        Unique among the buffers of one plan.
    n_bytes : int
    first_use, last_use : int
        Steps, both inclusive. Two buffers that meet in a step are both needed during it.
    """

    name: str
    n_bytes: int
    first_use: int
    last_use: int


@dataclass(frozen=True)
class Plan:
    """Where each buffer lies.

    Attributes
    ----------
    offsets : dict of str to int
        Byte offset of each buffer, a multiple of the alignment.
    arena_bytes : int
        Size of the arena, a multiple of the alignment.
    lower_bound : int
        The most bytes alive in any one step, each buffer filled up to the alignment: no plan can be smaller.
    """

    offsets: dict[str, int]
    arena_bytes: int
    lower_bound: int


def plan(buffers: Sequence[Buffer], alignment: int = 16) -> Plan:
    """Give every buffer an offset such that buffers alive together never share a byte.

    Parameters
    ----------
    buffers : sequence of Buffer
    alignment : int, default 16
        Every offset and the arena's size are multiples of it.

    Returns
    -------
    Plan
        The smallest of the layouts tried; the same for the same buffers, whatever their order.
    """
    by_size = sorted(buffers, key=lambda b: (-b.n_bytes, b.first_use, b.name))
    by_time = sorted(buffers, key=lambda b: (b.first_use, b.last_use, b.name))
    lower_bound = max(_live_bytes(buffers, alignment), default=0)
    layouts = [
        _two_ended(by_time, lower_bound, alignment),
        _first_fit(by_size, alignment),
        _first_fit(by_time, alignment),
    ]
    offsets = min(layouts, key=lambda layout: _extent(buffers, layout))
    return Plan(
        offsets={b.name: offsets[b.name] for b in by_time},
        arena_bytes=_align(_extent(buffers, offsets), alignment),
        lower_bound=lower_bound,
    )


def overlaps(buffers: Sequence[Buffer], offsets: dict[str, int]) -> list[tuple[str, str]]:
    """List the pairs of buffers that share a byte in some step, by comparing every byte of every step.

    Deliberately as simple as it can be and independent of how the plan was made: it paints one map per step.
    """
    clashes: dict[tuple[str, str], None] = {}
    for step in sorted({s for b in buffers for s in (b.first_use, b.last_use)}):
        owner: dict[int, str] = {}
        for b in buffers:
            if not b.first_use <= step <= b.last_use:
                continue
            for byte in range(offsets[b.name], offsets[b.name] + b.n_bytes):
                if owner.setdefault(byte, b.name) != b.name:
                    clashes[owner[byte], b.name] = None
    return list(clashes)


def prove(buffers: Sequence[Buffer], layout: Plan) -> None:
    """Check a plan without trusting the planner: nothing alive together overlaps, and little is wasted.

    Raises
    ------
    OperatorError
        If two buffers share a byte, or the arena is more than 1.05 times the lower bound.
    """
    shared = overlaps(buffers, layout.offsets)
    if shared or layout.arena_bytes > MAX_WASTE * layout.lower_bound:
        raise OperatorError(
            found=f"{shared[0][0]} and {shared[0][1]} overlap"
            if shared
            else f"the arena takes {layout.arena_bytes} bytes, over {MAX_WASTE} x the lower bound {layout.lower_bound}",
            where="the arena plan",
            expected=f"tensors apart, in at most {MAX_WASTE} x the bytes alive at once",
            remedy="The planner does not serve this graph: simplify it, or extend stages/core/plan.py",
        )


def picture(buffers: Sequence[Buffer], layout: Plan, width: int = 64) -> str:
    """Draw the arena as text: one row per step, one letter per buffer, ``.`` for unused bytes.

    Parameters
    ----------
    buffers : sequence of Buffer
    layout : Plan
    width : int, default 64
        Columns for the whole arena; a buffer narrower than a column still gets one.

    Returns
    -------
    str
    """
    letters = {b.name: _letter(i) for i, b in enumerate(buffers)}
    lines = [
        f"{letters[b.name]}  {b.name}: {b.n_bytes} bytes at {layout.offsets[b.name]}, steps {b.first_use}-{b.last_use}"
        for b in buffers
    ]
    for step in range(min(b.first_use for b in buffers), max(b.last_use for b in buffers) + 1):
        row = ["."] * width
        for b in buffers:
            if b.first_use <= step <= b.last_use:
                begin = min(layout.offsets[b.name] * width // layout.arena_bytes, width - 1)
                end = max(begin + 1, (layout.offsets[b.name] + b.n_bytes) * width // layout.arena_bytes)
                row[begin:end] = letters[b.name] * (end - begin)
        lines.append(f"{step:3d} |{''.join(row)}|")
    lines.append(f"arena {layout.arena_bytes} bytes, lower bound {layout.lower_bound}")
    return "\n".join(lines) + "\n"


def _letter(index: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return alphabet[index % len(alphabet)]


def _align(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _meet(a: Buffer, b: Buffer) -> bool:
    return a.first_use <= b.last_use and b.first_use <= a.last_use


def _live_bytes(buffers: Sequence[Buffer], alignment: int) -> Iterable[int]:
    for step in {b.first_use for b in buffers}:
        yield sum(_align(b.n_bytes, alignment) for b in buffers if b.first_use <= step <= b.last_use)


def _extent(buffers: Sequence[Buffer], offsets: dict[str, int]) -> int:
    return max((offsets[b.name] + b.n_bytes for b in buffers), default=0)


def _gaps(b: Buffer, placed: Sequence[Buffer], offsets: dict[str, int]) -> list[tuple[int, int]]:
    """List the free byte ranges during the life of `b`, the last one without end (-1)."""
    taken = sorted((offsets[p.name], offsets[p.name] + p.n_bytes) for p in placed if _meet(b, p))
    gaps, free = [], 0
    for begin, end in taken:
        if begin > free:
            gaps.append((free, begin))
        free = max(free, end)
    return [*gaps, (free, -1)]


def _first_fit(order: Sequence[Buffer], alignment: int) -> dict[str, int]:
    """Put each buffer at the lowest free offset."""
    offsets: dict[str, int] = {}
    for i, b in enumerate(order):
        for begin, end in _gaps(b, order[:i], offsets):
            offset = _align(begin, alignment)
            if end < 0 or offset + b.n_bytes <= end:
                offsets[b.name] = offset
                break
    return offsets


def _two_ended(order: Sequence[Buffer], ceiling: int, alignment: int) -> dict[str, int]:
    """Put buffers alternately at the lowest free offset and right below `ceiling`, else wherever they fit."""
    offsets: dict[str, int] = {}
    for i, b in enumerate(order):
        gaps = _gaps(b, order[:i], offsets)
        top = (ceiling - b.n_bytes) // alignment * alignment
        begin, end = gaps[-1]
        if i % 2 and top >= _align(begin, alignment) and end < 0:
            offsets[b.name] = top
        else:
            offsets[b.name] = next(
                _align(low, alignment) for low, high in gaps if high < 0 or _align(low, alignment) + b.n_bytes <= high
            )
    return offsets
