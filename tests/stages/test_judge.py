"""Anyone's scores can be judged; the published int8 model of a benchmark is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages import judge
from stages.core.errors import ConfigError, GateRefused, RecordingError

ROOT = Path(__file__).parents[2]
DATASETS = os.environ.get("BEARING_DATASETS_ROOT")


def options(*words):
    return judge.parser().parse_args([*map(str, words), "--gate", str(ROOT / judge.GATE)])


def scores(seed=0):
    """Ten machines of 100 healthy and 40 anomalous examples, well apart."""
    rng = np.random.default_rng(seed)
    rows = []
    for machine in range(10):
        for k in range(140):
            label = int(k >= 100)
            rows.append((f"m{machine}_{'bad' if label else 'good'}_{k}", rng.normal(6.0 * label, 1.0), label))
    return rows


def write(path, rows, header="name,score,label", unit=False):
    lines = [header] if header else []
    lines += [",".join(map(str, (*row, row[0].split("_")[0]) if unit else row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_candidate_that_keeps_the_tail_passes(tmp_path, capsys):
    reference = write(tmp_path / "a.csv", scores(), "name,score,label,unit", unit=True)
    moved = [(name, score + 1e-4 * np.sin(k), label) for k, (name, score, label) in enumerate(scores())]
    candidate = write(tmp_path / "b.csv", moved[::-1])  # rows are paired by name, not by place
    judge.main(options("--reference", reference, "--candidate", candidate, "--json", tmp_path / "out.json"))
    text = capsys.readouterr().out
    assert "1400 examples, 400 of them anomalous, 10 units" in text
    assert "gate: candidate passed" in text
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["passed"] is True
    assert out["reference"]["auc"] == pytest.approx(out["candidate"]["auc"])
    assert out["intervals"]["fpr_drift"]["low"] <= out["cost"]["fpr_drift"] <= out["intervals"]["fpr_drift"]["high"]


def test_a_crushed_tail_is_refused_by_its_name(tmp_path, capsys):
    reference = write(tmp_path / "a.csv", scores())
    crushed = [(name, min(score, 4.0) + 0.02 * max(score - 4.0, 0), label) for name, score, label in scores()]
    candidate = write(tmp_path / "b.csv", crushed)
    with pytest.raises(GateRefused, match=r"anomalous compression 0\.02") as refused:
        judge.main(options("--reference", reference, "--candidate", candidate))
    assert refused.value.exit_code == 3
    text = capsys.readouterr().out
    assert "no units named, so no intervals" in text
    assert [line.split()[3] for line in text.splitlines() if line.startswith("FAIL")] == [
        "compression",
        "wasserstein_anomalous",
    ]


def test_names_tell_label_and_unit_and_a_side_may_be_several_files(tmp_path, capsys):
    rows = [(name, score) for name, score, _ in scores()]
    sides = [write(tmp_path / f"{k}.csv", part, None) for k, part in enumerate((rows[:700], rows[700:]))]
    words = ["--header", "name", "score", "--anomalous", "_bad_", "--unit", r"^m\d"]
    judge.main(options("--reference", *sides, "--candidate", *sides[::-1], *words))
    assert "1400 examples, 400 of them anomalous, 10 units" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, threshold",
    [
        (["--max-fpr", "0.25"], 30.0),
        (["--false-alarms-per-hour", "180", "--hop-s", "4"], 32.0),  # 900 decisions an hour: one in five
        (["--min-recall", "0.5"], 66.0),
    ],
)
def test_the_objective_sets_the_threshold(tmp_path, words, threshold):
    # Healthy scores 1 to 40, anomalous 26 to 105.
    rows = [(f"h{k}", k + 1, 0) for k in range(40)] + [(f"a{k}", k + 26, 1) for k in range(80)]
    path = write(tmp_path / "a.csv", rows)
    lenient = tmp_path / "gate.yaml"
    lenient.write_text(
        yaml.safe_dump({"limits": {"auc": {"min": 0}}, "bootstrap": {"resamples": 100, "confidence": 0.9}})
    )
    arguments = judge.parser().parse_args(
        [
            "--reference",
            str(path),
            "--candidate",
            str(path),
            "--gate",
            str(lenient),
            "--json",
            str(tmp_path / "o"),
            *words,
        ]
    )
    judge.main(arguments)
    assert json.loads((tmp_path / "o").read_text())["reference"]["threshold"] == pytest.approx(threshold)


GOOD = [("a", 1.0, 0), ("b", 2.0, 1), ("c", 3.0, 1)]


@pytest.mark.parametrize(
    "reference, candidate, header, said",
    [
        (GOOD, GOOD[:2], "name,score,label", r"b\.csv: it lacks 1 names that the other has, as 'c'"),
        (GOOD[:2], GOOD, "name,score,label", r"a\.csv: it lacks 1 names that the other has, as 'c'"),
        (GOOD, [*GOOD, GOOD[0]], "name,score,label", r"b\.csv: 1 names come twice, the first is 'a'"),
        (GOOD, [("a", "nan", 0), *GOOD[1:]], "name,score,label", r"b\.csv: 1 scores are no finite number"),
        (GOOD, [("a", "inf", 0), *GOOD[1:]], "name,score,label", "the first is 'inf' of 'a'"),
        (GOOD, [("a", "high", 0), *GOOD[1:]], "name,score,label", "no finite number"),
        (GOOD, GOOD, "name,value,label", "it has no column score"),
        (GOOD, GOOD, "name,score,kind", "no column label"),
        ([("a", 1, 7), *GOOD[1:]], GOOD, "name,score,label", "1 labels are not known, the first is '7'"),
        ([("a", 1, 1), *GOOD[1:]], GOOD, "name,score,label", "all 3 examples are of one class"),
        ([], GOOD, None, "cannot be read as CSV"),
    ],
)
def test_what_cannot_be_paired_is_refused_in_a_paragraph(tmp_path, reference, candidate, header, said):
    paths = [write(tmp_path / name, rows, header) for name, rows in (("a.csv", reference), ("b.csv", candidate))]
    with pytest.raises(RecordingError, match=said) as error:
        judge.main(options("--reference", paths[0], "--candidate", paths[1]))
    assert "Expected CSV files with the columns name, score, label" in str(error.value)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--unit", "^z"], "3 names have no unit by '^z', as 'a'"),
        (["--anomalous", "("], "it is no regular expression"),
    ],
)
def test_rules_that_do_not_fit_are_refused(tmp_path, words, said):
    path = write(tmp_path / "a.csv", GOOD)
    with pytest.raises(RecordingError) as error:
        judge.main(options("--reference", path, "--candidate", path, *words))
    assert said in str(error.value)


@pytest.mark.parametrize(
    "words, gate, said",
    [
        (["--false-alarms-per-hour", "2"], None, "without the time between decisions"),
        ([], "missing.yaml", "it cannot be read"),
        ([], "limits: {auk: {min: 1}}\nbootstrap: {resamples: 100, confidence: 0.9}", "did you mean 'auc'"),
        (["--max-fpr", "2"], None, "max_fpr"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, words, gate, said):
    path = write(tmp_path / "a.csv", GOOD)
    arguments = options("--reference", path, "--candidate", path, *words)
    if gate is not None:
        arguments.gate = tmp_path / "gate.yaml"
        if gate != "missing.yaml":
            arguments.gate.write_text(gate)
    with pytest.raises(ConfigError) as error:
        judge.main(arguments)
    assert said in str(error.value)


@pytest.mark.skipif(DATASETS is None, reason="BEARING_DATASETS_ROOT is not set")
def test_the_published_int8_anomaly_detector_is_refused_with_its_known_figures(tmp_path):
    folder = Path(DATASETS) / "mlperf_tiny_ad"
    command = [sys.executable, "-m", "stages.judge", "--json", tmp_path / "out.json"]
    command += ["--reference", *sorted(folder.glob("float_id_0*.csv"))]
    command += ["--candidate", *sorted(folder.glob("int8_id_0*.csv"))]
    command += ["--header", "name", "score", "--anomalous", "^anomaly", "--unit", r"id_\d+"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    out = json.loads((tmp_path / "out.json").read_text())
    assert (out["reference"]["auc"], out["candidate"]["auc"]) == pytest.approx((0.887, 0.850), abs=5e-4)
    assert (out["reference"]["tpr_at_fpr_5"], out["candidate"]["tpr_at_fpr_5"]) == pytest.approx(
        (0.577, 0.468), abs=1e-3
    )
    assert out["reference"]["fpr_at_threshold"] == pytest.approx(0.050, abs=5e-4)
    assert out["cost"]["fpr_at_reference_threshold"] == pytest.approx(0.311, abs=5e-4)
    assert "the candidate does not keep the reference's tail" in " ".join(done.stderr.split())
    assert "2459 examples, 1059 of them anomalous, 4 units" in done.stdout
