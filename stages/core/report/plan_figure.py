"""The picture of a memory plan: time to the right, addresses upwards. Same plan, same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from stages.core.plan import Buffer, Plan
from stages.core.report.canvas import new_figure, save_png

_FILLS = ("#3b76af", "#c8553d", "#3f7d3a", "#b08d2f", "#7a1f5c", "#2aa198")
_LINE, _GRID = "#222222", "#dddddd"

#: Share of the arena below which a name stands above its buffer and not in it.
_FLAT = 0.05


def save_plan(path: Path, title: str, buffers: Sequence[Buffer], layout: Plan, steps: Sequence[str]) -> None:
    """Draw which bytes of the arena hold which tensor during which operation, as a PNG.

    A tensor that takes the place of another begins in the middle of the operation that writes it.

    Parameters
    ----------
    path : Path
    title : str
    buffers : sequence of Buffer
    layout : Plan
    steps : sequence of str
        Names of the operations, in execution order.
    """
    figure = new_figure(max(7.0, 1.1 * len(steps) + 1.5), 4.6)
    axes = figure.subplots()
    handed_over = {b.replaces for b in buffers if _in_place(b, layout)}
    for index, buffer in enumerate(buffers):
        begin = buffer.first_use + (0.5 if _in_place(buffer, layout) else 0.0)
        end = buffer.last_use + (0.5 if buffer.name in handed_over else 1.0)
        _draw(axes, buffer, (begin, end), layout, _FILLS[index % len(_FILLS)])
    axes.axhline(layout.lower_bound, color=_LINE, linestyle="--", linewidth=1)
    for step in range(1, len(steps)):
        axes.axvline(step, color=_GRID, linewidth=0.8, zorder=0)
    axes.set_xlim(0, len(steps))
    axes.set_ylim(0, 1.08 * max(layout.arena_bytes, layout.lower_bound))
    axes.set_xticks([step + 0.5 for step in range(len(steps))], list(steps), rotation=25, ha="right", fontsize=8)
    axes.set_ylabel("address (bytes)")
    axes.spines[["top", "right"]].set_visible(False)
    bound = f"arena {layout.arena_bytes} bytes; dashed: the most alive at once, {layout.lower_bound}"
    axes.set_title(f"{title}: {bound}", loc="left", fontsize=10)
    save_png(figure, path)


def _in_place(buffer: Buffer, layout: Plan) -> bool:
    return buffer.replaces is not None and layout.offsets[buffer.name] == layout.offsets[buffer.replaces]


def _draw(axes: Axes, buffer: Buffer, life: tuple[float, float], layout: Plan, colour: str) -> None:
    offset, (begin, end) = layout.offsets[buffer.name], life
    axes.add_patch(
        Rectangle((begin, offset), end - begin, buffer.n_bytes, facecolor=colour, edgecolor="white", alpha=0.75)
    )
    is_flat = buffer.n_bytes < _FLAT * layout.arena_bytes
    axes.text(
        (begin + end) / 2,
        offset + (buffer.n_bytes if is_flat else buffer.n_bytes / 2),
        f"{buffer.name}\n{buffer.n_bytes}",
        ha="center",
        va="bottom" if is_flat else "center",
        fontsize=7.5,
        color=_LINE if is_flat else "white",
    )
