"""Work per session, spread over processes: in order, the same results whatever the backend."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config

from stages.core.errors import ConfigError, TailgateError
from stages.core.schema.compute import Compute
from stages.core.seeds import PINNED_ENVIRONMENT

T = TypeVar("T")
R = TypeVar("R")

#: Sessions that travel together, so that what the function carries is pickled once for all of them.
_LARGEST_CHUNK = 16
#: Chunks per worker that a backend without streaming is given at once; bounds the results that wait.
_WAVE = 8


def map_sessions(function: Callable[[T], R], items: Sequence[T], compute: Compute) -> Iterator[R]:
    """Apply a function to each item, and yield the results in the order of the items.

    Results are yielded as soon as it is their turn, so that few wait. One worker runs in this process.

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
    size = min(max(len(items) // (8 * compute.workers), 1), _LARGEST_CHUNK)
    chunks = (items[start : start + size] for start in range(0, len(items), size))
    tasks = (delayed(_apply)(function, chunk) for chunk in chunks)
    with _workers(compute) as run, closing(run(tasks)) as done:
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
def _workers(compute: Compute) -> Iterator[Callable[[Iterator[Any]], Generator[Any]]]:
    """Give a pool of workers; processes of this machine inherit its pinned environment, Ray has to be told."""
    if compute.backend == "loky":
        with (
            warnings.catch_warnings(),
            Parallel(n_jobs=compute.workers, backend="loky", batch_size=1, return_as="generator") as parallel,
        ):
            # After an error joblib counts what was done in vain.
            warnings.filterwarnings("ignore", message=".*tasks (have been|which were)", category=UserWarning)
            yield parallel
        return
    with _ray(), parallel_config("ray"), Parallel(n_jobs=compute.workers, batch_size=1) as parallel:
        yield lambda tasks: _in_waves(parallel, tasks, _WAVE * compute.workers)


def _in_waves(parallel: Parallel, tasks: Iterator[Any], size: int) -> Generator[Any]:
    """Run so many tasks at a time: this backend gives results only when all that it was given are done."""
    while wave := list(islice(tasks, size)):
        yield from parallel(wave)


@contextmanager
def _ray() -> Iterator[None]:
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
        yield
    finally:
        ray.shutdown()
