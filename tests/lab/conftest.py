"""Fixtures of the lab. Each test that asks for `lab` gets one of its own, undone when the test ends."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The lab is a package for the demo and the benches as well; pytest's importlib mode does not make it importable.
sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.cleanup import Lab
from lab.guests import PROJECT, build_guest
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
def libvirt_cache() -> Path:
    """What libvirt found out about QEMU, kept from run to run: saves each new libvirtd some seconds."""
    return PROJECT / "build" / "lab" / "libvirt-cache"
