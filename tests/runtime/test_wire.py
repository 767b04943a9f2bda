"""The device's side of the wire protocol, compiled for the host with sanitizers, against the host's and libraries."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.core.recordings.wire import Decoder, Hello, Samples, encode

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
SOURCES = [
    HERE / "wire_runner.c",
    *(FIRMWARE / name for name in ("app/forward.c", "runtime/wire.c", "runtime/cobs.c", "runtime/crc32.c")),
]
STRICT = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
#: Name: channels, samples in a frame, rate in mHz, gain in thousandths.
FORWARD = {"one": (1, 32, 12_800_000, 2_048_000), "three": (3, 5, 33_333, 819_200)}
EXAMPLES = settings(max_examples=15, deadline=None)
U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))


def compile_runner(binary, channels, frame_samples, rate, gain):
    names = ("CHANNELS", "FRAME_SAMPLES", "SAMPLE_RATE_MILLIHZ", "COUNTS_PER_UNIT_MILLI")
    defines = [f"-DTG_FORWARD_{k}={v}" for k, v in zip(names, (channels, frame_samples, rate, gain), strict=True)]
    command = ["gcc", *STRICT, *SANITIZED, f"-I{FIRMWARE}", *defines, *SOURCES, "-o", binary]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Send requests to a runner, return its answers."""
    binaries = {}
    for name, shape in FORWARD.items():
        binaries[name] = tmp_path_factory.mktemp("wire") / name
        done = compile_runner(binaries[name], *shape)
        assert done.returncode == 0, done.stderr

    def run(*requests: bytes, forward="one") -> list[bytes]:
        data = b"".join(struct.pack("<I", len(request)) + request for request in requests)
        done = subprocess.run([binaries[forward]], input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        answers, rest = [], done.stdout
        while rest:
            length = int.from_bytes(rest[:4], "little")
            answers.append(rest[4 : 4 + length])
            rest = rest[4 + length :]
        assert len(answers) == len(requests)
        return answers

    return run


@EXAMPLES
@given(texts=st.lists(st.binary(max_size=600), min_size=1, max_size=20))
def test_the_checksum_is_that_of_zlib(ask, texts):
    assert ask(*(b"\1" + text for text in texts)) == [struct.pack("<I", zlib.crc32(text)) for text in texts]


def test_byte_stuffing_is_that_of_the_library_around_full_blocks(ask):
    texts = [
        b"\7" * n + tail for n in (0, 1, 253, 254, 255, 507, 508, 509, 762) for tail in (b"", b"\0", b"\0\0", b"\0\7")
    ]
    assert ask(*(b"\0" + text for text in texts)) == [cobs.encode(text) + b"\0" for text in texts]


@EXAMPLES
@given(texts=st.lists(st.binary(max_size=900) | st.binary(max_size=900).map(lambda b: b.replace(b"\0", b"\1"))))
def test_byte_stuffing_is_that_of_the_library(ask, texts):
    assert ask(*(b"\0" + text for text in texts)) == [cobs.encode(text) + b"\0" for text in texts]


@EXAMPLES
@given(sequence=U32, channels=U16, rate=U32, gain=U32, name=st.from_regex(r"[ -~]{0,16}", fullmatch=True))
def test_a_hello_of_the_device_is_that_of_the_host(ask, sequence, channels, rate, gain, name):
    (packet,) = ask(b"\2" + struct.pack("<IHII16s", sequence, channels, rate, gain, name.encode()))
    hello = Hello(sequence, channels, rate, gain, name)
    assert packet == encode(hello)
    assert Decoder().feed(packet) == [hello]


@EXAMPLES
@given(
    sequence=U32,
    first=U64,
    time=U64,
    counts=arrays.arrays(np.int16, st.tuples(st.integers(1, 300), st.integers(1, 6))),
)
def test_samples_of_the_device_arrive_as_they_are(ask, sequence, first, time, counts):
    samples, channels = counts.shape
    request = struct.pack("<IHHQQ", sequence, channels, samples, first, time) + counts.astype("<i2").tobytes()
    (packet,) = ask(b"\3" + request)
    (frame,) = Decoder().feed(packet)
    assert (frame.sequence, frame.first_sample, frame.time_us) == (sequence, first, time)
    np.testing.assert_array_equal(frame.counts, counts)
    assert packet == encode(frame)


@pytest.mark.parametrize("name", FORWARD)
def test_forward_sends_what_it_was_fed_numbered_and_timed(ask, name):
    channels, frame_samples, rate, _ = FORWARD[name]
    rng = np.random.Generator(np.random.PCG64(7))
    counts = rng.integers(-32768, 32768, (3 * 12800 + 3, channels), dtype=np.int16)
    (sent,) = ask(b"\4" + counts.astype("<i2").tobytes(), forward=name)
    frames = Decoder().feed(sent)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    samples = [frame for frame in frames if isinstance(frame, Samples)]
    whole = len(counts) // frame_samples
    assert [frame.first_sample for frame in samples] == [frame_samples * k for k in range(whole)]
    assert [frame.time_us for frame in samples] == [frame_samples * k * 10**9 // rate for k in range(whole)]
    np.testing.assert_array_equal(np.concatenate([f.counts for f in samples]), counts[: whole * frame_samples])


@pytest.mark.parametrize(("name", "frames_between"), [("one", 400), ("three", 6)])
def test_forward_introduces_itself_first_and_then_once_a_second(ask, name, frames_between):
    channels, frame_samples, rate, gain = FORWARD[name]
    (sent,) = ask(b"\4" + bytes(2 * channels * frame_samples * 1000), forward=name)
    frames = Decoder().feed(sent)
    hellos = [index for index, frame in enumerate(frames) if isinstance(frame, Hello)]
    assert hellos == list(range(0, len(frames), frames_between + 1))
    assert frames[0] == Hello(0, channels, rate, gain, "forward-1")


@pytest.mark.parametrize(
    ("shape", "contract"),
    [
        ((64, 32, 1000, 1000), "a receiver takes the frame"),
        ((0, 32, 1000, 1000), "there is something to forward"),
        ((1, 32, 1 << 32, 1000), "the rate fits its field"),
        ((1, 32, 1000, 0), "the gain fits its field"),
    ],
)
def test_a_shape_that_cannot_be_sent_does_not_compile(tmp_path, shape, contract):
    assert f'static assertion failed: "{contract}"' in compile_runner(tmp_path / "runner", *shape).stderr
