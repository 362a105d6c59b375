"""Leases kept by sanlock, between real hosts: one writer at a time, whatever dies."""

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from contract.storage.leases import LeaseManagerContract, VolumeLeaseContract

from lab.cleanup import Lab
from lab.lease_hosts import SANLOCK, Member, Refused
from lab.network import Network
from lab.servers import NfsServer
from lab.uml import UmlHost
from virgate.hookspecs.leases import LeaseOwner, LeasePlace, LeaseSpace
from virgate_plugins.leases.sanlock.lease import SanlockLease

T = 2
"""Seconds of sanlock's io timeout; all its bounds follow from it."""
RENEWAL, LOST, DEAD = 2 * T, 8 * T, 8 * T + 60
PATIENCE = 2 * DEAD
"""For calls that watch another host's id until it is dead."""
SLACK = 5.0
"""For slow hosts: processes start ten times slower there."""

MOUNT = "mkdir -p /mnt/data; mount -t nfs4 -o soft,timeo=20,retrans=1 storage:/data /mnt/data"
FOLDER = "/mnt/data"
MACHINE = "11111111-1111-4111-8111-111111111111"


@dataclass(eq=False)
class Pending:
    """A call that takes more than a minute, made early: other tests run meanwhile."""

    member: Member
    number: int
    began: float
    """By the clock of the machine, as all times here."""

    def took(self) -> float:
        self.member.finish(self.number, PATIENCE)
        return self.member.ended(self.number) - self.began


@dataclass(eq=False)
class Site:
    lab: Lab
    nfs: NfsServer
    network: Network
    hosts: dict[str, UmlHost] = field(default_factory=dict)
    domains: int = 0
    members: list[Member] = field(default_factory=list)
    """Those whose daemons run."""

    def member(self, host: str, domain: str) -> Member:
        made = Member(self.lab, self.hosts[host], FOLDER, domain, T)
        self.members.append(made)
        return made

    def host(self, name: str) -> UmlHost:
        host = self.hosts[name] = UmlHost(self.lab, self.network, name, memory=512)
        host.shell(MOUNT)
        host.shell(SANLOCK.format(name=name))
        return host

    def folder(self) -> str:
        """A domain without leases yet; answers its id."""
        self.domains += 1
        name = f"5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e20{self.domains:02}"
        self.hosts["east"].shell(f"mkdir {FOLDER}/{name}; cd {FOLDER}/{name}; touch ids leases xleases leases.lease")
        return name

    def domain(self, *names: str) -> list[Member]:
        """The hosts' parts in a new domain with fresh leases."""
        folder = self.folder()
        members = [self.member(name, folder) for name in names]
        members[0].call("initialize")
        return members

    def joined(self, *names: str) -> list[Member]:
        members = self.domain(*(names or ("east", "west")))
        joining = [(member, member.begin("join", number)) for number, member in enumerate(members, start=1)]
        for member, call in joining:
            member.finish(call)
        return members


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        network = Network(lab)
        made = Site(lab, NfsServer(lab, network, ["data"]), network)
        for name in ("east", "west", "north", "south"):
            made.host(name)
        yield made


@pytest.fixture(scope="module", autouse=True)
def crashed(site: Site) -> Pending:
    """North holds a lease and loses its power; east wants it from that moment on."""
    north, east = site.joined("north", "east")
    north.call("acquire")
    site.hosts["north"].crash()
    began = time.time()
    return Pending(east, east.begin("acquire at last"), began)


@pytest.fixture(scope="module", autouse=True)
def cut(site: Site) -> tuple[Member, Pending]:
    """South holds a lease and loses its network; east wants it from that moment on."""
    south, east = site.joined("south", "east")
    south.call("acquire")
    place = ["a-volume", f"{FOLDER}/{south.domain}/leases.lease", 0]
    south.call("write_other", place, place[0])
    south.call("guarded guest", MACHINE, place)
    site.hosts["south"].port.cut()
    began = time.time()
    return south, Pending(east, east.begin("acquire at last"), began)


