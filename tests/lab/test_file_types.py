"""File types on real servers: mounted, refused, unmounted, kept; domains of every version made there byte by byte."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.guests import PROJECT
from lab.network import Network
from lab.nodes import Node, Nodes
from lab.pools import BLANK, MIB, Place, Pool, new_id, nfs_place
from lab.servers import NfsServer

NFS, LOCAL, POSIX, BIND = 1, 4, 6, 120
DATA, ISO, EXPORT = 1, 2, 3
MOUNTS = "/var/lib/virgate/data-center/mnt"
LEASE, LOCKSPACE, INDEX = bytes.fromhex("10201506"), bytes.fromhex("10202112"), bytes.fromhex("12152016")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def network(lab: Lab) -> Network:
    return Network(lab)


@pytest.fixture(scope="module")
def nfs(lab: Lab, network: Network) -> NfsServer:
    return NfsServer(lab, network, ["data", "closed", "kept", "bound", "master", "iso", "export"])


@pytest.fixture(scope="module")
def nodes(lab: Lab, network: Network) -> list[Node]:
    dropped = lab.subfolder("plugins.d")
    shutil.copy(PROJECT / "contrib/examples/bindmount/virgate_example_bindmount.py", dropped)
    settings = {
        "storage.mount_limit": 6,
        "storage.hypervisor_user": "nobody",
        "leases.io_timeout": 2,
        "plugins.directories": dropped,
    }
    return Nodes(lab, network).boot("east", "west", settings=settings)


@pytest.fixture(scope="module")
def east(nodes: list[Node]) -> Node:
    return nodes[0]


@pytest.fixture(scope="module")
def west(nodes: list[Node]) -> Node:
    return nodes[1]


def status(node: Node, type: int, verb: str = "connect", **parameters: Any) -> int:
    with suppress(OSError):  # a connection that was idle for long may have ended
        node.call("ping")
    (answer,) = node.call(f"{verb}StorageServer", type, BLANK, [{"id": "c", **parameters}])["statuslist"]
    return int(answer["status"])


def connect(node: Node, nfs: NfsServer, export: str = "data", **more: Any) -> int:
    return status(node, NFS, connection=nfs.remote(export), **{"protocol_version": "4", **more})


def disconnect(node: Node, nfs: NfsServer, export: str = "data") -> int:
    return status(node, NFS, "disconnect", connection=nfs.remote(export), protocol_version="4")


def point(nfs: NfsServer, export: str) -> str:
    return f"{MOUNTS}/{nfs.remote(export).replace('/', '_')}"


def mounts(node: Node) -> str:
    return node.host.shell("cat /proc/self/mountinfo")


def until(true: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain until {what}"
        time.sleep(0.1)


# connected


def test_an_export_is_mounted_softly_and_unmounted_again(east: Node, nfs: NfsServer) -> None:
    assert connect(east, nfs, timeout="50", retrans="1") == 0
    assert connect(east, nfs) == 0, "twice is as once"
    (line,) = [line for line in mounts(east).splitlines() if point(nfs, "data") in line]
    assert " nfs4 " in line and "soft" in line and "timeo=50" in line and "retrans=1" in line
    assert disconnect(east, nfs) == 0
    assert disconnect(east, nfs) == 0, "twice is as once"
    assert "nfs4" not in mounts(east) and east.host.shell(f"ls {MOUNTS}") == ""


HOST = "{host}:/data"
WRONG = [
    ("{host}:/nothing", "", 477, "there is no such export"),
    (HOST, "port=2050", 477, "nobody listens there"),
    ("10.255.255.1:/data", "", 477, "no way to the server"),
    ("no-such-host:/data", "", 477, "the server's name is not known"),
    (HOST, "nonsense", 477, "an option is wrong"),
    (HOST, "remount", 471, "'remount' does not belong"),
    ("data", "", 390, "Remote path"),
]


@pytest.mark.parametrize(("remote", "options", "code", "said"), WRONG)
def test_what_kept_an_export_from_being_mounted_is_told(
    east: Node, nfs: NfsServer, remote: str, options: str, code: int, said: str
) -> None:
    before = len(east.log())
    given = {"connection": remote.format(host=nfs.remote("")[:-2]), "mnt_options": options, "protocol_version": "4"}
    assert status(east, NFS, **given) == code, east.last_words()
    assert said in east.log()[before:], east.last_words()
    assert "nfs4" not in mounts(east) and east.host.shell(f"ls {MOUNTS}") == ""


def test_an_export_that_guests_may_not_read_does_not_stay_mounted(east: Node, west: Node, nfs: NfsServer) -> None:
    west.host.shell(f"mkdir -p /srv/closed; mount -t nfs4 {nfs.remote('closed')} /srv/closed; chmod 700 /srv/closed")
    assert connect(east, nfs, "closed") == 469
    assert "nfs4" not in mounts(east)
    west.host.shell("chmod 755 /srv/closed; umount /srv/closed")
    assert connect(east, nfs, "closed") == 0
    assert disconnect(east, nfs, "closed") == 0


def test_a_server_that_hangs_holds_up_its_own_connection_only(east: Node, nfs: NfsServer) -> None:
    nfs.freeze()
    try:
        asked = east.host.start("sleep", "0")  # the host itself goes on
        began, slowest = time.monotonic(), 0.0
        waiting = _in_thread(lambda: connect(east, nfs))
        while waiting.running:
            once = time.monotonic()
            east.call("ping")
            slowest = max(slowest, time.monotonic() - once)
            time.sleep(0.1)
        asked.wait().check()
    finally:
        nfs.thaw()
    took = time.monotonic() - began
    assert waiting.result == 477 and "no answer in time" in east.log()
    assert took < 20, "ended at the limit, not by the server's timeouts"
    assert slowest < 1.0, f"slowest ping {slowest:.3f} s"
    print(f"connect to a hung server failed after {took:.1f} s; slowest ping meanwhile {slowest * 1000:.0f} ms")
    until(lambda: "nfs4" not in mounts(east), "nothing is mounted")


def test_what_a_dead_server_left_can_be_disconnected(east: Node, nfs: NfsServer) -> None:
    assert connect(east, nfs, timeout="600", retrans="6") == 0
    reading = east.host.start("sh", "-c", f"sleep 1; ls -l {point(nfs, 'data')}", timeout=40)
    nfs.freeze()
    try:
        began = time.monotonic()
        assert disconnect(east, nfs) == 0, east.last_words()
        took = time.monotonic() - began
        assert "nfs4" not in mounts(east) and east.host.shell(f"ls {MOUNTS}") == ""
    finally:
        nfs.thaw()
    print(f"disconnected from a hung server after {took:.1f} s")
    assert took < 10
    reading.wait()


class _in_thread:
    """Runs a call beside the test."""

    def __init__(self, call: Callable[[], int]) -> None:
        import threading

        self.result: int | None = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], int]) -> None:
        self.result = call()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()


# kept


def test_a_kept_connection_comes_back_by_itself_and_after_a_restart(east: Node, nfs: NfsServer) -> None:
    reference = {"type": "nfs", "params": {"export": nfs.remote("kept"), "version": "4"}}
    lost = {"type": "nfs", "params": {"export": nfs.remote("nothing"), "version": "4"}}
    results = east.call("storageServer_ConnectionRefs_acquire", {"kept": reference, "lost": lost})["results"]
    assert results == {"kept": 0, "lost": 0}

    def told(id: str) -> dict[str, Any]:
        return dict(east.call("storageServer_ConnectionRefs_statuses")["connectionslist"][id])

    until(lambda: bool(told("kept")["connected"]), "it is connected")
    until(lambda: told("lost")["lastError"][0] == 477, "its failure is told")
    assert connect(east, nfs, "kept") == 0 and disconnect(east, nfs, "kept") == 0
    assert point(nfs, "kept") in mounts(east), "a client of the verbs does not take it away"

    east.host.shell(f"umount {point(nfs, 'kept')}")
    until(lambda: point(nfs, "kept") in mounts(east), "it is mounted again")

    east.kill()
    east.host.shell(f"umount {point(nfs, 'kept')}")
    east.start()
    until(lambda: point(nfs, "kept") in mounts(east), "the restarted daemon mounts it")
    assert east.call("storageServer_ConnectionRefs_release", ["kept", "lost"])["results"] == {"kept": 0, "lost": 0}
    until(lambda: "nfs4" not in mounts(east), "nobody keeps it")
    assert east.host.shell("ls /var/lib/virgate/connections") == ""


# made


def wanted_metadata(domain: str, name: str, version: str, remote: str) -> str:
    """As conformance vector C-02 has it."""
    values = {
        "CLASS": "Data", "DESCRIPTION": name, "IOOPTIMEOUTSEC": "10", "LEASERETRIES": "3", "LEASETIMESEC": "60",
        "LOCKPOLICY": "", "LOCKRENEWALINTERVALSEC": "5", "POOL_UUID": "", "REMOTE_PATH": remote, "ROLE": "Regular",
        "SDUUID": domain, "TYPE": "NFS", "VERSION": version,
    }  # fmt: skip
    if version == "5":
        values |= {"BLOCK_SIZE": "512", "ALIGNMENT": "1048576"}
    lines = [f"{key}={values[key]}" for key in sorted(values)]
    seal = hashlib.sha1("".join(lines).encode()).hexdigest()
    return "\n".join([*lines, f"_SHA_CKSUM={seal}", ""])


@pytest.mark.parametrize("version", ["3", "4", "5"])
def test_a_domain_is_made_as_the_format_wants_it_and_another_host_sees_it(
    east: Node, west: Node, nfs: NfsServer, version: str
) -> None:
    domain, root = new_id(), nfs.path("data")
    assert connect(east, nfs) == connect(west, nfs) == 0
    east.call("createStorageDomain", NFS, domain, f"v{version}", nfs.remote("data"), DATA, version)

    special = root / domain / "dom_md"
    sizes = {"ids": MIB, "leases": 2 * MIB, "inbox": 16 * MIB, "outbox": 16 * MIB}
    if version != "3":
        sizes["xleases"] = 1302528
        assert (special / "xleases").read_bytes()[MIB : MIB + 4] == INDEX
    found = {path.name: (path.stat().st_mode & 0o777, path.stat().st_size) for path in special.iterdir()}
    written = wanted_metadata(domain, f"v{version}", version, nfs.remote("data"))
    assert found == {"metadata": (0o644, len(written)), **{name: (0o660, size) for name, size in sizes.items()}}
    assert (special / "metadata").read_text() == written
    assert (special / "ids").read_bytes()[:4] == LOCKSPACE
    assert (special / "leases").read_bytes()[MIB : MIB + 4] == LEASE
    assert sorted(path.name for path in (root / domain).iterdir()) == ["dom_md", "images"]

    assert west.call("getStorageDomainsList", BLANK, DATA, NFS, nfs.remote("data"))["domlist"] == [domain]
    info = west.call("getStorageDomainInfo", domain)["info"]
    assert (info["type"], info["version"], info["remotePath"]) == ("NFS", version, nfs.remote("data"))
    assert east.code("createStorageDomain", NFS, new_id(), "more", nfs.remote("data"), DATA, version) == 361
    assert east.code("createStorageDomain", NFS, new_id(), "4k", nfs.remote("data"), DATA, "5", None, 4096) == 1000
    east.call("formatStorageDomain", domain)
    assert list(root.iterdir()) == []
    assert disconnect(east, nfs) == disconnect(west, nfs) == 0
    assert west.call("getStorageDomainsList", BLANK)["domlist"] == []
    assert east.code("createStorageDomain", NFS, new_id(), "no", nfs.remote("data"), DATA, version) == 360


def device(node: Node, name: str, sector: int) -> str:
    """A loop device with ext4 on it, in the host's memory."""
    image = f"/var/tmp/{name}.img"
    script = f"truncate -s 256M {image}; modprobe loop; losetup --find --show --sector-size {sector} {image}"
    made = node.host.shell(script).strip()
    node.host.shell(f"mke2fs -q -t ext4 -b 4096 {made}")
    return made


