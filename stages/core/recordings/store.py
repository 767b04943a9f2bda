"""One recording from its source to its file: digitised, measured and stored block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stages.core.artifacts import sha256_file
from stages.core.errors import RecordingError
from stages.core.recordings.quality import Meter
from stages.core.recordings.session import SessionMeta, Span, digitise, session_writer
from stages.core.recordings.source import Block, Recording, Source
from stages.core.schema.labels import UNCERTAIN

FOLDER = "sessions"
_LARGEST_PORTION = 2**17


@dataclass(frozen=True)
class Stored:
    """What the data set keeps of a stored session.

    Attributes
    ----------
    session_id, group_id, condition, state : str
    sample_rate_hz : float
    path : str
        Relative to the folder of the data set.
    sha256 : str
    n_samples : int
    labelled_samples : dict of str to int
        By class, and ``uncertain``.
    label : str
        The most severe class of its spans; ``uncertain`` without any.
    level : float
        RMS about the mean, in the session's unit.
    flags : dict of str to float
    absent : str or None
        `Meter.absent`.
    facts : dict of str to str
        What else is known of the recording and must not tell its class.
    """

    session_id: str
    group_id: str
    condition: str
    state: str
    sample_rate_hz: float
    path: str
    sha256: str
    n_samples: int
    labelled_samples: dict[str, int]
    label: str
    level: float
    flags: dict[str, float]
    absent: str | None
    facts: dict[str, str]


def store_session(index: int, source: Source, classes: tuple[str, ...], out: Path) -> Stored:
    """Store recording `index` of a source.

    Parameters
    ----------
    index : int
    source : Source
    classes : tuple of str
        ``labels.classes``.
    out : Path
        Folder of the data set.

    Raises
    ------
    RecordingError
        If the recording cannot be read, or its time stamps or spans do not fit it.
    """
    return store(source[index], classes, out)


def store(recording: Recording, classes: tuple[str, ...], out: Path) -> Stored:
    """Store one recording; see `store_session`."""
    meter = Meter(recording.meta)
    path = Path(FOLDER) / f"{recording.meta.session_id}.parquet"
    with session_writer(out / path, recording.meta.channels, recording.meta.dtype) as writer:
        for block in _portions(recording):
            counts, absent = digitise(block.signal, recording.meta)
            meter.add(counts, absent, block.missing_before, block.time_s)
            writer.add(counts)
        flags = meter.flags()
        spans = _resolve(recording.meta, int(flags["n_samples"]), classes)
        meta = replace(recording.meta, spans=spans, gaps=meter.gaps, flags=flags)
        writer.close(meta)
    labelled = {label: sum(of.stop - of.start for of in spans if of.label == label) for label in (*classes, UNCERTAIN)}
    return Stored(
        session_id=meta.session_id,
        group_id=meta.group_id,
        condition=meta.condition,
        state=meta.state,
        sample_rate_hz=meta.sample_rate_hz,
        path=path.as_posix(),
        sha256=sha256_file(out / path),
        n_samples=int(flags["n_samples"]),
        labelled_samples=labelled,
        label=next((label for label in reversed(classes) if labelled[label]), UNCERTAIN),
        level=meter.level(),
        flags=flags,
        absent=meter.absent,
        facts=_facts(meta),
    )


def _portions(recording: Recording) -> Iterator[Block]:
    """Cut blocks that are longer than they should be, for the copies that are made of them."""
    for block in recording.blocks():
        for start in range(0, max(len(block.signal), 1), _LARGEST_PORTION):
            part = slice(start, start + _LARGEST_PORTION)
            time_s = None if block.time_s is None else block.time_s[part]
            yield Block(block.signal[part], 0 if start else block.missing_before, time_s)


def _resolve(meta: SessionMeta, n_samples: int, classes: tuple[str, ...]) -> tuple[Span, ...]:
    """Let open spans end with the recording, and refuse those that do not fit it."""
    spans = tuple(Span(span.start, n_samples if span.stop == -1 else span.stop, span.label) for span in meta.spans)
    for span in spans:
        if span.label not in (*classes, UNCERTAIN):
            raise RecordingError(
                found=f"a span has the label {span.label!r}",
                where=f"session {meta.session_id}",
                expected=f"one of {', '.join((*classes, UNCERTAIN))}",
                remedy="Correct the label, or labels.classes",
            )
        if not 0 <= span.start <= span.stop <= n_samples:
            raise RecordingError(
                found=f"the span {span.start} .. {span.stop} ({span.label}) is not within its {n_samples} samples",
                where=f"session {meta.session_id}",
                expected="spans in samples, from a start to a later stop, within the recording",
                remedy="Correct the span at the source; mind its unit, samples or seconds",
            )
    return spans


def _facts(meta: SessionMeta) -> dict[str, str]:
    return {
        "sample_rate_hz": f"{meta.sample_rate_hz:g}",
        "channels": ", ".join(meta.channels),
        "unit": meta.unit,
        "counts_per_unit": f"{meta.counts_per_unit:.9g}",
        "device": meta.device,
        "firmware": meta.firmware,
        "mounting": meta.mounting,
        "format": meta.notes.get("format", ""),
    }
