"""Machines for the tests of domain documents. Every document that `build` makes must satisfy libvirt's own schema."""

from pathlib import Path

import pytest
from hypothesis import settings
from lxml import etree

from virgate.domxml.request import DiskSource, HostFacts, read_request

# A machine that is busy with others is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")


@pytest.fixture(scope="session")
def schema():
    return etree.RelaxNG(etree.parse(SCHEMA))


@pytest.fixture
def valid(schema):
    """Holds a document, as libvirt would read it, against libvirt's schema; answers the document."""

    def check(root):
        text = etree.tostring(root, encoding="unicode", pretty_print=True)
        assert schema.validate(etree.fromstring(text)), f"{schema.error_log}\n{text}"
        return root

    return check


@pytest.fixture
def facts():
    return HostFacts(os_version="12-1", host_uuid="4c4c4544-0000-1000-8000-000000000000")


@pytest.fixture
def request_of(facts):
    """`request_of(smp=2)`: a checked request of a machine of 256 MiB with these parameters."""

    def make(facts=facts, taken=(), **params):
        return read_request({"vmId": ID, "memSize": "256", **params}, facts, taken)

    return make


class Everywhere(dict):
    """A source for whatever disk is asked for."""

    def get(self, target, default=None):
        return super().get(target, DiskSource(f"/images/{target}", "raw", "block" if target == "sda" else "file"))


@pytest.fixture
def build(request_of, valid):
    """`build(smp=2)`: the schema-valid document of such a machine; disks are found unless `sources` says where."""

    def make(sources=None, leases=None, **params):
        found = Everywhere() if sources is None else sources
        return valid(request_of(**params).domain(found, leases))

    return make


@pytest.fixture
def device(build):
    """`device({"type": ...})`: the first element that this one device adds, in a valid document; None when none."""

    def make(given, tag=None, **params):
        tag = tag or {"balloon": "memballoon", "redir": "redirdev"}.get(given["type"], given["type"])
        return build(devices=[given], **params).find(f"devices/{tag}")

    return make
