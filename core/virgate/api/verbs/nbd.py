"""Verbs that serve volumes to other programs of this host (spec xmlrpc-storage 11)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Struct, Uuid
from virgate.node.node import Node


@verb("NBD.start_server", xmlrpc="startNbdServer", family=Family.STORAGE)
async def start(node: Node, server: Uuid, config: Struct) -> Reply:
    """Serve a prepared volume over a socket of this host; answers its url."""
    from virgate.node.storage.nbd.wish import Wish

    return Reply({"result": await node.storage.nbd.start(server, Wish.read(config))})


@verb("NBD.stop_server", xmlrpc="stopNbdServer", family=Family.STORAGE)
async def stop(node: Node, server: Uuid) -> None:
    """End a server; one that does not run is ended already."""
    await node.storage.nbd.stop(server)
