"""What `lvm` prints, as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virgate.node.storage.errors.volume_groups import UnreadableReport
from virgate.node.storage.lvm import reports

GROUPS = b"""\
  HwcBep-zIo0|data|wz-pn-|24964497408|24830279680|134217728|186|185|RHAT_storage_domain,MDT_A=b|134217728|67106304|1|2|/dev/loop0
  HwcBep-zIo0|data|wz-pn-|24964497408|24830279680|134217728|186|185|RHAT_storage_domain,MDT_A=b|134217728|67106304|1|2|[unknown]
  Other1-aaaa|other|wz--n-|4294967296|4294967296|4194304|1024|1024||1044480|520192|0|1|/dev/sda
"""
VOLUMES = b"""\
  XWx90b|metadata|data|-wi-ao----|134217728|0|/dev/loop0(0)|
  XWx90c|grown|data|-wi-------|402653184|0|/dev/loop0(4)|IU_a,PU_b,MD_5
  XWx90c|grown|data|-wi-------|402653184|2|/dev/loop1(7)|IU_a,PU_b,MD_5
  XWx90d|striped|other|-wi-a-----|402653184|0|/dev/loop0(9),/dev/loop1(3)|
"""
DEVICES = b"""\
  ZvhuiN|/dev/loop0|12482248704|data|HwcBep|135266304|93|1|2|12884901888|2
  HwZxdZ|[unknown]|12482248704|data|HwcBep|135266304|93|0|2|0|0
  YwZxdZ|/dev/loop2|12884901888|||0|0|0|1|12884901888|0
"""


def test_a_group_has_a_row_for_each_device():
    found = reports.volume_groups(GROUPS)
    assert list(found) == ["data", "other"]
    data = found["data"]
    assert data.pvs == ("/dev/loop0", "[unknown]")
    assert data.partial
    assert data.tags == {"RHAT_storage_domain", "MDT_A=b"}
    assert (data.size, data.free, data.extent_count, data.mda_size) == (24964497408, 24830279680, 186, 134217728)
    assert not found["other"].partial
    assert found["other"].tags == frozenset()


def test_a_volume_is_told_once_with_where_it_begins():
    found = reports.logical_volumes(VOLUMES)
    assert list(found["data"]) == ["metadata", "grown"]
    metadata, grown = found["data"].values()
    assert (metadata.device, metadata.first_extent, metadata.active, metadata.open) == ("/dev/loop0", 0, True, True)
    assert (grown.device, grown.first_extent, grown.active, grown.open) == ("/dev/loop0", 4, False, False)
    assert grown.tags == {"IU_a", "PU_b", "MD_5"}
    assert found["other"]["striped"].device == "/dev/loop0"


def test_a_volume_knows_how_it_looks_after_a_switch():
    metadata, grown = reports.logical_volumes(VOLUMES)["data"].values()
    assert grown.switched(active=True).active
    off = metadata.switched(active=False)
    assert not off.active
    assert not off.open
    assert off.writable


def test_missing_devices_are_left_out_and_unused_ones_are_not():
    found = reports.physical_volumes(DEVICES)
    assert list(found) == ["/dev/loop0", "/dev/loop2"]
    assert (found["/dev/loop0"].pe_start, found["/dev/loop0"].mda_used_count) == (135266304, 2)
    assert found["/dev/loop2"].vg == ""


def test_a_report_of_another_form_is_refused():
    with pytest.raises(UnreadableReport, match=r"1\|2\|3"):
        reports.logical_volumes(b"  1|2|3\n")
    with pytest.raises(UnreadableReport):
        reports.logical_volumes(VOLUMES.replace(b"134217728", b"many"))


@given(st.binary())
def test_whatever_is_printed_is_read_or_refused(printed):
    for read in (reports.volume_groups, reports.logical_volumes, reports.physical_volumes):
        try:
            read(printed)
        except UnreadableReport:
            pass
