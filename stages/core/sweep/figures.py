"""The figures that jobs are compared by, read from what a pipeline run left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stages.core.artifacts import read_json

Figures = dict[str, float | None]

#: Name and sense of each objective. Separation is that of val: who picks by test has no test left.
OBJECTIVES = {
    "separation": "maximize",
    "arena_bytes": "minimize",
    "flash_bytes": "minimize",
    "instructions": "minimize",
}
#: What a job that came to nothing counts for in a search: far worse than any, and finite, as sampling needs it.
_WORST = {"maximize": -1e3, "minimize": 1e9}
_OF_CLASS = ("separation", "auc", "tpr_at_fpr_1")
_OF_BOARD = ("arena_bytes", "flash_bytes")


def read_figures(tree: Path) -> Figures:
    """Read the figures of a run; those that it did not come to are None.

    Parameters
    ----------
    tree : Path
        Root of the workspace that ran.

    Returns
    -------
    dict
        On val, of the worst class: ``separation`` (healthy tail lengths), ``auc``, ``tpr_at_fpr_1``. Of the most
        loaded board: ``arena_bytes``, ``flash_bytes``, ``instructions`` (per window; None without an emulator). The
        native board counts only if there is no other.
    """
    gate, metrics, boards = (
        _read(tree / "models" / name)
        for name in ("quantize/gate.json", "quantize/metrics.json", "validate/device.json")
    )
    scores = metrics.get("scores", {}).get(gate.get("selected"), {}).values()
    figures = {name: _extreme(min, [output.get(name) for output in scores]) for name in _OF_CLASS}
    targets = [board for board in boards.values() if board["emulator"]] or list(boards.values())
    figures |= {name: _extreme(max, [board[name] for board in targets]) for name in _OF_BOARD}
    instructions = [board["stream"].get("most_instructions_per_window") for board in targets]
    return figures | {"instructions": _extreme(max, instructions)}


def _read(path: Path) -> Any:
    return read_json(path) if path.exists() else {}


def _extreme(choose: Any, values: list[float | None]) -> float | None:
    """Return the smallest or largest of those that are there."""
    found = [float(value) for value in values if value is not None]
    return choose(found) if found else None


def objectives(figures: Figures, released: bool) -> tuple[float, ...]:
    """Return what a search is told of a job, in the order of `OBJECTIVES`.

    A figure that a released job has not, as the instructions without an emulator, is 0 for all jobs.
    """
    if not released:
        return tuple(_WORST[sense] for sense in OBJECTIVES.values())
    return tuple(figures[name] or 0.0 for name in OBJECTIVES)
