"""The arena plan: never an overlap, never far from the least possible."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.errors import OperatorError
from stages.core.plan import Buffer, overlaps, picture, plan, prove


@st.composite
def any_buffers(draw):
    lives = draw(
        st.lists(st.tuples(st.integers(1, 300), st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=14)
    )
    return [Buffer(f"b{i}", size, first, first + length) for i, (size, first, length) in enumerate(lives)]


def chain(sizes):
    """The buffers of a network without branches: each is written in one step and read in the next."""
    lives = [(0, 0), *((i, min(i + 1, len(sizes) - 2)) for i in range(len(sizes) - 1))]
    return [Buffer(f"t{i}", size, *life) for i, (size, life) in enumerate(zip(sizes, lives, strict=True))]


@given(any_buffers(), st.sampled_from([1, 4, 16]))
def test_buffers_alive_together_never_share_a_byte(buffers, alignment):
    result = plan(buffers, alignment)
    assert overlaps(buffers, result.offsets) == []
    assert all(offset % alignment == 0 for offset in result.offsets.values())
    assert all(result.offsets[b.name] + b.n_bytes <= result.arena_bytes for b in buffers)
    assert result.arena_bytes >= result.lower_bound


@given(st.lists(st.integers(1, 5000), min_size=2, max_size=20))
def test_a_chain_takes_the_least_possible(sizes):
    buffers = chain(sizes)
    result = plan(buffers, alignment=1)
    assert result.arena_bytes == result.lower_bound == max(a + b for a, b in itertools.pairwise(sizes))
    assert overlaps(buffers, result.offsets) == []


def test_alignment_costs_a_real_chain_less_than_five_percent():
    result = plan(chain([1024, 2024, 1000, 2000, 976, 1952, 32, 1]))
    assert result.lower_bound == 1024 + 2032
    assert result.arena_bytes <= 1.05 * (1024 + 2024)


def test_a_chain_of_a_few_bytes_is_as_small_as_its_alignment_lets_it_be():
    buffers = chain([12, 48, 32, 16, 4])
    result = plan(buffers)
    prove(buffers, result)
    assert result.arena_bytes == result.lower_bound == 48 + 32


def test_a_wasteful_plan_is_refused():
    buffers = chain([16, 64, 16])
    wasteful = replace(plan(buffers), arena_bytes=96)
    with pytest.raises(OperatorError, match=r"takes 96 bytes, over 1.05 x the lower bound 80"):
        prove(buffers, wasteful)


@given(any_buffers(), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_the_buffers(buffers, random):
    shuffled = buffers.copy()
    random.shuffle(shuffled)
    assert plan(shuffled) == plan(buffers)


@pytest.mark.parametrize(("offset", "clash"), [(0, [("a", "b")]), (9, [("a", "b")]), (10, [])])
def test_the_checker_sees_a_single_shared_byte(offset, clash):
    buffers = [Buffer("a", 10, 0, 1), Buffer("b", 5, 1, 2), Buffer("c", 10, 2, 2)]
    assert overlaps(buffers[:2], {"a": 0, "b": offset}) == clash


def test_the_checker_sees_an_overlap_inside_a_long_life():
    buffers = [Buffer("long", 8, 0, 9), Buffer("short", 8, 4, 4)]
    assert overlaps(buffers, {"long": 0, "short": 4}) == [("long", "short")]


def test_picture_shows_every_buffer_in_its_steps():
    buffers = [Buffer("in", 16, 0, 0), Buffer("out", 48, 0, 1)]
    lines = picture(buffers, plan(buffers), width=8).splitlines()
    assert lines[2:] == ["  0 |AABBBBBB|", "  1 |..BBBBBB|", "arena 64 bytes, lower bound 64"]
