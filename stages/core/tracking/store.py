"""The MLflow that a workspace's record is kept in: a database file, or a server."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stages.core.tracking.record import shortened

EXPERIMENT = "tailgate"
_VARIABLE = "MLFLOW_TRACKING_URI"
_DEFAULT_URI = "sqlite:///mlflow.db"
_FILE = "sqlite:///"
#: As MLFLOW_TRACKING_URI: no record is kept, and MLflow, which takes seconds to load, is left alone.
_NOWHERE = "none"
#: A server that does not answer may cost a stage seconds, not MLflow's default of minutes. And it tells no one else,
#: nor prints among what a stage prints.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def is_kept() -> bool:
    """Return whether there is to be a record."""
    return _uri() != _NOWHERE


def is_there() -> bool:
    """Return whether a record can exist: a database file that nobody wrote yet has none."""
    return is_kept() and (not _uri().startswith(_FILE) or Path(_uri().removeprefix(_FILE)).is_file())


def address() -> str:
    """Return where the record is kept, without a password."""
    return _without_password(_uri())


def reason(error: Exception) -> str:
    """Say in a line why the record could not be reached, without a password."""
    first = _without_password(str(error).partition("\n")[0])
    return f"{type(error).__name__}: {shortened(first, 200)}"


def _without_password(text: str) -> str:
    who, at, _ = urlsplit(_uri()).netloc.rpartition("@")
    return text.replace(who + at, "") if at else text


def connect() -> Any:
    """Return a client of MLflow where the record is kept."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(_uri(), _uri())


def experiment(client: Any) -> str:
    """Return the id of the experiment that holds all runs, which is made if it is not there."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(EXPERIMENT, artifact_location=_artifacts()))
    except MlflowException:
        # Another process was quicker.
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            raise
        return str(found.experiment_id)


def _artifacts() -> str | None:
    """Return where files go: beside a database file, whoever writes it first; a server has its own place."""
    if not _uri().startswith(_FILE):
        return None
    return (Path(_uri().removeprefix(_FILE)).resolve().parent / "mlruns").as_uri()


def _uri() -> str:
    return os.environ.get(_VARIABLE) or _DEFAULT_URI
