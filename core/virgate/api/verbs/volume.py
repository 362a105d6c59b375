"""Verbs about volumes (spec xmlrpc-storage 3.4)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array, Flag, Integer, Text, flag, integer, text
from virgate.errors import InvalidParameter
from virgate.node.node import Node
from virgate.node.storage.formats.volume_metadata import BLANK_UUID, Legality
from virgate.node.storage.images.bitmap import bitmap_name
from virgate.node.storage.images.volume_making import Wanted
from virgate.node.storage.images.volumes import Wipe
from virgate.node.storage.values import is_blank, new_allocation, new_format, size_in_bytes
from virgate.units import Size

STORAGE = Family.STORAGE


@verb("Volume.create", xmlrpc="createVolume", family=STORAGE, default_code=205)
async def create(
    node: Node,
    domain: Text,
    pool: Text,
    image: Text,
    size: Anything,
    form: Integer,
    allocation: Integer,
    disk_type: Text,
    volume: Text,
    description: Text,
    parent_image: Anything = None,
    parent: Anything = None,
    initial_size: Anything = None,
    bitmaps: Flag = False,
    legal: Anything = None,
    sequence: Anything = None,
    bitmap: Anything = None,
) -> Reply:
    """Make a volume; with a parent it begins as what the parent holds."""
    wanted = Wanted(
        image=image,
        volume=volume,
        capacity=Size(size_in_bytes("size", size)),
        format=new_format(form),
        allocation=new_allocation(allocation),
        disk_type=disk_type,
        description=description,
        parent_image=BLANK_UUID if is_blank(parent_image) else parent_image,
        parent=BLANK_UUID if is_blank(parent) else parent,
        legality=Legality.LEGAL if legal is None or flag(legal) else Legality.ILLEGAL,
        sequence=_sequence(sequence),
        parents_bitmaps=bitmaps,
        bitmap=bitmap_name(text(bitmap)) if bitmap else "",
    )
    return Reply({"uuid": await node.storage.volumes.create(pool, domain, wanted, initial_size or None)})


def _sequence(value: object) -> int:
    if value in (None, ""):
        return 0
    found = integer(value)
    if found < 0:
        raise InvalidParameter("sequence", value)
    return found


@verb("Image.deleteVolumes", xmlrpc="deleteVolume", family=STORAGE, default_code=222)
async def delete(
    node: Node,
    domain: Text,
    pool: Text,
    image: Text,
    volumes: Array,
    post_zero: Flag = False,
    force: Flag = False,
    discard: Flag = False,
) -> Reply:
    """Delete volumes in the given order."""
    wipe = Wipe(post_zero, discard)
    return Reply({"uuid": await node.storage.volumes.delete(pool, domain, image, volumes, force, wipe=wipe)})


@verb("Volume.extendSize", xmlrpc="extendVolumeSize", family=STORAGE)
async def extend(node: Node, pool: Text, domain: Text, image: Text, volume: Text, size: Anything) -> Reply:
    """Give a raw volume more room."""
    wanted = size_in_bytes("newSize", size)
    return Reply({"uuid": await node.storage.volumes.extend(pool, domain, image, volume, wanted)})


@verb("Volume.extend", xmlrpc="extendVolume", family=STORAGE, default_code=206)
async def extend_thin(
    node: Node, domain: Text, pool: Text, image: Text, volume: Text, size: Anything, shutting_down: Anything = None
) -> None:
    """Give a thin volume on block storage more room, on the SPM."""
    await node.storage.growing.extend(pool, domain, volume, size_in_bytes("size", size))


@verb("StoragePool.reduceVolume", xmlrpc="reduceVolume", family=STORAGE)
async def reduce(node: Node, pool: Text, domain: Text, image: Text, volume: Text, active: Flag = False) -> Reply:
    """Take the room from a volume on block storage that it does not use."""
    return Reply({"uuid": await node.storage.upkeep.reduce(pool, domain, image, volume, active=active)})


@verb("Volume.getInfo", xmlrpc="getVolumeInfo", family=STORAGE)
async def info(node: Node, domain: Text, pool: Text, image: Text, volume: Text) -> Reply:
    """What is known of a volume."""
    return Reply({"info": await node.storage.volumes.info(domain, image, volume)})


@verb("StorageDomain.dump", xmlrpc="dumpStorageDomain", family=STORAGE, default_code=350)
async def dump(node: Node, domain: Text) -> Reply:
    """Everything that getVolumeInfo tells, of all volumes of a domain at once."""
    return Reply({"volumes": await node.storage.volumes.dump(domain)})


@verb("Volume.getSize", xmlrpc="getVolumeSize", family=STORAGE)
async def size(node: Node, domain: Text, pool: Text, image: Text, volume: Text) -> Reply:
    """Bytes of a volume as they appear, and as they are occupied."""
    apparent, occupied = await node.storage.volumes.size(domain, image, volume)
    return Reply({"apparentsize": str(apparent), "truesize": str(occupied)})


@verb("Volume.setSize", xmlrpc="volumeSetSize", family=STORAGE)
async def set_size(node: Node, domain: Text, pool: Text, image: Text, volume: Text, size: Anything) -> None:
    """Change the size that a volume's metadata say."""
    await node.storage.volumes.set_capacity(domain, image, volume, size_in_bytes("newSize", size, least=-1))


@verb("Volume.refresh", xmlrpc="refreshVolume", family=STORAGE)
async def refresh(node: Node, domain: Text, pool: Text, image: Text, volume: Text) -> None:
    """See that a volume was extended on another host; files need nothing for that."""
    await node.storage.volumes.refresh(domain, image, volume)


@verb("Volume.setDescription", xmlrpc="setVolumeDescription", family=STORAGE)
async def describe(node: Node, domain: Text, pool: Text, image: Text, volume: Text, description: Text) -> None:
    """Change a volume's description."""
    await node.storage.volumes.describe(pool, domain, image, volume, description)


@verb("Volume.setLegality", xmlrpc="setVolumeLegality", family=STORAGE)
async def set_legality(node: Node, domain: Text, pool: Text, image: Text, volume: Text, legality: Text) -> None:
    """Say whether a volume's data are to be trusted: LEGAL, ILLEGAL, FAKE."""
    await node.storage.volumes.set_legality(pool, domain, image, volume, legality)
