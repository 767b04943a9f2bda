"""Work spread over processes gives what a plain loop gives, in order, errors included."""

import functools
import os
import pickle
import sys
import time

import pytest

from stages.core import errors
from stages.core.errors import ConfigError, RecordingError, TailgateError
from stages.core.parallel import map_sessions
from stages.core.schema.compute import Compute
from stages.core.seeds import PINNED_ENVIRONMENT


def slow_first(item):
    """Finish out of order."""
    time.sleep(0.2 if item == 0 else 0)
    return item * item, os.getpid()


def refuse(item, bad):
    if item in bad:
        raise RecordingError(found=f"item {item}", where="here", expected="another", remedy="Leave it out")
    return item


def environment(_):
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((64, 64)) @ np.ones((64, 64))
    return dict(os.environ), [pool["num_threads"] for pool in threadpool_info()]


def observe(item, bad):
    return refuse(item, bad), environment(item)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_are_those_of_a_loop_in_order(workers):
    results = list(map_sessions(slow_first, range(150), Compute(backend="loky", workers=workers)))
    assert [value for value, _ in results] == [item * item for item in range(150)]
    processes = {process for _, process in results}
    assert (processes == {os.getpid()}) == (workers == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_first_error_arrives_unchanged(workers):
    with pytest.raises(TailgateError) as caught:
        list(map_sessions(functools.partial(refuse, bad=(7, 5)), range(20), Compute(backend="loky", workers=workers)))
    assert type(caught.value) is RecordingError
    assert str(caught.value) == "here: item 5. Expected another. Leave it out."


def test_ray_gives_the_same_results_and_error_in_the_same_environment():
    pytest.importorskip("ray")
    seen = []
    with pytest.raises(RecordingError, match="item 40"):
        seen.extend(map_sessions(functools.partial(observe, bad=(40,)), range(60), Compute(backend="ray", workers=2)))
    # `extend` keeps what was yielded before the error.
    assert [item for item, _ in seen] == list(range(40))
    for _, (variables, threads) in seen:
        assert PINNED_ENVIRONMENT.items() <= variables.items()
        assert set(threads) == {1}


def test_results_before_an_error_are_yielded():
    seen = []
    with pytest.raises(RecordingError):
        for result in map_sessions(functools.partial(refuse, bad=(5,)), range(20), Compute(backend="loky", workers=2)):
            seen.append(result)
    assert seen == [0, 1, 2, 3, 4]


def test_workers_run_in_the_pinned_environment_on_one_thread():
    for variables, threads in map_sessions(environment, range(4), Compute(backend="loky", workers=2)):
        assert PINNED_ENVIRONMENT.items() <= variables.items()
        assert set(threads) == {1}


def test_missing_ray_is_one_paragraph(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError) as caught:
        next(map_sessions(abs, [1, 2], Compute(backend="ray", workers=2)))
    assert "the package ray is not installed" in str(caught.value)
    assert "set compute.backend to loky" in str(caught.value)


@pytest.mark.parametrize("kind", [TailgateError, *TailgateError.__subclasses__()])
def test_every_error_survives_pickling(kind):
    assert kind is getattr(errors, kind.__name__)
    error = kind(found="a", where="b", expected="c", remedy="D")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert (type(copy), str(copy), copy.exit_code) == (kind, str(error), error.exit_code)
