"""What tests with a real libvirtd share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.libvirtd import PrivateLibvirtd, passing_libvirtd


@pytest.fixture(scope="module")
def libvirtd(libvirt_cache: Path) -> Iterator[PrivateLibvirtd]:
    """A libvirtd for the tests of one module; it starts in a tenth of a second."""
    with passing_libvirtd(cache=libvirt_cache) as running:
        yield running
