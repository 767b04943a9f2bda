"""The picture of a memory plan."""

from __future__ import annotations

import numpy as np
from matplotlib.image import imread

from stages.core.plan import Buffer, plan
from stages.core.report.plan_figure import save_plan

BUFFERS = [
    Buffer("codes", 1024, 0, 0),
    Buffer("stem", 4048, 0, 1),
    Buffer("depthwise", 2000, 1, 2, replaces="stem"),
    Buffer("score", 4, 2, 2),
]
STEPS = ["stem", "depthwise", "dense"]


def test_the_same_plan_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        save_plan(tmp_path / name, "int8", BUFFERS, plan(BUFFERS), STEPS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_buffer_covers_the_picture_in_proportion_to_its_bytes_and_its_life(tmp_path):
    """The stem holds 4048 bytes for one step and a half, what replaces it 2000 bytes for as long."""
    save_plan(tmp_path / "plan.png", "int8", BUFFERS, plan(BUFFERS), STEPS)
    pixels = (imread(tmp_path / "plan.png")[:, :, :3] * 255).round().astype(int).reshape(-1, 3)
    blended = {name: 0.75 * np.array(rgb) + 0.25 * 255 for name, rgb in COLOURS.items()}
    share = {name: float((np.abs(pixels - colour).max(axis=1) <= 1).mean()) for name, colour in blended.items()}
    assert abs(share["stem"] / share["depthwise"] - 4048 / 2000) < 0.1
    assert abs(share["stem"] / share["codes"] - 1.5 * 4048 / 1024) < 0.4


COLOURS = {"codes": (0x3B, 0x76, 0xAF), "stem": (0xC8, 0x55, 0x3D), "depthwise": (0x3F, 0x7D, 0x3A)}
