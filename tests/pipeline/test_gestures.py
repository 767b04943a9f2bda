"""Gestures: one tap, one event, by the host's models of the runtime and the integers that the device computes.

The rules are looked at alone first, then with what the whole task makes of sessions of people that it never saw, and
of the wand gestures of a person that it never saw.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.core.config import compose, validate
from stages.core.device.account import raised
from stages.core.device.replay import Course
from stages.core.device.streaming import Recording
from stages.core.graph.reference import Head
from stages.core.product import Product
from stages.core.recordings.dataset import session_files
from stages.core.recordings.windows import read_windows
from stages.core.runtime.decision import Decision
from stages.core.runtime.matching import Matches, Raised, View, match_events, memory
from stages.core.runtime.ring import Ring
from stages.core.runtime.rules import decision_rules
from tests.pipeline.imports import ROOT
from tests.pipeline.workspace import Workspace

TICK_HZ = 1_000_000
DATASETS = Path(os.environ.get("BEARING_DATASETS_ROOT", "/nowhere"))
needs_wand = pytest.mark.skipif(
    not (DATASETS / "magic_wand").is_dir(), reason="BEARING_DATASETS_ROOT does not lead to the folder magic_wand"
)


def raised_by(rules, starts, codes, labels):
    """Decide window by window, and return the events."""
    decision, events = Decision(rules), []
    for start, of_window in zip(starts, codes, strict=True):
        before = decision.state
        decision.update(of_window)
        if before == 0 and decision.state > 0:
            events.append(Raised(int(start), labels[decision.state]))
    return events


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    params = tmp_path_factory.mktemp("params") / "params.yaml"
    params.write_text(yaml.safe_dump({"task": "gestures"}))
    return validate(compose(params, ROOT / "conf"), "config.yaml")


@pytest.fixture(scope="module")
def rules(config):
    return decision_rules(config.decision, Head("int8", 0, np.array(0.1, np.float32)), [10, 20], [1.0, 2.0])


@pytest.mark.parametrize("positive", [3, 4])
@pytest.mark.parametrize("class_", [1, 2])
def test_windows_that_follow_each_other_over_one_gesture_raise_one_event(config, rules, positive, class_):
    codes = np.full((20, 2), -100)
    codes[8 : 8 + positive, class_ - 1] = 90
    found = raised_by(rules, np.arange(20) * config.window.hop, codes, config.labels.classes)
    assert [(event.start // config.window.hop, event.label) for event in found] == [
        (9, config.labels.classes[class_])  # the second of them carries the vote
    ]


def test_gesture_that_falters_for_a_window_raises_one_event_and_one_window_alone_none(config, rules):
    codes = np.full((30, 2), -100)
    codes[[8, 9, 11, 12], 0] = 90
    codes[25, 0] = 90
    assert len(raised_by(rules, np.arange(30), codes, config.labels.classes)) == 1


def test_gestures_as_far_apart_as_people_make_them_raise_an_event_each(config, rules):
    codes = np.full((40, 2), -100)
    hops_apart = round(3.0 * config.capture.sample_rate_hz / config.window.hop)
    for k, class_ in enumerate((1, 1, 2)):
        codes[5 + k * hops_apart : 9 + k * hops_apart, class_ - 1] = 90
    found = raised_by(rules, np.arange(40), codes, config.labels.classes)
    assert [event.label for event in found] == ["tap", "tap", "shake"]


def events_of_test(path) -> list[Matches]:
    """Stream every test session through the model of the device, and match its events with the labels."""
    product = Product.read(path / "models/convert", path / "data/features")
    shape, normal = product.preprocess, product.classes[0]
    view = View(shape.window, shape.hop, memory(product.rules), shape.sample_rate_hz)
    index = read_windows(path / "data/split/windows.parquet")
    ids = sorted(set(index.loc[index["part"] == "test", "session_id"]))
    files = session_files(path / "data/capture")
    recordings = [Recording.read(files[each]) for each in ids]
    return [match_events(events(product, each), each.meta.spans, view, normal) for each in recordings]


def events(product, recording):
    """Return what a device raises that is never late."""
    course = Course.of(recording.stretches, product.stream.block_frames, product.preprocess.sample_rate_hz, TICK_HZ)
    app, taken = product.app(TICK_HZ), []
    for number, frames in zip(course.numbers.tolist(), course.frames, strict=True):
        app.ring.push(number, frames)
        while (window := app.ring.take()) is not None:
            taken.append(window)
    ticks = round(product.preprocess.hop * TICK_HZ / product.preprocess.sample_rate_hz)
    return raised(course, app.decide(taken, [ticks] * len(taken)), product.classes)


def count(found, what):
    return sum(len(getattr(each, what)) for each in found)


def test_stream_of_whole_hops_gives_every_window_once():
    counts = np.arange(100)[:, np.newaxis]
    ring, starts = Ring(64, 32, 8), []
    for block in range(12):
        ring.push(block, counts[block * 8 : block * 8 + 8])
        while (taken := ring.take()) is not None:
            starts.append(int(taken.frames[0, 0]))
    assert starts == list(range(0, 65, 8))


@pytest.mark.slow
def test_one_tap_of_a_person_never_seen_is_one_event(tmp_path):
    workspace = Workspace(tmp_path / "workspace", task="gestures", base={})
    workspace.repro("convert")
    found = events_of_test(workspace.path)
    gestures = count(found, "hits") + count(found, "misses")
    assert gestures > 200
    assert count(found, "hits") >= 0.93 * gestures
    assert count(found, "doubles") <= 0.01 * gestures
    assert count(found, "confused") <= 0.02 * gestures
    taps = [span for each in found for span in [*each.misses, *(span for span, _ in each.hits)] if span.label == "tap"]
    tapped = [span for each in found for span, _ in each.hits if span.label == "tap"]
    assert len(tapped) >= 0.93 * len(taps) > 90
    # In these minutes, the wrist meets a table or gesticulates some 300 times an hour, as strongly as it is tapped.
    assert count(found, "false_alarms") <= 75 * sum(each.normal_s for each in found) / 3600
    assert np.median([delay for each in found for delay in each.delays_s]) < 0.7


@pytest.mark.slow
@needs_wand
def test_wand_gesture_of_the_third_person_is_one_event(tmp_path):
    workspace = Workspace(tmp_path / "workspace", task="gestures_wand", base={})
    workspace.repro("convert")
    found = events_of_test(workspace.path)
    assert count(found, "hits") + count(found, "misses") == 49  # 22 rings and 27 slopes
    assert count(found, "hits") >= 46
    assert count(found, "doubles") == 0
