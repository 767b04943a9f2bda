"""The simulated flash: what an operation does when the power fails at it, and what it refuses."""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p, c_uint8, c_uint32, c_void_p

import numpy as np
import pytest

from tests.update.library import NEVER, SimFlash

BLOCKS, BLOCK_BYTES, UNIT_BYTES = 3, 64, 16
BEFORE, DURING, AFTER, WORN = range(4)
DATA = bytes(range(0x40, 0x40 + UNIT_BYTES))
ERASED = b"\xff" * UNIT_BYTES
SEEDS = range(200)


class Mapped(Structure):
    """`tg_flash`."""

    _fields_ = [
        ("bytes", POINTER(c_uint8)),
        *((name, c_uint32) for name in ("blocks", "block_bytes", "unit_bytes")),
        ("context", c_void_p),
        ("erase", CFUNCTYPE(c_bool, c_void_p, c_uint32)),
        ("program", CFUNCTYPE(c_bool, c_void_p, c_uint32, c_char_p, c_uint32)),
    ]


class Flash:
    def __init__(self, library):
        library.tg_sim_flash_init.restype = SimFlash
        library.tg_sim_flash_device.restype = Mapped
        self.library = library
        self.wear = (c_uint32 * BLOCKS)()
        self.memory = (c_uint8 * (BLOCKS * BLOCK_BYTES))()
        self._used = (c_uint8 * (BLOCKS * BLOCK_BYTES // UNIT_BYTES))()
        self.sim = library.tg_sim_flash_init(self.memory, self.wear, self._used, BLOCKS, BLOCK_BYTES, UNIT_BYTES)
        self._mapped = library.tg_sim_flash_device(byref(self.sim))

    def power(self, cut_at=NEVER, cut=BEFORE, seed=0):
        self.library.tg_sim_flash_power(byref(self.sim), cut_at, cut, seed)

    def erase(self, block):
        return self._mapped.erase(self._mapped.context, block)

    def program(self, at, data):
        return self._mapped.program(self._mapped.context, at, data, len(data))

    def read(self, at, size=UNIT_BYTES):
        return bytes(self.memory[at : at + size])


@pytest.fixture
def flash(library):
    return Flash(library)


def bits(data: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(data, np.uint8)).astype(bool)


def test_programs_and_erases_and_counts_the_wear(flash):
    assert flash.program(64, DATA * 2)
    assert (flash.read(64), flash.read(80), flash.read(96)) == (DATA, DATA, ERASED)
    assert flash.erase(1)
    assert (flash.read(64), list(flash.wear), flash.sim.operations) == (ERASED, [0, 1, 0], 3)
    assert flash.program(64, DATA)
    assert flash.sim.misuses == 0


@pytest.mark.parametrize("cut", [BEFORE, AFTER])
def test_a_cut_before_or_after_a_unit_leaves_it_whole(flash, cut):
    flash.power(1, cut)
    assert not flash.program(0, DATA * 3)
    assert flash.read(0, 48) == (DATA + ERASED * 2 if cut == BEFORE else DATA * 2 + ERASED)


def test_a_cut_within_a_unit_clears_some_of_the_bits_that_were_to_be_cleared(library):
    results = set()
    for seed in SEEDS:
        flash = Flash(library)
        flash.power(0, DURING, seed)
        assert not flash.program(0, DATA)
        assert bits(flash.read(0))[bits(DATA)].all()
        results.add(flash.read(0))
    assert len(results) > len(SEEDS) / 2
    assert any(result.startswith(DATA[:4]) and result.endswith(ERASED[:4]) for result in results)


def test_a_cut_within_an_erasure_sets_some_of_the_bits(library):
    results = set()
    for seed in SEEDS:
        flash = Flash(library)
        flash.program(0, DATA * 4)
        flash.power(0, DURING, seed)
        assert not flash.erase(0)
        block = flash.read(0, BLOCK_BYTES)
        assert bits(block)[bits(DATA * 4)].all()
        results.add(block)
        flash.power()
        assert not flash.program(0, DATA), "nobody can count on any unit"
    assert len(results) > len(SEEDS) / 2
    assert any(DATA in result for result in results), "a whole unit may be left"


def test_without_power_nothing_changes_until_it_is_back(flash):
    flash.power(0, BEFORE)
    assert [flash.program(0, DATA), flash.program(16, DATA), flash.erase(0)] == [False] * 3
    assert (flash.read(0), list(flash.wear), flash.sim.misuses) == (ERASED, [0] * 3, 0)
    flash.power()
    assert flash.program(0, DATA)


def test_a_worn_operation_fails_and_the_next_one_works(flash):
    flash.power(0, WORN)
    assert [flash.program(0, DATA), flash.program(16, DATA)] == [False, True]


def test_the_same_seed_tears_the_same_way(library):
    torn = []
    for _ in range(2):
        flash = Flash(library)
        flash.power(0, DURING, 5)
        flash.program(0, DATA)
        torn.append(flash.read(0))
    assert torn[0] == torn[1]


@pytest.mark.parametrize(("at", "data"), [(8, DATA), (0, DATA[:8]), (BLOCKS * BLOCK_BYTES, DATA), (2**32 - 16, DATA)])
def test_what_is_not_whole_units_within_the_flash_is_a_misuse(flash, at, data):
    assert (flash.program(at, data), flash.sim.misuses) == (False, 1)


def test_a_unit_takes_nothing_twice(flash):
    flash.program(0, DATA)
    assert (flash.program(0, bytes(UNIT_BYTES)), flash.sim.misuses, flash.read(0)) == (False, 1, DATA)
    assert (flash.erase(BLOCKS), flash.sim.misuses) == (False, 2)
