"""The runtime modules as a library of the host, and their structures."""

from __future__ import annotations

import subprocess
from ctypes import CDLL, POINTER, Structure, c_bool, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from pathlib import Path

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
MODULES = ("ring", "fault", "decision", "accumulate", "duty", "calibration", "crc32", "log")
FLAGS = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion", "-Wshadow"]
CALIBRATION_CHANNELS = 6


def fields(types, names):
    return [(name, types) for name in names.split()]


class Ring(Structure):
    _fields_ = [
        ("frames", POINTER(c_uint8)),
        *fields(c_uint32, "capacity frame_bytes window hop policy cycle claimed written stretch lost gaps repeated"),
        *fields(c_uint32, "next_block position dropped skipped cut missed passed lost_seen torn"),
        *fields(c_uint32, "seen_written seen_stretch seen_lost"),
    ]


class Spread(Structure):
    _fields_ = [("n", c_uint32), ("first", c_int32), ("sum", c_int64), ("squares", c_uint64)]


class Limits(Structure):
    _fields_ = [
        *fields(c_int32, "low high rail_low rail_high"),
        *fields(c_uint32, "max_saturated max_same max_jump variance_shift min_variance max_variance"),
    ]


class Timing(Structure):
    _fields_ = fields(c_uint32, "max_missed min_ticks max_ticks")


class Fault(Structure):
    _fields_ = [
        ("timing", Timing),
        ("causes", c_uint8),
        ("min", c_int32),
        ("max", c_int32),
        ("windows", c_uint32),
        ("unknown", c_uint32),
        ("counts", c_uint32 * 7),
    ]


class Codes(Structure):
    _fields_ = fields(c_int32, "enter exit reject_from reject_to")


class DecisionConfig(Structure):
    _fields_ = [
        ("codes", POINTER(Codes)),
        ("outputs", c_uint32),
        ("pick", c_uint32),
        ("hysteresis", c_bool),
        *fields(c_uint32, "margin average need of accumulate min_hold cooldown"),
    ]


class Accumulate(Structure):
    _fields_ = fields(c_uint32, "full level alarms")


class Decision(Structure):
    _fields_ = [
        ("config", POINTER(DecisionConfig)),
        ("codes", POINTER(c_int32)),
        *fields(c_uint32, "n_codes next_code"),
        ("classes", c_uint8 * 32),
        *fields(c_uint32, "n_classes next_class"),
        ("accumulate", Accumulate),
        *fields(c_uint32, "hold cooldown"),
        ("state", c_uint8),
        *fields(c_uint32, "windows positive uncertain unknown events gaps"),
    ]


class DutyConfig(Structure):
    _fields_ = fields(c_uint32, "decimation block shift wake_variance window hop preroll cooldown")


class Duty(Structure):
    _fields_ = [
        ("config", POINTER(DutyConfig)),
        *fields(c_uint32, "state skip"),
        ("spread", Spread),
        ("waiting", c_uint32),
        ("is_true_wake", c_bool),
        ("frames", c_uint32 * 4),
        *fields(c_uint32, "wakes false_wakes inferences"),
    ]


class Calibration(Structure):
    _fields_ = [
        *fields(c_uint32, "version sequence channels"),
        ("temperature", c_int32),
        ("offset", c_int32 * CALIBRATION_CHANNELS),
        ("slope", c_int32 * CALIBRATION_CHANNELS),
        ("threshold", c_int32),
        ("crc", c_uint32),
    ]


class CalibrationLimits(Structure):
    _fields_ = [
        ("rest", c_int32 * CALIBRATION_CHANNELS),
        *fields(c_uint32, "variance_shift max_variance"),
        *fields(c_uint64, "min_norm max_norm"),
        *fields(c_uint32, "max_offset min_span max_slope min_windows"),
        *fields(c_int32, "headroom min_threshold max_threshold"),
    ]


class Rest(Structure):
    _fields_ = [("spread", Spread), ("sum", c_int64)]


class Quiet(Structure):
    _fields_ = [("windows", c_uint32), ("highest", c_int32)]


class Record(Structure):
    _fields_ = [
        *fields(c_uint32, "window ticks"),
        *fields(c_int32, "min max"),
        ("score", c_int32 * 2),
        ("output", c_uint8 * 2),
        *fields(c_uint8, "class_ state"),
        *fields(c_uint16, "causes missed"),
    ]


def build(folder: Path) -> CDLL:
    """Compile the modules, checked for undefined behaviour, and load them."""
    path = folder / "runtime.so"
    sources = [*(FIRMWARE / "runtime" / f"{name}.c" for name in MODULES), HERE / "shim.c"]
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover=all", "-shared", "-fPIC"]
    subprocess.run(["gcc", *FLAGS, *checks, f"-I{FIRMWARE}", *sources, "-o", path], check=True)
    library = CDLL(str(path))
    for name in ("tg_ring_take", "tg_ring_ready", "tg_accumulate_update"):
        getattr(library, name).restype = c_bool
    for name in ("tg_decision_update", "tg_decision_unknown", "judge"):
        getattr(library, name).restype = c_uint8
    library.tg_calibration_newest.restype = POINTER(Calibration)
    return library
