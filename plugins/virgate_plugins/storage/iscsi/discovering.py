"""Asking a portal for its targets."""

from virgate.node.storage.errors.iscsi import IscsiDiscoveryFailed, IscsiLoginRefused
from virgate.run.helper import Helper
from virgate_plugins.storage.iscsi import admin, records
from virgate_plugins.storage.iscsi.running import NoIscsiadm, iscsiadm, obstacle, said, turn
from virgate_plugins.storage.iscsi.settings import in_force


async def discover(host: str, port: int, user: str, password: str) -> list[tuple[str, str]]:
    """("address:port,group", IQN) of each target; no record is left behind.

    `IscsiLoginRefused` (476) for credentials that the portal does not take, else `IscsiDiscoveryFailed` (475).
    """
    portal = admin.portal(host, port)
    try:
        async with turn(portal) as helper:
            if found := await obstacle(helper, host, port):
                raise IscsiDiscoveryFailed(portal, found)
            return await _ask(helper, host, port, user, password)
    except NoIscsiadm as problem:
        raise IscsiDiscoveryFailed(portal, str(problem)) from None


async def _ask(helper: Helper, host: str, port: int, user: str, password: str) -> list[tuple[str, str]]:
    portal, name = admin.portal(host, port), records.discovery_name(host, port)
    theirs = await helper.call("has_record", name)  # an administrator's own stays as it was
    if not theirs:
        await _must(admin.discovery(host, port, "-o", "new"), portal)
    before = ""
    try:
        values = records.discovery_values(in_force.values, user, password)
        before = await helper.call("change_record", name, values)
        told = await _must(admin.discovery(host, port, "-o", "nonpersistent", "--discover"), portal)
    finally:
        if not theirs:
            await iscsiadm(admin.discovery(host, port, "-o", "delete"))
        elif before:
            await helper.call("restore_record", name, before)
    return admin.targets(told)


async def _must(argv: admin.Argv, portal: str) -> str:
    finished = await iscsiadm(argv)
    if finished.code == admin.REFUSED_CREDENTIALS:
        raise IscsiLoginRefused(f"iSCSI portal {portal}")
    if finished.code:
        raise IscsiDiscoveryFailed(portal, admin.cause(finished.code, said(finished)))
    return finished.stdout.decode(errors="replace")
