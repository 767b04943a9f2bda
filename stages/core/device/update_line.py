"""An update over the serial line of a device: questions and answers. ``firmware/update/link.h`` is the other side."""

from __future__ import annotations

import os
import select
import shlex
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import serial
from cobs import cobs

from stages.core.errors import DeviceError

_VERSION = 1
_ANSWER = 0x80
_HEADER = struct.Struct("<BBHI")
_CRC = struct.Struct("<I")
_STATUS = struct.Struct("<6B2x6I")
_SIZE = struct.Struct("<I")
_ATTEMPTS = 3
_READ_BYTES = 4096
#: Bytes of a bundle in one question.
PIECE = 1024
BUILT_IN = 2
#: What stands before the command of a simulated device where a port is expected.
COMMAND = "exec:"


class Question(IntEnum):
    """Types of questions."""

    STATUS = 16
    BEGIN = 17
    DATA = 18
    FINISH = 19
    ACTIVATE = 20
    RESTART = 21
    BLOCK = 22


class Result(IntEnum):
    """What became of an update (``firmware/update/result.h``)."""

    OK = 0
    SIZE = 1
    MAGIC = 2
    FORMAT = 3
    LAYOUT = 4
    DOWNGRADE = 5
    INTERFACE = 6
    BOARD = 7
    ARENA = 8
    PREPROCESS = 9
    GRAPH = 10
    HASH = 11
    UNSIGNED = 12
    SIGNATURE = 13
    SELF_TEST = 14
    OVER_BUDGET = 15
    NOT_CONFIRMED = 16
    INTERRUPTED = 17
    FLASH = 18
    STATE = 19
    CONFIG = 20


class SlotState(IntEnum):
    """What a slot holds (``firmware/update/metadata.h``)."""

    EMPTY = 0
    DOWNLOADING = 1
    VERIFIED = 2
    TRIAL = 3
    CONFIRMED = 4


Release = tuple[int, int, int]


@dataclass(frozen=True)
class Status:
    """What a device says of itself.

    Attributes
    ----------
    running : int
        Slot, or `BUILT_IN`.
    slots : tuple of SlotState
    active : int
        Slot that starts where there is no trial, or `BUILT_IN`.
    starts : int
        Of the trial.
    result : Result
        The last one.
    release, running_release : tuple of (int, int, int)
        Of the last result, and of what runs.
    """

    running: int
    slots: tuple[SlotState, SlotState]
    active: int
    starts: int
    result: Result
    release: Release
    running_release: Release


@dataclass(frozen=True)
class Outcome:
    """What a device made of a bundle.

    Attributes
    ----------
    result : Result
    before, after : Status
    """

    result: Result
    before: Status
    after: Status


class Line(Protocol):
    """A stream of bytes both ways."""

    def write(self, data: bytes) -> object:
        """Send bytes."""

    def read(self) -> bytes:
        """Return what came, after a short wait for it; there may be nothing."""

    def close(self) -> None:
        """Let go of it."""


class Port:
    """A serial port, by its name or as a URL of pyserial.

    Raises
    ------
    DeviceError
        If it cannot be opened.
    """

    def __init__(self, name: str, baud: int) -> None:
        try:
            self._port = serial.serial_for_url(name, baudrate=baud, timeout=0.05)
        except (serial.SerialException, OSError, ValueError) as error:
            raise DeviceError(
                found=f"the port cannot be opened ({' '.join(str(error).split())})",
                where=f"port {name}",
                expected="a connected device that takes updates (docs/update.md)",
                remedy="Connect the device, see that nothing else has the port open, or name another port",
            ) from None

    def write(self, data: bytes) -> object:
        """Send bytes."""
        return self._port.write(data)

    def read(self) -> bytes:
        """Return what came."""
        return bytes(self._port.read(max(1, self._port.in_waiting)))

    def close(self) -> None:
        """Close the port."""
        self._port.close()


