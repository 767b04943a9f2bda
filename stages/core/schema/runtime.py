"""Section `runtime`: what the device does around the network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.core.schema.base import Section

#: What happens to windows that are late, in the order of the C enumeration (``firmware/runtime/ring.h``).
Policy = Literal["drop_oldest", "skip_if_late"]


class FaultGate(Section):
    """Where the limits come from beyond which a window is unknown; ``firmware/runtime/fault.h`` has the rules.

    Attributes
    ----------
    quantile : float
        Share of the training windows, of every class, that keep a limit before it is widened.
    headroom : float
        What a limit is widened by.
    rate_tolerance : float
        How far the time between two windows may be from a hop's, as a share of it; a block more is always allowed.
    """

    quantile: float = Field(ge=0.5, le=1)
    headroom: float = Field(ge=1)
    rate_tolerance: float = Field(gt=0, le=1)


class Runtime(Section):
    """How a stream reaches the network.

    Attributes
    ----------
    block_frames : int
        Frames that the sensor hands over at once, such as half a DMA buffer.
    late : {"drop_oldest", "skip_if_late"}
        Whether every window is decided for as long as memory lasts, or the newest first.
    log_windows : int
        Windows that the log in memory holds, a power of two.
    fault_gate : FaultGate or None
        None decides windows whatever their counts.
    """

    block_frames: int = Field(ge=1, le=4096)
    late: Policy
    log_windows: Literal[1, 2, 4, 8, 16, 32, 64, 128, 256]
    fault_gate: FaultGate | None
