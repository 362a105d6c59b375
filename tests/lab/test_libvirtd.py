"""A private libvirtd and the guest of contrib/guest."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.guests import PROJECT, Console, domain_xml
from lab.libvirtd import LibvirtdFailed, PrivateLibvirtd, VirshFailed, passing_libvirtd
from lab.owned import processes_of


@pytest.fixture
def libvirtd(lab: Lab, libvirt_cache: Path) -> Iterator[PrivateLibvirtd]:
    with PrivateLibvirtd(lab.folder / "libvirt", cache=libvirt_cache) as libvirtd:
        yield libvirtd


@pytest.fixture
def console(lab: Lab) -> Console:
    return Console(lab.folder / "console.log")


def test_the_guest_prints_its_disk_and_obeys_the_power_button(
    lab: Lab, libvirtd: PrivateLibvirtd, console: Console, guest: Path
) -> None:
    content, disk = lab.subfolder("content"), lab.folder / "disk.img"
    (content / "hello.txt").write_text("read by the guest\n")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", content, disk, "32M"], check=True)
    definition = lab.folder / "reader.xml"
    definition.write_text(domain_xml("reader", console.path, disks=[(disk, "raw")]))
    libvirtd.virsh("create", str(definition))

    console.wait("VIRGATE-GUEST-UP")
    between = console.text().partition("VIRGATE-DISK-BEGIN")[2].partition("VIRGATE-DISK-END")[0]
    assert between.strip() == "read by the guest"
    libvirtd.virsh("shutdown", "reader", "--mode", "acpi")
    console.wait("reboot: Power down")


def test_the_guest_prints_another_file_and_its_payload(
    lab: Lab, libvirtd: PrivateLibvirtd, console: Console, guest: Path
) -> None:
    payload, disc = lab.subfolder("payload"), lab.folder / "payload.iso"
    (payload / "meta-data").write_text("instance: 7\n")
    subprocess.run(["genisoimage", "-quiet", "-J", "-r", "-o", disc, payload], check=True)
    xml = domain_xml("payloaded", console.path, cmdline="virgate.payload=1")
    cdrom = f"<disk type='file' device='cdrom'><source file='{disc}'/><target dev='hdc' bus='ide'/></disk>"
    definition = lab.folder / "payloaded.xml"
    definition.write_text(xml.replace("<devices>", f"<devices>{cdrom}"))
    libvirtd.virsh("create", str(definition))

    console.wait("VIRGATE-GUEST-UP")
    assert "VIRGATE-NO-DISK" in console.text()
    assert "== meta-data\ninstance: 7" in console.text()


def test_guests_outlive_a_killed_libvirtd_and_are_found_again(
    lab: Lab, libvirtd: PrivateLibvirtd, console: Console, guest: Path
) -> None:
    definition = lab.folder / "survivor.xml"
    definition.write_text(domain_xml("survivor", console.path))
    libvirtd.virsh("create", str(definition))
    libvirtd.stop_daemon()
    with pytest.raises(VirshFailed, match="libvirt-sock"):
        libvirtd.virsh("list")
    libvirtd.start(keep_guests=True)
    assert libvirtd.virsh("list", "--name").split() == ["survivor"]


def test_two_libvirtds_do_not_see_each_other(
    lab: Lab, libvirtd: PrivateLibvirtd, libvirt_cache: Path, guest: Path
) -> None:
    definition = lab.folder / "one.xml"
    definition.write_text(domain_xml("one", lab.folder / "one.log"))
    with PrivateLibvirtd(lab.folder / "other libvirt", cache=libvirt_cache) as other:
        other.virsh("define", str(definition))
        assert libvirtd.virsh("list", "--all", "--name").split() == []
        assert other.virsh("list", "--all", "--name").split() == ["one"]
        assert (other.outside("/etc/libvirt/qemu/one.xml")).exists()
        assert Path(f"/proc/{other.pid}/comm").read_text() == "libvirtd\n"
    assert list(processes_of(other.root)) == []
    assert libvirtd.virsh("hostname")


def test_as_a_program_it_ends_with_its_standard_input(lab: Lab) -> None:
    root = lab.folder / "program"
    program = [sys.executable, "-m", "lab.libvirtd", str(root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, cwd=PROJECT / "tests", stdin=pipe, stdout=pipe, text=True) as running:
        assert running.stdin is not None and running.stdout is not None
        uri = running.stdout.readline().strip()
        assert uri == f"qemu+unix:///system?socket={root}/run/libvirt-sock"
        assert subprocess.run(["virsh", "-c", uri, "uri"], capture_output=True, check=True).stdout
        running.stdin.close()
        assert running.wait(10) == 0
    assert list(processes_of(root)) == []


def test_a_path_too_long_for_a_socket_is_refused_at_once(lab: Lab) -> None:
    with pytest.raises(ValueError, match="too long"):
        PrivateLibvirtd(lab.folder / ("x" * 100))


def test_the_guest_is_built_once(guest: Path) -> None:
    before = (guest / "initrd.img").stat().st_mtime_ns
    subprocess.run([PROJECT / "contrib" / "guest" / "build.sh"], check=True, timeout=5)
    assert (guest / "initrd.img").stat().st_mtime_ns == before


def test_a_killed_guest_is_buried_at_once_so_destroying_is_quick(
    lab: Lab, libvirtd: PrivateLibvirtd, guest: Path
) -> None:
    definition = lab.folder / "brief.xml"
    definition.write_text(domain_xml("brief", lab.folder / "console.log"))
    libvirtd.virsh("create", str(definition))
    qemu = os.pidfd_open(libvirtd.guest("brief"))
    started = time.monotonic()
    libvirtd.virsh("destroy", "brief")
    assert time.monotonic() - started < 1, "libvirt looks again after a second or so, where nobody buries it at once"
    assert select.select([qemu], [], [], 0)[0]
    os.close(qemu)
    with pytest.raises(OSError, match=r"brief\.pid"):
        libvirtd.guest("brief")


def test_a_frozen_libvirtd_says_nothing_until_thawed_and_can_be_stopped(libvirtd: PrivateLibvirtd) -> None:
    libvirtd.send(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        libvirtd.virsh("list", timeout=0.3)
    libvirtd.send(signal.SIGCONT)
    assert libvirtd.virsh("list") == ""
    libvirtd.send(signal.SIGSTOP)
    started = time.monotonic()
    libvirtd.stop()
    assert time.monotonic() - started < 5
    assert processes_of(libvirtd.root) == []


def test_a_dead_libvirtd_has_no_pid_and_takes_no_signal(libvirtd: PrivateLibvirtd) -> None:
    pid = libvirtd.pid
    assert Path(f"/proc/{pid}/comm").read_text() == "libvirtd\n"
    libvirtd.stop_daemon()
    for use in (lambda: libvirtd.pid, lambda: libvirtd.send(signal.SIGCONT), lambda: libvirtd.inside("true")):
        with pytest.raises(LibvirtdFailed, match="not running"):
            use()
    assert libvirtd.start(keep_guests=True).pid != pid


def test_what_is_mounted_inside_is_not_seen_outside_and_lasts_over_a_restart(
    lab: Lab, libvirtd: PrivateLibvirtd
) -> None:
    folder = lab.subfolder("mounted")
    assert libvirtd.inside("mount", "-t", "tmpfs", "tmpfs", str(folder)).returncode == 0
    assert not folder.is_mount()
    libvirtd.stop_daemon()
    libvirtd.start(keep_guests=True)
    assert libvirtd.inside("mountpoint", str(folder)).returncode == 0


def test_settings_that_libvirtd_refuses_are_told_with_its_last_words(lab: Lab, libvirt_cache: Path) -> None:
    refused = PrivateLibvirtd(lab.folder / "l", settings=["max_clients = -"], cache=libvirt_cache)
    with pytest.raises(LibvirtdFailed, match=r"libvirtd\.conf"):
        refused.start()
    assert processes_of(refused.root) == []


def test_a_passing_libvirtd_leaves_no_folder(libvirt_cache: Path) -> None:
    with passing_libvirtd(cache=libvirt_cache) as libvirtd:
        assert libvirtd.virsh("list") == ""
    assert not libvirtd.root.exists()
