"""The recording double has the signatures of the real thing, or these tests prove nothing."""

import inspect
from typing import Any

import pytest
import pytest_twisted

from virgate.libvirt.domains import Domains

METHODS = [name for name, value in vars(Domains).items() if inspect.iscoroutinefunction(value) and name[0] != "_"]
NOT_USED_HERE = {"create", "metadata", "open_console"}


@pytest.mark.parametrize("name", [name for name in METHODS if name not in NOT_USED_HERE])
@pytest_twisted.ensureDeferred
async def test_the_double_takes_what_the_hypervisor_takes(host: Any, name: str) -> None:
    real = list(inspect.signature(getattr(Domains, name)).parameters.values())[1:]
    double = list(inspect.signature(getattr(type(host.domains), name)).parameters.values())[1:]
    assert [(one.name, one.default) for one in double] == [(one.name, one.default) for one in real[: len(double)]]
    assert all(one.default is not inspect.Parameter.empty for one in real[len(double) :])
