from __future__ import annotations

import pytest

from tests.update.library import Signer


@pytest.fixture(scope="session")
def signer(tmp_path_factory):
    """The key that devices of these tests trust."""
    return Signer(tmp_path_factory.mktemp("signer"))
