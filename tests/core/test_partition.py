"""Splits keep units whole, keep past and future apart, hold out what they promise, and refuse what cannot be."""

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from stages.core.errors import SplitError
from stages.core.partition import assign, timeline
from stages.core.schema.split import Split

COLUMNS = ["session_id", "group_id", "condition", "state", "start", "label"]
LENGTH, HOP, RATE_HZ = 100, 50, 100.0
SESSION_SAMPLES = 1000
CLASSES = ("normal", "impact")


def split_of(by, **values):
    duplicates = {"max_correlation": 0.8, "landmarks": 8, "max_proposals": 10}
    return TypeAdapter(Split).validate_python({"by": by, "duplicates": duplicates, **values})


def session(name, group, condition="c", state="normal", labels=(0,)):
    """Windows over a whole session; labels in turn."""
    starts = range(0, SESSION_SAMPLES - LENGTH + 1, HOP)
    return [(name, group, condition, state, start, labels[k % len(labels)]) for k, start in enumerate(starts)]


def index(*sessions):
    return pd.DataFrame([row for rows in sessions for row in rows], columns=COLUMNS)


def place(windows, split, seed=1, classes=CLASSES):
    lengths = dict.fromkeys(windows["session_id"], SESSION_SAMPLES)
    return assign(windows, split, lengths, window_length=LENGTH, sample_rate_hz=RATE_HZ, classes=classes, seed=seed)


def parts_by(windows, column):
    return {name: set(rows) for name, rows in windows.groupby(column)["part"]}


def fleet(machines=10):
    kinds = [("600rpm", "normal", 0), ("900rpm", "normal", 0), ("600rpm", "inner", 1), ("900rpm", "ball", 1)]
    return index(
        *(
            session(f"m{machine}-{k}", f"m{machine}", condition, state, (label,))
            for machine in range(machines)
            for k, (condition, state, label) in enumerate(kinds)
        )
    )


HELD_OUT = {"conditions": {"val": ["2"], "test": ["3"]}, "states": {"val": ["b"], "test": ["c"]}}
THIRDS = {"train": 0.6, "val": 0.2, "test": 0.2}


def rig(states=("normal", "a", "b", "c")):
    return index(
        *(
            session(f"{state}-{condition}", "rig", condition, state, (int(state != "normal"),))
            for state in states
            for condition in ("1", "2", "3")
        )
    )


