"""The log: written by the device, read by the host."""

from __future__ import annotations

from ctypes import Structure, byref, c_uint32, sizeof, string_at

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.errors import ArtifactError
from stages.core.runtime.log import HEADER, RECORD, decode
from tests.runtime.library import Record

CAPACITY = 4


class Memory(Structure):
    _fields_ = [("header", c_uint32 * 4), ("records", Record * CAPACITY)]


def written(runtime, records):
    memory = Memory()
    runtime.tg_log_init(byref(memory), CAPACITY)
    for record in records:
        runtime.tg_log_append(byref(memory), memory.records, byref(record))
    return memory


def record(number):
    return Record(number, 1000 + number, -5, 7, (80, -90), (2, 0), 3, 1, 0b1000010, 65535)


@pytest.mark.parametrize(("count", "held", "overwritten"), [(0, [], 0), (3, [0, 1, 2], 0), (11, [7, 8, 9, 10], 7)])
def test_last_windows_come_from_the_oldest_to_the_newest(runtime, count, held, overwritten):
    log = decode(string_at(byref(written(runtime, map(record, range(count)))), sizeof(Memory)), "a test")
    assert log.records["window"].tolist() == held
    assert log.overwritten == overwritten


def test_every_field_arrives(runtime):
    (row,) = decode(bytes(written(runtime, [record(6)])), "a test").records
    found = {name: row[name].tolist() for name in RECORD.names}
    assert found == {
        "window": 6,
        "ticks": 1006,
        "min": -5,
        "max": 7,
        "score": [80, -90],
        "output": [2, 0],
        "class": 3,
        "state": 1,
        "causes": 66,
        "missed": 65535,
    }


def test_records_go_on_where_their_number_wraps(runtime):
    memory = written(runtime, [])
    memory.header[3] = 2**32 - 2
    for number in range(4):
        runtime.tg_log_append(byref(memory), memory.records, byref(record(number)))
    assert [each.window for each in memory.records] == [2, 3, 0, 1]


@settings(max_examples=200, deadline=None)
@given(codes=st.lists(st.integers(-3, 3) | st.sampled_from([-(2**31), 2**31 - 1]), min_size=1, max_size=6))
def test_top_scores_are_the_largest_two_the_first_of_equals_first(runtime, codes):
    found = Record()
    runtime.tg_log_top(byref(found), np.array(codes, np.int32).ctypes, len(codes))
    order = sorted(range(len(codes)), key=lambda k: (-codes[k], k))
    assert (found.output[0], found.score[0]) == (order[0], codes[order[0]])
    if len(codes) > 1:
        assert (found.output[1], found.score[1]) == (order[1], codes[order[1]])
    else:
        assert (found.output[1], found.score[1]) == (0, -(2**31))


def changed(**fields):
    header = np.array([(0x474C4754, 1, 32, 2, 1)], HEADER)
    for name, value in fields.items():
        header[name] = value
    return header.tobytes() + bytes(64)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"TGLG", "4 bytes are no header"),
        (changed(magic=1), "magic 0x00000001, version 1, 32 bytes per record"),
        (changed(version=2), "version 2"),
        (changed(record_bytes=28), "28 bytes per record"),
        (changed(capacity=0), "64 bytes of records where the header says 0 records"),
        (changed()[:-1], "63 bytes of records where the header says 2 records"),
    ],
)
def test_what_is_no_log_is_refused(data, found):
    with pytest.raises(ArtifactError, match=found) as error:
        decode(data, "dump.bin")
    assert error.value.where == "dump.bin"


def test_smallest_log_is_read():
    assert len(decode(changed(), "dump.bin").records) == 1
