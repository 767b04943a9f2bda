"""The Pareto front of a sweep: jobs that no other job beats in everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ArtifactError
from stages.core.sweep.figures import OBJECTIVES
from stages.core.sweep.records import Record, complete

_TITLES = {"arena_bytes": "arena (bytes)", "flash_bytes": "flash (bytes)", "instructions": "instructions per window"}
_SEPARATION = "separation on val (healthy tail lengths)"
#: By what a figure is multiplied for smaller to be better.
_SIGNS = {"maximize": -1.0, "minimize": 1.0}


def undominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the rows that no other row dominates: nowhere larger, somewhere smaller.

    Parameters
    ----------
    costs : ndarray of shape (jobs, objectives)
        Smaller is better.

    Returns
    -------
    ndarray of shape (jobs,)
    """
    nowhere_larger = (costs[:, None, :] <= costs[None, :, :]).all(axis=2)  # (by, of)
    somewhere_smaller = (costs[:, None, :] < costs[None, :, :]).any(axis=2)
    return np.logical_not(np.logical_and(nowhere_larger, somewhere_smaller).any(axis=0))


def front(records: list[Record]) -> list[Record]:
    """Return the released jobs on the Pareto front, by the objectives that the sweep has figures of."""
    names = measured(records)
    candidates = complete(records, names)
    if not candidates:
        return []
    costs = np.array([[_SIGNS[names[name]] * (each.figures[name] or 0.0) for name in names] for each in candidates])
    return [each for each, kept in zip(candidates, undominated(costs), strict=True) if kept]


def best(records: list[Record]) -> Record:
    """Return the job of the front with the largest separation, of several the cheapest.

    Raises
    ------
    ArtifactError
        If no job came to a release.
    """
    names = measured(records)

    def order(record: Record) -> tuple[float, ...]:
        return tuple(_SIGNS[sense] * (record.figures[name] or 0.0) for name, sense in names.items())

    found = sorted(front(records), key=order)
    if not found:
        raise ArtifactError(
            found="no job of this sweep came to a release",
            where="the records of the sweep",
            expected="one at least that the gate lets pass",
            remedy="Look at `python -m stages.sweep show` and at the logs beside the records",
        )
    return found[0]


def measured(records: list[Record]) -> dict[str, str]:
    """Return the objectives that at least one job has a figure of."""
    return {
        name: sense for name, sense in OBJECTIVES.items() if any(each.figures.get(name) is not None for each in records)
    }


def draw(records: list[Record], path: Path) -> None:
    """Draw separation over each cost, the front in colour and numbered."""
    from stages.core.report.canvas import new_figure, save_png  # takes a second to load, which every job would wait

    names = [name for name in measured(records) if name in _TITLES]
    shown = complete(records, {"separation": ""})
    kept = [each for each in front(records) if each in shown]
    figure = new_figure(4.2 * max(len(names), 1), 3.6)
    for position, name in enumerate(names, start=1):
        axes = figure.add_subplot(1, len(names), position)
        for group, look, told in ((complete(shown, {name: ""}), "0.7", "others"), (kept, "tab:blue", "Pareto front")):
            points = [(each.figures[name], each.figures["separation"]) for each in group]
            axes.scatter(*zip(*points, strict=True), color=look, label=told) if points else None
        for each in kept:
            place = (each.figures[name] or 0.0, each.figures["separation"] or 0.0)
            axes.annotate(str(each.number), place, xytext=(5, 3), textcoords="offset points")
        axes.margins(0.12)
        axes.locator_params(axis="x", nbins=4)
        axes.set(xlabel=_TITLES[name], ylabel=_SEPARATION if position == 1 else "")
        axes.legend(loc="best", fontsize="small") if position == 1 and kept else None
    save_png(figure, path)
