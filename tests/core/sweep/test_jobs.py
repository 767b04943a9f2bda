import pytest

from stages.core.errors import ConfigError
from stages.core.sweep.jobs import command_line, make_job
from tests.pipeline.imports import ROOT

BASE = {"task": "vibration", "overrides": {"train.epochs": 3, "board": ["native"]}}


def test_overrides_of_a_job_are_laid_over_those_of_the_workspace():
    job = make_job(BASE, ["train.epochs=5", "train.lr=1e-3", "features=bands"], "code")
    assert job.params == {
        "task": "vibration",
        "overrides": {"board": ["native"], "train.epochs": 5, "train.lr": 0.001, "features": "bands"},
    }


def test_a_task_is_no_override():
    assert make_job(BASE, ["task=shock"], "code").params["task"] == "shock"
    assert "task" not in make_job(BASE, ["task=shock"], "code").params["overrides"]


def test_a_mapping_replaces_what_was_set_inside_it():
    base = {"task": "vibration", "overrides": {"gate.limits.fpr_drift.max": 1.0, "gate.limits.auc.min": 0.5}}
    job = make_job(base, ["gate.limits.fpr_drift={min:-1,max:2}"], "code")
    assert job.params["overrides"] == {"gate.limits.auc.min": 0.5, "gate.limits.fpr_drift": {"min": -1, "max": 2}}


@pytest.mark.parametrize(
    ("text", "value"),
    [("x=[a,b]", ["a", "b"]), ("x=null", None), ("x='a b'", "a b"), ("++x=true", True), ("+x=0.5", 0.5)],
)
def test_values_are_read_in_the_grammar_of_hydra(text, value):
    assert make_job(BASE, [text], "code").chosen == {"x": value}


def test_the_key_tells_jobs_and_code_apart_and_nothing_else():
    key = make_job(BASE, ["train.lr=0.1", "seed=2"], "code").key
    assert make_job(BASE, ["seed=2", "train.lr=0.1"], "code").key == key
    assert make_job(BASE, ["seed=3", "train.lr=0.1"], "code").key != key
    assert make_job(BASE, ["seed=2", "train.lr=0.1"], "other code").key != key


def test_deleting_a_key_is_refused():
    with pytest.raises(ConfigError, match="deletes a key"):
        make_job(BASE, ["~train.lr"], "code")


def test_task_and_groups_of_the_workspace_are_what_values_have_to_fit():
    words = command_line(BASE, ["train.lr=0.1,0.2"], ROOT / "conf")
    assert words == ["train.lr=0.1,0.2", "task=vibration", "board=[native]"]


def test_a_group_that_is_swept_is_not_given_twice():
    words = command_line(BASE, ["task=shock,vibration", "board=[native]"], ROOT / "conf")
    assert words == ["task=shock,vibration", "board=[native]"]
