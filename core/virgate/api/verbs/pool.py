"""Verbs about pools, their domains and the SPM (spec xmlrpc-storage 3.2, 3.3)."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Array, Integer, Struct, Text, integer, struct
from virgate.node.node import Node
from virgate.node.storage.pools.making import lease_parameters
from virgate.node.storage.values import is_blank

STORAGE = Family.STORAGE


@verb("StoragePool.create", xmlrpc="createStoragePool", family=STORAGE, default_code=301)
async def create(
    node: Node,
    type: Anything,
    pool: Text,
    name: Text,
    master: Text,
    domains: Array,
    master_version: Integer,
    lock_policy: Anything = None,
    lock_renewal_interval: Integer = 0,
    lease_time: Integer = 0,
    io_timeout: Integer = 0,
    lease_retries: Integer = 0,
    options: Anything = None,
) -> None:
    """Make a pool of domains; one of them is its master."""
    lease = lease_parameters(lock_renewal_interval, lease_time, io_timeout, lease_retries)
    await node.storage.create_pool(pool, name, master, domains, master_version, lease)


@verb("StoragePool.reconstructMaster", xmlrpc="reconstructMaster", family=STORAGE, default_code=306)
async def reconstruct(
    node: Node,
    pool: Text,
    name: Text,
    master: Text,
    domains: Struct,
    master_version: Integer,
    lock_policy: Anything = None,
    lock_renewal_interval: Integer = 0,
    lease_time: Integer = 0,
    io_timeout: Integer = 0,
    lease_retries: Integer = 0,
    host: Anything = None,
    options: Anything = None,
) -> None:
    """Make another domain the master of a pool whose master is lost."""
    lease = lease_parameters(lock_renewal_interval, lease_time, io_timeout, lease_retries)
    given = None if host in (None, "") else integer(host)
    await node.storage.reconstruct_pool(pool, name, master, domains, master_version, lease, given)


@verb("StoragePool.connect", xmlrpc="connectStoragePool", family=STORAGE, default_code=302)
async def connect(
    node: Node,
    pool: Text,
    host: Integer,
    key: Anything,
    master: Text,
    master_version: Integer,
    domains: Anything = None,
    options: Anything = None,
) -> None:
    """Connect this host to a pool. With a map of domains the map counts, else what the master says."""
    known = struct(domains) if domains else None
    await node.storage.pools.connect(pool, host, master, master_version, known)


@verb("StoragePool.disconnect", xmlrpc="disconnectStoragePool", family=STORAGE, default_code=303)
async def disconnect(
    node: Node, pool: Text, host: Integer, key: Anything, remove: Anything = None, options: Anything = None
) -> None:
    """Leave a pool."""
    await node.storage.pools.disconnect(pool, host)


@verb("StoragePool.refresh", xmlrpc="refreshStoragePool", family=STORAGE, default_code=300)
async def refresh(node: Node, pool: Text, master: Text, master_version: Integer, options: Anything = None) -> None:
    """Read the pool again. If that fails, this host leaves it."""
    await node.storage.pools.refresh(pool, master, master_version)


@verb("StoragePool.destroy", xmlrpc="destroyStoragePool", family=STORAGE, default_code=308)
async def destroy(node: Node, pool: Text, host: Integer, key: Anything, options: Anything = None) -> None:
    """Take every domain out of a pool and forget it."""
    await node.storage.pools.destroy(pool, host)


@verb("StoragePool.getInfo", xmlrpc="getStoragePoolInfo", family=STORAGE, default_code=300)
async def info(node: Node, pool: Text, options: Anything = None) -> Reply:
    """The pool and its domains."""
    told, domains = await node.storage.pools.find(pool).info()
    return Reply({"info": told, "dominfo": domains})


@verb("Host.getConnectedStoragePools", xmlrpc="getConnectedStoragePoolsList", family=STORAGE)
async def connected(node: Node, options: Anything = None) -> Reply:
    """The pool this host is in, if any."""
    found = node.storage.pools.connected
    return Reply({"poollist": [found.id] if found else []})


@verb("StoragePool.setDescription", xmlrpc="setStoragePoolDescription", family=STORAGE, default_code=300)
async def describe(node: Node, pool: Text, description: Text, options: Anything = None) -> None:
    """Rename a pool."""
    await node.storage.pools.describe(pool, description)


@verb("StoragePool.upgrade", xmlrpc="upgradeStoragePool", family=STORAGE)
async def upgrade(node: Node, pool: Text, version: Integer) -> Reply:
    """Bring the domains of a pool to a newer version."""
    await node.storage.pools.upgrade(pool, version)
    return Reply({"upgradeStatus": "started"})


@verb("StoragePool.spmStart", xmlrpc="spmStart", family=STORAGE, default_code=650)
async def spm_start(
    node: Node,
    pool: Text,
    previous_host: Integer,
    previous_version: Integer,
    recovery_mode: Anything = None,
    fencing: Anything = None,
    max_host: Anything = None,
    version: Anything = None,
    options: Anything = None,
) -> Reply:
    """Contend for the role of storage pool manager. It reads the mailboxes of hosts with ids below `max_host`."""
    wanted, hosts = (None if given in (None, "") else integer(given) for given in (version, max_host))
    task = await node.storage.pools.start_spm(pool, wanted, (previous_version, previous_host), hosts)
    return Reply({"uuid": task})


@verb("StoragePool.spmStop", xmlrpc="spmStop", family=STORAGE, default_code=653)
async def spm_stop(node: Node, pool: Text, options: Anything = None) -> None:
    """Give the role of storage pool manager up."""
    await node.storage.pools.stop_spm(pool)


@verb("StoragePool.getSpmStatus", xmlrpc="getSpmStatus", family=STORAGE)
async def spm_status(node: Node, pool: Text, options: Anything = None) -> Reply:
    """Whether this host is the storage pool manager, and who was it last."""
    return await _spm(node, pool)


@verb("StoragePool.fence", xmlrpc="fenceSpmStorage", family=STORAGE, default_code=655)
async def fence(
    node: Node, pool: Text, last_owner: Anything = None, last_version: Anything = None, options: Anything = None
) -> Reply:
    """Declare the role of storage pool manager free; nothing checks that this is safe."""
    await node.storage.pools.fence(pool)
    return await _spm(node, pool)


async def _spm(node: Node, pool: str) -> Reply:
    role, version, host = await node.storage.pools.spm_status(pool)
    return Reply({"spm_st": {"spmStatus": role, "spmLver": version, "spmId": host}})


@verb("StorageDomain.attach", xmlrpc="attachStorageDomain", family=STORAGE, default_code=350)
async def attach(node: Node, domain: Text, pool: Text, options: Anything = None) -> None:
    """Add a domain to a pool."""
    await node.storage.members.attach(pool, domain)


@verb("StorageDomain.detach", xmlrpc="detachStorageDomain", family=STORAGE, default_code=350)
async def detach(
    node: Node,
    domain: Text,
    pool: Text,
    master: Anything = None,
    master_version: Anything = None,
    options: Anything = None,
) -> None:
    """Take a domain out of its pool."""
    await node.storage.members.detach(pool, domain)


@verb("StorageDomain.detachForced", xmlrpc="forcedDetachStorageDomain", family=STORAGE, default_code=350)
async def forced_detach(node: Node, domain: Text, pool: Text, options: Anything = None) -> None:
    """Let a pool forget a domain; with a blank pool, let a domain forget its pools."""
    if is_blank(pool):
        await node.storage.pools.forget_pools(domain)
    else:
        await node.storage.members.forced_detach(pool, domain)


@verb("StorageDomain.activate", xmlrpc="activateStorageDomain", family=STORAGE, default_code=350)
async def activate(node: Node, domain: Text, pool: Text, options: Anything = None) -> None:
    """Let the hosts of a pool use a domain."""
    await node.storage.members.activate(pool, domain)


@verb("StorageDomain.deactivate", xmlrpc="deactivateStorageDomain", family=STORAGE, default_code=350)
async def deactivate(
    node: Node, domain: Text, pool: Text, new_master: Text, master_version: Integer, options: Anything = None
) -> None:
    """Stop the use of a domain; the master's role moves to another domain first."""
    await node.storage.members.deactivate(pool, domain, new_master, master_version)


