"""What the chain demands: integers equal, float scores within two units in the last place, everything repeatable."""

from __future__ import annotations

import pytest

from stages.core.device.chain import over_budget, prove, prove_formula
from stages.core.errors import ParityBroken
from tests.core.device.answers import answering, expectation
from tests.core.device.boards import load_board

INTEGERS = ["int8", "int8+int32", "int16"]


@pytest.mark.parametrize("precision", [*INTEGERS, "float32"])
def test_a_device_that_computes_the_formula_agrees_in_everything(precision):
    due = expectation(precision)
    agreements, _ = prove(answering(due), due, repeats=2)
    assert [each.name for each in agreements] == [
        "mps3_an547: input codes",
        "mps3_an547: every tensor",
        "mps3_an547: score code",
    ]
    assert [each.different for each in agreements] == [0, 0, 0]


@pytest.mark.parametrize("precision", INTEGERS)
def test_one_lsb_in_an_integer_score_breaks_parity(precision):
    due = expectation(precision)
    with pytest.raises(ParityBroken, match=r"score code: 6 of 6 windows differ by up to 1 LSB.*0 LSB"):
        prove(answering(due, score_offset=1), due, repeats=2)


@pytest.mark.parametrize("offset", [-2, 2])
def test_two_ulp_in_a_float_score_are_agreement_and_are_counted(offset):
    due = expectation("float32")
    scores = prove(answering(due, score_offset=offset), due, repeats=2)[0][2]
    assert (scores.different, scores.max_difference, scores.unit, scores.allowed) == (6, 2, "ulp", 2)


@pytest.mark.parametrize("offset", [-3, 3])
def test_three_ulp_in_a_float_score_break_parity(offset):
    due = expectation("float32")
    with pytest.raises(ParityBroken, match=r"score code: 6 of 6 windows differ by up to 3 ulp.*within 2 ulp"):
        prove(answering(due, score_offset=offset), due, repeats=2)


def test_another_integer_tensor_breaks_parity_and_is_named():
    due = expectation("int16")
    with pytest.raises(ParityBroken, match=r"every tensor: .*first differing tensor is wide: 64 of 64 codes differ"):
        prove(answering(due, tensor_offset=1), due, repeats=2)


def test_another_float_tensor_is_reported_and_not_demanded():
    due = expectation("float32")
    tensors = prove(answering(due, tensor_offset=1), due, repeats=2)[0][1]
    assert (tensors.different, tensors.allowed, tensors.first) == (6, None, None)


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_another_input_breaks_parity_in_every_precision(precision):
    due = expectation(precision)
    with pytest.raises(ParityBroken, match="input codes: 6 of 6 windows differ; the first differing tensor is codes"):
        prove(answering(due, input_offset=1), due, repeats=2)


def test_a_device_that_does_not_repeat_itself_is_refused():
    due = expectation("float32")
    with pytest.raises(ParityBroken, match="6 windows did not repeat themselves in 3 runs"):
        prove(answering(due, mismatches=1), due, repeats=3)


def test_a_write_outside_the_arena_is_refused():
    due = expectation("int8")
    with pytest.raises(ParityBroken, match="the guard words around the arena were overwritten"):
        prove(answering(due, arena_intact=False), due, repeats=2)


def test_a_runtime_that_leaves_the_formula_is_refused():
    due = expectation("int8")
    assert prove_formula(due).different == 0
    altered = type(due)(due.graph, due.samples, due.codes, due.scores + 1)
    with pytest.raises(ParityBroken, match=r"ONNX Runtime: 6 of 6 windows differ by up to 1 LSB"):
        prove_formula(altered)


def used_of(board, **changes):
    """As `measure` has it: everything just within the budget."""
    limit = board.budget.instructions_per_window
    return {
        "flash_bytes": board.budget.flash_bytes,
        "ram_bytes": board.budget.ram_bytes,
        "arena_bytes": board.budget.arena_bytes,
        "stack_bytes": board.budget.stack_bytes,
        "stack_high_water_bytes": board.budget.stack_bytes - 4,
        "instructions": {"preprocess": 1, "model": limit - 1, "operations": {"stem": 7, "head": 2}},
        **changes,
    }


def stream_of(**changes):
    """As `busiest` has it."""
    least = {"most_instructions": {"model": 1}, "most_instructions_per_window": 1, "load": 0.1, "stack_used_bytes": 0}
    return least | changes


def test_what_is_just_within_the_budget_is_not_over():
    board = load_board("mps2_an386")
    assert over_budget(board, used_of(board)) == []


@pytest.mark.parametrize("figure", ["flash_bytes", "ram_bytes", "arena_bytes"])
def test_memory_over_its_budget_is_named_with_the_limit(figure):
    board = load_board("mps2_an386")
    limit = getattr(board.budget, figure)
    assert over_budget(board, used_of(board, **{figure: limit + 1})) == [f"{figure} {limit + 1} (limit {limit})"]
    assert over_budget(load_board("native"), used_of(board, **{figure: limit + 1})) == []


def test_a_stack_that_was_used_to_its_last_byte_is_over_wherever_that_was():
    board = load_board("mps2_an386")
    limit = board.budget.stack_bytes
    stream = stream_of(stack_used_bytes=limit)
    for used in (used_of(board, stack_high_water_bytes=limit), used_of(board, stream=stream)):
        assert over_budget(board, used) == [f"stack_bytes {limit + 1} (limit {limit})"]


def test_a_window_that_is_too_slow_names_the_slowest_stage_and_operation():
    board = load_board("mps2_an386")
    limit = board.budget.instructions_per_window
    counted = {"preprocess": 1, "model": limit, "operations": {"stem": 7, "head": 2}}
    assert over_budget(board, used_of(board, instructions=counted)) == [
        f"instructions_per_window {limit + 1} (limit {limit}), of which {limit} in stage model, 7 of them in stem"
    ]
    most = {"take": 3, "gate": limit, "model": 5}
    stream = stream_of(most_instructions=most, most_instructions_per_window=limit + 8)
    assert over_budget(board, used_of(board, stream=stream)) == [
        f"instructions_per_window {limit + 8} (limit {limit}), of which {limit} in stage gate"
    ]


def test_a_window_that_takes_more_of_a_hop_than_it_may_is_over_however_few_its_instructions():
    board = load_board("mps2_an386")
    assert over_budget(board, used_of(board, stream=stream_of(load=1.2))) == [
        f"load 1.2 (limit {board.budget.load}), of which 1 in stage model, 7 of them in stem"
    ]
