"""Verbs about the daemon itself."""

from virgate.api.verb import Reply, verb
from virgate.node import Node


@verb("Host.ping", xmlrpc="ping")
async def ping(node: Node) -> Reply:
    """Answer: the daemon is there and its machines are known."""
    return Reply()
