"""Draw the pictures of the README: `python -m docs.pictures`, after `dvc repro`."""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import yaml
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "pictures"
PER_ROW = 5
TAKES = {
    "configure": "params.yaml + conf/\nto one checked file",
    "capture": "recordings to sessions\nof integer counts",
    "split": "whole units to train,\nval, test; a proof",
    "features": "the integer program\nthe device runs",
    "train": "float network\nand two baselines",
    "quantize": "PTQ, QAT, tail\nmetrics, the gate",
    "convert": "ONNX to integers,\narena plan, C",
    "build": "images for native,\nM55 and M4",
    "validate": "0 LSB everywhere,\ntest read once",
    "release": "bundle and\nmanifest",
}


def place(index: int) -> tuple[float, float]:
    """Rows run left to right, then back: a snake, so that neighbours stay neighbours."""
    row, column = divmod(index, PER_ROW)
    return (column if row % 2 == 0 else PER_ROW - 1 - column) * 2.6, -row * 1.9


def draw_dag(target: Path) -> None:
    """Draw the stages of dvc.yaml in order, the gate in red."""
    stages = list(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
    figure, axes = plt.subplots(figsize=(12.4, 3.4))
    for index, stage in enumerate(stages):
        x, y = place(index)
        colour = "#c8553d" if stage == "quantize" else "#3b76af"
        axes.add_patch(
            FancyBboxPatch((x - 1, y - 0.55), 2, 1.1, boxstyle="round,pad=0.04", fc="white", ec=colour, lw=1.6)
        )
        axes.text(x, y + 0.27, stage, ha="center", va="center", fontsize=12, weight="bold", color=colour)
        axes.text(x, y - 0.2, TAKES[stage], ha="center", va="center", fontsize=8.5, color="#333333")
        if index:
            before = place(index - 1)
            dx, dy = x - before[0], y - before[1]
            start = (before[0] + (1.08 if dx > 0 else -1.08 if dx < 0 else 0), before[1] - (0.62 if dy else 0))
            end = (x - (1.08 if dx > 0 else -1.08 if dx < 0 else 0), y + (0.62 if dy else 0))
            axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": "#555555", "lw": 1.3})
    axes.set(xlim=(-1.2, 2.6 * (PER_ROW - 1) + 1.2), ylim=(-2.7, 0.8))
    axes.axis("off")
    figure.savefig(target, dpi=110, bbox_inches="tight")


def main() -> None:
    """Draw the DAG, and take over the score histogram of the last run."""
    PICTURES.mkdir(exist_ok=True)
    draw_dag(PICTURES / "dag.png")
    shutil.copyfile(ROOT / "models/validate/scores.png", PICTURES / "scores.png")


if __name__ == "__main__":
    main()
