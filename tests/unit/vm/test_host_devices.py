"""Devices of the host are lent to a machine before anything is built, and given back whatever happens."""

from typing import Any

import attrs
import pytest
import pytest_twisted
from attrs import define, field
from doubles.machines import launched

from virgate.libvirt.errors import HypervisorFailed
from virgate.node.vm.life import Status

ID = "11111111-1111-4111-8111-111111111111"
CARD = {"type": "hostdev", "device": "pci_0000_05_10_1"}
HIDDEN = {"type": "hostdev", "device": "pci_0000_05_10_2", "specParams": {"iommuPlaceholder": "true"}}
FUNCTION = {"type": "interface", "device": "hostdev", "hostdev": "pci_0000_05_10_3", "macAddr": "00:1a:4a:00:00:01"}
NAMES = [f"pci_0000_05_10_{number}" for number in (1, 2, 3)]


@define
class Lender:
    did: list[str] = field(factory=list)
    fail: str = ""

    async def detach(self, name: str) -> None:
        if name == self.fail:
            raise HypervisorFailed(1, "in use")
        self.did.append(f"detach {name}")

    async def reattach(self, name: str) -> None:
        if name == self.fail:
            raise HypervisorFailed(1, "stuck")
        self.did.append(f"reattach {name}")


@pytest.fixture
def lender(host: Any) -> Lender:
    made = Lender()
    host.machines.means = attrs.evolve(host.machines.means, host_devices=lambda: made)
    return made


def both(verb: str, names: list[str] = NAMES) -> list[str]:
    return [f"{verb} {name}" for name in names]


@pytest_twisted.ensureDeferred
async def test_a_machine_gets_its_devices_and_gives_them_back(
    host: Any, params: dict[str, Any], lender: Lender
) -> None:
    params["devices"] = [CARD, HIDDEN, FUNCTION]
    machine = await launched(await host.machines.create(params)) or host.machines.find(ID)
    assert lender.did == both("detach")
    assert machine.record.xml.count("<hostdev ") == 1
    lender.did.clear()
    await host.machines.destroy(ID)
    assert lender.did == both("reattach")


@pytest_twisted.ensureDeferred
async def test_devices_go_back_when_a_later_step_fails(host: Any, params: dict[str, Any], lender: Lender) -> None:
    params["devices"] = [CARD, FUNCTION]
    lender.fail = NAMES[2]
    await launched(await host.machines.create(params))
    assert host.machines.find(ID).vitals.status is Status.DOWN
    assert lender.did == ["detach pci_0000_05_10_1", "reattach pci_0000_05_10_1"]
    assert "define" not in host.domains.names


@pytest_twisted.ensureDeferred
async def test_one_device_that_stays_away_does_not_keep_the_others(
    host: Any, params: dict[str, Any], lender: Lender
) -> None:
    params["devices"] = [CARD, HIDDEN, FUNCTION]
    await launched(await host.machines.create(params))
    lender.did.clear()
    lender.fail = NAMES[1]
    await host.machines.destroy(ID)
    assert lender.did == both("reattach", [NAMES[0], NAMES[2]])


DOCUMENT = f"""<domain type='qemu'><name>n</name><uuid>{ID}</uuid><memory>65536</memory>
<os><type>hvm</type></os><devices>
<hostdev mode='subsystem' type='pci' managed='{{managed}}'><source>
<address domain='0x0000' bus='0x05' slot='0x10' function='0x1'/></source></hostdev></devices></domain>"""


@pytest.mark.parametrize(("managed", "lent"), [("no", ["detach pci_0000_05_10_1"]), ("yes", [])])
@pytest_twisted.ensureDeferred
async def test_a_document_says_whether_libvirt_does_it_itself(
    host: Any, lender: Lender, managed: str, lent: list[str]
) -> None:
    await launched(await host.machines.create({"vmId": ID, "xml": DOCUMENT.format(managed=managed)}))
    assert lender.did == lent
