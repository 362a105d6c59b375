"""The verbs of machines on a host without a hypervisor, called as a transport calls them."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from doubles.machines import host, params

from virgate.api.dispatch import Api
from virgate.api.verb import Caller

__all__ = ["host", "params"]

Answer = dict[str, Any]


@pytest.fixture
def node(host: Any) -> Any:
    return SimpleNamespace(machines=host.machines, hooks=host.machines.means.hooks, ready=True, broken=False)


@pytest.fixture
def call(node: Any) -> Callable[..., Awaitable[Answer]]:
    """`await call("pause", vm)` is the reply struct."""
    api = Api(node)

    async def call(name: str, *arguments: Any) -> Answer:
        return await api.call(api.verbs[name], arguments, Caller())

    return call
