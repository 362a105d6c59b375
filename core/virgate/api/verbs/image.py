"""Verbs about images: chains of volumes (spec xmlrpc-storage 3.5)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Flag, Integer, Struct, Text, flag
from virgate.node.node import Node
from virgate.node.storage.images.volumes import Wipe
from virgate.node.storage.values import is_blank

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
    node: Node,
    domain: Text,
    pool: Text,
    image: Text,
    post_zero: Flag = False,
    force: Flag = False,
    discard: Flag = False,
) -> Reply:
    """Delete an image with all its volumes."""
    return Reply({"uuid": await node.storage.images.delete(pool, domain, image, wipe=Wipe(post_zero, discard))})


@verb("Volume.copy", xmlrpc="copyImage", family=STORAGE, default_code=251)
async def copy(
    node: Node,
    domain: Text,
    pool: Text,
    machine: Anything,
    image: Text,
    volume: Text,
    new_image: Text,
    new_volume: Text,
    description: Text = "",
    new_domain: Anything = None,
    role: Integer = 6,
    form: Integer = 3,
    allocation: Integer = 0,
    post_zero: Flag = False,
    force: Flag = False,
) -> Reply:
    """Copy what a volume holds, its parents included, into one new volume."""
    from virgate.node.storage.images.copying import Copy

    wanted = Copy.read(
        domain=domain,
        image=image,
        volume=volume,
        new_domain=domain if is_blank(new_domain) else new_domain,
        new_image=new_image,
        new_volume=new_volume,
        description=description,
        role=role,
        form=form,
        allocation=allocation,
        force=force,
    )
    return Reply({"uuid": await node.storage.copying.copy(pool, wanted)})


@verb("Image.move", xmlrpc="moveImage", family=STORAGE, default_code=253)
async def move(
    node: Node,
    pool: Text,
    domain: Text,
    new_domain: Text,
    image: Text,
    machine: Anything,
    operation: Integer,
    post_zero: Flag = False,
    force: Flag = False,
    discard: Flag = False,
) -> Reply:
    """Copy an image to another domain, and delete it here if it is to move."""
    wipe = Wipe(post_zero, discard)
    task = await node.storage.moving.move(pool, domain, new_domain, image, operation, force, wipe=wipe)
    return Reply({"uuid": task})


@verb("Image.cloneStructure", xmlrpc="cloneImageStructure", family=STORAGE)
async def clone_structure(node: Node, pool: Text, domain: Text, image: Text, new_domain: Text) -> Reply:
    """Make the same empty volumes on another domain."""
    return Reply({"uuid": await node.storage.moving.clone_structure(pool, domain, new_domain, image)})


@verb("Image.syncData", xmlrpc="syncImageData", family=STORAGE)
async def sync_data(node: Node, pool: Text, domain: Text, image: Text, new_domain: Text, which: Text) -> Reply:
    """Fill the volumes that cloneImageStructure made: ALL, INTERNAL or LEAF."""
    return Reply({"uuid": await node.storage.moving.sync_data(pool, domain, new_domain, image, which)})


@verb("Image.mergeSnapshots", xmlrpc="mergeSnapshots", family=STORAGE, default_code=252)
async def merge_snapshots(
    node: Node,
    domain: Text,
    pool: Text,
    machine: Anything,
    image: Text,
    ancestor: Text,
    successor: Text,
    post_zero: Flag = False,
) -> Reply:
    """Merge volumes of an image that no machine uses into the last of them."""
    task = await node.storage.merging.merge(pool, domain, image, ancestor, successor, wipe=Wipe(post_zero))
    return Reply({"uuid": task})


@verb("Image.reconcileVolumeChain", xmlrpc="reconcileVolumeChain", family=STORAGE, default_code=200)
async def reconcile(node: Node, pool: Text, domain: Text, image: Text, leaf: Text) -> Reply:
    """Let the metadata of a chain say what its qcow2 headers say; answers the chain from the base up."""
    return Reply({"volumes": await node.storage.merging.reconcile(pool, domain, image, leaf)})


@verb("StoragePool.moveMultipleImages", xmlrpc="moveMultipleImages", family=STORAGE, default_code=264)
async def move_many(
    node: Node, pool: Text, domain: Text, new_domain: Text, images: Struct, machine: Anything, force: Flag = False
) -> Reply:
    """Move images to another domain: all of them or none. Of each is said whether it is wiped here."""
    wanted = {image: flag(zero) for image, zero in images.items()}
    return Reply({"uuid": await node.storage.many_moves.move(pool, domain, new_domain, wanted, force)})


@verb("Image.upload", xmlrpc="uploadImage", family=STORAGE, secret=("arguments",))
async def upload(
    node: Node, arguments: Struct, pool: Text, domain: Text, image: Text, volume: Anything = None
) -> Reply:
    """Put an image of one volume to a server: `{method: "http", url, headers}`."""
    from virgate.node.storage.images.transfer import Place

    address = Place(pool, domain, image, "" if is_blank(volume) else volume)
    return Reply({"uuid": await node.storage.remote.upload(arguments, address)})


@verb("Image.download", xmlrpc="downloadImage", family=STORAGE, secret=("arguments",))
async def download(
    node: Node, arguments: Struct, pool: Text, domain: Text, image: Text, volume: Anything = None
) -> Reply:
    """Fill a volume with what a server has: `{method: "http", url, headers}`."""
    from virgate.node.storage.images.transfer import Place

    address = Place(pool, domain, image, "" if is_blank(volume) else volume)
    return Reply({"uuid": await node.storage.remote.download(arguments, address)})


@verb("Image.sparsify", xmlrpc="sparsifyImage", family=STORAGE, default_code=234)
async def sparsify(
    node: Node,
    pool: Text,
    domain: Text,
    image: Text,
    scratch: Text,
    new_domain: Text,
    new_image: Text,
    new_volume: Text,
) -> Reply:
    """Copy what `scratch` is based on into a sparse volume, without the space that its guest does not use."""
    from virgate.node.storage.images.sparsifying import Sparse

    wanted = Sparse(
        domain=domain,
        image=image,
        scratch=scratch,
        new_domain=new_domain,
        new_image=new_image,
        new_volume=new_volume,
    )
    return Reply({"uuid": await node.storage.sparsifying.sparsify(pool, wanted)})
