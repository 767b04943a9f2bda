"""The arena: which byte of one static block each activation lives in, and when.

The planner knows buffers as (name, size, first use, last use, what it may replace) and nothing of tensors or C.
Packing them into the least memory is NP-hard in general. A few orders are tried first; for a chain of buffers that lie
apart, alternating between the two ends of the arena is the best there is. Where that leaves a doubt, all layouts are
searched, up to `MAX_NODES`.

The search takes buffers by ascending offset. In a layout where none can move down, each then lies right above the
highest of those below it that it meets, so that an order says where everything is, and the skyline of what was placed,
the first free byte per step, says where the next one goes. A buffer that replaces another lies at the same offset: the
two are one item, whose height changes over time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from stages.core.errors import OperatorError

MAX_WASTE = 1.05

#: Partial layouts that the search looks at before it settles for the best so far.
MAX_NODES = 20_000


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
    replaces : str or None
        A buffer last used in the step in which this one is first used. The two may share bytes in that step, if they
        begin at the same one.
    """

    name: str
    n_bytes: int
    first_use: int
    last_use: int
    replaces: str | None = None


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
        The most bytes alive in any one step, each buffer filled up to the alignment, and counting only the larger of
        two that may share theirs: no plan can be smaller.
    exact : bool
        Whether no plan is smaller than this one.
    """

    offsets: dict[str, int]
    arena_bytes: int
    lower_bound: int
    exact: bool


@dataclass(frozen=True)
class _Item:
    """Buffers that begin at the same byte, and the bytes they need in each step in which some buffer begins."""

    names: tuple[str, ...]
    heights: tuple[int, ...]

    @property
    def height(self) -> int:
        return max(self.heights)


@dataclass(frozen=True)
class _Layout:
    offsets: dict[str, int]
    n_bytes: int


def plan(buffers: Sequence[Buffer], alignment: int = 16, max_nodes: int = MAX_NODES) -> Plan:
    """Give every buffer an offset such that buffers alive together never share a byte, unless one replaces the other.

    Parameters
    ----------
    buffers : sequence of Buffer
    alignment : int, default 16
        Every offset and the arena's size are multiples of it.
    max_nodes : int, default 20000
        Bound of the search; 0 leaves it out.

    Returns
    -------
    Plan
        The smallest there is, if the search came to its end; the same for the same buffers, whatever their order.
    """
    ordered = sorted(buffers, key=lambda b: (b.first_use, b.last_use, b.name))
    able = [b.name for b in ordered if b.replaces is not None]
    together, apart = _items(ordered, set(able), alignment), _items(ordered, set(), alignment)
    lower_bound = _most_alive(together)
    tried = [_stack(items, order) for items in (together, apart) for order in _orders(items)]
    tried += [_alternate(items, lower_bound) for items in (together, apart)]
    search = _Search(min(tried, key=lambda layout: layout.n_bytes), lower_bound, max_nodes)
    for chosen in itertools.product((True, False), repeat=len(able)):
        if search.is_over:
            break
        search.over(_items(ordered, set(itertools.compress(able, chosen)), alignment))
    return Plan(
        offsets={b.name: search.best.offsets[b.name] for b in ordered},
        arena_bytes=search.best.n_bytes,
        lower_bound=lower_bound,
        exact=search.best.n_bytes == lower_bound or search.nodes_left > 0,
    )


def overlaps(buffers: Sequence[Buffer], offsets: dict[str, int]) -> list[tuple[str, str]]:
    """List the pairs of buffers that share a byte in some step and may not, by comparing every byte of every step.

    Deliberately as simple as it can be and independent of how the plan was made: it paints one map per step.
    """
    clashes: dict[tuple[str, str], None] = {}
    for step in sorted({s for b in buffers for s in (b.first_use, b.last_use)}):
        owners: dict[int, list[Buffer]] = {}
        for b in buffers:
            if not b.first_use <= step <= b.last_use:
                continue
            for byte in range(offsets[b.name], offsets[b.name] + b.n_bytes):
                for other in owners.setdefault(byte, []):
                    if not (_replaces(b, other, offsets) or _replaces(other, b, offsets)):
                        clashes[other.name, b.name] = None
                owners[byte].append(b)
    return list(clashes)


def prove(buffers: Sequence[Buffer], layout: Plan) -> None:
    """Check a plan without trusting the planner: nothing alive together overlaps, and little is wasted.

    Raises
    ------
    OperatorError
        If two buffers share a byte and may not, or the arena is more than 1.05 times the lower bound and was not found
        to be the smallest there is.
    """
    shared = overlaps(buffers, layout.offsets)
    wasteful = layout.arena_bytes > MAX_WASTE * layout.lower_bound and not layout.exact
    if shared or wasteful:
        raise OperatorError(
            found=f"{shared[0][0]} and {shared[0][1]} overlap"
            if shared
            else f"the arena takes {layout.arena_bytes} bytes, over {MAX_WASTE} x the lower bound {layout.lower_bound}",
            where="the arena plan",
            expected=f"tensors apart, in at most {MAX_WASTE} x the bytes alive at once",
            remedy="The planner does not serve this graph: simplify it, or extend stages/core/plan.py",
        )


def _replaces(b: Buffer, other: Buffer, offsets: dict[str, int]) -> bool:
    hands_over = b.replaces == other.name and other.last_use == b.first_use
    return hands_over and offsets[b.name] == offsets[other.name]


def _items(buffers: Sequence[Buffer], replacing: set[str], alignment: int) -> list[_Item]:
    """Put the buffers in `replacing` at the place of those that they replace."""
    steps = sorted({b.first_use for b in buffers})
    groups: dict[str, list[Buffer]] = {}
    for b in buffers:
        group = groups[b.replaces] if b.replaces is not None and b.name in replacing else []
        group.append(b)
        groups[b.name] = group
    return [_item(group, steps, alignment) for name, group in groups.items() if group[0].name == name]


def _item(group: Sequence[Buffer], steps: Sequence[int], alignment: int) -> _Item:
    def height(step: int) -> int:
        alive = (b.n_bytes for b in group if b.first_use <= step <= b.last_use)
        return -(-max(alive, default=0) // alignment) * alignment

    return _Item(tuple(b.name for b in group), tuple(height(step) for step in steps))


def _most_alive(items: Sequence[_Item]) -> int:
    return max((sum(heights) for heights in zip(*(item.heights for item in items), strict=True)), default=0)


def _layout(items: Sequence[_Item], offsets: Sequence[int]) -> _Layout:
    by_name = {name: offset for item, offset in zip(items, offsets, strict=True) for name in item.names}
    ends = (offset + item.height for item, offset in zip(items, offsets, strict=True))
    return _Layout(by_name, max(ends, default=0))


def _orders(items: Sequence[_Item]) -> list[list[_Item]]:
    return [sorted(items, key=lambda item: -item.height), list(items)]


def _room(item: _Item, above: _Item) -> int:
    """Bytes of `item` that another one above it leaves it, 0 if the two never meet."""
    return max((h for h, other in zip(item.heights, above.heights, strict=True) if h and other), default=0)


def _fits(item: _Item, offset: int, placed: Sequence[tuple[_Item, int]]) -> bool:
    return all(
        offset >= at + _room(other, item) or at >= offset + _room(item, other)
        for other, at in placed
        if _room(other, item)
    )


def _lowest(item: _Item, placed: Sequence[tuple[_Item, int]]) -> int:
    above = (at + _room(other, item) for other, at in placed if _room(other, item))
    return next(offset for offset in sorted({0, *above}) if _fits(item, offset, placed))


def _stack(items: Sequence[_Item], order: Sequence[_Item]) -> _Layout:
    """Put each item at the lowest offset that is free."""
    placed: list[tuple[_Item, int]] = []
    for item in order:
        placed.append((item, _lowest(item, placed)))
    return _layout(*zip(*placed, strict=True)) if placed else _layout([], [])


def _alternate(items: Sequence[_Item], ceiling: int) -> _Layout:
    """Put items in turn at the lowest free offset and right below `ceiling`, if that is free."""
    placed: list[tuple[_Item, int]] = []
    for i, item in enumerate(items):
        top = ceiling - item.height
        at_top = i % 2 == 1 and top >= 0 and _fits(item, top, placed)
        placed.append((item, top if at_top else _lowest(item, placed)))
    return _layout(*zip(*placed, strict=True)) if placed else _layout([], [])


class _Search:
    """All layouts in which no item can move down, in order, until one is as small as the bound.

    A partial layout is left as soon as the items still to come cannot all lie above it in less than the best so far, or
    if the same items were placed before with the same skyline.
    """

    def __init__(self, best: _Layout, lower_bound: int, max_nodes: int) -> None:
        self.best = best
        self.nodes_left = max_nodes
        self._lower_bound = lower_bound
        self._seen: dict[tuple[int, tuple[int, ...]], int] = {}

    @property
    def is_over(self) -> bool:
        return self.nodes_left <= 0 or self.best.n_bytes == self._lower_bound

    def over(self, items: Sequence[_Item]) -> None:
        """Search the layouts of some items."""
        self._seen.clear()
        ordered = sorted(items, key=lambda item: -item.height)
        self._place(ordered, [None] * len(ordered), (0,) * len(ordered[0].heights), 0)

    def _place(self, items: list[_Item], offsets: list[int | None], skyline: tuple[int, ...], last: int) -> None:
        if self.is_over:
            return
        self.nodes_left -= 1
        if self._is_hopeless(items, offsets, skyline, last):
            return
        if None not in offsets:
            self.best = _layout(items, [offset for offset in offsets if offset is not None])
            return
        for i, item in enumerate(items):
            if offsets[i] is not None:
                continue
            at = max(top for top, height in zip(skyline, item.heights, strict=True) if height)
            if at >= last:
                raised = (at + height if height else top for top, height in zip(skyline, item.heights, strict=True))
                self._place(items, [*offsets[:i], at, *offsets[i + 1 :]], tuple(raised), at)

    def _is_hopeless(self, items: list[_Item], offsets: list[int | None], skyline: tuple[int, ...], last: int) -> bool:
        to_come = [item.heights for item, offset in zip(items, offsets, strict=True) if offset is None]
        for top, *heights in zip(skyline, *to_come, strict=True):
            if (max(top, last) if any(heights) else top) + sum(heights) >= self.best.n_bytes:
                return True
        placed = sum(1 << i for i, offset in enumerate(offsets) if offset is not None)
        if self._seen.get((placed, skyline), last + 1) <= last:
            return True
        self._seen[placed, skyline] = last
        return False
