"""Section `decision`: how the device comes from windows to an alarm."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section

#: What the device has room for; ``firmware/runtime/decision.h`` has the same numbers and all rules.
MAX_AVERAGE, MAX_OF, MAX_WINDOWS = 64, 32, 65535

#: How a class comes from the scores, in the order of the C enumeration.
Pick = Literal["severest", "highest"]


class Decision(Section):
    """What raises the alarm.

    Attributes
    ----------
    pick : {"severest", "highest"}
        The last class whose score reaches its threshold, where output k tells class k + 1 or a worse one from those
        below; or the class of the highest score, if that reaches its threshold, where outputs tell one class each.
    average_windows : int
        Scores are averaged over so many windows; 1 takes each as it is.
    hysteresis_logits : float
        How far below its threshold a score must fall for its class to end; 0 is no hysteresis.
    margin_logits : float
        With ``highest``, a window whose two highest scores are nearer to each other is uncertain.
    vote_need, vote_of : int
        An alarm takes so many windows of its class among the last so many; 1 of 1 takes each as it is.
    accumulate : int
        There is an alarm once the positive windows, those of any class but the first, outnumber the others by so many,
        and until the next that is not positive; ``firmware/runtime/accumulate.h`` has the rule. 1 makes every positive
        window an alarm.
    min_hold_windows : int
        An alarm lasts as long or longer.
    cooldown_windows : int
        There is none for as long after one.
    """

    pick: Pick
    average_windows: int = Field(ge=1, le=MAX_AVERAGE)
    hysteresis_logits: float = Field(ge=0)
    margin_logits: float = Field(ge=0)
    vote_need: int = Field(ge=1, le=MAX_OF)
    vote_of: int = Field(ge=1, le=MAX_OF)
    accumulate: int = Field(ge=1, le=255)
    min_hold_windows: int = Field(ge=1, le=MAX_WINDOWS)
    cooldown_windows: int = Field(ge=1, le=MAX_WINDOWS)

    @model_validator(mode="after")
    def _rules_can_be_met(self) -> Decision:
        if self.vote_need > self.vote_of:
            raise ValueError(f"vote_need is {self.vote_need}, more than vote_of, {self.vote_of}")
        if self.margin_logits > 0 and self.pick != "highest":
            raise ValueError(f"margin_logits is {self.margin_logits:g}, and only pick: highest compares scores")
        return self
