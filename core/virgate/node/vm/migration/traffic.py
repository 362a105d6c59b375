"""What all moves of this host share: settings, places in and out, and how other hosts are called."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field

from virgate.node.vm.migration.limits import Slots
from virgate.node.vm.migration.settings import MigrationSettings

if TYPE_CHECKING:
    from virgate.node.peers.endpoint import Endpoint
    from virgate.node.vm.migration.addresses import Destination
    from virgate.node.vm.migration.peer import Peer


@define
class Traffic:
    """`here` is this host's management port; `call` another way to a destination, for tests."""

    settings: MigrationSettings = field(factory=MigrationSettings)
    here: "Callable[[], Endpoint] | None" = None
    call: "Callable[[Destination], Peer] | None" = None
    outgoing: Slots = field(init=False)
    """Also of machines that are saved to storage."""
    incoming: Slots = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.outgoing = Slots(min(self.settings.max_outgoing, os.cpu_count() or 1))
        self.incoming = Slots(self.settings.max_incoming)

    @property
    def tls(self) -> bool:
        return self.here is not None and self.here().tls

    def peer(self, destination: "Destination") -> "Peer":
        """The daemon of another host; nothing is sent yet."""
        if self.call is not None:
            return self.call(destination)
        from virgate.node.peers.endpoint import Endpoint
        from virgate.node.vm.migration.peer import XmlRpcPeer

        here = self.here() if self.here is not None else Endpoint.unknown()
        return XmlRpcPeer(here, destination, self.settings.create_timeout)

    def uri(self, host: str) -> str:
        """Where the hypervisor of another host is reached."""
        from virgate.node.vm.migration.addresses import connection_uri

        return connection_uri(host, tls=self.tls, template=self.settings.uri)
