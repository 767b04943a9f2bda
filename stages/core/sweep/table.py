"""The table of a sweep: what each job tried, how it ended, and the figures to choose by."""

from __future__ import annotations

from rich.table import Table

from stages.core.sweep.figures import OBJECTIVES
from stages.core.sweep.pareto import front
from stages.core.sweep.records import Record

_TITLES = {"tpr_at_fpr_1": "TPR at 1 %", "auc": "AUC", "arena_bytes": "arena", "flash_bytes": "flash"}
_FIGURES = ("auc", "tpr_at_fpr_1", *OBJECTIVES)


def as_table(records: list[Record]) -> Table:
    """Lay out jobs as rows, those on the Pareto front marked with a star."""
    chosen = sorted({key for record in records for key in record.chosen if varies(records, key)})
    heads = [key.replace(".", "\n.") for key in chosen]
    table = Table("job", *heads, "outcome", *(_TITLES.get(name, name) for name in _FIGURES), "stages", "s", "key")
    kept = front(records)
    for each in records:
        table.add_row(
            f"{each.number}{'*' if each in kept else ''}",
            *(as_choice(each.chosen.get(key, "")) for key in chosen),
            each.outcome if each.exit_code == 0 else f"{each.outcome} ({each.exit_code})",
            *(as_text(each.figures.get(name)) for name in _FIGURES),
            str(len(each.stages_run)),
            f"{each.seconds:.0f}",
            each.key,
        )
    return table


def varies(records: list[Record], key: str) -> bool:
    """Return whether not all jobs have the same value of a key."""
    return len({str(record.chosen.get(key)) for record in records}) > 1


def as_choice(value: object) -> str:
    """Lay out a value that was tried; what a search proposes has more digits than say anything."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_text(value: float | None) -> str:
    """Lay out a figure."""
    return "" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.4g}"
