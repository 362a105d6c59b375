"""The verbs of machines on a host without a hypervisor, called as a transport calls them."""

import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from virgate.api.dispatch import Api
from virgate.api.verb import Caller

_DOUBLES = Path(__file__).parents[2] / "unit" / "vm" / "conftest.py"
_specification = importlib.util.spec_from_file_location("vm_doubles", _DOUBLES)
assert _specification is not None and _specification.loader is not None
_doubles = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_doubles)
host, params = _doubles.host, _doubles.params

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
