"""Leases kept by sanlock, between real hosts: one writer at a time, whatever dies."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.cleanup import Lab
from lab.lease_hosts import SANLOCK, Member, Refused
from lab.network import Network
from lab.servers import NfsServer
from lab.uml import UmlHost

T = 2
"""Seconds of sanlock's io timeout; all its bounds follow from it."""
RENEWAL, LOST, DEAD = 2 * T, 8 * T, 8 * T + 60
SLACK = 5.0
"""For slow hosts: processes start ten times slower there."""

MOUNT = "mkdir -p /mnt/data; mount -t nfs4 -o soft,timeo=20,retrans=1 storage:/data /mnt/data"
FOLDER = "/mnt/data"


@dataclass
class Site:
    lab: Lab
    nfs: NfsServer
    east: UmlHost
    west: UmlHost
    domains: int = 0

    def domain(self) -> tuple[Member, Member]:
        """Both hosts' parts in a new domain with fresh leases."""
        self.domains += 1
        name = f"5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e20{self.domains:02}"
        self.east.shell(f"mkdir {FOLDER}/{name}; cd {FOLDER}/{name}; touch ids leases; truncate -s 16M xleases")
        east, west = (Member(self.lab, host, FOLDER, name, T) for host in (self.east, self.west))
        east.call("initialize")
        return east, west

    def joined(self) -> tuple[Member, Member]:
        members = self.domain()
        joining = [(member, member.begin("join", number)) for number, member in enumerate(members, start=1)]
        for member, call in joining:
            member.finish(call)
        return members


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        network = Network(lab)
        nfs = NfsServer(lab, network, ["data"])
        east, west = UmlHost(lab, network, "east"), UmlHost(lab, network, "west")
        for host in (east, west):
            host.shell(MOUNT)
            host.shell(SANLOCK.format(name=host.name))
        yield Site(lab, nfs, east, west)


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
            time.sleep(0.2)


def test_one_host_holds_a_lease_and_the_other_is_told_who(site: Site) -> None:
    east, west = site.joined()
    assert (east.call("joined"), west.call("joined"), west.call("inquire")) == (1, 2, None)
    east.call("acquire")
    east.call("acquire")
    assert (east.call("held"), west.call("held")) == (True, False)
    assert west.call("inquire") == east.call("inquire") == [1, 1]
    with pytest.raises(Refused, match="host id 1 holds SDM") as refused:
        west.call("acquire")
    assert refused.value.code == 651
    east.call("release")
    assert west.call("inquire") is None
    west.call("acquire")
    assert east.call("inquire") == [2, 2]
    with pytest.raises(Refused, match="leases are held"):
        west.call("leave")
    west.call("release")
    for member in (east, west):
        member.call("leave")
        assert member.call("joined") is None
    assert east.domain not in site.east.shell("sanlock client status")


def test_a_lease_besides_the_spm_s_is_one_host_s_as_well_and_carries_a_value(site: Site) -> None:
    east, west = site.joined()
    place = ["some-volume", f"{FOLDER}/{east.domain}/xleases", 3 << 20]
    with pytest.raises(Refused) as refused:
        east.call("acquire_other", place)
    assert refused.value.code == 651
    assert east.call("inquire_other", place) is None
    east.call("write_other", place, "some-volume")
    east.call("acquire_other", place)
    assert west.call("inquire_other", place) == [1, 1]
    with pytest.raises(Refused, match="host id 1 holds some-volume"):
        west.call("acquire_other", place)
    assert east.call("held") is False
    east.call("release_other", place)
    west.call("set value", place, "told")
    site.east.shell(f"dd if={place[1]} bs=512 skip={(3 << 11) + 2002} count=1 iflag=direct status=none | grep -q told")
    west.call("write_other", place, "")
    assert east.call("inquire_other", place) is None


def test_a_host_id_in_use_is_refused(site: Site) -> None:
    east, west = site.domain()
    east.call("join", 1)
    with pytest.raises(Refused) as refused:
        west.call("join", 1)
    assert refused.value.code == 661
    east.call("join", 1)


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
    holder = east.host.shell("pgrep -o -f leases/sanlock/holder.py").strip()
    east.host.shell(f"kill -9 {holder}")
    assert "killed" in east.lost(SLACK)[1]
    with pytest.raises(Refused, match="host id 1 holds SDM"):
        west.call("acquire")
    east.call("release")
    assert acquired(west, SLACK) < SLACK


def test_a_crashed_host_s_lease_is_taken_after_the_bound_and_not_before(site: Site) -> None:
    east, west = site.joined()
    west.call("acquire")
    site.west.crash()
    began = time.monotonic()
    acquired(east, DEAD + 7 * T + SLACK)
    took = time.monotonic() - began
    print(f"\ntaken over {took:.1f} s after the crash; sanlock's bound is {DEAD - RENEWAL} to {DEAD + 7 * T} s")
    assert took > DEAD - RENEWAL - T
    site.west.boot()
    site.west.shell(MOUNT)
    site.west.shell(SANLOCK.format(name="west"))


def test_a_host_cut_off_hears_of_the_loss_before_another_can_have_the_lease(site: Site) -> None:
    east, west = site.joined()
    west.call("acquire")
    site.west.port.cut()
    began = time.time()
    lost, why = west.lost(LOST + RENEWAL + SLACK)
    print(f"\nlost after {lost - began:.1f} s: {why}; sanlock gives up after {LOST} s")
    assert lost - began <= LOST + SLACK
    assert west.call("held") is False
    west.call("release")
    acquired(east, DEAD + 7 * T + SLACK)
    print(f"taken over after {time.time() - began:.1f} s")
    assert time.time() > lost + T
    site.west.port.mend()


def test_without_the_service_the_error_says_what_to_do(site: Site) -> None:
    site.east.shell("kill $(cat /run/sanlock/sanlock.pid); while sanlock client status 2>/dev/null; do sleep 0.1; done")
    member = Member(site.lab, site.east, FOLDER, "5f1e0a52-7c1d-4f0e-9d5b-0c9d8a3e2099", T)
    with pytest.raises(Refused, match="sanlock does not run on this host: start it"):
        member.call("join", 1)
