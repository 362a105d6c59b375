"""Machines on a host without a hypervisor."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_twisted
from doubles.machines import Host, host, params

from virgate.node.vm.machine import Machine

__all__ = ["host", "params"]


@pytest_twisted.async_yield_fixture
async def machine(host: Host, params: dict[str, Any]) -> AsyncIterator[Machine]:
    yield await host.running(params)
