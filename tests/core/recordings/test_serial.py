"""The live source: what arrives is what was sent, what is lost is marked, and whatever fails says so."""

from __future__ import annotations

import os
import signal
import threading
import tty

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.errors import ConfigError, RecordingError
from stages.core.recordings.collect import store_all
from stages.core.recordings.serial import Follower, SerialSource
from stages.core.recordings.session import Gap, SessionFile
from stages.core.recordings.sources import open_source
from stages.core.recordings.wire import Decoder, Hello, Samples, encode
from stages.core.schema.compute import Compute
from stages.core.schema.labels import Labels
from tests.core.recordings.devices import (
    COUNTS,
    FRAME_SAMPLES,
    HELLO,
    RATE_HZ,
    Device,
    after_each_opening,
    frames,
    line_config,
    sample_frame,
)
from tests.core.recordings.sources import CONF, capture_config

CLASSES = ("healthy", "anomalous")


def source_of(config):
    return open_source(config, 1, CLASSES, None)


def follow(received, duration_s=0.4, **changes):
    follower = Follower(line_config(**changes), duration_s)
    return follower, list(follower.take(received))


def counts_of(block):
    return np.rint(block.signal * 2048).astype(np.int64)


def check_truth(blocks):
    """Every sample is the one that the device had under that number; returns the numbers of the first and the last."""
    place = first = None
    for block in blocks:
        start = round(block.time_s[0] * RATE_HZ)
        assert place is None or start == place + block.missing_before
        np.testing.assert_array_equal(counts_of(block), COUNTS[start : start + len(block.signal)])
        np.testing.assert_allclose(block.time_s, np.arange(start, start + len(block.signal)) / RATE_HZ)
        place, first = start + len(block.signal), start if first is None else first
    return first, place


# --- following the counters ---------------------------------------------------------------------------------------


def test_a_session_lasts_its_duration_to_the_sample():
    follower, blocks = follow([HELLO, *map(sample_frame, range(3))], duration_s=0.05)
    assert check_truth(blocks) == (0, 50)
    assert (follower.ended, follower.samples, follower.missing_samples) == ("complete", 50, 0)


def test_samples_before_the_first_hello_do_not_count():
    _, blocks = follow([sample_frame(4), Hello(6, 1, 1_000_000, 2_048_000, "forward-1"), sample_frame(6, 7)])
    assert check_truth(blocks) == (120, 140)


def test_a_lost_frame_is_a_gap_of_its_samples():
    follower, blocks = follow([HELLO, sample_frame(0), sample_frame(3), sample_frame(4)])
    assert [(len(block.signal), block.missing_before) for block in blocks] == [(20, 0), (40, 40)]
    assert (follower.lost_frames, follower.missing_samples, follower.samples) == (2, 40, 60)


def test_a_gap_counts_towards_the_duration():
    follower, blocks = follow([HELLO, sample_frame(0), sample_frame(9)], duration_s=0.19)
    assert check_truth(blocks) == (0, 190)
    assert follower.ended == "complete"
    follower, blocks = follow([HELLO, sample_frame(0), sample_frame(9)], duration_s=0.1)
    assert check_truth(blocks) == (0, 20)
    assert follower.ended == "complete"


def test_the_frame_counter_may_wrap():
    numbers = [2**32 - 2, 2**32 - 1, 0, 2]
    received = [sample_frame(index, number) for index, number in zip([0, 1, 2, 4], numbers, strict=True)]
    follower, blocks = follow([Hello(2**32 - 3, 1, 1_000_000, 2_048_000, "forward-1"), *received])
    assert check_truth(blocks) == (0, 100)
    assert (follower.ended, follower.lost_frames, follower.missing_samples) == (None, 1, 20)


def test_a_lost_hello_is_a_lost_frame_and_no_gap():
    follower, blocks = follow([HELLO, sample_frame(0), sample_frame(1, 3)])
    assert check_truth(blocks) == (0, 40)
    assert (len(blocks), follower.lost_frames) == (1, 1)


def test_a_frame_that_comes_twice_counts_once():
    follower, blocks = follow([HELLO, HELLO, sample_frame(0), sample_frame(0), sample_frame(1)])
    assert check_truth(blocks) == (0, 40)
    assert follower.ended is None


@pytest.mark.parametrize("anew", [[HELLO, sample_frame(0)], [sample_frame(0)], [sample_frame(0, 9)]])
def test_a_device_that_starts_anew_ends_the_session(anew):
    follower, blocks = follow([HELLO, sample_frame(0), sample_frame(1), *anew, sample_frame(2)])
    assert check_truth(blocks) == (0, 40)
    assert follower.ended == "restarted"


def test_a_device_that_starts_anew_before_the_first_samples_is_waited_for():
    late = Hello(50, 1, 1_000_000, 2_048_000, "forward-1")
    follower, blocks = follow([late, HELLO, sample_frame(0)])
    assert check_truth(blocks) == (0, 20)
    assert follower.lost_frames == 0


def test_a_device_that_never_introduces_itself_is_refused():
    with pytest.raises(
        RecordingError, match=r"port loop://: the device sent 520 samples and did not say what they are"
    ):
        follow([sample_frame(index) for index in range(30)])


