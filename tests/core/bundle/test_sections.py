"""What a device reads of a bundle lies in bytes as docs/bundle.md says."""

import struct
import zlib

import numpy as np
import pytest

from stages.core.bundle.sections import pack_calibration, pack_config, pack_golden, unpack_golden

LIMITS = {
    "low": -30,
    "high": 40,
    "rail_low": -50,
    "rail_high": 60,
    "max_saturated": 7,
    "max_same": 8,
    "max_jump": 9,
    "variance_shift": 1,
    "min_variance": 10,
    "max_variance": 2**32 - 1,
}
CONTRACT = {
    "decision": {
        "rules": {
            "codes": [
                {"enter": -64, "exit": -70, "reject_from": -66, "reject_to": -60},
                {"enter": 5, "exit": 4, "reject_from": 5, "reject_to": 5},
            ],
            "pick": "highest",
            "hysteresis": True,
            "margin": 11,
            "average": 12,
            "need": 13,
            "of": 14,
            "accumulate": 15,
            "min_hold": 16,
            "cooldown": 17,
        }
    },
    "stream": {
        "block_frames": 32,
        "late": "drop_oldest",
        "log_windows": 16,
        "limits": [LIMITS, {**LIMITS, "low": -31}],
        "timing_frames": [352, 672],
    },
}


def test_config_layout_is_the_documented_one():
    expected = struct.pack("<16I", 1, 2, 2, 1, 1, 11, 12, 13, 14, 15, 16, 17, 352, 672, 0, 0)
    expected += struct.pack("<8i", -64, -70, -66, -60, 5, 4, 5, 5)
    for low in (-30, -31):
        expected += struct.pack("<4i6I", low, 40, -50, 60, 7, 8, 9, 1, 10, 2**32 - 1)
    assert pack_config(CONTRACT) == expected


def test_config_without_a_fault_gate_has_no_channels():
    packed = pack_config({**CONTRACT, "stream": {**CONTRACT["stream"], "limits": []}})
    assert (len(packed), struct.unpack_from("<3I", packed)) == (64 + 32, (1, 2, 0))


def test_calibration_of_a_new_device_corrects_nothing():
    record = pack_calibration(CONTRACT, 3)
    body = struct.pack("<IIIi12ii", 1, 0, 3, 0, *(12 * [0]), -64)
    assert record == body + struct.pack("<I", zlib.crc32(body))
    assert pack_calibration(CONTRACT, 7) == b""


@pytest.mark.parametrize(("dtype", "letter", "gap"), [(np.int16, "h", 2), (np.int32, "i", 0)])
def test_golden_layout_is_the_documented_one(dtype, letter, gap):
    samples = np.arange(-7, 8, dtype=dtype).reshape(1, 5, 3)
    scores = np.array([[70000, -70000]], dtype=np.int32)
    expected = struct.pack("<8I", 1, 5, 3, 2, np.dtype(dtype).itemsize, 0, 0, 0)
    expected += struct.pack(f"<15{letter}", *range(-7, 8)) + bytes(gap) + struct.pack("<2i", 70000, -70000)
    assert pack_golden(samples, scores) == expected
    for made, given in zip(unpack_golden(expected), (samples, scores), strict=True):
        np.testing.assert_array_equal(made, given)
