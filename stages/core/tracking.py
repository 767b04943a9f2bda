"""The record of what ran: one MLflow run per executed stage, findable by the hash of what it made.

Tracking never changes an artifact and never fails a stage: what goes wrong here becomes one warning.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.core.artifacts import sha256_file
from stages.core.schema.base import flatten

_DEFAULT_URI = "sqlite:///mlflow.db"
#: As MLFLOW_TRACKING_URI: no record is kept, and MLflow, which takes seconds to load, is left alone.
_NOWHERE = "none"
_EXPERIMENT = "tailgate"
_MAX_PARAM_LENGTH = 500
#: A server that does not answer may cost a stage seconds, not MLflow's default of minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}


class Run:
    """Collects what a stage says about itself; sent when the stage ends well."""

    def __init__(self) -> None:
        self._metrics: list[tuple[dict[str, float], int]] = []
        self._artifacts: list[Path] = []

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Record numbers, at a step (an epoch) where there are several of each."""
        self._metrics.append(({key: float(value) for key, value in values.items()}, step))

    def artifact(self, path: Path) -> None:
        """Record a file by its SHA-256, and a picture or JSON also by its content."""
        self._artifacts.append(path)

    def _send(self, stage: str, params: dict[str, Any]) -> None:
        mlflow = connect()
        mlflow.set_experiment(_EXPERIMENT)
        with mlflow.start_run(run_name=stage):
            mlflow.set_tag("stage", stage)
            mlflow.log_params({key: str(value)[:_MAX_PARAM_LENGTH] for key, value in flatten(params).items()})
            for values, step in self._metrics:
                mlflow.log_metrics(values, step=step)
            for path in self._artifacts:
                mlflow.set_tag(f"sha256.{path.name}", sha256_file(path))
                if path.suffix in {".json", ".png"}:
                    mlflow.log_artifact(str(path))


def connect() -> Any:
    """Return MLflow, set to where the record is kept."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(_uri())
    return mlflow


def is_kept() -> bool:
    """Return whether there is to be a record."""
    return _uri() != _NOWHERE


def _uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI", _DEFAULT_URI)


@contextmanager
def track(stage: str, params: dict[str, Any]) -> Iterator[Run]:
    """Open the record of one stage.

    Parameters
    ----------
    stage : str
    params : dict
        The configuration sections that the stage read; nested keys are joined by dots.

    Yields
    ------
    Run
    """
    run = Run()
    yield run
    if not is_kept():
        return
    try:
        run._send(stage, params)
    except Exception as error:
        warnings.warn(f"tracking: {stage} was not recorded ({type(error).__name__}: {error})", stacklevel=3)