def test_a_local_file_system_is_a_posix_file_system(east: Node) -> None:
    disk = device(east, "posix", 512)
    given = {"connection": disk, "vfs_type": "ext4", "mnt_options": "noatime"}
    assert status(east, POSIX, **{**given, "vfs_type": "xfs"}) == 477
    assert status(east, POSIX, **{**given, "vfs_type": ""}) == 470
    assert status(east, POSIX, **given) == status(east, POSIX, **given) == 0
    domain = new_id()
    east.call("createStorageDomain", POSIX, domain, "posix", disk, DATA, "5")
    assert east.call("getStorageDomainInfo", domain)["info"]["type"] == "POSIXFS"
    assert status(east, POSIX, "disconnect", **given) == 0
    assert disk not in mounts(east)


def test_a_disk_with_sectors_of_4096_bytes_holds_a_local_domain_with_volumes(east: Node) -> None:
    disk, folder = device(east, "4k", 4096), "/srv/4k"
    east.host.shell(f"mkdir -p {folder}; mount {disk} {folder}")
    assert status(east, LOCAL, connection=folder) == 0
    domain, made = new_id(), ("createStorageDomain", LOCAL)
    assert east.code(*made, domain, "4k", folder, DATA, "5", None, 512) == 348
    assert east.code(*made, domain, "4k", folder, DATA, "4", None, 4096) == 1000
    assert east.code(*made, domain, "4k", folder, DATA, "5", None, 1024) == 1000
    assert east.code(*made, domain, "4k", folder, DATA, "5", None, 0, 2001) == 1000
    east.call(*made, domain, "4k", folder, DATA, "5", None, 0, 1000)
    text = east.host.shell(f"cat {folder}/{domain}/dom_md/metadata")
    assert "BLOCK_SIZE=4096\n" in text and f"ALIGNMENT={4 * MIB}\n" in text

    place = Place(LOCAL, folder, domain=domain)
    pool = Pool([east], [place])
    pool.found(east)
    disk_image = pool.disk(4 * MIB)
    pool.write(disk_image, 7, 0, MIB)
    assert pool.holds(disk_image, 7, 0, MIB)
    east.call("spmStop", pool.id)
    pool.leave(east)
    assert status(east, LOCAL, "disconnect", connection=folder) == 0
    east.host.shell(f"umount {folder}")


