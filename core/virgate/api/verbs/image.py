"""Verbs about images: chains of volumes (spec xmlrpc-storage 3.5)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Flag, Text
from virgate.node import Node

STORAGE = Family.STORAGE


@verb("Image.prepare", xmlrpc="prepareImage", family=STORAGE)
async def prepare(node: Node, pool: Text, domain: Text, image: Text, volume: Text) -> Reply:
    """Make an image usable on this host."""
    made = await node.storage.images.prepare(pool, domain, image, volume)
    return Reply({"path": made.path, "info": made.info, "imgVolumesInfo": list(made.chain)})


@verb("Image.teardown", xmlrpc="teardownImage", family=STORAGE)
async def teardown(node: Node, pool: Text, domain: Text, image: Text, volume: Anything = None) -> None:
    """End what prepareImage did."""
    await node.storage.images.teardown(pool, domain, image)


@verb("Image.delete", xmlrpc="deleteImage", family=STORAGE)
async def delete(
    node: Node, domain: Text, pool: Text, image: Text, post_zero: Flag = False, force: Flag = False
) -> Reply:
    """Delete an image with all its volumes."""
    return Reply({"uuid": await node.storage.images.delete(pool, domain, image)})
