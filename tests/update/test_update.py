"""The life of an update: what is taken, what is refused and why, and what runs after each start."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import monocypher
import pytest

from stages.core.bundle.format import BOARDS, pack, to_sign
from tests.update.library import BUILT_IN, CONTENT, IDENTITY, Result, Signer, State

OLD, NEW, LATER = (replace(IDENTITY, release=release) for release in ((1, 9, 9), (1, 10, 0), (2, 0, 0)))
FULL_WEAR = 40
WORN = 3


def running_release(device):
    return tuple(struct.unpack("<3I", bytes(device.slot(device.running)[32:44])))


@pytest.fixture
def updated(device, signer):
    """A device on its second release, whose first one is still there."""
    device.install(signer.bundle(OLD))
    device.install(signer.bundle(NEW))
    return device


def test_a_device_from_the_factory_runs_the_built_in_model_and_writes_nothing(device):
    assert device.start() == BUILT_IN
    assert device.flash.operations == 0


def test_a_good_bundle_goes_through_every_state(device, signer):
    bundle = signer.bundle()
    assert device.begin(len(bundle)) == Result.OK
    assert device.states == [State.DOWNLOADING, State.EMPTY]
    assert [device.write(bundle), device.finish()] == [Result.OK] * 2
    assert device.states == [State.VERIFIED, State.EMPTY]
    assert device.activate() == Result.OK
    assert (device.states[0], device.metadata.starts) == (State.TRIAL, 0)
    assert device.start() == 0
    assert (device.states[0], device.metadata.starts, device.metadata.active) == (State.TRIAL, 1, BUILT_IN)
    assert device.health() == Result.OK
    assert (device.states[0], device.metadata.active, device.result) == (State.CONFIRMED, 0, Result.OK)
    assert tuple(device.metadata.release) == tuple(device.metadata.floor) == IDENTITY.release
    assert (device.start(), bytes(device.slot(0)[: len(bundle)])) == (0, bundle)


def test_a_bundle_arrives_in_pieces_of_any_length(make, signer):
    for piece in (1, 15, 16, 17, 159, 10_000):
        assert make().receive(signer.bundle(), piece) == Result.OK


def test_updates_take_the_slots_in_turn(updated, signer):
    assert (updated.running, updated.states) == (1, [State.CONFIRMED] * 2)
    updated.install(signer.bundle(LATER))
    assert (updated.running, running_release(updated)) == (0, LATER.release)


def test_a_verified_bundle_waits_until_it_is_activated(device, signer):
    device.receive(signer.bundle())
    assert device.start() == BUILT_IN
    assert device.activate() == Result.OK
    assert device.start() == 0


@pytest.mark.parametrize("health", [Result.SELF_TEST, Result.OVER_BUDGET])
def test_an_ill_trial_is_rolled_back_and_says_why(updated, signer, health):
    updated.receive(signer.bundle(LATER))
    updated.activate()
    assert updated.start() == 0
    assert updated.health(health) == health
    assert (updated.start(), running_release(updated)) == (1, NEW.release)
    assert (updated.result, tuple(updated.metadata.release)) == (health, LATER.release)
    assert tuple(updated.metadata.floor) == NEW.release


def test_a_trial_that_is_never_confirmed_is_rolled_back_after_its_starts(make, signer):
    device = make(max_starts=3)
    device.install(signer.bundle(OLD))
    device.receive(signer.bundle(NEW))
    device.activate()
    assert [device.start() for _ in range(5)] == [1, 1, 1, 0, 0]
    assert (device.result, device.states) == (Result.NOT_CONFIRMED, [State.CONFIRMED, State.EMPTY])


def test_a_start_during_a_download_forgets_it(updated, signer):
    bundle = signer.bundle(LATER)
    updated.begin(len(bundle))
    updated.write(bundle[:300])
    assert updated.start() == 1
    assert (updated.result, updated.states) == (Result.INTERRUPTED, [State.EMPTY, State.CONFIRMED])
    assert updated.write(bundle[300:]) == Result.STATE


def test_the_running_slot_is_never_received_into(updated, signer):
    updated.receive(signer.bundle(LATER))
    updated.activate()
    updated.start()
    assert updated.begin(1000) == Result.STATE
    updated.health(Result.OVER_BUDGET)
    assert updated.begin(1000) == Result.STATE
    updated.start()
    assert updated.begin(1000) == Result.OK


def test_what_is_not_due_is_refused_and_changes_nothing(updated):
    before = bytes(updated.metadata)
    calls = (lambda: updated.write(b"x"), updated.finish, updated.activate, updated.health)
    assert [call() for call in calls] == [Result.STATE] * 4
    assert bytes(updated.metadata) == before


def test_a_damaged_slot_gives_way_to_the_release_before_and_then_to_the_built_in_model(updated, signer):
    updated.slot(1)[500] ^= 0x10
    assert (updated.start(), running_release(updated)) == (0, OLD.release)
    assert (updated.result, tuple(updated.metadata.release)) == (Result.HASH, NEW.release)
    assert updated.receive(signer.bundle(OLD)) == Result.DOWNGRADE
    updated.slot(0)[500] ^= 0x10
    assert (updated.start(), updated.result) == (BUILT_IN, Result.HASH)
    updated.install(signer.bundle(NEW))
    assert running_release(updated) == NEW.release


def test_a_verified_bundle_gives_way_to_the_next_one_though_the_active_slot_is_gone(device, signer):
    device.install(signer.bundle(OLD))
    device.receive(signer.bundle(NEW))
    device.slot(0)[500] ^= 0x10
    assert (device.start(), device.states) == (BUILT_IN, [State.EMPTY, State.VERIFIED])
    device.begin(1000)
    assert device.states == [State.EMPTY, State.DOWNLOADING]


def test_a_trial_that_is_damaged_before_its_start_is_rolled_back(updated, signer):
    updated.receive(signer.bundle(LATER))
    updated.activate()
    updated.slot(0)[500] ^= 0x10
    assert (updated.start(), updated.result) == (1, Result.HASH)


def test_ordinary_starts_do_not_touch_the_flash(updated):
    for _ in range(10):
        updated.start()
        assert updated.flash.operations == 0


def test_wear_is_spread_over_metadata_and_slots(device, signer):
    for number in range(FULL_WEAR):
        device.install(signer.bundle(replace(IDENTITY, release=(2, 0, number))))
    erased = device.flash.erased[: device.flash.blocks]
    assert erased[0] == 0
    assert abs(erased[1] - erased[2]) <= 1
    assert max(erased[1:3]) <= FULL_WEAR + 1
    assert {erased[3], erased[7]} == {FULL_WEAR // 2}
    assert device.flash.misuses == 0


def test_an_operation_that_fails_costs_the_update_and_no_more(make, signer):
    device = make()
    device.install(signer.bundle(OLD))
    bundle = signer.bundle(NEW)
    results = set()
    for at in range(1000):
        device.start(cut_at=at, cut=WORN)
        results.add(device.receive(bundle))
        if device.flash.operations <= at:
            break
        assert (device.start(), running_release(device), device.flash.misuses) == (0, OLD.release, 0)
        device.receive(bundle)
        assert device.states[1] == State.VERIFIED
    assert at > len(bundle) // 16
    assert results == {Result.OK, Result.FLASH}


def test_a_state_that_could_not_be_recorded_is_not_taken_up(updated, signer):
    bundle = signer.bundle(LATER)
    updated.start(cut_at=0, cut=WORN)
    assert [updated.begin(len(bundle)), updated.write(bundle)] == [Result.FLASH, Result.STATE]
    updated.receive(bundle)
    updated.activate()
    updated.start(cut_at=6, cut=WORN)
    assert [updated.health(), updated.health()] == [Result.FLASH, Result.OK]
    assert (updated.start(), updated.flash.misuses) == (0, 0)


def test_a_download_goes_on_where_the_flash_did_not_take_the_next_one(device, signer):
    bundle = signer.bundle()
    device.start(cut_at=5 + 4 + 300 // 16 + 2, cut=WORN)
    device.begin(len(bundle))
    device.write(bundle[:300])
    assert device.begin(1000) == Result.FLASH
    assert [device.write(bundle[300:]), device.finish()] == [Result.OK] * 2
    assert device.flash.misuses == 0


def test_a_trial_whose_start_cannot_be_counted_does_not_run(updated, signer):
    updated.receive(signer.bundle(LATER))
    updated.activate()
    assert updated.start(cut_at=0, cut=WORN) == 1
    assert updated.start() == 0


@pytest.mark.parametrize("geometry", [(256, 3, 4), (256, 0, 4), (256, 128, 4), (96, 16, 4), (256, 16, 0)], ids=str)
def test_a_flash_that_records_do_not_fit_is_refused(make, geometry):
    unit = geometry[1] or 1
    assert make(geometry=geometry).is_refused, unit


@pytest.mark.parametrize("starts", [0, 256])
def test_a_trial_must_have_a_number_of_starts_that_can_be_counted(make, starts):
    assert make(max_starts=starts).is_refused


# What is refused. Each is signed with the right key unless it says otherwise.


HEADER = {
    "magic": (0, 0x12345678, Result.MAGIC),
    "format": (4, 3, Result.FORMAT),
    "header size": (8, 164, Result.LAYOUT),
    "entry size": (12, 44, Result.LAYOUT),
    "sections": (16, 7, Result.LAYOUT),
    "flag": (24, 3, Result.LAYOUT),
    "reserved": (60, 1, Result.LAYOUT),
    "total": (20, 2**32 - 16, Result.SIZE),
    "total of a part": (20, 512, Result.SIZE),
    "total that is odd": (20, 737, Result.SIZE),
    "release": (32, 0, Result.DOWNGRADE),
    "interface": (28, 6, Result.INTERFACE),
    "board": (44, 6, Result.BOARD),
    "arena": (48, 6049, Result.ARENA),
    "preprocess": (96, 0, Result.PREPROCESS),
    "graph": (156, 0, Result.GRAPH),
    "unsigned": (24, 0, Result.UNSIGNED),
}
TABLE = {
    "kind": (160, 2, Result.LAYOUT),
    "entry reserved": (172, 1, Result.LAYOUT),
    "offset": (164, 464, Result.LAYOUT),
    "offset in the table": (164, 160, Result.LAYOUT),
    "section beyond the end": (168, 2**32 - 1, Result.LAYOUT),
    "section to nowhere": (168, 2**31, Result.LAYOUT),
    "last section too short": (160 + 5 * 48 + 8, 0, Result.LAYOUT),
    "section hash": (176, 0, Result.HASH),
}


@pytest.mark.parametrize("name", [*HEADER, *TABLE])
def test_a_field_that_is_not_right_is_refused_by_its_own_code(make, signer, name):
    at, value, expected = (HEADER | TABLE)[name]
    device = make(built_in=(1, 0, 0))
    assert device.receive(signer.changed(signer.bundle(), (at, value))) == expected
    assert (device.result, device.self_tests(), device.start()) == (expected, 0, BUILT_IN)


def test_a_section_that_wraps_around_the_address_space_is_refused(device, signer):
    first, second = 160, 160 + 48
    changes = [(first + 8, 2**32 - 16), (second + 4, 448 - 16), (second + 8, 512 + 24 - (448 - 16))]
    assert device.receive(signer.changed(signer.bundle(), *changes)) == Result.LAYOUT


@pytest.mark.parametrize("name", HEADER)
def test_a_header_is_refused_before_the_rest_is_sent(make, signer, name):
    at, value, expected = HEADER[name]
    device = make(built_in=(1, 0, 0))
    bundle = signer.changed(signer.bundle(), (at, value))
    assert device.begin(len(bundle)) == Result.OK
    assert device.write(bundle[:160]) == expected


def test_checks_are_made_from_cheap_to_dear(make, signer):
    cheap_to_dear = [name for name in HEADER if not name.startswith("total of") and name != "total that is odd"]
    device = make(built_in=(1, 0, 0))
    fields = {name: HEADER[name] for name in cheap_to_dear} | {"offset": TABLE["offset"], "hash": TABLE["section hash"]}
    for k, (name, (_, _, expected)) in enumerate(fields.items()):
        bundle = signer.changed(signer.bundle(), *(field[:2] for field in list(fields.values())[k:]))
        assert device.receive(bundle) == expected, name


def test_no_release_before_the_built_in_or_the_latest_confirmed_one_is_taken(make, signer):
    device = make(built_in=(1, 10, 0))
    assert device.receive(signer.bundle(OLD)) == Result.DOWNGRADE
    device.install(signer.bundle(LATER))
    assert device.receive(signer.bundle(NEW)) == Result.DOWNGRADE
    assert device.receive(signer.bundle(LATER)) == Result.OK


def test_a_release_that_was_only_tried_does_not_forbid_older_ones(device, signer):
    device.receive(signer.bundle(LATER))
    device.activate()
    device.start()
    device.health(Result.OVER_BUDGET)
    device.start()
    assert device.receive(signer.bundle(OLD)) == Result.OK


@pytest.mark.parametrize("says", [Result.SELF_TEST, Result.OVER_BUDGET])
def test_the_self_test_has_the_last_word(device, signer, says):
    device.self_tests(says)
    assert device.receive(signer.bundle()) == says
    assert (device.self_tests(says), device.result, device.activate()) == (1, says, Result.STATE)


def test_a_bundle_for_several_boards_is_taken(device, signer):
    identity = replace(IDENTITY, boards=sum(BOARDS.values()), arena_bytes=100)
    assert device.receive(signer.bundle(identity)) == Result.OK


def test_a_development_bundle_is_refused(device):
    assert device.receive(pack(IDENTITY, CONTENT)) == Result.UNSIGNED


def test_what_the_host_signs_is_taken(make):
    secret = bytes(range(100, 132))
    public = monocypher.compute_signing_public_key(secret)
    message = to_sign(pack(IDENTITY, CONTENT))
    assert make(key=public).receive(message + monocypher.signature_sign(secret, message)) == Result.OK


def test_a_flag_does_not_make_a_signature(device, signer):
    assert device.receive(signer.bundle()[:-64] + bytes(64)) == Result.SIGNATURE


def test_another_key_is_refused(device, library):
    assert device.receive(Signer(library, bytes(32)).bundle()) == Result.SIGNATURE


def test_a_signature_of_another_release_is_refused(device, signer):
    assert device.receive(signer.bundle(NEW)[:-64] + signer.bundle(OLD)[-64:]) == Result.SIGNATURE


def test_a_device_without_a_key_takes_nothing(make, signer):
    forged = signer.bundle()[:-64] + bytes([1]) + bytes(63)
    device = make(key=bytes(32))
    assert [device.receive(signer.bundle()), device.receive(forged)] == [Result.SIGNATURE] * 2


def test_any_byte_that_is_flipped_is_found(device, signer):
    bundle = signer.bundle()
    for at in range(len(bundle)):
        wrong = bytearray(bundle)
        wrong[at] ^= 1 << at % 8
        assert device.receive(bytes(wrong)) != Result.OK, at
    assert device.self_tests() == 0


def test_any_byte_that_is_missing_or_too_many_is_found(device, signer):
    bundle = signer.bundle()
    for end in range(0, len(bundle), 7):
        assert device.receive(bundle[:end]) != Result.OK, end
    for more in (1, 16, 64):
        assert device.receive(bundle + bytes(more)) == Result.SIZE
    assert device.self_tests() == 0


def test_more_or_less_than_announced_is_refused(device, signer):
    bundle = signer.bundle()
    device.begin(len(bundle))
    assert device.write(bundle + b"x") == Result.SIZE
    device.begin(len(bundle))
    device.write(bundle[:-1])
    assert device.finish() == Result.SIZE


@pytest.mark.parametrize("size", [0, 511, 1025, 2**32 - 1])
def test_a_bundle_that_no_slot_holds_is_refused_at_once_and_kept_in_mind(updated, size):
    before = updated.states
    assert updated.begin(size) == Result.SIZE
    assert (updated.result, updated.states) == (Result.SIZE, before)


# What a record says.


def record(sequence, slots=(State.EMPTY, State.EMPTY), active=BUILT_IN, starts=0):
    """Return a record's bytes, by the comments of its struct."""
    body = struct.pack("<4sI5B3x", b"TGM1", sequence, *slots, active, starts, 0) + bytes(44)
    return body + struct.pack("<I", zlib.crc32(body))


