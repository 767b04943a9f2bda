"""Devices for tests: frames of known samples, and a TCP server that plays them and may be unplugged."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import serial

from stages.core.recordings.wire import Hello, Samples, encode
from tests.core.recordings.sources import capture_config

RATE_HZ = 1000.0
FRAME_SAMPLES = 20
HELLO = Hello(0, 1, 1_000_000, 2_048_000, "forward-1")
#: What the device measures, by sample counter.
COUNTS = np.random.Generator(np.random.PCG64(3)).integers(-32768, 32768, (20_000, 1), dtype=np.int16)


def line_config(port="loop://", durations_s=(0.4,), **changes):
    sessions = [
        {
            "session_id": f"s{index}",
            "group": "machine_01",
            "condition": "idle",
            "state": "as found",
            "label": "anomalous" if index % 2 else "healthy",
            "duration_s": duration_s,
        }
        for index, duration_s in enumerate(durations_s)
    ]
    fast = {"timeout_s": 0.5, "reconnect_s": 0.5, "pause_s": 0.0}
    return capture_config("serial", port=port, sample_rate_hz=RATE_HZ, sessions=sessions, **{**fast, **changes})


def sample_frame(index, sequence=None):
    """Frame `index` of `COUNTS`, sent as frame number ``index + 1``, after the hello."""
    first = FRAME_SAMPLES * index
    counts = COUNTS[first : first + FRAME_SAMPLES]
    return Samples(index + 1 if sequence is None else sequence, first, first * 1000, counts)


def frames(begin, end):
    """A hello and then frames ``begin .. end - 1``, as bytes."""
    hello = Hello(begin, *(getattr(HELLO, name) for name in list(vars(HELLO))[1:]))
    return b"".join(encode(frame) for frame in (hello, *(sample_frame(index) for index in range(begin, end))))


@contextmanager
def after_each_opening(act):
    """Call `act` whenever a port was opened: what is sent earlier, opening throws away."""
    original = serial.serial_for_url

    def opening(*args, **options):
        port = original(*args, **options)
        act()
        return port

    with mock.patch.object(serial, "serial_for_url", opening):
        yield


class Device:
    """Serves one connection after another: for each it sends some bytes, then breaks off.

    The last connection stays open and silent until the end.
    """

    def __init__(self, *connections: bytes) -> None:
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._opened = threading.Semaphore(0)
        self._over = threading.Event()
        self._stack = ExitStack()
        self._thread = threading.Thread(target=self._serve)
        self.port = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        self._stack.enter_context(after_each_opening(self._opened.release))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self._stack.close()

    def _serve(self):
        try:
            for index, data in enumerate(self._connections):
                connection, _ = self._listener.accept()
                with connection:
                    self._opened.acquire(timeout=5)
                    connection.sendall(data)
                    if index == len(self._connections) - 1:
                        self._over.wait()
        except OSError:
            pass  # the test has what it wanted
