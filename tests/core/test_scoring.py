"""Scores and thresholds are the same kind of number in every precision."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.graph.ir import Dtype
from stages.core.graph.order import order_key
from stages.core.graph.reference import FLOAT_HEAD, Head
from stages.core.graph.runtime import run
from stages.core.nets.examples import Examples
from stages.core.scoring import Scored, score, tune, write_scores
from tests.core.graph.networks import PRECISIONS, exported, windows

INT8 = Head("int8", -10, np.float32(0.5).reshape(()))


def examples(n: int) -> Examples:
    codes = np.ascontiguousarray(windows(n, 2, 128).transpose(0, 2, 1))
    return Examples(codes, (np.arange(n) % 3).astype(np.int8), 2)


def scored(codes: list[int], head: Head = INT8) -> Scored:
    column = np.array(codes, dtype=np.int32)[:, None]
    return Scored(head.real(column), column, head)


def next_above(below: np.ndarray, of_class: np.ndarray) -> float:
    return float(np.nextafter(below.max(), np.inf))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_gives_logits_and_their_int32_codes(precision: str) -> None:
    n = 150  # more than two blocks of windows
    found = score(exported(precision), examples(n))
    assert (found.logits.shape, found.logits.dtype) == ((n, 2), np.float64)
    assert (found.codes.shape, found.codes.dtype) == ((n, 2), np.int32)
    by_ort = run(exported(precision), windows(n, 2, 128), ["score"])["score"]
    close = 1e-3 * np.abs(by_ort).max()
    np.testing.assert_allclose(found.logits, by_ort, rtol=0, atol=0 if precision in ("int8", "int32 head") else close)
    np.testing.assert_array_equal(found.head.real(found.codes), found.logits)
    assert len(np.unique(found.codes[:, 0])) > 20


def test_int8_codes_are_the_output_codes() -> None:
    codes = run(exported("int8"), windows(30, 2, 128), ["score_code"])["score_code"]
    np.testing.assert_array_equal(score(exported("int8"), examples(30)).codes, codes)


def test_float_codes_are_order_keys() -> None:
    found = score(exported("float"), examples(30))
    np.testing.assert_array_equal(found.codes, order_key(found.logits.astype(np.float32)))


def test_threshold_is_the_code_that_the_objective_chose_and_its_logit() -> None:
    targets = np.array([[0], [0], [1], [1]], dtype=np.int8)
    (found,) = tune(scored([-50, 20, 30, 90]), targets, [next_above])
    assert (found.code, found.logit) == (21, 15.5)  # (21 + 10) / 2


def test_objective_sees_logits_below_the_class_and_of_it() -> None:
    seen: list[tuple[list[float], list[float]]] = []

    def choose(below: np.ndarray, of_class: np.ndarray) -> float:
        seen.append((below.tolist(), of_class.tolist()))
        return 0

    both = Scored(np.array([[1.0, 4], [2, 5], [3, 6]]), np.zeros((3, 2), dtype=np.int32), INT8)
    tune(both, np.array([[0, 0], [1, 0], [1, 1]], dtype=np.int8), [choose, choose])
    assert seen == [([1], [2, 3]), ([4, 5], [6])]


@pytest.mark.parametrize(
    ("dtype", "never"),
    [("int8", 128), ("int16", 32768), ("int32", 2**31 - 1), ("float32", 0x7F7FFFFF)],
)
def test_objective_that_no_score_meets_flags_nothing(dtype: Dtype, never: int) -> None:
    head = FLOAT_HEAD if dtype == "float32" else Head(dtype, 0, np.float32(0.5).reshape(()))
    (found,) = tune(scored([1, 2], head), np.array([[0], [1]], dtype=np.int8), [lambda below, of_class: np.inf])
    assert found.code == never
    assert found.logit == (np.finfo(np.float32).max if dtype == "float32" else float(np.float32(never) / 2))


def test_healthy_window_at_the_largest_code_flags_nothing() -> None:
    (found,) = tune(scored([127, 3]), np.array([[0], [1]], dtype=np.int8), [next_above])
    assert found.code == 128


def test_threshold_between_two_codes_is_taken_up() -> None:
    (found,) = tune(scored([1, 9]), np.array([[0], [1]], dtype=np.int8), [lambda below, of_class: 7.2])
    assert (found.code, found.logit) == (5, 7.5)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
@given(logit=st.floats(-1e9, 1e9), zero_point=st.integers(-100, 100), multiplier=st.floats(2**-20, 128, width=32))
def test_code_at_least_a_logit_is_the_smallest(dtype: Dtype, logit: float, zero_point: int, multiplier: float) -> None:
    head = FLOAT_HEAD if dtype == "float32" else Head(dtype, zero_point, np.float32(multiplier).reshape(()))
    (code,) = head.at_least(np.array([logit]))
    assert head.lowest <= code <= head.never
    assert code == head.never or head.real(code) >= logit
    assert code == head.lowest or head.real(code - 1) < logit


def test_float_threshold_above_a_score_is_the_next_float() -> None:
    keys = order_key(np.array([-0.25, 3.0], dtype=np.float32)).tolist()
    (found,) = tune(scored(keys, FLOAT_HEAD), np.array([[0], [1]], dtype=np.int8), [next_above])
    assert np.float32(found.logit) == np.nextafter(np.float32(-0.25), np.float32(1))


def test_each_output_of_an_int32_head_has_its_own_multiplier() -> None:
    head = Head("int32", 0, np.array([0.5, 0.25], dtype=np.float32))
    codes = np.array([[10, 10], [20, 20]], dtype=np.int32)
    found = tune(Scored(head.real(codes), codes, head), np.array([[0, 0], [1, 1]], dtype=np.int8), [next_above] * 2)
    assert [(each.code, each.logit) for each in found] == [(11, 5.5), (11, 2.75)]


def test_columns_hold_logit_and_code_of_each_output(tmp_path: Path) -> None:
    codes = np.array([[1, 2], [3, 4]], dtype=np.int32)
    windows = pd.DataFrame({"label": np.array([0, 1], np.int8)})
    write_scores(tmp_path / "scores.parquet", windows, {"qat": Scored(codes / 2, codes)}, ["worn", "broken"])
    columns = pd.read_parquet(tmp_path / "scores.parquet")
    assert {name: column.tolist() for name, column in columns.items()} == {
        "label": [0, 1],
        "qat_worn": [0.5, 1.5],
        "qat_worn_code": [1, 3],
        "qat_broken": [1.0, 2.0],
        "qat_broken_code": [2, 4],
    }
    assert columns["qat_worn_code"].dtype == np.int32
