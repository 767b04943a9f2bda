"""A release in MLflow's model registry, where it is found by the hash of its manifest and of each of its files."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Mapping

from stages.core.tracking import spool
from stages.core.tracking.delivery import SHA256, try_to_deliver
from stages.core.tracking.record import ReleaseRecord
from stages.core.tracking.store import is_kept


def register(task: str, source: str, tags: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    """Enter a release as a version of the task's model; if that fails, one warning says so, and it is tried again.

    Parameters
    ----------
    task : str
    source : str
        Where it comes from, for example ``git:/<commit>``; a server takes no other form.
    tags : mapping of str to str
        What to find it by; ``manifest_sha256`` leads to the run that made it.
    files : mapping of str to bytes
        What is handed over.
    """
    if not is_kept():
        return
    hashes = {f"{SHA256}{hashlib.sha256(content).hexdigest()}": name for name, content in files.items()}
    try:
        record_id = spool.new_id("registry", int(time.time() * 1000))
        spool.put(ReleaseRecord(record_id, task, source, tags["manifest_sha256"], {**tags, **hashes}), {})
    except OSError as error:
        warnings.warn(f"tracking: the release was not registered ({type(error).__name__}: {error})", stacklevel=2)
        return
    try_to_deliver()
