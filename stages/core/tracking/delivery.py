"""Sends what waits in the spool, each record once however often it is interrupted."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from stages.core.tracking import spool
from stages.core.tracking.record import Pipeline, ReleaseRecord, StageRecord, shortened
from stages.core.tracking.store import address, connect, experiment, is_kept, reason

T = TypeVar("T")
#: Prefixes of tags whose keys end in a hash, as filters need to know a key: of an output file, and of what is in one.
SHA256, HASH = "sha256.", "hash."
PARENT = "mlflow.parentRunId"
_RECORD, _PIPELINE, _SWEEP = "tailgate.record", "tailgate.pipeline", "tailgate.sweep"
#: What MLflow takes in one request.
_TAGS_AT_ONCE = 100
_METRICS_AT_ONCE = 1000
#: The status of a request that would be refused every time.
_REFUSED = 400


def try_to_deliver() -> None:
    """Send what waits; if that fails, one warning says so."""
    try:
        deliver()
    except Exception as error:
        warnings.warn(
            f"tracking: MLflow at {address()} took no record ({reason(error)}). "
            f"{len(spool.waiting())} wait(s) on disk; the next stage sends them, or `python -m stages.find --deliver`",
            stacklevel=5,
        )


def deliver() -> int:
    """Send all that waits, oldest first, and return how many records that were.

    Nothing is sent while another process of this workspace sends. What MLflow refuses for good is set aside.
    """
    sent = 0
    if not is_kept() or not spool.waiting():
        return sent
    with spool.sole_sender() as alone:
        sender = _Sender() if alone and spool.waiting() else None
        while sender is not None and (folders := spool.waiting()):
            for folder in folders:
                sent += sender.send(folder)
    return sent


class _Sender:
    """MLflow, and the experiment that holds the runs."""

    def __init__(self) -> None:
        self._client = connect()
        self._experiment = experiment(self._client)

    def send(self, folder: Path) -> bool:
        """Send a record and remove it; return whether MLflow took it.

        One that could never be sent must not keep back those behind it.
        """
        from mlflow.exceptions import MlflowException

        try:
            record, files = spool.read(folder)
            self._register(record) if isinstance(record, ReleaseRecord) else self._log(record, files)
        except (MlflowException, spool.Unreadable) as error:
            if isinstance(error, MlflowException) and error.get_http_status_code() != _REFUSED:
                raise
            place = spool.set_aside(folder)
            said = f"tracking: a record cannot be sent, now or later ({reason(error)}); it was moved to {place}"
            warnings.warn(said, stacklevel=6)
            return False
        spool.drop(folder)
        return True

    def _log(self, record: StageRecord, files: Path) -> None:
        client, parent = self._client, self._pipeline(record)
        tags = {**_tags(record), **({PARENT: parent} if parent else {})}
        run = self._found(_RECORD, record.id) or self._create(record.stage, record.start_ms, {_RECORD: record.id})
        self._batches(run, tags, record.params, record.metrics)
        for path in sorted(each for each in files.rglob("*") if each.is_file()):
            folder = path.relative_to(files).parent.as_posix()
            client.log_artifact(run, str(path), None if folder == "." else folder)
        client.set_terminated(run, record.status, record.end_ms)
        if parent is not None:
            headline = [(key, value, record.end_ms, 0) for key, value in record.headline.items()]
            self._batches(parent, {}, {}, headline)
            self._end(parent, record.status, record.end_ms)

    def _pipeline(self, record: StageRecord) -> str | None:
        """Return the run of the pipeline that executed a stage, made if this is the first of its stages."""
        pipeline = record.pipeline
        if pipeline is None:
            return None
        found = self._found(_PIPELINE, pipeline.id)
        if found is not None:
            return found
        told = {
            **_origin(record),
            "mlflow.source.name": "dvc repro",
            "stage": "pipeline",
            _PIPELINE: pipeline.id,
            **self._above(pipeline),
        }
        name = shortened(pipeline.job or f"{record.task or 'pipeline'} {(record.commit or '')[:7]}".strip(), 100)
        run = self._create(name, pipeline.start_ms, told)
        self._batches(run, {}, pipeline.chosen, ())
        return run

    def _above(self, pipeline: Pipeline) -> dict[str, str]:
        """Return the tag that puts a pipeline under its sweep, whose run is made if this is the first of its jobs."""
        if pipeline.sweep is None:
            return {}
        sweep = self._found(_SWEEP, pipeline.sweep) or self._create(
            f"sweep {pipeline.sweep}", pipeline.start_ms, {"stage": "sweep", _SWEEP: pipeline.sweep}
        )
        return {PARENT: sweep}

    def _end(self, run: str, status: str, end_ms: int) -> None:
        """Let a run, and those above it, end not before a child; one job that fails does not fail a sweep."""
        known = self._client.get_run(run)
        self._client.set_terminated(run, status, max(end_ms, known.info.end_time or 0))
        above = known.data.tags.get(PARENT)
        if above is not None:
            self._end(above, "FINISHED", end_ms)

    def _register(self, record: ReleaseRecord) -> None:
        """Enter a release as a version of the task's model, under the run that made its manifest."""
        client, name = self._client, f"tailgate-{record.task}"
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        if client.search_model_versions(f"name = '{name}' and tags.`{_RECORD}` = '{record.id}'"):
            return
        made = self._client.search_runs([self._experiment], f"tags.`{SHA256}{record.manifest_sha256}` IS NOT NULL")
        tags = {**record.tags, _RECORD: record.id}
        client.create_model_version(name, record.source, made[0].info.run_id if made else None, tags=tags)

    def _found(self, tag: str, value: str) -> str | None:
        runs = self._client.search_runs([self._experiment], f"tags.`{tag}` = '{value}'", max_results=1)
        return str(runs[0].info.run_id) if runs else None

    def _create(self, name: str, start_ms: int, tags: Mapping[str, str]) -> str:
        run = self._client.create_run(self._experiment, start_ms, dict(tags), name)
        return str(run.info.run_id)

    def _batches(
        self,
        run: str,
        tags: Mapping[str, str],
        params: Mapping[str, str],
        metrics: Sequence[tuple[str, float, int, int]],
    ) -> None:
        """Log in portions; what was logged before stays as it is, so a second time changes nothing."""
        from mlflow.entities import Metric, Param, RunTag

        for tagged in _portions(tags.items(), _TAGS_AT_ONCE):
            self._client.log_batch(run, tags=[RunTag(*each) for each in tagged])
        for told in _portions(params.items(), _TAGS_AT_ONCE):
            self._client.log_batch(run, params=[Param(*each) for each in told])
        for measured in _portions(metrics, _METRICS_AT_ONCE):
            self._client.log_batch(run, metrics=[Metric(*each) for each in measured])


def _origin(record: StageRecord) -> dict[str, str]:
    """Return the tags that MLflow's own columns show, and the task."""
    commit = {"mlflow.source.git.commit": record.commit} if record.commit else {}
    return {**commit, **({"task": record.task} if record.task else {}), "mlflow.source.type": "LOCAL"}


def _tags(record: StageRecord) -> dict[str, str]:
    """Return all tags of a stage's run. Files of the same content share a tag."""
    paths: dict[str, list[str]] = {}
    for path, digest in record.outputs.items():
        paths.setdefault(digest, []).append(path)
    said = {"error": record.error, "left_out": record.cut}
    return {
        **_origin(record),
        "stage": record.stage,
        "mlflow.source.name": f"stages.{record.stage}",
        **{key: text for key, text in said.items() if text is not None},
        **{f"{HASH}{value}": name for name, value in record.hashes.items()},
        **{f"{SHA256}{digest}": shortened(", ".join(same), 5000) for digest, same in paths.items()},
    }


def _portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
