"""What tests of every folder share. A private libvirtd is in `lab.libvirtd`, the real daemon in `lab.virgated`."""

import functools
import inspect
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from lab.guests import PROJECT
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

hypothesis.settings.register_profile(
    "virgate", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)  # a busy machine proves nothing about the code
hypothesis.settings.load_profile("virgate")


def pytest_configure() -> None:
    """A shell starts what runs in its background with SIGINT ignored; the programs under test would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A coroutine that waits for ever is cancelled: the reactor swallows what pytest-timeout's alarm raises."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = bounded(item.obj, seconds_of(item))


def seconds_of(item: pytest.Item) -> float:
    """Half a minute before the last resort ends the whole run."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0] if marker else item.config.getini("timeout")) - 30


def bounded(test: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    @functools.wraps(test)
    def within(**fixtures: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(**fixtures)).addTimeout(seconds, reactor)

    vars(within).pop("_pytest_twisted_mark", None)
    return within


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