@pytest.fixture(scope="module", autouse=True)
def misnumbered(site: Site) -> Pending:
    """West wants the host id that east has."""
    east, west = site.domain("east", "west")
    east.call("join", 1)
    began = time.time()
    return Pending(west, west.begin("join", 1), began)


@pytest.fixture(autouse=True)
def _no_daemon_stays(site: Site, crashed: Pending, cut: object, misnumbered: Pending) -> Iterator[None]:
    """A host has little memory; what other tests wait for goes on."""
    before = len(site.members)
    yield
    for member in site.members[before:]:
        member.kill()
    del site.members[before:]


class Remote:
    """The lease manager of a host, for the contract: what is asked is done there. The reactor waits."""

    volume_leases = True
    site: ClassVar[Site]
    made: ClassVar[int]

    def __init__(self, space: LeaseSpace) -> None:
        host = ("east", "west")[type(self).made]
        type(self).made += 1
        self.member = self.site.member(host, space.domain)
        self.tell: Callable[[str], None] = print
        self.fresh = SanlockLease(space).fresh

    @property
    def joined(self) -> int | None:
        return self.member.call("joined")  # type: ignore[no-any-return]

    @property
    def held(self) -> bool:
        return self.member.call("held")  # type: ignore[no-any-return]

    def when_lost(self, tell: Callable[[str], None]) -> None:
        """Nothing is lost in the contract."""

    def when_others_lost(self, tell: Callable[[str], Awaitable[None]]) -> Callable[[], None]:
        """Nothing is lost in the contract."""
        return lambda: None

    async def lives(self, host: int) -> bool:
        return bool(self.member.call("lives", host))

    async def inquire(self) -> LeaseOwner | None:
        return self._owner(self.member.call("inquire"))

    async def inquire_other(self, place: LeasePlace) -> LeaseOwner | None:
        return self._owner(self.member.call("inquire_other", _told(place)))

    async def change_value(self, place: LeasePlace, change: Callable[[bytes], bytes]) -> None:
        old = self.member.call("value", _told(place)).encode()
        new = change(old.ljust(512, b"\0"))
        self.member.call("set value", _told(place), new.rstrip(b"\0").decode())

    def __getattr__(self, method: str) -> Any:
        async def call(*arguments: Any) -> None:
            self.member.call(method, *(_told(a) if isinstance(a, LeasePlace) else a for a in arguments))

        return call

    @staticmethod
    def _owner(found: list[int] | None) -> LeaseOwner | None:
        return LeaseOwner(*found) if found else None


def _told(place: LeasePlace) -> list[object]:
    return [place.name, str(place.path), place.offset]


class TestSanlock(LeaseManagerContract, VolumeLeaseContract):
    @pytest.fixture
    def type(self, site: Site) -> type[Remote]:
        Remote.site, Remote.made = site, 0
        return Remote

    @pytest.fixture
    def space(self, site: Site) -> LeaseSpace:
        domain = site.folder()
        return LeaseSpace(domain, Path(FOLDER, domain, "ids"), Path(FOLDER, domain, "leases"))


def acquired(member: Member, patience: float) -> float:
    """Tries until the lease is had; seconds it took."""
    began = time.monotonic()
    while True:
        try:
            member.call("acquire")
            return time.monotonic() - began
        except Refused as refused:
            assert refused.code == 651
            assert time.monotonic() - began < patience, refused


def test_a_refusal_names_the_host_that_holds_the_lease(site: Site) -> None:
    east, west = site.joined()
    east.call("acquire")
    assert west.call("inquire") == east.call("inquire") == [1, 1]
    with pytest.raises(Refused, match="host id 1 holds SDM"):
        west.call("acquire")
    with pytest.raises(Refused, match="leases are held"):
        east.call("leave")
    east.call("release")
    for member in (east, west):
        member.call("leave")
    assert east.domain not in site.hosts["east"].shell("sanlock client status")