class Simulation:
    """A device that is a program of this host, or runs in an emulator, with its line on standard input and output."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  a list of words that the user gave, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("both ends are pipes")
        self._to, self._from = self._process.stdin, self._process.stdout.fileno()

    def write(self, data: bytes) -> object:
        """Send bytes."""
        return self._to.write(data)

    def read(self) -> bytes:
        """Return what came."""
        ready, _, _ = select.select([self._from], [], [], 0.05)
        data = os.read(self._from, _READ_BYTES) if ready else b""
        if ready and not data:
            raise BrokenPipeError("the program ended")
        return data

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.communicate()


def open_line(port: str, baud: int) -> Line:
    """Open a port, or start the command behind `COMMAND`.

    Raises
    ------
    DeviceError
        If that is not possible.
    """
    if not port.startswith(COMMAND):
        return Port(port, baud)
    try:
        return Simulation(shlex.split(port.removeprefix(COMMAND)))
    except (OSError, ValueError, IndexError) as error:
        raise DeviceError(
            found=f"the command cannot be run ({error})",
            where=port,
            expected=f"{COMMAND}<command> of a simulated device, such as {COMMAND}build/device/update.elf",
            remedy="Build the image `update` as docs/update.md says, or correct the command",
        ) from None


class Device:
    """The device at the other end of a line.

    Parameters
    ----------
    line : Line
    name : str
        For errors.
    timeout_s : float
        For one answer; a question is asked three times.
    """

    def __init__(self, line: Line, name: str, timeout_s: float) -> None:
        self._line = line
        self._name = name
        self._timeout_s = timeout_s
        self._sequence = int.from_bytes(os.urandom(4), "little")
        self._received = b""

    def ask(self, question: Question, content: bytes = b"") -> tuple[Result, bytes]:
        """Ask, again if there is no answer; the device acts on it once.

        Returns
        -------
        result : Result
        content : bytes

        Raises
        ------
        DeviceError
            If there is no answer.
        """
        self._sequence = (self._sequence + 1) % 2**32
        try:
            for _ in range(_ATTEMPTS):
                self._line.write(self.frame(question, content))
                answer = self.answer(question)
                if answer is not None:
                    return answer
        except OSError as error:
            raise self._silent(f"the line broke off ({' '.join(str(error).split())})") from None
        raise self._silent(f"there was no answer in {_ATTEMPTS} times {self._timeout_s:g} s")

    def _silent(self, found: str) -> DeviceError:
        return DeviceError(
            found=found,
            where=self._name,
            expected="a device that takes updates (docs/update.md)",
            remedy="See that it runs, that the line is connected both ways and --baud is the device's, and try again: "
            "what runs on the device is what ran before",
        )

    def frame(self, question: Question, content: bytes = b"") -> bytes:
        """Return the packet of the question that was asked last, or of one that has its number."""
        body = _HEADER.pack(_VERSION, question, 0, self._sequence) + content
        return bytes(cobs.encode(body + _CRC.pack(zlib.crc32(body)))) + b"\0"

    def status(self) -> Status:
        """Ask how the device is."""
        fields = _STATUS.unpack(self.ask(Question.STATUS)[1])
        running, first, second, active, starts, result, *releases = fields
        slots = (SlotState(first), SlotState(second))
        of_result, of_running = tuple(releases[:3]), tuple(releases[3:])
        return Status(running, slots, active, starts, Result(result), of_result, of_running)

    def answer(self, question: Question) -> tuple[Result, bytes] | None:
        """Wait for the answer to the question that was asked last; None if there is none in time."""
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            self._received += self._line.read()
            while b"\0" in self._received:
                packet, _, self._received = self._received.partition(b"\0")
                answer = self._read(packet, question)
                if answer is not None:
                    return answer
        return None

    def _read(self, packet: bytes, question: Question) -> tuple[Result, bytes] | None:
        """Return what a packet answers to the question, or None if it is something else."""
        try:
            frame = bytes(cobs.decode(packet))
        except cobs.DecodeError:
            return None
        body, crc = frame[: -_CRC.size], frame[-_CRC.size :]
        if len(body) < _HEADER.size or _CRC.pack(zlib.crc32(body)) != crc:
            return None
        version, kind, result, sequence = _HEADER.unpack_from(body)
        if (version, kind, sequence) != (_VERSION, question | _ANSWER, self._sequence):
            return None
        return Result(result), body[_HEADER.size :]


def send(device: Device, bundle: bytes, progress: Callable[[], None] = lambda: None) -> Result:
    """Send a bundle until the device refuses it, or has verified it.

    Parameters
    ----------
    device : Device
    bundle : bytes
    progress : callable, optional
        Called after each piece of `PIECE` bytes.
    """
    result, _ = device.ask(Question.BEGIN, _SIZE.pack(len(bundle)))
    for at in range(0, len(bundle), PIECE):
        if result == Result.OK:
            result, _ = device.ask(Question.DATA, bundle[at : at + PIECE])
            progress()
    return device.ask(Question.FINISH)[0] if result == Result.OK else result


def update(device: Device, bundle: bytes, progress: Callable[[], None] = lambda: None) -> Outcome:
    """Send a bundle, have it tried, and see what runs after that.

    Raises
    ------
    DeviceError
        If the device does not answer.
    """
    before = device.status()
    result = send(device, bundle, progress)
    for question in (Question.ACTIVATE, Question.RESTART):
        if result == Result.OK:
            result, _ = device.ask(question)
    after = device.status()
    return Outcome(result if result != Result.OK else after.result, before, after)
