"""The page of a data set says what dataset.json says, and draws what the sessions hold."""

import re

import numpy as np
import pytest
from scipy.signal import welch

from stages.core.recordings.session import SessionFile, Span, write_session
from stages.core.report.quality_figures import FlagValues, power_density, save_flags
from stages.core.report.quality_page import envelope, portrait, short, write_quality_page
from stages.core.schema.labels import Labels
from stages.core.schema.window import Window
from tests.core.recordings.test_limits import GOOD
from tests.core.recordings.test_session import counts_of, meta

LABELS = Labels(kind="ordered", classes=("normal", "impact"), min_overlap=0.5)
WINDOW = Window(length=64, hop=32)


@pytest.fixture
def dataset(tmp_path):
    """Write six sessions, half of them with an impact, and describe them as `capture` does."""
    entries = []
    for index in range(6):
        spans = (Span(0, 1500, "normal"), Span(1500, 2000, "impact" if index % 2 else "uncertain"))
        name = f"s{index}"
        write_session(tmp_path / name, meta(("x", "y"), session_id=name, spans=spans), counts_of(2000, 2, index))
        labelled = {"normal": 1500, "impact": 500 * (index % 2), "uncertain": 500 - 500 * (index % 2)}
        entry = {"session_id": name, "path": name, "label": "impact" if index % 2 else "normal", "level": float(index)}
        entry |= {"labelled_samples": labelled, "findings": [], "excluded": None}
        entries.append(entry | {"flags": {**GOOD, "n_samples": 2000.0, "clipped_fraction": index / 1000}})
    entries[5]["excluded"] = "clipped_fraction is 0.005, above 0.004"
    entries[5]["findings"] = [{"flag": "clipped_fraction", "value": 0.005, "limit": 0.004, "action": "exclude"}]
    totals = {"sessions": 5, "excluded": 1, "flagged": 1, "groups": 3, "hours": 1.0, "clipped_fraction": 0.0}
    found = {"name": "device", "measure": "association", "value": 0.75, "limit": 0.5, "by_class": "a (3 normal)"}
    nothing = {**found, "name": "mounting", "value": 0.0, "found": False, "allowed": False}
    return {
        "dataset_id": "0" * 64,
        "totals": totals,
        "limits": {**GOOD, "clipped_fraction": 0.004},
        "artefacts": [{**found, "found": True, "allowed": True}, nothing],
        "sessions": entries,
    }


def test_page_lists_limits_findings_and_what_tells_the_class(tmp_path, dataset):
    pictures = write_quality_page(tmp_path, dataset, WINDOW, LABELS)
    page = (tmp_path / "report.md").read_text()
    assert [path.name for path in pictures] == ["signals.png", "flags.png"]
    assert all(f"]({path.name})" in page for path in pictures)
    assert "| clipped_fraction | 0.004 | 0.002 (0 .. 0.004) | 0.002 (0.001 .. 0.003) |" in page
    assert "| s5 | clipped_fraction | 0.005 | 0.004 | exclude |" in page
    assert "| device | association | 0.750 | 0.5 | a (3 normal) | **tells the class, allowed** |" in page
    assert "Nothing of the class is in\nmounting." in page
    assert "\n\n\n" not in page


def test_tables_of_the_page_are_of_one_width(tmp_path, dataset):
    write_quality_page(tmp_path, dataset, WINDOW, LABELS)
    blocks = (tmp_path / "report.md").read_text().split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("|")]
    assert len(tables) == 3
    for header, rule, *rows in tables:
        assert re.fullmatch(r"\|(-+\|)+", rule)
        assert rows
        assert {line.count("|") for line in (header, rule, *rows)} == {header.count("|")}


def test_page_and_pictures_are_the_same_bytes_each_time(tmp_path, dataset):
    def written():
        pictures = write_quality_page(tmp_path, dataset, WINDOW, LABELS)
        return [path.read_bytes() for path in (*pictures, tmp_path / "report.md")]

    assert written() == written()


def test_portrait_is_of_the_windows_of_its_class(tmp_path, dataset):
    drawn = portrait(tmp_path, dataset["sessions"][1], "impact", WINDOW, LABELS)
    counts = counts_of(2000, 2, 1) / 16384
    # From 1472 on, a window holds half of the impact or more.
    starts = range(1472, 2000 - 64 + 1, 32)
    np.testing.assert_array_equal(drawn.windows, [counts[start : start + 64] for start in starts])
    assert drawn.spans_s == [(1.5, 2.0)]
    assert drawn.duration_s == 2.0


@pytest.mark.parametrize("n_samples", [7, 1000, 150_000])
def test_envelope_holds_the_extremes_of_each_piece(tmp_path, n_samples):
    counts = counts_of(n_samples, 2)
    write_session(tmp_path / "s", meta(("x", "y")), counts)
    low, high = envelope(SessionFile(tmp_path / "s"), 100)
    width = -(-n_samples // 100)
    pieces = [counts[start : start + width] for start in range(0, n_samples, width)]
    np.testing.assert_array_equal(low, [piece.min(axis=0) for piece in pieces])
    np.testing.assert_array_equal(high, [piece.max(axis=0) for piece in pieces])


def test_spectrum_is_the_average_of_welch_over_the_windows():
    windows = np.random.Generator(np.random.PCG64(1)).normal(2, 1, (5, 64, 2))
    frequency, density = power_density(windows, 1000.0)
    expected_at, expected = welch(windows, 1000.0, window="hann", nperseg=64, detrend="constant", axis=1)
    np.testing.assert_allclose(frequency, expected_at)
    # The ends of the band have no mirror image; they are drawn as if they had.
    np.testing.assert_allclose(density[1:-1], expected.mean(axis=0)[1:-1])


def test_strips_of_many_flags_fit_on_one_picture(tmp_path):
    flags = [
        FlagValues(f"flag_{k}", 0.5, np.array([0.1, 0.9]), np.array([0, 1]), np.array([False, True])) for k in range(6)
    ]
    save_flags(tmp_path / "flags.png", flags, ["normal", "uncertain"])
    assert (tmp_path / "flags.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(("value", "text"), [(51200.0, "51200"), (0.0, "0"), (0.0123456, "0.01235")])
def test_numbers_are_short_but_whole_ones_are_whole(value, text):
    assert short(value) == text
