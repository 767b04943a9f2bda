"""An update of the product over its serial line: on the emulated Cortex-M55, and from the same sources on the host."""

from __future__ import annotations

import shutil
import struct
from contextlib import closing
from dataclasses import replace

import pytest

from stages.core.bundle.format import BOARDS, pack
from stages.core.bundle.sections import pack_config
from stages.core.device.harness import qemu_command
from stages.core.device.tools import call
from stages.core.device.update_line import (
    BUILT_IN,
    Device,
    Question,
    Result,
    Simulation,
    SlotState,
    send,
)
from stages.core.errors import ArtifactError, DeviceError
from stages.update import main, parser
from tests.core.device.boards import EMULATED, FIRMWARE, load_board, need_tools
from tests.update import library, networks
from tests.update.library import Signer
from tests.update.networks import FIRST, SECOND, counts

BOARD_NAMES = ["native", "mps3_an547"]
BUILT_IN_RELEASE = (1, 0, 0)
BLOCK = 32
ONE = counts(1)[0]
#: What each variant of the image is built with, over and above. A host has no clock that repeats.
VARIANTS = {
    "native": {"usual": [], "keyless": ["-DTG_UPDATE_KEY="]},
    "mps3_an547": {"usual": [], "hurried": ["-DTG_UPDATE_BUDGET_TICKS=10"]},
}


def build(folder, key, board):
    """Build the image in each variant; the sources are compiled once."""
    generated = folder / "generated"
    generated.mkdir()
    for name, text in networks.BUILT_IN.made.files.items():
        (generated / name).write_text(text, encoding="utf-8")
    release = ".".join(map(str, BUILT_IN_RELEASE))
    options = [f"-DTG_BOARD={board}", f"-DTG_GENERATED={generated}", f"-DTG_UPDATE_RELEASE={release}"]
    options += ["-DTG_UPDATE_SLOT_BYTES=32768", "-DTG_OPTIMIZE=-O1", f"-DTG_UPDATE_KEY={key.hex()}"]
    if board in EMULATED:
        options += [f"-DCMAKE_TOOLCHAIN_FILE={FIRMWARE}/cmake/arm-none-eabi.cmake", "-DTG_TICK_HZ=32000000"]
    else:
        options.append("-DTG_SANITIZE=ON")
    images = {}
    for variant, more in VARIANTS[board].items():
        call(["cmake", "-G", "Ninja", "-S", FIRMWARE, "-B", folder / "build", *options, *more], board)
        call(["ninja", "-C", folder / "build", "-j", "1", "update"], board)
        images[variant] = shutil.copy(folder / "build" / "update.elf", folder / f"{variant}.elf")
    return images


class Host:
    """The other end of the line, which also stands for the sensor."""

    def __init__(self, command):
        self.line = Simulation(command)
        self.device = Device(self.line, "the device of the test", timeout_s=20)
        self.number = 0

    def ask(self, question, content=b""):
        return self.device.ask(question, content)[0]

    def restart(self):
        self.number = 0
        return self.ask(Question.RESTART)

    def install(self, bundle):
        assert send(self.device, bundle) == Result.OK
        assert [self.ask(Question.ACTIVATE), self.restart()] == [Result.OK] * 2

    def block(self, frames):
        content = struct.pack("<I", self.number) + frames.tobytes()
        self.number += 1
        return content

    def decide(self, window=ONE):
        """Class, causes of a fault and score codes of a window, before which some of the stream is missing."""
        self.number += 100
        answers = [
            self.device.ask(Question.BLOCK, self.block(window[at : at + BLOCK])) for at in range(0, len(window), BLOCK)
        ]
        assert [result for result, _ in answers] == [Result.OK] * 4
        assert [len(records) for _, records in answers] == [0, 0, 0, 28]
        record = answers[-1][1]
        return record[1], record[17], list(struct.unpack_from("<2i", record, 20))


def expected(release, class_=0, window=ONE):
    return class_, 0, release.scores(window[None])[0].tolist()


@pytest.fixture(scope="module", params=BOARD_NAMES)
def images(request, tmp_path_factory, signer):
    need_tools(request.param)
    return request.param, build(tmp_path_factory.mktemp(request.param), signer.public, request.param)


def started(images, variant="usual"):
    name, elves = images
    if variant not in elves:
        pytest.skip(f"{name} has no variant {variant}")
    elf = elves[variant]
    return Host([*qemu_command(load_board(name), elf), "-serial", "stdio"] if name in EMULATED else [elf])


@pytest.fixture
def host(images):
    host = started(images)
    with closing(host.line):
        yield host


@pytest.fixture(scope="module")
def made(images, signer):
    """Make bundles for the board, signed."""

    def make(network=SECOND, release=(1, 2, 0), key=signer, sections=None, **changes):
        identity = replace(network.identity(release, BOARDS[images[0]]), **changes)
        return key.bundle(identity, **(network.sections() | (sections or {})))

    return make


