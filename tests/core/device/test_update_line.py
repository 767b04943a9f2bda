"""The host's end of an update: it asks again, believes only whole answers, and says what a refusal means."""

import struct
import zlib
from contextlib import closing

import pytest
from cobs import cobs

from stages.core.device.update_line import BUILT_IN, Device, Outcome, Question, Result, SlotState, Status, open_line
from stages.core.device.update_refusal import refusal
from stages.core.errors import AuditFailed, BudgetExceeded, DeviceError, ParityBroken

STATUS = struct.pack("<6B2x6I", 1, 4, 3, 0, 2, 14, 1, 2, 3, 4, 5, 6)


class Script:
    """A line on which the n-th question gets the n-th answer: a function of what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.waiting = b""

    def write(self, data):
        self.asked.append(cobs.decode(data[:-1]))
        answer = self.answers.pop(0)
        self.waiting += answer(self.asked[-1]) if answer else b""

    def read(self):
        came, self.waiting = self.waiting[:7], self.waiting[7:]
        return came


def answer(content=STATUS, result=0, *, kind=0x80, number=0, version=1):
    def to(frame):
        _, asked, _, sequence = struct.unpack_from("<BBHI", frame)
        body = struct.pack("<BBHI", version, asked | kind, result, (sequence + number) % 2**32) + content
        return cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"

    return to


def damaged(frame):
    packet = answer()(frame)
    return packet[:9] + bytes([packet[9] ^ 2 or 1]) + packet[10:]


def device(*answers):
    line = Script(*answers)
    return line, Device(line, "port X", timeout_s=0.02)


def test_a_status_is_read_as_the_firmware_has_it():
    expected = Status(1, (SlotState.CONFIRMED, SlotState.TRIAL), 0, 2, Result.SELF_TEST, (1, 2, 3), (4, 5, 6))
    assert device(answer())[1].status() == expected


@pytest.mark.parametrize(
    "lost", [None, damaged, answer(number=1), answer(kind=0), answer(version=2), lambda frame: b"\1\1\1\0ab\0"]
)
def test_a_question_without_an_answer_of_its_own_is_asked_again(lost):
    line, it = device(lost, lost, answer(result=11))
    assert it.ask(Question.FINISH, b"x") == (Result.HASH, STATUS)
    assert len(line.asked) == 3
    assert len(set(line.asked)) == 1


def test_each_question_has_a_number_of_its_own():
    line, it = device(answer(), answer())
    it.ask(Question.STATUS)
    it.ask(Question.STATUS)
    assert line.asked[0] != line.asked[1]


def test_silence_is_reported_with_what_to_do():
    with pytest.raises(DeviceError, match=r"port X: there was no answer in 3 times 0\.02 s\. Expected a device .*baud"):
        device(None, None, None)[1].status()


def test_a_program_that_ended_is_reported():
    line = open_line("exec:true", 115200)
    with closing(line), pytest.raises(DeviceError, match="the line broke off"):
        Device(line, "exec:true", timeout_s=5).status()


@pytest.mark.parametrize("port", ["/no/such/port", "exec:/no/such/program", "exec:", "no-such-scheme://x"])
def test_a_port_that_is_not_there_is_refused(port):
    with pytest.raises(DeviceError, match="cannot be"):
        open_line(port, 115200)


KINDS = {Result.HASH: AuditFailed, Result.UNSIGNED: AuditFailed, Result.SIGNATURE: AuditFailed}
KINDS |= {Result.SELF_TEST: ParityBroken, Result.OVER_BUDGET: BudgetExceeded}


@pytest.mark.parametrize("result", [each for each in Result if each is not Result.OK])
def test_each_refusal_says_what_runs_and_ends_with_its_own_exit_code(result):
    status = Status(BUILT_IN, (SlotState.EMPTY, SlotState.EMPTY), BUILT_IN, 0, result, (1, 2, 3), (1, 0, 9))
    error = refusal(Outcome(result, status, status), (1, 2, 3), "bundle.bin")
    assert type(error) is KINDS.get(result, DeviceError)
    start = f"bundle.bin: the device refuses release 1.2.3 ({result.name}): "
    assert str(error).startswith(start)
    assert "It goes on with release 1.0.9, built in. Expected " in str(error)
