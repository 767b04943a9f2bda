"""Logs of a terminal: every take is read, what the terminal wrote is not, and nothing damaged passes for data."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.core.errors import RecordingError
from stages.core.recordings.formats.terminal_log import clean, read_takes

LOG = (
    b"Script started on Mon Jul 29 10:20:46 2019\r\n"
    b"\x1b[?1034hbash-3.2$ exit\x08\x08\x08\x08screen ${DEVICENAME} 115200\r\n"
    b"\x1b[?1049h\x1b[!p\x1b[?3;4l\x1b[4l\x1b>\x1b[4l\x1b[H\x1b[2J\xef\xbf\xbd+#w#C)+!\r\n"
    b"\r\n"
    b" -,-,-\r\n"
    b"-1.04,0.37,-0.42\r\n"
    b"\\-1.0,0.,7\r\n"
    b" \x08\r\n"
    b"\r\n"
    b"-,-,-\r\n"
    b"515.0,+412.0,-716.0\r\n"
    b"\x1b[7mReally kill this window [y/n]\x1b[27m\x1b[K\r\n"
    b"\xef\xbf\xbd      \x1b[24;2H\x1b[?1l\x1b>\x1b[24;1H\r\n"
    b"bash-3.2$ exit\r\n"
    b"Script done on Mon Jul 29 13:16:14 2019\r\n"
)


@pytest.fixture
def log(tmp_path):
    def write(content):
        path = tmp_path / "log.txt"
        path.write_bytes(content)
        return path

    return write


def test_takes_are_read_and_what_the_terminal_wrote_is_not(log):
    first, second = read_takes(log(LOG), 3)
    assert (first.line, first.values.tolist()) == (5, [[-1.04, 0.37, -0.42], [-1.0, 0.0, 7.0]])
    assert (second.line, second.values.tolist()) == (10, [[515.0, 412.0, -716.0]])


def test_lines_of_other_numbers_of_channels(log):
    (take,) = read_takes(log(b"-\n1.5\n-2\n"), 1)
    assert take.values.tolist() == [[1.5], [-2.0]]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (LOG.replace(b"0.37,", b""), ["line 6", "'-1.04,-0.42' is no sample", "Repair the line"]),
        (LOG.replace(b"0.37", b"0.3.7"), ["line 6", "'-1.04,0.3.7,-0.42' is no sample"]),
        (LOG.replace(b"0.37", b"nan"), ["line 6", "nan"]),
        (LOG.replace(b"0.37", b"1e5"), ["line 6", "1e5"]),
        (LOG.replace(b"0.37", b"\xb1"), ["line 6", r"\xb1"]),
        (LOG.replace(b"-1.04,0.37,-0.42", b"-1.0"), ["line 6", "'-1.0' is no sample"]),
        (LOG.replace(b" -,-,-", b" -,-"), ["line 6", "stands before the first take", "'-,-,-' first"]),
        (LOG.replace(b"515.0,+412.0,-716.0", b""), ["line 10", "the take is empty"]),
        (LOG.replace(b"515.0", b"9" * 400), ["line 10", "beyond all bounds"]),
        (b"Script started\n", ["it holds no take"]),
        (b"", ["it holds no take"]),
    ],
)
def test_what_is_damaged_is_named_by_file_and_line(log, content, named):
    path = log(content)
    with pytest.raises(RecordingError) as caught:
        read_takes(path, 3)
    for part in (str(path), *named):
        assert part in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(RecordingError, match=re.escape(str(tmp_path / "gone.txt"))):
        read_takes(tmp_path / "gone.txt", 3)


FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(log, content):
    path = log(b"-,-,-\n1,2,3\n" + content)
    try:
        takes = read_takes(path, 3)
    except RecordingError as error:
        assert str(path) in str(error)
    else:
        assert all(take.values.shape[1:] == (3,) and np.isfinite(take.values).all() for take in takes)


@FUZZ
@given(at=st.integers(0, len(LOG) - 1), byte=st.integers(0, 255))
def test_one_wrong_byte_never_makes_more_samples_than_there_are(log, at, byte):
    """A byte may turn a sample into another, join two lines or split one, but every sample comes from a line."""
    path = log(LOG[:at] + bytes([byte]) + LOG[at + 1 :])
    try:
        takes = read_takes(path, 3)
    except RecordingError as error:
        assert str(path) in str(error)
    else:
        assert 2 <= sum(len(take.values) for take in takes) <= 3


NUMBER = st.decimals(-2000, 2000, places=2, allow_nan=False)
CHATTER = st.sampled_from([b"", b"\x1b[2J", b" \x08", b"bash-3.2$ exit", b"\xef\xbf\xbd#w#C)", b"\x1b[2;2H\x1b>"])


@FUZZ
@given(
    takes=st.lists(st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=1, max_size=5), min_size=1, max_size=5),
    chatter=st.lists(CHATTER, max_size=30),
    prefix=st.sampled_from([b"", b" ", b"\\", b"\x08"]),
)
def test_samples_come_back_as_they_were_printed_whatever_the_terminal_writes_between(log, takes, chatter, prefix):
    between = iter(chatter)
    lines = []
    for take in takes:
        for line in (b"-,-,-", *(",".join(map(str, row)).encode() for row in take)):
            lines += [next(between, b"\r"), prefix + line + b"\r"]
    found = read_takes(log(b"\n".join(lines)), 3)
    assert [take.values.tolist() for take in found] == [[[float(x) for x in row] for row in take] for take in takes]


def test_clean_takes_off_what_is_no_text():
    assert clean(b"\x1b[7m\x1b(B  -1.5,2,3\x08\r") == b"-1.5,2,3"
