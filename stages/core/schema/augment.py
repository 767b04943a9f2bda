"""Section `train.augment`: how training windows are varied. Val, test and calibration never are.

Each variation says when it is safe for the label. A null leaves it out.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stages.core.schema.base import Section
from stages.core.schema.ranges import PositiveRange

Probability = Annotated[float, Field(gt=0, le=1)]


class Gain(Section):
    """Multiply the window by one factor: another mounting, another transmission path.

    Safe unless the label depends on the absolute level, as that of a shock by its peak does.

    Attributes
    ----------
    probability : float
        That a window is varied so.
    factor : (float, float)
        Drawn log-uniformly.
    """

    probability: Probability
    factor: PositiveRange


class Offset(Section):
    """Add one constant per channel: the sensor's zero error. Safe; without effect where the mean is removed.

    Attributes
    ----------
    probability : float
        That a window is varied so.
    max_share : float
        Largest offset, as a share of full scale, of either sign.
    """

    probability: Probability
    max_share: float = Field(gt=0, lt=1)


class Jitter(Section):
    """Add white noise as strong as the quiet part of the healthy training windows, times a factor.

    Safe while the factor keeps it below what the label rests on.

    Attributes
    ----------
    probability : float
        That a window is varied so.
    factor : (float, float)
        Of the measured noise, drawn log-uniformly.
    """

    probability: Probability
    factor: PositiveRange


class TimeWarp(Section):
    """Play the signal faster or slower around the middle of the window: another shaft speed.

    Safe if every frequency that the label rests on scales with the speed; not if it tells resonances apart.

    Attributes
    ----------
    probability : float
        That a window is varied so.
    max_stretch : float
        Largest relative change of the speed, either way.
    """

    probability: Probability
    max_stretch: float = Field(gt=0, le=0.5)


class ChannelDropout(Section):
    """Hold a channel at its mean: a broken wire. One channel always stays.

    Safe if each channel alone shows what the label rests on.

    Attributes
    ----------
    probability : float
        For each channel.
    """

    probability: Probability


class Crop(Section):
    """Start the window earlier or later in its recording.

    Safe by construction: only starts at which the recording's spans give the same label are drawn.

    Attributes
    ----------
    probability : float
        That a window is varied so.
    max_shift : int
        Samples, either way.
    """

    probability: Probability
    max_shift: int = Field(ge=1, le=16384)


class Augment(Section):
    """Variations, applied in this order: crop, time warp, gain, offset, jitter, channel dropout."""

    crop: Crop | None = None
    time_warp: TimeWarp | None = None
    gain: Gain | None = None
    offset: Offset | None = None
    jitter: Jitter | None = None
    channel_dropout: ChannelDropout | None = None
