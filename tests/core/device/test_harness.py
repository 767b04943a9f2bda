"""The protocol's Python side, without a device."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.device.harness import fnv1a, fnv1a_rows, instructions
from tests.core.device.boards import load_board


@pytest.mark.parametrize(("text", "expected"), [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)])
def test_fnv1a_gives_the_published_values(text, expected):
    assert fnv1a(text) == expected


def test_fnv1a_of_rows_is_that_of_each_row():
    rows = np.random.Generator(np.random.PCG64(1)).integers(-128, 128, (7, 53)).astype(np.int8)
    assert fnv1a_rows(rows).tolist() == [fnv1a(row.tobytes()) for row in rows]


def test_instructions_follow_from_the_clock_by_hand():
    # At 32 MHz a tick is 31.25 ns and at 25 MHz 40 ns; an instruction is 32 ns.
    assert instructions(1024, load_board("mps3_an547")) == 1000
    assert instructions(800, load_board("mps2_an386")) == 1000
