"""A machine moves between hosts. A failed or cancelled migration fires no "after" point.

`domain` is always the XML of the source host and changing it has no effect: migration cannot alter a definition here.
The device points fire once per device that has custom properties, `device` is that device's element of the XML and
`device.custom` holds the properties.
"""

from virgate.hookspecs.documents import Subject, XmlDocument
from virgate.hookspecs.point import Failure, point


@point(Failure.ABORT, scripts=True)
def before_device_migrate_source(vm: Subject, device: XmlDocument) -> None:
    """A device with custom properties is about to leave this host.

    Fired on the source, per device, before `before_vm_migrate_source`; again when the destination was busy and the
    migration is tried once more. Raising aborts: the machine keeps running here.
    """


@point(Failure.ABORT, scripts=True)
def before_vm_migrate_source(vm: Subject, domain: XmlDocument) -> None:
    """A machine is about to leave this host.

    Fired on the source before the destination is asked to prepare, again for each retry. Raising aborts: the machine
    keeps running here. This is where a machine tied to its host refuses to move.
    """


@point(Failure.ABORT, scripts=True)
def before_device_migrate_destination(vm: Subject, device: XmlDocument) -> None:
    """A device with custom properties is about to arrive.

    Fired on the destination when the disks are prepared. `device` comes from the source's XML, matched by alias.
    Raising aborts: the source gets code 78 and "Destination hook failed: " before the error's text.
    """


@point(Failure.ABORT, scripts=True)
def before_vm_migrate_destination(vm: Subject, domain: XmlDocument) -> None:
    """A machine is about to arrive.

    Fired on the destination after the device points, before it answers the source. Neither `before_vm_start` nor
    `before_device_create` fires on the destination: prepare here what they prepare. Raising aborts as above.
    """


@point(Failure.LOG, scripts=True, event=True)
def after_vm_migrate_source(vm: Subject, domain: XmlDocument) -> None:
    """A machine has left this host.

    Fired on the source by libvirt's event "stopped, migrated". `domain` is the last XML that was known. The destroy
    points follow on this host later. Nobody waits for it. Raising is logged.
    """


@point(Failure.LOG, scripts=True, event=True)
def after_device_migrate_source(vm: Subject, device: XmlDocument) -> None:
    """A device with custom properties has left this host.

    Fired on the source, per device, after `after_vm_migrate_source`. Nobody waits for it. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def after_vm_migrate_destination(vm: Subject, domain: XmlDocument) -> None:
    """A machine has arrived and runs here.

    Fired on the destination. `domain` is the live XML. Raising is logged.
    """


@point(Failure.LOG, scripts=True)
def after_device_migrate_destination(vm: Subject, device: XmlDocument) -> None:
    """A device with custom properties has arrived.

    Fired on the destination, per device, after `after_vm_migrate_destination`. Raising is logged.
    """
