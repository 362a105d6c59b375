"""ISCSI: disks of a target on the network; logging in makes them appear. Done by the program iscsiadm of open-iscsi.

`target.py` is the type, `admin.py` the command lines, `records.py` iscsiadm's files, `operations.py` what runs in a
helper process.
"""

from typing import TYPE_CHECKING

from virgate import hookimpl
from virgate.hookspecs.storage import StorageType
from virgate_plugins.storage.iscsi import settings as current
from virgate_plugins.storage.iscsi.settings import IscsiSettings

if TYPE_CHECKING:
    from virgate.config import Settings


@hookimpl
def settings_loaded(settings: "Settings") -> None:
    current.in_force.values = settings[IscsiSettings]


@hookimpl
def storage_domain_type(name: str) -> type[StorageType] | None:
    if name != "iscsi":
        return None
    from virgate_plugins.storage.iscsi.target import Iscsi

    return Iscsi
