import os

import pytest

# A record of its own for every folder that a test works in would cost more than what is tested.
os.environ["MLFLOW_TRACKING_URI"] = "none"


def pytest_collection_modifyitems(items):
    """Give workers whole files, so that fixtures are made once, and one of them all that shares a released workspace.

    The longest come first, so that no worker waits for another at the end.
    """
    for item in items:
        shares = "released" if "released" in item.fixturenames else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(shares))
    items.sort(key=lambda item: not item.nodeid.startswith("tests/pipeline/"))
