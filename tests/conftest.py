"""What tests of every folder share. A private libvirtd is in `lab.libvirtd`, the real daemon in `lab.virgated`."""

from pathlib import Path

import pytest
from lab.guests import PROJECT


@pytest.fixture(scope="session")
def libvirt_cache() -> Path:
    """What libvirt found out about QEMU, kept from run to run: saves each new libvirtd some seconds."""
    return PROJECT / "build" / "lab" / "libvirt-cache"
