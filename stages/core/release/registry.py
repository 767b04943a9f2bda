"""A release in MLflow's model registry, where it is found by the hash of its manifest."""

from __future__ import annotations

import warnings

from stages.core.tracking import connect, is_kept

_PREFIX = "tailgate"


def register(task: str, source: str, tags: dict[str, str]) -> None:
    """Enter a release as a version of the task's model; if that fails, one warning says so.

    Parameters
    ----------
    task : str
    source : str
        Where it comes from, for example ``git:<commit>``.
    tags : dict of str to str
        What to find it by.
    """
    if not is_kept():
        return
    name = f"{_PREFIX}-{task}"
    try:
        client = connect().MlflowClient()
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        client.create_model_version(name, source, tags=tags)
    except Exception as error:
        warnings.warn(f"tracking: {name} was not registered ({type(error).__name__}: {error})", stacklevel=2)
