"""How an activation range is taken from what flows through a tensor, by name."""

from __future__ import annotations

from typing import Any

from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver

CALIBRATION_OBSERVERS: dict[str, Any] = {
    "minmax": MinMaxObserver,
    "histogram": HistogramObserver,
    "moving_average": MovingAverageMinMaxObserver,
}
TRAINING_OBSERVERS: dict[str, Any] = {"minmax": MinMaxObserver, "moving_average": MovingAverageMinMaxObserver}
