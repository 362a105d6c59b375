"""Verbs about the daemon itself."""

from typing import Any

from twisted.internet import reactor as _reactor

from virgate.api.verb import Reply, verb
from virgate.api.wire import Integer, Text
from virgate.node.node import Node

reactor: Any = _reactor


@verb("Host.ping", xmlrpc="ping")
async def ping(node: Node) -> Reply:
    """Answer: the daemon is there and its machines are known."""
    return Reply()


@verb("Host.setLogLevel", xmlrpc="setLogLevel")
async def set_log_level(node: Node, level: Integer, name: Text = "") -> Reply:
    """Change how much the daemon logs, until it restarts: 10 everything, 20 information, 30 warnings, 40 errors."""
    words = ((10, "debug"), (20, "info"), (30, "warn"))
    node.events.tell("daemon.log_level", level=next((word for limit, word in words if level <= limit), "error"))
    return Reply()


@verb("Host.prepareForShutdown", xmlrpc="prepareForShutdown", always_ready=True)
async def prepare_for_shutdown(node: Node) -> Reply:
    """End the daemon in an orderly way, after this reply. Machines keep running."""
    reactor.callLater(0, reactor.stop)
    return Reply()


@verb("Host.getPlugins", xmlrpc="virgatePlugins", always_ready=True)
async def plugins(node: Node) -> Reply:
    """What is plugged into the daemon: name, version, origin, state, hooks and the problem of each plugin."""
    found = [
        {
            "name": plugin.name,
            "version": plugin.version,
            "origin": plugin.origin,
            "state": plugin.state.value,
            "hooks": list(plugin.hooks),
            "problem": plugin.problem,
        }
        for plugin in node.plugins
    ]
    return Reply({"plugins": found})
