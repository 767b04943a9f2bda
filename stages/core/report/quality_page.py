"""The page of a data set: its quality flags, per class, and what a session of each class looks like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.evenly import evenly
from stages.core.recordings.session import SessionFile
from stages.core.recordings.windows import label_windows
from stages.core.report.quality_figures import FlagValues, Portrait, save_flags, save_signals
from stages.core.schema.labels import UNCERTAIN, Labels
from stages.core.schema.window import Window
from stages.core.templates import environment

_POINTS = 1200
_WINDOWS = 256
_LISTED = 40
#: What a flag or fact measures that says nothing of the class.
_NOTHING = {"auc": 0.5, "association": 0.0}


def write_quality_page(out: Path, dataset: dict[str, Any], window: Window, labels: Labels) -> list[Path]:
    """Write `report.md` and its pictures beside the data set's sessions.

    Parameters
    ----------
    out : Path
        Folder of the data set.
    dataset : dict
        The content of `dataset.json`.
    window : Window
    labels : Labels

    Returns
    -------
    list of Path
        The pictures.
    """
    used = [entry for entry in dataset["sessions"] if entry["excluded"] is None]
    names = [*labels.classes, *([UNCERTAIN] if any(entry["label"] == UNCERTAIN for entry in used) else [])]
    chosen = {label: _representative(used, label) for label in labels.classes}
    portraits = [portrait(out, entry, label, window, labels) for label, entry in chosen.items() if entry is not None]
    flags = _varying(dataset, names)
    pictures = []
    if portraits:
        save_signals(out / "signals.png", portraits, labels.classes)
        pictures.append(out / "signals.png")
    if flags:
        save_flags(out / "flags.png", flags, names)
        pictures.append(out / "flags.png")
    templates = environment(__package__)
    templates.filters["short"] = short
    page = templates.get_template("quality.md.j2").render(
        dataset=dataset,
        names=names,
        per_class=_per_class(used, dataset["limits"], names),
        constant=[flag for flag in dataset["limits"] if flag not in {values.name for values in flags}],
        findings=_findings(dataset["sessions"]),
        listed=_LISTED,
        least=_NOTHING,
        pictures=[path.name for path in pictures],
    )
    (out / "report.md").write_text(page, encoding="utf-8")
    return pictures


def _representative(used: Sequence[dict[str, Any]], label: str) -> dict[str, Any] | None:
    """Return the session of median level among those of a class, or among those with some of it."""
    own = [entry for entry in used if entry["label"] == label]
    some = own or [entry for entry in used if entry["labelled_samples"][label]]
    some.sort(key=lambda entry: (entry["level"], entry["session_id"]))
    return some[len(some) // 2] if some else None


def portrait(out: Path, entry: dict[str, Any], label: str, window: Window, labels: Labels) -> Portrait:
    """Read what is drawn of one session, block by block.

    Parameters
    ----------
    out : Path
    entry : dict
        The session's entry in `dataset.json`.
    label : str
        The class that it stands for.
    window : Window
    labels : Labels
    """
    file = SessionFile(out / entry["path"])
    meta = file.meta
    starts, classes = label_windows(meta.spans, meta.gaps, file.n_samples, window, labels)
    own = starts[classes == labels.classes.index(label)]
    few = evenly(own, _WINDOWS)
    windows = np.zeros((len(few), window.length, len(meta.channels)))
    for positions, counts in file.window_blocks(few, window.length):
        windows[positions] = counts
    return Portrait(
        label=label,
        session_id=meta.session_id,
        unit=meta.unit,
        channels=meta.channels,
        sample_rate_hz=meta.sample_rate_hz,
        duration_s=file.n_samples / meta.sample_rate_hz,
        envelope=envelope(file, _POINTS) / meta.counts_per_unit,
        spans_s=[
            (span.start / meta.sample_rate_hz, span.stop / meta.sample_rate_hz)
            for span in meta.spans
            if span.label == label
        ],
        windows=windows / meta.counts_per_unit,
    )


def envelope(file: SessionFile, points: int) -> NDArray[np.float64]:
    """Find the smallest and largest count in each of at most `points` equal pieces of a session.

    Parameters
    ----------
    file : SessionFile
    points : int

    Returns
    -------
    ndarray of float64, shape (2, pieces, channels)
        The last piece may be shorter.
    """
    width = max(1, -(-file.n_samples // points))
    pieces = -(-file.n_samples // width)
    low = np.full((pieces, len(file.meta.channels)), np.inf)
    high = -low
    offset = 0
    for block in file.blocks():
        first, last = offset // width, (offset + len(block) - 1) // width
        cuts = np.maximum(np.arange(first, last + 1) * width - offset, 0)
        low[first : last + 1] = np.minimum(low[first : last + 1], np.minimum.reduceat(block, cuts))
        high[first : last + 1] = np.maximum(high[first : last + 1], np.maximum.reduceat(block, cuts))
        offset += len(block)
    return np.stack([low, high])


def _varying(dataset: dict[str, Any], names: list[str]) -> list[FlagValues]:
    """Collect the flags that are not the same in all sessions, of the sessions whose class is drawn."""
    entries = [entry for entry in dataset["sessions"] if entry["label"] in names]
    classes = np.array([names.index(entry["label"]) for entry in entries])
    excluded = np.array([entry["excluded"] is not None for entry in entries])
    values = {flag: np.array([entry["flags"][flag] for entry in entries]) for flag in dataset["limits"]}
    return [
        FlagValues(flag, limit, values[flag], classes, excluded)
        for flag, limit in dataset["limits"].items()
        if len(set(values[flag].tolist())) > 1
    ]


def _per_class(used: Sequence[dict[str, Any]], limits: dict[str, float], names: list[str]) -> dict[str, list[str]]:
    """Median and range of each flag per class, to be read."""
    rows: dict[str, list[str]] = {}
    for flag in limits:
        rows[flag] = []
        for name in names:
            values = [entry["flags"][flag] for entry in used if entry["label"] == name]
            middle = short(float(np.median(values))) if values else "-"
            of = f"{middle} ({short(min(values))} .. {short(max(values))})" if values else "-"
            rows[flag].append(of)
    return rows


def short(value: float) -> str:
    """Format a number to four digits, a whole one in full."""
    return f"{value:.0f}" if value == round(value) else f"{value:.4g}"


def _findings(entries: Sequence[dict[str, Any]]) -> list[tuple[str, str, float, float, str]]:
    return [
        (entry["session_id"], finding["flag"], finding["value"], finding["limit"], finding["action"])
        for entry in entries
        for finding in entry["findings"]
    ]
