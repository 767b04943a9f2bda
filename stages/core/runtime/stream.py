"""How a stream reaches the network on the device: the configuration's runtime in the integers of the generated C."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stages.core.runtime.fault import UNLIMITED, Limits
from stages.core.schema.runtime import Policy, Runtime

_ANY_TIME = (0, UNLIMITED)


@dataclass(frozen=True)
class Stream:
    """What ``contract.h`` says of the runtime; the defaults are those of the least device.

    Attributes
    ----------
    block_frames : int
        Frames that the sensor hands over at once.
    late : {"drop_oldest", "skip_if_late"}
    log_windows : int
        Records of the log.
    limits : tuple of Limits
        Of the fault gate, per channel; none leaves it out.
    timing_frames : tuple of (int, int)
        The least and the most time between two windows that the fault gate lets pass, in frames of the sensor.
    """

    block_frames: int = 1
    late: Policy = "drop_oldest"
    log_windows: int = 1
    limits: tuple[Limits, ...] = ()
    timing_frames: tuple[int, int] = _ANY_TIME

    def to_json(self) -> dict[str, Any]:
        """Return what the model contract says of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stream:
        """Rebuild it from the model contract."""
        limits = tuple(Limits(**each) for each in value["limits"])
        return cls(**{**value, "limits": limits, "timing_frames": tuple(value["timing_frames"])})

    def capacity(self, window: int, hop: int) -> int:
        """Return the frames that the ring holds: a window, a hop, and a block that comes meanwhile, in whole blocks."""
        return (-(-(window + hop) // self.block_frames) + 1) * self.block_frames

    @classmethod
    def configured(cls, runtime: Runtime, limits: Sequence[Limits], hop: int) -> Stream:
        """Return the stream of windows that advance by `hop` frames."""
        timing = _ANY_TIME
        if runtime.fault_gate is not None:
            slack = math.ceil(hop * runtime.fault_gate.rate_tolerance) + runtime.block_frames
            timing = max(hop - slack, 0), hop + slack
        return cls(runtime.block_frames, runtime.late, runtime.log_windows, tuple(limits), timing)
