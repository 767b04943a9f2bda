import numpy as np
import pytest

from stages.core.errors import ArtifactError
from stages.core.sweep.pareto import best, draw, front, undominated
from stages.core.sweep.records import Record


def record(number, separation, arena, flash=100.0, instructions=None, exit_code=0):
    figures = {"separation": separation, "arena_bytes": arena, "flash_bytes": flash, "instructions": instructions}
    return Record(f"k{number}", number, {}, {}, exit_code, [], figures, 1.0, None)


def test_undominated_rows_are_those_that_a_comparison_of_all_pairs_leaves():
    costs = np.random.Generator(np.random.PCG64(3)).integers(0, 5, size=(60, 3)).astype(float)
    expected = [
        not any(
            all(b <= a for a, b in zip(row, other, strict=True)) and any(b < a for a, b in zip(row, other, strict=True))
            for other in costs
        )
        for row in costs
    ]
    assert undominated(costs).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_equal_jobs_are_both_on_the_front():
    assert undominated(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [True, True, False]


def test_front_maximises_separation_and_minimises_costs():
    records = [record(0, 2.0, 500), record(1, 1.0, 400), record(2, 1.5, 600), record(3, 0.5, 400)]
    assert [each.number for each in front(records)] == [0, 1]


def test_jobs_that_the_gate_refused_are_not_on_the_front():
    assert [each.number for each in front([record(0, 9.0, 1, exit_code=3), record(1, 1.0, 400)])] == [1]


def test_a_sweep_without_a_release_has_no_front_and_no_best():
    assert front([record(0, 1.0, 400, exit_code=3)]) == []
    with pytest.raises(ArtifactError, match="no job of this sweep came to a release"):
        best([record(0, 1.0, 400, exit_code=3)])


def test_the_best_has_the_largest_separation_and_of_several_the_smallest_arena():
    assert best([record(0, 2.0, 500, 90.0), record(1, 2.0, 400, 95.0), record(2, 1.0, 300)]).number == 1


@pytest.mark.parametrize(
    "records", [[record(0, 2.0, 500), record(1, 1.0, 400, instructions=7.0)], [record(0, 1.0, 4, exit_code=3)]]
)
def test_the_plot_is_a_picture_and_the_same_each_time(tmp_path, records):
    for name in ("a.png", "b.png"):
        draw(records, tmp_path / name)
    first = (tmp_path / "a.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert first == (tmp_path / "b.png").read_bytes()
