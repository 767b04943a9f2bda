"""Work per session, spread over processes: in order, bounded in flight, the same results whatever the backend."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

from joblib import Parallel, delayed, parallel_config

from stages.core.errors import ConfigError, TailgateError
from stages.core.schema.compute import Compute
from stages.core.seeds import PINNED_ENVIRONMENT

T = TypeVar("T")
R = TypeVar("R")

#: Sessions that travel together, so that what the function carries is pickled once for all of them.
_LARGEST_CHUNK = 4
#: Chunks per worker that are handed out before results are waited for; bounds what is in flight.
_CHUNKS_IN_FLIGHT = 16


def map_sessions(function: Callable[[T], R], items: Sequence[T], compute: Compute) -> Iterator[R]:
    """Apply a function to each item, and yield the results in the order of the items.

    At most ``64 * workers`` items are in work or done and not yet yielded. One worker runs in this process.

    Parameters
    ----------
    function : callable
        Can be pickled, as can its results: a function of a module, or a `functools.partial` of one. On a cluster it
        sees this machine's paths only where they are on a shared file system.
    items : sequence
    compute : Compute

    Yields
    ------
    object
        ``function(item)``, for each item.

    Raises
    ------
    TailgateError
        What the function raised for the first item that failed, after the results of all items before it.
    ConfigError
        If the backend is not installed.
    """
    if compute.workers == 1:
        yield from map(function, items)
        return
    per_wave = compute.workers * _CHUNKS_IN_FLIGHT
    size = min(max(len(items) // per_wave, 1), _LARGEST_CHUNK)
    starts = range(0, len(items), size)
    with _workers(compute) as parallel:
        for wave in range(0, len(starts), per_wave):
            chunks = (items[start : start + size] for start in starts[wave : wave + per_wave])
            done = parallel(delayed(_apply)(function, chunk) for chunk in chunks)
            for outcome in chain.from_iterable(done):
                if isinstance(outcome, TailgateError):
                    raise outcome
                yield outcome


def _apply(function: Callable[[T], R], chunk: Sequence[T]) -> list[R | TailgateError]:
    """Work through a chunk up to its first error, which travels as a value: backends wrap what is raised."""
    outcomes: list[R | TailgateError] = []
    for item in chunk:
        try:
            outcomes.append(function(item))
        except TailgateError as error:
            return [*outcomes, error]
    return outcomes


@contextmanager
def _workers(compute: Compute) -> Iterator[Parallel]:
    """Give a pool of workers; processes of this machine inherit its pinned environment, Ray has to be told."""
    if compute.backend == "loky":
        with Parallel(n_jobs=compute.workers, backend="loky", batch_size=1) as parallel:
            yield parallel
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise ConfigError(
            found="compute.backend is ray, and the package ray is not installed",
            where="compute.backend",
            expected="loky, or ray with its package",
            remedy="Run `pip install ray`, or set compute.backend to loky, which works on this machine alone",
        ) from None
    register_ray()
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": dict(PINNED_ENVIRONMENT)},
    )
    try:
        with parallel_config("ray"), Parallel(n_jobs=compute.workers, batch_size=1) as parallel:
            yield parallel
    finally:
        ray.shutdown()
