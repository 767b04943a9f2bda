"""Raw counts over a byte stream: frames to bytes and back. ``firmware/runtime/wire.h`` is the other side.

A frame is a fixed little-endian header, its content and a CRC-32, sent as one COBS packet that ends with a zero. So a
receiver that starts in the middle, or behind garbage, is in step again at the next zero.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from cobs import cobs
from numpy.typing import NDArray

from stages.core.errors import RecordingError

VERSION = 1
#: The longest frame, before byte stuffing.
MAX_BYTES = 4096
#: Frames are numbered modulo this.
SEQUENCE_MODULUS = 2**32

_HEADER = struct.Struct("<BBHI")
_HELLO = struct.Struct("<II16s")
_SAMPLES = struct.Struct("<QQH")
_CRC = struct.Struct("<I")
_MAX_PACKET_BYTES = MAX_BYTES + MAX_BYTES // 254 + 1


@dataclass(frozen=True)
class Hello:
    """What a device says about itself, first and then about once a second.

    Attributes
    ----------
    sequence : int
        Number of the frame, both types counted, modulo 2**32.
    channels : int
    sample_rate_millihz, counts_per_unit_milli : int
    firmware : str
        ASCII, at most 16 characters.
    """

    TYPE: ClassVar[int] = 1

    sequence: int
    channels: int
    sample_rate_millihz: int
    counts_per_unit_milli: int
    firmware: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Consecutive samples.

    Attributes
    ----------
    sequence : int
        Number of the frame, both types counted, modulo 2**32.
    first_sample : int
        Number of the first sample since the device started.
    time_us : int
        Of the first sample, by the device's clock.
    counts : ndarray of int16, shape (samples, channels)
        At least one sample.
    """

    TYPE: ClassVar[int] = 2

    sequence: int
    first_sample: int
    time_us: int
    counts: NDArray[np.int16]


Frame = Hello | Samples


def encode(frame: Frame) -> bytes:
    """Write a frame as it goes over the line, its final zero included."""
    if isinstance(frame, Hello):
        channels = frame.channels
        name = frame.firmware.encode("ascii")
        content = _HELLO.pack(frame.sample_rate_millihz, frame.counts_per_unit_milli, name)
    else:
        samples, channels = frame.counts.shape
        content = _SAMPLES.pack(frame.first_sample, frame.time_us, samples) + frame.counts.astype("<i2").tobytes()
    body = _HEADER.pack(VERSION, frame.TYPE, channels, frame.sequence) + content
    return cobs.encode(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode(packet: bytes) -> Frame | None:
    """Read what stood between two zeros.

    Parameters
    ----------
    packet : bytes
        Without the zeros.

    Returns
    -------
    Hello, Samples or None
        None if it is not a whole frame, which then must not be used in part.

    Raises
    ------
    RecordingError
        If it is a whole frame of another version of the protocol.
    """
    try:
        data = cobs.decode(packet)
    except cobs.DecodeError:
        return None
    body, checksum = data[: -_CRC.size], data[-_CRC.size :]
    if len(body) < _HEADER.size or checksum != _CRC.pack(zlib.crc32(body)):
        return None
    version, kind, channels, sequence = _HEADER.unpack_from(body)
    if version != VERSION:
        raise RecordingError(
            found=f"the device speaks version {version} of the protocol",
            where="the serial line",
            expected=f"version {VERSION}",
            remedy="Put the firmware on the device that belongs to this release",
        )
    content = body[_HEADER.size :]
    if kind == Hello.TYPE and len(content) == _HELLO.size:
        rate, gain, name = _HELLO.unpack(content)
        return Hello(sequence, channels, rate, gain, name.rstrip(b"\0").decode("ascii", "replace"))
    return _samples(channels, sequence, content) if kind == Samples.TYPE else None


def _samples(channels: int, sequence: int, content: bytes) -> Samples | None:
    if len(content) < _SAMPLES.size:
        return None
    first_sample, time_us, samples = _SAMPLES.unpack_from(content)
    counts = np.frombuffer(content, "<i2", offset=_SAMPLES.size) if len(content) % 2 == 0 else np.empty(0)
    if len(counts) != samples * channels or len(counts) == 0:
        return None
    return Samples(sequence, first_sample, time_us, counts.astype(np.int16).reshape(samples, channels))


class Decoder:
    """Finds the frames in a stream of bytes that comes in any pieces.

    Attributes
    ----------
    corrupt : int
        Packets so far that were not whole frames. Empty ones, from zeros side by side, do not count.
    """

    def __init__(self) -> None:
        self.corrupt = 0
        self._open = b""

    def forget(self) -> None:
        """Drop the packet that is still open, after the stream broke off."""
        self._open = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream and return the frames that they complete.

        Raises
        ------
        RecordingError
            If a device speaks another version of the protocol.
        """
        *packets, rest = data.split(b"\0")
        if packets:
            packets[0] = self._open + packets[0]
            self._open = rest
        else:
            self._open += rest
        # One byte too many is kept: it tells that this packet is none, wherever its end comes.
        self._open = self._open[: _MAX_PACKET_BYTES + 1]
        whole = [packet for packet in packets if packet]
        frames = [decode(packet) if len(packet) <= _MAX_PACKET_BYTES else None for packet in whole]
        self.corrupt += frames.count(None)
        return [frame for frame in frames if frame is not None]
