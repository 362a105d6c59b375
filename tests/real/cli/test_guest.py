"""A real guest, by the command line alone: its disk, its life, its console."""

import json
import os
import subprocess

import pytest
from lab.guests import GUEST


@pytest.fixture(scope="module")
def pool(real):
    """A domain and a pool made from nothing; this host manages it."""
    folder = real.home / "dom1"
    folder.mkdir()
    assert "storage domain create" in real.do("storage", "server", "connect", str(folder))
    real.do("storage", "domain", "create", "local1", str(folder))
    real.do("storage", "pool", "create", "dc1", "local1")
    assert "not connected" in real.do("storage", "pool", "list")
    real.do("storage", "pool", "connect", "local1")
    assert real.do("storage", "spm", "start") == real.do("storage", "spm", "start")
    return real


def test_volumes_are_made_shown_extended_and_deleted_by_name(pool):
    made = pool.json("storage", "volume", "create", "local1", "1G", "--description", "red")
    assert pool.json("storage", "volume", "show", "red")["disk"] == made["disk"]
    assert "3 GiB" in pool.do("storage", "volume", "extend", made["volume"][:8], "3G")
    path = pool.do("storage", "volume", "prepare", "red").strip()
    assert os.path.getsize(path) == 3 << 30
    pool.do("storage", "volume", "teardown", "red")
    shown = pool.do("storage", "volume", "list", "local1")
    assert all(word in shown for word in (made["volume"], "red", "3 GiB", "RAW"))
    assert "[y/N]" not in pool.do("storage", "volume", "delete", "--yes", "red")
    assert pool.json("storage", "volume", "list") == []


@pytest.mark.parametrize("columns", ["80", "120"])
def test_tables_fit_their_terminal_and_keep_their_ids_usable(pool, columns):
    pool.environment = {**pool.environment, "COLUMNS": columns}
    try:
        for table in (
            ("storage", "domain", "list"),
            ("storage", "pool", "list"),
            ("storage", "status"),
            ("plugins", "list"),
        ):
            lines = pool.do(*table).splitlines()
            assert max(map(len, lines)) <= int(columns)
            assert "…" not in "".join(lines)
        id = pool.do("storage", "domain", "list").splitlines()[1].split()[0]
        assert "name: local1" in pool.do("storage", "domain", "show", id)
    finally:
        del pool.environment["COLUMNS"]


def test_a_guest_is_made_used_on_its_console_and_shut_down(pool, boot, terminal):
    pool.do("storage", "volume", "create", "local1", "64M", "--description", "disk1")
    try:
        path = pool.do("storage", "volume", "prepare", "disk1").strip()
        files = pool.home / "files"
        files.mkdir()
        (files / "hello.txt").write_text("kept on disk1\n")
        subprocess.run(["/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", files, path], check=True)
        pool.do("storage", "volume", "teardown", "disk1")
        assert "is started" in pool.do("vm", "create", "first", "--memory", "256", "--disk", "disk1", *boot)
        console = terminal(pool.port, "vm", "console", "first")
        console.until("Connected to first")
        console.type("\r")
        console.until("/ #")
        console.type("cat /mnt/disk/hello.txt; echo sum $((40+2))\r")
        console.until(r"kept on disk1\s+sum 42")
        console.type("\x1d")
        assert console.close() == 0
        for verb, status in (("pause", "Paused"), ("cont", "Up"), ("reset", "Up")):
            pool.do("vm", verb, "first")
            assert pool.json("vm", "show", "first")["status"] == status
        ended = pool.json("vm", "shutdown", "first", "--force", "--timeout", "5", "--wait")
        assert ended["exitMessage"]
        assert ended["exitMessage"] in pool.do("vm", "list")
    finally:
        pool.virgate("vm", "destroy", "first")
        pool.virgate("storage", "volume", "delete", "--yes", "disk1")
    assert "No machines" in pool.do("vm", "list")


XML = """<domain type='qemu'><name>described</name><memory unit='MiB'>128</memory>
<uuid>11111111-2222-4333-8444-555555555555</uuid>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>{guest}/vmlinuz</kernel></os>
<devices><console type='pty'/></devices></domain>"""
JSON = {"vmName": "described", "memSize": 128, "kernel": f"{GUEST}/vmlinuz", "custom": {"hello": "world"}}
LINES = f"# as vdsClient read it\nvmName=described\nmemSize=128\nkernel={GUEST}/vmlinuz\ncustom_hello=world\n"


@pytest.mark.parametrize(
    "content", [XML.format(guest=GUEST), json.dumps(JSON), LINES], ids=["domain XML", "JSON", "lines of the old client"]
)
def test_a_machine_is_started_from_a_file_in_three_forms(real, boot, tmp_path, content):
    (tmp_path / "machine").write_text(content)
    try:
        assert "described" in real.do("vm", "start-from", str(tmp_path / "machine"))
        found = real.json("vm", "show", "described")
        assert (found["status"], int(found["memSize"])) == ("Up", 128)
        assert found["custom"].get("hello") == (None if content.startswith("<") else "world")
    finally:
        real.virgate("vm", "destroy", "described")


def test_a_machine_that_does_not_start_tells_why_at_once(real, tmp_path):
    (tmp_path / "kernel").write_text("no kernel")
    try:
        error = real.do("vm", "create", "broken", "--kernel", str(tmp_path / "kernel"), code=1)
        assert "broken did not start" in error
        assert "virgate vm destroy" in error
    finally:
        real.virgate("vm", "destroy", "broken")


def test_a_cdrom_is_given_to_the_guest_read_only(real, boot, tmp_path, libvirtd):
    iso = tmp_path / "seed.iso"
    iso.write_bytes(bytes(1 << 20))
    try:
        real.do("vm", "create", "seeded", "--memory", "128", "--cdrom", str(iso), *boot)
        xml = libvirtd.virsh("dumpxml", "seeded")
        assert str(iso) in xml
        assert "<readonly/>" in xml
    finally:
        real.virgate("vm", "destroy", "seeded")