@verb("StorageDomain.setDescription", xmlrpc="setStorageDomainDescription", family=STORAGE, default_code=350)
async def describe_domain(node: Node, domain: Text, description: Text, options: Anything = None) -> None:
    """Rename a domain."""
    await node.storage.describe_domain(domain, description)


@verb("StoragePool.getIsoList", xmlrpc="getIsoList", family=STORAGE)
async def iso_list(node: Node, pool: Text, extension: Text = "iso", options: Anything = None) -> Reply:
    """The CD images on the pool's ISO domain."""
    return Reply({"isolist": await node.storage.files.with_extension(pool, extension)})


@verb("StoragePool.getFloppyList", xmlrpc="getFloppyList", family=STORAGE)
async def floppy_list(node: Node, pool: Text, options: Anything = None) -> Reply:
    """The floppy images on the pool's ISO domain."""
    return Reply({"isolist": await node.storage.files.with_extension(pool, "vfd")})


@verb("StoragePool.prepareMerge", xmlrpc="prepareMerge", family=STORAGE)
async def prepare_merge(node: Node, pool: Text, subchain: Struct) -> Reply:
    """Give a volume the room that a merge of the one above it takes."""
    return Reply({"uuid": await node.storage.cold_merge.prepare(pool, subchain)})


@verb("StoragePool.finalizeMerge", xmlrpc="finalizeMerge", family=STORAGE)
async def finalize_merge(node: Node, pool: Text, subchain: Struct) -> Reply:
    """Take a volume whose data were merged out of its chain; then it can be deleted."""
    return Reply({"uuid": await node.storage.cold_merge.finalize(pool, subchain)})


@verb("StoragePool.getDomainsContainingImage", xmlrpc="getImageDomainsList", family=STORAGE, default_code=373)
async def domains_with_image(node: Node, pool: Text, image: Text, options: Anything = None) -> Reply:
    """The active domains that hold an image."""
    return Reply({"domainslist": await node.storage.images.domains_with(pool, image)})
