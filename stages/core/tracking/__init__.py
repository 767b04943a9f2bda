"""The record of what ran: an MLflow run per executed stage, findable by the hash of what it made.

Tracking never changes an artifact and never fails a stage: what goes wrong here becomes one warning, and the record
waits on disk until it can be sent.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from stages.core.artifacts import sha256_file
from stages.core.manifest import files_under
from stages.core.tracking import origin, spool
from stages.core.tracking.delivery import try_to_deliver
from stages.core.tracking.record import StageRecord, bounded, key_of, shortened
from stages.core.tracking.store import is_kept

__all__ = ["Run", "track"]

#: What MLflow shows, and not only lists by its hash.
_SHOWN = {".json", ".png", ".html"}
_SHOWN_BYTES = 4 << 20
_MOST_FILES = 5000
_LONGEST_ERROR = 2000


class Run:
    """Collects what a stage says about itself."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = dict(params)
        self._metrics: list[tuple[str, float, int, int]] = []
        self._headline: dict[str, float] = {}
        self._hashes: dict[str, str] = {}

    def params(self, values: Mapping[str, Any]) -> None:
        """Record what the stage was told by other files than its configuration."""
        self._params |= values

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers, at a step (an epoch) where there are several of each."""
        now = _now_ms()
        self._metrics += [(key_of(key), float(value), now, step) for key, value in values.items()]

    def headline(self, values: Mapping[str, float]) -> None:
        """Record numbers that the pipeline as a whole is judged by."""
        self.metrics(values)
        self._headline |= {key_of(key): float(value) for key, value in values.items()}

    def hashes(self, values: Mapping[str, str]) -> None:
        """Record hashes inside of the outputs, by name, so that what carries them leads back to this run."""
        self._hashes |= values

    def ended(self, stage: str, start_ms: int, error: BaseException | None, outputs: Mapping[str, str]) -> StageRecord:
        """Return the record of the stage, which ends now."""
        params, cut = bounded(self._params)
        end_ms = _now_ms()
        return StageRecord(
            id=spool.new_id(stage, end_ms),
            stage=stage,
            task=origin.params().get("task"),
            commit=origin.commit(),
            start_ms=start_ms,
            end_ms=end_ms,
            error=None if error is None else shortened(str(error) or type(error).__name__, _LONGEST_ERROR),
            pipeline=origin.pipeline(),
            params=params,
            cut=cut,
            metrics=self._metrics,
            headline=self._headline,
            outputs=dict(outputs),
            hashes=self._hashes,
        )


@contextmanager
def track(stage: str, params: Mapping[str, Any], *outs: Path) -> Iterator[Run]:
    """Keep a record of one stage; of one that fails too, whose error goes on.

    Parameters
    ----------
    stage : str
    params : mapping
        The configuration sections that the stage reads; nested keys are joined by dots.
    *outs : Path
        The files and folders that the stage makes. Every file of them is recorded by its SHA-256, a picture, page or
        JSON of up to 4 MiB also by its content.

    Yields
    ------
    Run
    """
    run = Run(params)
    if not is_kept():
        yield run
        return
    start_ms = origin.began_ms(stage)
    try:
        yield run
    except BaseException as error:
        _keep(run, stage, start_ms, error, outs)
        raise
    _keep(run, stage, start_ms, None, outs)


def _keep(run: Run, stage: str, start_ms: int, error: BaseException | None, outs: Sequence[Path]) -> None:
    try:
        outs = [out for out in outs if error is None or _is_since(out, start_ms)]
        files = list(islice((file for out in outs for file in files_under(out)), _MOST_FILES))
        record = run.ended(stage, start_ms, error, {_name(file): sha256_file(file) for file in files})
        spool.put(record, _shown(outs))
        told = {"pipeline": record.pipeline and record.pipeline.id, "status": record.status}
        spool.write_last(stage, {"stage": stage, "start_ms": start_ms, "end_ms": record.end_ms, **told})
    except Exception as failure:
        warnings.warn(f"tracking: {stage} was not recorded ({type(failure).__name__}: {failure})", stacklevel=4)
        return
    # Who interrupts a stage does not want to wait, and a sweep sends what its jobs left.
    if not origin.in_a_sweep() and (error is None or isinstance(error, Exception)):
        try_to_deliver()


def _is_since(out: Path, start_ms: int) -> bool:
    """Return whether an output is of this run, as where a gate refuses what was made, and not left from another."""
    return out.exists() and any(file.stat().st_mtime * 1000 >= start_ms for file in files_under(out))


def _name(file: Path) -> str:
    """Return a file's path in the workspace, if it lies there."""
    path = file.resolve()
    return (path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path).as_posix()


def _shown(outs: Sequence[Path]) -> dict[str, Path]:
    """Return the files that MLflow shows, by where it shows them."""
    return {
        file.relative_to(out.parent).as_posix(): file
        for out in outs
        for file in islice(files_under(out), _MOST_FILES)
        if file.suffix in _SHOWN and file.stat().st_size <= _SHOWN_BYTES
    }


def _now_ms() -> int:
    return int(time.time() * 1000)
