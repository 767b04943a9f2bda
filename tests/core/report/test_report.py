"""The page is well-formed Markdown with every number in it; the figure is the same bytes each time."""

import re

import numpy as np
import pytest
from jinja2 import UndefinedError

from stages.core.classes import Classification
from stages.core.evaluation import Coverage, evaluate
from stages.core.gate import Row
from stages.core.parity import Agreement
from stages.core.report.figures import ScoreSet, save_histograms
from stages.core.report.page import render
from stages.core.runtime.refused import Refused

LABELS = np.repeat(np.array([0, 1], dtype=np.int8), 50)
SCORES = np.linspace(-4, 4, 100)[:, None]


def facts():
    scores = {"float": SCORES, "ptq": SCORES * 0.5, "energy": -SCORES}
    board = {
        "instructions": {"preprocess": 17, "model": 4321, "operations": {"stem": 4000, "head": 321}},
        "flash_bytes": 1,
        "ram_bytes": 2,
        "arena_high_water_bytes": 3,
        "stack_high_water_bytes": 4,
    }
    rows = [
        Row("anomalous", "auc_drop", 0.25, None, 0.1, False, low=0.2, high=0.3),
        Row("anomalous", "compression", float("nan"), 0.8, 1.25, False),
    ]
    return {
        "task": "demo",
        "gate": {
            "selected": "ptq",
            "ladder": ["ptq"],
            "rungs": {"ptq": [row.__dict__ for row in rows]},
            "missing": {"int16": "the accumulator can reach too far"},
            "costs": {},
        },
        "classes": ("healthy", "anomalous"),
        "told": {"ptq": Classification(0.75, {"healthy": 0.5, "anomalous": float("nan")}, [[30, 20], [0, 0]])},
        "rejections": {},
        "layers": {
            "ptq": {
                "windows": 64,
                "reasons": [
                    {
                        "noise": {
                            **dict.fromkeys(("sqnr_db", "own_sqnr_db", "weight_sqnr_db"), 31.25),
                            **dict.fromkeys(("saturated_healthy", "saturated_anomalous", "range_use"), None),
                            "layer": "stem",
                        },
                        "healed": 0.75,
                    }
                ],
            }
        },
        "prices": {"ptq": {"weight_bytes": 77, "boards": {"mps3_an547": {"arena_bytes": 5, **board}}}},
        "units": "group",
        "confidence": 0.95,
        "resamples": 500,
        "windows": 100,
        "coverage": [Coverage("group_id", 2, []), Coverage("state", 2, ["healthy"])],
        "evaluation": evaluate(scores, {key: [0.0] for key in scores}, LABELS[:, None], ["anomalous"], ["ptq"]),
        "outputs": ("anomalous",),
        "ordered": True,
        "leaky": False,
        "unseen": None,
        "parity": [Agreement("native: score code", 100, 0, "LSB", 0, 0, None)],
        "boards": {"native": {**board, "instructions": None, "stack_high_water_bytes": 0}, "mps3_an547": board},
        "board_windows": 8,
        "refused": {"healthy": Refused(90, 0, {}), "anomalous": Refused(10, 3, {"range": 3, "jump": 1})},
        "max_refused": 0.25,
    }


def tables_of(page):
    return [block.splitlines() for block in page.split("\n\n") if block.lstrip().startswith("|")]


def test_every_table_has_a_header_a_rule_and_rows_of_one_width():
    tables = tables_of(render(**facts()))
    assert len(tables) == 12
    for header, rule, *rows in tables:
        assert re.fullmatch(r"\|(-+\|)+", rule.replace(" ", ""))
        assert rows
        assert {line.count("|") for line in (header, rule, *rows)} == {header.count("|")}


def test_page_marks_failed_limits_and_dashes_what_cannot_be_computed():
    page = render(**facts())
    assert "| ptq | anomalous | auc_drop | 0.25 | (0.2 .. 0.3) |  | 0.1 | **fail** |" in page
    assert "| ptq | anomalous | compression | - | | 0.8 | 1.25 | **fail** |" in page
    assert "| anomalous | compression | 0.5 |" in page
    assert "| mps3_an547 | 17 | 4321 | 1 | 2 | 3 | 4 |" in page
    assert "| ptq | mps3_an547 | 77 | 5 | 1 | 2 | 4 | 17 | 4321 |" in page
    assert "| stem | 0.750 | 31.2 | 31.2 | 31.2 | - | - | - |" in page
    assert "| anomalous | 10 | 3 | 0.3000 | range 3, jump 1 |" in page
    assert "| healthy | 90 | 0 | 0.0000 | none |" in page
    assert "There is no `int16`: the accumulator can reach too far" in page


def test_page_says_that_there_is_no_fault_gate():
    assert "There is no fault gate" not in render(**facts())
    assert "There is no fault gate" in render(**facts() | {"refused": {}})


def test_a_leaky_split_is_said_aloud_and_set_beside_what_was_never_seen():
    leaky = facts() | {"leaky": True}
    honest = leaky | {
        "unseen": evaluate(
            {"float": -SCORES, "ptq": SCORES, "energy": SCORES},
            {key: [0.0] for key in ("float", "ptq", "energy")},
            LABELS[:, None],
            ["anomalous"],
            ["ptq"],
        )
    }
    assert "split is leaky" not in render(**facts())
    assert "The split is leaky" in render(**leaky)
    assert "nothing could be set aside" in render(**leaky)
    assert "| float | anomalous | 1.0000 | 0.0000 |" in render(**honest)


def test_missing_fact_is_an_error_not_a_gap():
    incomplete = facts()
    del incomplete["parity"]
    with pytest.raises(UndefinedError, match="parity"):
        render(**incomplete)


def test_figure_is_the_same_bytes_each_time(tmp_path):
    sets = [ScoreSet("float", SCORES, [0.0]), ScoreSet("ptq", SCORES * 0.5, [0.0])]
    for name in ("a.png", "b.png"):
        save_histograms(tmp_path / name, sets, LABELS, ("healthy", "anomalous"))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
