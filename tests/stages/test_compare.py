"""The command says what changed, and refuses with the gate's exit code."""

import json

import pandas as pd
import pytest

from stages import compare
from stages.core.errors import GateRefused
from tests.core.release.test_comparison import BEFORE, later, scores
from tests.pipeline.imports import ROOT

PATH = "models/validate/scores.parquet"
LIMITS = ("--limits", ROOT / compare.LIMITS)


def release(folder, manifest, windows=None):
    entry = {"path": PATH, "stage": "validate"}
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({**manifest, "artifacts": [entry]}))
    if windows is not None:
        (folder / PATH).parent.mkdir(parents=True)
        pd.DataFrame(windows).to_parquet(folder / PATH)
    return folder


def test_diff_says_headings_places_and_flips(tmp_path, capsys):
    before = release(tmp_path / "a", BEFORE, scores(0.0, 1.0))
    after = release(tmp_path / "b", later(dataset_id="d2"), scores(0.75, 1.0))
    compare.main_of(["diff", before, after, "--trees", before, after, "--json", tmp_path / "out.json"])
    printed = capsys.readouterr().out
    assert "data: 1 different\n  dataset_id: d1 -> d2\n" in printed
    assert "decisions: 1 flip, of 2 windows" in printed
    assert "s from sample 0: anomalous is now yes, -0.5 -> +0.25 logits above the threshold" in printed
    assert json.loads((tmp_path / "out.json").read_text())["windows"] == 2


def test_diff_of_a_release_with_itself_is_empty(tmp_path, capsys):
    same = release(tmp_path / "a", BEFORE)
    compare.main_of(["diff", same, same / "manifest.json"])
    assert capsys.readouterr().out == "nothing is different\n"


def test_gate_lets_a_good_successor_pass_and_names_the_rule_a_worse_one_breaks(tmp_path, capsys):
    before = release(tmp_path / "a", BEFORE)
    compare.main_of(["gate", release(tmp_path / "b", later()), "--against", before, *LIMITS])
    assert "BROKEN" not in capsys.readouterr().out
    worse = release(tmp_path / "c", later(results__metrics__test__ptq__anomalous__auc=0.5))
    with pytest.raises(GateRefused, match=r"it breaks 1 rule\(s\): anomalous: auc drop\."):
        compare.main_of(["gate", worse, "--against", before, *LIMITS])
    assert "BROKEN           0.4  at most 0.01    anomalous: auc drop" in capsys.readouterr().out
