"""Statistics from two samples: values, types, and what is absent without samples (spec xmlrpc-host-vm 4.6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.vm.stats import Nic, Sample, Shape, sampled

NIC = Shape(nics=(Nic("vnet0", "52:54:00:00:00:01", "virtio"),))


def nic(**counters: int) -> dict[str, Any]:
    return {"net.count": 1, "net.0.name": "vnet0", **{f"net.0.{k.replace('_', '.')}": v for k, v in counters.items()}}


def disk(name: str = "vda", **counters: int) -> dict[str, Any]:
    return {
        "block.count": 1,
        "block.0.name": name,
        **{f"block.0.{k.replace('_', '.')}": v for k, v in counters.items()},
    }


def after_15_seconds(shape: Shape, before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return sampled(shape, Sample(100.0, before), Sample(115.0, now))


def test_no_sample_says_only_that_the_processor_is_idle() -> None:
    assert sampled(Shape(), None, None) == {"cpuUser": "0.00", "cpuSys": "0.00"}


def test_one_sample_has_totals_and_no_rates() -> None:
    members = sampled(NIC, None, Sample(1.0, {"cpu.user": 7, "cpu.system": 3, "vcpu.current": 2} | nic(rx_bytes=1)))
    assert members["cpuUser"] == members["cpuSys"] == "0.00"
    assert members["cpuUsage"] == "10"
    assert members["vcpuCount"] == "2"
    assert "network" not in members and "disks" not in members


def test_a_balloon_reports_all_four_figures_or_none() -> None:
    values = {"balloon.current": 65536, "balloon.maximum": 131072}
    shape = Shape(memory_kib=131072, ballooning=True, balloon_min_kib=32768)
    with_balloon = sampled(shape, None, Sample(1.0, values))
    assert with_balloon["balloonInfo"] == {
        "balloon_max": "131072",
        "balloon_min": "32768",
        "balloon_cur": "65536",
        "balloon_target": "131072",
    }
    assert "balloonInfo" not in sampled(Shape(memory_kib=131072), None, Sample(1.0, values))
    assert "balloonInfo" not in sampled(shape, None, Sample(1.0, {}))


@pytest.mark.parametrize(("free", "usage"), [(None, "0"), (131072, "0"), (65536, "50"), (0, "100"), (999999, "0")])
def test_memory_usage_is_a_whole_per_cent(free: int | None, usage: str) -> None:
    values = {} if free is None else {"balloon.unused": free}
    assert sampled(Shape(memory_kib=131072), None, Sample(1.0, values))["memUsage"] == usage


def test_an_emulated_nic_is_slow_and_a_hostdev_nic_is_left_out() -> None:
    shape = Shape(nics=(Nic("vnet0", "m", "rtl8139"), Nic("gone0", "n", "virtio")))
    found = after_15_seconds(shape, nic(rx_bytes=0), nic(rx_bytes=1875000))["network"]
    assert list(found) == ["vnet0"]
    assert (found["vnet0"]["speed"], found["vnet0"]["rxRate"]) == ("100", "1.0")


def test_a_nic_that_moved_in_the_list_keeps_its_own_counters() -> None:
    shape = Shape(nics=(Nic("vnet1", "m", "virtio"),))
    before = {"net.count": 2, "net.0.name": "vnet0", "net.1.name": "vnet1", "net.1.rx.bytes": 100}
    now = {"net.count": 1, "net.0.name": "vnet1", "net.0.rx.bytes": 18750100}
    assert after_15_seconds(shape, before, now)["network"]["vnet1"]["rxRate"] == "1.0"


def test_a_counter_that_wrapped_counts_on() -> None:
    found = after_15_seconds(NIC, nic(rx_bytes=(1 << 32) - 1), nic(rx_bytes=18749999))["network"]["vnet0"]
    assert found["rxRate"] == "1.0"


def test_a_disk_tells_who_it_is_and_what_it_did() -> None:
    shape = Shape(disks={"vda": {"imageID": "i1"}})
    now = disk(rd_bytes=15000, rd_reqs=15, rd_times=30_000_000, wr_reqs=0, allocation=4096, physical=8192)
    found = after_15_seconds(shape, disk(), now)["disks"]["vda"]
    assert found == {
        "imageID": "i1",
        "truesize": "8192",
        "apparentsize": "8192",
        "readLatency": "2000000",
        "writeLatency": "0",
        "flushLatency": "0",
        "readRate": "1000.0",
        "writeRate": "0.0",
        "readOps": "15",
        "writeOps": "0",
        "readBytes": "15000",
        "writtenBytes": "0",
    }


def test_a_sparse_image_reaches_further_than_it_takes_and_a_device_never_less() -> None:
    now = disk(allocation=65536, physical=4096, capacity=1 << 20)
    raw = after_15_seconds(Shape(raw_disks=frozenset({"vda"})), disk(), now)["disks"]["vda"]
    cow = after_15_seconds(Shape(), disk(), now)["disks"]["vda"]
    device = after_15_seconds(Shape(), disk(), disk(allocation=65536, physical=1 << 30))["disks"]["vda"]
    assert (raw["truesize"], raw["apparentsize"]) == ("4096", str(1 << 20))
    assert (cow["truesize"], cow["apparentsize"]) == ("4096", "65536")
    assert (device["truesize"], device["apparentsize"]) == (str(1 << 30), str(1 << 30))


def test_a_disk_that_was_just_plugged_in_waits_for_its_second_sample() -> None:
    assert after_15_seconds(Shape(), {}, disk(rd_bytes=1))["disks"] == {}


counters = st.integers(0, 1 << 62)


@given(counters, counters, counters, counters, st.floats(0.01, 1e5))
def test_whatever_is_counted_the_answer_fits_the_wire(a: int, b: int, c: int, d: int, seconds: float) -> None:
    before = {"cpu.time": a, "cpu.user": b} | nic(rx_bytes=c) | disk(rd_bytes=d, rd_reqs=a)
    now = {"cpu.time": b, "cpu.user": a} | nic(rx_bytes=d) | disk(rd_bytes=c, rd_reqs=b)
    members = sampled(NIC, Sample(0.0, before), Sample(seconds, now))
    for value in (*members.values(), *members["network"]["vnet0"].values(), *members["disks"]["vda"].values()):
        assert value is not None
        assert not isinstance(value, int) or isinstance(value, bool)
    assert float(members["cpuUser"]) >= 0 and float(members["cpuSys"]) >= 0