def test_the_networks_differ_in_everything_that_training_determines():
    ours, theirs = networks.BUILT_IN.made, FIRST.made
    assert ours.contract["graph_hash"] == theirs.contract["graph_hash"]
    assert ours.contract["weights"] == theirs.contract["weights"]
    differ = set()
    for row in ours.contract["weights"]:
        end = row["offset"] + row["count"] * (1 if row["ctype"] == "int8_t" else 4)
        if ours.weights[row["offset"] : end] != theirs.weights[row["offset"] : end]:
            differ.add(row["array"])
    assert differ == {"weights", "bias", "multiplier", "codes", "factors"}
    assert (networks.BUILT_IN.scores(counts(3)) != FIRST.scores(counts(3))).all()


def test_a_good_bundle_becomes_what_runs_and_answers_as_its_network(host, made):
    assert (host.device.status().running, host.decide()) == (BUILT_IN, expected(networks.BUILT_IN))
    assert send(host.device, made(FIRST, (1, 1, 0))) == Result.OK
    assert host.decide() == expected(networks.BUILT_IN)
    assert [host.ask(Question.ACTIVATE), host.restart()] == [Result.OK] * 2
    status = host.device.status()
    assert (status.running, status.slots, status.active) == (0, (SlotState.CONFIRMED, SlotState.EMPTY), 0)
    assert (status.result, status.release, status.running_release) == (Result.OK, (1, 1, 0), (1, 1, 0))
    for window in counts(3):
        assert host.decide(window) == expected(FIRST, window=window)
    host.install(made(SECOND))
    assert (host.device.status().running, host.decide()) == (1, expected(SECOND, class_=2))
    host.restart()
    assert host.decide() == expected(SECOND, class_=2)


def test_rules_and_limits_come_with_the_bundle(host, made):
    loud = counts(1, largest=32767)[0]
    assert host.decide(loud) == expected(networks.BUILT_IN, window=loud)
    host.install(made(SECOND))
    assert host.decide() == expected(SECOND, class_=2)
    assert host.decide(loud) == (255, 1, [0, 0])
    host.restart()
    assert host.decide() == expected(SECOND, class_=2)


def test_a_network_that_is_too_late_is_refused(images, made):
    host = started(images, "hurried")
    with closing(host.line):
        assert send(host.device, made()) == Result.OVER_BUDGET
        assert (host.device.status().running, host.decide()) == (BUILT_IN, expected(networks.BUILT_IN))


def test_a_device_without_a_key_takes_nothing(images, made):
    host = started(images, "keyless")
    with closing(host.line):
        assert send(host.device, made()) == Result.SIGNATURE
        assert host.decide() == expected(networks.BUILT_IN)


def test_a_question_that_comes_twice_is_acted_on_once(host, made):
    bundle = made()

    def twice(question, content=b""):
        first = host.device.ask(question, content)
        host.line.write(host.device.frame(question, content))
        assert host.device.answer(question) == first
        return first

    host.ask(Question.BEGIN, struct.pack("<I", len(bundle)))
    for at in range(0, len(bundle), 1000):
        assert twice(Question.DATA, bundle[at : at + 1000])[0] == Result.OK
    assert twice(Question.FINISH)[0] == Result.OK
    records = [twice(Question.BLOCK, host.block(ONE[at : at + BLOCK]))[1] for at in range(0, len(ONE), BLOCK)]
    assert list(struct.unpack_from("<2i", records[-1], 20)) == expected(networks.BUILT_IN)[2]


def test_noise_on_the_line_is_not_answered_and_does_no_harm(host):
    good = host.device.frame(Question.STATUS)
    noise = [b"\0\0", good[:9] + b"\0", bytes(range(1, 256)) * 9 + b"\0", good[:5] + bytes([good[5] ^ 8]) + good[6:]]
    host.line.write(b"".join(noise))
    assert host.device.status().running == BUILT_IN


def test_the_host_knows_the_results_and_states_of_the_device():
    for ours, theirs in ((Result, library.Result), (SlotState, library.State)):
        assert {each.name: each.value for each in ours} == {each.name: each.value for each in theirs}


@pytest.fixture
def command(images, tmp_path):
    """Run the command on a bundle and a simulated device."""
    if images[0] in EMULATED:
        pytest.skip("the host's image is enough to try the command")

    def run(bundle):
        file = tmp_path / "bundle.bin"
        file.write_bytes(bundle)
        return main(parser().parse_args([f"exec:{images[1]['usual']}", str(file)]))

    return run


def test_the_command_says_what_runs(command, made):
    said = command(made(FIRST, (1, 1, 0)))
    assert said.endswith("runs release 1.1.0, confirmed, from slot 0; before, it ran 1.0.0 from the firmware")


