import functools
import importlib
import os
import sys

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# A record of its own for every folder that a test works in would cost more than what is tested.
os.environ["MLFLOW_TRACKING_URI"] = "none"

# How long an example takes is the machine's affair.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

#: They share the workspace `released`, which takes longest to make.
_OF_A_RELEASE = tuple(f"tests/pipeline/test_{name}.py" for name in ("audit", "errors", "pipeline", "report"))


def pytest_collection_modifyitems(items):
    """Begin with what takes longest, so that no worker waits for another at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/pipeline/"))


def pytest_collection_finish():
    """Let all exports of a process share the exporter's translations, which it reads for half of an export's time."""
    if "torch" in sys.modules:
        registry = importlib.import_module("torch.onnx._internal.exporter._registration").ONNXRegistry
        registry.from_torchlib = classmethod(functools.cache(registry.from_torchlib.__func__))


class ByFixtures(LoadScopeScheduling):
    """Gives a worker whole files, so that what their tests share is made once."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return "a release" if file in _OF_A_RELEASE else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share out by what tests share."""
    return ByFixtures(config, log)
