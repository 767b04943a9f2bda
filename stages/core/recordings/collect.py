"""All recordings of a source as one data set: stored, judged together, and listed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.artifacts import sha256_json
from stages.core.errors import RecordingError
from stages.core.parallel import map_sessions
from stages.core.recordings.artefacts import Graded, find_artefacts, require_none, require_one_signal
from stages.core.recordings.limits import Finding, derive_limits, judge, require_tolerable
from stages.core.recordings.source import Source
from stages.core.recordings.store import FOLDER, Stored, store_session
from stages.core.schema.compute import Compute
from stages.core.schema.labels import Labels
from stages.core.schema.source import SourceSection

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RAISE_LIMIT = "Raise the limit in capture.quality that excludes them, or repair the recordings"


def store_all(source: Source, labels: Labels, compute: Compute, out: Path) -> Iterator[Stored]:
    """Store every recording of a source, in order.

    Parameters
    ----------
    source : Source
    labels : Labels
    compute : Compute
    out : Path
        Folder of the data set.

    Yields
    ------
    Stored

    Raises
    ------
    RecordingError
        If two recordings have one id, before anything is written; or if one cannot be stored.
    """
    _require_ids([source[index].meta.session_id for index in range(len(source))])
    (out / FOLDER).mkdir()
    store = partial(store_session, source=source, classes=labels.classes, out=out.resolve())
    if not source.live:
        yield from map_sessions(store, range(len(source)), compute)
        return
    index = 0
    # A live source that the user ends gets shorter; a session that came to nothing is not kept.
    while index < len(source):
        stored = store(index)
        if index < len(source):
            yield stored
        else:
            (out / stored.path).unlink()
        index += 1


def _require_ids(ids: list[str]) -> None:
    seen: set[str] = set()
    for session_id in ids:
        unsafe = not _SAFE_ID.fullmatch(session_id)
        if unsafe or session_id in seen:
            raise RecordingError(
                found="the id cannot name a file" if unsafe else "two recordings have this id",
                where=f"session {session_id}",
                expected="a unique id of letters, digits, '.', '_' and '-' for each recording",
                remedy="Rename one of them in the source",
            )
        seen.add(session_id)


def describe(stored: Sequence[Stored], config: SourceSection, labels: Labels, window_length: int) -> dict[str, Any]:
    """Judge the recordings and list them: the content of `dataset.json`.

    The data set's id is the hash of the (path, sha256) list of the sessions that are not excluded.

    Parameters
    ----------
    stored : sequence of Stored
    config : SourceSection
    labels : Labels
    window_length : int
        In samples.

    Raises
    ------
    RecordingError
        If a limit with the action ``error`` is passed, no session is left, the sessions do not mean the same by a
        sample, or something besides the signal tells the classes apart.
    """
    _require_some(stored, "there is no recording", "Give the source something to read")
    bounds = derive_limits([one.flags for one in stored], config.quality, window_length)
    findings = {one.session_id: judge(one.flags, one.absent, bounds, config.quality) for one in stored}
    require_tolerable(findings)
    used = [one for one in stored if _excluding(findings[one.session_id]) is None]
    _require_some(used, f"every one of the {len(stored)} sessions is excluded", _RAISE_LIMIT)
    graded = [Graded(one.label, one.flags, one.facts) for one in used]
    require_one_signal(graded)
    artefacts = find_artefacts(graded, labels.classes, config.artefacts)
    require_none(artefacts)
    return {
        "dataset_id": sha256_json([[one.path, one.sha256] for one in used]),
        "totals": _totals(used, findings),
        "limits": bounds,
        "artefacts": [asdict(artefact) for artefact in artefacts],
        "sessions": [_entry(one, findings[one.session_id]) for one in stored],
    }


def _entry(one: Stored, findings: list[Finding]) -> dict[str, Any]:
    entry = {key: value for key, value in asdict(one).items() if key not in {"absent", "facts"}}
    said = [{key: value for key, value in asdict(of).items() if key not in {"found", "expected"}} for of in findings]
    return {**entry, "findings": said, "excluded": _excluding(findings)}


def _excluding(findings: list[Finding]) -> str | None:
    return "; ".join(finding.found for finding in findings if finding.action == "exclude") or None


def _require_some(sessions: Sequence[Stored], otherwise: str, remedy: str) -> None:
    if not sessions:
        raise RecordingError(
            found=otherwise, where="the recordings", expected="at least one usable session", remedy=remedy
        )


def _totals(used: list[Stored], findings: dict[str, list[Finding]]) -> dict[str, Any]:
    return {
        "sessions": len(used),
        "excluded": len(findings) - len(used),
        "flagged": sum(bool(of) for of in findings.values()),
        "groups": len({one.group_id for one in used}),
        "hours": sum(one.n_samples / one.sample_rate_hz for one in used) / 3600,
        "clipped_fraction": float(np.mean([one.flags["clipped_fraction"] for one in used])),
    }
