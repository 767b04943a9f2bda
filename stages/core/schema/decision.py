"""Section `decision`: how the device comes from windows to an alarm."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Decision(Section):
    """What raises the alarm.

    Attributes
    ----------
    accumulate : int
        There is an alarm once the positive windows, those of any class but the first, outnumber the others by so many,
        and until the next that is not positive; ``firmware/runtime/accumulate.h`` has the rule. 1 makes every positive
        window an alarm.
    """

    accumulate: int = Field(ge=1, le=255)
