"""What is read where, and what strange contents do."""

import json
import struct

import pytest
from doubles.guest_agent import Told
from hypothesis import given
from hypothesis import strategies as st

from virgate_guest.sources import Kept, applications, containers, disks, memory, network, system, users

MEMINFO = (
    b"MemTotal:        2000000 kB\nMemFree:  1180000 kB\nMemAvailable: 5 kB\nBuffers: 20000 kB\nCached: 300000 kB\n"
)
MEMINFO += b"SwapCached: 9 kB\nSwapTotal: 1000 kB\nSwapFree: 988 kB\n"
VMSTAT = "nr_free_pages 5\npgpgin 7\npswpin {0}\npswpout 0\npgfault {1}\npgmajfault 3\nthp_pgfault 9\n"


def proc(folder, swapped, faults):
    (folder / "meminfo").write_bytes(MEMINFO)
    (folder / "vmstat").write_text(VMSTAT.format(swapped, faults))


def test_memory_is_told_in_the_units_of_hosts(tmp_path):
    proc(tmp_path, 10, 100)
    reader = memory.Memory(str(tmp_path))
    free, told = reader.sample(100.0)
    assert free == "1464"
    assert told == {
        "mem_total": 2000000,
        "mem_unused": 1180000,
        "mem_free": 1500000,
        "mem_buffers": 20000,
        "mem_cached": 300000,
        "swap_total": 1000,
        "swap_usage": 12,
        **dict.fromkeys(("swap_in", "swap_out", "pageflt", "majflt"), 0),
    }
    proc(tmp_path, 20, 1109)
    _, told = reader.sample(105.0)
    assert (told["swap_in"], told["pageflt"], told["majflt"]) == (2, 201, 0)


def link(index, name, flags, mac=b"\x02\0\0\xaa\xbb\x01"):
    body = network.LINK.pack(0, 0, index, flags, 0)
    for kind, value in ((network.LINK_ADDRESS, mac), (network.LINK_NAME, name.encode() + b"\0")):
        body += network.ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)
    return body


def address(index, family, packed, local=None):
    body = network.ADDRESS_HEAD.pack(family, 24, 0, 0, index)
    for kind, value in ((network.ADDRESS, packed), (network.LOCAL_ADDRESS, local)):
        if value:
            body += network.ATTRIBUTE.pack(4 + len(value), kind) + value
    return body


def test_interfaces_that_are_up_are_told_also_without_an_address():
    table = network.Table()
    for index, name, flags in ((1, "lo", 9), (2, "eth0", 1), (3, "eth1", 0), (4, "docker0", 1), (5, "vethab", 1)):
        table.take(network.NEW_LINK, link(index, name, flags))
    table.take(network.NEW_LINK, link(6, "eth2", 1))
    table.take(network.NEW_ADDRESS, address(2, 2, b"\xc0\0\2\1", b"\xc0\0\2\x0a"))
    table.take(network.NEW_ADDRESS, address(2, 10, b"\xfe\x80" + bytes(13) + b"\1"))
    found = table.interfaces(["docker0", "veth*"])
    mac = "02:00:00:aa:bb:01"
    assert found == [
        {"name": "eth0", "hw": mac, "inet": ["192.0.2.10"], "inet6": ["fe80::1"]},
        {"name": "eth2", "hw": mac, "inet": [], "inet6": []},
    ]


@given(st.binary(max_size=200))
def test_no_answer_of_the_kernel_is_too_strange(data):
    table = network.Table()
    for kind, _, body in network.messages(data):
        table.take(kind, body)
    table.take(network.NEW_LINK, data)
    table.take(network.NEW_ADDRESS, data)
    table.interfaces([])


def test_this_machines_interfaces_are_found():
    for one in network.interfaces([]):
        assert set(one) == {"name", "hw", "inet", "inet6"}
        assert one["name"] != "lo"


MOUNTS = rb"""/dev/vda1 / ext4 rw 0 0
proc /proc proc rw 0 0
/dev/vdb /mnt/my\040disk xfs rw 0 0
nas:/x /srv nfs4 rw 0 0
tmpfs /mnt/hidden tmpfs rw 0 0
gvfs /run/user/1/gvfs fuse.gvfsd-fuse rw 0 0
/dev/vdc /srv ext4 rw 0 0
nonsense
"""


def test_mounts_are_those_that_are_seen_and_not_ignored():
    assert disks.mounts(MOUNTS, ["proc", "tmpfs", "fuse.*"]) == [
        (b"/", "ext4"),
        (b"/mnt/my disk", "xfs"),
        (b"/srv", "ext4"),
    ]


@pytest.mark.parametrize(("kind", "remote"), [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False)])
def test_what_may_hang_is_known(kind, remote):
    assert disks.is_remote(kind) is remote


