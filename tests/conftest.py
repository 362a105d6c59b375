"""What tests of every folder share. A private libvirtd is in `lab.libvirtd`, the real daemon in `lab.virgated`."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import hypothesis
import pytest
from lab.guests import PROJECT
from twisted.internet import reactor
from twisted.internet.task import deferLater

hypothesis.settings.register_profile(
    "virgate", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)  # a busy machine proves nothing about the code
hypothesis.settings.load_profile("virgate")


@pytest.fixture(scope="session")
def libvirt_cache() -> Path:
    """What libvirt found out about QEMU, kept from run to run: saves each new libvirtd some seconds."""
    return PROJECT / "build" / "lab" / "libvirt-cache"


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """`await until(condition)`: for what another process or thread does, where there is no event to await."""

    async def until(condition: Callable[[], object], seconds: float = 20) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, "it did not come to pass"
            await deferLater(reactor, 0.01)

    return until
