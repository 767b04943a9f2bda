"""A live device on a serial line: sessions of raw counts, with every lost sample accounted for (docs/serial.md)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ConfigError, RecordingError
from stages.core.recordings.line import Line, StopRequest
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.source import Block, Recording
from stages.core.recordings.wire import SEQUENCE_MODULUS, Frame, Hello, Samples
from stages.core.schema.labels import UNCERTAIN
from stages.core.schema.serial import SerialLine, SerialSession
from stages.core.schema.thousandths import thousandths


@dataclass(frozen=True)
class Reception:
    """How a session came in.

    Attributes
    ----------
    session_id : str
    samples : int
        Received and kept.
    missing_samples : int
        Lost in gaps, by the device's sample counter.
    frames, lost_frames, corrupt_packets, reconnects : int
    ended : {"complete", "stopped", "restarted"}
        After its duration, by Ctrl-C, or because the device started anew.
    """

    session_id: str
    samples: int
    missing_samples: int
    frames: int
    lost_frames: int
    corrupt_packets: int
    reconnects: int
    ended: Literal["complete", "stopped", "restarted"]


@dataclass(frozen=True)
class _Piece:
    """The part of a frame that belongs to the session."""

    missing_before: int
    time_us: int
    counts: NDArray[np.int16]


class SerialSource:
    """The configured sessions, recorded as they are read.

    Ctrl-C ends the session that is being read and with it the source: its length is then the number of sessions that
    have samples.

    Parameters
    ----------
    config : SerialLine
    classes : tuple of str
        ``labels.classes``.

    Attributes
    ----------
    receptions : list of Reception
        Of the sessions with samples that were read so far.

    Raises
    ------
    ConfigError
        If a session's label is not a class.
    """

    live = True

    def __init__(self, config: SerialLine, classes: tuple[str, ...]) -> None:
        for session in config.sessions:
            if session.label not in (*classes, UNCERTAIN):
                raise ConfigError(
                    found=f"session {session.session_id} is labelled {session.label!r}",
                    where="capture.sessions",
                    expected=f"one of {', '.join(classes)}, or {UNCERTAIN}",
                    remedy="Correct the label, or add the class to labels.classes",
                )
        self.receptions: list[Reception] = []
        self._config = config
        self._stop = StopRequest()

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C ended the recording."""
        return self._stop.event.is_set()

    def __len__(self) -> int:
        return len(self.receptions) if self.stopped else len(self._config.sessions)

    def __getitem__(self, index: int) -> Recording:
        if not 0 <= index < len(self):
            raise IndexError(f"session {index} of {len(self)}")
        session = self._config.sessions[index]
        return Recording(_meta(self._config, session), partial(self._blocks, session))

    def _blocks(self, session: SerialSession) -> Iterator[Block]:
        self._stop.listen()
        try:
            if session is self._config.sessions[0] or not self._stop.event.wait(self._config.pause_s):
                yield from self._read(session)
        except BaseException:
            self._stop.release()
            raise
        if session is self._config.sessions[-1]:
            self._stop.release()

    def _read(self, session: SerialSession) -> Iterator[Block]:
        line = Line(self._config, self._stop.event)
        follower = Follower(self._config, session.duration_s)
        with closing(line.batches()) as batches:
            for frames in batches:
                yield from follower.take(frames)
                if follower.ended is not None:
                    break
        if follower.samples:
            self.receptions.append(
                Reception(
                    session_id=session.session_id,
                    samples=follower.samples,
                    missing_samples=follower.missing_samples,
                    frames=follower.frames,
                    lost_frames=follower.lost_frames,
                    corrupt_packets=line.corrupt,
                    reconnects=line.reconnects,
                    ended=follower.ended or "stopped",
                )
            )


