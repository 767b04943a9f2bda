from __future__ import annotations

import pytest

from tests.runtime.library import build


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    """The runtime modules, loaded."""
    return build(tmp_path_factory.mktemp("runtime"))
