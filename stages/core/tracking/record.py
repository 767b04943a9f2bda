"""What is kept of a stage, of the pipeline it ran in, and of a release: plain data that survives as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.core.schema.base import flatten

#: MLflow takes keys of 250 and values of 6000 characters; a table of runs is read with less.
_LONGEST_KEY = 250
_LONGEST_VALUE = 500
_MOST_PARAMS = 400
_FOREIGN = re.compile(r"[^\w.\- :]")


@dataclass(frozen=True)
class Pipeline:
    """The `dvc repro` that executed a stage.

    Attributes
    ----------
    id : str
        Of the process, so that all its stages agree.
    start_ms : int
        When it began, in milliseconds of Unix time.
    chosen : dict of str to str
        What params.yaml says.
    sweep, job : str or None
        Name of the sweep that it is a job of, and of the job in it.
    """

    id: str
    start_ms: int
    chosen: dict[str, str]
    sweep: str | None = None
    job: str | None = None


@dataclass(frozen=True)
class StageRecord:
    """One executed stage.

    Attributes
    ----------
    id : str
        Of this record; sorts by time.
    stage : str
    task, commit : str or None
        What params.yaml and git say, where there are any; a commit whose files were changed ends in ``+``.
    start_ms, end_ms : int
        Milliseconds of Unix time.
    error : str or None
        What the stage failed with.
    pipeline : Pipeline or None
        None of a stage that was started by hand.
    params : dict of str to str
        Bounded in count and length.
    cut : str or None
        What the bounds left out of the record.
    metrics : list of (str, float, int, int)
        Name, value, time in milliseconds, step.
    headline : dict of str to float
        Those metrics that a whole pipeline is judged by.
    outputs : dict of str to str
        SHA-256 of each output file, by path.
    hashes : dict of str to str
        Hashes that outputs contain and others refer to, by name.
    """

    id: str
    stage: str
    task: str | None
    commit: str | None
    start_ms: int
    end_ms: int
    error: str | None
    pipeline: Pipeline | None
    params: dict[str, str]
    cut: str | None = None
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    headline: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """As MLflow names it."""
        return "FINISHED" if self.error is None else "FAILED"


@dataclass(frozen=True)
class ReleaseRecord:
    """A release that was signed, for the model registry.

    Attributes
    ----------
    id : str
        Of this record; sorts by time.
    task : str
    source : str
        Where it comes from, for example ``git:/<commit>``; a server takes no other form.
    manifest_sha256 : str
        Also an output of the run that made it.
    tags : dict of str to str
    """

    id: str
    task: str
    source: str
    manifest_sha256: str
    tags: dict[str, str]


Record = StageRecord | ReleaseRecord


def from_json(value: dict[str, Any]) -> Record:
    """Return a record from what `dataclasses.asdict` made of it."""
    if "stage" not in value:
        return ReleaseRecord(**value)
    pipeline = value.pop("pipeline")
    return StageRecord(**value, pipeline=Pipeline(**pipeline) if pipeline else None)


def key_of(name: str) -> str:
    """Return a name as MLflow takes it, with ``_`` for what it refuses."""
    return _FOREIGN.sub("_", name)[:_LONGEST_KEY]


def bounded(params: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
    """Flatten parameters and keep them within bounds.

    Returns
    -------
    tuple of (dict of str to str, str or None)
        Texts by dotted key, and what was cut.
    """
    texts = {key_of(key): str(value) for key, value in flatten(dict(params)).items()}
    kept = dict(list(texts.items())[:_MOST_PARAMS])
    long = sum(len(value) > _LONGEST_VALUE for value in kept.values())
    said = [f"{len(texts) - len(kept)} parameters beyond {_MOST_PARAMS}"] if len(kept) < len(texts) else []
    said += [f"the ends of {long} values beyond {_LONGEST_VALUE} characters"] if long else []
    return {key: shortened(value, _LONGEST_VALUE) for key, value in kept.items()}, " and ".join(said) or None


def shortened(text: str, longest: int) -> str:
    """Return a text, with an ellipsis where it was cut."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