@pytest.mark.parametrize("by, column", [("group", "group_id"), ("session", "session_id")])
def test_unit_split_never_divides_a_unit(by, column):
    parts = parts_by(place(fleet(), split_of(by, folds=5), seed=3), column)
    assert all(len(where) == 1 for where in parts.values())
    sizes = {part: sum(where == {part} for where in parts.values()) for part in ("train", "val", "test")}
    units = len(parts)
    assert sizes == {"train": units * 3 // 5, "val": units // 5, "test": units // 5}


def test_condition_split_never_divides_a_condition():
    conditions = [f"{speed}rpm" for speed in range(6)]
    windows = index(
        *(session(f"{c}-{label}-{m}", m, c, "x", (label,)) for c in conditions for label in (0, 1) for m in "ab")
    )
    parts = parts_by(place(windows, split_of("condition", folds=3)), "condition")
    assert sorted(map(tuple, parts.values())) == [("test",)] * 2 + [("train",)] * 2 + [("val",)] * 2


def test_unit_split_follows_the_seed():
    split = split_of("group", folds=5)
    assert place(fleet(), split, 1).equals(place(fleet(), split, 1))
    assert not place(fleet(), split, 1).equals(place(fleet(), split, 2))


def test_rows_come_part_by_part_in_the_order_of_session_and_start():
    placed = place(fleet().sample(frac=1, random_state=0), split_of("group", folds=5))
    keys = [(("train", "val", "test").index(row.part), row.session_id, row.start) for row in placed.itertuples()]
    assert keys == sorted(keys)
    assert len(placed) == len(fleet())


def test_too_few_groups_names_the_groups_of_each_class():
    windows = index(session("s1", "m1", labels=(0,)), session("s2", "m1", labels=(1,)), session("s3", "m2"))
    with pytest.raises(SplitError, match=r"normal in m1, m2; impact in m1\. Expected at least 5"):
        place(windows, split_of("group", folds=5))


def test_class_in_too_few_groups_says_where_each_class_is():
    windows = index(*(session(f"s{k}", f"m{k}", labels=(0, 1) if k < 2 else (0,)) for k in range(6)))
    with pytest.raises(SplitError, match=r"would have no impact window") as error:
        place(windows, split_of("group", folds=3))
    assert "normal in m0 (" in str(error.value)
    assert error.value.expected.rpartition("impact in ")[2].count("m") == 2


def test_fold_that_has_every_class_is_chosen_where_there_is_one():
    """Three classes, the rarest in three of nine groups: every seed has to find a division."""
    kinds = [(0,), (0, 1), (0, 1, 2)] * 3
    windows = index(*(session(f"s{k}", f"m{k}", labels=labels) for k, labels in enumerate(kinds)))
    for seed in range(10):
        placed = place(windows, split_of("group", folds=3), seed, ("normal", "handling", "impact"))
        assert placed.groupby("part")["label"].nunique().to_dict() == {"train": 3, "val": 3, "test": 3}


def test_session_of_several_classes_stays_whole():
    windows = index(*(session(f"s{k}", f"m{k}", labels=(0, 0, 1)) for k in range(6)))
    assert all(
        len(where) == 1 for where in parts_by(place(windows, split_of("session", folds=3)), "session_id").values()
    )


def test_held_out_split_uses_only_sessions_whose_condition_and_state_agree():
    placed = place(rig(), split_of("held_out", **HELD_OUT))
    assert {name: where.pop() for name, where in parts_by(placed, "session_id").items()} == {
        "normal-1": "train",
        "normal-2": "val",
        "normal-3": "test",
        "a-1": "train",
        "b-2": "val",
        "c-3": "test",
    }


def test_held_out_value_that_no_recording_has_is_named():
    split = split_of("held_out", **{**HELD_OUT, "states": {"val": ["b"], "test": ["d"]}})
    with pytest.raises(SplitError, match=r"split.states: d in no recording.*a, b, c"):
        place(rig(), split)


def test_part_without_a_class_is_refused():
    windows = rig()
    normal_only_at_1 = windows[(windows["label"] == 1) | (windows["condition"] == "1")]
    with pytest.raises(SplitError, match=r"val would have no normal window.*normal in rig \(train\)"):
        place(normal_only_at_1, split_of("held_out", **HELD_OUT))


def test_explicit_split_takes_what_is_named_and_leaves_out_the_rest():
    split = split_of("explicit", unit="group", train=["m0", "m4"], val=["m1"], test=["m2"])
    parts = parts_by(place(fleet(5), split), "group_id")
    assert parts == {"m0": {"train"}, "m4": {"train"}, "m1": {"val"}, "m2": {"test"}}


@pytest.mark.parametrize(
    "test, message", [("m9", "m9 in no recording"), ("m1", "m1 named twice")], ids=["unknown", "twice"]
)
def test_explicit_split_with_a_wrong_name_is_refused(test, message):
    with pytest.raises(SplitError, match=message):
        place(fleet(5), split_of("explicit", unit="group", train=["m0"], val=["m1"], test=[test]))


def test_time_split_trains_on_the_past_and_leaves_gaps():
    windows = index(session("s1", "m1", labels=(0, 1)))
    placed = place(windows, split_of("time", within="session", fractions=THIRDS, gap_s=0.5))
    starts = {part: rows.tolist() for part, rows in placed.groupby("part")["start"]}
    # 1000 samples: train up to 600; val from 600 + 50 up to 800; test from 800 + 50.
    assert starts == {"train": list(range(0, 501, 50)), "val": [650, 700], "test": [850, 900]}


def test_time_split_within_a_group_cuts_between_its_sessions():
    windows = index(*(session(f"s{k}", "m1", labels=(0, 1)) for k in range(5)))
    parts = parts_by(place(windows, split_of("time", within="group", fractions=THIRDS, gap_s=0.0)), "session_id")
    assert parts == {"s0": {"train"}, "s1": {"train"}, "s2": {"train"}, "s3": {"val"}, "s4": {"test"}}


def test_timeline_counts_on_from_session_to_session_of_a_group():
    windows = index(session("b", "m1"), session("a", "m1"), session("c", "m2"))
    starts, totals = timeline(windows, "group_id", {"a": 3000, "b": 1000, "c": 1000})
    expected = windows["start"] + windows["session_id"].map({"a": 0, "b": 3000, "c": 0})
    assert starts.tolist() == expected.tolist()
    assert dict(zip(windows["session_id"], totals, strict=True)) == {"a": 4000, "b": 4000, "c": 1000}


def test_time_split_of_a_run_to_failure_says_where_the_classes_are():
    windows = index(*(session(f"s{k}", f"m{k}", labels=(0,) * 15 + (1,) * 4) for k in range(3)))
    with pytest.raises(SplitError, match=r"train would have no impact window.*impact in m0 \(test\)"):
        place(windows, split_of("time", within="session", fractions=THIRDS, gap_s=0.5))


def test_fractions_that_do_not_add_up_are_refused():
    with pytest.raises(ValidationError, match=r"add up to 0\.9"):
        split_of("time", within="session", fractions={**THIRDS, "test": 0.1}, gap_s=0.0)


RANDOM = {"fractions": THIRDS, "honest_folds": 5, "test_sessions": []}


def test_random_windows_sets_whole_groups_aside_and_scatters_the_others():
    placed = place(fleet(), split_of("random_windows", **RANDOM))
    parts = parts_by(placed, "group_id")
    aside = [name for name, where in parts.items() if where == {"unseen"}]
    assert len(aside) == 2
    assert all(where == {"train", "val", "test"} for name, where in parts.items() if name not in aside)
    counts = placed.groupby(["part", "label"]).size()
    of_class = 8 * 2 * 19  # groups, sessions of each class, windows
    shares = {part: round(counts[part, 1] / of_class, 2) for part in ("train", "val", "test")}
    assert shares == THIRDS
    assert split_of("random_windows", **RANDOM).leaky


def test_random_windows_of_one_group_set_nothing_aside():
    placed = place(index(session("s1", "m1", labels=(0, 1))), split_of("random_windows", **RANDOM))
    assert set(placed["part"]) == {"train", "val", "test"}


def test_rows_of_named_sessions_are_test_and_the_others_train_and_val():
    windows = index(session("s1", "m1", labels=(0, 1)), session("s2", "m2", labels=(0, 1)))
    placed = place(windows, split_of("random_windows", **{**RANDOM, "test_sessions": ["s2"]}))
    assert set(placed.loc[placed["session_id"] == "s2", "part"]) == {"test"}
    assert len(placed) == len(windows)
    rest = placed[placed["session_id"] == "s1"]
    for label, members in rest.groupby("label"):
        share = THIRDS["train"] / (THIRDS["train"] + THIRDS["val"])
        assert (members["part"] == "train").sum() == round(share * len(members)), label
        assert set(members["part"]) == {"train", "val"}


def test_session_named_for_test_that_is_not_there_is_refused():
    split = split_of("random_windows", **{**RANDOM, "test_sessions": ["s9"]})
    with pytest.raises(
        SplitError, match=r"split.test_sessions: s9 in no recording. Expected the list to name some of s1"
    ):
        place(index(session("s1", "m1", labels=(0, 1))), split)


def test_random_windows_follow_the_seed():
    first, again, other = (place(fleet(), split_of("random_windows", **RANDOM), seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not np.array_equal(first["start"], other["start"])
