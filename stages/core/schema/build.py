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
    channels : int
    counts_per_unit : float
    frame_samples : int
        Samples sent as one frame.
    """

    sample_rate_hz: Thousandths
    channels: int = Field(ge=1, le=63)
    counts_per_unit: Thousandths
    frame_samples: int = Field(ge=1, le=2032)


class Build(Section):
    """How the firmware is compiled; every other flag is fixed in ``firmware/CMakeLists.txt``."""

    optimization: Literal["O1", "O2", "O3", "Os"]
    forward: Forward


class Budget(Section):
    """What one image may use of a board; `validate` refuses a release that needs more."""

    flash_bytes: int = Field(gt=0)
    ram_bytes: int = Field(gt=0)
    #: Of it, the network's activations.
    arena_bytes: int = Field(gt=0)
    #: Also the size of the stack that the linker reserves.
    stack_bytes: int = Field(ge=1024, multiple_of=8)
    #: Worst window of a stream: taking it, fault gate, preprocessing, network, decision, and the sensor's interrupts.
    instructions_per_window: int = Field(gt=0)
    #: Share of the time between two windows that the busiest one may take, at the emulator's instructions a second.
    load: float = Field(gt=0, le=1)


class NativeBoard(Section):
    """The machine that runs the pipeline; it has no clock or memory worth a budget."""

    kind: Literal["native"]
    cpu: str


class QemuBoard(Section):
    """A board that QEMU emulates."""

    kind: Literal["qemu"]
    cpu: str
    #: QEMU's name of the machine.
    machine: str
    #: Rate of SysTick, in virtual time.
    tick_hz: int = Field(gt=0)
    budget: Budget


Board = Annotated[NativeBoard | QemuBoard, Field(discriminator="kind")]
