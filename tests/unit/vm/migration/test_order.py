"""What clients ask for, and the documents that go to the other side."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from virgate.libvirt import moving
from virgate.node.vm.migration import documents, downtime, options
from virgate.node.vm.migration.addresses import Destination, connection_uri
from virgate.node.vm.migration.convergence import Convergence, Schedule
from virgate.node.vm.migration.errors import BadOrder
from virgate.node.vm.migration.order import Order

DOMAIN = """<domain type='qemu'><uuid>u</uuid>
  <metadata><vm xmlns='http://ovirt.org/vm/1.0'>{metadata}</vm></metadata>
  <vcpu>2</vcpu>
  <cputune><vcpupin vcpu='0' cpuset='0'/><vcpupin vcpu='1' cpuset='1'/></cputune>
  <cpu><numa><cell id='0' memory='1'/></numa></cpu>
  <devices>
    <disk type='file'><source file='/here/a'/><target dev='vda'/></disk>
    <disk type='block'><source dev='/dev/here'/><target dev='vdb'/></disk>
    <disk type='network'><source name='pool/a'/><target dev='vdc'/></disk>
    <graphics type='vnc'/>
  </devices></domain>"""
MANUAL = "<cpuPolicy>manual</cpuPolicy><manuallyPinedCPUs>1</manuallyPinedCPUs>"


def order(**params: Any) -> Order:
    return Order.read({"dst": "hostb", **params})


def pins(text: str) -> dict[str, str]:
    return {str(pin.get("vcpu")): str(pin.get("cpuset")) for pin in etree.fromstring(text.encode()).iter("vcpupin")}


def test_booleans_may_be_words_and_nothing_is_said_by_zero() -> None:
    asked = order(tunneled="true", compressed="false", parallel="0", maxBandwidth=0, downtime="250", outgoingLimit=3)
    assert (asked.tunneled, asked.compressed, asked.parallel, asked.bandwidth) == (True, False, None, None)
    assert (asked.downtime, asked.outgoing) == (250, 3)


def test_no_destination_means_this_host() -> None:
    assert Order.read({}).destination == Order.read({"dst": "0"}).destination == Destination("localhost")


@pytest.mark.parametrize(
    "params",
    [
        {"dst": "a b"},
        {"dst": "[::1"},
        {"dst": "a:b"},
        {"dst": "a:70000"},
        {"dst": "http://a/"},
        {"maxBandwidth": "fast"},
        {"parallel": -1},
        {"cpusets": ["0;1"]},
        {"cpusets": "0"},
        {"numaNodesets": [None]},
        {"convergenceSchedule": "no"},
        {"convergenceSchedule": {"init": [{"name": "setDowntime", "params": ["soon"]}]}},
        {"convergenceSchedule": {"stalling": [{"limit": "x"}]}},
        {"convergenceSchedule": {"stalling": "x"}},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(BadOrder):
        order(**params)


@given(st.text(string.ascii_letters + string.digits + ".-", min_size=1, max_size=30), st.integers(1, 65535))
def test_a_destination_is_read_as_it_is_written(host: str, port: int) -> None:
    assert Destination.read(str(Destination(host, port))) == Destination(host, port)


@given(st.ip_addresses(v=6), st.integers(1, 65535))
def test_so_is_an_address_in_brackets(host: Any, port: int) -> None:
    assert Destination.read(str(Destination(str(host), port))) == Destination(str(host), port)


@given(st.text())
def test_nothing_else_than_a_host_becomes_part_of_a_uri(text: str) -> None:
    try:
        found = Destination.read(text)
    except BadOrder:
        return
    assert not set(found.host) & set("/?#@ %")


@given(st.integers(10, 100000), st.integers(1, 50))
def test_the_downtime_only_grows_and_ends_about_where_it_should(most: int, number: int) -> None:
    found = downtime.steps(most, number)
    assert len(found) == number and found == sorted(found) and abs(found[-1] - most) <= 1


@given(st.lists(st.integers(0, 60), max_size=80))
def test_a_schedule_never_does_more_than_it_has(iterations: list[int]) -> None:
    schedule = Schedule.read(downtime.schedule(500, 5))
    convergence = Convergence(schedule)
    done = [action for one in iterations if (action := convergence.sample(one)) is not None]
    assert done == [entry.action for entry in schedule.stalling][: len(done)]


def test_the_hypervisor_is_reached_as_the_management_port_is() -> None:
    assert connection_uri("fd00::1", tls=True) == "qemu+tls://[fd00::1]/system"
    assert connection_uri("b", tls=False) == "qemu+tcp://b/system"
    assert connection_uri("b", tls=True, template="qemu+ssh://{host}/system") == "qemu+ssh://b/system"


def test_the_numbers_are_libvirts() -> None:
    names = ("LIVE", "PEER2PEER", "TUNNELLED", "PERSIST_DEST", "UNSAFE", "COMPRESSED", "ABORT_ON_ERROR")
    names += ("AUTO_CONVERGE", "POSTCOPY", "TLS", "PARALLEL", "ZEROCOPY")
    libvirt = moving.libvirt
    assert {name: getattr(options, name) for name in names} == {
        name: getattr(libvirt, f"VIR_MIGRATE_{name}") for name in names
    }
    assert options.flags(order(), trust_storage=True) & options.UNSAFE


def test_pinning_to_this_host_stays_here_unless_somebody_meant_every_host() -> None:
    assert pins(documents.told(DOMAIN.format(metadata=""))) == {}
    assert pins(documents.told(DOMAIN.format(metadata=MANUAL))) == {"1": "1"}


def test_the_client_says_where_its_processors_and_memory_go() -> None:
    text = documents.adapted(DOMAIN.format(metadata=""), order(cpusets=["2-3", None], numaNodesets=["1"]))
    assert pins(text) == {"0": "2-3"}
    assert etree.fromstring(text.encode()).xpath("string(numatune/memnode[@cellid='0']/@nodeset)") == "1"


@pytest.mark.parametrize("sets", [{"cpusets": ["0"]}, {"numaNodesets": ["0", "1"]}])
def test_sets_must_fit_the_machine(sets: dict[str, Any]) -> None:
    with pytest.raises(BadOrder):
        documents.adapted(DOMAIN.format(metadata=""), order(**sets))


def test_disks_are_where_the_destination_says() -> None:
    there = [
        {"type": "disk", "name": "vda", "path": "/there/a"},
        {"type": "disk", "name": "vdb", "path": ""},
        {"type": "disk", "name": "vdc", "path": "/there/c"},
        {"type": "interface", "name": "vdb", "path": "/no"},
    ]
    root = etree.fromstring(documents.adapted(DOMAIN.format(metadata=""), order(), there).encode())
    assert [dict(source.attrib) for source in root.iter("source")] == [
        {"file": "/there/a"},
        {"dev": "/dev/here"},
        {"name": "pool/a"},
    ]


def test_screens_and_cluster_are_read_from_the_document() -> None:
    text = DOMAIN.format(metadata="<clusterVersion>4.7</clusterVersion>")
    assert documents.screens(text) == {"vnc"} and options.version(documents.cluster(text)) == (4, 7)
    assert (
        options.parameters(order(consoleAddress="c:5900"), 0, text, frozenset({"vnc"}))["graphics_uri"]
        == "vnc://c:5900"
    )
    assert options.version("unknown") == options.version(None) == ()
