"""The wire protocol on the host: its layout, and streams that no receiver would wish for."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from itertools import pairwise

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.core.errors import RecordingError
from stages.core.recordings.wire import Decoder, Hello, Samples, decode, encode

HELLO = Hello(3, 2, 12_800_000, 819_200, "forward-1")
EXAMPLES = settings(max_examples=150, deadline=None)
COUNTS = arrays.arrays(np.int16, st.tuples(st.integers(1, 40), st.integers(1, 3)))
FRAMES = st.builds(Samples, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), COUNTS)


def as_bytes(frames):
    """Frames in a form that compares by content."""
    return [encode(frame) for frame in frames]


def body(packet):
    """A packet's frame, its checksum taken off and checked by hand."""
    assert packet[-1] == 0
    data = cobs.decode(packet[:-1])
    assert struct.unpack("<I", data[-4:]) == (zlib.crc32(data[:-4]),)
    return data[:-4]


def test_a_hello_has_the_documented_bytes():
    assert body(encode(HELLO)) == bytes.fromhex("01 01 0200 03000000 0050c300 00800c00") + b"forward-1".ljust(16, b"\0")


def test_samples_have_the_documented_bytes():
    frame = Samples(0x01020304, 5, 6, np.array([[1, -1], [-32768, 32767]], np.int16))
    header = bytes.fromhex("01 02 0200 04030201 0500000000000000 0600000000000000 0200")
    assert body(encode(frame)) == header + bytes.fromhex("0100 ffff 0080 ff7f")


@EXAMPLES
@given(frames=st.lists(FRAMES, max_size=6), cuts=st.lists(st.integers(0, 2000)))
def test_frames_survive_any_cutting_of_the_stream(frames, cuts):
    stream = b"".join(as_bytes([HELLO, *frames]))
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    decoder = Decoder()
    received = [frame for begin, end in pairwise(edges) for frame in decoder.feed(stream[begin:end])]
    assert as_bytes(received) == as_bytes([HELLO, *frames])
    assert decoder.corrupt == 0


@EXAMPLES
@given(frame=FRAMES, data=st.data())
def test_a_part_of_a_frame_is_no_frame(frame, data):
    packet = encode(frame)[:-1]
    assert decode(packet[: data.draw(st.integers(0, len(packet) - 1))]) is None
    assert decode(packet[data.draw(st.integers(1, len(packet))) :]) is None


@settings(max_examples=300, deadline=None)
@given(
    frames=st.lists(FRAMES, min_size=1, max_size=8),
    wounds=st.lists(st.tuples(st.sampled_from(["flip", "cut", "insert", "repeat"]), st.integers(0), st.binary())),
)
def test_a_damaged_stream_never_gives_a_frame_that_was_not_sent(frames, wounds):
    stream = bytearray().join(as_bytes(frames))
    for kind, place, noise in wounds:
        at = place % max(len(stream), 1)
        if kind == "flip" and stream:
            stream[at] ^= 1 + place % 255
        elif kind == "cut":
            del stream[at : at + 1 + len(noise)]
        else:
            stream[at:at] = noise if kind == "insert" else stream[max(at - 50, 0) : at]
    received = as_bytes(Decoder().feed(bytes(stream)))
    assert set(received) <= set(as_bytes(frames))


@EXAMPLES
@given(noise=st.binary(max_size=3000))
def test_after_garbage_the_second_frame_is_received(noise):
    decoder = Decoder()
    received = decoder.feed(noise + encode(HELLO) + encode(HELLO))
    assert received[-1] == HELLO
    assert decoder.corrupt <= noise.count(0) + 1


def test_endless_garbage_is_one_corrupt_packet_and_is_not_hoarded():
    decoder, noise = Decoder(), b"\x55" * 65536
    tracemalloc.start()
    for _ in range(100):
        assert decoder.feed(noise) == []
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert decoder.feed(b"\0" + encode(HELLO)) == [HELLO]
    assert decoder.corrupt == 1


def test_a_broken_off_packet_is_not_joined_to_what_comes_after():
    decoder = Decoder()
    decoder.feed(encode(HELLO)[:10])
    decoder.forget()
    assert decoder.feed(encode(HELLO)) == [HELLO]
    assert decoder.corrupt == 0


def packed(content):
    return cobs.encode(content + struct.pack("<I", zlib.crc32(content)))


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<BBHI", 1, 9, 1, 0),  # no such type
        struct.pack("<BBHIQQH", 1, 2, 1, 0, 0, 0, 2) + b"\1\2",  # fewer counts than it says
        struct.pack("<BBHIQQH", 1, 2, 1, 0, 0, 0, 1) + b"\1\2\3",
        struct.pack("<BBHIQQH", 1, 2, 0, 0, 0, 0, 0),  # no samples
        struct.pack("<BBHI", 1, 2, 1, 0),
        struct.pack("<BBHI", 1, 1, 1, 0) + bytes(23),
        b"",
    ],
)
def test_a_frame_with_a_good_checksum_and_a_wrong_form_is_none(content):
    assert decode(packed(content)) is None


def test_another_version_of_the_protocol_is_refused():
    with pytest.raises(RecordingError, match=r"the serial line: the device speaks version 2 .* Expected version 1"):
        decode(packed(struct.pack("<BBHI", 2, 1, 1, 0)))