def test_a_type_from_outside_uses_what_somebody_else_mounts(east: Node, west: Node, nfs: NfsServer) -> None:
    for node in (east, west):
        node.host.shell(f"mkdir -p /net/nas; mount -t nfs4 -o soft {nfs.remote('bound')} /net/nas; mkdir -p /net/nas/a")
        assert status(node, BIND, connection="/net/nas/a") == status(node, BIND, connection="/net/nas/a") == 0
    assert status(east, BIND, connection="/etc") == 390
    domain = new_id()
    east.call("createStorageDomain", BIND, domain, "bound", "/net/nas/a", DATA, "5")
    assert west.call("getStorageDomainInfo", domain)["info"]["type"] == "BINDMOUNT"
    assert (nfs.path("bound") / "a" / domain / "dom_md" / "xleases").exists()
    for node in (east, west):
        assert status(node, BIND, "disconnect", connection="/net/nas/a") == 0
        assert node.host.shell(f"ls {MOUNTS}; umount /net/nas") == ""


# used


def test_a_pool_of_two_hosts_goes_up_to_version_5_and_has_iso_and_export_domains(
    nodes: list[Node], east: Node, west: Node, nfs: NfsServer
) -> None:
    pool = Pool(nodes, [nfs_place(nfs, "master")]).make("3")
    root = nfs.path("master") / pool.master
    old = pool.disk(MIB)
    assert not (root / "dom_md" / "xleases").exists()
    east.call("upgradeStoragePool", pool.id, "5")
    assert (root / "dom_md" / "xleases").read_bytes()[MIB : MIB + 4] == INDEX
    assert west.call("getStorageDomainInfo", pool.master)["info"]["version"] == "5"
    new = pool.disk(MIB)
    for disk in (old, new):
        lease = (root / "images" / disk.image / f"{disk.volume}.lease").read_bytes()
        assert (len(lease), lease[:4]) == (MIB, LEASE)
        assert disk.volume.encode() in lease[:512] and pool.master.encode() in lease[:512]
        assert pool.info(disk, west)["capacity"] == str(MIB)

    for export, kind in (("iso", ISO), ("export", EXPORT)):
        place = nfs_place(nfs, export)
        pool.connect_servers(east, [place])
        east.call("createStorageDomain", NFS, place.domain, export, place.remote, kind, "0" if kind == ISO else "3")
        east.call("attachStorageDomain", place.domain, pool.id)
        east.call("activateStorageDomain", place.domain, pool.id)
        if kind == ISO:
            folder = nfs.path("iso") / place.domain / "images" / "11111111-1111-1111-1111-111111111111"
            (folder / "debian.iso").write_bytes(b"iso")
            assert east.call("getIsoList", pool.id)["isolist"] == ["debian.iso"]
        else:
            assert (nfs.path("export") / place.domain / "master" / "vms").is_dir()
            east.call("deactivateStorageDomain", place.domain, pool.id, BLANK, 0)
            east.call("detachStorageDomain", place.domain, pool.id, BLANK, 0)
    east.call("spmStop", pool.id)
    for node in nodes:
        pool.leave(node)
        assert disconnect(node, nfs, "master") == 0
