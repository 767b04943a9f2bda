"""Splits keep units whole, hold out what they promise, and refuse what cannot be."""

import pytest

from stages.core.errors import SplitError
from stages.core.partition import Unit, assign
from stages.core.schema.split import GroupSplit, HeldOutSplit


def fleet(machines=10):
    return [
        Unit(f"m{machine}-{index}", f"m{machine}", f"{speed}rpm", state, state != "healthy")
        for machine in range(machines)
        for index, (speed, state) in enumerate([(600, "healthy"), (900, "healthy"), (600, "inner"), (900, "ball")])
    ]


HELD_OUT = HeldOutSplit.model_validate(
    {
        "by": "held_out",
        "conditions": {"val": ["2"], "test": ["3"]},
        "states": {"val": ["b"], "test": ["c"]},
    }
)


def rig():
    return [
        Unit(f"{state}-{condition}", "rig", condition, state, state != "healthy")
        for state in ("healthy", "a", "b", "c")
        for condition in ("1", "2", "3")
    ]


def test_group_split_never_divides_a_group():
    units = fleet()
    parts = assign(units, GroupSplit(by="group", folds=5), seed=3)
    for machine in {unit.group_id for unit in units}:
        assert len({parts[unit.session_id] for unit in units if unit.group_id == machine}) == 1
    sizes = {part: sum(value == part for value in parts.values()) for part in ("train", "val", "test")}
    assert sizes == {"train": 24, "val": 8, "test": 8}


def test_group_split_follows_the_seed():
    split = GroupSplit(by="group", folds=5)
    assert assign(fleet(), split, 1) == assign(fleet(), split, 1)
    assert assign(fleet(), split, 1) != assign(fleet(), split, 2)


def test_group_split_with_too_few_groups_names_them():
    with pytest.raises(SplitError, match=r"2 group\(s\): m0, m1"):
        assign(fleet(2), GroupSplit(by="group", folds=5), 1)


def test_held_out_split_uses_only_sessions_whose_condition_and_state_agree():
    parts = assign(rig(), HELD_OUT, 1)
    assert {name: part for name, part in parts.items() if part} == {
        "healthy-1": "train",
        "healthy-2": "val",
        "healthy-3": "test",
        "a-1": "train",
        "b-2": "val",
        "c-3": "test",
    }


def test_held_out_value_that_no_recording_has_is_named():
    split = HELD_OUT.model_copy(update={"states": HELD_OUT.states.model_copy(update={"test": ("d",)})})
    with pytest.raises(SplitError, match=r"split.states: d in no recording.*a, b, c"):
        assign(rig(), split, 1)


def test_part_without_a_class_is_refused():
    healthy_only_at_1 = [unit for unit in rig() if unit.anomalous or unit.condition == "1"]
    with pytest.raises(SplitError, match="val would have no healthy session"):
        assign(healthy_only_at_1, HELD_OUT, 1)
