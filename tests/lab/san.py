"""A storage network: one iSCSI target, hosts that are logged in to it, block domains made of its disks.

with Lab() as lab:
    san = San(lab, [12 * GIB, 2 * GIB])
    east, west = san.boot("east", "west")
    domain = san.make_domain(east, san.guids(east)[:1])
"""

from collections.abc import Mapping, Sequence

from lab.cleanup import Lab
from lab.network import Network
from lab.nodes import Node, Nodes
from lab.pools import BLANK, DATA, new_id
from lab.servers import IscsiServer

GIB = 1 << 30
ISCSI = 3
IO_TIMEOUT = 2


class San:
    def __init__(self, lab: Lab, sizes: Sequence[int], *, io_timeout: int = IO_TIMEOUT) -> None:
        self.lab = lab
        self.network = Network(lab)
        self.server = IscsiServer(lab, self.network)
        self.iqn = self.server.target("pool", sizes)
        self.nodes = Nodes(lab, self.network)
        self._settings = {"leases.io_timeout": io_timeout}

    @property
    def connection(self) -> dict[str, str]:
        address, _, port = self.server.portal.partition(":")
        return {"id": "san", "connection": address, "port": port, "iqn": self.iqn, "user": "", "password": ""}

    def boot(
        self, *names: str, settings: Mapping[str, object] | None = None, sanlock: bool = True, memory: int = 640
    ) -> list[Node]:
        """Hosts whose daemons are logged in."""
        settings = {**self._settings, **(settings or {})}
        booted = self.nodes.boot(*names, settings=settings, sanlock=sanlock, memory=memory)
        for node in booted:
            self.log_in(node)
        return booted

    def log_in(self, node: Node) -> None:
        node.start_iscsi()
        (answer,) = node.call("connectStorageServer", ISCSI, BLANK, [self.connection])["statuslist"]
        assert answer["status"] == 0, (answer, node.last_words())

    def log_out(self, node: Node) -> None:
        (answer,) = node.call("disconnectStorageServer", ISCSI, BLANK, [self.connection])["statuslist"]
        assert answer["status"] == 0, (answer, node.last_words())

    def guids(self, node: Node) -> list[str]:
        """The ids of the disks, in the order of their numbers at the target."""
        found = node.call("getDeviceList", ISCSI)["devList"]
        return [device["GUID"] for device in sorted(found, key=lambda device: int(device["pathstatus"][0]["lun"]))]

    def make_group(self, node: Node, guids: Sequence[str], domain: str | None = None) -> tuple[str, str]:
        """(future domain, UUID of its group)."""
        domain = domain or new_id()
        return domain, node.call("createVG", domain, list(guids))["uuid"]

    def make_domain(self, node: Node, guids: Sequence[str], *, name: str = "block", version: str = "5") -> str:
        domain, group = self.make_group(node, guids)
        node.call("createStorageDomain", ISCSI, domain, name, group, DATA, version)
        return domain

    def grow(self, lun: int, size: int) -> None:
        """Makes a disk larger; hosts see it when they look again."""
        self.server.replace(self.iqn, lun, size)
