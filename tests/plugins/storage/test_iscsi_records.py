"""iscsiadm's files and output, as pure text, and the helper's operations on real files and sockets."""

import os
import socket
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as some

from virgate_plugins.storage.iscsi import admin, operations, records
from virgate_plugins.storage.iscsi.settings import IscsiSettings

RECORD = "# BEGIN RECORD 2.1.8\nnode.name = iqn.x\nnode.startup = automatic\n# END RECORD\n"
WORDS = some.text(some.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1).map(str.strip)


def test_values_replace_those_of_the_record_and_stand_before_its_end():
    changed = records.changed(RECORD, {"node.startup": "manual", "node.tpgt": "1"})
    assert changed == "# BEGIN RECORD 2.1.8\nnode.name = iqn.x\nnode.startup = manual\nnode.tpgt = 1\n# END RECORD\n"


@given(some.dictionaries(some.sampled_from(["node.a", "node.b", "node.startup"]), WORDS))
def test_changing_a_record_twice_is_as_changing_it_once(values):
    once = records.changed(RECORD, values)
    assert records.changed(once, values) == once
    assert all(f"{key} = {value}" in once.split("\n") for key, value in values.items())
    assert once.startswith("# BEGIN RECORD") and once.endswith("# END RECORD\n")


def test_no_user_name_means_no_chap_whatever_the_record_said():
    settings = IscsiSettings()
    with_chap = records.changed(RECORD, records.node_values(settings, "fred", "pw", multipath=True))
    assert "replacement_timeout = 5\n" in with_chap and "authmethod = CHAP" in with_chap
    values = records.node_values(settings, "", "", multipath=False)
    assert values["node.session.auth.authmethod"] == "None" and "node.session.auth.password" not in values


def test_a_record_that_is_changed_is_nobody_elses_business(tmp_path):
    name = records.node_name("iqn.x", "fe80::1", 3260, 1, "default")
    record = tmp_path / "iscsi" / name
    record.parent.mkdir(parents=True)
    record.write_text(RECORD)
    record.chmod(0o644)
    roots = (str(tmp_path / "none"), str(tmp_path / "iscsi"))
    old = os.umask(0)
    try:
        before = operations.change_record(name, {"node.startup": "manual"}, roots)
    finally:
        os.umask(old)
    assert before == RECORD and "manual" in record.read_text()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["default"]
    operations.restore_record(name, before, roots)
    assert record.read_text() == RECORD and operations.has_record(name, roots)


def test_a_record_that_is_missing_is_an_error_to_change_and_none_to_restore(tmp_path):
    with pytest.raises(FileNotFoundError):
        operations.change_record("nodes/x", {}, (str(tmp_path),))
    operations.restore_record("nodes/x", "text", (str(tmp_path),))
    assert not operations.has_record("nodes/x", (str(tmp_path),))


def test_an_obstacle_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert operations.obstacle("127.0.0.1", port, 1) == ""
    assert "refuses" in operations.obstacle("127.0.0.1", port, 1)
    assert "name" in operations.obstacle("no.such.name.invalid", port, 1)
    assert operations.addresses("127.0.0.1") == ["127.0.0.1"]
    assert operations.addresses("no.such.name.invalid") == []


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("10.0.0.1:3260,1 iqn.x:a\n", [("10.0.0.1:3260,1", "iqn.x:a")]),
        ("[fe80::1]:3260,-1 iqn.x:a\n\njunk\n", [("[fe80::1]:3260,-1", "iqn.x:a")]),
        ("", []),
    ],
)
def test_targets_are_read_from_what_a_discovery_prints(printed, found):
    assert admin.targets(printed) == found


@given(some.text())
def test_any_output_of_a_discovery_can_be_read(text):
    for place, iqn in admin.targets(text):
        assert not set(place + iqn) & set(" \n\t") and "," in place


@given(some.integers(1, 255), some.text())
def test_every_failure_has_a_cause(code, said):
    assert admin.cause(code, said)


def test_the_network_interface_is_read_from_an_interface():
    assert admin.net_interface("iface.mtu = 0\niface.net_ifacename = eth1\n") == "eth1"
    assert admin.net_interface("iface.net_ifacename = <empty>\n") == admin.net_interface("") == ""


def test_a_portal_of_version_6_has_brackets():
    assert admin.node("iqn.x", "fe80::1", 3260, 1, "default", "--login")[6] == "[fe80::1]:3260,1"
