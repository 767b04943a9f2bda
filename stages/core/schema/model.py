"""Section `model`: the architecture of the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stages.core.schema.base import Section


class Layer(Section):
    """A convolution over length, without padding.

    Attributes
    ----------
    channels : int
        Output channels.
    kernel : int
        Taps, in samples of the layer's input.
    stride : int
        Samples of the layer's input per sample of its output.
    """

    channels: int = Field(ge=1, le=256)
    kernel: int = Field(ge=1, le=256)
    stride: int = Field(ge=1, le=64)


class DsCnn(Section):
    """Stem, depthwise-separable blocks, global average pool, one logit per class above the first.

    Attributes
    ----------
    kind : {"ds_cnn"}
    stem : Layer
        An ordinary convolution over all input channels.
    blocks : tuple of Layer
        Kernel and stride are those of the depthwise convolution, the channels those of the 1x1 after it.
    """

    kind: Literal["ds_cnn"]
    stem: Layer
    blocks: tuple[Layer, ...] = Field(min_length=1, max_length=16)


class Mlp(Section):
    """Fully connected layers over the codes of each frame, the mean over frames, one logit per class above the first.

    For extracted features, and for row-wise sensors with windows of one sample.

    Attributes
    ----------
    kind : {"mlp"}
    hidden : tuple of int
        Width of each hidden layer.
    """

    kind: Literal["mlp"]
    hidden: tuple[Annotated[int, Field(ge=1, le=256)], ...] = Field(min_length=1, max_length=8)


Model = Annotated[DsCnn | Mlp, Field(discriminator="kind")]
