"""A storage type and a lease manager from outside are as good as the built-in ones."""

from types import SimpleNamespace
from typing import ClassVar

import pytest_twisted
from attrs import frozen
from contract.storage.room import BLANK, POOL, Room, uuid

from virgate import hookimpl
from virgate.hookspecs.storage import Kind
from virgate_plugins.leases.local import LocalLease


@frozen
class Attic:
    """Folders below an attic, by their bare names."""

    name: ClassVar[str] = "ATTIC"
    number: ClassVar[int] = 100
    kind: ClassVar[Kind] = Kind.FILE
    remote: str
    place: ClassVar = None

    @classmethod
    def read(cls, parameters):
        return cls(parameters["connection"])

    @classmethod
    def check_remote(cls, remote):
        assert "/" not in remote

    @classmethod
    def lease(cls, version):
        return "attic-lease"

    async def connect(self, host):
        await host.link(type(self).place / self.remote, self.remote)

    async def disconnect(self, host):
        await host.unlink(self.remote)


class AtticLease(LocalLease):
    volume_leases: ClassVar[bool] = True


@hookimpl
def storage_domain_type(name):
    return Attic if name in ("attic", "100") else None


@hookimpl
def lease_manager(name):
    return AtticLease if name == "attic-lease" else None


@pytest_twisted.ensureDeferred
async def test_a_strangers_type_holds_a_whole_data_center(tmp_path):
    Attic.place = tmp_path
    (tmp_path / "box").mkdir()
    plugin = SimpleNamespace(__name__="attic", storage_domain_type=storage_domain_type, lease_manager=lease_manager)
    room = await Room(tmp_path, plugins=[plugin]).start()
    try:
        domain = uuid(2)
        for type in ("attic", 100):
            answer = await room.ask("connectStorageServer", type, BLANK, [{"id": "1", "connection": "box"}])
            assert answer["statuslist"] == [{"id": "1", "status": 0}]
        await room.ask("createStorageDomain", "attic", domain, "attic", "box", 1, "5")
        assert (await room.ask("getStorageDomainInfo", domain))["info"]["type"] == "ATTIC"
        assert (await room.ask("getStorageDomainsList", BLANK, 1, 100))["domlist"] == [domain]
        await room.ask("createStoragePool", 0, POOL, "dc", domain, [domain], 1)
        await room.connect()
        await room.start_spm()
        await room.volume(1, form=4)
        lease = tmp_path / "box" / domain / "images" / uuid(3) / f"{uuid(4)}.lease"
        assert lease.stat().st_size == 1 << 20
    finally:
        await room.stop()
