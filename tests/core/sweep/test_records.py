import os

import pytest

from stages.core.errors import ArtifactError
from stages.core.sweep.records import Record, find_record, latest_sweep, read_records, write_record


def record(key="a", number=0, exit_code=0, figures=None):
    return Record(key, number, {"seed": 1}, {"task": "x"}, exit_code, ["train"], figures or {"auc": 0.5}, 1.5, None)


def test_a_record_is_read_as_it_was_written(tmp_path):
    write_record(tmp_path / "sweep", record())
    assert find_record(tmp_path / "sweep", "a") == record()
    assert [path.name for path in (tmp_path / "sweep").iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("code", "outcome", "kept"),
    [(0, "released", True), (3, "refused", True), (4, "failed", True), (2, "failed", False), (-9, "failed", False)],
)
def test_what_the_gate_decided_is_final_and_a_failure_is_tried_again(tmp_path, code, outcome, kept):
    write_record(tmp_path, record(exit_code=code))
    assert record(exit_code=code).outcome == outcome
    assert (find_record(tmp_path, "a") is not None) == kept


def test_a_job_that_never_ran_has_no_record(tmp_path):
    assert find_record(tmp_path, "a") is None


def test_half_a_record_is_none(tmp_path):
    (tmp_path / "a.123.partial").write_text('{"key": "a"')
    assert find_record(tmp_path, "a") is None
    with pytest.raises(ArtifactError, match="no job of a sweep is recorded"):
        read_records(tmp_path)


def test_records_come_in_the_order_of_jobs(tmp_path):
    for key, number in (("a", 10), ("b", 2), ("c", 1)):
        write_record(tmp_path, record(key, number))
    assert [each.key for each in read_records(tmp_path)] == ["c", "b", "a"]


def test_the_latest_sweep_is_the_one_that_recorded_last(tmp_path):
    for name, age in (("new", 10), ("old", 20)):
        write_record(tmp_path / name, record())
        os.utime(tmp_path / name / "a.json", (1000 - age, 1000 - age))
    assert latest_sweep(tmp_path) == tmp_path / "new"
