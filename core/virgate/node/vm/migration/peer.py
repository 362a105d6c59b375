"""The destination's daemon as the source of a move speaks to it.

Its answers are believed as far as a host of the same cluster is: it is asked to run our guest.
"""

from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from virgate.node.peers.calling import PATIENCE, CallFailed, call
from virgate.node.peers.endpoint import Endpoint
from virgate.node.vm.migration.addresses import Destination
from virgate.node.vm.migration.errors import PeerRefused, PeerUnreachable

if TYPE_CHECKING:
    from virgate.node.vm.thin.disks import ThinDisk


class Peer(Protocol):
    """One destination. Everything raises `PeerUnreachable` or `PeerRefused`."""

    async def ping(self) -> None: ...

    async def create(self, params: dict[str, Any], limit: int | None) -> dict[str, Any]:
        """Has the destination prepare; answers the machine as it is there now."""

    async def destroy(self, vm: str) -> None: ...

    async def status(self, vm: str) -> str:
        """What it says the machine is there, a word of `Status`."""

    async def sees_growth(self) -> bool:
        """Whether `refresh_disk` can be asked of it."""

    async def refresh_disk(self, vm: str, disk: "ThinDisk") -> int:
        """Has it look at a disk that has grown; the bytes that it sees then."""


@frozen
class XmlRpcPeer:
    here: Endpoint
    destination: Destination
    create_timeout: float

    async def ping(self) -> None:
        await self._call(PATIENCE, "ping")

    async def create(self, params: dict[str, Any], limit: int | None) -> dict[str, Any]:
        more = {} if limit is None else {"incomingLimit": limit}
        answer = await self._call(self.create_timeout, "migrationCreate", params | more)
        return answer["params"] if isinstance(answer.get("params"), dict) else {}

    async def destroy(self, vm: str) -> None:
        await self._call(PATIENCE, "destroy", vm)

    async def status(self, vm: str) -> str:
        told = (await self._call(PATIENCE, "getVmStats", vm)).get("statsList")
        if not isinstance(told, list) or not told or not isinstance(told[0], dict):
            raise PeerUnreachable(str(self.destination), "it answers no statistics")
        return str(told[0].get("status"))

    async def sees_growth(self) -> bool:
        told = (await self._call(PATIENCE, "getVdsCapabilities")).get("info")
        return isinstance(told, dict) and told.get("refresh_disk_supported") is True

    async def refresh_disk(self, vm: str, disk: "ThinDisk") -> int:
        place = {"poolID": disk.pool, "domainID": disk.domain, "imageID": disk.image, "volumeID": disk.volume}
        told = (await self._call(PATIENCE, "refreshDisk", vm, {"device": "disk", **place})).get("apparentsize")
        try:
            return int(str(told))
        except ValueError:
            raise PeerUnreachable(str(self.destination), f"it says a disk has {told!r} bytes") from None

    async def _call(self, patience: float, verb: str, *arguments: Any) -> dict[str, Any]:
        where = self.destination
        try:
            answer = await call(self.here, where.host, where.port, verb, *arguments, patience=patience)
        except CallFailed as failed:
            raise PeerUnreachable(str(where), failed.reason) from failed
        if answer.code:
            raise PeerRefused(answer.code, answer.message)
        return answer.told
