"""Hosts of user-mode Linux with NFS and iSCSI storage."""

import time
from pathlib import Path

import pytest

from lab.cleanup import Lab
from lab.network import Network
from lab.process import CommandFailed, CommandTimedOut, run
from lab.servers import IscsiServer, NfsServer
from lab.uml import HostDied, UmlHost

GIB = 1 << 30
LOG_IN = """
modprobe iscsi_tcp
iscsid
iscsiadm -m discovery -t sendtargets -p storage
iscsiadm -m node --login
udevadm settle
"""
MOUNT_NFS = "mkdir /mnt/data; mount -t nfs4 -o soft,timeo=50,retrans=1 storage:/data /mnt/data"
# Joining takes 2 to 5 io timeouts of 2 seconds; the default of 10 would make it 20 seconds and more.
JOIN = """
mkdir -p /run/sanlock
sanlock daemon -w 0 -U root -G root
until sanlock client status >/dev/null 2>&1; do sleep 0.1; done
sanlock client add_lockspace -s pool:{number}:/mnt/data/ids:0 -o 2
"""


@pytest.fixture
def east(lab: Lab, network: Network) -> UmlHost:
    return UmlHost(lab, network, "east")


@pytest.fixture
def west(lab: Lab, network: Network) -> UmlHost:
    return UmlHost(lab, network, "west")


def test_a_volume_group_made_over_iscsi_by_one_host_is_seen_by_another(
    lab: Lab, network: Network, east: UmlHost, west: UmlHost
) -> None:
    IscsiServer(lab, network).target("pool", [GIB, GIB])
    east.shell(LOG_IN)
    east.shell("vgcreate data /dev/sda /dev/sdb; lvcreate -n volume -L 1200M data")
    east.shell("echo written by east | dd of=/dev/data/volume conv=fsync")
    east.shell("lvextend -L +100M data/volume; vgchange -an data")

    west.shell(LOG_IN)
    assert west.shell("lvs --noheadings --units m -o lv_size data").strip() == "1300.00m"
    assert west.shell("vgchange -ay data >/dev/null; head -n 1 /dev/data/volume") == "written by east\n"


def test_two_hosts_share_a_sanlock_lockspace_on_nfs(lab: Lab, network: Network, east: UmlHost, west: UmlHost) -> None:
    nfs = NfsServer(lab, network, ["data"])
    for host in (east, west):
        host.shell(MOUNT_NFS)
    east.shell("truncate -s 1M /mnt/data/ids; sanlock direct init -s pool:0:/mnt/data/ids:0 -o 2")
    joining = [host.start("sh", "-ec", JOIN.format(number=number)) for number, host in enumerate((east, west), start=1)]
    for job in joining:
        job.wait(60).check()

    for number, host in enumerate((east, west), start=1):
        assert f"s pool:{number}:/mnt/data/ids:0" in host.shell("sanlock client status")
    assert (nfs.path("data") / "ids").read_bytes()[:4] == b"\x10\x20\x21\x12"  # a delta lease, outside as well


def test_a_hanging_server_hangs_the_reader_and_not_the_host(lab: Lab, network: Network, east: UmlHost) -> None:
    nfs = NfsServer(lab, network, ["data"])
    east.shell(MOUNT_NFS + "; echo there >/mnt/data/file")
    nfs.freeze()
    reading = east.start("dd", "if=/mnt/data/file", "iflag=direct", "of=/dev/null", timeout=60)
    assert east.run("hostname").stdout == "east\n"
    nfs.thaw()
    reading.wait().check()
    nfs.stop()
    assert run(["losetup", "--noheadings", "--associated", str(nfs.folder / "disk.img")]).stdout
    nfs.start()
    assert east.run("cat", "/mnt/data/file").stdout == "there\n"


def test_what_a_host_writes_stays_its_own(lab: Lab, east: UmlHost) -> None:
    secret = Path("/etc/virgate-lab-write-test")
    east.shell(f"echo changed >/etc/hostname; echo new >{secret}; rm /etc/debian_version; touch /tmp/inside")
    assert not secret.exists()
    assert Path("/etc/debian_version").exists()
    assert not Path("/tmp/inside").exists()
    (lab.folder / "shared").write_text("both see this")
    assert east.run("cat", str(lab.folder / "shared")).stdout == "both see this"
    east.crash()
    east.boot()
    assert east.shell("ls /etc/debian_version") == "/etc/debian_version\n"


def test_a_command_s_end_is_told_whole(east: UmlHost) -> None:
    finished = east.run("sh", "-c", "echo out; echo err >&2; exit 3", check=False)
    assert (finished.code, finished.stdout, finished.stderr) == (3, "out\n", "err\n")
    with pytest.raises(CommandFailed, match="err"):
        finished.check()
    assert east.run("no-such-program", check=False).code == 127
    big = "x" * 300_000
    assert east.run("cat", input=big).stdout == big


def test_commands_run_side_by_side_and_end_at_their_timeout(east: UmlHost) -> None:
    slow = east.start("sh", "-c", "echo begun; sleep 60", timeout=2)
    assert east.run("echo", "quick").stdout == "quick\n"
    with pytest.raises(CommandTimedOut, match="sleep 60"):
        slow.wait()


def test_a_host_without_cable_still_takes_commands(lab: Lab, network: Network, east: UmlHost, west: UmlHost) -> None:
    connect = ["python3", "-c", "import socket; socket.create_connection(('west', 9), 2)"]
    assert "ConnectionRefusedError" in east.run(*connect, check=False).stderr
    west.port.cut()
    assert "ConnectionRefusedError" not in east.run(*connect, check=False).stderr
    assert west.run("hostname").stdout == "west\n"
    assert "Error" in west.run(*connect[:2], connect[2].replace("west", "east"), check=False).stderr  # it sends, too
    west.port.mend()
    assert "ConnectionRefusedError" in east.run(*connect, check=False).stderr


def test_a_dead_host_is_told_with_its_last_words(east: UmlHost) -> None:
    job = east.start("sleep", "60")
    east.crash()
    with pytest.raises(HostDied, match="host east ended"):
        job.wait()


def test_a_host_powers_off(east: UmlHost) -> None:
    began = time.monotonic()
    east.shutdown()
    assert time.monotonic() - began < 9
    with pytest.raises(HostDied):
        east.run("true")


def test_vector_registers_survive_the_switch_between_threads(lab: Lab, east: UmlHost) -> None:
    """The shim for CPUs with AMX must not lose what user-mode Linux saves itself."""
    program = lab.folder / "vectors"
    source = Path(__file__).with_name("vectors.c")
    run(["gcc", "-O1", "-pthread", "-static", "-o", str(program), str(source)])
    assert east.run(str(program), timeout=30).stdout == "kept\n"
