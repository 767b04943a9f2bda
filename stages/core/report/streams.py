"""What streams came to, for a file, a page and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stages.core.artifacts import json_ready, write_json
from stages.core.device.streaming import Streams
from stages.core.report.timeline_figure import save_timelines


def figures_of(streamed: Streams) -> dict[str, dict[str, Any]]:
    """Return the figures of every stream, by board, session and fault."""
    return {
        board: {session: each.figures for session, each in of_board.items()} for board, of_board in streamed.items()
    }


def write_streams(folder: Path, streamed: Streams) -> None:
    """Write ``replay.json``, and ``timeline.png`` of the first board's first session.

    Parameters
    ----------
    folder : Path
    streamed : mapping
        By board and session.
    """
    write_json(folder / "replay.json", json_ready(figures_of(streamed)))
    first = next(iter(next(iter(streamed.values())).values()))
    meta = first.recording.meta
    save_timelines(folder / "timeline.png", first.timelines, meta.spans, meta.sample_rate_hz, first.classes)