@pytest.mark.parametrize(
    ("hello", "found"),
    [
        (Hello(0, 1, 999_000, 2_048_000, "forward-1"), "sample rate in mHz 999000 instead of 1000000"),
        (Hello(0, 3, 1_000_000, 2_048_000, "forward-1"), "channels 3 instead of 1"),
        (Hello(0, 1, 1_000_000, 819_200, "forward-1"), "counts per 1000 units 819200 instead of 2048000"),
        (Hello(0, 1, 1_000_000, 2_048_000, "v2"), "firmware 'v2' instead of 'forward-1'"),
    ],
)
def test_another_device_than_the_configured_one_is_refused(hello, found):
    with pytest.raises(RecordingError, match=f"port loop://: the device declares {found}\\. Expected the device that"):
        follow([hello])


def test_samples_of_other_channels_than_declared_are_refused():
    with pytest.raises(RecordingError, match="declares a frame of 2 channels"):
        follow([HELLO, Samples(1, 0, 0, np.zeros((5, 2), np.int16))])


@settings(max_examples=300, deadline=None)
@given(
    start=st.integers(0, 2**32 - 1),
    sent=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=40),
    wounds=st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 255), st.integers(0, 3)), max_size=8),
)
def test_whatever_happens_on_the_line_no_sample_is_wrong(start, sent, wounds):
    """Frames lost, doubled, out of order; bytes flipped, cut out and inserted."""
    order = [HELLO, *(frame for index, twice in sent for frame in [sample_frame(index)] * (1 + twice))]
    numbered = [
        Hello((start + frame.sequence) % 2**32, 1, 1_000_000, 2_048_000, "forward-1")
        if isinstance(frame, Hello)
        else sample_frame(frame.first_sample // FRAME_SAMPLES, (start + frame.sequence) % 2**32)
        for frame in order
    ]
    stream = bytearray().join(map(encode, numbered))
    for place, value, kind in wounds:
        at = place % max(len(stream), 1)
        stream[at : at + (kind > 0)] = bytes([value]) * (kind != 1)
    follower, blocks = follow(Decoder().feed(bytes(stream)), duration_s=1.0)
    first, last = check_truth(blocks)
    assert first is None or last - first == follower.samples + follower.missing_samples <= RATE_HZ


# --- over a line ---------------------------------------------------------------------------------------------------


def test_sessions_arrive_as_they_were_sent_one_after_another():
    with Device(frames(0, 30), frames(100, 130)) as device:
        source = source_of(line_config(device.port, (0.4, 0.3)))
        recordings = [source[index] for index in range(len(source))]
        blocks = [list(recording.blocks()) for recording in recordings]
    assert [check_truth(each) for each in blocks] == [(0, 400), (2000, 2300)]
    meta = recordings[1].meta
    assert (meta.session_id, meta.group_id, meta.state, meta.channels) == ("s1", "machine_01", "as found", ("radial",))
    assert (meta.sample_rate_hz, meta.counts_per_unit, meta.firmware) == (1000.0, 2048.0, "forward-1")
    assert [span.label for span in meta.spans] == ["anomalous"]
    assert [reception.ended for reception in source.receptions] == ["complete", "complete"]
    assert source.live


def test_a_device_that_is_unplugged_and_plugged_in_again_leaves_a_gap():
    cut_off = frames(0, 10)[:-13]  # in the middle of frame 9
    with Device(cut_off, b"", frames(14, 30)) as device:
        source = source_of(line_config(device.port))
        blocks = list(source[0].blocks())
    assert check_truth(blocks) == (0, 400)
    assert [block.missing_before for block in blocks if block.missing_before] == [100]
    reception = source.receptions[0]
    assert (reception.samples, reception.missing_samples, reception.reconnects) == (300, 100, 2)
    # What was broken off is no packet, and is not joined to the first one after it.
    assert reception.corrupt_packets == 0


def test_a_terminal_that_goes_and_comes_back_under_the_same_name(tmp_path):
    name, ends = tmp_path / "ttyUSB0", [os.openpty() for _ in range(2)]
    try:
        for _, slave in ends:
            tty.setraw(slave)
        name.symlink_to(os.ttyname(ends[0][1]))
        source = source_of(line_config(str(name), (0.3,)))
        to_send = iter([(ends[0][0], frames(0, 5)), (ends[1][0], frames(8, 20))])
        with after_each_opening(lambda: os.write(*next(to_send))):
            arriving = source[0].blocks()
            blocks = [next(arriving)]
            name.unlink()
            name.symlink_to(os.ttyname(ends[1][1]))
            os.close(ends[0][0])
            blocks += arriving
    finally:
        for descriptor in (ends[0][1], *ends[1]):
            os.close(descriptor)
    assert check_truth(blocks) == (0, 300)
    assert source.receptions[0].missing_samples == 60


def test_a_device_that_does_not_come_back_is_an_error_after_what_it_sent():
    with Device(frames(0, 3)) as device:
        arriving = source_of(line_config(device.port))[0].blocks()
        received = [next(arriving)]
    with pytest.raises(RecordingError, match=r"was unplugged and did not come back within 0\.5 s .*Expected"):
        received += list(arriving)
    assert check_truth(received)[0] == 0


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (b"", r"nothing came for 0\.5 s"),
        (b"\x80\0\x13" * 20, r"60 bytes came in 0\.5 s, and no whole frame among them"),
    ],
    ids=["silence", "noise"],
)
def test_a_line_without_frames_is_an_error(sent, found):
    with Device(sent) as device, pytest.raises(RecordingError, match=f"port {device.port}: {found}"):
        list(source_of(line_config(device.port))[0].blocks())


