"""The forward image on emulated boards: what the live source records is what went into the board."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
import serial

from stages.core.device.harness import qemu_command
from stages.core.device.size import check_production
from stages.core.errors import ToolchainError
from stages.core.recordings.serial import SerialSource
from tests.core.device.boards import BUILD, EMULATED, FIRMWARE, load_board, need_tools
from tests.core.recordings.sources import capture_config

N_SAMPLES = 4000
COUNTS = np.random.Generator(np.random.PCG64(11)).integers(-32768, 32768, (N_SAMPLES, 1), dtype=np.int16)


@pytest.fixture(scope="module", params=EMULATED)
def forward(request, tmp_path_factory):
    """A board's name and its image, built without any model."""
    name = request.param
    need_tools(name)
    folder = tmp_path_factory.mktemp(name)
    options = [f"-DTG_BOARD={name}", "-DTG_FORWARD_ONLY=ON", f"-DTG_GENERATED={folder}/none"]
    options.append(f"-DCMAKE_TOOLCHAIN_FILE={FIRMWARE}/cmake/arm-none-eabi.cmake")
    subprocess.run(["cmake", "-G", "Ninja", "-S", FIRMWARE, "-B", folder, *options], check=True, capture_output=True)
    subprocess.run(["ninja", "-C", folder, "-j", "1"], check=True, capture_output=True)
    return name, folder / "forward.elf"


@contextmanager
def emulated(name, image):
    """Run an image with its UART on a TCP port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    uart = ["-serial", f"tcp:127.0.0.1:{port},server=on,wait=off"]
    command = [*qemu_command(load_board(name), image), *uart]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            yield f"socket://127.0.0.1:{port}"
        finally:
            process.kill()


@contextmanager
def sensor_of(counts):
    """Once the port is open, send counts to the board over the same line: they are its sensor's."""
    original, feeders = serial.serial_for_url, []

    def opening(*args, **options):
        deadline = time.monotonic() + 20
        while True:
            try:
                port = original(*args, **options)
                break
            except serial.SerialException:
                assert time.monotonic() < deadline, "the emulator did not open its port"
                time.sleep(0.05)
        feeders.append(threading.Thread(target=port.write, args=(counts.astype("<i2").tobytes(),)))
        feeders[-1].start()
        return port

    with mock.patch.object(serial, "serial_for_url", opening):
        yield
    for feeder in feeders:
        feeder.join()


def test_the_samples_that_arrive_are_the_samples_that_were_sent(forward):
    name, image = forward
    session = {**capture_config("serial").model_dump()["sessions"][0], "duration_s": N_SAMPLES / 12800}
    with emulated(name, image) as port, sensor_of(COUNTS):
        source = SerialSource(capture_config("serial", port=port, timeout_s=20.0, sessions=[session]), ("healthy",))
        blocks = list(source[0].blocks())
    gain = capture_config("serial").sensor.counts_per_unit
    np.testing.assert_array_equal(np.concatenate([np.rint(block.signal * gain) for block in blocks]), COUNTS)
    time_s = np.concatenate([block.time_s for block in blocks])
    np.testing.assert_allclose(time_s, np.arange(N_SAMPLES) / 12800, atol=1e-6)
    reception = source.receptions[0]
    frames = N_SAMPLES // BUILD.forward.frame_samples + 1
    assert (reception.frames, reception.lost_frames, reception.corrupt_packets) == (frames, 0, 0)
    assert (reception.ended, reception.missing_samples) == ("complete", 0)


def test_the_image_is_fit_for_production(forward):
    name, image = forward
    check_production(image, image.with_suffix(".map"), name)
    map_of_more = image.with_name("more.map")
    map_of_more.write_text(image.with_suffix(".map").read_text() + "\n/usr/lib/libc.a(lib_a-printf.o)\n")
    with pytest.raises(ToolchainError, match=rf"board {name}, forward.elf: it links lib_a-printf.o from libc"):
        check_production(image, map_of_more, name)
