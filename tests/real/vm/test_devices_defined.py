"""Any device of the catalogue, defined by the real libvirt: what it makes of the document is read back as it was."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from lab.libvirtd import PrivateLibvirtd, VirshFailed
from unit.domxml import catalogue

from virgate.domxml import running
from virgate.domxml.facts import HostFacts
from virgate.domxml.request import read_request
from virgate.domxml.tree import parse

ID = "5e0a6c3e-19c0-4d4f-9d5a-0c8b5a4a7f01"
FACTS = HostFacts(virt_type="qemu")
ROOM = {"maxMemSize": "2097152", "smp": "2", "numOfIoThreads": "4", "memSize": "1024"}
PLACES = ("address", "alias", "bootOrder")
REFUSED = (
    "not supported",
    "unsupported",
    "must be",
    "cannot be",
    "Invalid",
    "Unknown",
    "unknown",
    "missing",
    "is not a valid",
    "controller",
    "already exists",
    "requires",
    "Unable to",
    "malformed",
    "out of range",
    "too ",
    "can't add memory backend",
    "Missing",
)
"""How libvirt says that QEMU has no such thing in this combination; our document was understood."""


def unplaced(device: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in device.items() if name not in PLACES}


@pytest.mark.parametrize("family", ["DISKS", "NICS", "SCREENS", "SIMPLE"])
def test_what_libvirt_makes_of_a_device_is_read_as_the_device(
    family: str, libvirtd: PrivateLibvirtd, tmp_path: Path
) -> None:
    document, defined = tmp_path / "domain.xml", []

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(getattr(catalogue, family).map(unplaced))
    def hold(device: dict[str, Any]) -> None:
        asked = copy.deepcopy(device)
        request = read_request({"vmId": ID, "devices": [asked], **ROOM}, FACTS, ())
        document.write_text(running.to_text(request.domain({})))
        try:
            libvirtd.virsh("define", str(document))
        except VirshFailed as refusal:
            assert any(word in str(refusal) for word in REFUSED), refusal
            assert "XML error" not in str(refusal), refusal
            assume(False)
        found = running.devices(parse(libvirtd.virsh("dumpxml", "--inactive", ID)))
        libvirtd.virsh("undefine", ID)
        defined.append(device)
        if device["device"] == "cdrom":
            device["readonly"] = "True"  # whatever was asked
        answers = [told(device, one) for one in found if one["type"] == device["type"]]
        assert device in answers, "\n".join(map(repr, [device, *answers]))

    hold()
    assert len(defined) > 5


def told(device: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The members of `device` as they are found; libvirt adds what it decides itself."""
    answer = {}
    for name, value in device.items():
        other = found.get(name)
        answer[name] = told(value, other) if isinstance(value, dict) and isinstance(other, dict) else other
    return answer
