"""When thin volumes grow, and the word of the SPM about where it is."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.peers.endpoint import Endpoint
from virgate.node.storage.thin.address import BLOCK, SpmAddress, is_host, place
from virgate.node.storage.thin.policy import Figures, Policy, Verdict
from virgate.units import GiB, MiB, Size

OLD = Policy(Size.gib(1), 50)


def figures(capacity: int, allocation: int, physical: int) -> Figures:
    return Figures(Size(capacity), Size(allocation), Size(physical))


def test_vector_49():
    assert OLD.next_size(Size.gib(1), Size.gib(10)).bytes == 2147483648
    assert OLD.next_size(Size(10 * GiB + GiB // 2), Size.gib(10)).bytes == 11811160064
    assert OLD.watermark.bytes == 536870912
    assert OLD.doubled.next_size(Size.gib(1), Size.gib(10)).bytes == 3221225472
    assert OLD.doubled.watermark.bytes == 1073741824


def test_the_defaults_are_those_of_newer_hosts():
    assert Policy().watermark == Size.mib(2048)


@pytest.mark.parametrize(
    ("allocation", "physical", "verdict"),
    [
        (0, GiB, Verdict.REST),
        (GiB // 2, GiB, Verdict.REST),
        (GiB // 2 + 1, GiB, Verdict.GROW),
        (2 * GiB, GiB, Verdict.GROW),
        (2 * GiB + 1, GiB, Verdict.PAUSE),
        (11 * GiB, 11 * GiB, Verdict.REST),
        (11 * GiB + 1, 11 * GiB, Verdict.PAUSE),
    ],
)
def test_a_volume_grows_when_less_than_the_watermark_is_free(allocation, physical, verdict):
    assert OLD.judge(figures(10 * GiB, allocation, physical)) is verdict


@given(
    st.integers(0, 1 << 42), st.integers(0, 1 << 42), st.integers(0, 1 << 42), st.integers(1, 10000), st.integers(0, 99)
)
def test_a_volume_that_must_grow_gets_larger_and_its_mark_lies_before_the_watermark(
    capacity, allocation, physical, chunk, percent
):
    policy, found = Policy(Size.mib(chunk), percent), figures(capacity, allocation, physical)
    mark = policy.threshold(found)
    if policy.judge(found) is Verdict.GROW:
        wanted = policy.next_size(found.physical, found.capacity)
        assert physical < wanted.bytes <= policy.most(found.capacity).bytes and wanted.bytes % MiB == 0
        assert allocation > physical - policy.watermark.bytes
    if mark:
        assert physical - mark <= policy.watermark.bytes


def test_a_volume_that_has_all_it_can_need_is_not_watched():
    assert OLD.threshold(figures(GiB, 0, 2 * GiB)) == 0
    assert OLD.threshold(figures(10 * GiB, 0, GiB // 4)) == 1


HERE = SpmAddress(3, "node-3.example", 54321, True, 17)


def test_the_record_of_the_spm_stands_in_the_last_block_of_its_lease():
    assert place(1 << 20) == 2097152 - 4096
    assert len(HERE.encode()) == BLOCK and SpmAddress.decode(HERE.encode()) == HERE


@pytest.mark.parametrize(
    "spoilt",
    [
        {"host": 0},
        {"host": True},
        {"port": 0},
        {"port": 65536},
        {"port": "54321"},
        {"tls": 1},
        {"version": "x"},
        {"address": ""},
        {"address": "a b"},
        {"address": "a/../b"},
        {"address": "x" * 300},
        {"address": "host\r\nX-Other: 1"},
        {"address": "-oProxyCommand"},
        {"address": "fe80::1%eth0"},
        {"address": None},
    ],
)
def test_a_record_that_is_not_sound_is_none(spoilt):
    told = json.loads(HERE.encode().rstrip(b"\0")) | spoilt
    assert SpmAddress.decode(json.dumps(told).encode().ljust(BLOCK, b"\0")) is None


@given(st.binary(max_size=BLOCK))
def test_no_bytes_break_the_reader_of_records(block):
    found = SpmAddress.decode(block)
    assert found is None or is_host(found.address)


@pytest.mark.parametrize("address", ["10.1.2.3", "fd00::1", "::ffff:10.0.0.1", "node", "node-3.example.org"])
def test_addresses_and_names_are_hosts(address):
    assert is_host(address)


@pytest.mark.parametrize(
    ("section", "address", "tls"),
    [
        ({}, "", False),
        ({"address": "localhost"}, "", False),
        ({"address": "10.1.2.3"}, "10.1.2.3", True),
        ({"address": "10.1.2.3", "tls": False}, "10.1.2.3", False),
        ({"address": "127.0.0.1", "tls": True}, "", True),
        ({"address": "10.1.2.3", "port": 0}, "", True),
    ],
)
def test_a_port_that_others_cannot_reach_is_not_told(section, address, tls):
    found = Endpoint.described(section, Path("/state"))
    assert (found.address, found.tls, found.key) == (address, tls, Path("/state/pki/host.key"))


def test_the_operator_knows_better():
    assert Endpoint.described({}, Path("/state"), "node-1").address == "node-1"