def test_a_killed_daemon_s_lease_goes_when_its_last_writer_has_gone(site: Site) -> None:
    east, west = site.joined()
    east.call("acquire")
    writer = east.call("write for ever")
    east.kill()
    for _ in range(3):
        with pytest.raises(Refused, match="host id 1 holds SDM"):
            west.call("acquire")
    east.host.shell(f"kill -9 {writer}")
    assert acquired(west, SLACK) < SLACK
    west.call("release")
    east.start()
    east.call("join", 1)
    east.call("acquire")
    assert west.call("inquire")[0] == 1


def test_a_killed_holder_is_a_loss_and_others_wait_until_the_daemon_has_stopped(site: Site) -> None:
    east, west = site.joined()
    east.call("acquire")
    east.host.shell(f"kill -9 {east.call('holder')}")
    assert "killed" in east.lost(SLACK)[1]
    with pytest.raises(Refused, match="host id 1 holds SDM"):
        west.call("acquire")
    east.call("release")
    assert acquired(west, SLACK) < SLACK


def test_a_machine_s_disk_is_its_host_s_until_the_guest_has_gone_whatever_becomes_of_the_daemon(site: Site) -> None:
    east, west = site.joined()
    place = ["a-volume", f"{FOLDER}/{east.domain}/leases.lease", 0]
    east.call("write_other", place, place[0])
    guest = east.call("guarded guest", MACHINE, place)
    east.kill()
    for _ in range(2):
        with pytest.raises(Refused, match="host id 1 holds a-volume"):
            west.call("guarded guest", MACHINE, place)
    east.host.shell(f"kill -9 {guest}")
    began = time.monotonic()
    while west.call("inquire_other", place) is not None:
        assert time.monotonic() - began < SLACK
    west.call("guarded guest", MACHINE, place)
    assert west.call("inquire_other", place)[0] == 2


def test_the_lease_of_a_disk_that_a_running_machine_has_no_more_is_free(site: Site) -> None:
    east, west = site.joined()
    file = f"{FOLDER}/{east.domain}/leases.lease"
    places = [["kept", file, 0], ["gone", file, 1 << 20]]
    for place in places:
        east.call("write_other", place, place[0])
    guest = east.call("guarded guest", MACHINE, *places)
    east.call("unguard", MACHINE, places[1])
    east.call("unguard", MACHINE, places[1])
    west.call("acquire_other", places[1])
    with pytest.raises(Refused, match="host id 1 holds kept"):
        west.call("acquire_other", places[0])
    east.host.shell(f"kill -9 {guest}")


def test_without_the_service_the_error_says_what_to_do(site: Site) -> None:
    site.hosts["west"].shell("kill -9 $(cat /run/sanlock/sanlock.pid)")
    west = site.member("west", site.folder())
    with pytest.raises(Refused, match="sanlock does not run on this host: start it"):
        west.call("join", 1)


# what was begun before all else


def test_a_host_cut_off_hears_of_the_loss_before_another_can_have_the_lease(cut: tuple[Member, Pending]) -> None:
    south, takeover = cut
    when, why = south.lost(PATIENCE)
    lost = when - takeover.began
    print(f"\nlost {lost:.1f} s after the cut: {why}; sanlock gives up {LOST} s after its last renewal")
    assert lost <= LOST + SLACK
    assert south.call("held") is False
    south.call("release")
    took = takeover.took()
    print(f"another host had it {took:.1f} s after the cut")
    assert took > LOST + SLACK > lost


def test_a_guarded_guest_is_ended_when_its_host_is_cut_off(cut: tuple[Member, Pending]) -> None:
    south, _ = cut
    assert south.call("guests") == []


def test_a_crashed_host_s_lease_is_taken_after_the_bound_and_not_before(crashed: Pending) -> None:
    took = crashed.took()
    print(f"\ntaken over {took:.1f} s after the crash; sanlock's bound is {DEAD - RENEWAL} to {DEAD + 7 * T} s")
    assert DEAD - RENEWAL - T < took < DEAD + 7 * T + SLACK


def test_a_host_id_in_use_is_refused(misnumbered: Pending) -> None:
    with pytest.raises(Refused, match="another host uses the same id") as refused:
        misnumbered.took()
    assert refused.value.code == 661
