"""Logging in and out. A record of iscsiadm lives as long as its session, and the password in it, too."""

from collections.abc import Mapping

from virgate.node.storage.errors.iscsi import (
    IscsiInterfaceDiffers,
    IscsiLoginRefused,
    IscsiLogoutFailed,
    IscsiSetupFailed,
)
from virgate.run.helper import Helper
from virgate_plugins.storage.iscsi import admin, records
from virgate_plugins.storage.iscsi.running import NoIscsiadm, iscsiadm, obstacle, said, turn
from virgate_plugins.storage.iscsi.settings import in_force
from virgate_plugins.storage.iscsi.target import Iscsi

Session = Mapping[str, str]
BUILT_IN = ("default", "iser")
"""Interfaces that iscsiadm has without a record."""


async def log_in(target: Iscsi) -> None:
    """Nothing happens when there is a session. Nothing stays behind when there will be none.

    `IscsiLoginRefused` (476), `IscsiInterfaceDiffers` (473), `IscsiSetupFailed` (465).
    """
    try:
        async with turn(admin.portal(target.host, target.port)) as helper:
            if await _sessions(helper, target):
                return
            await _interface(target)
            if found := await _obstacle(helper, target):
                raise IscsiSetupFailed(str(target), found)
            try:
                await _record(helper, target)
                await _log_in(target)
            except BaseException:
                await _node(target, "--logout")
                await _node(target, "-o", "delete")
                raise
    except NoIscsiadm as problem:
        raise IscsiSetupFailed(str(target), str(problem)) from None


async def logged_in(target: Iscsi) -> bool:
    async with turn(admin.portal(target.host, target.port)) as helper:
        return any(found["state"] == "LOGGED_IN" for found in (await _sessions(helper, target)).values())


async def log_out(target: Iscsi) -> None:
    """Of the session whose portal, target, interface and credentials all match; else nothing happens (474)."""
    try:
        async with turn(admin.portal(target.host, target.port)) as helper:
            found = await _sessions(helper, target)
            ours = {name: one for name, one in found.items() if _same_credentials(one, target)}
            for name, session in ours.items():
                finished = await iscsiadm(admin.logout(name))
                if finished.code not in (0, 2, admin.NO_RECORD):
                    raise IscsiLogoutFailed(str(target), admin.cause(finished.code, said(finished)))
                await _forget(target, session)
            if not found:
                await _node(target, "-o", "delete")
    except NoIscsiadm:
        return  # then there is no session either


async def _sessions(helper: Helper, target: Iscsi) -> dict[str, Session]:
    known = await helper.call("sessions")
    candidates = {name: one for name, one in known.items() if one["targetname"] == target.iqn}
    if not candidates:
        return {}
    addresses = {target.host, *await helper.call("addresses", target.host)}
    wanted = {"iqn": target.iqn, "port": target.port, "tpgt": target.tpgt, "iface": target.iface}
    return {name: one for name, one in candidates.items() if records.matches(one, wanted, addresses)}


def _same_credentials(session: Session, target: Iscsi) -> bool:
    return (session["username"], session["password"] if session["username"] else "") == (target.user, target.password)


async def _interface(target: Iscsi) -> None:
    """Makes the iSCSI interface if there is none of that name; one that is there must fit."""
    if target.iface in BUILT_IN:
        return
    told = await iscsiadm(admin.interface(target.iface))
    if told.code == 0:
        bound = admin.net_interface(told.stdout.decode(errors="replace"))
        if target.net_iface and bound != target.net_iface:
            raise IscsiInterfaceDiffers(target.iface, f"it is bound to {bound or 'none'}, not to {target.net_iface}")
        return
    wanted = {"iface.net_ifacename": target.net_iface, "iface.initiatorname": target.initiator}
    steps = [("-o", "new"), *(("-o", "update", "-n", key, "-v", value) for key, value in wanted.items() if value)]
    for step in steps:
        finished = await iscsiadm(admin.interface(target.iface, *step))
        if finished.code:
            await iscsiadm(admin.interface(target.iface, "-o", "delete"))
            raise IscsiInterfaceDiffers(target.iface, admin.cause(finished.code, said(finished)))


async def _obstacle(helper: Helper, target: Iscsi) -> str:
    """An interface of its own may take a road of its own: only the login can tell."""
    return await obstacle(helper, target.host, target.port) if target.iface == "default" else ""


async def _record(helper: Helper, target: Iscsi) -> None:
    made = await iscsiadm(_argv(target, "-o", "new"))
    if made.code:
        raise IscsiSetupFailed(str(target), admin.cause(made.code, said(made)))
    multipath = await helper.call("multipathd_runs")
    values = records.node_values(in_force.values, target.user, target.password, multipath=multipath)
    name = records.node_name(target.iqn, target.host, target.port, target.tpgt, target.iface)
    await helper.call("change_record", name, values)


async def _log_in(target: Iscsi) -> None:
    finished = await iscsiadm(_argv(target, "--login"))
    if finished.code in (0, admin.SESSION_EXISTS):
        return
    if finished.code == admin.REFUSED_CREDENTIALS:
        raise IscsiLoginRefused(f"Target {target}")
    raise IscsiSetupFailed(str(target), admin.cause(finished.code, said(finished)))


async def _forget(target: Iscsi, session: Session) -> None:
    """The record is named as the session was asked for, which may have been by another name of the portal."""
    for host in dict.fromkeys([session["persistent_address"], session["address"]]):
        await iscsiadm(admin.node(target.iqn, host, target.port, target.tpgt, target.iface, "-o", "delete"))


async def _node(target: Iscsi, *action: str) -> None:
    """What there is nothing to do it with needs no doing."""
    await iscsiadm(_argv(target, *action))


def _argv(target: Iscsi, *action: str) -> admin.Argv:
    return admin.node(target.iqn, target.host, target.port, target.tpgt, target.iface, *action)
