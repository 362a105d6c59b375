"""Drives that only the source could make travel with the machine."""

import base64
from typing import Any

import pytest
import pytest_twisted
from doubles.machines import Host

from virgate.node.vm import payload
from virgate.node.vm.migration import description, payloads
from virgate.node.vm.migration.errors import MigrationFailed
from virgate.node.vm.payload import PayloadImages

SECRET = base64.b64encode(b"root:wonder").decode()
DRIVE = {
    "type": "disk",
    "device": "cdrom",
    "iface": "ide",
    "index": 2,
    "readonly": "true",
    "path": "",
    "specParams": {"vmPayload": {"file": {"user-data": SECRET}}},
}


@pytest_twisted.ensureDeferred
async def test_a_payload_arrives_as_it_was_and_shows_nowhere(host: Host, params: dict[str, Any]) -> None:
    machine = await host.running(params | {"devices": [DRIVE]})
    folder = payload.folder(host.run_dir)
    folder.mkdir()
    image = folder / f"{machine.id}.img"
    image.write_bytes(b"an image")
    text = host.domains.domains[machine.id].xml
    path = f"/run/payload/{machine.id}.img"
    assert path in text and SECRET not in text
    told = description.tell(machine, text.replace(path, str(image)), guest={}, guest_events=False)
    heard = description.hear(told, machine.means.facts())
    (arriving,) = heard.request.payloads
    assert arriving.image == b"an image" and "an image" not in repr(arriving)
    source = await PayloadImages(host.run_dir / "there").make(machine.id, arriving)
    assert (host.run_dir / "there" / source.path).read_bytes() == b"an image"


@pytest_twisted.ensureDeferred
async def test_one_that_cannot_travel_keeps_the_machine_here(
    host: Host, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = await host.running(params | {"devices": [DRIVE]})
    path = f"/run/payload/{machine.id}.img"
    missing = payload.folder(host.run_dir) / "gone.img"
    text = host.domains.domains[machine.id].xml.replace(path, str(missing))
    with pytest.raises(MigrationFailed, match="cannot be read"):
        payloads.gather(machine, text)
    missing.parent.mkdir()
    missing.write_bytes(b"large")
    monkeypatch.setattr(payloads, "LIMIT", 3)
    with pytest.raises(MigrationFailed, match="too large"):
        payloads.gather(machine, text)


@pytest_twisted.ensureDeferred
async def test_no_other_file_of_the_host_travels(host: Host, params: dict[str, Any]) -> None:
    machine = await host.running(params | {"devices": [DRIVE]})
    text = host.domains.domains[machine.id].xml.replace(f"/run/payload/{machine.id}.img", "/etc/shadow")
    assert payloads.gather(machine, text) == {}
