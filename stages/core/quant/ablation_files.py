"""The results of single cells on disk, so that an ablation that was stopped goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stages.core.artifacts import json_ready, read_json, write_json
from stages.core.quant.ablation import Judged
from stages.core.quant.effects import Cell, Outcome


def folder(work: Path, seed: int, what: Cell | str) -> Path:
    """Return where the result of one seed and cell, or of its float network, is kept."""
    return work / f"seed{seed}" / str(what)


def keep(out: Path, judged: Judged, facts: dict[str, Any]) -> None:
    """Write scores and thresholds with some facts."""
    np.save(out / "scores.npy", judged.test)
    write_json(out / "result.json", json_ready({"thresholds": judged.thresholds, **facts}))


def read_judged(source: Path) -> Judged:
    """Read what `keep` wrote of scores and thresholds."""
    return Judged(np.load(source / "scores.npy"), tuple(read_json(source / "result.json")["thresholds"]))


def read_outcome(work: Path, seed: int, cell: Cell) -> Outcome:
    """Read what a cell cost; what could not be computed is NaN."""
    costs = read_json(folder(work, seed, cell) / "result.json")["costs"]
    return Outcome(
        cell,
        seed,
        {output: {k: float("nan") if v is None else v for k, v in of.items()} for output, of in costs.items()},
    )
