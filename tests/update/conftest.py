from __future__ import annotations

import pytest

from tests.update.library import Device, Signer, build_device, compile_monocypher


@pytest.fixture(scope="session")
def monocypher(tmp_path_factory):
    return compile_monocypher(tmp_path_factory.mktemp("monocypher"))


@pytest.fixture(scope="session")
def library(tmp_path_factory, monocypher):
    return build_device(tmp_path_factory.mktemp("device"), monocypher)


@pytest.fixture(scope="session")
def signer(library):
    """The key that devices of these tests trust."""
    return Signer(library)


@pytest.fixture
def make(library, signer):
    """Make devices that are released with the test."""
    devices = []

    def new(key=None, **options):
        devices.append(Device(library, signer.public if key is None else key, **options))
        return devices[-1]

    yield new
    for device in devices:
        device.close()


@pytest.fixture
def device(make):
    return make()
