"""The bundle survives a round trip and no damage."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.bundle import pack, pack_golden, unpack
from stages.core.errors import ArtifactError

SECTIONS = {"contract": b"{}", "golden": bytes(range(40)), "empty": b""}


def test_bundle_round_trip_keeps_names_order_and_bytes():
    assert list(unpack(pack(SECTIONS)).items()) == list(SECTIONS.items())


def test_bundle_layout_is_the_documented_one():
    data = pack({"a": b"xyz"})
    assert data[:4] == b"TGB1"
    assert [int.from_bytes(data[at : at + 4], "little") for at in (4, 8, 12)] == [1, 1, len(data)]
    assert data[16:32] == b"a".ljust(16, b"\0")
    offset = int.from_bytes(data[32:36], "little")
    assert offset % 16 == 0
    assert data[offset : offset + 3] == b"xyz"


@given(st.integers(0, len(pack(SECTIONS)) - 1))
def test_bundle_truncated_anywhere_is_refused(length):
    with pytest.raises(ArtifactError):
        unpack(pack(SECTIONS)[:length])


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_bundle_reader_refuses_noise(noise):
    with pytest.raises(ArtifactError):
        unpack(b"TGB1" + noise)


def test_bundle_with_an_altered_section_is_refused():
    data = bytearray(pack(SECTIONS))
    position = data.index(bytes(range(40)))
    data[position] ^= 1
    with pytest.raises(ArtifactError, match=r"golden.* is truncated or altered"):
        unpack(bytes(data))


@pytest.mark.parametrize(("dtype", "letter"), [(np.int16, "h"), (np.int32, "i")])
def test_golden_layout_is_the_documented_one(dtype, letter):
    samples = np.arange(-6, 6, dtype=dtype).reshape(2, 3, 2)
    scores = np.array([[70000], [-70000]], dtype=np.int32)
    expected = struct.pack("<5I", 2, 3, 2, 1, np.dtype(dtype).itemsize)
    expected += struct.pack(f"<12{letter}", *range(-6, 6)) + struct.pack("<2i", 70000, -70000)
    assert pack_golden(samples, scores) == expected
