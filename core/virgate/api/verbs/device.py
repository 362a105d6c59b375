"""Verbs about disks of storage networks (spec xmlrpc-storage 3.8)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array, Flag, Struct, array
from virgate.errors import Unexpected
from virgate.node.node import Node
from virgate.node.storage.domains.domains import storage_type
from virgate.node.storage.errors import WrongDomainType

ISCSI = 3


@verb(
    "ISCSIConnection.discoverSendTargets",
    xmlrpc="discoverSendTargets",
    family=Family.STORAGE,
    default_code=16,
    secret=("connection",),
)
async def discover(node: Node, connection: Struct, options: Anything = None) -> Reply:
    """The targets of an iSCSI portal."""
    type = await storage_type(node.storage.domains.hooks, ISCSI)
    ask = getattr(type, "discover", None)
    if ask is None:
        raise WrongDomainType(type.name)
    try:
        found = await ask(connection)
    except KeyError as missing:
        raise Unexpected(f"the connection has no {missing}") from None
    targets = list(dict.fromkeys(iqn for _, iqn in found))
    return Reply({"targets": targets, "fullTargets": [f"{place} {iqn}" for place, iqn in found]})


@verb("Host.getDeviceList", xmlrpc="getDeviceList", family=Family.STORAGE, default_code=600)
async def devices(
    node: Node, storage_type: Anything = None, guids: Anything = None, check: Flag = True, options: Anything = None
) -> Reply:
    """Block devices that could hold storage, after a look for new ones."""
    from virgate.node.storage.devices.listing import listing

    domains = node.storage.domains
    kind = int(storage_type) if str(storage_type).strip().isdecimal() else None
    return Reply({"devList": await listing(domains.devices, domains.lvm, kind, array(guids or ()), check=check)})


@verb("Host.getDeviceInfo", xmlrpc="getDeviceInfo", family=Family.STORAGE, default_code=600)
async def info(node: Node, guid: Anything, options: Anything = None) -> Reply:
    """One block device."""
    from virgate.node.storage.devices.listing import checked, listing

    domains = node.storage.domains
    device = await domains.devices.find(checked(guid))
    found = await listing(domains.devices, domains.lvm, None, [device.guid], check=True)
    return Reply({"info": found[0]}) if found else Reply({"info": {}})


@verb("Host.getDevicesVisibility", xmlrpc="getDevicesVisibility", family=Family.STORAGE)
async def visibility(node: Node, guids: Array, options: Anything = None) -> Reply:
    """Which block devices this host sees."""
    from virgate.node.storage.devices.listing import checked

    return Reply({"visible": await node.storage.domains.devices.visible([checked(guid) for guid in guids])})
