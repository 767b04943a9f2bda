import pytest

from tests.pipeline.workspace import Workspace


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """A workspace whose pipeline has run to a release. Tests that change it put it back."""
    workspace = Workspace(tmp_path_factory.mktemp("released"))
    workspace.printed = workspace.repro()
    return workspace
