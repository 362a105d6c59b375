"""Verbs for the lab: what a hypervisor's event would start, and bare commands to compare it with."""

import time

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Integer, Text
from virgate.node.node import Node


@verb("Lab.grow", xmlrpc="labGrow", family=Family.STORAGE)
async def grow(node: Node, pool: Text, domain: Text, image: Text, volume: Text, mib: Integer) -> Reply:
    """Let a volume grow as a machine's disk would; tells the road and the seconds it took."""
    told: list[str] = []
    end = node.events.listen("storage.grown", lambda volume, road, **_: told.append(f"{volume} {road}"))
    began = time.monotonic()
    try:
        size = await node.storage.growing.grow(pool, domain, image, volume, mib << 20)
    finally:
        end()
    roads = [line.split()[1] for line in told if line.startswith(volume)]
    return Reply({"size": str(size), "road": roads[0] if roads else "", "seconds": time.monotonic() - began})


@verb("Lab.extendBare", xmlrpc="labExtendBare", family=Family.STORAGE)
async def extend_bare(node: Node, domain: Text, volume: Text, mib: Integer) -> Reply:
    """One lvextend."""
    began = time.monotonic()
    await node.storage.domains.lvm.extend(domain, volume, mib, refresh=False)
    return Reply({"seconds": time.monotonic() - began})


@verb("Lab.refreshBare", xmlrpc="labRefreshBare", family=Family.STORAGE)
async def refresh_bare(node: Node, domain: Text, volume: Text) -> Reply:
    """One lvchange --refresh."""
    began = time.monotonic()
    await node.storage.domains.lvm.refresh(domain, volume)
    return Reply({"seconds": time.monotonic() - began})
