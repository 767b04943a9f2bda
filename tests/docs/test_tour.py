"""The tutorial, as a reader follows it, and then the other commands of the documentation in the workspace it left."""

import json

import pytest

from tests.bench.sessions import measure
from tests.docs.accounts import FOLLOWED, STEPS
from tests.docs.tour import Tour, missing
from tests.pipeline.imports import ROOT
from tests.pipeline.workspace import HAS_ARM_TOOLS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not HAS_ARM_TOOLS, reason="the Arm compiler or QEMU is not installed"),
]


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """A clone in which everything was done that the pages say."""
    tour = Tour(tmp_path_factory.mktemp("tour"))
    for page in FOLLOWED:
        tour.follow(ROOT / "docs" / page)
    return tour


def test_tutorial_ends_with_a_signed_release_whose_report_stands_beside_it(tour):
    (folder,) = (tour.path / "releases").iterdir()
    manifest = json.loads((tour.path / "models/release/manifest.json").read_bytes())
    assert folder.name == manifest["release"]["release_id"]
    assert manifest["task"] == "recordings"
    assert "ptq" in (folder / "model_card.md").read_text().lower()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.documented[0][:60])
def test_command_does_what_it_should(tour, step):
    sessions = json.loads((tour.path / "data/split/split.json").read_text())["sessions"]["test"]
    names = {
        "release": next((tour.path / "releases").iterdir()).name,
        "session": min(sessions),
        "folder": tour.path.parent,
        "documented": "\n".join(step.documented),
    }
    script = step.script if step.actual is None else step.actual.format(**names)
    code, printed = tour.sh(script)
    assert code == step.code, printed


def test_memory_and_speed_are_measured():
    costs = measure(sessions=16, repeats=1)
    assert all(cost.peak_mib > 0 < cost.seconds for cost in costs.values())


def test_what_was_not_printed_is_missed():
    assert missing("a … c\nd  e\n", "x\na b c\nd e\n") == []
    assert missing("a … d\n", "a b c\n") == ["a … d"]
