"""Section `validate`: how much is run where to prove that every execution agrees, and what may be refused there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.core.schema.base import Section

#: What can happen to a stream.
Fault = Literal["dropped_blocks", "stuck_axis", "saturation", "no_number", "jitter", "slow"]


class Validate(Section):
    """Coverage of the parity chain, and what the device may not leave undecided.

    Attributes
    ----------
    board_windows : int
        Test windows run on each emulated board: typical, near the threshold, extreme, saturating.
    rung_windows : int
        Test windows run on each board by every precision that does not ship, to know its price and its agreement.
    repeats : int
        Times the precision that ships runs each window, to show that the board repeats itself.
    replay_sessions : int
        Test sessions streamed through the product on every board, those of the most severe classes first.
    replay_faults : tuple of str
        What each is streamed with, after it was streamed as it is; ``stages.core.device.injection`` has them.
    timeout_s : int
        Limit for one emulator run.
    max_refused : float
        Share of the test windows of any class above the first that the fault gate may refuse.
    """

    board_windows: int = Field(ge=4)
    rung_windows: int = Field(ge=4)
    repeats: int = Field(ge=2)
    replay_sessions: int = Field(ge=1)
    replay_faults: tuple[Fault, ...]
    timeout_s: int = Field(ge=1)
    max_refused: float = Field(ge=0, le=1)
