"""The overview as one screen of a terminal, the verdict first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stages.core.report.overview.facts import Overview, Use, tightest

_BAR = 12
_NEARLY = 0.9


def render_screen(overview: Overview) -> RenderableType:
    """Return what ships, why, what it can do, what it changed and what it costs, for a `rich` console."""
    return Group(*_verdict(overview), Text(), _detection(overview), Text(), _costs(overview))


def _verdict(overview: Overview) -> list[Text]:
    rows, ladder = overview.gate["rungs"][overview.ships], ", ".join(overview.gate["ladder"])
    lines = [Text.assemble((" PASSED THE GATE ", "bold white on green"), (f" {overview.ships} ships", "bold"))]
    lines.append(Text(f"It holds all {len(rows)} limits on val, the first of {ladder} that does."))
    if closest := tightest(rows):
        lines.append(Text(f"Closest to its limit: {closest['metric']} {closest['value']:.3g}, {_limit(closest)}."))
    for rung, broken in overview.refused.items():
        why = overview.gate["missing"].get(rung) or ", ".join(f"{row['metric']} of {row['output']}" for row in broken)
        lines.append(Text(f"Refused: {rung}, {why}.", "yellow"))
    if overview.leaky:
        lines.append(
            Text("The split is LEAKY, by request: the test part says nothing of units never seen.", "bold red")
        )
    if overview.simulated:
        lines.append(Text("The recordings are simulated.", "yellow"))
    return lines


def _limit(row: Mapping[str, Any]) -> str:
    ends = (("at least", row["minimum"]), ("at most", row["maximum"]))
    return "allowed " + " and ".join(f"{words} {end:g}" for words, end in ends if end is not None)


def _detection(overview: Overview) -> Table:
    table = _table("test, at its threshold", "model", "AUC", "caught", "false alarms")
    for name in dict.fromkeys(("float", overview.ships)):
        for output in overview.outputs:
            row = overview.metrics["test"][name][output]
            figures = (f"{row[key]:.{digits}%}" for key, digits in (("tpr_at_threshold", 1), ("fpr_at_threshold", 2)))
            style = "bold" if name == overview.ships else ""
            table.add_row(output.replace("_", " "), name, f"{row['auc']:.4f}", *figures, style=style)
    return table


def _costs(overview: Overview) -> Table:
    table = _table("costs", "used", "limit", "", "")
    for board in overview.budgeted:
        for use in overview.uses(board):
            form = ".1%" if use.is_part else ",.0f"
            table.add_row(f"{board}: {use.what}", f"{use.used:{form}}", f"{use.limit:{form}}", *_bar(use))
    return table


def _bar(use: Use) -> tuple[Text, str]:
    filled = min(_BAR, round(_BAR * use.share))
    colour = "yellow" if use.share > _NEARLY else "green"
    return Text.assemble(("█" * filled, colour), ("░" * (_BAR - filled), "dim")), f"{use.share:.0%}"


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in others:
        table.add_column(name, justify="right")
    return table
