"""A serial line that stays open through unplugging, and the Ctrl-C that ends a recording."""

from __future__ import annotations

import signal
import termios
import threading
import time
from collections.abc import Generator
from types import FrameType

import serial

from stages.core.errors import RecordingError
from stages.core.recordings.wire import Decoder, Frame
from stages.core.schema.serial import SerialLine

_READ_BYTES = 65536
#: Between two looks at a line with nothing on it; in this time 460 bytes come at 921 600 baud.
_POLL_S = 0.005
_FIRST_RETRY_S = 0.1
_LONGEST_RETRY_S = 2.0
_UNUSABLE = (serial.SerialException, OSError, ValueError, termios.error)


class StopRequest:
    """Turns the first Ctrl-C into a flag, so that no block is torn in two; the second is an interrupt as usual.

    Attributes
    ----------
    event : threading.Event
        Set when Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._previous: signal._HANDLER = None

    def listen(self) -> None:
        """Take over SIGINT, where that is possible: in a process's main thread."""
        if self._previous is None and threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._stop)

    def release(self) -> None:
        """Give SIGINT back."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.event.set()
        self.release()


class Line:
    """Frames from a port.

    Parameters
    ----------
    config : SerialLine
    stop : threading.Event
        Ends the reading when it is set.

    Attributes
    ----------
    reconnects : int
        How often the port broke off and came back.
    """

    def __init__(self, config: SerialLine, stop: threading.Event) -> None:
        self.reconnects = 0
        self._config = config
        self._stop = stop
        self._decoder = Decoder()

    @property
    def corrupt(self) -> int:
        """Packets so far that were not whole frames."""
        return self._decoder.corrupt

    def batches(self) -> Generator[list[Frame], None, None]:
        """Read until told to stop, and yield the frames that came at one time; there may be none.

        A port that breaks off is opened again, with growing pauses in between, for `reconnect_s`.

        Raises
        ------
        RecordingError
            If the port cannot be opened, breaks off and does not come back, or is silent for `timeout_s`.
        """
        port: serial.SerialBase = self._open_first()
        silence = _Silence(self._config)
        try:
            while not self._stop.is_set():
                try:
                    data = port.read(_READ_BYTES)
                except _UNUSABLE as error:
                    port.close()
                    silence.breaks_off()
                    reopened = self._open_again(error)
                    if reopened is None:
                        return
                    port = reopened
                    continue
                frames = self._decoder.feed(data)
                silence.hears(len(data), frames)
                yield frames
                if not data:
                    self._stop.wait(_POLL_S)
        finally:
            port.close()

    def _open(self) -> serial.SerialBase:
        # Without a timeout a read returns what is there, and nothing is lost when the port breaks off during it.
        return serial.serial_for_url(self._config.port, baudrate=self._config.baud, timeout=0)

    def _open_first(self) -> serial.SerialBase:
        try:
            return self._open()
        except _UNUSABLE as error:
            raise RecordingError(
                found=f"the port cannot be opened ({_said(error)})",
                where=f"port {self._config.port}",
                expected="a connected device that speaks the protocol of docs/serial.md",
                remedy="Connect the device, see that nothing else has the port open, or correct capture.port",
            ) from None

    def _open_again(self, reason: BaseException) -> serial.SerialBase | None:
        """Return the port, or None if told to stop first."""
        self._decoder.forget()
        deadline = time.monotonic() + self._config.reconnect_s
        delay = _FIRST_RETRY_S
        while time.monotonic() < deadline and not self._stop.wait(delay):
            delay = min(2 * delay, _LONGEST_RETRY_S)
            try:
                port = self._open()
            except _UNUSABLE as error:
                reason = error
            else:
                self.reconnects += 1
                return port
        if self._stop.is_set():
            return None
        raise RecordingError(
            found=f"the device was unplugged and did not come back within {self._config.reconnect_s:g} s "
            f"({_said(reason)})",
            where=f"port {self._config.port}",
            expected="the device under the same name",
            remedy="Connect it and record again, or raise capture.reconnect_s",
        )


class _Silence:
    """Watches how long ago the last frame came."""

    def __init__(self, config: SerialLine) -> None:
        self._config = config
        self._restart(config.timeout_s)

    def _restart(self, allowed_s: float) -> None:
        self._since = time.monotonic()
        self._allowed_s = allowed_s
        self._bytes = 0

    def breaks_off(self) -> None:
        """Allow for the time to come back; not again before a frame came, lest a port that flaps goes on forever."""
        self._allowed_s = self._config.timeout_s + self._config.reconnect_s
        self._require_short()

    def hears(self, n_bytes: int, frames: list[Frame]) -> None:
        if frames:
            self._restart(self._config.timeout_s)
            return
        self._bytes += n_bytes
        self._require_short()

    def _require_short(self) -> None:
        if time.monotonic() - self._since > self._allowed_s:
            raise self._too_long()

    def _too_long(self) -> RecordingError:
        if self._bytes:
            found = f"{self._bytes} bytes came in {self._allowed_s:g} s, and no whole frame among them"
            remedy = f"Set capture.baud (now {self._config.baud}) to the device's, and look at the wiring"
        else:
            found = f"nothing came for {self._allowed_s:g} s"
            remedy = "See that the device runs and that its transmit line is connected, or raise capture.timeout_s"
        where = f"port {self._config.port}"
        return RecordingError(found=found, where=where, expected="the frames of docs/serial.md", remedy=remedy)


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())
