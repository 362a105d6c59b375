"""File types on real servers: mounted, refused, unmounted, kept; domains of every version made there byte by byte."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.cleanup import Lab
from lab.network import Network
from lab.nodes import Node, Nodes
from lab.pools import BLANK, new_id
from lab.servers import NfsServer

NFS, LOCAL, POSIX = 1, 4, 6
DATA_CENTER = "/var/lib/virgate/data-center"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def network(lab: Lab) -> Network:
    return Network(lab)


@pytest.fixture(scope="module")
def nfs(lab: Lab, network: Network) -> NfsServer:
    return NfsServer(lab, network, ["data", "second", "closed"])


@pytest.fixture(scope="module")
def nodes(lab: Lab, network: Network) -> list[Node]:
    return Nodes(lab, network).boot("east", "west", settings={"storage.mount_limit": 8})


@pytest.fixture(scope="module")
def east(nodes: list[Node]) -> Node:
    return nodes[0]


@pytest.fixture(scope="module")
def west(nodes: list[Node]) -> Node:
    return nodes[1]


def status(node: Node, type: int, verb: str = "connectStorageServer", **parameters: Any) -> int:
    (answer,) = node.call(verb, type, BLANK, [{"id": "c", **parameters}])["statuslist"]
    return int(answer["status"])


def connect(node: Node, nfs: NfsServer, export: str = "data", **more: Any) -> int:
    return status(node, NFS, connection=nfs.remote(export), **{"protocol_version": "4", **more})


def disconnect(node: Node, nfs: NfsServer, export: str = "data") -> int:
    return status(node, NFS, "disconnectStorageServer", connection=nfs.remote(export), protocol_version="4")


def mounts(node: Node) -> str:
    return node.host.shell("cat /proc/self/mountinfo")


def test_an_export_is_mounted_softly_and_unmounted_again(east: Node, nfs: NfsServer) -> None:
    assert connect(east, nfs, timeout="50", retrans="1") == 0
    assert connect(east, nfs) == 0, "twice is as once"
    point = f"{DATA_CENTER}/mnt/{nfs.remote('data').replace('/', '_')}"
    (line,) = [line for line in mounts(east).splitlines() if point in line]
    assert " nfs4 " in line and "soft" in line and "timeo=50" in line and "retrans=1" in line
    assert disconnect(east, nfs) == 0
    assert disconnect(east, nfs) == 0, "twice is as once"
    assert "nfs4" not in mounts(east)
    assert east.host.run("test", "-e", point, check=False).code == 1


@pytest.mark.parametrize(
    ("what", "parameters", "code", "said"),
    [
        ("no such export", {"connection": "{host}:/nothing"}, 477, "there is no such export"),
        ("refused", {"connection": "{host}:/data", "mnt_options": "port=2050"}, 477, "nobody listens there"),
        ("nobody there", {"connection": "10.255.255.1:/data"}, 477, "no way to the server"),
        ("no such host", {"connection": "nosuchhost:/data"}, 477, "the server's name is not known"),
        ("wrong option", {"connection": "{host}:/data", "mnt_options": "nonsense"}, 477, "an option is wrong"),
        ("option of mount", {"connection": "{host}:/data", "mnt_options": "remount"}, 471, "'remount'"),
    ],
)
def test_what_kept_an_export_from_being_mounted_is_told(
    east: Node, nfs: NfsServer, what: str, parameters: dict[str, str], code: int, said: str
) -> None:
    told = {key: value.format(host=nfs.remote("")[:-2]) for key, value in parameters.items()}
    before = len(east.log())
    assert status(east, NFS, **{"protocol_version": "4", **told}) == code, east.last_words()
    assert said in east.log()[before:], east.last_words()
    assert "nfs4" not in mounts(east)
    assert new_id() and east.host.shell(f"ls {DATA_CENTER}/mnt") == ""


def test_an_export_that_nobody_may_write_is_not_kept(east: Node, nfs: NfsServer) -> None:
    nfs.path("closed").chmod(0o500)
    assert connect(east, nfs, "closed") in (0, 469)


def test_domains_of_every_version_are_made_as_the_format_wants_them(east: Node, nfs: NfsServer) -> None:
    assert connect(east, nfs) == 0
    for version in ("3", "4", "5"):
        domain = new_id()
        east.call("createStorageDomain", NFS, domain, f"v{version}", nfs.remote("data"), 1, version)
        root = nfs.path("data") / domain
        found = {
            str(path.relative_to(root)): (path.stat().st_mode & 0o777, path.stat().st_size)
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name != "metadata"
        }
        wanted = {
            "dom_md/ids": (0o660, 1 << 20),
            "dom_md/leases": (0o660, 2 << 20),
            "dom_md/inbox": (0o660, 16 << 20),
            "dom_md/outbox": (0o660, 16 << 20),
        }
        if version != "3":
            wanted["dom_md/xleases"] = (0o660, 1302528)
        assert found == wanted
        assert (root / "dom_md" / "metadata").stat().st_mode & 0o777 == 0o644
        east.call("formatStorageDomain", domain)
        assert not root.exists()
