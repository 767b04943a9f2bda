"""Gestures: one tap, one event, by the host's models of the runtime and the integers that the device computes.

The rules are looked at alone first, then with what the whole task makes of sessions of people that it never saw, and
of the wand gestures of a person that it never saw.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.core.config import compose, validate
from stages.core.dsp.contract import Preprocess, preprocess
from stages.core.graph.lower import read_graph
from stages.core.graph.reference import Head, execute, score_codes
from stages.core.recordings.dataset import session_files
from stages.core.recordings.windows import read_windows
from stages.core.runtime.decision import Codes, Decision, Rules
from stages.core.runtime.matching import Matches, Raised, View, match_events, memory
from stages.core.runtime.ring import Ring
from stages.core.runtime.rules import decision_rules
from tests.pipeline.imports import ROOT
from tests.pipeline.workspace import Workspace

DATASETS = Path(os.environ.get("BEARING_DATASETS_ROOT", "/nowhere"))
needs_wand = pytest.mark.skipif(
    not (DATASETS / "magic_wand").is_dir(), reason="BEARING_DATASETS_ROOT does not lead to the folder magic_wand"
)


def raised_by(rules, starts, codes, labels):
    """Decide window by window, and return the events."""
    decision, raised = Decision(rules), []
    for start, of_window in zip(starts, codes, strict=True):
        before = decision.state
        decision.update(of_window)
        if before == 0 and decision.state > 0:
            raised.append(Raised(int(start), labels[decision.state]))
    return raised


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
    raised = raised_by(rules, np.arange(20) * config.window.hop, codes, config.labels.classes)
    assert [(event.start // config.window.hop, event.label) for event in raised] == [
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
    raised = raised_by(rules, np.arange(40), codes, config.labels.classes)
    assert [event.label for event in raised] == ["tap", "tap", "shake"]


@dataclass(frozen=True)
class Release:
    """What the device would hold, read from the files that it comes in."""

    preprocess: Preprocess
    graph: object
    rules: Rules
    labels: list

    @classmethod
    def read(cls, path):
        contract = json.loads((path / "models/convert/contract.json").read_text())
        rules = contract["decision"]["rules"]
        return cls(
            Preprocess.from_json(json.loads((path / "data/features/contract.json").read_text())),
            read_graph((path / "models/convert/model.onnx").read_bytes()),
            Rules(**{**rules, "codes": tuple(Codes(**codes) for codes in rules["codes"])}),
            contract["labels"],
        )

    def stream(self, counts):
        """Push a recording block by block, and return the windows' starts and score codes."""
        contract = self.preprocess
        ring = Ring(2 * contract.window, contract.window, contract.hop)
        windows = []
        for block in range(len(counts) // contract.hop):
            ring.push(block, counts[block * contract.hop :][: contract.hop])
            while (taken := ring.take()) is not None:
                windows.append(taken.frames)
        codes = score_codes(self.graph, execute(self.graph, preprocess(contract, np.stack(windows))))
        return np.arange(len(windows)) * contract.hop, codes


def events_of_test(path) -> list[Matches]:
    """Match the events of every test session with its labels."""
    release = Release.read(path)
    index = read_windows(path / "data/split/windows.parquet")
    ids = sorted(set(index.loc[index["part"] == "test", "session_id"]))
    files, found = session_files(path / "data/capture"), []
    for file in (files[each] for each in ids):
        raised = raised_by(release.rules, *release.stream(file.counts()), release.labels)
        contract, meta = release.preprocess, file.meta
        view = View(contract.window, contract.hop, memory(release.rules), meta.sample_rate_hz)
        found.append(match_events(raised, meta.spans, view, release.labels[0]))
    return found


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