def test_a_mount_that_cannot_be_read_spoils_no_other(tmp_path):
    file = tmp_path / "file"
    file.touch()
    mounted = [(b"/nowhere", "xfs"), (str(file).encode(), "xfs"), (str(tmp_path).encode(), "ext4"), (b"/proc", "proc")]
    (found,) = disks.usage(mounted, True)
    assert (found["path"], found["fs"]) == (str(tmp_path), "ext4")
    assert 0 < found["used"] < found["total"]
    assert len(disks.usage(mounted, False)) == 2


def test_remote_file_systems_are_asked_by_a_child_and_told_when_known(tmp_path, monkeypatch):
    table = tmp_path / "mounts"
    table.write_text(f"nas:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(disks, "MOUNTS", str(table))
    waiting = []

    class Later(Told):
        def ask(self, question, done, limit):
            waiting.append((question, done))

    told = []
    reader = disks.Disks(Later(), [], True)
    assert reader.read(lambda: told.append("news")) == []
    assert reader.read(lambda: told.append("news")) == [], "and asks no second child while the first hangs"
    ((question, done),) = waiting
    done(0, question())
    assert told == ["news"]
    (found,) = reader.read(lambda: None)
    assert found["fs"] == "nfs4"
    waiting[1][1](None, b"")
    assert reader.read(lambda: None) == [], "a server that hangs now has no size"


def test_serials_come_from_udev_else_from_the_kernel(tmp_path):
    sys, run = tmp_path / "sys", tmp_path / "run"
    for name in ("vda", "sda", "sdb", "nvme0n1", "loop0", "sr0"):
        (sys / "block" / name / "device").mkdir(parents=True)
    (run / "udev/data").mkdir(parents=True)
    (sys / "block/vda/serial").write_text("0a1b2c3d-0000-4444-8")
    (sys / "block/sda/dev").write_text("8:0\n")
    (run / "udev/data/b8:0").write_text("S:disk/by-id/x\nE:ID_SERIAL=0QEMU_QEMU_HARDDISK_abc\n")
    (sys / "block/sdb/device/vpd_pg80").write_bytes(b"\0\x80\0\x04WXYZ")
    (sys / "block/nvme0n1/device/serial").write_text("nvme-1   \n")
    assert disks.serials(str(sys), str(run)) == {
        "0a1b2c3d-0000-4444-8": {"name": "/dev/vda"},
        "0QEMU_QEMU_HARDDISK_abc": {"name": "/dev/sda"},
        "WXYZ": {"name": "/dev/sdb"},
        "nvme-1": {"name": "/dev/nvme0n1"},
    }
    assert disks.serials(str(tmp_path / "none")) == {}


def login(kind, pid, name, size=384):
    return users.HEAD.pack(kind, pid, b"pts/0", b"ts/0", name.encode()) + bytes(size - users.HEAD.size)


@pytest.mark.parametrize("size", [384, 400])
def test_logins_are_read_from_utmp(size):
    records = login(2, 0, "reboot", size) + login(7, 10, "zoë", size) + login(8, 11, "gone", size) + b"cut"
    assert users.of_utmp(records, size) == [(10, "zoë")]


def test_the_first_user_in_order_is_told_and_only_while_there(tmp_path):
    import os

    utmp = tmp_path / "utmp"
    utmp.write_bytes(login(7, os.getpid(), "zoe") + login(7, 1, "alice") + login(7, 2**30, "dead"))
    there = users.Users((str(utmp),), str(tmp_path / "none"))
    machine = os.uname().machine
    if users.record_size(machine) == 384:
        assert (there.names(), there.first()) == (["alice", "zoe"], "alice")
    utmp.write_bytes(bytes(384))
    assert there.first() == "None"


def test_logind_tells_where_there_is_no_utmp(tmp_path):
    (tmp_path / "1").write_text("# private\nUID=1000\nUSER=zoe\nACTIVE=1\nSTATE=active\nCLASS=user\nTYPE=wayland\n")
    (tmp_path / "2").write_text("USER=gdm\nCLASS=greeter\nSTATE=online\n")
    (tmp_path / "3").write_text("USER=old\nCLASS=user\nSTATE=closing\n")
    there = users.Users((), str(tmp_path))
    assert there.names() == ["zoe"]
    assert [one["ID"] for one in there.sessions()] == ["1"]


DPKG = """Package: cloud-init
Status: install ok installed
Version: 22.4-1

Package: linux-image-6.1
Status: install ok installed
Provides: linux-image (= 6.1), wireguard
Version: 6.1.2-1

Package: removed
Status: deinstall ok config-files
Version: 1

Package: qemu-guest-agent
Status: install ok installed
Version: 1:7.2
"""


def test_packages_of_dpkg_are_told_by_name_and_by_what_they_provide():
    wanted = applications.Wanted(["cloud-init", "removed", "linux-image", "qemu-*"])
    lines = [line.encode() + b"\n" for line in DPKG.splitlines()]
    assert applications.of_dpkg(lines, wanted) == ["cloud-init-22.4-1", "linux-image-6.1.2-1", "qemu-guest-agent-1:7.2"]


def test_packages_of_apk_and_pacman():
    wanted = applications.Wanted(["linux-lts", "cloud-init"])
    assert applications.of_apk([b"P:linux-lts\n", b"V:6.6-r0\n", b"\n", b"P:x\n", b"V:1\n"], wanted) == [
        "linux-lts-6.6-r0"
    ]
    assert applications.of_pacman(["cloud-init-24.1-1", "cloud-init-x-24.1-1"], wanted) == ["cloud-init-24.1-1"]


def test_rpm_is_asked_with_fixed_words_only_when_its_database_changed(tmp_path, monkeypatch):
    database = tmp_path / "rpmdb.sqlite"
    database.touch()
    monkeypatch.setattr(applications, "RPM", (str(database),))
    monkeypatch.setattr(applications, "program", lambda name: "/usr/bin/rpm")
    children = Told()
    children.outputs = {"-q": b"kernel-5.14.0-70.el9\npackage x is not installed\n", "-qa": b"kernel-core-5.14\n"}
    found = applications.Applications(children, ["kernel", "--root=/x", "kernel-c*"])
    done = []
    for _ in range(2):
        found.ask(lambda: done.append(True))
    assert done == [True, True]
    assert [argv[1:3] for argv in children.argvs] == [["-q", "--qf"], ["-qa", "--qf"]]
    assert children.argvs[0][-2:] == ["--", "kernel"]
    assert {"kernel-5.14.0-70.el9", "kernel-core-5.14", applications.OURS} <= set(found.get())


ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
DOCKER = [
    {"Id": "ab", "Names": ["/web"], "Image": "nginx", "Command": "run", "Status": "Up", "Ports": []},
    {"Id": "cd"},
]


def test_containers_always_have_names():
    first, second = containers.of_answer(ANSWER + json.dumps(DOCKER).encode())
    assert first == {"id": "ab", "names": ["/web"], "image": "nginx", "command": "run", "status": "Up"}
    assert second["names"] == []


def test_an_answer_in_chunks_is_put_together():
    body = json.dumps(DOCKER).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:10], body[10:])) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert len(containers.of_answer(head + chunks)) == 2


