"""What comes and goes with pool and role: the host's mailbox, the SPM's office, the record of where the SPM is."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import define, field
from contract.storage.light import Direct, now
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from virgate.events import EventBus
from virgate.hookspecs.leases import LeaseOwner
from virgate.node.peers.endpoint import Endpoint
from virgate.node.storage.errors import CannotExtendVolume, NoSuchDomain
from virgate.node.storage.formats.mailbox import BLANK, MAILBOX, Extend
from virgate.node.storage.mailbox.settings import MailboxSettings
from virgate.node.storage.thin.address import BLOCK, SpmAddress, place
from virgate.node.storage.thin.book import AddressBook
from virgate.node.storage.thin.services import attend
from virgate.node.storage.thin.settings import ThinSettings

MASTER, VOLUME = "3e7a1c52-9d40-4b7e-8f21-6a5b0c1d2e3f", "7f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2910"
HOSTS, MIB = 10, 1 << 20


@define
class Scene:
    """One pool on a shared folder, and nodes of it made with `node(host id)`."""

    base: Path
    type: str = "NFS"
    owner: LeaseOwner | None = None
    clock: Clock = field(factory=Clock)
    grown: list[tuple[str, str, int]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        folder = self.base / "pool" / "mastersd" / "dom_md"
        folder.mkdir(parents=True)
        for name, size in (("inbox", HOSTS * MAILBOX), ("outbox", HOSTS * MAILBOX), ("leases", 2 * MIB)):
            (folder / name).write_bytes(b"\x07" * size)

    def read(self, name: str) -> bytes:
        return (self.base / "pool" / "mastersd" / "dom_md" / name).read_bytes()

    @property
    def record(self) -> bytes:
        return self.read("leases")[place(MIB) : place(MIB) + BLOCK]

    def node(self, host: int, address: str = "10.0.0.{}", tls: bool = True) -> "Node":
        return Node(self, host, Endpoint.described({"address": address.format(host), "tls": tls}, self.base))


class Node:
    def __init__(self, scene: Scene, host: int, here: Endpoint) -> None:
        async def inquire() -> LeaseOwner | None:
            return scene.owner

        self.master: Any = SimpleNamespace(
            id=MASTER,
            path=scene.base / "pool" / "mastersd",
            type=SimpleNamespace(name=scene.type),
            record=SimpleNamespace(alignment=MIB),
            lease=SimpleNamespace(held=True, inquire=inquire),
        )

        async def master() -> Any:
            return self.master

        async def find(domain: str) -> Any:
            raise NoSuchDomain(domain)

        domains = SimpleNamespace(
            repository=SimpleNamespace(pool=lambda pool: scene.base / pool), find=find, known=dict
        )
        self.pool: Any = SimpleNamespace(
            id="pool",
            host=host,
            master=master,
            map=SimpleNamespace(master=MASTER),
            domains=domains,
            spm=SimpleNamespace(hosts=None),
        )
        monitors = SimpleNamespace(clock=scene.clock, events=EventBus())
        self.pools: Any = SimpleNamespace(
            find=lambda _: self.pool, domains=domains, monitors=monitors, attendants=[], services=[]
        )
        files: Any = Direct()
        self.mailboxes, self.growing = attend(self.pools, files, MailboxSettings(hosts=HOSTS), ThinSettings(), here)
        self.book: AddressBook = self.growing.book
        self.scene = scene

    def become_spm(self, version: int) -> None:
        self.scene.owner = LeaseOwner(self.pool.host, version)
        for service in self.pools.services:
            now(service.start("pool", self.master))

    def resign(self) -> None:
        for service in reversed(self.pools.services):
            now(service.stop())

    def finds(self) -> SpmAddress | None:
        return now(self.book.find(self.pool))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_the_spm_says_where_it_is_and_others_find_it(scene: Scene) -> None:
    scene.node(1).become_spm(4)
    assert scene.node(2).finds() == SpmAddress(1, "10.0.0.1", 54321, True, 4)


def test_an_spm_that_gives_its_role_up_takes_its_record_away(scene: Scene) -> None:
    spm = scene.node(1)
    spm.become_spm(4)
    spm.resign()
    assert scene.record == bytes(BLOCK)
    assert scene.node(2).finds() is None


def test_an_spm_that_lost_its_lease_writes_nothing_there(scene: Scene) -> None:
    spm = scene.node(1)
    spm.become_spm(4)
    spm.master.lease.held = False
    before = scene.read("leases")
    spm.resign()
    assert scene.read("leases") == before


def test_an_spm_that_nobody_can_call_leaves_no_old_record(scene: Scene) -> None:
    scene.node(1).become_spm(4)
    scene.node(2, address="127.0.0.1").become_spm(5)
    assert scene.record == bytes(BLOCK)


def test_nothing_but_the_last_block_of_the_lease_is_touched(scene: Scene) -> None:
    scene.node(1).become_spm(4)
    leases = scene.read("leases")
    assert leases[: place(MIB)] == b"\x07" * place(MIB) and len(leases) == 2 * MIB


@pytest.mark.parametrize(
    "owner", [None, LeaseOwner(1, 5), LeaseOwner(3, 4)], ids=["no SPM", "another term", "another host"]
)
def test_a_record_of_another_term_is_not_believed(scene: Scene, owner: LeaseOwner | None) -> None:
    scene.node(1).become_spm(4)
    scene.owner = owner
    assert scene.node(2).finds() is None


def test_nobody_is_called_with_less_encryption_than_one_has(scene: Scene) -> None:
    scene.node(1, tls=False).become_spm(4)
    assert scene.node(2).finds() is None
    assert scene.node(3, tls=False).finds() is not None


def test_rubbish_in_place_of_the_record_is_no_address(scene: Scene) -> None:
    scene.owner = LeaseOwner(1, 4)
    assert scene.node(2).finds() is None


def test_an_address_that_misled_is_asked_for_again_only_when_it_is_another(scene: Scene) -> None:
    scene.node(1).become_spm(4)
    other = scene.node(2)
    assert other.finds() is not None
    other.book.forget()
    assert other.finds() is None
    scene.node(3).become_spm(5)
    assert other.finds() == SpmAddress(3, "10.0.0.3", 54321, True, 5)


def test_a_host_that_joins_empties_its_mailbox(scene: Scene) -> None:
    now(scene.node(3).mailboxes.joined(scene.node(3).pool))
    assert scene.read("inbox")[3 * MAILBOX : 4 * MAILBOX] == BLANK
    assert scene.read("inbox")[4 * MAILBOX : 5 * MAILBOX] == b"\x07" * MAILBOX


def test_the_office_opens_with_an_empty_outbox_and_closes_with_the_role(scene: Scene) -> None:
    spm = scene.node(1)
    spm.become_spm(4)
    assert scene.read("outbox") == bytes(HOSTS * MAILBOX)
    assert scene.clock.getDelayedCalls()
    spm.resign()
    assert scene.clock.getDelayedCalls() == []


def test_wishes_reach_the_spm_as_long_as_the_pool_is_connected(scene: Scene) -> None:
    spm, host = scene.node(1), scene.node(3)
    wish = Extend(MASTER, VOLUME, 512)
    before = Deferred.fromCoroutine(host.mailboxes.ask(host.pool, wish))
    assert before.result.check(CannotExtendVolume)
    before.addErrback(lambda _: None)
    now(host.mailboxes.joined(host.pool))
    now(host.mailboxes.joined(host.pool))
    spm.become_spm(4)
    asked = Deferred.fromCoroutine(host.mailboxes.ask(host.pool, wish))
    for _ in range(20):
        scene.clock.advance(0.125)
    assert asked.result is False, "there is no such domain on the SPM, and it says so"
    now(host.mailboxes.left())
    after = Deferred.fromCoroutine(host.mailboxes.ask(host.pool, wish))
    assert after.result.check(CannotExtendVolume)
    after.addErrback(lambda _: None)
    now(host.mailboxes.left())


def test_the_spm_reads_and_empties_as_many_mailboxes_as_it_was_told(scene: Scene) -> None:
    """Host 3 is the last of four, counted from the ring of the bell (spec storage-format 6.1, 6.2)."""
    spm, last, beyond = scene.node(1), scene.node(3), scene.node(4)
    for host in (last, beyond):
        now(host.mailboxes.joined(host.pool))
    spm.pool.spm.hosts = 4
    spm.become_spm(4)
    assert scene.read("outbox") == bytes(4 * MAILBOX) + b"\x07" * ((HOSTS - 4) * MAILBOX)
    wish = Extend(MASTER, VOLUME, 512)
    heard, unheard = (Deferred.fromCoroutine(host.mailboxes.ask(host.pool, wish)) for host in (last, beyond))
    for _ in range(40):
        scene.clock.advance(0.125)
    assert heard.result is False, "there is no such domain on the SPM, and it says so"
    assert not unheard.called
    assert scene.read("outbox")[4 * MAILBOX :] == b"\x07" * ((HOSTS - 4) * MAILBOX)
    unheard.addErrback(lambda _: None)
    for host in (last, beyond):
        now(host.mailboxes.left())


def test_a_pool_that_no_other_host_can_see_has_no_mailbox(scene: Scene) -> None:
    scene.type = "LOCALFS"
    node = scene.node(1)
    now(node.mailboxes.joined(node.pool))
    node.become_spm(4)
    assert scene.read("inbox") == scene.read("outbox") == b"\x07" * (HOSTS * MAILBOX)
    assert scene.read("leases") == b"\x07" * (2 * MIB)
    node.resign()
    now(node.mailboxes.left())