def test_a_line_that_falls_silent_is_an_error():
    with Device(frames(0, 3)) as device, pytest.raises(RecordingError, match=r"nothing came for 0\.5 s"):
        list(source_of(line_config(device.port))[0].blocks())


def test_a_line_that_only_ever_breaks_off_is_an_error():
    with Device(*[b""] * 100) as device, pytest.raises(RecordingError, match=r"nothing came for 1 s"):
        list(source_of(line_config(device.port))[0].blocks())


@pytest.mark.parametrize("port", ["/dev/does_not_exist", "nonsense://x", "/dev/null", "socket://127.0.0.1:1"])
def test_a_port_that_cannot_be_opened_is_an_error(port):
    with pytest.raises(RecordingError, match=f"port {port}: the port cannot be opened"):
        list(source_of(line_config(port))[0].blocks())


# --- Ctrl-C ---------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_session_and_the_source_and_keeps_what_came():
    before = signal.getsignal(signal.SIGINT)
    with Device(frames(0, 30), frames(30, 40)) as device:
        source = source_of(line_config(device.port, (0.4, 5.0, 5.0)))
        whole, cut = list(source[0].blocks()), []
        for block in source[1].blocks():
            cut.append(block)
            signal.raise_signal(signal.SIGINT)
    assert check_truth(whole) == (0, 400)
    assert check_truth(cut)[0] == 600
    assert [reception.ended for reception in source.receptions] == ["complete", "stopped"]
    assert source.stopped and len(source) == 2
    with pytest.raises(IndexError):
        source[2]
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_during_a_pause_leaves_no_empty_session():
    with Device(frames(0, 30)) as device:
        source = source_of(line_config(device.port, (0.4, 0.4), pause_s=60.0))
        list(source[0].blocks())
        second = source[1].blocks()
        signal.raise_signal(signal.SIGINT)
        assert list(second) == []
    assert len(source) == 1


def test_what_a_data_set_stores_of_an_interrupted_recording(tmp_path):
    labels, compute = Labels(kind="ordered", classes=CLASSES, min_overlap=0.5), Compute(backend="loky", workers=1)
    with Device(frames(0, 10) + frames(14, 30), frames(30, 40)) as device:
        source = source_of(line_config(device.port, (0.4, 60.0, 60.0), timeout_s=60.0))
        press = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
        press.start()
        stored = list(store_all(source, labels, compute, tmp_path))
        press.join()
    files = [SessionFile(tmp_path / one.path) for one in stored]
    assert [(one.session_id, one.n_samples) for one in stored] == [("s0", 320), ("s1", 200)]
    assert [file.meta.gaps for file in files] == [(Gap(200, 80),), ()]
    np.testing.assert_array_equal(files[0].counts(), np.concatenate([COUNTS[:200], COUNTS[280:400]]))
    np.testing.assert_array_equal(files[1].counts(), COUNTS[600:800])
    assert sorted(path.name for path in (tmp_path / "sessions").iterdir()) == ["s0.parquet", "s1.parquet"]


def test_an_error_gives_ctrl_c_back():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RecordingError):
        list(source_of(line_config("/dev/does_not_exist"))[0].blocks())
    assert signal.getsignal(signal.SIGINT) is before


# --- the section ----------------------------------------------------------------------------------------------------


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(
        ConfigError, match=r"capture.sessions: session s1 is labelled 'anomalous'\. Expected one of ok, "
    ):
        SerialSource(line_config(durations_s=(1.0, 1.0)), ("healthy", "ok")[::-1])


@pytest.mark.parametrize(
    ("changes", "problem"), [({"channels": ["x", "x"]}, "channels has 'x' twice"), ({"sample_rate_hz": 0.0}, "0.001")]
)
def test_a_section_that_cannot_be_is_refused(changes, problem):
    with pytest.raises(ValueError, match=problem):
        capture_config("serial", **changes)


def test_two_sessions_of_one_name_are_refused():
    twice = capture_config("serial").model_dump()["sessions"][0]
    with pytest.raises(ValueError, match=r"sessions.session_id has 'healthy_01' twice"):
        capture_config("serial", sessions=[twice, twice])


def test_the_shipped_section_is_of_the_device_that_the_build_makes():
    section = capture_config("serial")
    forward = yaml.safe_load((CONF / "build" / "default.yaml").read_text(encoding="utf-8"))["forward"]
    assert section.sample_rate_hz == forward["sample_rate_hz"]
    assert len(section.channels) == forward["channels"]
    assert section.sensor.counts_per_unit == forward["counts_per_unit"]
