"""The proof finds leaks that are planted in an index or in the samples, whoever made the split."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from stages.core.proof.checks import Promise, promise_of, prove
from stages.core.schema.compute import Compute
from stages.core.schema.split import Duplicates, Split
from tests.core.proof.recordings import index, store, vibration, whole

LENGTH = 16
LIMITS = Duplicates(max_correlation=0.8, landmarks=16, max_proposals=100)
HERE = Compute(backend="loky", workers=1)
BY_GROUP = Promise(("session_id", "group_id"))
BY_TIME = Promise(())
HALF = {"train": 0.5, "val": 0.25, "test": 0.25}


@pytest.fixture
def noise(tmp_path):
    rng = np.random.default_rng(0)
    return store(tmp_path, {f"s{k}": rng.integers(-1000, 1000, (64, 2)).astype(np.int16) for k in range(4)})


def crossing(windows, files, promise=BY_GROUP, length=LENGTH):
    proof = prove(windows, files, promise, length, LIMITS, HERE)
    assert proof["holds"] == (not any(check["crossing"] for check in proof["checks"]))
    return {check["check"]: check["crossing"] for check in proof["checks"] if check["crossing"]}


def test_disjoint_split_holds(noise):
    windows = index(("s1", "a", "train", 0, 0), ("s1", "a", "train", 8, 0), ("s2", "b", "test", 0, 1))
    assert crossing(windows, noise) == {}


def test_group_in_two_parts_is_found(noise):
    found = crossing(index(("s1", "a", "train", 0, 0), ("s2", "a", "test", 0, 1)), noise)
    assert found == {"no group_id in two parts": ["a"]}


def test_state_is_compared_over_abnormal_windows_only(noise):
    windows = index(("s1", "a", "train", 0, 0), ("s2", "b", "val", 0, 1), ("s3", "c", "test", 0, 2))
    promise = Promise(("state",))
    assert crossing(windows, noise, promise) == {"no state in two parts": ["x"]}
    windows["state"] = ["x", "x", "y"]
    assert crossing(windows, noise, promise) == {}


@pytest.mark.parametrize("start, overlaps", [(15, True), (16, False)])
def test_overlapping_samples_of_one_session_are_found(noise, start, overlaps):
    found = crossing(index(("s1", "a", "train", 0, 0), ("s1", "a", "test", start, 1)), noise, BY_TIME)
    assert found == ({"no sample range in two parts": [f"s1@{start}"]} if overlaps else {})


def test_overlap_behind_a_later_window_of_its_own_part_is_found(noise):
    windows = index(("s1", "a", "train", 0, 0), ("s1", "a", "test", 20, 0), ("s1", "a", "train", 25, 0))
    assert crossing(windows, noise, BY_TIME)["no sample range in two parts"] == ["s1@25"]


@pytest.mark.parametrize("start, near", [(25, True), (26, False)])
def test_window_nearer_than_the_promised_gap_is_found(noise, start, near):
    windows = index(("s1", "a", "train", 0, 0), ("s1", "a", "test", start, 1))
    found = crossing(windows, noise, Promise((), gap=10))
    assert found == ({"no sample range in two parts, and 10 samples between parts": [f"s1@{start}"]} if near else {})


@pytest.mark.parametrize("start, near", [(1, True), (2, False)])
def test_gap_counts_on_into_the_next_session_of_a_group(noise, start, near):
    """A session has 64 samples: 8 of s1 and `start` of s2 lie between the two windows."""
    windows = index(("s1", "a", "train", 40, 0), ("s2", "a", "test", start, 1))
    assert bool(crossing(windows, noise, Promise((), "group_id", gap=10))) == near
    assert crossing(windows, noise, Promise((), "session_id", gap=10)) == {}


def test_copy_under_another_name_is_found_even_with_an_offset(tmp_path, noise):
    files = noise | store(tmp_path, {"t": noise["s1"].counts() + np.int16(7)})
    found = crossing(index(("s1", "a", "train", 0, 0), ("t", "b", "test", 0, 1)), files)
    assert found == {"no identical window in two parts": ["s1@0 (train) is t@0 (test)"]}


def test_windows_that_never_vary_are_no_copies(tmp_path):
    files = store(tmp_path, {name: np.full((64, 1), 5, np.int16) for name in ("s1", "s2")})
    assert crossing(index(("s1", "a", "train", 0, 0), ("s2", "b", "test", 0, 1)), files) == {}


def test_rows_of_a_table_are_compared_as_they_are_and_not_searched_for_a_course_in_time(tmp_path):
    rows = np.array([[1, 2], [3, 4], [1, 2], [2, 3], [70_000, 0]], dtype=np.int32)
    files = store(tmp_path, {"s1": rows, "s2": rows[[1, 3]]}, limits=((0, 99_999), (0, 99)))
    windows = index(
        *(("s1", "a", "train" if row % 2 else "val", row, 0) for row in range(5)),
        *(("s2", "b", "test", row, 1) for row in range(2)),
    )
    proof = prove(windows, files, BY_TIME, 1, LIMITS, HERE)
    checks = {check["check"]: (check["compared"], check["crossing"]) for check in proof["checks"]}
    assert checks == {
        "no sample range in two parts": (7, []),
        "no identical window in two parts": (7, ["s1@1 (train) is s2@0 (test)", "s1@3 (train) is s2@1 (test)"]),
    }


def test_group_set_aside_that_is_elsewhere_too_is_found(noise):
    windows = index(("s1", "a", "train", 0, 0), ("s2", "a", "unseen", 0, 0))
    assert crossing(windows, noise, BY_TIME) == {"no group_id of unseen in another part": ["a"]}


def test_proof_is_the_same_on_two_workers(tmp_path):
    files = store(
        tmp_path, {name: vibration(seed, 4096) for seed, name in enumerate("abc")} | {"d": vibration(0, 4096)}
    )
    windows = whole(files, {"a": "train", "b": "train", "c": "val", "d": "test"}, 512)
    two = Compute(backend="loky", workers=2)
    one, other = (prove(windows, files, BY_GROUP, 512, LIMITS, compute) for compute in (HERE, two))
    assert one == other
    assert not one["holds"]


@pytest.mark.parametrize(
    "values, expected",
    [
        ({"by": "session", "folds": 3}, Promise(("session_id",))),
        ({"by": "group", "folds": 3}, Promise(("session_id", "group_id"))),
        ({"by": "condition", "folds": 3}, Promise(("session_id", "condition"))),
        (
            {
                "by": "time",
                "within": "group",
                "fractions": {"train": 0.5, "val": 0.25, "test": 0.25},
                "gap_s": 0.0101,
            },
            Promise((), "group_id", 11),
        ),
        ({"by": "explicit", "unit": "session", "train": ["a"], "val": ["b"], "test": ["c"]}, Promise(("session_id",))),
        (
            {"by": "random_windows", "honest_folds": 5, "test_sessions": [], "fractions": HALF},
            Promise(("session_id", "group_id")),
        ),
    ],
    ids=lambda value: value["by"] if isinstance(value, dict) else "",
)
def test_each_kind_of_split_is_held_to_its_own_promise(values, expected):
    split = TypeAdapter(Split).validate_python(values | {"duplicates": LIMITS.model_dump()})
    assert promise_of(split, 1000.0) == expected
