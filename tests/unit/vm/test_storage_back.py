"""Which machines go on when a domain can be used again."""

from types import SimpleNamespace

import pytest

from virgate.domxml.facts import DiskRequest
from virgate.events import EventBus
from virgate.node.vm.life import Status
from virgate.node.vm.storage_back import StorageBack

DOMAIN, OTHER = "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2001", "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2002"


class Paused:
    """A machine as far as it matters here; `refuses` is what continuing it raises."""

    def __init__(self, code="EIO", domain=DOMAIN, status=Status.PAUSED, refuses=None):
        self.id = f"{code} on {domain}"
        self.vitals = SimpleNamespace(status=status, pause_code=code)
        self.record = SimpleNamespace(disks=(DiskRequest(target="vda"), DiskRequest(target="vdb", domain_id=domain)))
        self.continued = 0
        self._refuses = refuses

    async def cont(self):
        self.continued += 1
        if self._refuses:
            raise self._refuses


@pytest.fixture
def bus():
    return EventBus()


@pytest.mark.parametrize("code", ["EIO", "EOTHER"])
def test_a_machine_paused_by_failed_io_goes_on_when_its_domain_is_valid_again(bus, code):
    machine = Paused(code)
    StorageBack([machine], bus)
    bus.tell("storage.domain", domain=DOMAIN, valid=False, code=200)
    assert machine.continued == 0
    bus.tell("storage.domain", domain=DOMAIN, valid=True, code=0)
    assert machine.continued == 1


def test_others_stay_as_they_are(bus):
    others = [
        Paused("NOERR"), Paused("ENOSPC"), Paused(domain=OTHER), Paused(domain=""), Paused(status=Status.UP),
    ]  # fmt: skip
    ending = StorageBack(others, bus)
    bus.tell("storage.domain", domain=DOMAIN, valid=True, code=0)
    ending.close()
    bus.tell("storage.domain", domain=OTHER, valid=True, code=0)
    assert [machine.continued for machine in others] == [0] * 5


def test_one_that_does_not_go_on_does_not_hold_up_the_next(bus):
    machines = [Paused(refuses=OSError("libvirt is away")), Paused()]
    StorageBack(machines, bus)
    bus.tell("storage.domain", domain=DOMAIN, valid=True, code=0)
    assert [machine.continued for machine in machines] == [1, 1]