@given(st.binary(max_size=100))
def test_no_answer_of_containers_is_too_strange(data):
    children = Told()
    children.ask = lambda question, done, limit: done(0, data)
    found = containers.Containers(children, ("/proc/self/stat",))
    found.ask(lambda: None)
    assert isinstance(found.get(), list)


def test_the_system_is_told_from_its_release_file():
    release = system.assignments(b"# x\nNAME=\"Example Linux\"\nVERSION_ID=9.1\nVERSION_CODENAME='heron'\nbad\n")
    assert system.os_info(release, "i686", "5.14") == {
        "type": "linux",
        "arch": "x86",
        "kernel": "5.14",
        "distribution": "Example Linux",
        "version": "9.1",
        "codename": "heron",
    }


@pytest.mark.parametrize(("listing", "number"), [("0", 1), ("0-3", 4), ("0-1,3\n", 3), ("", -1), ("x", -1)])
def test_processors_are_counted(listing, number):
    assert system.count(listing) == number


def test_processors_are_switched_on_as_far_as_there_are_any_and_never_off(tmp_path):
    for number in range(4):
        (tmp_path / f"cpu{number}").mkdir()
        (tmp_path / f"cpu{number}/online").write_text("1" if number < 1 else "0")
    (tmp_path / "online").write_text("0")
    system.switch_on(1, str(tmp_path))
    assert (tmp_path / "cpu1/online").read_text() == "0"
    system.switch_on(9, str(tmp_path))
    assert {(tmp_path / f"cpu{number}/online").read_text() for number in range(4)} == {"1"}


def test_a_name_is_found_in_hosts():
    hosts = b"127.0.0.1 localhost\n192.0.2.7 vm7 vm7.example.test # vm8.example.test\n"
    assert system.name_in_hosts(hosts, "vm7") == "vm7.example.test"
    assert system.name_in_hosts(hosts, "vm8") == ""


def test_files_are_read_again_only_when_they_changed(tmp_path):
    file = tmp_path / "file"
    reads = []
    kept = Kept((str(file),), lambda: reads.append(True))
    kept.get()
    kept.get()
    assert len(reads) == 1
    file.write_text("x")
    kept.get()
    assert len(reads) == 2


def test_the_pad_of_utmp_is_as_the_system_has_it():
    assert users.HEAD.size == struct.calcsize("=hhi32s4s32s")
