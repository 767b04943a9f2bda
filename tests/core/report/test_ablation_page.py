"""Every table of the page is well-formed and says what was built in; the figures are the same bytes each time."""

from __future__ import annotations

import re

import numpy as np

from stages.core.quant.effects import COSTS, FACTORS, Outcome, cells, extremes
from stages.core.report.ablation_page import Setting, rankings, render_ablation, save_effects

OUTPUTS = ["anomalous", "very_bad"]


def outcomes(seeds=(1, 2, 3)):
    """Calibration is worth 0.4, the rest a little, in every cost; seeds differ by 0.001."""
    worth = dict(zip(FACTORS, (0.4, 0.2, 0.1, 0.0), strict=True))

    def costs(cell, seed):
        value = sum(worth[f] for f, levels in FACTORS.items() if getattr(cell, f) == levels[0]) + 0.001 * seed
        return dict.fromkeys(COSTS, value) | {"compression": 1 + value}

    return [Outcome(cell, seed, {o: costs(cell, seed) for o in OUTPUTS}) for cell in cells() for seed in seeds]


def page_of(results):
    setting = Setting("demo", 7, ["observer minmax"], ["float, seed 3", "worst", "best"])
    return render_ablation(results, rankings(results, OUTPUTS), OUTPUTS, setting)


def test_every_table_has_a_header_a_rule_and_rows_of_one_width():
    tables = [block.splitlines() for block in page_of(outcomes()).split("\n\n") if block.lstrip().startswith("|")]
    assert [len(rows) for _, _, *rows in tables] == [len(COSTS)] * 6 + [16] * 2
    for header, rule, *rows in tables:
        assert re.fullmatch(r"\|(-+\|)+", rule)
        assert {line.count("|") for line in (rule, *rows)} == {header.count("|")}


def test_page_says_what_each_choice_saves_and_lists_the_cheapest_combination_first():
    page = page_of(outcomes())
    assert "| auc_drop | calibration 0.4 [0.4, 0.4] | weights 0.2 [0.2, 0.2] | method 0.1 [0.1, 0.1] | score" in page
    assert "| confirmed |" in page
    first = next(line for line in page.splitlines() if line.startswith("| near threshold"))
    assert first.startswith("| near threshold | per channel | qat | int8 | 0.002 [")


def test_one_seed_has_no_intervals():
    page = page_of(outcomes(seeds=(4,)))
    assert "| auc_drop | calibration 0.4 | weights 0.2 |" in page
    assert "| undecided |" in page


def test_cost_that_cannot_be_computed_is_left_out():
    results = outcomes()
    results[5].costs["anomalous"]["tpr_at_fpr_1_drop"] = float("nan")
    found = rankings(results, OUTPUTS)
    assert results[5].cell.score == "int32"
    without = [question for question, of in found.items() if "tpr_at_fpr_1_drop" not in of]
    assert without == ["anomalous, either score", "anomalous, int32 score"]
    assert page_of(results).count("| tpr_at_fpr_1_drop | calibration") == 4


def test_each_score_head_is_ranked_apart():
    """Calibration matters with the int8 score alone."""
    results = outcomes()
    for each in results:
        if each.cell.score == "int32" and each.cell.calibration == "healthy_only":
            each.costs["anomalous"]["auc_drop"] -= 0.4
    found = {question: of["auc_drop"].effects for question, of in rankings(results, OUTPUTS).items()}
    gains = {q: {e.factor: round(e.gain.mean, 6) for e in effects} for q, effects in found.items()}
    assert gains["anomalous, int8 score"] == {"calibration": 0.4, "weights": 0.2, "method": 0.1}
    assert gains["anomalous, int32 score"] == {"calibration": 0.0, "weights": 0.2, "method": 0.1}
    assert gains["anomalous, either score"]["calibration"] == 0.2


def test_extremes_are_the_built_in_ones():
    seed, worst, best = extremes(outcomes(), OUTPUTS)
    assert seed == 3
    assert str(worst).startswith("healthy_only-per_tensor-ptq-")
    assert str(best).startswith("near_threshold-per_channel-qat-")


def test_effects_figure_is_the_same_bytes_each_time(tmp_path):
    by_output = rankings(outcomes(), OUTPUTS)
    for name in ("a.png", "b.png"):
        save_effects(tmp_path / name, by_output)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert np.all([len(of) == len(COSTS) for of in by_output.values()])
