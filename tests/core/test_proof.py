"""The proof finds leaks that are planted in an index, whoever made it."""

import numpy as np
import pandas as pd
import pytest

from stages.core.proof import prove

LENGTH = 16


def index(*rows):
    return pd.DataFrame(rows, columns=["session_id", "group_id", "part", "start", "label"])


def read_noise(session_id):
    return np.random.default_rng(int(session_id[1:])).integers(-1000, 1000, (64, 2)).astype(np.int16)


def crossing(windows, read=read_noise):
    proof = prove(windows, ("group_id",), LENGTH, read)
    assert proof["holds"] == (not any(check["crossing"] for check in proof["checks"]))
    return {check["check"]: check["crossing"] for check in proof["checks"] if check["crossing"]}


def test_disjoint_split_holds():
    assert crossing(index(("s1", "a", "train", 0, 0), ("s1", "a", "train", 8, 0), ("s2", "b", "test", 0, 1))) == {}


def test_group_in_two_parts_is_found():
    found = crossing(index(("s1", "a", "train", 0, 0), ("s2", "a", "test", 0, 1)))
    assert found == {"no group_id in two parts": ["a"]}


@pytest.mark.parametrize("start, overlaps", [(15, True), (16, False)])
def test_overlapping_samples_of_one_session_are_found(start, overlaps):
    found = crossing(index(("s1", "a", "train", 0, 0), ("s1", "a", "test", start, 1)))
    assert ("no sample range in two parts" in found) == overlaps


def test_overlap_behind_a_later_window_of_its_own_part_is_found():
    rows = [("s1", "a", "train", 0, 0), ("s1", "a", "test", 20, 0), ("s1", "a", "train", 25, 0)]
    assert crossing(index(*rows))["no sample range in two parts"] == ["s1@25"]


def test_copy_under_another_name_is_found_even_with_an_offset():
    def read(session_id):
        return read_noise("s1") + np.int16(7 if session_id == "s2" else 0)

    found = crossing(index(("s1", "a", "train", 0, 0), ("s2", "b", "test", 0, 1)), read)
    assert list(found) == ["no identical window in two parts"]
