"""Sections `build` and `board`: how the firmware is compiled, and what it is compiled for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stages.core.schema.base import Section
from stages.core.schema.thousandths import Thousandths


class Forward(Section):
    """The sensor of the image that streams raw counts: what it declares to the `serial` source.

    Attributes
    ----------
    sample_rate_hz : float
        Of each channel.
    channels : int
        Interleaved in this number.
    counts_per_unit : float
        Gain of the sensor.
    frame_samples : int
        Samples sent as one frame.
    """

    sample_rate_hz: Thousandths
    channels: int = Field(ge=1, le=63)
    counts_per_unit: Thousandths
    frame_samples: int = Field(ge=1, le=2032)


class Build(Section):
    """How the firmware is compiled; every other flag is fixed in ``firmware/CMakeLists.txt``.

    Attributes
    ----------
    optimization : {"O1", "O2", "O3", "Os"}
        The compiler's level.
    forward : Forward
    """

    optimization: Literal["O1", "O2", "O3", "Os"]
    forward: Forward


class Budget(Section):
    """What one image may use of a board; `validate` refuses a release that needs more.

    Attributes
    ----------
    flash_bytes, ram_bytes : int
        All of the image; RAM with the stack.
    arena_bytes : int
        Of the RAM, the network's activations.
    stack_bytes : int
        Of the RAM, also the size of the stack that the linker reserves.
    instructions_per_window : int
        Worst window of a stream: taking it, fault gate, preprocessing, network, decision, and the sensor's interrupts.
    load : float
        Share of the time between two windows that the busiest one may take, at the emulator's instructions a second.
    """

    flash_bytes: int = Field(gt=0)
    ram_bytes: int = Field(gt=0)
    arena_bytes: int = Field(gt=0)
    stack_bytes: int = Field(ge=1024, multiple_of=8)
    instructions_per_window: int = Field(gt=0)
    load: float = Field(gt=0, le=1)


class NativeBoard(Section):
    """The machine that runs the pipeline; it has no clock or memory worth a budget.

    Attributes
    ----------
    cpu : str
        What reports call it.
    """

    kind: Literal["native"]
    cpu: str


class QemuBoard(Section):
    """A board that QEMU emulates.

    Attributes
    ----------
    cpu : str
        What reports call it.
    machine : str
        QEMU's name of the machine.
    tick_hz : int
        Rate of SysTick, in virtual time.
    """

    kind: Literal["qemu"]
    cpu: str
    machine: str
    tick_hz: int = Field(gt=0)
    budget: Budget


Board = Annotated[NativeBoard | QemuBoard, Field(discriminator="kind")]