class Follower:
    """Turns the frames of one session into blocks.

    The session begins with the first samples after a hello, and lasts so many samples of the device's counter,
    received or not. A frame that comes twice counts once. Where a counter goes back, the device has started anew: how
    much was lost is not known then, so the session ends there, or begins there if it has no samples yet.

    Parameters
    ----------
    config : SerialLine
    duration_s : float

    Attributes
    ----------
    ended : {"complete", "restarted"} or None
        None while there is more to come.
    samples, missing_samples, frames, lost_frames : int
        See `Reception`.
    """

    def __init__(self, config: SerialLine, duration_s: float) -> None:
        self.ended: Literal["complete", "restarted"] | None = None
        self.samples = self.missing_samples = self.frames = self.lost_frames = 0
        self._config = config
        self._n_samples = max(round(duration_s * config.sample_rate_hz), 1)
        self._last: Frame | None = None
        self._greeted = False
        self._without_hello = 0
        self._start = self._next = 0

    def take(self, frames: list[Frame]) -> Iterator[Block]:
        """Yield the blocks that some frames make, one for each stretch without a gap.

        Raises
        ------
        RecordingError
            If the device is not the configured one, or does not introduce itself within `timeout_s` of samples.
        """
        stretches: list[list[_Piece]] = []
        for piece in filter(None, map(self._follow, frames)):
            if piece.missing_before or not stretches:
                stretches.append([])
            stretches[-1].append(piece)
        for stretch in stretches:
            yield self._block(stretch)

    def _follow(self, frame: Frame) -> _Piece | None:
        if self.ended or _is_repeated(frame, self._last):
            return None
        if self._went_back(frame):
            if self.samples:
                self.ended = "restarted"
                return None
            self._last, self._greeted, self._without_hello = None, False, 0
        self.lost_frames += self._frames_before(frame)
        self.frames += 1
        self._last = frame
        if isinstance(frame, Hello):
            require_declared(frame, self._config)
            self._greeted = True
            return None
        if not self._greeted:
            self._require_hello_soon(frame)
            return None
        return self._cut(frame)

    def _frames_before(self, frame: Frame) -> int:
        """Count the frames between the last one and this, modulo the counter."""
        return 0 if self._last is None else (frame.sequence - self._last.sequence - 1) % SEQUENCE_MODULUS

    def _went_back(self, frame: Frame) -> bool:
        counter_back = isinstance(frame, Samples) and self.samples > 0 and frame.first_sample < self._next
        return counter_back or self._frames_before(frame) >= SEQUENCE_MODULUS // 2

    def _cut(self, frame: Samples) -> _Piece | None:
        if frame.counts.shape[1] != len(self._config.channels):
            raise _not_declared([f"a frame of {frame.counts.shape[1]} channels"], self._config)
        if not self.samples:
            self._start = self._next = frame.first_sample
        missing = frame.first_sample - self._next
        room = self._start + self._n_samples - frame.first_sample
        if room <= len(frame.counts):
            self.ended = "complete"
        if room <= 0:
            return None
        counts = frame.counts[:room]
        self._next = frame.first_sample + len(counts)
        self.samples += len(counts)
        self.missing_samples += missing
        return _Piece(missing, frame.time_us, counts)

    def _block(self, stretch: list[_Piece]) -> Block:
        rate_hz = self._config.sample_rate_hz
        return Block(
            signal=np.concatenate([piece.counts for piece in stretch]) / self._config.sensor.counts_per_unit,
            missing_before=stretch[0].missing_before,
            time_s=np.concatenate([piece.time_us / 1e6 + np.arange(len(piece.counts)) / rate_hz for piece in stretch]),
        )

    def _require_hello_soon(self, frame: Samples) -> None:
        self._without_hello += len(frame.counts)
        if self._without_hello > self._config.timeout_s * self._config.sample_rate_hz:
            raise RecordingError(
                found=f"the device sent {self._without_hello} samples and did not say what they are",
                where=f"port {self._config.port}",
                expected=f"a hello frame within {self._config.timeout_s:g} s, and then about once a second",
                remedy="Let the firmware send one, as docs/serial.md describes, or raise capture.timeout_s",
            )


def require_declared(hello: Hello, config: SerialLine) -> None:
    """Make sure that a device is the configured one.

    Raises
    ------
    RecordingError
        Names everything that differs.
    """
    facts = (
        ("sample rate in mHz", hello.sample_rate_millihz, thousandths(config.sample_rate_hz)),
        ("channels", hello.channels, len(config.channels)),
        ("counts per 1000 units", hello.counts_per_unit_milli, thousandths(config.sensor.counts_per_unit)),
        ("firmware", hello.firmware, config.sensor.firmware),
    )
    different = [f"{what} {is_!r} instead of {should!r}" for what, is_, should in facts if is_ != should]
    if different:
        raise _not_declared(different, config)


def _not_declared(different: list[str], config: SerialLine) -> RecordingError:
    return RecordingError(
        found=f"the device declares {', '.join(different)}",
        where=f"port {config.port}",
        expected="the device that the section capture describes: sample_rate_hz, channels and sensor",
        remedy="Connect that device, or correct the section",
    )


def _is_repeated(frame: Frame, last: Frame | None) -> bool:
    if isinstance(frame, Hello) or isinstance(last, Hello) or last is None:
        return frame == last
    same_place = (frame.sequence, frame.first_sample) == (last.sequence, last.first_sample)
    return same_place and np.array_equal(frame.counts, last.counts)


def _meta(config: SerialLine, session: SerialSession) -> SessionMeta:
    sensor = config.sensor
    return SessionMeta(
        session_id=session.session_id,
        group_id=session.group,
        condition=session.condition,
        state=session.state,
        sample_rate_hz=config.sample_rate_hz,
        channels=config.channels,
        unit=sensor.unit,
        full_scale=sensor.full_scale,
        counts_per_unit=sensor.counts_per_unit,
        device=sensor.device,
        firmware=sensor.firmware,
        mounting=sensor.mounting,
        spans=(Span(0, -1, session.label),),
    )
