"""Whose the files on storage are, and who reads them: users and groups of the host."""

import grp
import os
import pwd
from collections.abc import Sequence

from virgate.errors import InvalidParameter
from virgate.node.storage.settings import StorageSettings

OVIRT = 36
"""User and group id of files on the domains of an oVirt host."""


def owner(settings: StorageSettings) -> Sequence[int] | None:
    """Who owns new files: as set; else vdsm:kvm where the host has them as 36:36; else who the daemon is."""
    if settings.user or settings.group:
        return (_user(settings.user) if settings.user else -1, _group(settings.group) if settings.group else -1)
    try:
        known = pwd.getpwnam("vdsm").pw_uid == OVIRT and grp.getgrgid(OVIRT)
    except KeyError:
        return None
    return (OVIRT, OVIRT) if known and os.geteuid() in (0, OVIRT) else None


def reader(settings: StorageSettings) -> tuple[int, Sequence[int]] | None:
    """The user of guests with his groups; None if folders are not checked for him."""
    if not settings.hypervisor_user:
        return None
    user = pwd.getpwuid(_user(settings.hypervisor_user))
    return user.pw_uid, os.getgrouplist(user.pw_name, user.pw_gid)


def _user(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise InvalidParameter("storage.user", name) from None


def _group(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise InvalidParameter("storage.group", name) from None
