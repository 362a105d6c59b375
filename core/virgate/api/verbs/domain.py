"""Verbs about storage domains (spec xmlrpc-storage 3.2). The pool's part of them is in `pool`."""

from virgate.api.verb import Family, Reply, verb
from virgate.api.wire import Anything, Flag, Integer, Text, text
from virgate.hookspecs.storage import Kind
from virgate.node.node import Node
from virgate.node.storage.values import is_blank

STORAGE = Family.STORAGE


@verb("StorageDomain.create", xmlrpc="createStorageDomain", family=STORAGE, default_code=351)
async def create(
    node: Node,
    type: Anything,
    domain: Text,
    name: Text,
    remote: Text,
    domain_class: Integer,
    version: Integer = 0,
    options: Anything = None,
    block_size: Integer = 512,
    max_hosts: Integer = 250,
) -> None:
    """Make a storage domain in a connected place; block size 0 is whatever the storage has."""
    await node.storage.maker.create(type, domain, name, remote, domain_class, version, block_size, max_hosts)


@verb("StorageDomain.format", xmlrpc="formatStorageDomain", family=STORAGE, default_code=350)
async def format(node: Node, domain: Text, auto_detach: Flag = False, options: Anything = None) -> None:
    """Destroy a storage domain with everything in it."""
    await node.storage.format_domain(domain, auto_detach)


@verb("StorageDomain.validate", xmlrpc="validateStorageDomain", family=STORAGE, default_code=351)
async def validate(node: Node, domain: Text, options: Anything = None) -> None:
    """Fail unless the domain is there and its metadata can be read."""
    await (await node.storage.domains.find(domain)).validate()


@verb("StorageDomain.check", xmlrpc="checkStorageDomain", family=STORAGE, default_code=351)
async def check(node: Node, domain: Text, options: Anything = None) -> Reply:
    """Look, without changing anything, whether metadata, checksums, chains and leases are sound."""
    from virgate.node.storage.checking.check import check

    report = await check(node.storage.domains, node.storage.locks, domain)
    findings = [finding.told() for finding in report.findings]
    counted = {"images": report.images, "volumes": report.volumes}
    return Reply({"check": {"sound": report.sound, "findings": findings, **counted}})


@verb("StorageDomain.getInfo", xmlrpc="getStorageDomainInfo", family=STORAGE, default_code=350)
async def info(node: Node, domain: Text, options: Anything = None) -> Reply:
    """What a domain is: type, class, name, role, pools, version."""
    return Reply({"info": await node.storage.domain_info(domain)})


@verb("StorageDomain.getStats", xmlrpc="getStorageDomainStats", family=STORAGE, default_code=350)
async def statistics(node: Node, domain: Text, options: Anything = None) -> Reply:
    """How much room a domain has."""
    found = await node.storage.domains.find(domain)
    health, block = await found.look(), found.kind is Kind.BLOCK
    sizes = {"mdasize": health.metadata_size, "mdafree": health.metadata_free}
    told = {
        "disktotal": str(health.total),
        "diskfree": str(health.free),
        **({key: str(size) for key, size in sizes.items()} if block else sizes),
        "mdavalid": health.metadata_valid,
        "mdathreshold": health.metadata_roomy,
    }
    return Reply({"stats": told})


@verb("Host.getStorageDomains", xmlrpc="getStorageDomainsList", family=STORAGE, default_code=350)
async def visible(
    node: Node,
    pool: Anything = None,
    domain_class: Anything = None,
    type: Anything = None,
    remote: Anything = None,
    options: Anything = None,
) -> Reply:
    """The domains this host sees, or those of a pool; what is empty or 0 does not narrow the list."""
    pool = None if is_blank(pool) else pool
    place = text(remote) if remote else None
    return Reply({"domlist": await node.storage.visible_domains(pool, domain_class, type, place)})


@verb("StorageDomain.getImages", xmlrpc="getImagesList", family=STORAGE)
async def images(node: Node, domain: Text, options: Anything = None) -> Reply:
    """The images on a domain."""
    return Reply({"imageslist": await node.storage.images.names(domain)})


@verb("StorageDomain.getVolumes", xmlrpc="getVolumesList", family=STORAGE)
async def volumes(node: Node, domain: Text, pool: Text, image: Anything = None) -> Reply:
    """The volumes of an image, or of the whole domain."""
    return Reply({"uuidlist": await node.storage.volumes.names(domain, image)})


@verb("StorageDomain.getFileStats", xmlrpc="getFileStats", family=STORAGE, default_code=330)
async def file_statistics(
    node: Node, domain: Text, pattern: Text = "*", case_sensitive: Flag = False, options: Anything = None
) -> Reply:
    """The files on an ISO domain."""
    return Reply({"fileStats": await node.storage.files.statistics(domain, pattern, case_sensitive)})


@verb("Host.getStorageRepoStats", xmlrpc="repoStats", family=STORAGE)
async def monitored(node: Node, options: Anything = None) -> Reply:
    """The health of every watched domain, each as a member of its own."""
    return Reply(node.storage.monitors.entries())


@verb("Host.startMonitoringDomain", xmlrpc="startMonitoringDomain", family=STORAGE)
async def start_monitoring(node: Node, domain: Text, host: Integer, options: Anything = None) -> None:
    """Watch a domain outside of any pool."""
    await node.storage.watch_alone(domain, host)


@verb("Host.stopMonitoringDomain", xmlrpc="stopMonitoringDomain", family=STORAGE)
async def stop_monitoring(node: Node, domain: Text, options: Anything = None) -> None:
    """End startMonitoringDomain."""
    await node.storage.unwatch_alone(domain)
