"""A private libvirtd and the guest of contrib/guest."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.guests import PROJECT, Console, domain_xml
from lab.libvirtd import PrivateLibvirtd, VirshFailed, processes_of


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
    program = [sys.executable, str(PROJECT / "tests" / "lab" / "libvirtd.py"), str(root)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
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