def put(device, block, index, content):
    place = device.block(block)
    for at, byte in enumerate(content):
        place[64 * index + at] = byte


@pytest.mark.parametrize(
    ("sequences", "newest"),
    [
        ([(0, 0, 7), (0, 1, 8), (1, 0, 6)], 8),
        ([(0, 0, 7), (1, 0, 8)], 8),
        ([(0, 3, 2**32 - 1), (1, 0, 0)], 0),
        ([(0, 0, 5), (0, 2, 6)], 6),
    ],
)
def test_the_newest_record_holds_wherever_it_is(device, sequences, newest):
    for block, index, sequence in sequences:
        put(device, block, index, record(sequence))
    assert device.metadata.sequence == newest


@pytest.mark.parametrize(
    "damage",
    [
        record(9)[:-1] + b"\0",
        b"\0" * 64,
        record(9, slots=(State.CONFIRMED, 5)),
        record(9, slots=(State.TRIAL, State.VERIFIED)),
        record(9, slots=(State.VERIFIED, State.EMPTY), active=0),
        record(9, active=1),
        record(9, active=3),
    ],
)
def test_a_record_that_is_not_valid_or_cannot_be_leaves_the_one_before(device, damage):
    put(device, 0, 0, record(8))
    put(device, 1, 0, damage)
    assert device.metadata.sequence == 8


def test_a_record_cannot_make_a_device_run_what_is_not_signed(device):
    bundle = pack(IDENTITY, CONTENT)
    for at, byte in enumerate(bundle):
        device.slot(0)[at] = byte
    put(device, 0, 0, record(1, slots=(State.CONFIRMED, State.EMPTY), active=0))
    assert (device.start(), device.result) == (BUILT_IN, Result.UNSIGNED)