def test_the_command_says_why_a_bundle_is_refused_and_what_runs(command, made):
    expected = r"bundle\.bin: the device refuses release 1\.2\.0 \(GRAPH\): .* goes on with release 1\.0\.0, built in\."
    with pytest.raises(DeviceError, match=expected):
        command(made(graph_hash="34" * 32))
    with pytest.raises(ArtifactError, match="the bundle: its header says"):
        command(made()[:-16])


@pytest.fixture(scope="module")
def updated(images, made):
    """A device on its first update, for all that is refused: after each it must be as it was."""
    host = started(images)
    with closing(host.line):
        host.install(made(FIRST, (1, 1, 0)))
        yield host


def corrupted(made, signer):
    bundle = bytearray(made())
    bundle[450] ^= 4
    return bytes(bundle)


def unsigned(made, signer):
    bundle = made()
    return pack(networks.SECOND.identity((1, 2, 0), struct.unpack_from("<I", bundle, 44)[0]), SECOND.sections())


def averaging(made, signer):
    contract = SECOND.made.contract
    rules = {**contract["decision"]["rules"], "average": 2}
    return made(sections={"config": pack_config({**contract, "decision": {"rules": rules}})})


REFUSED = {
    "corrupted": (Result.HASH, corrupted),
    "truncated": (Result.SIZE, lambda made, signer: made()[:-16]),
    "no bundle": (Result.MAGIC, lambda made, signer: bytes(1000)),
    "other format": (Result.FORMAT, lambda made, signer: signer.changed(made(), (4, 1))),
    "interface": (Result.INTERFACE, lambda made, signer: made(interface_version=99)),
    "board": (Result.BOARD, lambda made, signer: made(boards=BOARDS["mps2_an386"])),
    "arena": (Result.ARENA, lambda made, signer: made(arena_bytes=SECOND.made.arena.arena_bytes + 16)),
    "preprocess": (Result.PREPROCESS, lambda made, signer: made(preprocess_id="23" * 32)),
    "graph": (Result.GRAPH, lambda made, signer: made(graph_hash="34" * 32)),
    "weights": (Result.GRAPH, lambda made, signer: made(sections={"weights": SECOND.made.weights[:-16]})),
    "downgrade": (Result.DOWNGRADE, lambda made, signer: made(release=(1, 0, 9))),
    "unsigned": (Result.UNSIGNED, unsigned),
    "other key": (Result.SIGNATURE, lambda made, signer: made(key=Signer(signer.library, bytes(32)))),
    "rules": (Result.CONFIG, averaging),
    "self-test": (Result.SELF_TEST, lambda made, signer: made(sections={"weights": FIRST.made.weights})),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_right_is_refused_by_its_own_code_and_the_old_network_keeps_running(updated, made, signer, name):
    code, make = REFUSED[name]
    bundle = make(made, signer)
    assert send(updated.device, bundle) == code
    status = updated.device.status()
    assert (status.running, status.slots, status.result) == (0, (SlotState.CONFIRMED, SlotState.EMPTY), code)
    assert updated.decide() == expected(FIRST)
    assert updated.ask(Question.ACTIVATE) == Result.STATE
    updated.restart()
    assert updated.device.status() == status
    assert updated.decide() == expected(FIRST)


#: Words of the section `config` (docs/bundle.md) that no product of two outputs and two channels can go by.
BAD_WORDS = {
    "layout": (0, 2),
    "outputs": (1, 3),
    "channels": (2, 1),
    "pick": (3, 2),
    "hysteresis without a lower exit": (4, 1),
    "hysteresis": (4, 2),
    "margin with severest": (5, 1),
    "average": (6, 2),
    "need beyond of": (7, 2),
    "hold": (10, 0),
    "least time above the most": (12, 2**31),
    "reserved": (15, 1),
    "low above high": (16 + 4 * 2, 2**31 - 1),
}


def test_rules_and_limits_that_the_product_cannot_go_by_are_refused(images, updated, made):
    if images[0] in EMULATED:
        pytest.skip("the host's image is enough to try all of them")
    good = SECOND.sections()["config"]
    bad = {"truncated": good[:-4], "longer": good + bytes(4), "empty": b""}
    for name, (at, word) in BAD_WORDS.items():
        bad[name] = good[: 4 * at] + struct.pack("<I", word) + good[4 * at + 4 :]
    results = {name: send(updated.device, made(sections={"config": config})) for name, config in bad.items()}
    assert results == dict.fromkeys(bad, Result.CONFIG)
    assert send(updated.device, made(sections={"config": good})) == Result.OK


def test_a_start_in_the_middle_of_a_download_is_remembered(updated, made):
    updated.ask(Question.BEGIN, struct.pack("<I", len(made())))
    updated.ask(Question.DATA, made()[:300])
    updated.restart()
    status = updated.device.status()
    assert (status.running, status.result, status.running_release) == (0, Result.INTERRUPTED, (1, 1, 0))
