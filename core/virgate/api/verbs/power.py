"""Verbs about other hosts' power."""

from virgate.api.verb import Reply, verb
from virgate.api.wire import Anything, Flag, Text
from virgate.node.node import Node


@verb("Host.fenceNode", xmlrpc="fenceNode", secret=("password", "options"))
async def fence_node(
    node: Node,
    addr: Text,
    port: Text,
    agent: Text,
    username: Text,
    password: Text,
    action: Text,
    secure: Flag = False,
    options: Text = "",
    policy: Anything = None,
) -> Reply:
    """Switch another host's power through a fence agent."""
    from virgate.node.host.fencing import Fencing, fence

    async def lives(domain: str, host: int) -> bool:
        return await (await node.storage.domains.find(domain)).lease.lives(host)

    request = Fencing(addr, port, agent, username, password, action, secure, options)
    done = await fence(request, policy if isinstance(policy, dict) else {}, lives)
    return Reply(done.members, message=done.message, code=done.code)
