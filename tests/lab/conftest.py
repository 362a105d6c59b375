"""Fixtures of the lab. Each test that asks for `lab` gets one of its own, undone when the test ends."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.guests import build_guest, build_python_guest
from lab.network import Network


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session", autouse=True)
def _root_only() -> None:
    if os.geteuid() != 0:
        pytest.fail("the lab makes namespaces and mounts: run it as root", pytrace=False)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture
def network(lab: Lab) -> Network:
    return Network(lab)


@pytest.fixture(scope="session")
def guest() -> Path:
    """The folder with the guest's kernel and initrd."""
    return build_guest()


@pytest.fixture(scope="session")
def python_guest() -> Path:
    """The same folder, with the initrd that has the agent as well."""
    return build_python_guest()
